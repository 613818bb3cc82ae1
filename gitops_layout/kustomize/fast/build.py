"""Build a kustomization here: the same objects as real kustomize, with an origin for every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from posixpath import basename, join
from typing import Any, NamedTuple

from gitops_layout.kustomize.fast import buildmetadata, crds
from gitops_layout.kustomize.fast.attempts import Lenient, Strict
from gitops_layout.kustomize.fast.config import Config, configured, default_config
from gitops_layout.kustomize.fast.declined import Declined, DeclinedError, decline, refuse
from gitops_layout.kustomize.fast.forms import check_forms
from gitops_layout.kustomize.fast.generators import absorb, add_hashes, generate
from gitops_layout.kustomize.fast.inline import inside_text
from gitops_layout.kustomize.fast.item import Item, unique
from gitops_layout.kustomize.fast.marks import ABSENT, Mark, at, origin
from gitops_layout.kustomize.fast.oddities import check_empty_start, check_oddities
from gitops_layout.kustomize.fast.openapi import custom_rules
from gitops_layout.kustomize.fast.order import in_legacy_order, in_order
from gitops_layout.kustomize.fast.plugins import generator_entry, plugins
from gitops_layout.kustomize.fast.read import NO_YAML, Reader, without_added_newline
from gitops_layout.kustomize.fast.references import follow_names
from gitops_layout.kustomize.fast.tables import Rules, list_rules
from gitops_layout.kustomize.fast.transform import Inputs, run, steps
from gitops_layout.kustomize.fast.variables import Variable, claim, joined_variables, substitute
from gitops_layout.kustomize.model import Closure, Kustomization
from gitops_layout.model import Location, Path, Span
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Bases", "Fast", "Origin", "build", "refusals", "trace"]


class Origin(NamedTuple):
    """The place that wrote a value last, and those that wrote it earlier, the latest first."""

    where: Location
    earlier: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Fast:
    """A finished build: objects in kustomize's order. The data is shared: never write into it.

    `left` are the places of the steps that a trace left out.
    """

    objects: tuple[dict[str, Any], ...]
    _marks: tuple[Mark, ...]
    _repo: Repo
    left: tuple[Location, ...] = ()

    def origin(self, index: int, path: Path) -> Origin:
        """Who wrote the value at `path` of the object with this index; an absent path: who wrote what
        is nearest above it.
        """
        where, earlier = origin(self._marks[index], path)
        return Origin(inside_text(self._repo, where), tuple(inside_text(self._repo, e) for e in earlier))

    def writers(self, index: int, path: Path) -> tuple[Location, ...]:
        """The same places, the latest first, whose paths lead on into the YAML of texts (`patches.0.patch`, the
        document's number, the path in it).
        """
        where, earlier = origin(self._marks[index], path)
        return where, *earlier


class Made(NamedTuple):
    """What a kustomization makes: objects, and the configuration and variables for whoever includes it."""

    items: list[Item]
    config: Config
    variables: Mapping[str, Variable]


@dataclass(slots=True)
class Bases:
    """What builds of one repository share: files as read, and the kustomizations built so far.

    `rules` say how lists are merged.
    """

    repo: Repo
    rules: Rules = field(default_factory=list_rules)
    reader: Reader = field(init=False)
    built: dict[tuple[str, bool, bool], Made] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = Reader(self.repo, self.rules)


def build(
    repo: Repo,
    closure: Closure,
    *,
    restricted: bool = False,
    overrides: Sequence[tuple[str, bytes]] = (),
    bases: Bases | None = None,
) -> Fast | Declined:
    """Build a closure as `exact.build` would, or say why real kustomize has to.

    `restricted` keeps files below their kustomization (kustomize's default); `overrides` are files
    that replace the repository's. `bases` carries over what earlier builds of the same repository read.
    """
    if closure.problems:
        return Declined(closure.problems[0].why, closure.problems[0].location)
    root = closure.kustomizations[0]
    view = repo.over(dict(overrides)) if overrides else repo
    if bases is None or any(path != root.file for path, _ in overrides):
        bases = Bases(view)
    try:
        wanted = buildmetadata.options(root.data, root.location)
        entered = {kustomization.folder: kustomization for kustomization in closure.kustomizations}
        state = _Build(view, bases, entered, restricted, traced=bool(wanted))
        if root.data.get("openapi"):
            state = replace(state, bases=Bases(view, _custom_rules(state, root)))
        items = _finished(state, _accumulated(state, root, _nothing()), root)
        buildmetadata.finish(items, wanted, root.location.at("buildMetadata"))
    except DeclinedError as declined:
        return declined.at(root.location)
    return Fast(tuple(item.data for item in items), tuple(item.mark for item in items), view)


def trace(repo: Repo, closure: Closure, *, overrides: Sequence[tuple[str, bytes]] = ()) -> Fast:
    """What can be followed of a build that real kustomize makes: its objects are only there to be compared with the
    real ones, whose origins they tell.
    """
    view = repo.over(dict(overrides)) if overrides else repo
    items, lenient = _traced(view, closure)
    return Fast(tuple(i.data for i in items), tuple(i.mark for i in items), view, tuple(lenient.left))


def refusals(
    repo: Repo, closure: Closure, *, overrides: Sequence[tuple[str, bytes]] = ()
) -> Iterator[Declined]:
    """What kustomize may refuse a build for, as far as a trace meets it: to be `confirmed` by its own words."""
    root = closure.kustomizations[0].location
    _, lenient = _traced(repo.over(dict(overrides)) if overrides else repo, closure)
    return (declined.at(root) for declined in lenient.refused)


def _traced(view: Repo, closure: Closure) -> tuple[list[Item], Lenient]:
    entered = {kustomization.folder: kustomization for kustomization in closure.kustomizations}
    lenient = Lenient()
    state = _Build(view, Bases(view), entered, restricted=False, traced=False, attempts=lenient)
    root = closure.kustomizations[0]
    if at(root.data, ("openapi", "path")) is not ABSENT:
        where = root.location.at("openapi")
        rules = lenient.value(partial(_custom_rules, state, root), list_rules(), where)
        state = replace(state, bases=Bases(view, rules))
    made = lenient.value(partial(_accumulated, state, root, _nothing()), _nothing())
    return _referring(state, made), lenient


@dataclass(frozen=True, slots=True)
class _Build:
    """One build; with `traced`, objects carry notes of where they come from."""

    view: Repo
    bases: Bases
    kustomizations: Mapping[str, Kustomization]
    restricted: bool
    traced: bool
    attempts: Strict = field(default_factory=Strict)

    @property
    def lenient(self) -> bool:
        """Whether this is a trace."""
        return isinstance(self.attempts, Lenient)

    def resolved(self, folder: str, target: str, where: Location) -> str:
        """The real path of a reference."""
        real = None if target.startswith("/") else self.view.resolve(join(folder, target))
        if real is None:
            decline(f"{target} does not exist", where)
        return real

    def file(self, folder: str, target: str, where: Location) -> str:
        """The real path of a file that a kustomization names."""
        real = self.resolved(folder, target, where)
        if real not in self.view.entries:
            decline(f"{target} is no file", where)
        if self.restricted and folder and not real.startswith(f"{folder}/"):
            decline(f"{target} lies outside the kustomization's folder", where)
        return real

    def document(self, folder: str, target: str, where: Location) -> tuple[Any, Location]:
        """The data of a named file that holds one document, and its place."""
        file = self.file(folder, target, where)
        stream = self.view.stream(file)
        if stream.problems:
            problem = stream.problems[0]
            span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
            refuse(f"it is no YAML: {problem.message}", Location(file, span=span), "correct it", said=NO_YAML)
        if len(stream.documents) != 1 or stream.documents[0].duplicates:
            decline(f"{target} may be read in two ways", where)
        check_empty_start(stream.text, Location(file))
        check_oddities(stream.text, stream.documents, Location(file))
        return stream.documents[0].data, Location(file)

    def base(self, folder: str, where: Location) -> Made:
        """What the kustomization in a folder makes; the objects are the caller's own to change."""
        key = (folder, self.restricted, self.traced)
        if key not in self.bases.built:
            found = self.kustomizations.get(folder)
            if found is None or found.is_component:
                decline(f"{folder} is no kustomization", where)
            self.bases.built[key] = _accumulated(self, found, _nothing())
        made = self.bases.built[key]
        return made._replace(items=[item.copy() for item in made.items])


def _nothing() -> Made:
    return Made([], default_config(), {})


def _custom_rules(state: _Build, root: Kustomization) -> Rules:
    where = root.location.at("openapi", "path")
    openapi = root.data["openapi"]
    if not isinstance(openapi, dict) or not isinstance(openapi.get("path"), str) or len(openapi) > 1:
        decline("a version of Kubernetes' schema is left to kustomize", root.location.at("openapi"))
    return custom_rules(*state.document(root.folder, openapi["path"], where))


def _accumulated(state: _Build, kustomization: Kustomization, made: Made) -> Made:
    """What a kustomization makes of its resources, and of what its parent has so far (for a component)."""
    data, here, folder = _checked_data(state, kustomization), kustomization.location, kustomization.folder
    if data.get("openapi") and state.bases.rules is list_rules() and not state.lenient:
        # Only the first schema counts, and here merges may have come before it.
        decline("a schema that is not the root's", here.at("openapi"))
    made = _resources(state, kustomization, [*_named(data, "resources"), *_named(data, "bases")], made)
    items, config, variables = made
    attempts = state.attempts
    attempts.value(lambda: unique(items), None)
    for name, add in (("configurations", configured), ("crds", crds.described)):
        for index, target in enumerate(data.get(name) or ()):
            where = here.at(name, index)
            config = attempts.value(partial(_configured, state, add, config, folder, target, where), config)
    attempts.value(lambda: _generate(state, data, kustomization, items), None, here)
    for index, target in enumerate(data.get("components") or ()):
        where, before = here.at("components", index), Made(items, config, variables)
        found = partial(_found_component, state, folder, target, where, before)
        items, config, variables = attempts.value(found, before, where)
    inputs = Inputs(state.bases.reader, partial(state.file, folder))
    for where, step in steps(data, here, config, inputs):
        items = attempts.step(items, where, step)
    nothing: list[Item] = []
    for plugin in attempts.value(lambda: _plugins(state, data, "transformers", kustomization), nothing, here):
        items = attempts.step(items, plugin.origin(())[0], partial(_plugged, plugin, inputs))
    if state.traced:
        buildmetadata.check(items)
    if state.lenient:
        return Made(items, config, _declared(state, data, here, items, variables))
    _validate(state, data, kustomization, items, inputs)
    unique(items)
    return Made(items, config, _declared(state, data, here, items, variables))


def _configured(
    state: _Build,
    add: Callable[[Config, Any, Location], Config],
    config: Config,
    folder: str,
    target: str,
    where: Location,
) -> Config:
    return add(config, *state.document(folder, target, where))


def _plugged(plugin: Item, inputs: Inputs, items: list[Item]) -> list[Item]:
    items = run(plugin, items, inputs)
    unique(items)
    return items


def _declared(
    state: _Build,
    data: Mapping[str, Any],
    here: Location,
    items: list[Item],
    variables: Mapping[str, Variable],
) -> Mapping[str, Variable]:
    """The variables of a kustomization and of what it includes."""
    none: list[Variable] = []
    declared = state.attempts.value(lambda: claim(items, data.get("vars") or (), here.at("vars")), none)
    return state.attempts.value(lambda: joined_variables(variables, declared), variables)


def _named(data: Mapping[str, Any], name: str) -> list[tuple[str, str, int]]:
    return [(target, name, index) for index, target in enumerate(data.get(name) or ())]


def _resources(state: _Build, owner: Kustomization, named: list[tuple[str, str, int]], made: Made) -> Made:
    """The objects of files and bases, added to what there is."""
    items, config, variables = made
    for target, name, index in named:
        before = Made([], config, variables)
        add = partial(_added, state, owner, target, owner.location.at(name, index), before)
        found, config, variables = state.attempts.value(add, before)
        items.extend(found)
    return Made(items, config, variables)


def _added(state: _Build, owner: Kustomization, target: str, where: Location, made: Made) -> Made:
    """The objects of one file or base, and what there is with its configuration and variables."""
    _, config, variables = made
    real = state.resolved(owner.folder, target, where)
    if real in state.view.entries:
        state.file(owner.folder, target, where)
        reader = state.bases.reader
        read = state.attempts.value(partial(reader.items, real), None)
        found = [item.copy() for item in (reader.loosely(real) if read is None else read)]
        if state.traced:
            buildmetadata.located(found, target, where)
    else:
        found, theirs, declared = state.base(real, where)
        config = config.merged(theirs)
        variables = joined_variables(variables, declared.values())
        if state.traced:
            buildmetadata.moved(found, target, where)
    return Made(found, config, variables)


def _found_component(state: _Build, folder: str, target: str, where: Location, made: Made) -> Made:
    """What a component makes of what there is."""
    component = state.kustomizations.get(state.resolved(folder, target, where))
    if component is None or not component.is_component:
        decline(f"{target} is no component", where)
    # The notes themselves are kept too: what is freed lends its id to another.
    before = {id(item.source): item.source for item in made.items}
    made = _accumulated(state, component, made)
    unique(made.items)
    if state.traced:
        # Notes of what came before the component are relative to its parent already.
        buildmetadata.moved((item for item in made.items if id(item.source) not in before), target, where)
    return made


def _plugins(state: _Build, data: dict[str, Any], name: str, owner: Kustomization) -> list[Item]:
    """The configurations under `transformers`, `generators` or `validators`."""
    if not data.get(name):
        return []

    def loaded(target: str, where: Location) -> list[Item]:
        index = where.path[-1]
        assert isinstance(index, int)
        return _resources(state, owner, [(target, name, index)], _nothing()).items

    return plugins(data, name, owner.location, loaded)


def _validate(
    state: _Build, data: dict[str, Any], owner: Kustomization, items: list[Item], inputs: Inputs
) -> None:
    """Run validators, which must not change anything."""
    for plugin in _plugins(state, data, "validators", owner):
        after = run(plugin, [item.copy() for item in items], inputs)
        if [(item.data, item.ids) for item in after] != [(item.data, item.ids) for item in items]:
            decline("a validator that changes objects", plugin.origin(())[0])


def _checked_data(state: _Build, kustomization: Kustomization) -> dict[str, Any]:
    """The kustomization's data, its forms known."""
    here, data = kustomization.location, kustomization.data
    stream = state.view.stream(kustomization.file)
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        decline("a kustomization of several documents or with a key that stands twice", here)
    if not stream.text.endswith("\n"):
        data = without_added_newline(stream.documents[0], stream.text).data
    if state.lenient:
        return {
            name: value
            for name, value in data.items()
            if state.attempts.value(partial(_known, name, value, here), False, here.at(name))
        }
    check_empty_start(stream.text, here)
    check_oddities(stream.text, stream.documents, here)
    check_forms(data, here)
    return data


def _known(name: str, value: Any, here: Location) -> bool:
    check_forms({name: value, "nameSuffix": "-x"}, here)
    return True


def _generate(state: _Build, data: dict[str, Any], owner: Kustomization, items: list[Item]) -> None:
    """Add what the generators make: those that are fields of the kustomization, then the plugins."""

    def opened(target: str, where: Location) -> tuple[str, bytes]:
        real = state.file(owner.folder, target, where)
        return real, state.view.content(real)

    def add(kind: str, entry: dict[str, Any], where: Location, plugin: Item | None) -> None:
        named = None if plugin is None or plugin.data.get("name") else where.at("metadata", "name")
        own = options if plugin is None else {}
        made = generate("Secret" if kind == "Secret" else "ConfigMap", entry, own, where, opened, named)
        if state.traced:
            file = plugin.source[1] if plugin is not None and plugin.source else basename(owner.file)
            buildmetadata.described(made, file, where, plugin)
        absorb(items, made, entry.get("behavior") or "create", where)

    options = data.get("generatorOptions") or {}
    for name, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for index, entry in enumerate(data.get(name) or ()):
            add(kind, entry, owner.location.at(name, index), None)
    for plugin in _plugins(state, data, "generators", owner):
        kind = plugin.kind.removesuffix("Generator")
        add(kind, generator_entry(plugin), plugin.origin(())[0], plugin)


def _referring(state: _Build, made: Made) -> list[Item]:
    """The objects with hashes and what refers to them, and with the values of variables."""
    items, attempts, nowhere = made.items, state.attempts, Location("")
    items = attempts.step(items, nowhere, add_hashes)
    items = attempts.step(items, nowhere, partial(follow_names, config=made.config))
    attempts.value(lambda: unique(items), None)
    put = partial(substitute, state.bases.reader, variables=made.variables, config=made.config)
    items = attempts.step(items, nowhere, put)
    for item in items:
        if "annotations" in item.data["metadata"] and not item.data["metadata"]["annotations"]:
            item.remove(("metadata", "annotations"))
    return items


def _finished(state: _Build, made: Made, root: Kustomization) -> list[Item]:
    """The last steps, which only the root takes: hashes, references, variables, order."""
    items = _referring(state, made)
    if any(_is_marked(item) for item in items):
        decline("marks of kustomize's own on an object", root.location)
    items = [item for item in items if not _is_local(item)]
    sorting = root.data.get("sortOptions")
    order = sorting.get("order") if sorting is not None else "legacy"
    legacy = (sorting or {}).get("legacySortOptions")
    if order == "fifo" and legacy is None:
        return items
    if order != "legacy":
        refuse(
            f"unknown order {order}",
            root.location.at("sortOptions"),
            "write fifo or legacy",
            said="sortOptions",
        )
    if legacy is None:
        return in_legacy_order(items)
    return in_order(items, legacy.get("orderFirst") or [], legacy.get("orderLast") or [])


def _is_marked(item: Item) -> bool:
    """Whether an annotation steers kustomize itself, which what a chart rendered has."""
    annotations = item.data["metadata"].get("annotations") or {}
    return any(str(name).startswith("internal.config.kubernetes.io/") for name in annotations)


def _is_local(item: Item) -> bool:
    """Whether an annotation keeps the object out of the result."""
    annotations = item.data["metadata"].get("annotations") or {}
    return bool(annotations.get("config.kubernetes.io/local-config", "false") != "false")
