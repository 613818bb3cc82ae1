"""`.gitops-layout.yaml`: the policy of one repository, and what it says about itself.

This module stays light: pydantic is imported only when such a file exists.
"""

from __future__ import annotations

from dataclasses import field
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from gitops_layout.model import Location, Severity, Tier
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitops_layout.source.document import Document

__all__ = [
    "FILE_NAME",
    "Checkout",
    "Cluster",
    "Config",
    "Environment",
    "External",
    "Ignore",
    "Profile",
    "Tier",
    "did_you_mean",
    "find",
    "parse",
]

FILE_NAME = ".gitops-layout.yaml"

Profile = Literal["minimal", "recommended", "strict"]


@dataclass(frozen=True, slots=True)
class Ignore:
    """Rules that are silent for some files, for a reason, until a day (that day included)."""

    rules: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str
    until: date | None
    location: Location


@dataclass(frozen=True, slots=True)
class External:
    """Something outside the repository that is known not to be looked at: `kind` matching `pattern`.

    A `kind` is one without schema (`group/Kind`), or one of objects that could not be seen or followed: all of it by its
    bare name, one of them as `Kind/namespace/name`.
    """

    kind: Literal["chart", "base", "source", "kind"]
    pattern: str
    reason: str
    location: Location

    def declares(self, kind: str, name: str) -> bool:
        """Whether it speaks of the thing that is called so."""
        if kind != self.kind:
            return False
        if kind == "kind" and name.count("/") == 2 and name.partition("/")[0] == self.pattern:
            return True
        return name == self.pattern or fnmatchcase(name, self.pattern)


@dataclass(frozen=True, slots=True)
class Environment:
    """A stage: files that match `paths` belong to it, and what is delivered to clusters that match `destinations`.

    `source` is the environment that it is promoted from.
    """

    name: str
    tier: Tier
    paths: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    source: str | None = None
    location: Location = Location(FILE_NAME)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster: its environment, the files that only it reads, its API server's URL and version (`1.36`), and the labels and
    annotations by which Argo CD knows it.
    """

    name: str
    environment: str | None = None
    paths: tuple[str, ...] = ()
    server: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    kubernetes: str | None = None
    location: Location = Location(FILE_NAME)


@dataclass(frozen=True, slots=True)
class Checkout:
    """Sources whose URL matches `pattern` are the files in `folder`; a `*` there is what that of the pattern stands for."""

    pattern: str
    folder: str
    location: Location


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file; `Config()` is what holds where there is none.

    `select` None means what the profile says. `severity` maps a rule selector to a severity (None
    switches it off), one for all tiers or one per tier. `sources` are URLs and names by which this very
    repository is known, `checkouts` where others lie on this machine. `places` says where a key stands.
    """

    file: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[Ignore, ...] = ()
    exclude: tuple[str, ...] = ()
    profile: Profile = "recommended"
    severity: Mapping[str, Mapping[Tier, Severity | None]] = field(default_factory=dict)
    fail_on: Severity = Severity.ERROR
    rules: tuple[str, ...] = ()
    baseline: str | None = None
    environments: tuple[Environment, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    agent: Literal["flux", "argocd", "external"] | None = None
    sources: tuple[str, ...] = ()
    checkouts: tuple[Checkout, ...] = ()
    external: tuple[External, ...] = ()
    document: Document | None = field(default=None, repr=False, compare=False)

    def declares(self, subject: tuple[str, str] | None) -> External | None:
        """The declaration that speaks of what could not be looked at, by its `subject`; None without one."""
        return next((e for e in self.external if subject is not None and e.declares(*subject)), None)

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a key or item, for messages; the bare file name where there is none."""
        if self.document is None:
            return self.file or FILE_NAME
        span = self.document.span(path)
        return f"{self.file}:{span.line}:{span.column}"


def find(start: Path) -> Path | None:
    """The nearest `.gitops-layout.yaml` in `start` (a folder or file) or above it."""
    folder = (start if start.is_dir() else start.parent).resolve()
    return next((f for up in (folder, *folder.parents) if (f := up / FILE_NAME).is_file()), None)


def parse(content: bytes | str, file: str = FILE_NAME) -> Config:
    """Read a config. Raises UserError that names every problem with its line."""
    from gitops_layout.config.schema import config

    return config(content, file)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "…"?)` for a slip of the pen, else nothing."""
    import difflib

    close = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""
