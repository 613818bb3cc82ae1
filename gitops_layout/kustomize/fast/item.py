"""One object on its way through a build: its data, its marks, and what kustomize remembers of it."""

from __future__ import annotations

import re
from typing import Any

from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.marks import ABSENT, Mark, at, insert, origin, put, remove
from gitops_layout.kustomize.fast.tables import CLUSTER_SCOPED
from gitops_layout.model import Location, Path
from gitops_layout.source.typing import NotJsonError, plain, text_key

__all__ = ["NO_NAMESPACE", "Id", "Item", "check_key", "plain_text", "unique"]

NO_NAMESPACE = "_non_namespaceable_"
"""kustomize's word for the namespace of cluster-scoped objects; target selectors see it."""

Id = tuple[str, str, str, str]
"""apiVersion, kind, effective namespace, name: what kustomize tells objects apart by."""


class Item:
    """An object in the making. Writing replaces `data` and `mark`; nothing reachable from them changes.

    `previous` are the earlier (kind, effective namespace, name), `prefixes` and `suffixes` what was
    put around the name, `hashed` whether the name will get a hash, `generated` whether a generator made it, `rewritten` whether a JSON patch
    went over it (which gives every number and null its canonical form), `spelled` whether an annotation
    that was no text has become one as it was written, `folded` whether a text in it is already what kustomize makes of it in the
    end. `shared` are places that change together: kustomize
    puts one and the same node into each field that a label is new to. `large` says that there may be
    numbers of sixteen digits or more, `unusual` which integers a patch of it spells oddly. `variables` are the names of `vars` that take their value from it,
    `source` what kustomize notes about where it comes from, cut before and after the file.
    """

    __slots__ = (
        "data",
        "folded",
        "generated",
        "hashed",
        "large",
        "mark",
        "prefixes",
        "previous",
        "rewritten",
        "shared",
        "source",
        "spelled",
        "suffixes",
        "unusual",
        "variables",
    )

    def __init__(self, data: dict[str, Any], mark: Mark) -> None:
        self.data = data
        self.mark = mark
        self.previous: tuple[tuple[str, str, str], ...] = ()
        self.prefixes: tuple[str, ...] = ()
        self.suffixes: tuple[str, ...] = ()
        self.hashed = False
        self.generated = False
        self.rewritten = False
        self.spelled = False
        self.folded = False
        self.unusual: frozenset[int] = frozenset()
        self.shared: tuple[tuple[Path, ...], ...] = ()
        self.large = False
        self.variables: tuple[str, ...] = ()
        self.source: tuple[str, str, str] | None = None

    def copy(self) -> Item:
        """Another item with the same data, to be changed by itself."""
        other = Item(self.data, self.mark)
        other.previous, other.prefixes, other.suffixes = self.previous, self.prefixes, self.suffixes
        other.hashed, other.rewritten, other.spelled = self.hashed, self.rewritten, self.spelled
        other.shared, other.large, other.variables = self.shared, self.large, self.variables
        other.source, other.generated, other.folded = self.source, self.generated, self.folded
        other.unusual = self.unusual
        return other

    @property
    def api_version(self) -> str:
        """The apiVersion."""
        text: str = self.data.get("apiVersion", "")
        return text

    @property
    def kind(self) -> str:
        """The kind."""
        text: str = self.data["kind"]
        return text

    @property
    def name(self) -> str:
        """metadata.name."""
        text: str = self.data["metadata"]["name"]
        return text

    @property
    def namespace(self) -> str:
        """metadata.namespace, "" where there is none."""
        return self.data["metadata"].get("namespace") or ""

    @property
    def cluster_scoped(self) -> bool:
        """Whether kustomize is certain that this kind has no namespace."""
        return (self.api_version, self.kind) in CLUSTER_SCOPED

    @property
    def effective_namespace(self) -> str:
        """The namespace as kustomize compares it."""
        return NO_NAMESPACE if self.cluster_scoped else self.namespace or "default"

    @property
    def id(self) -> Id:
        """What no other object may be now."""
        data = self.data  # asked for so often that the properties would be half of the time
        version, kind, metadata = data.get("apiVersion", ""), data["kind"], data["metadata"]
        scoped = (version, kind) in CLUSTER_SCOPED
        space = NO_NAMESPACE if scoped else metadata.get("namespace") or "default"
        return (version, kind, space, metadata["name"])

    @property
    def ids(self) -> list[Id]:
        """What it was and is, the oldest first."""
        version = self.api_version
        return [(version, kind, namespace, name) for kind, namespace, name in self.previous] + [self.id]

    @property
    def remembers(self) -> bool:
        """Whether kustomize keeps notes about it, which it does in the object's annotations."""
        return bool(self.previous or self.prefixes or self.suffixes or self.hashed or self.generated)

    def remember(self) -> None:
        """Keep the current identity as an earlier one."""
        self.previous = (*self.previous, (self.kind, self.effective_namespace, self.name))

    def origin(self, path: Path) -> tuple[Location, tuple[Location, ...]]:
        """Who wrote the value at `path` last, and who before."""
        return origin(self.mark, path)

    def write(
        self, path: Path, value: Any, where: Location, *, quoted: bool = False, mark: Mark | None = None
    ) -> None:
        """Set the value at `path`; `where` says so, unless the value stood elsewhere and brings its `mark`. A new key is
        one that kustomize writes as it is, unless it is `quoted` where need be.
        """
        earlier: tuple[Location, ...] = ()
        if at(self.data, path) is not ABSENT:
            last, before = origin(self.mark, path)
            earlier = (last, *before)
        elif not quoted:
            check_key(path[-1], where)
        written = Mark(where, earlier) if mark is None else _moved(mark, where, earlier)
        self.data, self.mark = put(self.data, self.mark, path, value, written)

    def write_over(self, path: Path, value: Any, where: Location | None, *parts: Location) -> None:
        """Set a value that is there and has several writers: `where`, and those of its other `parts`. Without
        a last one, who wrote the value before stays its place.
        """
        last, before = origin(self.mark, path)
        mark = Mark(last, (*parts, *before)) if where is None else Mark(where, (*parts, last, *before))
        self.data, self.mark = put(self.data, self.mark, path, value, mark)

    def insert(self, path: Path, value: Any, where: Location, mark: Mark | None = None) -> None:
        """Put a value ahead of the list element at `path`; one that stood elsewhere brings its `mark`."""
        written = Mark(where) if mark is None else _moved(mark, where, ())
        self.data, self.mark = insert(self.data, self.mark, path, value, written)

    def remove(self, path: Path) -> None:
        """Take the value at `path` away."""
        self.data, self.mark = remove(self.data, self.mark, path)

    def check_folded(self, where: Location) -> None:
        """Decline what would see a folded text before kustomize changes it."""
        if self.folded:
            decline("it reads a folded text that kustomize changes later", where)

    def check_shared(self, where: Location) -> None:
        """Decline where places that kustomize would have changed together were not."""
        for paths in self.shared:
            values = [at(self.data, path) for path in paths]
            if len({repr(value) for value in values if value is not ABSENT}) > 1:
                decline("a label changes in one of the fields that kustomize ties together", where)


def _moved(mark: Mark, where: Location, earlier: tuple[Location, ...]) -> Mark:
    """The mark of a value that a step at `where` put elsewhere: who wrote it stays its writer, as in a replacement."""
    return Mark(mark.where, (where, *mark.earlier, *earlier), mark.kids)


def unique(items: list[Item]) -> None:
    """Decline where two items are the same object: kustomize refuses that."""
    ids = {item.id for item in items}
    if len(ids) == len(items):
        return
    seen: dict[Id, Item] = {}
    for item in items:
        if item.id in seen:
            first = seen[item.id].origin(())[0]
            reason = f"two objects are {item.kind} {item.name}; the first is from {first.file}"
            last, earlier = item.origin(("metadata", "name"))
            place = earlier[-1] if earlier else last  # where it stands, not what renamed it
            refuse(
                reason,
                place,
                "list it once, or give one of them another name",
                said=rf"already registered id: \S*/{re.escape(item.name)}\.|ID conflict",
            )
        seen[item.id] = item


_MAYBE_TYPED = frozenset("0123456789+-.~yYnNtTfFoO")


def check_key(key: str | int, where: Location) -> None:
    """Decline a mapping's key that kustomize would write without quotes, although it is no text then."""
    if isinstance(key, str) and not text_key(key):
        reason = f"the key {key} is no text without quotes, and kustomize writes none"
        refuse(reason, where, "choose another key", said=r"map\[interface|wrong node kind")


def plain_text(text: str) -> bool:
    """Whether a text stays a text when it is written without quotes and read by either reader.

    kustomize writes names, images and references without saying that they are texts.
    """
    if text and text[0] not in _MAYBE_TYPED:
        return text == text.strip() and text not in ("null", "Null", "NULL", "=", "<<")
    try:
        return isinstance(plain(text, "kubectl"), str) and isinstance(plain(text, "kustomize"), str)
    except NotJsonError:
        return False
