"""Which repository a path belongs to, and what an environment desires."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops_layout.cli.loading import find_root
from gitops_layout.cli.rendering import desired_objects
from gitops_layout.errors import UserError

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.test")


def test_the_root_is_the_nearest_config_spec_or_git_top_level(tmp_path: Path):
    (tmp_path / "deep/er").mkdir(parents=True)
    assert find_root(tmp_path / "deep/er") == tmp_path / "deep/er"
    subprocess.run([*GIT, "init", "-q", tmp_path], check=True)
    assert find_root(tmp_path / "deep/er") == tmp_path
    (tmp_path / "deep/gitops.yaml").write_text("")
    assert find_root(tmp_path / "deep/er") == tmp_path / "deep"


def test_a_mirror_is_its_own_root_whatever_lies_above_it(tmp_path: Path):
    (tmp_path / "gitops.yaml").write_text("")
    subprocess.run([*GIT, "init", "-q", "--bare", tmp_path / "mirror"], check=True)
    assert find_root(tmp_path / "mirror") == tmp_path / "mirror"


def test_an_environment_desires_its_deliveries_objects_and_no_agent_objects(tmp_path: Path):
    for environment in ("dev", "prod"):
        folder = tmp_path / f"clusters/{environment}"
        folder.mkdir(parents=True)
        (folder / "web.yaml").write_text(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            f"metadata: {{name: web, namespace: flux-system}}\nspec: {{path: ./apps/{environment}, targetNamespace: web,"
            " sourceRef: {kind: GitRepository, name: flux-system}}\n"
        )
        app = tmp_path / f"apps/{environment}"
        app.mkdir(parents=True)
        (app / "a.yaml").write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {environment}}}\n")
    objects, unchecked = desired_objects(tmp_path, None, "dev")
    assert [data["metadata"] for data, _ in objects] == [{"name": "dev", "namespace": "web"}]
    assert [location.file for _, location in objects if location] == ["apps/dev/a.yaml"]
    assert unchecked == []
    with pytest.raises(UserError, match="known environments: dev, prod"):
        desired_objects(tmp_path, None, "qa")
