"""A Repo of a folder that we unpacked ourselves: nothing in it is ignored, and git has no say."""

from __future__ import annotations

import os
from pathlib import Path

from gitops_layout.repo.model import Entry, Repo

__all__ = ["from_unpacked"]


def from_unpacked(root: Path) -> Repo:
    """All files below `root`; the folder may lie inside some other work tree, which does not matter."""
    entries: dict[str, Entry] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            place = Path(folder, name)
            path = place.relative_to(root).as_posix()
            if place.is_symlink():
                entries[path] = Entry(0, os.fsdecode(os.readlink(place)))  # noqa: PTH115  the text as stored
            elif name in files:
                entries[path] = Entry(place.stat().st_size)
    return Repo(str(root), None, entries, lambda path: (root / path).read_bytes())
