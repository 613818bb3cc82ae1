"""`make agreement`: ask a real API server about our examples and about objects of real repositories.

Writes what it says beside the tests, and the table of agreement in docs/validation.md. Of the repositories under
GITOPS_LAYOUT_CORPUS (left out where that is not set) only names, commits and digests are kept. `python -m tools.agreement
again` asks nobody: it holds what the server said last time against what we say now.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice, repeat, zip_longest
from pathlib import Path
from typing import Any

from gitops_layout.system import write_atomic
from tests.validation.agreement.cases import (
    MODES,
    Asked,
    Case,
    digest,
    further,
    ours,
    own,
    rendered,
    sampled,
    standing,
)
from tests.validation.support import definitions
from tools.controlplane import start

_ROOT = Path(__file__).resolve().parent.parent
PAGE = _ROOT / "docs" / "validation.md"
RECORDS = _ROOT / "tests" / "validation" / "agreement"
_OBJECTS = 2100

_NOT_LOOKED_FOR = (
    "## What is not looked for",
    "",
    "- What depends on the cluster: free node ports and addresses, IP families, labels of the namespace (admin access to",
    "  devices), whether a Namespace is there already (finalizers of an applied one count only where it is made).",
    "- Whether CEL compiles: the estimated cost of a rule; mixed types in one literal list or map; fields behind an index",
    "  (`self.ports[0].port`) or a `?`; variables of loops over two variables, `sortBy` and `transformList`. What is not known",
    "  is taken for right there.",
    "- What CEL rules say of an object, where they call `find`, `findAll`, `authorizer`, `format.named`, `slice`, `sort` or other",
    "  functions that our engine lacks, or compare texts of the formats `date`, `date-time` and `duration` with times: each such",
    "  rule is listed as not checked. `isInteger()` of amounts beyond 15 digits may differ.",
    "- Policies see the defaults of workloads, containers, probes and Services, and no others.",
    "- `minReplicas: 0` of an autoscaler that scales by Object or External metrics: some clusters have it switched on.",
)
Rows = list[tuple[str, Case, str, str]]
"""Where a case is from, the case, the mode, and the server's letter."""


def main() -> int:
    """Ask, record, and write the page; exit 1 where there is no corpus to ask about."""
    corpus = os.environ.get("GITOPS_LAYOUT_CORPUS")
    if sys.argv[1:] == ["again"]:
        theirs = _corpus_again(Path(corpus)) if corpus else []
        write_atomic(PAGE, page(_again(own(), "own"), _again(further(), "further"), theirs))
        return 0 if corpus else 1
    with tempfile.TemporaryDirectory() as folder, start(Path(folder), controllers=False) as plane:
        server = Asked(plane)
        server.install(list(definitions()))
        mine = _recorded(server, own(), "own")
        more = _recorded(server, further(), "further")
        theirs = _corpus(server, Path(corpus)) if corpus else []
        server.close()
    write_atomic(PAGE, page(mine, more, theirs))
    return 0 if corpus else 1


def _recorded(server: Asked, kinds: Mapping[str, list[Case]], name: str) -> Rows:
    record: dict[str, Any] = {}
    rows: Rows = []
    for kind, cases in kinds.items():
        record[kind] = {"digest": digest([case.data for case in cases])}
        for mode in MODES:
            letters = [server.letter(case.data, mode) for case in cases]
            record[kind][mode] = "".join(letters)
            rows += [(name, case, mode, word) for case, word in zip(cases, letters, strict=True)]
    write_atomic(RECORDS / f"{name}.json", json.dumps(record, indent=1) + "\n")
    return rows


def _again(kinds: Mapping[str, list[Case]], name: str) -> Rows:
    record = json.loads((RECORDS / f"{name}.json").read_text())
    rows: Rows = []
    for kind, cases in kinds.items():
        if record[kind]["digest"] != digest([case.data for case in cases]):
            raise SystemExit(f"{kind} is not as it was: `make agreement`")
        rows += [
            (name, *row)
            for mode in MODES
            for row in zip(cases, repeat(mode), record[kind][mode], strict=False)
        ]
    return rows


def _corpus_again(folder: Path) -> Rows:
    rows: Rows = []
    for name, entry in json.loads((RECORDS / "corpus.json").read_text()).items():
        path = folder / name.replace("/", "__", 1)
        if not path.is_dir() or standing(path) != entry["commit"]:
            raise SystemExit(f"{path} does not stand at {entry['commit']}")
        for data in rendered(path):
            words = entry["objects"].get(digest(data), ())
            for case, pair in zip(sampled(data) if words else (), words, strict=True):
                rows += [(name, case, mode, word) for mode, word in zip(MODES, pair, strict=True)]
    return rows


def _corpus(server: Asked, folder: Path) -> Rows:
    record: dict[str, Any] = {}
    rows: Rows = []
    for path, data in _picked(server, folder):
        name = path.name.replace("__", "/", 1)
        entry = record.setdefault(name, {"commit": standing(path), "objects": {}})
        words = []
        for case in sampled(data):
            pair = [server.letter(case.data, mode) for mode in MODES]
            words.append("".join(pair))
            rows += [(name, case, mode, word) for mode, word in zip(MODES, pair, strict=True)]
        entry["objects"][digest(data)] = words
    write_atomic(RECORDS / "corpus.json", json.dumps(record, separators=(",", ":")) + "\n")
    return rows


def _picked(server: Asked, folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Objects of kinds that the server knows: of every repository in turn one, of its kinds in turn one."""
    known: dict[tuple[str, str], bool] = {}

    def served(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for data in sorted(rendered(path), key=digest):
            key = (data["apiVersion"], data["kind"])
            if key not in known:
                known[key] = server.serves(data)
            if known[key]:
                kinds.setdefault(key, []).append(data)
        turns = zip_longest(*(kinds[key] for key in sorted(kinds)))
        yield from ((path, data) for turn in turns for data in turn if data is not None)

    columns = [list(islice(served(path), _OBJECTS)) for path in sorted(folder.iterdir()) if path.is_dir()]
    turns = (item for row in zip_longest(*columns) for item in row if item is not None)
    yield from islice(turns, _OBJECTS)


def page(mine: Rows, more: Rows, theirs: Rows) -> str:
    """The page, with every disagreement; objects of others are named by kind and repository only."""
    reasons = json.loads((RECORDS / "explained.json").read_text())
    lines = [
        "# Agreement with the API server",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} by `make agreement` with kube-apiserver 1.36.3: each",
        "object is created and applied as a dry run with `fieldValidation=Strict`, and judged by us without the server. Mistakes",
        "are planted one at a time: another type, a field unknown, missing or null, bad names and words, numbers out of range, items",
        f"twice. {_real(theirs)}Left out is what the server says of other objects in the cluster, and what cannot be asked.",
        "",
        "| | kinds | objects | compared | agree | it refuses, we accept | it accepts, we refuse |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    wrong: list[str] = []
    for title, rows in (("our examples", mine), ("further examples", more), ("real repositories", theirs)):
        if not rows:
            continue
        lines += [_line(f"{title}, {mode}", [r for r in rows if r[2] == mode], wrong) for mode in MODES]
    lines += ["", "## Every disagreement", "", *(f"- {line}" for line in _explained(wrong, reasons)), ""]
    return "\n".join([*lines, *_NOT_LOOKED_FOR, ""])


def _real(rows: Rows) -> str:
    objects = sum(not case.word and mode == MODES[0] for _, case, mode, _ in rows)
    names = len({where for where, *_ in rows})
    return (
        f"Of {names} real repositories {objects:,} objects are compared, most with three mistakes. "
        if rows
        else ""
    )


def _line(title: str, rows: Rows, wrong: list[str]) -> str:
    counts: Counter[str] = Counter()
    for where, case, mode, word in rows:
        if word == "e":
            continue
        refused = bool(ours(case.data, mode))
        kind = "agree" if refused == (word == "r") else "cried" if refused else "missed"
        counts[kind] += 1
        if kind != "agree":
            act = "it accepts, we refuse" if refused else "it refuses, we accept"
            shown = (
                f"{mode} {case.name}" if where in ("own", "further") else f"{mode} {_kind(case)} ({where})"
            )
            wrong.append(f"{shown}\t{act}")
    total = sum(counts.values())
    kinds = len({_kind(case) for _, case, _, _ in rows})
    share = f"{100 * counts['agree'] / total:.2f} %" if total else "-"
    return f"| {title} | {kinds} | {len(rows)} | {total} | {share} | {counts['missed']} | {counts['cried']} |"


def _kind(case: Case) -> str:
    return f"{case.data['apiVersion']}/{case.data['kind']}"


def _explained(wrong: Iterable[str], reasons: dict[str, str]) -> Iterator[str]:
    for line, count in Counter(wrong).items():
        shown, act = line.split("\t")
        times = f" ({count} times)" if count > 1 else ""
        yield f"`{shown}`{times}: {act}. {reasons.get(shown, 'Not explained yet.')}"


if __name__ == "__main__":
    sys.exit(main())
