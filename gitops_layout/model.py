"""The values that every layer may produce: places, findings, and what could not be looked at.

All are frozen; none knows how it is printed. Field names follow the JSON contract.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from gitops_layout.passwords import cleaned, without_passwords
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PROD_NAMES",
    "Affected",
    "Change",
    "Edit",
    "Fix",
    "Hit",
    "Location",
    "ObjectRef",
    "Path",
    "Related",
    "Severity",
    "Span",
    "Tier",
    "Unchecked",
    "UncheckedClass",
    "of_object",
    "tier_by_name",
]

Path = tuple[str | int, ...]
"""A place inside a document: keys and list indices from the root, as in pydantic's `loc`."""


Tier = Literal["prod", "nonprod"]
"""How much an environment matters: rules may judge production more strictly."""

PROD_NAMES = frozenset({"prod", "production", "live", "prd"})
"""Names of environments that are production where nobody says so."""


def tier_by_name(environment: str) -> Tier:
    """The tier that an environment's bare name says."""
    return "prod" if environment.lower() in PROD_NAMES else "nonprod"


class Severity(StrEnum):
    """How bad a finding is; compare with `rank`, errors lowest so that they sort first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for errors, 1 for warnings, 2 for information."""
        return list(Severity).index(self)


class UncheckedClass(StrEnum):
    """Why something could not be looked at.

    `BROKEN` is the repository's own fault (unparsable, unrenderable, nothing there); `EXTERNAL`
    lies outside it (a remote chart or base, a foreign repository, a kind without schema).
    """

    BROKEN = "broken"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file: 1-based lines and columns, `end_column` exclusive, columns in code points.

    `start` and `end` are 0-based code point offsets into the decoded file without its BOM.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Location:
    """A place named by path; only the engine turns it into lines (`repo.span`).

    `file` is relative to the repository's root with `/`; `document` counts from 0 inside a
    multi-document file. `key` points at the key of the last path element rather than at its value.
    `span` is set only where no path exists: a syntax error, or a line of a file that is not YAML.
    """

    file: str
    path: Path = ()
    document: int = 0
    key: bool = False
    span: Span | None = None

    def at(self, *path: str | int) -> Location:
        """The value at `path` below this place; a place without paths stays itself."""
        if self.span is not None:
            return self
        return Location(self.file, (*self.path, *path), self.document)

    def key_at(self, *path: str | int) -> Location:
        """The key at `path` below this place; a place without paths stays itself."""
        if self.span is not None:
            return self
        return Location(self.file, (*self.path, *path), self.document, key=True)


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """A Kubernetes object's identity; `str()` is the id of the JSON contract."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Related:
    """The other end of a finding, with a caption that says what it is."""

    location: Location
    caption: str

    def __post_init__(self) -> None:
        cleaned(self, "caption")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace code points `start` to `end` (exclusive) of `file` by `text`."""

    file: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend a finding; `unsafe` ones may change what is deployed."""

    safety: Literal["safe", "unsafe"]
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule would have changed at a place, without knowing how it is written there.

    `remove` takes the field or item away, `replace` writes another scalar, `rename` calls its key otherwise, `set`
    gives the field a value whether it is there or not, `add` puts an item at the end of a list, which is made where
    there is none, `wrap` makes a mapping of a scalar that has it under the key `value`, `single` takes away the
    first of two keys of one name, and `nest` makes of the mapping under a key, which is called otherwise, a list of one
    item that has it below: `value` is the new name, the item's other fields, and the name that it has there.
    """

    do: Literal["remove", "replace", "rename", "set", "add", "wrap", "single", "nest"]
    at: Location
    value: object = None


@dataclass(frozen=True, slots=True)
class Affected:
    """One place where a cause shows: an object of a delivery in an environment on a cluster."""

    object: ObjectRef | None = None
    delivery: str | None = None
    environment: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule yields: where, the facts for its message, and the other ends.

    Policy (id, severity, message text, suppression, order) is the engine's. `values` fill the
    `{…}` of the rule's `message` and `help`. `changes` would mend it, all together or none. `most` is the
    severity that a milder case of the rule has at most, whatever the rule's own is.
    """

    location: Location
    values: Mapping[str, object] = field(default_factory=dict)
    related: tuple[Related, ...] = ()
    affected: Affected = Affected()
    changes: tuple[Change, ...] = ()
    most: Severity | None = None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be looked at, and why.

    `subject` is what a declaration in the config can name (`chart`, `base`, `source` or `kind`, and
    its value), None where nothing can excuse it. `delivery` is the id of the delivery that misses it.
    """

    what: str
    kind: UncheckedClass
    why: str
    location: Location | None = None
    subject: tuple[str, str] | None = None
    delivery: str | None = None

    def __post_init__(self) -> None:
        cleaned(self, "what", "why")
        if self.subject is not None and "@" in self.subject[1]:
            object.__setattr__(self, "subject", (self.subject[0], without_passwords(self.subject[1])))


def of_object(kind: str, namespace: str, name: str) -> tuple[str, str]:
    """The `subject` of one object that could not be seen or followed: what excuses it excuses no other of its kind."""
    return "kind", f"{kind}/{namespace}/{name}"
