"""ResourceSets of the Flux operator expanded offline: inputs times templates (facts: flux-operator v0.59).

Pure: everything comes from the object and its input providers. A provider that asks the network has no inputs
here; the others' are expanded nevertheless, and the result says what is missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import product
from math import prod
from typing import Any

from gitops_layout.agents.applicationset.model import StopError as SelectorError
from gitops_layout.agents.applicationset.selector import selects
from gitops_layout.agents.fluxoperator import GROUP, RECONCILE
from gitops_layout.agents.gotemplate import TemplateError, UnsupportedError, render_inputs
from gitops_layout.agents.gotemplate.encoding import yaml_text
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.values import from_api
from gitops_layout.kustomize.model import GROUP as KUSTOMIZE
from gitops_layout.model import Path, UncheckedClass
from gitops_layout.repo.model import Resource
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["MAX_OBJECTS", "Expansion", "Made", "Problem", "expand", "normal_key", "taken"]

MAX_OBJECTS = 10_000
"""The operator itself stops at as many permutations of inputs."""
_MAX_STEPS = 2_000_000
_MAX_TEXT = 16 * 2**20

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a ResourceSet from being seen whole: its class, the fact, and the field as a path."""

    kind: UncheckedClass
    why: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Made:
    """An object that a template made, and the template's place; `whole` says that it has the template's shape."""

    data: dict[str, Any]
    template: Path
    whole: bool


@dataclass(frozen=True, slots=True)
class Expansion:
    """The objects in the order of steps, templates and inputs. With a `failure` the operator makes none of them.

    `unseen` is what the objects were made without.
    """

    objects: tuple[Made, ...] = ()
    failure: Problem | None = None
    unseen: tuple[Problem, ...] = ()


class _StopError(Exception):
    def __init__(self, why: str, path: Path, kind: UncheckedClass = UncheckedClass.BROKEN) -> None:
        super().__init__(why)
        self.problem = Problem(kind, why, path)


def expand(data: Mapping[str, Any], providers: Sequence[Resource]) -> Expansion:
    """What a ResourceSet makes; raises nothing. `providers` are the input providers of its namespace."""
    spec = data.get("spec")
    if not isinstance(spec, dict):
        return Expansion(failure=Problem(UncheckedClass.BROKEN, "spec is no mapping", ("spec",)))
    unseen: list[Problem] = []
    try:
        sets = _input_sets(data, spec, providers, unseen)
        if sets == [] and spec.get("inputsFrom"):
            if not unseen:
                why = (
                    "no ResourceSetInputProvider that was seen gives it inputs, and it makes nothing without"
                )
                unseen.append(Problem(UncheckedClass.EXTERNAL, why, ("spec", "inputsFrom")))
            return Expansion(unseen=tuple(unseen))
        made = _Maker(sets).steps(spec)
        static = [(p, path) for p, path in _chosen(spec, providers) if _exported(p, "") is not None]
        if static and not _same_with_other_ids(data, spec, providers, made):
            for provider, path in static:
                why = f"the id of {provider.ref.name} comes from its UID, which only the cluster knows"
                unseen.append(Problem(UncheckedClass.EXTERNAL, why, path))
    except _StopError as error:
        return Expansion(failure=error.problem, unseen=tuple(unseen))
    except RecursionError:
        problem = Problem(UncheckedClass.BROKEN, "its values nest too deep", ("spec",))
        return Expansion(failure=problem)
    return Expansion(tuple(made), None, tuple(unseen))


def _list(spec: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    value = spec.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _StopError(f"{name} is no list", (*path, name))
    return value


# Inputs


def _input_sets(
    data: Mapping[str, Any],
    spec: Mapping[str, Any],
    providers: Sequence[Resource],
    unseen: list[Problem],
    salt: str = "",
) -> list[Inputs]:
    """All sets of inputs, combined as the strategy says; empty where there are none. Another `salt`, other ids."""
    metadata = data.get("metadata")
    own = metadata if isinstance(metadata, dict) else {}
    name, namespace = str(own.get("name") or ""), str(own.get("namespace") or "flux-system")
    inline: list[Inputs] = []
    for index, item in enumerate(_list(spec, "inputs", ("spec",))):
        if not isinstance(item, dict):
            raise _StopError("a set of inputs is no mapping", ("spec", "inputs", index))
        inline.append(_marked(item, "ResourceSet", namespace, name))
    groups: list[tuple[str, list[Inputs]]] = [(name, inline)]
    unknown = False
    for provider, path in _chosen(spec, providers):
        found = _exported(provider, namespace, salt)
        if found is None:
            unknown = True
            unseen.append(Problem(UncheckedClass.EXTERNAL, _why_external(provider), path))
        else:
            groups.append((provider.ref.name, [found]))
    return _combined(spec, groups, unknown=unknown)


def _marked(values: Mapping[str, Any], kind: str, namespace: str, name: str) -> Inputs:
    provider = {"apiVersion": f"{GROUP}/v1", "kind": kind, "name": name, "namespace": namespace}
    return {**from_api(values), "provider": provider}


def _same_with_other_ids(
    data: Mapping[str, Any], spec: Mapping[str, Any], providers: Sequence[Resource], made: list[Made]
) -> bool:
    """Whether the objects are the same whatever the providers' ids are: a template may read one in many ways."""
    try:
        return _Maker(_input_sets(data, spec, providers, [], "other")).steps(spec) == made
    except _StopError:
        return False


def _exported(provider: Resource, namespace: str, salt: str = "") -> Inputs | None:
    """The one set of a Static provider; None where the network has to be asked."""
    spec = provider.data.get("spec")
    if not isinstance(spec, dict) or spec.get("type") != "Static":
        return None
    given = spec.get("defaultValues")
    # The operator takes the UID's checksum; its own offline build takes the name's, and so do we.
    values = {**(given if isinstance(given, dict) else {}), "id": _checksum(salt + provider.ref.name)}
    return _marked(values, "ResourceSetInputProvider", namespace, provider.ref.name)


def _checksum(text: str) -> str:
    return str(zlib.adler32(text.encode()))


def _why_external(provider: Resource) -> str:
    spec = provider.data.get("spec")
    kind = spec.get("type") if isinstance(spec, dict) else None
    return (
        f"the inputs of provider {provider.ref.name} ({kind or 'no type'}) come from outside the repository"
    )


def _chosen(spec: Mapping[str, Any], providers: Sequence[Resource]) -> list[tuple[Resource, Path]]:
    """The providers that `inputsFrom` names or selects, once each, by name as the operator sorts them."""
    named = {provider.ref.name: provider for provider in providers}
    found: dict[str, tuple[Resource, Path]] = {}
    for index, item in enumerate(_list(spec, "inputsFrom", ("spec",))):
        path: Path = ("spec", "inputsFrom", index)
        reference = item if isinstance(item, dict) else {}
        name = reference.get("name")
        if isinstance(name, str) and name:
            if name not in named:
                raise _StopError(
                    f"no delivery brings ResourceSetInputProvider {name}", path, UncheckedClass.EXTERNAL
                )
            found.setdefault(name, (named[name], path))
        elif reference.get("selector") is not None:
            try:
                test = selects(reference["selector"], (*path, "selector"))
            except SelectorError as error:
                raise _StopError(error.problem.why, error.problem.path) from None
            for key, provider in named.items():
                if test(_labels(provider)):
                    found.setdefault(key, (provider, path))
        else:
            raise _StopError("the reference has neither a name nor a selector", path)
    return [found[name] for name in sorted(found)]


def taken(data: Mapping[str, Any], providers: Sequence[Resource]) -> tuple[Resource, ...]:
    """The providers that a ResourceSet takes inputs from; none where its references are wrong."""
    spec = data.get("spec")
    try:
        return tuple(provider for provider, _ in _chosen(spec, providers)) if isinstance(spec, dict) else ()
    except _StopError:
        return ()


def _labels(provider: Resource) -> dict[str, str]:
    metadata = provider.data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return {k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {}


def _combined(
    spec: Mapping[str, Any], groups: list[tuple[str, list[Inputs]]], *, unknown: bool
) -> list[Inputs]:
    given = spec.get("inputStrategy")
    strategy = given if isinstance(given, dict) else {}
    path: Path = ("spec", "inputStrategy")
    name = strategy.get("name") or "Flatten"
    if name == "Flatten":
        return [item for _, sets in groups for item in sets]
    if name != "Permute":
        raise _StopError(f"{name} is no input strategy", path)
    if unknown:
        raise _StopError(
            "permutations need all inputs, and a provider's are unknown", path, UncheckedClass.EXTERNAL
        )
    scoped = [
        (normal_key(key), sets)
        for key, sets in groups
        if sets or strategy.get("includeEmptyProviders") is True
    ]
    if any(not key for key, _ in scoped):
        raise _StopError("a provider's name has no letter or digit", path)
    if not scoped:
        return []
    if prod(len(sets) for _, sets in scoped) > MAX_OBJECTS:
        raise _StopError(f"more than {MAX_OBJECTS} permutations", path)
    return [
        _permutation([(key, index, item) for (key, _), (index, item) in zip(scoped, row, strict=True)])
        for row in product(*(list(enumerate(sets)) for _, sets in scoped))
    ]


def _permutation(parts: list[tuple[str, int, Inputs]]) -> Inputs:
    identity = "/".join(f"{key}={index}" for key, index, _ in parts)
    return {**{key: item for key, _, item in parts}, "id": _checksum(identity)}


def normal_key(name: str) -> str:
    """A provider's name as the key of its inputs in permutations: words of a-z and 0-9, joined with `_`."""
    letters = (
        char if char.isascii() and char.isalnum() else "_" if char.isspace() or _is_punctuation(char) else ""
        for char in name.lower()
    )
    return "_".join(word for word in "".join(letters).split("_") if word)


def _is_punctuation(char: str) -> bool:
    return char.isascii() and char.isprintable() and char not in "$+<=>^`|~"


# Objects


@dataclass(slots=True)
class _Maker:
    """Makes the objects of one ResourceSet within its bounds."""

    sets: list[Inputs]
    steps_spent: int = 0
    text_spent: int = 0
    count: int = 0
    seen: dict[tuple[str, ...], int] = field(default_factory=dict)

    def steps(self, spec: Mapping[str, Any]) -> list[Made]:
        """The objects of all steps; of one that has no steps, those of its own templates."""
        listed = _list(spec, "steps", ("spec",))
        if not listed:
            return self.step(spec, ("spec",), 0)
        if spec.get("resources") or spec.get("resourcesTemplate"):
            raise _StopError(
                "steps stand beside resources or resourcesTemplate; only one can be", ("spec", "steps")
            )
        found: list[Made] = []
        for index, item in enumerate(listed):
            path: Path = ("spec", "steps", index)
            if not isinstance(item, dict):
                raise _StopError("a step is no mapping", path)
            if not item.get("resources") and not item.get("resourcesTemplate"):
                raise _StopError("a step has neither resources nor a resourcesTemplate", path)
            found += self.step(item, path, index)
        return found

    def step(self, spec: Mapping[str, Any], path: Path, number: int) -> list[Made]:
        """Its objects, those of `resources` first; of two with one identity the first stays."""
        found: list[Made] = []
        for index, template in enumerate(_list(spec, "resources", path)):
            here: Path = (*path, "resources", index)
            if not isinstance(template, dict):
                raise _StopError("a resource is no mapping", here)
            found += self.kept(self.structured(template, here), number)
        text = spec.get("resourcesTemplate")
        if text is not None and not isinstance(text, str):
            raise _StopError("resourcesTemplate is no string", (*path, "resourcesTemplate"))
        if text:
            found += self.kept(self.textual(text, (*path, "resourcesTemplate")), number)
        return found

    def kept(self, objects: Iterator[Made], number: int) -> Iterator[Made]:
        for made in objects:
            self.count += 1
            if self.count > MAX_OBJECTS:
                raise _StopError(f"it makes more than {MAX_OBJECTS} objects", made.template)
            if _is_disabled(made.data):
                continue
            key = _identity(made.data)
            if key not in self.seen or (not self.sets and made.whole and self.seen[key] == number):
                self.seen[key] = number
                yield made
            elif self.seen[key] != number:
                what = "/".join(filter(None, key))
                raise _StopError(f"two steps make {what}, which the operator refuses", made.template)

    def structured(self, template: dict[str, Any], path: Path) -> Iterator[Made]:
        """A resource as the operator makes it: as YAML text, rendered, and read again."""
        try:
            text = yaml_text(template)
        except FunctionError as error:
            raise _StopError(error.message, path, UncheckedClass.EXTERNAL) from None
        if "<<" not in text:
            yield Made(_checked(template, path), path, whole=True)
            return
        for inputs in self.sets or [{}]:
            documents = self.read(self.rendered(text, inputs, path), path)
            if len(documents) != 1:
                raise _StopError("the template makes no object", path)
            yield Made(_checked(documents[0], path), path, whole=True)

    def textual(self, text: str, path: Path) -> Iterator[Made]:
        for inputs in self.sets or [{}]:
            for document in self.read(self.rendered(text, inputs, path), path):
                made = [_checked(data, path) for data in _items(document)]
                yield from (Made(data, path, whole=False) for data in made if _is_object(data))

    def rendered(self, text: str, inputs: Inputs, path: Path) -> str:
        try:
            done = render_inputs(text, inputs)
        except UnsupportedError as error:
            raise _StopError(str(error), path, UncheckedClass.EXTERNAL) from error
        except TemplateError as error:
            raise _StopError(str(error), path) from error
        self.steps_spent += done.steps + len(done.text) // 64
        self.text_spent += len(done.text)
        if self.steps_spent > _MAX_STEPS or self.text_spent > _MAX_TEXT:
            raise _StopError("it takes more work to expand than we give it", path)
        return done.text

    def read(self, text: str, path: Path) -> list[Any]:
        stream = read(text, "template")
        if stream.problems:
            raise _StopError(f"the rendered template is no YAML: {stream.problems[0].message}", path)
        return [document.data for document in stream.documents if document.data is not None]


def _items(document: Any) -> list[Any]:
    """The objects of a document: a list's own."""
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        if isinstance(items, list):
            return items
    return [document]


def _checked(data: Any, path: Path) -> dict[str, Any]:
    match data:
        case {"apiVersion": str(), "kind": str()}:
            return dict(data)
        case _:
            raise _StopError("the template makes something without apiVersion and kind", path)


def _is_object(data: Mapping[str, Any]) -> bool:
    """Whether the operator keeps an object of a text: without a name, or as kustomize's file, it drops it."""
    kustomize = str(data["apiVersion"]).startswith(KUSTOMIZE)
    return bool(_identity(data)[3]) and not (kustomize and str(data["kind"]).lower() == "kustomization")


def _identity(data: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    group = str(data.get("apiVersion")).rpartition("/")[0]
    return (
        group,
        str(data.get("kind")),
        *(value if isinstance(value := metadata.get(part), str) else "" for part in ("namespace", "name")),
    )


def _is_disabled(data: Mapping[str, Any]) -> bool:
    """Whether the operator passes over the object: the mark counts as an annotation and as a label."""
    metadata = data.get("metadata")
    marks = (metadata.get(name) for name in ("annotations", "labels")) if isinstance(metadata, dict) else ()
    return any(isinstance(mark, dict) and str(mark.get(RECONCILE)).lower() == "disabled" for mark in marks)
