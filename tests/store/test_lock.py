"""The fetch lock: what is written is read back, and what is wrong names its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_layout.errors import UserError
from gitops_layout.passwords import without_passwords
from gitops_layout.store.content import put
from gitops_layout.store.fetched import Fetched, fetched
from gitops_layout.store.lock import Entry, Lock, Reference, dump, read
from tests.store.test_archive import tarred

SHA = "0" * 64
CHART = Reference("helm-chart", "https://charts.example.test", "web", "version", "1.20")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_survives_the_lock(text: str) -> None:
    entry = Entry(Reference("helm-chart", "https://x.test", text, "version", text), SHA, version=text)
    assert read(dump([entry])).entries == (entry,)


def test_entries_are_sorted_so_that_equal_locks_are_equal_bytes() -> None:
    other = Entry(Reference("kustomize-base", "https://x.test/a.yaml"), SHA, path=None)
    assert dump([Entry(CHART, SHA, "1.20.3"), other]) == dump([other, Entry(CHART, SHA, "1.20.3")])
    assert read(dump([])).entries == ()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('path: ""', 'path: "../../etc"', "7:11"),
        ('path: ""', "path: /etc", "7:11"),
        (SHA, "../../secret", "8:13"),
        ("helm-chart", "helmchart", "4:11"),
        ('version: "1.20"', "version: 1.20", "5:"),
        ("version: 1\n", "version: 2\n", "2:10"),
        ("entries:", "entries: {", "4:3"),
    ],
)
def test_a_damaged_or_hostile_lock_is_refused_on_its_line(old: str, new: str, place: str) -> None:
    text = dump([Entry(CHART, SHA, version="1.20.3")]).decode()
    assert old in text
    with pytest.raises(UserError, match=f"fetch.lock.yaml:{place}"):
        read(text.replace(old, new).encode())


def test_two_entries_for_one_reference_are_refused() -> None:
    text = dump([Entry(CHART, SHA)]).decode()
    rows = text.partition("entries:\n")[2]
    with pytest.raises(UserError, match="a second entry for helm-chart web of"):
        read((text + rows).encode())


def test_passwords_in_urls_are_dropped() -> None:
    assert without_passwords("https://bot:s3cret@git.test:8443/a?x=1") == "https://git.test:8443/a?x=1"
    assert (
        "s3cret" not in dump([Entry(Reference("git-source", "https://bot:s3cret@git.test/a"), SHA)]).decode()
    )
    assert without_passwords("https://ghp_token@github.com/a/b") == "https://github.com/a/b"
    assert without_passwords("ssh://git:s3cret@host/a") == "ssh://git@host/a"
    for harmless in ("git@github.com:a/b", "ssh://git@host/a", "https://[::1", "github.com/a/b"):
        assert without_passwords(harmless) == harmless


def test_the_path_of_an_entry_cannot_leave_its_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path))
    digest = put(tarred(("web/Chart.yaml", b"name: web\n")))
    here = Fetched(Lock((Entry(CHART, digest, path="web"),)))
    archive, folder = here.chart("https://charts.example.test", "web", "1.20"), here.tree(CHART)
    assert archive is not None
    assert archive.name == digest
    assert folder is not None
    assert (folder / "Chart.yaml").read_bytes() == b"name: web\n"
    assert here.chart("https://charts.example.test", "web", "") is None
    assert Fetched(Lock((Entry(CHART, digest, path="../.."),))).tree(CHART) is None
    assert fetched(None).base("github.com/a/b") is None
