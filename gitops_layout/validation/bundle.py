"""The packed schemas that come with the tool, read a kind at a time.

`data/index.json` lists the packs: name, title, version, source, digest and licence of the input, API
groups, and the digest of the pack. A pack is lines of JSON under xz. Its first line is
`{form, versions, kinds}`, line N (from 1) is the definition `#/$defs/N`, and a line is parsed only when a kind asks
for it. Form `json` is JSON Schema, and `kinds` maps `group/version/Kind` to a definition for each of `versions`
(0: not served). Form `structural` is the schema of a CRD, and `kinds` maps to `[definition, 1 if a
create drops the status]`. `make schemas` writes them.
"""

from __future__ import annotations

import json
import lzma
from functools import lru_cache
from pathlib import Path
from typing import Any

from gitops_layout.values import dataclass

__all__ = ["DATA", "VERSIONS", "Packed", "find", "homes", "index", "kinds", "served"]

DATA = Path(__file__).parent / "data"

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""The Kubernetes versions whose own kinds are packed, oldest first."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One kind's schema with all that it refers to.

    `key` is equal for equal schemas of one kind. `definitions` maps the numbers in `#/$defs/N` to schemas.
    """

    key: tuple[str, int]
    structural: bool
    root: int
    definitions: dict[int, dict[str, Any]]
    drops_status: bool = False

    @property
    def release(self) -> str:
        """The project and version it is of, as `Argo CD v3.6.1`."""
        pack = next(pack for pack in index() if pack["name"] == self.key[0])
        return f"{pack['title']} {pack['version'].partition(' ')[0]}"


@lru_cache(maxsize=1)
def index() -> tuple[dict[str, Any], ...]:
    """What is packed, a mapping each pack, as in `data/index.json`."""
    packs: list[dict[str, Any]] = json.loads((DATA / "index.json").read_bytes())["packs"]
    return tuple(packs)


@lru_cache(maxsize=1)
def _packs_of() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pack in index():
        for group in pack["groups"]:
            found[group] = (*found.get(group, ()), pack["name"])
    return found


class _Pack:
    """An open pack: the text of its lines, parsed as they are met."""

    __slots__ = ("head", "lines", "name", "parsed")

    def __init__(self, name: str) -> None:
        text = lzma.decompress((DATA / f"{name}.xz").read_bytes()).decode()
        self.name = name
        self.lines = text.split("\n")
        self.head = json.loads(self.lines[0])
        self.parsed: dict[int, tuple[dict[str, Any], tuple[int, ...]]] = {}

    def definition(self, number: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        """A definition and the numbers that it refers to."""
        if number not in self.parsed:
            schema = json.loads(self.lines[number])
            self.parsed[number] = schema, tuple(_references(schema))
        return self.parsed[number]

    def closure(self, root: int) -> dict[int, dict[str, Any]]:
        """The definition and all that it refers to, directly or not."""
        found: dict[int, dict[str, Any]] = {}
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number not in found:
                found[number], below = self.definition(number)
                waiting += below
        return found


_open = lru_cache(maxsize=None)(_Pack)


_SAME = {
    ("external-secrets.io", "v1beta1", kind): "v1" for kind in ("ExternalSecret", "ClusterExternalSecret")
}
"""Versions that are served no longer and had the fields of a later one."""


def find(group: str, version: str, kind: str, *, kubernetes: str) -> Packed | None:
    """The packed schema of a kind as one Kubernetes version has it, None where there is none."""
    version = _SAME.get((group, version, kind), version)
    for name in _packs_of().get(group, ()):
        pack = _open(name)
        row = pack.head["kinds"].get(f"{group}/{version}/{kind}")
        if row is None:
            continue
        structural = pack.head["form"] == "structural"
        root = row[0] if structural else row[VERSIONS.index(kubernetes)]
        if root:
            return Packed((name, root), structural, root, pack.closure(root), structural and bool(row[1]))
    return None


@lru_cache(maxsize=256)
def served(group: str, version: str, kind: str) -> tuple[str, ...]:
    """The packed Kubernetes versions that have one of their own kinds, oldest first."""
    if "kubernetes" not in _packs_of().get(group, ()):
        return ()
    row = _open("kubernetes").head["kinds"].get(f"{group}/{version}/{kind}", ())
    return tuple(name for name, root in zip(VERSIONS, row, strict=False) if root)


@lru_cache(maxsize=64)
def kinds(group: str, *, kubernetes: str) -> frozenset[tuple[str, str]]:
    """The (version, kind) of Kubernetes' own group, empty for a group that is not its own."""
    if "kubernetes" not in _packs_of().get(group, ()):
        return frozenset()
    position = VERSIONS.index(kubernetes)
    rows = _open("kubernetes").head["kinds"].items()
    names = (name.split("/") for name, row in rows if row[position])
    return frozenset((version, kind) for owner, version, kind in names if owner == group)


def is_packed(group: str) -> bool:
    """Whether the kinds of a group are known."""
    return group in _packs_of()


def is_own(group_version: str) -> bool:
    """Whether a group, with or without its version, is Kubernetes' own."""
    group = group_version.rpartition("/")[0] if "/" in group_version else ""
    return "kubernetes" in _packs_of().get(group, ())


def homes(kind: str) -> list[str]:
    """The packed group/versions that have a kind of this name, the newest last."""
    names = (name for pack in index() for name in _open(pack["name"]).head["kinds"])
    return sorted(name.rpartition("/")[0].lstrip("/") for name in names if name.endswith(f"/{kind}"))


def _references(schema: Any) -> list[int]:
    """Every number in a `$ref`; a property of that name holds a schema, not a string."""
    found: list[int] = []
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            ref = node.get("$ref")
            if isinstance(ref, str):
                found.append(int(ref.rpartition("/")[2]))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found
