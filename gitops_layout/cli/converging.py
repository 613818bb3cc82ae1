"""What init, scaffold and add share: find the repository, show the plan, carry it out."""

from __future__ import annotations

import contextlib
import gc
import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout.errors import UserError
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_layout.scaffold.plan import OnConflict, Plan
    from gitops_layout.spec import Spec

__all__ = [
    "INCOMPLETE",
    "Decided",
    "changing",
    "conflicting",
    "deciding",
    "edit_and_converge",
    "find_root",
    "part_with",
    "pruning",
    "read_parts",
    "read_spec",
    "show_and_apply",
    "trusting",
]

_DECIDE = "edit gitops.yaml or the files, or decide with --on-conflict ours|theirs|markers"


@dataclass(frozen=True, slots=True)
class Decided:
    """What the user said of conflicts: whose value wins, and whether edited files go that are generated no more."""

    on_conflict: OnConflict = "fail"
    prune: bool = False


conflicting = click.option(
    "--on-conflict",
    type=click.Choice(["fail", "markers", "ours", "theirs"]),
    default="fail",
    show_default=True,
    help="What to do where you and the templates changed the same thing.",
)
pruning = click.option(
    "--prune", is_flag=True, help="Also delete files that are no longer generated but were edited."
)


def deciding(command: Callable[..., int]) -> Callable[..., int]:
    """Give a verb that converges `--on-conflict` and `--prune`; it is handed both as `decided`."""

    @conflicting
    @pruning
    @wraps(command)
    def decided(*, on_conflict: OnConflict, prune: bool, **options: Any) -> int:
        return command(**options, decided=Decided(on_conflict, prune))

    return decided


trusting = click.option(
    "--trust-hooks",
    is_flag=True,
    help="Let the templates of apps' skeletons run their hooks, tasks and extensions, with your rights.",
)

CHANGED = 1
INCOMPLETE = 3


def find_root(start: Path | None) -> Path:
    """The folder of gitops.yaml: the one given, else the nearest at or above the working folder."""
    if start is not None:
        if not (start / "gitops.yaml").is_file():
            raise UserError(f"{start}/gitops.yaml does not exist", "create it: gitops-layout init")
        return start
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "gitops.yaml").is_file():
            return folder
    raise UserError("no gitops.yaml here or above", "create one: gitops-layout init")


@contextlib.contextmanager
def changing(root: Path, *, only_plan: bool) -> Iterator[None]:
    """The repository to oneself while a verb reads and changes it, and whole: see `scaffold.writing.changing`."""
    from gitops_layout.scaffold import writing

    gc.disable()  # a short life full of small values, as in loading
    try:
        with writing.changing(root, only_plan=only_plan, say=lambda text: click.echo(text, err=True)):
            yield
    finally:
        gc.enable()


def read_spec(root: Path) -> tuple[bytes, Spec]:
    """gitops.yaml's bytes, and what they and the files of tenants say; UserError where they cannot be read."""
    from gitops_layout.scaffold.writing import regular
    from gitops_layout.spec import load

    regular(root, "gitops.yaml")
    content = _bytes(root / "gitops.yaml")
    return content, load(content, os.path.relpath(root / "gitops.yaml"), parts=read_parts(root))


def read_parts(root: Path) -> dict[str, bytes]:
    """The files of gitops.d/, by path relative to the root; links and other files are not read."""
    from gitops_layout.scaffold.writing import regular
    from gitops_layout.spec import PARTS, is_part

    found = (path.relative_to(root).as_posix() for path in sorted((root / PARTS).glob("*")))
    return {path: _bytes(root / path) for path in found if is_part(path) and regular(root, path)}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None


def edit_and_converge(
    folder: Path | None,
    edit: Callable[[bytes, Spec], bytes],
    *,
    only_plan: bool,
    decided: Decided,
    trust_hooks: bool = False,
    form: str = "text",
    part: Callable[[Path], str | None] | None = None,
    others: Callable[[dict[str, bytes]], dict[str, bytes | None]] | None = None,
) -> int:
    """Edit gitops.yaml and converge to what it then says, in one plan; the process's exit code.

    `part` names the file of a tenant to edit instead, by the root of the repository, or None; `others` says what
    becomes of the files of tenants besides (None: deleted).
    """
    root = find_root(folder)
    with changing(root, only_plan=only_plan):
        plan, hint = _edited(root, edit, decided=decided, trust_hooks=trust_hooks, part=part, others=others)
        return show_and_apply(root, plan, only_plan=only_plan, form=form, hint=hint)


def _edited(
    root: Path,
    edit: Callable[[bytes, Spec], bytes],
    *,
    decided: Decided,
    trust_hooks: bool,
    part: Callable[[Path], str | None] | None,
    others: Callable[[dict[str, bytes]], dict[str, bytes | None]] | None,
) -> tuple[Plan, str]:
    """The plan that an edit of gitops.yaml comes to, and what to do about conflicts."""
    from gitops_layout.scaffold import converge
    from gitops_layout.spec import load

    content, before = read_spec(root)
    parts = read_parts(root)
    file = (part(root) if part is not None else None) or converge.SPEC
    edited = edit(parts.get(file, content), before)
    if file == converge.SPEC:
        content = edited
    else:
        parts[file] = edited
    changed = others(parts) if others is not None else {}
    parts = {path: text for path, text in {**parts, **changed}.items() if text is not None}
    spec = load(content, f"{converge.SPEC} (as it would be)", parts=parts)
    plan = converge.plan(
        root,
        spec,
        spec_file=edited,
        spec_name=file,
        on_conflict=decided.on_conflict,
        prune=decided.prune,
        trust_hooks=trust_hooks,
    )
    plan = converge.with_parts(root, plan, changed)
    return plan, f"edit {file} or the files, or decide with --on-conflict ours|theirs|markers"


def part_with(root: Path, app: str) -> str | None:
    """The file of a tenant that holds an app of that name; None where none does."""
    from gitops_layout.source.reader import read

    for path, content in read_parts(root).items():
        for document in read(content, path).documents:
            match document.data:
                case {"spec": {"apps": [*apps]}} if any(
                    isinstance(item, dict) and item.get("name") == app for item in apps
                ):
                    return path
    return None


def show_and_apply(
    root: Path,
    plan: Plan,
    *,
    only_plan: bool,
    exit_code: bool = False,
    form: str = "text",
    hint: str = _DECIDE,
) -> int:
    """Print the plan, carry it out unless told not to or undecided; the process's exit code."""
    from gitops_layout.output.plan import plan_json, plan_text
    from gitops_layout.scaffold import converge

    undecided = [action for action in plan.actions if action.do == "conflict"]
    write = not only_plan and not undecided
    if write:
        converge.apply(root, plan)
    show = plan_json if form == "json" else plan_text
    click.echo(show(plan, written=write), nl=False)
    if undecided:
        click.echo(
            f"incomplete: {_files(len(undecided))} in conflict, nothing written\n  help: {hint}", err=True
        )
        return INCOMPLETE
    if plan.conflicts:
        click.echo(f"incomplete: conflict markers in {_files(len(plan.conflicts))}", err=True)
        return INCOMPLETE
    if exit_code and not plan.empty:
        return CHANGED
    if plan.missing:
        click.echo("incomplete: of an app's source nothing is here yet", err=True)
        return INCOMPLETE
    return 0


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"
