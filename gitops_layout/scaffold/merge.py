"""Three-way merges that know YAML: maps by key, lists by identity, everything else by line.

Two edits next to each other conflict for a line merge though they concern different keys; here they
do not. Where lines merge cleanly to the same data their text is kept; only otherwise is the file
written anew from its structure. What the structure cannot carry (several documents, anchors,
comments that would be lost) is left to lines, and to people.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from gitops_layout import system
from gitops_layout.errors import UserError
from gitops_layout.scaffold.conflict import Conflict
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["Merged", "Side", "marked", "merge", "put_block"]

Side = Literal["ours", "theirs"]

_BEGIN = "# gitops-layout: begin\n"
_END = "# gitops-layout: end\n"


@dataclass(frozen=True, slots=True)
class Merged:
    """What came out; with conflicts, `content` holds git's conflict markers."""

    content: bytes
    conflicts: tuple[Conflict, ...] = ()


def merge(path: str, base: bytes | None, ours: bytes, theirs: bytes, *, prefer: Side | None = None) -> Merged:
    """Bring what changed from `base` to `theirs` (rendered) into `ours` (the file as it is).

    Without a base, what only one side has is kept and what differs conflicts. `prefer` decides
    conflicts instead of reporting them.
    """
    from gitops_layout.scaffold import structure  # and with it ruamel.yaml, which most runs do not need

    lines = _merge_lines(base or b"", ours, theirs, prefer)
    if not path.endswith((".yaml", ".yml")):
        return lines
    merged = structure.merge(base, ours, theirs, prefer=prefer)
    if merged is None:
        return lines
    if merged.conflicts:
        return Merged(lines.content, merged.conflicts)
    if not lines.conflicts and _data(lines.content) == merged.data:
        return Merged(structure.without_comments(lines.content, merged.beside))
    return Merged(merged.content)


def put_block(ours: bytes, theirs: bytes) -> bytes:
    """A text file with the tool's marked block replaced by, or headed with, the one rendered.

    The block goes first because in CODEOWNERS the last match wins: the user's lines overrule it.
    """
    text, block = ours.decode(errors="surrogateescape"), theirs.decode()
    start, end = text.find(_BEGIN), text.find(_END)
    before, after = (text[:start], text[end + len(_END) :]) if 0 <= start < end else ("", text)
    return (before + block + after).encode(errors="surrogateescape")


def _merge_lines(base: bytes, ours: bytes, theirs: bytes, prefer: Side | None) -> Merged:
    try:
        done = _merge_file(base, ours, theirs, prefer)
    except OSError as error:
        raise UserError(
            f"nothing written: merging needs room for temporary files: {error.strerror}",
            "make room, or set TMPDIR",
            exit_code=3,
        ) from None
    if done.code == 0:
        return Merged(done.stdout)
    if (
        done.code is None or done.code > 127
    ):  # git counts conflicts up to 127; above are failures: binary files
        why = Conflict("", "your bytes", "the rendered bytes")
        return Merged(ours if prefer != "theirs" else theirs, () if prefer else (why,))
    return Merged(done.stdout, marked(done.stdout))


def _merge_file(base: bytes, ours: bytes, theirs: bytes, prefer: Side | None) -> system.Completed:
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(folder, name).write_bytes(content)
            names.append(name)
        labels = ("-L", "yours", "-L", "as generated before", "-L", "generated now")
        how = ("--diff3",) if prefer is None else (f"--{prefer}",)
        return system.git(Path(folder), "merge-file", "-p", *how, *labels, *names)


def marked(content: bytes) -> tuple[Conflict, ...]:
    """What stands between git's conflict markers in a text, both sides of each; nothing where none do."""
    return tuple(_hunks(content.decode(errors="replace"))) if b"<<<<<<< " in content else ()


def _hunks(text: str) -> list[Conflict]:
    found: list[Conflict] = []
    side: list[str] | None = None
    ours: list[str] = []
    theirs: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("<<<<<<< "):
            start, ours, theirs = number, [], []
            side = ours
        elif line.startswith("||||||| "):
            side = None
        elif line == "=======" and start:
            side = theirs
        elif line.startswith(">>>>>>> ") and side is theirs:
            found.append(Conflict(f"line {start}", "\n".join(ours), "\n".join(theirs)))
            side, start = None, 0
        elif side is not None:
            side.append(line)
    return found


def _data(content: bytes) -> Any:
    from gitops_layout.scaffold.structure import UNREADABLE

    stream = read(content, "")
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        return UNREADABLE
    return stream.documents[0].data
