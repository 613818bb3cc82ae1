"""Fixes: what rules would have changed, as edits of text, applied together where they do not overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from gitops_layout.model import Edit, Fix
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.lint.report import Finding
    from gitops_layout.model import Change, Hit, Location
    from gitops_layout.repo.model import Repo
    from gitops_layout.rules.model import Rule

__all__ = ["Mended", "apply", "chosen", "fix_of"]

_LARGEST = 2**20
"""Larger files are left to people: every edit is tried on the whole text."""


def fix_of(rule: Rule, hits: Iterable[Hit], repo: Repo) -> Fix | None:
    """The edits that mend all hits of a finding, None where one of their changes cannot be made in the text alone."""
    if rule.mend is None:
        return None
    changes: dict[tuple[str, Location], Change] = {}
    for hit in hits:
        if not hit.changes or any(changes.get((c.do, c.at), c) != c for c in hit.changes):
            return None
        changes |= {(change.do, change.at): change for change in hit.changes if change.do != "add"}
        changes |= {
            (f"add {change.value}", change.at): change for change in hit.changes if change.do == "add"
        }
    edits = [_edit(repo, change) for change in changes.values()]
    found = [edit for edit in edits if edit is not None]
    return Fix(rule.mend.safety, tuple(found)) if len(found) == len(edits) else None


def _edit(repo: Repo, change: Change) -> Edit | None:
    from gitops_layout.source.edits import edit

    place = change.at
    documents = repo.documents(place.file) if repo.entries.get(place.file) is not None else ()
    if place.document >= len(documents) or repo.entries[place.file].size > _LARGEST or place.span is not None:
        return None
    made = edit(documents[place.document], change.do, place.path, change.value)
    return Edit(place.file, *made) if made is not None else None


def chosen(findings: Iterable[Finding], *, unsafe: bool) -> list[Finding]:
    """The findings whose fixes are to be made, worst first."""
    return [f for f in findings if f.fix is not None and (unsafe or f.fix.safety == "safe")]


@dataclass(frozen=True, slots=True)
class Mended:
    """Files as they are after the fixes, and the findings whose fixes went in; the others wait for another round."""

    files: Mapping[str, str]
    findings: tuple[Finding, ...]


def apply(findings: Sequence[Finding], text: Mapping[str, str]) -> Mended:
    """Make the fixes that do not overlap; of two that do, the first. `text` holds the files' decoded texts."""
    taken: dict[str, list[Edit]] = {}
    done = []
    for finding in findings:
        edits = finding.fix.edits if finding.fix is not None else ()
        new = [edit for edit in edits if edit not in taken.get(edit.file, ())]
        if any(_overlap(edit, other) for edit in new for other in taken.get(edit.file, ())):
            continue
        for edit in new:
            taken.setdefault(edit.file, []).append(edit)
        done.append(finding)
    files = {}
    for file, edits_of in taken.items():
        result = text[file]
        ordered = sorted(edits_of, key=lambda edit: edit.start)
        for edit in ordered[::-1]:  # of two at one place the later first, so that they end up in their order
            result = f"{result[: edit.start]}{edit.text}{result[edit.end :]}"
        files[file] = result
    return Mended(files, tuple(done))


def _overlap(one: Edit, other: Edit) -> bool:
    """Whether two edits touch; two insertions at one place do, since their order would be a guess, and so does one
    where something goes: it may belong to that.
    """
    if one.start == other.start:
        return True
    first, second = sorted((one, other), key=lambda edit: edit.start)
    return second.start < first.end or second.start == second.end == first.end
