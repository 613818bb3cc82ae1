"""`.gitops-layout/lock.yaml`: what was generated, from what, and by whose templates.

One line a file, so that two branches that add an app each merge as well as any text can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from gitops_layout import __version__
from gitops_layout.errors import UserError
from gitops_layout.scaffold.render import File, Ownership
from gitops_layout.source import reader
from gitops_layout.source.typing import plain

__all__ = ["LOCK", "Entry", "Lock", "blob_id", "dump", "make", "read"]

LOCK = ".gitops-layout/lock.yaml"

_HEADER = "# Written by gitops-layout: commit it, edit gitops.yaml instead.\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A generated file: who owns it, and the git blob id of its bytes as rendered."""

    owner: Ownership
    blob: str


@dataclass(frozen=True, slots=True)
class Lock:
    """What the last run generated: `answers` is the spec with every default filled in."""

    layout: str
    digest: str
    tool: str
    answers: Mapping[str, Any] = field(hash=False)
    files: Mapping[str, Entry] = field(hash=False)


def make(answers: Mapping[str, Any], files: Mapping[str, File], *, digest: str) -> Lock:
    """The lock of a tree that holds `files` as rendered."""
    entries = {path: Entry(file.owner, blob_id(file.content)) for path, file in files.items()}
    return Lock(str(answers["layout"]), digest, __version__, answers, entries)


def blob_id(content: bytes) -> str:
    """The id git gives these bytes, in repositories of its default (SHA-1) object format."""
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def dump(lock: Lock) -> bytes:
    """The lock file's bytes."""
    data = {
        "version": 1,
        "tool": lock.tool,
        "template": {"layout": lock.layout, "digest": lock.digest},
        "answers": dict(lock.answers),
        "files": {
            path: {"owner": str(entry.owner), "blob": entry.blob}
            for path, entry in sorted(lock.files.items())
        },
    }
    text = yaml.dump(data, Dumper=_Dumper, default_flow_style=None, sort_keys=False, width=10_000)
    return (_HEADER + text).encode()


def read(content: bytes) -> Lock:
    """The lock in these bytes; UserError when they are not a lock of a version we know."""
    stream = reader.read(content, LOCK)
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
            files={
                str(path): Entry(Ownership(row["owner"]), str(row["blob"]))
                for path, row in data["files"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{LOCK} is not a lock that gitops-layout wrote ({error})",
            f"restore it from git (git checkout -- {LOCK}), after a merge conflict from either side",
        ) from None


class _Dumper(yaml.CSafeDumper):
    # Equal values would become anchors and aliases, which nobody wants to review.
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _quoted(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes some strings plain that kubectl's typing, which we read with, takes for numbers: 1e3.
    style = None if isinstance(plain(text, "kubectl"), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)
