"""A rule as a value: what one Markdown file under `rules/` says."""

from __future__ import annotations

from dataclasses import field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.config import Profile
from gitops_layout.model import ObjectRef, Path, Severity, Tier
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PRINCIPLES",
    "PROFILES",
    "REACHES",
    "Mend",
    "Producer",
    "Reach",
    "Row",
    "Rule",
    "Scope",
    "kind_matches",
]

PRINCIPLES = ("declarative", "versioned", "pulled", "reconciled")
PROFILES: tuple[Profile, ...] = ("minimal", "recommended", "strict")
Reach = Literal["line", "document", "file", "related"]
REACHES: tuple[Reach, ...] = ("line", "document", "file", "related")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule looks at.

    `kinds` are globs over `group/Kind` (`v1/Kind` for the core group) or `group/version/Kind`; empty
    means all. `each` names the list that an assertion judges one by one: a fact, or a path in the
    object. `at` is where an assertion without `each` points: a path in the object, or a field of the
    delivery.
    """

    on: Literal["source", "rendered", "delivery"] = "rendered"
    kinds: tuple[str, ...] = ()
    each: str | None = None
    at: Path = ()


@dataclass(frozen=True, slots=True)
class Producer:
    """A kind whose objects bring forth the wanted one at run time, in their own namespace.

    Its name stands at `name`, or at the first of several paths joined by `|` (`*`: any name). `chosen` is the path
    of the kind that they bring, if they choose that.
    """

    kind: str
    name: str
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An edge: objects of kind `start` name, at `path`, an object of one of the kinds `to`.

    The value at one of `paths` (`[]` steps through lists, `pod.` begins at the pod spec of whatever runs
    pods) is the name, or a mapping with `name` (`secretName`, `claimName`) and perhaps `kind`, `namespace`
    and `optional`. `kind` is meant where the mapping names none. `where` says in which namespace the target
    is: the given or the object's own one, any, or none (cluster-scoped). Names in `given` exist without a
    file. `world` is `open` where charts and operators commonly bring such objects: then a missing one is
    told only if all that goes to its namespace could be rendered, or the same delivery has a near name. With `near`
    people make them by hand as well, or the field belongs to a chart: then a near name alone tells.
    """

    start: tuple[str, ...]
    paths: tuple[str, ...]
    to: tuple[str, ...]
    where: Literal["namespace", "any", "cluster"] = "namespace"
    given: tuple[str, ...] = ()
    producers: tuple[Producer, ...] = ()
    kind: str | None = None
    world: Literal["closed", "open", "near"] = "closed"


@dataclass(frozen=True, slots=True)
class Mend:
    """How a rule's findings are mended: `unsafe` changes what is deployed.

    One change of the field that the finding is at (`remove`, `replace` or `rename`, the latter two with a text whose
    `{dotted.fields}` are filled in), or fields of the object that are `set`, for each kind others where their names are
    kinds; none where a check says it itself.
    """

    safety: Literal["safe", "unsafe"]
    do: Literal["remove", "replace", "rename", "set"] | None = None
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_kind(self) -> bool:
        """Whether the names of `fields` are kinds: they begin with a capital."""
        return any(name[:1].isupper() for name in self.fields)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule file's front matter; exactly one of `assertion`, `references` and `check` is set.

    `file` is where it was read (for messages), `text` the whole file, `builtin` whether it is ours. `public` says of
    a rule about secrets that the lines of its findings hold none and may be printed. `cause` is a text with `{fields}`:
    findings in which it is the same have one cause, a habit of the repository; empty where each has its own. `inline` is
    false for a rule that a comment beside the finding does not silence: whoever breaks it may write there as well.
    `covers` names rules that speak of the same mistake, and within which reach (`related`: the files that the finding relates
    to): their findings there are not told besides.
    """

    id: str
    name: str
    group: str
    severity: Mapping[Profile, Mapping[Tier, Severity | None]]
    message: str
    help: str
    file: str
    text: str = field(repr=False)
    builtin: bool
    scope: Scope = Scope()
    assertion: str | None = None
    references: tuple[Row, ...] = ()
    check: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    precision: Literal["very-high", "high", "medium", "low"] = "high"
    mend: Mend | None = None
    public: bool = False
    cause: str = ""
    inline: bool = True
    covers: Mapping[str, Reach] = field(default_factory=dict)

    @property
    def principle(self) -> str | None:
        """The OpenGitOps principle it traces to; None for a group of our own."""
        return self.group if self.group in PRINCIPLES else None

    @property
    def worst(self) -> Severity | None:
        """The worst severity that any profile and tier gives it."""
        words = {word for tiers in self.severity.values() for word in tiers.values() if word is not None}
        return min(words, key=lambda word: word.rank, default=None)


@lru_cache(maxsize=4096)
def _matches(patterns: tuple[str, ...], api_version: str, kind: str) -> bool:
    group = api_version.rpartition("/")[0] or "v1"
    names = (f"{group}/{kind}", f"{api_version}/{kind}")
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def kind_matches(patterns: tuple[str, ...], ref: ObjectRef) -> bool:
    """Whether an object's kind is one of `patterns` (see Scope); no patterns match everything."""
    return not patterns or _matches(patterns, ref.api_version, ref.kind)
