"""What an app's source starts from: a template of one's own, out of the store of fetched things, written once.

The template is a stranger's: it is drawn in a process with limits, no variable of ours and, unless it is trusted, no
hook (`skeleton_process`). What comes of it is looked at like any other stranger's archive.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_layout import system
from gitops_layout.errors import UserError
from gitops_layout.scaffold.plan import Action, Do
from gitops_layout.scaffold.render import Ownership
from gitops_layout.scaffold.writing import regular
from gitops_layout.source.reader import read
from gitops_layout.store import lock as fetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_layout.scaffold.lock import Lock
    from gitops_layout.scaffold.plan import Plan
    from gitops_layout.spec import App, Skeleton, Spec

__all__ = ["added", "left", "reference", "written"]

_SECONDS = 60
_TRUSTED_SECONDS = 600
_MEMORY = 1 << 30
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class _Drawn:
    files: Mapping[str, tuple[bytes, bool]]
    notes: tuple[str, ...]


def reference(skeleton: Skeleton) -> fetched.Reference:
    """The name under which the fetch lock knows a template."""
    asked: fetched.Asked = "commit" if _COMMIT.fullmatch(skeleton.revision) else "tag"
    return fetched.Reference("git-source", skeleton.url, asked=asked, value=skeleton.revision)


def left(spec: Spec, lock: Lock) -> list[App]:
    """The apps whose source is still to be started."""
    return [app for app in spec.apps if app.skeleton is not None and app.name not in lock.skeletons]


def written(spec: Spec, old: Lock | None, renamed: Mapping[str, str]) -> dict[str, str]:
    """The apps of the spec whose source was started, with the template's commit; `renamed` is old name to new."""
    known = (
        {renamed.get(app, app): commit for app, commit in old.skeletons.items()} if old is not None else {}
    )
    return {app.name: known[app.name] for app in spec.apps if app.skeleton is not None and app.name in known}


def added(
    root: Path, made: Plan, spec: Spec, *, text: bytes, trusted: bool, beside: Path | None = None
) -> Plan:
    """The plan that also starts the source of each app that has a skeleton and was not started; `text` is gitops.yaml.

    In layout split the source is a repository of its own: the folder `beside`, and only where somebody names it. A
    file that is there already is left alone. Raises UserError with the place in gitops.yaml where a template cannot
    be drawn.
    """
    apart = spec.layout == "split"
    again = "gitops-layout scaffold --app ../app" if apart else "gitops-layout scaffold"
    document = read(text, "gitops.yaml").documents[0]
    places = {app.name: index for index, app in enumerate(spec.apps)}
    known = _fetched(root)
    for app in left(spec, made.lock):
        assert app.skeleton is not None
        span = document.span(("spec", "apps", places[app.name], "skeleton"), key=True)
        place = f"gitops.yaml:{span.line}:{span.column}"
        entry = known.get(reference(app.skeleton))
        folder = _folder(entry, app.skeleton, place)
        if entry is None or folder is None:
            what = (
                f"{place}: the skeleton of app {app.name} is not fetched: gitops-layout fetch, then {again}"
            )
            made = replace(made, missing=(*made.missing, what))
            continue
        if apart and beside is None:
            what = f"{place}: the source of app {app.name} starts in its own repository: {again}"
            made = replace(made, missing=(*made.missing, what))
            continue
        try:
            drawn = _draw(folder, app, version=entry.version or entry.commit, trusted=trusted)
        except _AnswerError as error:
            at = ("spec", "apps", places[app.name], "skeleton", "answers", error.name)
            span = document.span(at, key=True) if document.has(at) else span
            raise UserError(f"gitops.yaml:{span.line}:{span.column}: {error}") from None
        except UserError as error:
            raise UserError(f"{place}: {error}") from None
        warnings = (f"skeleton of {app.name}: {note}" for note in drawn.notes)
        if beside is not None and apart:
            made = replace(made, apart=tuple(_actions(beside, "", drawn)), apart_in=beside.as_posix())
        else:
            taken = {action.path for action in made.actions}
            actions = [item for item in _actions(root, f"src/{app.name}/", drawn) if item.path not in taken]
            made = replace(
                made, actions=tuple(sorted((*made.actions, *actions), key=lambda action: action.path))
            )
        made = replace(
            made,
            lock=replace(made.lock, skeletons={**made.lock.skeletons, app.name: entry.commit}),
            relock=True,
            warnings=(*made.warnings, *warnings),
        )
    return made


def _actions(root: Path, folder: str, drawn: _Drawn) -> Iterator[Action]:
    for name, (content, executable) in sorted(drawn.files.items()):
        path = f"{folder}{name}"
        if regular(root, path):
            yield Action(path, Do.KEEP, Ownership.SEED, "yours")
        else:
            yield Action(path, Do.CREATE, Ownership.SEED, "", content, executable=executable)


def _fetched(root: Path) -> Mapping[fetched.Reference, fetched.Entry]:
    if not regular(root, fetched.LOCK):
        return {}
    return fetched.read((root / fetched.LOCK).read_bytes()).by_reference


def _folder(entry: fetched.Entry | None, skeleton: Skeleton, place: str) -> Path | None:
    """Where the template lies in the store; None where it does not. Raises UserError."""
    from gitops_layout.store import archive

    try:
        top = archive.tree(entry.sha256) if entry is not None else None
    except archive.RefusedError as error:
        raise UserError(f"{place}: {skeleton.url} cannot be used: {error}") from None
    if top is None:
        return None
    folder = top / (skeleton.directory or "")
    if not folder.is_dir() or not folder.resolve().is_relative_to(top.resolve()):
        raise UserError(f"{place}: {skeleton.url} at {skeleton.revision} has no folder {skeleton.directory}")
    return folder


class _AnswerError(Exception):
    """An answer that the template does not ask for, or does not take."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def _draw(folder: Path, app: App, *, version: str, trusted: bool) -> _Drawn:
    """What the template in `folder` makes; raises UserError, and _AnswerError where an answer is at fault."""
    assert app.skeleton is not None
    asked: dict[str, Any] = {
        "folder": str(folder.resolve()),
        "answers": app.skeleton.answers,
        "trusted": trusted,
        "url": app.skeleton.url,
        "version": version,
    }
    what = f"the skeleton of app {app.name} ({app.skeleton.url} at {app.skeleton.revision})"
    with tempfile.TemporaryDirectory() as scratch:
        # Nothing of ours is a template's business: no variable that may hold a secret, no file of the user's home.
        bare = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": scratch,
            "TMPDIR": scratch,
            "LC_ALL": "C.UTF-8",
        }
        done = system.run(
            [sys.executable, "-I", "-m", "gitops_layout.scaffold.skeleton_process"],
            cwd=Path(scratch),
            env=None if trusted else bare,
            stdin=json.dumps(asked).encode(),
            timeout=_TRUSTED_SECONDS if trusted else _SECONDS,
            memory=None if trusted else _MEMORY,
        )
    if done.code is None:
        raise UserError(f"{what}: not done within {_TRUSTED_SECONDS if trusted else _SECONDS} s")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise UserError(f"{what}: {last[:300]}") from None
    if answer.get("answer"):
        raise _AnswerError(f"{what}: {answer['error']}", str(answer["answer"]))
    if "error" in answer:
        raise UserError(f"{what}: {answer['error']}")
    files = {
        path: (base64.b64decode(content), bool(executable))
        for path, (content, executable) in answer["files"].items()
    }
    return _Drawn(files, tuple(map(str, answer["notes"])))
