"""The agent's own steps after a build: substitution, and the namespace that an object is applied to."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.agents.delivery import Delivery
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.render.substitute import SubstitutionError, substitute
from gitops_layout.repo.model import broken, object_ref

__all__ = ["Lookup", "finished", "nothing", "texts"]

Lookup = Callable[[str, str, str, str], Mapping[str, Any] | None]
"""(cluster, kind, namespace, name) to the ConfigMap or Secret that some delivery brings there."""


def nothing(_cluster: str, _kind: str, _namespace: str, _name: str) -> None:
    """The look-up where nothing is known yet."""
    return


def finished(
    delivery: Delivery,
    built: Iterable[tuple[dict[str, Any], Callable[[Path], Location]]],
    files: frozenset[str],
    lookup: Lookup,
) -> Rendered:
    """What the agent applies of the objects that a build yields; each comes with its origins."""
    post_build = delivery.options.get("postBuild")
    unseen: list[Unchecked] = []
    if delivery.agent == "flux" and isinstance(post_build, dict):
        variables = _variables(delivery, post_build, lookup, unseen)
        try:
            built = [(_substituted(delivery, data, variables, unseen), origin) for data, origin in built]
        except SubstitutionError as error:
            failure = broken(f"delivery {delivery.id}", str(error), delivery.root.at("spec", "postBuild"))
            return Rendered(delivery.id, files=files, failure=failure)
    objects = []
    for data, origin in built:
        applied, origin = _labelled(delivery, _namespaced(delivery, data), origin)
        ref = object_ref(applied, str(applied.get("apiVersion", "")), str(applied.get("kind", "")))
        objects.append(RenderedObject(ref, applied, origin))
    return Rendered(delivery.id, tuple(objects), files, unseen=tuple(unseen))


def _substituted(
    delivery: Delivery, data: dict[str, Any], variables: Mapping[str, str], unseen: list[Unchecked]
) -> dict[str, Any]:
    """An object after substitution; Flux does none without variables."""
    if not variables and not unseen:
        return data
    done = substitute(data, variables)
    for form in sorted(done.unknown):
        what = f"{form} in {data.get('kind')} {at(data, 'metadata', 'name')}"
        where = delivery.root.at("spec", "postBuild")
        why = "this form of substitution is not supported yet; it is left as it is"
        unseen.append(Unchecked(what, UncheckedClass.EXTERNAL, why, where, None, delivery.id))
    result: dict[str, Any] = done.data
    return result


def _namespaced(delivery: Delivery, data: dict[str, Any]) -> dict[str, Any]:
    """Argo CD applies a namespaced object without a namespace to the destination's."""
    if delivery.agent != "argocd" or not delivery.target_namespace or at(data, "metadata", "namespace"):
        return data
    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    if builtin_scope(group, str(data.get("kind"))) is not True or not isinstance(data.get("metadata"), dict):
        return data
    return {**data, "metadata": {**data["metadata"], "namespace": delivery.target_namespace}}


def _labelled(
    delivery: Delivery, data: dict[str, Any], origin: Callable[[Path], Location]
) -> tuple[dict[str, Any], Callable[[Path], Location]]:
    """Flux writes `commonMetadata` into the built objects' own metadata, over what they have there, and into
    no pod template.
    """
    common, metadata = delivery.options.get("commonMetadata"), data.get("metadata")
    if delivery.agent != "flux" or not isinstance(common, dict) or not isinstance(metadata, dict):
        return data, origin
    given = {name: common[name] for name in ("labels", "annotations") if isinstance(common.get(name), dict)}
    merged = {
        name: {**(metadata[name] if isinstance(metadata.get(name), dict) else {}), **added}
        for name, added in given.items()
    }

    def locate(path: Path) -> Location:
        if len(path) == 3 and path[0] == "metadata" and path[2] in given.get(str(path[1]), {}):
            return delivery.root.at("spec", "commonMetadata", *path[1:])
        return origin(path)

    return {**data, "metadata": {**metadata, **merged}}, locate


def _variables(
    delivery: Delivery, post_build: Mapping[str, Any], lookup: Lookup, unseen: list[Unchecked]
) -> dict[str, str]:
    """Flux's order: each `substituteFrom` over the ones before it, `substitute` over all."""
    variables: dict[str, str] = {}
    listed = post_build.get("substituteFrom")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        kind, name = at(item, "kind"), at(item, "name")
        if not isinstance(kind, str) or not isinstance(name, str):
            continue
        found = lookup(delivery.cluster, kind, delivery.namespace, name)
        values = dict(texts(kind, found)) if found is not None else None
        if values is not None:
            variables |= values
        elif at(item, "optional") is not True:
            where = delivery.root.at("spec", "postBuild", "substituteFrom", index)
            what = f"variables of {kind} {delivery.namespace}/{name}"
            why = f"no delivery brings it to {delivery.cluster or 'the cluster'}, or it is encrypted"
            unseen.append(Unchecked(what, UncheckedClass.EXTERNAL, why, where, ("kind", kind), delivery.id))
    given = post_build.get("substitute")
    return variables | {str(k): str(v) for k, v in (given.items() if isinstance(given, dict) else ())}


def texts(kind: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a ConfigMap or Secret by key; what is no text is left out."""
    data, plain = found.get("data"), found.get("stringData")
    for key, value in data.items() if isinstance(data, dict) else ():
        if kind != "Secret":
            yield key, str(value)
            continue
        try:
            yield key, base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    for key, value in plain.items() if isinstance(plain, dict) and kind == "Secret" else ():
        yield key, str(value)
