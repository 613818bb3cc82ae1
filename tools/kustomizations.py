"""Every kustomize root of real repositories, built here and by real kustomize: the table in docs/kustomizations.md.

`python -m tools.kustomizations [NAME …]` builds all roots of the repositories under GITOPS_LAYOUT_CORPUS whose builds
need nothing from outside; with names only those of the named ones, and writes no table. Exit 1 when an object differs
or too few roots are built here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gitops_layout.kustomize.exact import Build, build_all
from gitops_layout.kustomize.fast import Bases, Declined, build
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.load import from_work_tree
from tools.repositories import chosen, commit

__all__ = ["Compared", "compare"]

TABLE = Path(__file__).resolve().parent.parent / "docs" / "kustomizations.md"
AT_LEAST = 0.95
"""The share of the roots that kubectl builds which are to be built here."""


@dataclass(slots=True)
class Compared:
    """Roots of one repository: those that kubectl builds and we do (`taken`) or leave to it (`declined`, with
    the reasons), those that both refuse, and those that differ or that kubectl refuses alone (`wrong`).
    """

    taken: int = 0
    declined: list[str] = field(default_factory=list)
    refused: int = 0
    objects: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """The row of the table."""
        built = self.taken + len(self.declined)
        share = f"{self.taken / built:.1%}" if built else ""
        return [str(n) for n in (built, self.taken, share, self.objects, len(self.wrong), self.refused)]


def compare(path: Path) -> Compared:
    """Build every root of a checked-out repository both ways."""
    repo = from_work_tree(path)
    named = [folder for folder, names in repo.folders.items() if any(name in names for name in FILE_NAMES)]
    closures = {folder: walk(repo, folder) for folder in named}
    inner = {k.folder for closure in closures.values() for k in closure.kustomizations[1:]}
    roots = {f: c for f, c in closures.items() if not c.problems and f not in inner}
    bases, found = Bases(repo), Compared()
    theirs = build_all(repo, {folder: Build(closure) for folder, closure in roots.items()})
    for folder, closure in roots.items():
        ours, other = build(repo, closure, bases=bases), theirs[folder]
        if isinstance(ours, Declined):
            if other.problem is None:
                found.declined.append(f"{folder}: {ours.reason}")
            else:
                found.refused += 1
            continue
        different = differences(ours.objects, other.objects) if other.problem is None else [other.problem.why]
        if different:
            found.wrong[folder] = different
        found.taken += 1
        found.objects += len(ours.objects)
    return found


def differences(ours: Sequence[object], theirs: Sequence[object]) -> list[str]:
    """Which objects differ in value or type, by their place in the order."""
    if len(ours) != len(theirs):
        return [f"{len(ours)} objects instead of {len(theirs)}"]
    pairs = enumerate(zip(ours, theirs, strict=True))
    return [f"object {index} differs" for index, (one, other) in pairs if not _same(one, other)]


def _same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _page(rows: Sequence[str]) -> str:
    head = [
        "repository",
        "roots kubectl builds",
        "built here",
        "share",
        "objects",
        "differing",
        "refused by both",
    ]
    return "\n".join(
        [
            "# Kustomizations, built both ways",
            "",
            f"Made on {datetime.now(UTC):%Y-%m-%d} from commit {commit()} by `GITOPS_LAYOUT_CORPUS=FOLDER python -m tools.kustomizations`: every",
            "kustomization of these public repositories that no other includes and whose build needs no network, helm or foreign",
            "plugin, built by the fast builder and by `kubectl kustomize` (v5.8.1). What is not built here goes to kustomize,",
            "but for YAML that nests deeper than 200 levels and chains of more than 100 kustomizations: these are refused",
            "([why](decisions/0024-how-deep-a-build-may-be.md)).",
            "",
            f"| {' | '.join(head)} |",
            f"|{' --- |' * len(head)}",
            *rows,
            "",
        ]
    )


def main() -> int:
    """All repositories, or those that are named."""
    from gitops_layout.system import write_atomic

    paths, whole = chosen(
        "tools.kustomizations", "Build every kustomize root here and by real kustomize.", TABLE
    )
    total, rows = Compared(), []
    for path in paths:
        found = compare(path)
        total.taken += found.taken
        total.objects += found.objects
        total.refused += found.refused
        total.declined += found.declined
        total.wrong |= {f"{path.name}/{root}": why for root, why in found.wrong.items()}
        if found.taken or found.declined:
            rows.append(f"| {path.name.replace('__', '/')} | {' | '.join(found.cells())} |")
            print(rows[-1], *found.declined, *found.wrong.items(), sep="\n  ", flush=True)
    rows.append(f"| **all** | {' | '.join(total.cells())} |")
    print(rows[-1])
    if whole:
        write_atomic(TABLE, _page(rows))
    return 1 if total.wrong or total.taken < AT_LEAST * (total.taken + len(total.declined)) else 0


if __name__ == "__main__":
    sys.exit(main())
