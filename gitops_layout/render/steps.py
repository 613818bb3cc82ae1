"""The agent's own steps after a build: substitution, and the namespace that an object is applied to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.argocd.phases import is_skipped
from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.k8s.scope import agent_kind, builtin_scope, companion_kind
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass, of_object
from gitops_layout.render.lookup import DEFINITION
from gitops_layout.render.rendered import Made, Rendered, RenderedObject, Unset
from gitops_layout.repo.model import broken, object_ref

if TYPE_CHECKING:
    from gitops_layout.render.envsubst import Missing
    from gitops_layout.render.lookup import Lookup
    from gitops_layout.render.substitute import SubstitutionError
    from gitops_layout.render.variables import Variables

__all__ = ["NOT_SET", "finished", "with_metadata", "with_namespace"]

NOT_SET = "not set, and without a default"
"""What is said of a variable that fails a delivery."""

_NAMED = 5
"""Variables that one message names."""


def _strict(_delivery: Delivery) -> bool:
    return True


def _nothing(_name: str) -> bool:
    return False


def finished(
    delivery: Delivery,
    built: Iterable[Made],
    files: frozenset[str],
    lookup: Lookup,
    *,
    strict: Callable[[Delivery], bool] = _strict,
) -> Rendered:
    """What the agent applies of the objects that a build yields; each comes with its origins.

    `strict` says whether a variable that is not set fails a delivery of Flux.
    """
    post_build = delivery.options.get("postBuild")
    unseen: list[Unchecked] = []
    unset: list[Unset] = []
    failure = None
    if delivery.agent == "flux" and isinstance(post_build, dict):
        built = list(built)
        done = _substituted(delivery, built, post_build, lookup, strict, (unseen, unset))
        if isinstance(done, Unchecked):
            failure = done
            done = _substituted(delivery, built, post_build, lookup, strict, ([], []), judged=True)
        if isinstance(done, Unchecked):
            return Rendered(delivery.id, files=files, failure=failure)
        built = done
    objects = []
    as_built = delivery.agent not in ("argocd", "flux")
    for item in built:
        if as_built and item.ref is not None:
            objects.append(RenderedObject(item.ref, item.data, item.origin, item.earlier, item.approximate))
            continue
        if delivery.agent == "argocd" and is_skipped(item.data):
            continue
        applied, ref = _namespaced(delivery, item, lookup), item.ref
        if delivery.agent == "flux":
            applied = with_metadata(delivery, delivery.options.get("commonMetadata"), applied)
        if ref is None or applied.data is not item.data:
            data = applied.data
            ref = object_ref(data, str(data.get("apiVersion", "")), str(data.get("kind", "")))
        objects.append(
            RenderedObject(ref, applied.data, applied.origin, applied.earlier, applied.approximate)
        )
    return Rendered(delivery.id, tuple(objects), files, failure, tuple(unseen), unset=tuple(unset))


def _substituted(
    delivery: Delivery,
    built: Iterable[Made],
    post_build: Mapping[str, Any],
    lookup: Lookup,
    strict: Callable[[Delivery], bool],
    told: tuple[list[Unchecked], list[Unset]],
    *,
    judged: bool = False,
) -> list[Made] | Unchecked:
    """The objects after substitution, or why Flux refuses all of them; it does none without variables. Those that are
    only there to be `judged` keep what nothing sets.

    Where what would set a variable cannot be seen, the text stays, a default in it too, and the first list of `told`
    says so; the second gets the variables that certainly nothing sets.
    """
    # Imported when a Kustomization wants it: most repositories have none that does.
    from gitops_layout.render.substitute import SubstitutionError, substitute
    from gitops_layout.render.variables import variables_of

    unseen, left = told
    variables = variables_of(delivery, post_build, lookup)
    unseen += variables.unseen
    if not (variables.values or variables.always or variables.unseen):
        return list(built)
    if variables.refused is not None:
        return broken(f"delivery {delivery.id}", *variables.refused)
    if variables.unseen or variables.optional or judged:
        missing: Missing = "keep"
    else:
        missing = "error" if strict(delivery) else "empty"
    may_set = variables.may_be_set if variables.unseen or variables.optional else _nothing
    made: list[Made] = []
    unset: dict[str, None] = {}
    for item in built:
        try:
            done = substitute(item.data, variables.values, missing=missing, may_set=may_set)
        except SubstitutionError as error:
            return _refused(delivery, item, error)
        if missing == "keep":
            unset |= dict.fromkeys(done.unset)
        lost = {name for name in done.unset if name not in variables.names} if variables.named else set()
        left += _left(item, lost)
        made.append(item if done.data is item.data else _traced(item, done.data, variables))
    if unset and variables.optional and not variables.unseen:
        what = f"{_listed(unset)} in delivery {delivery.id}"
        names = ", ".join(f"{kind} {delivery.namespace}/{name}" for kind, name, _ in variables.optional)
        kind, name, place = variables.optional[0]
        why = f"not set by anything seen; {names} may set them in the cluster"
        subject = of_object(kind, delivery.namespace, name)
        unseen.append(Unchecked(what, UncheckedClass.EXTERNAL, why, place, subject, delivery.id))
    return made


def _left(item: Made, names: set[str]) -> Iterator[Unset]:
    """The texts of an object that refer to these variables."""
    from gitops_layout.render.substitute import referring

    if item.data.get("kind") == "CustomResourceDefinition":
        return  # the words of a description, with a hole in them
    what = f"{item.data.get('kind')} {at(item.data, 'metadata', 'name')}"
    for path, used in referring(item.data, names) if names else ():
        where = f"{what}, {'.'.join(map(str, path))}"
        yield from (Unset(name, where, item.origin(path)) for name in used)


def _refused(delivery: Delivery, item: Made, error: SubstitutionError) -> Unchecked:
    """Flux refuses the whole delivery: at the text that is to blame."""
    field_name = ".".join(map(str, error.path))
    where = f"{item.data.get('kind')} {at(item.data, 'metadata', 'name')}, {field_name}"
    if error.unset:
        names = _listed(error.unset)
        act = "set it in postBuild, give it a default, or write $${ for the text itself"
        why = f"{where}: {names} {NOT_SET}; {act}"
    else:
        why = f"{where}: {error.why}"
    return broken(f"delivery {delivery.id}", why, item.origin(error.path))


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(f"${{{name}}}" for name in known[:_NAMED])
    return shown + (f" and {len(known) - _NAMED} more" if len(known) > _NAMED else "")


def _traced(item: Made, data: dict[str, Any], variables: Variables) -> Made:
    """The object with its variables' places: they wrote last where they stand, and the text before them. A text of several
    lines is its file's before it is theirs: they wrote a part, and what is read in it has lines of its own.
    """
    from gitops_layout.render.substitute import writers

    def writing(path: Path) -> tuple[Location, ...]:
        text, names = writers(item.data, path)
        places = dict.fromkeys(variables.places[name] for name in names if name in variables.places)
        before = (item.origin(text), *item.earlier(text))
        return (before[0], *places, *before[1:]) if "\n" in str(at(item.data, *text)) else (*places, *before)

    def approximate(path: Path) -> bool:
        text, _ = writers(item.data, path)
        return writing(path)[0] == item.origin(text) and item.approximate(text)

    return replace(
        item,
        data=data,
        origin=lambda path: writing(path)[0],
        earlier=lambda path: writing(path)[1:],
        approximate=approximate,
    )


def _namespaced(delivery: Delivery, item: Made, lookup: Lookup) -> Made:
    """Argo CD applies a namespaced object without a namespace to the destination's: as far as we know its kind."""
    data = item.data
    if delivery.agent != "argocd" or not delivery.target_namespace or at(data, "metadata", "namespace"):
        return item
    group, kind = str(data.get("apiVersion", "")).rpartition("/")[0], str(data.get("kind"))
    if not isinstance(data.get("metadata"), dict) or not _has_namespace(delivery, group, kind, lookup):
        return item
    return with_namespace(
        item, delivery.target_namespace, delivery.standing("spec", "destination", "namespace")
    )


def with_namespace(item: Made, namespace: str, where: Location) -> Made:
    """The object in a namespace, which is said at `where`."""
    data, wanted = item.data, ("metadata", "namespace")
    return Made(
        {**data, "metadata": {**data["metadata"], "namespace": namespace}},
        lambda path: where if path == wanted else item.origin(path),
        lambda path: () if path == wanted else item.earlier(path),
        lambda path: path != wanted and item.approximate(path),
    )


def _has_namespace(delivery: Delivery, group: str, kind: str, lookup: Lookup) -> bool:
    """Whether objects of a kind live in a namespace, as the server says, a definition in the repository, or we know."""
    builtin = builtin_scope(group, kind)
    if builtin is not None or agent_kind(group, kind):
        return builtin is not False
    defined = lookup(delivery.cluster, DEFINITION, "", f"{group}/{kind}")
    if defined is not None:
        return bool(at(defined.data, "spec", "scope") == "Namespaced")
    return companion_kind(group, kind)


def with_metadata(delivery: Delivery, common: Any, item: Made) -> Made:
    """Flux writes `commonMetadata` into the objects' own metadata, over what they have there, and into no pod template."""
    metadata = item.data.get("metadata")
    if not isinstance(common, dict) or not isinstance(metadata, dict):
        return item
    given = {name: common[name] for name in ("labels", "annotations") if isinstance(common.get(name), dict)}
    own = {name: metadata[name] if isinstance(metadata.get(name), dict) else {} for name in given}
    merged = {name: {**own[name], **added} for name, added in given.items()}

    def is_common(path: Path) -> bool:
        return len(path) == 3 and path[0] == "metadata" and path[2] in given.get(str(path[1]), {})

    def origin(path: Path) -> Location:
        if is_common(path):
            return delivery.standing("spec", "commonMetadata", *path[1:])
        return item.origin(path)

    def earlier(path: Path) -> tuple[Location, ...]:
        if not is_common(path):
            return item.earlier(path)
        return (item.origin(path), *item.earlier(path)) if path[2] in own[str(path[1])] else ()

    def approximate(path: Path) -> bool:
        return not is_common(path) and item.approximate(path)

    data = {**item.data, "metadata": {**metadata, **merged}}
    return Made(data, origin, earlier, approximate)
