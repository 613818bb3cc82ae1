"""The variables of a Flux Kustomization: their values, where each is written, and how strict Flux is about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from posixpath import commonpath, dirname, join
from typing import TYPE_CHECKING, Any

from gitops_layout.fields import at
from gitops_layout.model import Location, Unchecked, UncheckedClass, of_object
from gitops_layout.patterns import regexp
from gitops_layout.render.lookup import ENCRYPTED, UNDELIVERED, Lookup, texts
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.agents.delivery import Delivery

__all__ = ["Strictness", "Variables", "variables_of"]

_NAME = regexp(r"[A-Za-z_][A-Za-z0-9_]*")
_GATE = regexp(r"\bStrictPostBuildSubstitutions=(true|false)\b")
_VERSION = regexp(r"\bv?(\d+)\.(\d+)(?:[.\-@]|$)")
_STRICT_SINCE = 9
"""The minor version of kustomize-controller 1.x, and of Flux 2.x, whose default is strict."""


@dataclass(slots=True)
class Variables:
    """Values by name and their places; `unseen` lists what else would give some, `refused` why Flux fails.

    `names` are all whose names are known; of what is unseen, `encrypted` objects have known names, and `sealed` are
    those that one of them sets last.
    """

    values: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    encrypted: int = 0
    sealed: set[str] = field(default_factory=set)
    places: dict[str, Location] = field(default_factory=dict)
    unseen: list[Unchecked] = field(default_factory=list)
    optional: list[tuple[str, str, Location]] = field(default_factory=list)
    refused: tuple[str, Location] | None = None
    always: bool = False

    @property
    def named(self) -> bool:
        """Whether the names of all that may be set are known."""
        return len(self.unseen) == self.encrypted and not self.optional

    def may_be_set(self, name: str) -> bool:
        """Whether something unseen may set a variable that nothing seen sets: a default is no fact then."""
        return name in self.sealed if self.named else True


def variables_of(delivery: Delivery, post_build: Mapping[str, Any], lookup: Lookup) -> Variables:
    """Flux's order: each `substituteFrom` over the ones before it, `substitute` over all; lines are joined."""
    found = Variables(always=post_build.get("substituteStrategy") == "Always")
    here = delivery.root.at("spec", "postBuild")
    listed = post_build.get("substituteFrom")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        kind, name = at(item, "kind"), at(item, "name")
        if isinstance(kind, str) and isinstance(name, str):
            optional = at(item, "optional") is True
            _take(found, delivery, (kind, name), here.at("substituteFrom", index), optional, lookup)
    given = post_build.get("substitute")
    for key, value in given.items() if isinstance(given, dict) else ():
        _set(found, str(key), _plain(value), delivery.standing("spec", "postBuild", "substitute", key))
    return found


def _take(
    found: Variables,
    delivery: Delivery,
    named: tuple[str, str],
    where: Location,
    optional: bool,
    lookup: Lookup,
) -> None:
    kind, name = named
    item = lookup(delivery.home, kind, delivery.namespace, name)
    misshapen = _misshapen(item.data) if item is not None else None
    if item is not None and misshapen is None:
        for key, value in texts(kind, item.data):
            field_name = "stringData" if key in (at(item.data, "stringData") or ()) else "data"
            _set(found, key, value, item.origin((field_name, key)))
    elif optional:
        found.optional.append((kind, name, where))
    else:
        why = f"no delivery brings it to {delivery.home or 'the cluster'}"
        hidden = lookup(delivery.home, kind + ENCRYPTED, delivery.namespace, name)
        lying = lookup(delivery.home, kind + UNDELIVERED, delivery.namespace, name)
        if misshapen is not None:
            why = f"its {misshapen} is no mapping, so the cluster does not take it"
        elif hidden is not None:
            found.encrypted += 1
            why = "it is encrypted: its names are known, its values are not"
            for section in ("data", "stringData"):
                values = at(hidden.data, section)
                _seal(found, map(str, values if isinstance(values, dict) else ()))
        elif lying is not None:
            # Whoever applies that file may change it first, or apply another: its values are no fact of the cluster.
            why += f": {lying.origin(()).file} defines it, and no agent delivers that there"
        what = f"variables of {kind} {delivery.namespace}/{name}"
        subject = of_object(kind, delivery.namespace, name)
        found.unseen.append(Unchecked(what, UncheckedClass.EXTERNAL, why, where, subject, delivery.id))


def _misshapen(data: Mapping[str, Any]) -> str | None:
    """The field of a ConfigMap or Secret that holds no mapping where only one can stand."""
    fields = ("data", "stringData")
    return next((name for name in fields if not isinstance(data.get(name), dict | None)), None)


def _seal(found: Variables, names: Iterable[str]) -> None:
    """An encrypted object sets these, over what came before it: to what, is not known."""
    for name in names:
        found.names.add(name)
        found.sealed.add(name)
        found.values.pop(name, None)
        found.places.pop(name, None)


def _set(found: Variables, name: str, value: str, place: Location) -> None:
    found.values[name] = value.replace("\n", "")
    found.names.add(name)
    found.sealed.discard(name)
    found.places[name] = place
    if not _NAME.fullmatch(name) and found.refused is None:
        why = f"{name} cannot be a variable: its name has more than letters, digits and underscores"
        found.refused = (why, place)


def _plain(value: Any) -> str:
    """A value that is no string, as a person means it; the API server refuses it."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return str(value)


@dataclass(frozen=True)
class Strictness:
    """Whether variables that are not set fail a delivery: since Flux 2.9, unless its feature gate says otherwise.

    What a repository says about its own Flux counts: the controller's Deployment and what lies beside it
    (patches of its flags), or a FluxInstance. Of several the nearest to the Kustomization; without any it
    is strict.
    """

    repo: Repo

    def __call__(self, delivery: Delivery) -> bool:
        """Whether Flux is strict in this delivery's cluster."""
        file = delivery.root.file
        nearest = max(self._known, key=lambda known: len(commonpath([known[0], file])), default=None)
        return nearest is None or nearest[1]

    @cached_property
    def _known(self) -> list[tuple[str, bool]]:
        return sorted(self._said())

    def _said(self) -> Iterator[tuple[str, bool]]:
        for resource in self.repo.resources:
            if resource.ref.kind == "Deployment" and resource.ref.name == "kustomize-controller":
                version = self._image(resource.data)
            elif resource.ref.kind == "FluxInstance" and resource.ref.group == "fluxcd.controlplane.io":
                version = str(at(resource.data, "spec", "distribution", "version") or "")
            else:
                continue
            gate = self._gate(resource.file)
            number = _VERSION.search(version)
            if gate is not None:
                yield resource.file, gate
            elif number is not None:
                yield resource.file, int(number[2]) >= _STRICT_SINCE

    def _image(self, data: Mapping[str, Any]) -> str:
        containers = at(data, "spec", "template", "spec", "containers")
        listed = containers if isinstance(containers, list) else ()  # it may be a patch
        images = [at(container, "image") for container in listed if at(container, "name") == "manager"]
        return str(images[0]).rpartition(":")[2] if images else ""

    def _gate(self, file: str) -> bool | None:
        """What the file itself, or else one beside it, sets the feature gate to."""
        folder = dirname(file)
        beside = (join(folder, name) for name in self.repo.folders.get(folder, ()))
        for path in (file, *beside):
            if is_yaml(path) and path in self.repo.entries:
                gates = _GATE.findall(self.repo.stream(path).text)
                if gates:
                    return bool(gates[-1] == "true")
        return None
