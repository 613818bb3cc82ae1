"""Which repository a path on the command line belongs to; imported by every run, so it imports little."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout.config import FILE_NAME
from gitops_layout.errors import UserError
from gitops_layout.repo.load import top_level

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SPEC_FILE", "find_root", "located"]

SPEC_FILE = "gitops.yaml"


def find_root(path: Path) -> Path:
    """The repository that holds `path`: the nearest `.gitops-layout.yaml`, `gitops.yaml` or git top level
    above it, else the path itself.
    """
    start = path.absolute()
    folder = start if start.is_dir() else start.parent
    if _is_file(folder / "HEAD") and (folder / "objects").is_dir():
        return folder  # a bare repository, such as the reconciler's mirror: nothing above it concerns us
    for up in (folder, *folder.parents):
        if _is_file(up / FILE_NAME) or _is_file(up / SPEC_FILE) or _exists(up / ".git"):
            return up
    return top_level(folder) or folder


def _is_file(path: Path) -> bool:
    """Whether it is there as a file; what lies in a folder that may not be entered is not there for us."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def located(paths: Sequence[str | Path]) -> tuple[Path, tuple[str, ...]]:
    """The repository that holds all `paths` (the current folder without any), and the paths in it.

    Raises UserError for a path that does not exist and for paths of two repositories.
    """
    given = [Path(path) for path in paths] or [Path()]
    missing = [str(path) for path in given if not _exists(path) and not path.is_symlink()]
    if missing:
        raise UserError(f"no such file or folder: {', '.join(missing)}")
    roots = {find_root(path): path for path in given}
    if len(roots) > 1:
        first, second = list(roots)[:2]
        raise UserError(f"paths of two repositories: {first} and {second}", "lint one repository at a time")
    root = next(iter(roots))
    relative = tuple(_relative(path, root) for path in given) if paths else ()
    return root, tuple(path for path in relative if path)


def _relative(path: Path, root: Path) -> str:
    absolute = path.absolute()
    for base in (root, root.resolve()):
        for candidate in (absolute, absolute.resolve()):
            if candidate.is_relative_to(base):
                found = candidate.relative_to(base).as_posix()
                return "" if found == "." else found
    return ""
