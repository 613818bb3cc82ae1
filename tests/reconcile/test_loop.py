"""Watching goes on when git, a commit or another writer makes trouble."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from gitops_layout.errors import UserError
from gitops_layout.model import ObjectRef, Unchecked, UncheckedClass
from gitops_layout.reconcile.apply import Options
from gitops_layout.reconcile.desired import DesiredObject
from gitops_layout.reconcile.events import Acted, Note, Summary, text
from gitops_layout.reconcile.loop import Fights, once, watch
from gitops_layout.reconcile.plan import Action, Verb
from gitops_layout.reconcile.revision import Revision, follow_path, identity
from tests.reconcile.support import config_map, namespace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gitops_layout.reconcile.events import Event
    from tests.reconcile.support import Bench


def watched(
    at: Bench, root: Path, steps: Iterator[Revision], contents: dict[str, Callable[[], list[Any]]]
) -> str:
    """What is shown while git goes through `steps`; `contents` renders each commit."""
    shown: list[str] = []

    def render(revision: Revision) -> tuple[list[DesiredObject], list[Unchecked]]:
        objects = [namespace_of(at.namespace), *contents[str(revision.commit)]()]
        return [DesiredObject(data) for data in objects], []

    def emit(event: Event) -> None:
        shown.append(text(event, place=lambda location: (location.file, 1)) or "")

    options = Options(at.namespace, source="here", namespace=at.namespace)
    with pytest.raises(KeyboardInterrupt):
        watch(at.cluster, lambda: next(steps), render=render, options=options, emit=emit, interval=0.01)
    return "\n".join(shown)


@pytest.mark.controlplane
def test_drift_is_repaired_while_git_is_away(at: Bench, tmp_path: Path) -> None:
    first = Revision(tmp_path, "first", "main@first")

    class Away:
        def __init__(self) -> None:
            self.step = 0

        def __iter__(self) -> Away:
            return self

        def __next__(self) -> Revision:
            self.step += 1
            match self.step:
                case 1:
                    return first
                case 2:
                    at.patch(at.core("configmaps", "c"), {"data": {"a": "by hand"}}, manager="kubectl-edit")
                    raise UserError("git is away")
                case 3:
                    raise UserError("git is away")
            raise KeyboardInterrupt

    shown = watched(at, tmp_path, Away(), {"first": lambda: [config_map("c")]})

    live = at.get("v1", "ConfigMap", "c")
    assert live is not None
    assert live["data"] == {"a": "1"}
    assert "git is away; staying at main@first" in shown
    assert "data.a  by hand -> 1" in shown


@pytest.mark.controlplane
def test_a_broken_commit_changes_nothing_and_the_fix_is_applied_at_once(at: Bench, tmp_path: Path) -> None:
    def steps() -> Iterator[Revision]:
        for commit in ("good", "broken", "fixed"):
            yield Revision(tmp_path, commit, f"main@{commit}")
        raise KeyboardInterrupt

    contents = {
        "good": lambda: [config_map("c"), config_map("d")],
        "broken": lambda: [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}],
        "fixed": lambda: [config_map("c", {"a": "2"}), config_map("d")],
    }

    shown = watched(at, tmp_path, steps(), contents)

    live = at.get("v1", "ConfigMap", "c")
    assert "ConfigMap has no metadata.name" in shown
    assert "refused: nothing was written, 1 problem" in shown
    assert live is not None
    assert live["data"] == {"a": "2"}
    assert at.get("v1", "ConfigMap", "d") is not None


@pytest.mark.controlplane
def test_what_cannot_be_rendered_stops_deletion_if_foreign_and_everything_if_broken(
    at: Bench, tmp_path: Path
) -> None:
    at.run([namespace_of(at.namespace), config_map("from-a-chart")])
    objects = [DesiredObject(data) for data in (namespace_of(at.namespace), config_map("new"))]
    events: list[Event] = []
    options = Options(at.namespace, source="here", namespace=at.namespace)

    def run(kind: UncheckedClass) -> Summary:
        unchecked = [Unchecked("delivery x", kind, "chart not fetched")]
        revision = Revision(tmp_path, None)
        return once(
            at.cluster, revision, render=lambda _: (objects, unchecked), options=options, emit=events.append
        )

    broken = run(UncheckedClass.BROKEN)
    new_after_broken = at.get("v1", "ConfigMap", "new")
    external = run(UncheckedClass.EXTERNAL)

    assert (broken.exit_code, broken.verdict) == (3, "refused: nothing was written, 1 not rendered")
    assert new_after_broken is None
    assert (external.exit_code, external.verdict) == (3, "incomplete: 1 not rendered, nothing pruned")
    assert at.get("v1", "ConfigMap", "new") is not None
    assert at.get("v1", "ConfigMap", "from-a-chart") is not None


def test_an_object_that_is_changed_back_again_and_again_is_a_fight() -> None:
    fights, heard = Fights(), list[object]()
    action = Action(
        Verb.UPDATE, ObjectRef("v1", "ConfigMap", "a", "c"), reason="taken over from kubectl-edit"
    )

    def repair(*, is_new: bool = False) -> None:
        listen = fights.listening(heard.append, is_new=is_new)
        listen(Acted(action))
        listen(Summary())

    for _ in range(4):
        repair()
    fights.listening(heard.append, is_new=False)(Summary())  # one quiet run: not a fight after all
    for _ in range(4):
        repair()
    repair(is_new=True)  # a new commit is no repair
    before = [event for event in heard if isinstance(event, Note)]
    for _ in range(5):
        repair()

    notes = [event.message for event in heard if isinstance(event, Note)]
    assert before == []
    assert notes == [
        "fighting: ConfigMap/a/c was changed back 5 times in a row (taken over from kubectl-edit)"
    ]


def test_a_repository_is_known_by_its_first_commit(tmp_path: Path) -> None:
    def git(*arguments: str, cwd: Path) -> None:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *names, *arguments], cwd=cwd, check=True, capture_output=True)

    origin, clone, plain = tmp_path / "origin", tmp_path / "clone", tmp_path / "plain"
    origin.mkdir()
    plain.mkdir()
    git("init", "--quiet", cwd=origin)
    with pytest.raises(UserError, match="commit first"):
        follow_path(origin)()
    git("commit", "--quiet", "--allow-empty", "--message", "one", cwd=origin)
    git("clone", "--quiet", str(origin), str(clone), cwd=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message", "two", cwd=clone)
    inner = clone / "inner"
    inner.mkdir()

    here, there = follow_path(origin)(), follow_path(clone)()

    assert here.commit != there.commit
    assert identity(here) == identity(there)
    assert follow_path(plain)() == Revision(plain, None)
    assert identity(follow_path(plain)()) == f"file:{plain.resolve()}"
    assert "is a part of the repository" in follow_path(inner)().note
