"""Loading work trees and revisions; hostile trees are read without leaving them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitops_layout.errors import UserError
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.repo.load import from_files, from_revision, from_work_tree
from gitops_layout.repo.model import MAX_BYTES

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    (tmp_path / ".gitignore").write_text("ignored.yaml\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_work_tree_has_what_git_tracks_or_would_track(repository: Path):
    (repository / "new.yaml").write_text(CONFIG_MAP)
    (repository / "ignored.yaml").write_text(CONFIG_MAP)
    repo = from_work_tree(repository)
    assert repo.files == (".gitignore", "a.yaml", "new.yaml")
    assert repo.revision == git(repository, "rev-parse", "HEAD")


def test_a_revision_is_read_as_it_was_without_a_checkout(repository: Path):
    (repository / "a.yaml").write_text("changed: true\n")
    (repository / "b.yaml").write_text("later: true\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "two")
    repo = from_revision(repository, "HEAD~1")
    assert repo.files == (".gitignore", "a.yaml")
    assert [resource.ref.name for resource in repo.resources] == ["a"]


def test_an_unknown_revision_is_a_mistake_of_the_user(repository: Path):
    with pytest.raises(UserError, match="no revision 'nowhere'"):
        from_revision(repository, "nowhere")


def test_a_revision_cannot_smuggle_an_option_into_git(repository: Path):
    with pytest.raises(UserError):
        from_revision(repository, "--output=pwned")
    assert not (repository / "pwned").exists()


def test_hooks_and_filters_of_a_repository_never_run(repository: Path):
    for name in ("core.fsmonitor", "core.sshCommand", "diff.external", "core.pager"):
        git(repository, "config", name, f"touch {repository}/pwned #")
    git(repository, "config", "filter.evil.smudge", f"touch {repository}/pwned")
    (repository / ".gitattributes").write_text("*.yaml filter=evil\n")
    from_work_tree(repository)
    from_revision(repository, "HEAD")
    assert not (repository / "pwned").exists()


def test_links_are_followed_inside_the_tree_and_refused_outside(tmp_path: Path):
    outside = tmp_path / "outside.yaml"
    outside.write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: stolen}\n")
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real/a.yaml").write_text(CONFIG_MAP)
    (root / "inside").symlink_to("real")
    (root / "escape.yaml").symlink_to("../outside.yaml")
    (root / "absolute.yaml").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    repo = from_work_tree(root)
    assert repo.resolve("inside/a.yaml") == "real/a.yaml"
    assert [repo.resolve(path) for path in ("escape.yaml", "absolute.yaml", "loop", "../outside.yaml")] == [
        None
    ] * 4
    assert [resource.ref.name for resource in repo.resources] == ["a"]


def test_special_and_unreadable_and_oddly_named_files_are_listed_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / os.fsdecode(b"bad-\xff.yaml")).write_text(CONFIG_MAP)
    with (tmp_path / "huge.yaml").open("wb") as stream:
        stream.truncate(100 * 2**20)
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    repo = from_work_tree(tmp_path)
    assert [resource.ref.name for resource in repo.resources] == ["a"]
    assert {(entry.what, entry.kind) for entry in repo.unchecked} == {
        ("file pipe.yaml", UncheckedClass.BROKEN),
        ("file bad-\\udcff.yaml", UncheckedClass.BROKEN),
    }
    assert [path for path, problem in repo.unparsable if f"{MAX_BYTES // 2**20} MiB" in problem.message] == [
        "huge.yaml"
    ]


def test_a_folder_that_is_none_is_a_mistake_of_the_user(tmp_path: Path):
    with pytest.raises(UserError, match="not a folder"):
        from_work_tree(tmp_path / "nothing")


def test_chart_templates_are_not_manifests():
    repo = from_files(
        {"c/Chart.yaml": "name: c\n", "c/templates/a.yaml": "a: {{ .x }}\n", "c/values.yaml": "a: 1\n"}
    )
    assert repo.manifests == ("c/Chart.yaml", "c/values.yaml")
    assert repo.unparsable == ()


def test_lists_are_opened_and_their_items_keep_their_place():
    repo = from_files(
        {
            "a.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: x\n"
        }
    )
    (resource,) = repo.resources
    assert resource.location == Location("a.yaml", ("items", 0))
    assert repo.span(resource.location.at("metadata", "name")).line == 7


def test_links_whose_names_are_no_text_are_said_and_never_listed(tmp_path: Path, repository: Path):
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    (tmp_path / os.fsdecode(b"\xff.yaml")).symlink_to("a.yaml")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "link")
    for repo in (from_work_tree(repository), from_revision(repository, "HEAD")):
        assert [path for path in repo.entries if "\udcff" in path] == []
        assert [entry.why for entry in repo.unchecked] == ["its name is not UTF-8"]


def test_a_tree_made_by_hand_names_no_file_outside(repository: Path):
    blob = git(repository, "rev-parse", "HEAD:a.yaml")
    raw = b"100644 a.yaml\0" + bytes.fromhex(blob) + b"100644 ..\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        cwd=repository, input=raw, capture_output=True, check=True,
    )  # fmt: skip
    commit = git(repository, "commit-tree", "-m", "x", made.stdout.decode().strip())
    repo = from_revision(repository, commit)
    assert set(repo.entries) == {"a.yaml"}
    assert [entry.what for entry in repo.unchecked] == ["file .."]


def test_what_a_partial_clone_lacks_is_said_and_not_fetched(repository: Path, tmp_path: Path):
    mark = tmp_path / "ran"
    blob = git(repository, "rev-parse", "HEAD:a.yaml")
    (repository / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(repository),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": f"touch {mark};",
        "protocol.file.allow": "always",
    }.items():
        git(repository, "config", key, value)
    unchecked = from_revision(repository, "HEAD").unchecked
    assert [(entry.what, entry.why) for entry in unchecked] == [
        ("file a.yaml", "its content is not in this clone")
    ]
    from_work_tree(repository)
    assert not mark.exists()
