"""ResourceSets → Rendered: what their templates make, and what the Flux operator copies into it (v0.59)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.agents.fluxoperator import COPY_FROM, GROUP
from gitops_layout.agents.resourceset import Made, Problem, expand, taken
from gitops_layout.fields import at
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass, of_object
from gitops_layout.render.lookup import Lookup, texts
from gitops_layout.render.rendered import Made as Built
from gitops_layout.render.rendered import Rendered
from gitops_layout.render.steps import finished
from gitops_layout.repo.model import object_ref
from gitops_layout.source.reader import read

__all__ = ["resource_set"]

_CONVERT = f"{GROUP}/convertKubeConfigFrom"
_CHECKSUM_FROM = f"{GROUP}/checksumFrom"
_CHECKSUM = f"{GROUP}/checksum"
_KINDS = ("ConfigMap", "Secret")


def resource_set(delivery: Delivery, lookup: Lookup) -> Rendered:
    """The objects of a ResourceSet. One template that fails leaves none, as in the cluster."""
    providers = delivery.options.get("providers", ())
    expansion = expand(delivery.object, providers)
    files = frozenset({delivery.root.file, *(r.file for r in taken(delivery.object, providers))})
    unseen = [_entry(delivery, problem) for problem in expansion.unseen]
    if expansion.failure is not None:
        failure = _entry(delivery, expansion.failure)
        return Rendered(delivery.id, files=files, failure=failure, unseen=tuple(unseen))
    copier = _Copier(delivery, lookup, unseen)
    objects = copier.filled([made.data for made in expansion.objects])
    origins = (partial(_origin, delivery, made) for made in expansion.objects)
    built = [Built(data, origin) for data, origin in zip(objects, origins, strict=True)]
    rendered = finished(delivery, built, files, lookup)
    return Rendered(delivery.id, rendered.objects, files, unseen=(*unseen, *rendered.unseen))


def _entry(delivery: Delivery, problem: Problem) -> Unchecked:
    where = delivery.standing(*problem.path)
    what = f"delivery {delivery.id}"
    subject = of_object("ResourceSet", delivery.namespace, delivery.name)
    return Unchecked(what, problem.kind, problem.why, where, subject, delivery.id)


def _origin(delivery: Delivery, made: Made, path: Path) -> Location:
    """A value stands at the same path of its template; what a text makes stands at the text."""
    return delivery.standing(*made.template, *path) if made.whole else delivery.standing(*made.template)


class _Copier:
    """Fills in what the operator reads from the cluster: other ConfigMaps and Secrets, also of the same set."""

    def __init__(self, delivery: Delivery, lookup: Lookup, unseen: list[Unchecked]) -> None:
        self.delivery = delivery
        self.lookup = lookup
        self.unseen = unseen
        self.own: dict[tuple[str, str, str], Mapping[str, Any]] = {}

    def filled(self, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The objects after copying; one whose source nothing brings stays as it is and is listed."""
        done = [self._converted(self._copied(data)) for data in objects]
        refs = ((object_ref(data, "", str(data.get("kind"))), data) for data in done)
        self.own = {(ref.kind, ref.namespace, ref.name): data for ref, data in refs if ref.kind in _KINDS}
        return [self._summed(data) for data in done]

    def _annotation(self, data: Mapping[str, Any], name: str) -> str | None:
        return text(at(data, "metadata", "annotations", name))

    def _source(self, kind: str, reference: str, name: str) -> Mapping[str, Any] | None:
        """The ConfigMap or Secret that `namespace/name` names; listed as unseen where nothing brings it."""
        namespace, _, own = reference.partition("/")
        found = self.lookup(self.delivery.home, kind, namespace, own)
        if found is None:
            what = f"{kind} {reference}, which {name.partition('/')[2]} copies"
            why = f"no delivery brings it to {self.delivery.home or 'the cluster'}, or it is encrypted"
            subject = of_object(kind, namespace, own)
            entry = Unchecked(
                what, UncheckedClass.EXTERNAL, why, self.delivery.root, subject, self.delivery.id
            )
            if entry not in self.unseen:
                self.unseen.append(entry)
            return None
        return found.data

    def _copied(self, data: dict[str, Any]) -> dict[str, Any]:
        kind, reference = data.get("kind"), self._annotation(data, COPY_FROM)
        if reference is None or data.get("apiVersion") != "v1" or kind not in _KINDS:
            return data
        found = self._source(str(kind), reference, COPY_FROM)
        if found is None:
            return data
        if kind == "ConfigMap":
            return {**data, **{key: found[key] for key in ("data", "binaryData") if found.get(key)}}
        kept = {key: value for key, value in data.items() if key != "data"}
        return {
            **kept,
            "type": data.get("type") or found.get("type") or "Opaque",
            "stringData": dict(texts("Secret", found)),
        }

    def _converted(self, data: dict[str, Any]) -> dict[str, Any]:
        reference = self._annotation(data, _CONVERT)
        if reference is None or data.get("apiVersion") != "v1" or data.get("kind") != "ConfigMap":
            return data
        name, _, key = reference.partition(":")
        found = self._source("Secret", name, _CONVERT)
        values = dict(texts("Secret", found)) if found is not None else {}
        config = values.get(key) if key else values.get("kubeconfig") or values.get("value")
        if config is None:
            return data
        documents = read(config, "kubeconfig").documents
        cluster = at(documents[0].data, "clusters", 0, "cluster") if documents else None
        server, authority = text(at(cluster, "server")), text(at(cluster, "certificate-authority-data"))
        added = {"address": server, "ca.crt": _decoded(authority or "")}
        given: Any = data.get("data")
        kept = given if isinstance(given, dict) else {}
        return {**data, "data": {**{k: v for k, v in added.items() if v}, **kept}}

    def _summed(self, node: Any) -> Any:
        """Every `checksumFrom` with its `checksum` beside it."""
        match node:
            case dict():
                marks = at(node, "metadata", "annotations")
                done = {key: self._summed(value) for key, value in node.items()}
                wanted = text(marks.get(_CHECKSUM_FROM)) if isinstance(marks, dict) else None
                digest = self._digest(wanted) if wanted else None
                if digest is None:
                    return done
                return {
                    **done,
                    "metadata": {**done["metadata"], "annotations": {**marks, _CHECKSUM: digest}},
                }
            case list():
                return [self._summed(item) for item in node]
            case _:
                return node

    def _digest(self, references: str) -> str | None:
        parts: list[bytes] = []
        for reference in filter(None, map(str.strip, references.split(","))):
            kind, _, name = reference.partition("/")
            found: Mapping[str, Any] | None = None
            if kind in _KINDS and name.count("/") == 1:
                found = self.own.get((kind, *name.split("/")))  # type: ignore[arg-type]
                found = found if found is not None else self._source(kind, name, _CHECKSUM_FROM)
            if found is None:
                return None
            parts += [reference.encode(), b"\0"]
            for key, value in sorted(_bytes(kind, found)):
                parts += [key.encode(), b"\0", value, b"\0"]
        return f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"


def _bytes(kind: str, data: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    plain = dict(texts(kind, data))
    yield from ((key, value.encode()) for key, value in plain.items())
    binary = data.get("binaryData") if kind == "ConfigMap" else data.get("data")
    for key, value in binary.items() if isinstance(binary, dict) else ():
        if key not in plain:
            try:
                yield str(key), base64.b64decode(str(value))
            except ValueError:
                continue


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return ""
