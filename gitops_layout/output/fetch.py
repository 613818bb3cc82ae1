"""What `fetch` did, as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gitops_layout import __version__
from gitops_layout.fetch.model import Outcome
from gitops_layout.repo.model import Repo
from gitops_layout.store.lock import LOCK

__all__ = ["to_json", "to_text"]

_HELP = (
    "  help: mend what the lines above name, or list it under `external:` of .gitops-layout.yaml, with a reason;"
    " --timeout gives more time"
)


def to_text(outcomes: Sequence[Outcome], repo: Repo, *, changed: bool) -> str:
    """One line a reference, what went wrong below it with its place, and a summary."""
    lines = []
    for outcome in outcomes:
        entry = outcome.entry
        resolved = f" → {entry.resolved}" if entry is not None and outcome.status != "failed" else ""
        lines.append(f"{outcome.status:8} {outcome.want.reference}{resolved}")
        if outcome.why:
            lines.append(f"         {_place(outcome, repo)}: {outcome.why}")
    counts = Counter(outcome.status for outcome in outcomes)
    total = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    noun = "reference" if len(outcomes) == 1 else "references"
    lines.append(f"{len(outcomes)} {noun}: {total}" if outcomes else "the repository names nothing outside")
    if counts["failed"]:
        lines.append(_HELP)
    if counts["moved"]:
        lines.append("  help: what moved was replaced at its source; `--update` accepts the new content")
    if changed:
        lines.append(f"wrote {LOCK}: commit it")
    return "".join(f"{_printable(line)}\n" for line in lines)


def _printable(line: str) -> str:
    """Names and servers' words may hold anything: a terminal gets no control characters."""
    return "".join(c if c.isprintable() else " " for c in line)


def _place(outcome: Outcome, repo: Repo) -> str:
    span = repo.span(outcome.want.location)
    return f"{outcome.want.location.file}:{span.line}:{span.column}"


def to_json(outcomes: Sequence[Outcome], repo: Repo, *, changed: bool) -> str:
    """One object: every reference with its status, what it resolved to, and where the repository names it."""
    data = {
        "version": 1,
        "tool": {"name": "gitops-layout", "version": __version__},
        "root": ".",
        "lock": LOCK,
        "changed": changed,
        "references": [_row(outcome, repo) for outcome in outcomes],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _row(outcome: Outcome, repo: Repo) -> dict[str, Any]:
    reference, entry = outcome.want.reference, outcome.entry
    span = repo.span(outcome.want.location)
    return {
        "kind": reference.kind,
        "url": reference.url,
        "name": reference.name or None,
        "asked": {reference.asked: reference.value} if reference.asked else None,
        "status": outcome.status,
        "why": outcome.why or None,
        "resolved": None
        if entry is None
        else {
            "version": entry.version or None,
            "commit": entry.commit or None,
            "digest": entry.digest or None,
        },
        "sha256": None if entry is None else entry.sha256,
        "file": outcome.want.location.file,
        "line": span.line,
        "column": span.column,
    }
