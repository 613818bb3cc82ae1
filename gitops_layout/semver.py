"""Versions and ranges as Helm, Flux and Argo CD resolve them, all with Masterminds/semver v3.

Facts from its constraints.go (3.4): a comma or blank joins with "and", `||` with "or"; a missing or `x`
part makes a range; `a - b` is `>=a, <=b`; pre-releases count only where the same "and" group names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import total_ordering

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Range", "Version", "is_exact", "newest", "parse_range", "parse_version"]

_PART = r"[0-9xX*]{1,18}"
_TAIL = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_VERSION = regexp(rf"v?([0-9]{{1,18}})(?:\.([0-9]{{1,18}}))?(?:\.([0-9]{{1,18}}))?{_TAIL}")
_TERM = regexp(rf"(=>|=<|>=|<=|!=|~>|=|>|<|~|\^|)\s*v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?{_TAIL}")
_GAP = regexp(r"\s*,\s*|\s+|$")
_SPAN = regexp(r"\s*(\S+)\s+-\s+(\S+)\s*")

_MAX_LENGTH = 512
"""Characters of a range; Masterminds refuses longer ones too."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; `text` is as written. Build metadata does not count."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    text: str = ""

    @property
    def _key(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple(
            (False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.pre.split(".")
        )
        return self.major, self.minor, self.patch, not self.pre, parts

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class _Term:
    """One comparison: `given` counts the parts that are numbers, the others are 0."""

    operator: str
    bound: Version
    given: int


@dataclass(frozen=True, slots=True)
class Range:
    """Alternatives of terms that must all hold."""

    groups: tuple[tuple[_Term, ...], ...]

    def holds(self, version: Version) -> bool:
        """Whether the version is in the range."""
        return any(_all_hold(group, version) for group in self.groups)


def parse_version(text: str) -> Version | None:
    """A version, missing parts 0 and a leading `v` allowed; None for anything else."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, pre, _ = found.groups()
    return Version(int(major), int(minor or 0), int(patch or 0), pre or "", text)


def is_exact(text: str) -> bool:
    """Whether it names one version and no range: all three numbers, no operator."""
    found = _VERSION.fullmatch(text)
    return found is not None and found[3] is not None


def parse_range(text: str) -> Range | None:
    """A range; empty means any release. None for what is no range."""
    if len(text) > _MAX_LENGTH:
        return None
    spelled = _SPAN.sub(r" >= \1, <= \2 ", text.strip() or "*")
    groups = [_group(group.strip()) for group in spelled.split("||")]
    return Range(tuple(group for group in groups if group)) if all(groups) else None


def _group(text: str) -> tuple[_Term, ...] | None:
    terms: list[_Term] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        gap = _GAP.match(text, found.end()) if found is not None else None
        if found is None or gap is None:
            return None
        terms.append(_term(found))
        at = gap.end()
    return tuple(terms)


def _term(found: re.Match[str]) -> _Term:
    numbers: list[int] = []
    for part in found.group(2, 3, 4):
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    given = len(numbers)
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return _Term(found[1], Version(major, minor, patch, found[5] or ""), given)


def newest(versions: Iterable[str], asked: str) -> str | None:
    """The newest of the versions that a range allows, as written; an exact match of the text comes first.

    Raises ValueError for what is no range.
    """
    known = list(versions)
    if asked in known:
        return asked
    wanted = parse_range(asked)
    if wanted is None:
        raise ValueError(f"{asked!r} is no version range")
    parsed = (version for text in known if (version := parse_version(text)) is not None)
    best = max((version for version in parsed if wanted.holds(version)), default=None)
    return best.text if best is not None else None


def _all_hold(group: tuple[_Term, ...], version: Version) -> bool:
    if version.pre and not any(term.bound.pre for term in group):
        return False
    return all(_holds(term, version) for term in group)


def _holds(term: _Term, version: Version) -> bool:
    bound, given = term.bound, term.given
    match term.operator:
        case "" | "=":
            return version == bound if given == 3 else _tilde(term, version)
        case "~" | "~>":
            return _tilde(term, version)
        case "^":
            return version >= bound and _caret(term, version)
        case "!=":
            return not _same(term, version)
        case ">":
            return version > bound and (given == 3 or not _within(term, version))
        case "<":
            return version < bound
        case ">=" | "=>":
            return version >= bound
        case _:
            return version <= bound or (given < 3 and _within(term, version))


def _tilde(term: _Term, version: Version) -> bool:
    """The last given number but one stays; nothing given, or 0.0.0, allows everything."""
    bound = term.bound
    if version < bound:
        return False
    if term.given == 0 or (term.given == 3 and (bound.major, bound.minor, bound.patch) == (0, 0, 0)):
        return True
    return version.major == bound.major and (term.given == 1 or version.minor == bound.minor)


def _caret(term: _Term, version: Version) -> bool:
    """The first number that is not 0 stays."""
    bound, given = term.bound, term.given
    if given == 0:
        return True
    if version.major != bound.major:
        return False
    if bound.major > 0 or given == 1:
        return True
    if version.minor != bound.minor:
        return False
    return bound.minor > 0 or given == 2 or version.patch == bound.patch


def _within(term: _Term, version: Version) -> bool:
    """Whether the given numbers are the version's: 1.2 holds 1.2.9."""
    bound = term.bound
    pairs = ((bound.major, version.major), (bound.minor, version.minor), (bound.patch, version.patch))
    return all(a == b for a, b in pairs[: term.given])


def _same(term: _Term, version: Version) -> bool:
    return version == term.bound if term.given == 3 else _within(term, version)
