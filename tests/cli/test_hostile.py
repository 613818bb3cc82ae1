"""Hostile and broken trees through the command line: an answer, no traceback, nothing run, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n"


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gitops_layout", *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        pytest.param({}, 3, "no Kubernetes object", id="empty folder"),
        pytest.param({"README.md": "hello"}, 3, "no Kubernetes object", id="nothing that we read"),
        pytest.param({"a.yaml": "a: [1\n"}, 1, "a.yaml:2:1", id="unparsable"),
        pytest.param({"a.yaml": b"\xff\xfe\x00"}, 1, "not UTF-8", id="not text"),
        pytest.param({"a.yaml": BOMB}, 1, "aliases expand", id="alias bomb"),
        pytest.param({"a.yaml": "[" * 50_000}, 1, "a.yaml:1", id="endless nesting"),
        pytest.param({"kustomization.yaml": "resources: [../../etc/passwd]\n"}, 1, "leads out of the repository", id="path out"),
        pytest.param({"kustomization.yaml": "resources: ['https://example.test/x.yaml']\n"}, 3, "remote", id="remote base"),
        pytest.param({"kustomization.yaml": "generators: [g.yaml]\n", "g.yaml": "apiVersion: a/v1\nkind: Exec\nmetadata: {name: g, annotations: {config.kubernetes.io/function: 'exec: {path: ./pwn.sh}'}}\n"}, 3, "plugins are never run", id="exec plugin"),
        pytest.param({"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}, 1, "include each other", id="cycle"),
        pytest.param({"gitops.yaml": "apiVersion: gitops-layout/v1alpha1\nkind: GitOpsRepo\nspec: 3\n"}, 2, "gitops.yaml:3", id="broken spec"),
        pytest.param({".gitops-layout.yaml": "selct: [V001]\n", "a.yaml": CONFIG_MAP}, 2, "select", id="misspelt config"),
        pytest.param({"a.yaml": CONFIG_MAP, "chart/Chart.yaml": "a: [ x\n", "chart/templates/b.yaml": "{{ x"}, 1, "Chart.yaml", id="chart"),
    ],
)  # fmt: skip
def test_a_bad_tree_gets_an_answer_and_the_designed_exit_code(tmp_path: Path, files, code: int, words: str):
    write(tmp_path, files)
    done = run(tmp_path, "lint")
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert "internal error" not in output, output
    assert words in output
    assert done.returncode == code, output


def test_pipes_links_out_and_huge_files_are_named_in_bounded_time(tmp_path: Path):
    root = tmp_path / "root"
    write(root, {"kustomization.yaml": "resources: [link.yaml, a.yaml]\n", "a.yaml": CONFIG_MAP})
    (tmp_path / "secret.yaml").write_text("password: hunter2-outside\n")
    (root / "link.yaml").symlink_to("../secret.yaml")
    os.mkfifo(root / "pipe.yaml")
    with (root / "huge.yaml").open("wb") as stream:
        stream.truncate(100 * 2**20)
    started = time.monotonic()
    done = run(root, "lint")
    assert time.monotonic() - started < 120
    output = done.stdout + done.stderr
    assert "hunter2" not in output
    for name in ("link.yaml", "pipe.yaml", "huge.yaml"):
        assert name in output
    assert done.returncode in (1, 3)
    assert "Traceback" not in output


def test_patterns_and_texts_of_strangers_cost_no_more_than_their_length(tmp_path: Path):
    long = 100_000
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: hunter2-in-clear}\n"
    write(
        tmp_path,
        {
            ".sops.yaml": "creation_rules:\n- path_regex: ^secret-(a+)+$\n- path_regex: (.*a.*)*b\n",
            f"secret-{'a' * 200}.yaml": secret,
            "patched/kustomization.yaml": "resources: [a.yaml]\npatches: [{target: {name: (a+)+b}, patch: '{}'}]\n",
            "patched/a.yaml": CONFIG_MAP.replace("name: a", f"name: {'a' * 60}"),
            ".gitlab-ci.yml": f"deploy:\n  script:\n  - ./{'a-' * long}\n",
            "keys.yaml": f"{CONFIG_MAP}data:\n  {'a_' * 400}: b\n  b: {'{{' * long}\n",
            "names.yaml": CONFIG_MAP.replace("name: a", f"name: '{'${a<<' * long}'"),
            "comments.yaml": f"# {'#' * long}\n{CONFIG_MAP}",
            "lines.yaml": f"a: [\n{' ' * 9}\n" * long,
            "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
            "chart/templates/a.yaml": "{{" + " " * long,
            "chart/templates/b.yaml": "{{/* a */}}\n" * 2_000 + "{{ if .Values.a",
        },
    )
    done = run(tmp_path, "lint")  # its time limit is the assertion: most of these took hours, some for ever
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 3)


def test_a_missing_path_and_paths_of_two_repositories_are_usage_errors(tmp_path: Path):
    for name in ("one", "two"):
        write(tmp_path / name, {"a.yaml": CONFIG_MAP})
        subprocess.run(["git", "init", "-q", str(tmp_path / name)], check=True)
    assert run(tmp_path, "lint", "gone").returncode == 2
    done = run(tmp_path, "lint", "one", "two")
    assert done.returncode == 2
    assert "two repositories" in done.stderr


def test_a_misspelt_verb_is_answered_with_the_near_one(tmp_path: Path):
    done = run(tmp_path, "lnit")
    assert done.returncode == 2
    assert "'lint'" in done.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path):
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG_MAP})
    command = f"{sys.executable} -m gitops_layout render . | true"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("verb", [("lint",), ("graph",), ("render", "--all")])
def test_no_verb_that_reads_runs_anything_of_the_repository(tmp_path: Path, verb: tuple[str, ...]):
    write(
        tmp_path,
        {
            "kustomization.yaml": "resources: [a.yaml]\n",
            "a.yaml": CONFIG_MAP,
            "sh": "#!/bin/sh\ntouch pwned\n",
        },
    )
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    for name in ("core.fsmonitor", "core.hooksPath", "core.sshCommand", "core.pager"):
        subprocess.run(["git", "config", name, "touch pwned #"], cwd=tmp_path, check=True)
    run(tmp_path, *verb)
    assert not (tmp_path / "pwned").exists()


def test_a_link_out_of_the_repository_is_no_folder_to_render(tmp_path: Path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "repo", {".gitops-layout.yaml": "", "a.yaml": CONFIG_MAP})
    (tmp_path / "repo/link").symlink_to("../out")
    done = run(tmp_path / "repo", "render", "link")
    assert (done.returncode, "leads out of the repository" in done.stderr) == (2, True)
