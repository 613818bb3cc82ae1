"""`.gitops-layout/lock.yaml`: what was generated, from what, and by whose templates.

One line a file, so that two branches that add an app each merge as well as any text can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import yaml

from gitops_layout import __version__
from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.scaffold.render import File, Ownership, blob_id
from gitops_layout.source import reader
from gitops_layout.source.typing import plain
from gitops_layout.values import dataclass

__all__ = ["LOCK", "Entry", "Lock", "blob_id", "dump", "make", "read"]

LOCK = ".gitops-layout/lock.yaml"

_PLAIN = regexp(r"[A-Za-z0-9._][\w./+-]*", re.ASCII)
_ROW = regexp(
    rb"^  ([A-Za-z._][\w./+-]*): \{owner: (managed|seed|fragment|robot), blob: '?([0-9a-f]+)'?"
    rb"(?:, inputs: '?([0-9a-f]+)'?)?\}$",
    re.MULTILINE,
)
_LETTER = regexp(r"[acdf]")
_HEADER = "# Written by gitops-layout: commit it, edit gitops.yaml instead.\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A generated file: who owns it, the git blob id of its bytes as rendered, and the digest of what they were
    made of (empty in locks of the first release).
    """

    owner: Ownership
    blob: str
    inputs: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """What the last run generated: `answers` is the spec with every default filled in.

    `skeletons` are the apps whose source was started from a template, with the commit of that: it is written once.
    """

    layout: str
    digest: str
    tool: str
    answers: Mapping[str, Any] = field(hash=False)
    files: Mapping[str, Entry] = field(hash=False)
    skeletons: Mapping[str, str] = field(hash=False, default_factory=dict)


def make(answers: Mapping[str, Any], files: Mapping[str, File], *, digest: str) -> Lock:
    """The lock of a tree that holds `files` as rendered."""
    entries = {path: Entry(file.owner, file.blob, file.inputs) for path, file in files.items()}
    return Lock(str(answers["layout"]), digest, __version__, answers, entries)


def dump(lock: Lock) -> bytes:
    """The lock file's bytes."""
    data = {
        "version": 1,
        "tool": lock.tool,
        "template": {"layout": lock.layout, "digest": lock.digest},
        "answers": dict(lock.answers),
        **({"skeletons": dict(lock.skeletons)} if lock.skeletons else {}),
    }
    head = yaml.dump(data, Dumper=_Dumper, default_flow_style=None, sort_keys=False, width=10_000)
    lines = (
        f"  {_scalar(path)}: {{owner: {entry.owner}, blob: {_digits(entry.blob)}"
        f"{f', inputs: {_digits(entry.inputs)}' if entry.inputs else ''}}}\n"
        for path, entry in sorted(lock.files.items())
    )
    return (
        f"{_HEADER}{head}files:\n{''.join(lines)}".encode()
        if lock.files
        else f"{_HEADER}{head}files: {{}}\n".encode()
    )


def _scalar(text: str) -> str:
    """The text as it stands plain where YAML reads it back so, else in quotes."""
    if _PLAIN.fullmatch(text) and isinstance(plain(text, "kubectl"), str):
        return text
    return "'" + text.replace("'", "''") + "'"


def _digits(text: str) -> str:
    """Hexadecimal digits; those with one of these letters are no number to anybody, and most have one."""
    return text if _LETTER.search(text) else _scalar(text)


def read(content: bytes) -> Lock:
    """The lock in these bytes; UserError when they are not a lock of a version we know."""
    head, files = _fast(content)
    stream = reader.read(head, LOCK)
    try:
        if stream.problems:
            raise ValueError(f"line {stream.problems[0].line}: {stream.problems[0].message}")
        (document,) = stream.documents
        data = document.data
        if data["version"] != 1:
            raise UserError(
                f"{LOCK} has version {data['version']}, this gitops-layout knows 1", "install a newer one"
            )
        return Lock(
            layout=str(data["template"]["layout"]),
            digest=str(data["template"]["digest"]),
            tool=str(data["tool"]),
            answers=dict(data["answers"]),
            files=files
            if files is not None
            else {
                str(path): Entry(Ownership(row["owner"]), str(row["blob"]), str(row.get("inputs", "")))
                for path, row in data["files"].items()
            },
            skeletons={str(app): str(commit) for app, commit in (data.get("skeletons") or {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{LOCK} is not a lock that gitops-layout wrote ({error})",
            f"restore it from git (git checkout -- {LOCK}), after a merge conflict from either side",
        ) from None


def _fast(content: bytes) -> tuple[bytes, dict[str, Entry] | None]:
    """The files as `dump` writes them, a line each, and the rest; no files and all of it where a line is otherwise."""
    head, mark, tail = content.partition(b"\nfiles:\n")
    if not mark:
        return content, None
    rows = _ROW.findall(tail)
    if len(rows) != tail.count(b"\n") or not tail.endswith(b"\n"):
        return content, None
    files = {
        path.decode(): Entry(Ownership(owner.decode()), blob.decode(), inputs.decode())
        for path, owner, blob, inputs in rows
    }
    return (head + b"\n", files) if len(files) == len(rows) else (content, None)


class _Dumper(yaml.CSafeDumper):
    # Equal values would become anchors and aliases, which nobody wants to review.
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _quoted(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes some strings plain that kubectl's typing, which we read with, takes for numbers: 1e3.
    style = None if isinstance(plain(text, "kubectl"), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)
