"""Ignores at work: which findings they silence, and what is wrong with the ignores themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.config import did_you_mean
from gitops_layout.errors import UserError
from gitops_layout.lint.ignores import by_line
from gitops_layout.lint.policy import glob_matches
from gitops_layout.model import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from gitops_layout.config import Ignore
    from gitops_layout.lint.ignores import Inline
    from gitops_layout.lint.policy import Policy
    from gitops_layout.lint.report import Finding
    from gitops_layout.rules import Catalogue

__all__ = ["Silencer"]

_MOST_SUGGESTIONS = 100  # each costs a comparison with every rule's name


class Silencer:
    """Applies ignores and remembers which of them were of use.

    An ignore without a reason, or past its day, silences nothing; nor does a comment where the rule says so.
    """

    def __init__(self, catalogue: Catalogue, policy: Policy, inline: list[Inline], today: date) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._inline = inline
        self._lines = by_line(inline)
        self._today = today
        self._used: set[int] = set()
        self._slips = 0

    def covered(self) -> frozenset[str]:
        """The ids of the rules that any ignore speaks of."""
        return frozenset().union(
            *(self._ids(ignore) for ignore in self._inline), *(ids for _, ids in self._policy.ignores)
        )

    def silences(self, finding: Finding) -> bool:
        """Whether an ignore on the finding's line or in the config holds for it."""
        beside = self._lines.get((finding.file, finding.span.line), ()) if finding.rule.inline else ()
        for ignore in beside:
            if self._holds(ignore) and finding.rule.id in self._ids(ignore):
                self._used.add(id(ignore))
                return True
        return self.silences_own(finding)

    def silences_own(self, finding: Finding) -> bool:
        """The same for findings about ignores: only the config can silence those."""
        for entry, ids in self._policy.ignores:
            if (
                not self._expired(entry)
                and finding.rule.id in ids
                and glob_matches(finding.file, entry.paths)
            ):
                self._used.add(id(entry))
                return True
        return False

    def _expired(self, ignore: Inline | Ignore) -> bool:
        return ignore.until is not None and self._today > ignore.until

    def _holds(self, ignore: Inline) -> bool:
        return bool(ignore.reason) and ignore.bad_date is None and not self._expired(ignore)

    def _ids(self, ignore: Inline) -> frozenset[str]:
        return frozenset().union(*(self._select(word) for word in ignore.words))

    def _select(self, word: str) -> frozenset[str]:
        try:
            return self._catalogue.select(word, "")
        except UserError:
            return frozenset()

    def complaints(self) -> Iterator[tuple[str, Hit]]:
        """Rule id and hit for every ignore that lacks a reason, is past its day, names no rule or silences nothing."""
        for ignore in self._inline:
            yield from self._about(ignore)
        for entry, ids in self._policy.ignores:
            values = {
                "rules": ", ".join(entry.rules),
                "until": entry.until,
                "subject": ", ".join(entry.rules),
            }
            if self._expired(entry):
                yield "C003", Hit(entry.location, values)
            elif id(entry) not in self._used and self._judged(ids):
                yield "C002", Hit(entry.location, values)

    def _about(self, ignore: Inline) -> Iterator[tuple[str, Hit]]:
        words = ", ".join(ignore.words) or "nothing"
        values = {"rules": words, "until": ignore.until, "subject": words}
        unknown = [word for word in ignore.words if not self._select(word)]
        for word in unknown:
            self._slips += 1
            known = (
                ()
                if self._slips > _MOST_SUGGESTIONS
                else (
                    name
                    for rule in self._catalogue.rules
                    for name in (rule.id.lower(), rule.name, rule.group)
                )
            )
            near = did_you_mean(word, known)
            yield "C004", Hit(ignore.location, {"word": word, "near": near, "subject": word})
        if ignore.bad_date is not None:
            yield (
                "C001",
                Hit(ignore.location, values | {"lacks": f"has no date but {ignore.bad_date!r} after until="}),
            )
        elif not ignore.reason:
            yield "C001", Hit(ignore.location, values | {"lacks": "gives no reason"})
        elif self._expired(ignore):
            yield "C003", Hit(ignore.location, values)
        elif id(ignore) not in self._used and not unknown and self._judged(self._ids(ignore)):
            yield "C002", Hit(ignore.location, values)

    def _judged(self, ids: frozenset[str]) -> bool:
        """Whether all the rules ran, so that silence proves the ignore useless."""
        return not self._policy.partial and ids <= frozenset(self._policy.rules)
