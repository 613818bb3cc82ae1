"""A pipeline as a value: jobs, and what each runs in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from gitops_layout.model import Location, Related, Span
from gitops_layout.values import dataclass

__all__ = ["Action", "Job", "Ran", "Script", "place_in"]


@dataclass(frozen=True, slots=True)
class Script:
    """Shell text that stands in `file` from code point `start` on; `folder` is where it runs."""

    file: str
    text: str
    start: int
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A step that somebody else wrote: a GitHub action, an Azure task, a Jenkins step; `inputs` are texts."""

    name: str
    version: str
    place: Location
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """What runs on one machine: `steps` in order, what it calls inside the repository included."""

    file: str
    name: str
    place: Location
    steps: tuple[Script | Action, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command of a job: its words, its tool, its place, the file that it writes, and the step that led to it."""

    words: tuple[str, ...]
    tool: str
    place: Location
    writes: str = ""
    via: tuple[Related, ...] = ()

    @property
    def shown(self) -> str:
        """The command in one line, short enough for a message."""
        text = " ".join(" ".join(self.words).split())
        return text if len(text) <= 80 else f"{text[:79]}…"


def place_in(file: str, text: str, start: int, end: int) -> Location:
    """The place of a stretch of a file by code points; of several lines only the first."""
    first = text[start:end].split("\n", 1)[0].rstrip("\\ \t\r")
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Location(file, span=Span(line, column, line, column + len(first), start, start + len(first)))
