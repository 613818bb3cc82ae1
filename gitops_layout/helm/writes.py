"""Which of the release's values its templates write over.

Facts: Sprig, where `set` writes into the mapping that it is given, and `mergeOverwrite` into the first and all that this
holds. (`merge` writes only what is empty, and an empty value makes no other one.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gitops_layout.helm.actions import word
from gitops_layout.patterns import regexp

__all__ = ["written_keys"]

_TEXT = regexp(r"\"(?:\\.|[^\"\\])*\"")
_COPY = r"\((?:dict|(?:deepCopy|mustDeepCopy)\s[^()]*)\)"
_ARGUMENT = r"(?:\([^()]*\)|[^\s()|]+)"
_SETS = regexp(
    rf"(?<![\w.$-])(?:set|unset)\s+(?!\((?:dict|deepCopy|mustDeepCopy)\b|dict\b)(?:(?P<of>{_ARGUMENT})(?:\s+\"(?P<key>_+)\")?|\()"
)
"""One key of a mapping that may be the values', whichever it is. Texts are blank."""
_MERGES = regexp(
    rf"(?<![\w.$-])(?:mustM|m)ergeOverwrite(?P<ends>(?:\s+(?P<of>{_ARGUMENT}))?(?P<second>\s+{_ARGUMENT})?(?=\s*(?:$|\||\))))?"
)
"""Anything in what its first argument holds; `ends` if there are two of them at most."""
_IS_COPY = regexp(_COPY)
_ROOT = regexp(r"\$\s*=")
_ASSIGNS = regexp(r"(\$\w+)\s*:?=\s*(.*)", re.DOTALL)
_NAMES = regexp(r"(?:if|with|range|else if|else with)\s+(?:\$\w+\s*,\s*)?(\$\w+)\s*:=")
_MADE = regexp(r"dict|(?:mustD|d)eepCopy\b.*|.*\|\s*from(?:Yaml|Json)(?:\s*\|\s*default\s+dict)?", re.DOTALL)
_MADE_FLAT = regexp(r"dict\s.*", re.DOTALL)
_READ = regexp(r".*\bfrom(?:Yaml|Json)\s*\|\s*", re.DOTALL)
_PIPED = regexp(r".*\|\s*", re.DOTALL)


def written_keys(units: Iterable[Sequence[str]]) -> frozenset[str] | None:
    """The keys that actions write into some mapping, those of one file or helper after the other; None if that may be any."""
    keys: set[str] = set()
    for actions in units:
        if any("set" in action or "ergeOverwrite" in action or action.startswith("$") for action in actions):
            found = _keys(actions)
            if found is None:
                return None
            keys |= found
    return frozenset(keys)


def _keys(actions: Sequence[str]) -> set[str] | None:
    masked = [_TEXT.sub(lambda text: f'"{"_" * (len(text[0]) - 2)}"', action) for action in actions]
    own = _own(masked)
    keys: set[str] = set()
    merged: set[str] = set()
    open_: list[str] = []
    for action, bare in zip(actions, masked, strict=True):
        if _ROOT.match(bare):
            return None
        for sets in _SETS.finditer(bare):
            if sets["of"] in own:
                continue
            if sets["key"] is None:
                return None
            keys.add(action[slice(*sets.span("key"))])
        for merges in _MERGES.finditer(bare):
            of, read = merges["of"] or "", _READ.fullmatch(bare, 0, merges.start()) is not None
            three = merges["second"] is not None and _PIPED.fullmatch(bare, 0, merges.start()) is not None
            if three or not merges["ends"] or not (_IS_COPY.fullmatch(of) or own.get(of)):
                return None
            # What is merged second is shared with the first, and written into by a third.
            if own.get(of) and not read and (of in merged or "range" in open_):
                return None
            merged.add(of)
        if (opens := word(action)) in ("if", "with", "range", "define", "block"):
            open_.append(opens)
        elif opens == "end" and open_:
            open_.pop()
    return keys


def _own(actions: Sequence[str]) -> dict[str, bool]:
    """The variables that hold mappings of the template's own making, and whether all that is in them is so too."""
    found: dict[str, bool] = {}
    others: set[str] = set()
    set_in = {sets["of"] for action in actions for sets in _SETS.finditer(action)}
    for action in actions:
        if (names := _NAMES.match(action)) is not None:
            others.add(names[1])
        elif (assigns := _ASSIGNS.fullmatch(action)) is not None:
            name, value = assigns[1], assigns[2].strip()
            if _MERGES.search(value) is not None and name in value:
                continue
            if _MADE.fullmatch(value) is None and _MADE_FLAT.fullmatch(value) is None:
                others.add(name)
            found[name] = found.get(name, True) and _MADE.fullmatch(value) is not None and name not in set_in
    return {name: deep for name, deep in found.items() if name not in others}
