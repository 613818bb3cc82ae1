"""Fast where it is sure, real kustomize otherwise: the caller sees which and why."""

from __future__ import annotations

from gitops_layout.kustomize.choose import build_all
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.walk import walk
from tests.kustomize.oracle import repository

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
FILES = {
    "sure/kustomization.yaml": "resources: [../c.yaml]\nnamespace: x\n",
    "unsure/kustomization.yaml": "resources: [../c.yaml]\nbuildMetadata: [originAnnotations, transformerAnnotations]\n",
    "broken/kustomization.yaml": "resources: [gone.yaml]\n",
    "c.yaml": CONFIG,
}


def test_each_build_says_who_built_it_and_why():
    repo = repository(FILES)
    builds = {name: Build(walk(repo, name)) for name in ("unsure", "broken", "sure")}
    chosen = build_all(repo, builds)
    assert list(chosen) == list(builds)
    assert chosen["sure"].origins is not None
    assert chosen["sure"].built.objects[0]["metadata"]["namespace"] == "x"
    assert chosen["unsure"].origins is None
    assert chosen["unsure"].declined is not None
    assert "buildMetadata" in chosen["unsure"].declined.reason
    assert "config.kubernetes.io/origin" in chosen["unsure"].built.objects[0]["metadata"]["annotations"]
    assert chosen["broken"].built.problem is not None
    assert chosen["broken"].declined is None


def test_asked_for_real_kustomize_builds_everything_and_builds_the_same():
    repo = repository(FILES)
    builds = {"sure": Build(walk(repo, "sure"))}
    exact = build_all(repo, builds, only_exact=True)["sure"]
    assert exact.origins is None
    assert exact.declined is None
    assert exact.built == build_all(repo, builds)["sure"].built


def test_files_written_over_the_repository_s_own_are_built_and_leave_no_trace():
    repo = repository(FILES)
    overrides = (("sure/kustomization.yaml", b"resources: [../c.yaml]\nnamespace: z\n"),)
    closure = walk(repo.over(dict(overrides)), "sure")
    builds = {"over": Build(closure, overrides=overrides), "own": Build(walk(repo, "sure"))}
    chosen = build_all(repo, builds)
    assert chosen["over"].built.objects[0]["metadata"]["namespace"] == "z"
    assert chosen["own"].built.objects[0]["metadata"]["namespace"] == "x"
