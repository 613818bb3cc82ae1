"""The baseline: what was there when somebody drew the line, known by content, never by line or wording."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from gitops_layout.errors import UserError
from gitops_layout.repo.model import is_yaml, object_ref
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitops_layout.lint.report import Finding, Report, Seen
    from gitops_layout.model import Location, Path
    from gitops_layout.repo.model import Repo

__all__ = ["FILE_NAME", "Baseline", "dump", "fingerprint", "identity", "merged", "of", "parse"]

FILE_NAME = ".gitops-layout/baseline.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """Known findings by fingerprint, and known unchecked things as (what, class, file)."""

    findings: frozenset[str] = frozenset()
    unchecked: frozenset[tuple[str, str, str]] = frozenset()


def of(report: Report) -> Baseline:
    """Everything that a report holds, as known."""
    unchecked = {(s.unchecked.what, s.unchecked.kind.value, _file(s)) for s in report.coverage.open}
    return Baseline(frozenset(f.fingerprint for f in report.findings), frozenset(unchecked))


def merged(one: Baseline | None, other: Baseline) -> Baseline:
    """What either knows."""
    if one is None:
        return other
    return Baseline(one.findings | other.findings, one.unchecked | other.unchecked)


def identity(repo: Repo, location: Location) -> str:
    """The place as content: object and JSON path, list items by their name where they have one."""
    if not is_yaml(location.file) or location.span is not None:
        return ""
    documents = repo.documents(location.file)
    if location.document >= len(documents):
        return ""
    data: Any = documents[location.document].data
    ref = ""
    if isinstance(data, dict):
        ref = str(object_ref(data, str(data.get("apiVersion", "")), str(data.get("kind", ""))))
    return f"{ref}\0{_named_path(data, location.path)}"


def _named_path(data: Any, path: Path) -> str:
    steps: list[str] = []
    for step in path:
        below: Any = None
        if isinstance(data, dict):
            below = data.get(step)  # a path may lead further than the file: to an absent field
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            below = data[step]
        steps.append(_item_name(below) if isinstance(step, int) else step)
        data = below
    return "/".join(steps)


def _item_name(item: Any) -> str:
    match item:
        case {"name": str(name)} | {"path": str(name)}:
            return f"[{name}]"
        case str():
            return f"[{item.partition('=')[0]}]"  # never the value of KEY=VALUE
        case _:
            return "[]"


def fingerprint(rule: str, file: str, place: str, subject: str, ordinal: int) -> str:
    """What a finding is called in baselines and code scanning; `ordinal` tells equal ones apart."""
    text = "\0".join((rule, file, place, subject, str(ordinal)))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


class Ordinals:
    """Numbers equal findings in the order in which they are asked for."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()

    def fingerprint(self, rule: str, file: str, place: str, subject: str) -> str:
        key = (rule, file, place, subject)
        self._seen[key] += 1
        return fingerprint(*key, self._seen[key] - 1)


def parse(content: bytes | str, file: str = FILE_NAME) -> Baseline:
    """Read a baseline. Raises UserError when it is none of ours."""
    hint = "write it anew with `gitops-layout lint --write-baseline`"
    try:
        data = json.loads(content)
        if data["version"] != VERSION:
            raise UserError(f"{file}: baseline of version {data['version']}, not {VERSION}", hint)
        return Baseline(
            frozenset(str(entry["fingerprint"]) for entry in data["findings"]),
            frozenset((str(e["what"]), str(e["class"]), str(e["file"])) for e in data["unchecked"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{file}: not a baseline: {type(error).__name__}: {error}", hint) from None


def dump(findings: Iterable[Finding], unchecked: Iterable[Seen]) -> str:
    """The baseline that holds these, sorted, so that its diff shows what was added."""
    data = {
        "version": VERSION,
        "findings": sorted(
            ({"rule": f.rule.id, "file": f.file, "fingerprint": f.fingerprint} for f in findings),
            key=lambda entry: tuple(entry.values()),
        ),
        "unchecked": sorted(
            (
                {"what": s.unchecked.what, "class": s.unchecked.kind.value, "file": _file(s)}
                for s in unchecked
            ),
            key=lambda entry: tuple(entry.values()),
        ),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _file(seen: Seen) -> str:
    return seen.unchecked.location.file if seen.unchecked.location is not None else ""
