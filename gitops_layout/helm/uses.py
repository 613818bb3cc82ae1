"""Which helpers the templates of a chart run, and which of these are merely printed.

Facts: text/template (a name is one for all files of all charts), helm (`include`; a file's name is that of its template).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitops_layout.helm.actions import actions, word
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["ALL", "EVERY", "Unit", "Uses"]

Unit = tuple[str, str]
"""What is printed as a whole: (place of the file, "") or ("", name of a helper)."""
EVERY: Unit = ("", "*")
"""All helpers."""
ALL: Unit = ("", "")
"""All helpers and files."""
_ELSEWHERE: Unit = ("?", "")
"""What stands in archives, values and other files."""

_DEFINES = regexp(r"(?:define|block)\s+\"((?:\\.|[^\"\\])*)\"")
_USES = regexp(r"(?<![\w.$])(?:include|template)\s+(?:\"((?:\\.|[^\"\\])*)\"|`([^`]*)`|(\S))")
_ASSIGNED = regexp(r"\A\$\w+\s*:?=\s*")
_ALONE = regexp(r"(?:include|template)\s")
_TEXT = regexp(r"\"((?:\\.|[^\"\\])*)\"")
_TAIL = regexp(
    r"n?indent \d+|trim|quote|squote|toString|b64enc|trunc \d+|sha1sum|sha256sum|sha512sum|md5sum|adler32sum"
)
"""What may be made of a helper's text: its lines stay where they are, or are no lines any more."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What each file and helper does: its actions, the helpers that it prints line by line or as one word, and those at whose
    text it looks.
    """

    actions: Mapping[Unit, Sequence[str]]
    prints: Mapping[Unit, frozenset[Unit]]
    looks: Mapping[Unit, frozenset[Unit]]

    @classmethod
    def of(cls, texts: Mapping[str, str], libraries: Iterable[str] = (), others: Iterable[str] = ()) -> Uses:
        """Read templates by their place in the chart, those in archives, and texts that may be run as templates: by whom,
        and to what end, is not known.
        """
        found: dict[Unit, list[str]] = {(place, ""): [] for place in texts}
        prints: dict[Unit, set[Unit]] = {}
        looks: dict[Unit, set[Unit]] = {}
        units = [((place, ""), text) for place, text in texts.items()]
        for home, text in (*units, *((_ELSEWHERE, library) for library in libraries)):
            for unit, action in _by_unit(home, text):
                found.setdefault(unit, []).append(action)
                used = _used(texts, action)
                printed = _printed(action, used)
                prints.setdefault(unit, set()).update(printed)
                looks.setdefault(unit, set()).update(used[len(printed) :])
        for action in (action for other in others for action in actions(other)):
            found.setdefault(_ELSEWHERE, []).append(action)
            looks.setdefault(_ELSEWHERE, set()).update(_used(texts, action))
        return cls(
            found, *({unit: frozenset(below) for unit, below in way.items()} for way in (prints, looks))
        )

    def run(self) -> Iterator[Unit]:
        """The files, and the helpers that they come to."""
        reached = _closure((unit for unit in self.actions if unit[0]), self.prints, self.looks)
        return iter(self.actions if reached & {EVERY, ALL} else reached)

    def looked_at(self) -> frozenset[Unit]:
        """Those whose text is not merely printed; EVERY and ALL among them."""
        return frozenset(
            _closure((unit for each in self.run() for unit in self.looks.get(each, ())), self.prints)
        )


def _by_unit(home: Unit, text: str) -> Iterator[tuple[Unit, str]]:
    """The actions of a file, each with what it stands in."""
    open_: list[Unit] = []
    for action in actions(text):
        if (defined := _DEFINES.match(action)) is not None:
            open_.append(("", defined[1]))
        elif word(action) in ("if", "with", "range"):
            open_.append(open_[-1] if open_ else home)
        yield open_[-1] if open_ else home, action
        if word(action) == "end" and open_:
            open_.pop()


def _used(texts: Mapping[str, str], action: str) -> list[Unit]:
    return [_unit(texts, action, match) for match in _USES.finditer(action)]


def _unit(texts: Mapping[str, str], action: str, match: re.Match[str]) -> Unit:
    """What an `include` names: a name that is put together may be that of any helper, or of a file."""
    name = match[1] if match[1] is not None else match[2]
    if name is not None:
        file = name.partition("/")[2]
        return (file, "") if file in texts else ("", name)
    if "BasePath" not in action:
        return EVERY
    end = next((text for text in _TEXT.findall(action, match.start()) if "." in text), "?")
    places = [place for place in texts if place.endswith(f"/{end.lstrip('/')}")]
    return (places[0], "") if len(places) == 1 else ALL


def _printed(action: str, used: list[Unit]) -> list[Unit]:
    """What an action merely prints of all that it includes: line by line, or as one word."""
    if not used:
        return []
    first, *tails = (part.strip() for part in action.split("|"))
    if word(action) == "prints" and tails and tails[-1].endswith("sum"):
        return used
    # What is read as YAML is the same with comments, and no text any more.
    read = next((number for number, tail in enumerate(tails) if tail in ("fromYaml", "fromYamlArray")), None)
    if read is not None:
        first, tails = _ASSIGNED.sub("", first), tails[:read]
    return used[:1] if _ALONE.match(first) and all(_TAIL.fullmatch(tail) for tail in tails) else []


def _closure(units: Iterable[Unit], *leads: Mapping[Unit, frozenset[Unit]]) -> set[Unit]:
    """What is reached from some units; from EVERY, whatever a helper leads to."""
    found: set[Unit] = set()
    waiting = list(units)
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        found.add(here)
        for lead in leads:
            if here in (EVERY, ALL):
                waiting += (unit for key, below in lead.items() if not key[0] for unit in below)
            else:
                waiting += lead.get(here, ())
    return found
