"""Git sources and kustomize's remote references, from a git server on loopback."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from gitops_layout.cli.loading import load_graph
from gitops_layout.fetch.bases import GitBase, git_base
from gitops_layout.model import Location
from gitops_layout.store.fetched import LOCK, fetched
from gitops_layout.store.lock import Reference, read
from tests.fetch.support import Git, Server, application, fetch, write

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def source(url: str, revision: str) -> str:
    return application("platform", f"{{repoURL: '{url}', path: deploy, targetRevision: '{revision}'}}")


def test_branch_tag_range_and_commit_are_resolved_to_commits(root: Path, upstream: Git) -> None:
    commits = {}
    for version in ("1.9.0", "1.10.0"):
        commits[version] = upstream.commit({"deploy/a.yaml": f"{MANIFEST}data: {{v: '{version}'}}\n"})
        upstream.git("tag", "--annotate", "--message=x", f"v{version}")
    commits["main"] = upstream.commit({"deploy/a.yaml": MANIFEST})
    expected = {
        "main": commits["main"],
        "HEAD": commits["main"],
        "v1.9.0": commits["1.9.0"],
        "1.*": commits["1.10.0"],
        commits["1.9.0"]: commits["1.9.0"],
        "refs/tags/v1.9.0": commits["1.9.0"],
    }
    for number, revision in enumerate(expected):
        text = source(upstream.url, revision).replace("name: platform,", f"name: a{number},", 1)
        write(root, {f"{number}.yaml": text})

    code, _, printed = fetch(root)

    assert code == 0, printed
    entries = read((root / LOCK).read_bytes()).entries
    assert {entry.reference.value or "HEAD": entry.commit for entry in entries} == expected


def test_the_tree_is_as_committed_and_its_digest_the_same_everywhere(
    root: Path, upstream: Git, tmp_path: Path
) -> None:
    (upstream.folder / "deploy").mkdir()
    (upstream.folder / "deploy/inside").symlink_to("../README.md")
    (upstream.folder / "deploy/outside").symlink_to("/etc/passwd")
    (upstream.folder / "deploy/up").symlink_to("../../..")
    upstream.commit(
        {
            ".gitattributes": "deploy export-ignore\n*.md eol=crlf\n",
            "deploy/é.yaml": MANIFEST,
            "README.md": "x\n",
        }
    )
    write(root, {"platform.yaml": source(upstream.url, "main")})
    assert fetch(root)[0] == 0
    lock = (root / LOCK).read_bytes()

    tree = fetched(lock).tree(Reference("git-source", upstream.url, "", "branch", "main"))

    assert tree is not None
    assert (tree / "deploy/é.yaml").read_text() == MANIFEST
    assert (tree / "README.md").read_bytes() == b"x\n"
    assert sorted(path.name for path in (tree / "deploy").iterdir()) == ["inside", "é.yaml"]
    (tmp_path / "cache").rename(tmp_path / "gone")
    (root / LOCK).unlink()
    fetch(root)
    assert (root / LOCK).read_bytes() == lock


def test_a_moved_tag_is_an_error_and_a_moved_branch_is_brought_as_locked(
    root: Path, upstream: Git, tmp_path: Path
) -> None:
    first = upstream.commit({"deploy/a.yaml": MANIFEST})
    upstream.git("tag", "v1")
    tagged, branch = source(upstream.url, "v1"), source(upstream.url, "main")
    write(root, {"platform.yaml": tagged})
    fetch(root)
    second = upstream.commit({"deploy/a.yaml": f"{MANIFEST}data: {{x: y}}\n"})
    upstream.git("tag", "--force", "v1")

    code, status, printed = fetch(root, "--check")
    assert (code, status) == (1, {upstream.url: "moved"})
    assert first in printed
    assert second in printed
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert fetch(root)[:2] == (3, {upstream.url: "moved"})

    write(root, {"platform.yaml": branch})
    (root / LOCK).unlink()
    assert fetch(root)[0] == 0
    upstream.commit({"deploy/a.yaml": MANIFEST})
    assert fetch(root, "--check")[:2] == (1, {upstream.url: "newer"})
    (tmp_path / "cache").rename(tmp_path / "gone too")
    assert fetch(root)[:2] == (0, {upstream.url: "fetched"})
    assert second in (root / LOCK).read_text()


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("revision", ["1.*", "refs/tags/v1.0.0"])
def test_a_tag_that_moved_under_a_range_is_an_error_that_names_both_commits(
    root: Path, upstream: Git, tmp_path: Path, revision: str, newer: bool
) -> None:
    first = upstream.commit({"deploy/a.yaml": MANIFEST})
    upstream.git("tag", "v1.0.0")
    write(root, {"platform.yaml": source(upstream.url, revision)})
    fetch(root)
    second = upstream.commit({"deploy/a.yaml": f"{MANIFEST}data: {{x: y}}\n"})
    upstream.git("tag", "--force", "v1.0.0")
    if newer:
        upstream.git("tag", "v1.1.0")
    (tmp_path / "cache").rename(tmp_path / "gone")

    for arguments, expected in ((["--check"], 1), ([], 3)):
        code, status, printed = fetch(root, *arguments)
        assert (code, status) == (expected, {upstream.url: "moved"})
        assert f"v1.0.0 {first}" in printed
        assert second in printed

    upstream.git("tag", "--delete", "v1.0.0")
    if newer and revision == "1.*":  # the commit of a tag that is gone has not moved
        assert fetch(root)[:2] == (0, {upstream.url: "fetched"})
        assert first in (root / LOCK).read_text()


def test_what_is_not_there_is_a_failure_in_gits_words(root: Path, upstream: Git) -> None:
    upstream.commit({"a.yaml": MANIFEST})
    for url, revision, words in (
        (upstream.url, "nope", "has no branch, tag or commit 'nope'"),
        (upstream.url, "0" * 40, ""),
        (upstream.url.replace("platform", "other"), "main", "other"),
    ):
        write(root, {"platform.yaml": source(url, revision)})
        code, status, printed = fetch(root)
        assert (code, status) == (3, {url: "failed"})
        assert words in printed


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch /tmp/pwned'",
        "file:///etc",
        "/etc",
        "--upload-pack=touch x",
        "ssh://-oProxyCommand=x/y",
    ],
)
def test_no_protocol_that_runs_or_reads_something_here_is_used(root: Path, url: str, tmp_path: Path) -> None:
    write(root, {"platform.yaml": source(url.replace("'", "''"), "main")})
    code, status, printed = fetch(root)
    assert code == 3, printed
    assert set(status.values()) == {"failed"}
    assert any(
        words in printed
        for words in ("not allowed", "strange hostname", "strange pathname", "no path specified")
    ), printed
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_silent_git_server_ends_at_the_time_limit(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(server.accept()[0]), daemon=True).start()
        url = f"git://127.0.0.1:{server.getsockname()[1]}/x"
        write(root, {"platform.yaml": source(url, "main")})
        started = time.monotonic()

        code, status, printed = fetch(root, "--timeout=2")

        assert (code, status) == (3, {url: "failed"})
        assert "no answer within 2 s" in printed
        assert time.monotonic() - started < 60
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/acme/p//deploy/base?ref=v1", GitBase("https://github.com/acme/p", "v1", "deploy/base", True)),
        ("https://github.com/acme/p/deploy?ref=v1", GitBase("https://github.com/acme/p", "v1", "deploy", True)),
        ("https://github.com/acme/p", GitBase("https://github.com/acme/p", "", "", False)),
        ("github.com/acme/p/deploy?version=v1", GitBase("https://github.com/acme/p", "v1", "deploy", True)),
        ("git@github.com:acme/p.git/deploy?ref=v1", GitBase("git@github.com:acme/p.git", "v1", "deploy", True)),
        ("ssh://git@github.com/acme/p", GitBase("git@github.com:acme/p", "", "", True)),
        ("ssh://git@host.test:22/acme/p//x", GitBase("ssh://git@host.test:22/acme/p", "", "x", True)),
        ("git::https://host.test/acme/p//x", GitBase("https://host.test/acme/p", "", "x", True)),
        ("bot@host.test:acme/p.git", GitBase("bot@host.test:acme/p.git", "", "", True)),
        ("https://dev.azure.com/o/p/_git/r/x?ref=m", GitBase("https://dev.azure.com/o/p/_git/r", "m", "x", True)),
        ("https://host.test/a.yaml", None),
        ("https://host.test/raw/a.yaml?ref=m", GitBase("https://host.test/raw/a.yaml", "m", "", False)),
        ("https://host.test/a/b//../../etc", None),
        ("file:///srv/repo//x", None),
        ("host.test/acme/p", None),
    ],
)  # fmt: skip
def test_remote_references_are_split_as_kustomize_splits_them(text: str, expected: GitBase | None) -> None:
    assert git_base(text) == expected


def test_a_base_behind_a_url_is_a_file_where_the_server_has_one(root: Path, charts: Server) -> None:
    charts.files["/release/install.yaml"] = MANIFEST.encode()
    text = f"{charts.url}/release/install.yaml"
    write(root, {"kustomization.yaml": f"resources:\n- '{text}'\n"})

    assert fetch(root)[:2] == (0, {text: "fetched"})

    lock = (root / LOCK).read_bytes()
    found = fetched(lock).base(text)
    assert found is not None
    assert found[1] is None
    assert found[0].read_text() == MANIFEST
    charts.files["/release/install.yaml"] = MANIFEST.replace("a}", "b}").encode()
    assert fetch(root, "--check")[:2] == (1, {text: "moved"})
    assert fetch(root)[:2] == (0, {text: "kept"})


def test_a_page_that_is_no_manifest_is_not_taken_for_one(root: Path, charts: Server) -> None:
    charts.files["/release/install.yaml"] = b"<html>please log in</html>"
    text = f"{charts.url}/release/install.yaml"
    write(root, {"kustomization.yaml": f"resources:\n- '{text}'\n"})
    code, status, _ = fetch(root)
    assert (code, status) == (3, {text: "failed"})


@pytest.mark.parametrize("nested", [False, True])
def test_applications_that_a_set_makes_of_another_repositorys_folders_are_known_once_it_was_fetched(
    root: Path, upstream: Git, nested: bool
) -> None:
    upstream.commit(
        {"teams/a/a.yaml": MANIFEST, "teams/b/b.yaml": MANIFEST, "teams/b/inner/c.yaml": MANIFEST}
    )
    generator = f"{{git: {{repoURL: '{upstream.url}', revision: main, directories: [{{path: teams/*}}]}}}}"
    if nested:
        generator = f"{{matrix: {{generators: [{generator}, {{list: {{elements: [{{x: '1'}}]}}}}]}}}}"
    application = f"source: {{repoURL: '{upstream.url}', path: '{{{{path}}}}', targetRevision: main}}"
    write(
        root,
        {
            "set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all, namespace: argocd}\n"
            f"spec:\n  generators: [{generator}]\n  template:\n    metadata: {{name: '{{{{path.basename}}}}'}}\n"
            f"    spec: {{project: default, destination: {{name: in-cluster, namespace: x}}, {application}}}\n"
        },
    )
    (entry,) = load_graph([root]).graph.unchecked
    assert (entry.subject, entry.location) == (
        ("source", upstream.url),
        Location(
            "set.yaml",
            ("spec", "generators", 0, *(["matrix", "generators", 0] if nested else []), "git", "repoURL"),
        ),
    )

    code, _, printed = fetch(root)

    assert code == 0, printed
    graph = load_graph([root]).graph
    assert [(delivery.name, len(graph.rendered[delivery.id].objects)) for delivery in graph.deliveries] == [
        ("a", 1),
        ("b", 1),
    ]
    assert graph.unchecked == ()
