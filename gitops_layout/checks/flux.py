"""What Flux's objects say against what the repository holds: paths, order, variables, decryption."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from posixpath import basename, dirname, join
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import places
from gitops_layout.checks.lines import line_with, span_of
from gitops_layout.checks.mending import put
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import objects_of, values_at
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location, ObjectRef, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.render.steps import NOT_SET
from gitops_layout.repo.model import Repo, is_yaml

__all__ = [
    "depends_on_cycle",
    "field_of",
    "path_missing",
    "place_of",
    "sync_path",
    "undecrypted",
    "undefined_variable",
]

Params = Mapping[str, Any]

_OPEN = regexp(r"\$\{|\{\{|<<|<[A-Z_]+>")


def _hit(delivery: Delivery, place: Location, related: tuple[Related, ...] = (), **values: object) -> Hit:
    version = str(delivery.object.get("apiVersion", ""))
    ref = ObjectRef(version, delivery.kind, delivery.namespace, delivery.name)
    affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
    return Hit(place, {"kind": delivery.kind, "source": delivery.name, **values}, related, affected)


def place_of(delivery: Delivery, *path: str | int) -> Location:
    """Where a field of an agent's object was written, whoever rendered the object."""
    return delivery.root.at(*path) if delivery.origin is None else delivery.origin(path)


def field_of(delivery: Delivery, part: Delivery, *names: str) -> Location:
    """Where the first of the named fields of a delivery, or of one of its parts, was written."""
    found = next((part.places[name] for name in names if name in part.places), part.root)
    return place_of(delivery, *found.path[len(delivery.root.path) :])


def path_missing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Paths of Kustomizations, FluxInstances and Applications that this repository does not have."""
    kinds = ("Application", "FluxInstance", "Kustomization")
    for delivery in graph.deliveries:
        if delivery.agent != params["agent"] or delivery.kind not in kinds:
            continue
        if at(delivery.object, "metadata", "uid") is not None:
            continue  # what a cluster had once, printed
        for part in delivery.parts or (delivery,):
            path = part.source.path
            if not part.source.local or not path or part.source.chart or _OPEN.search(path):
                continue
            if part.renderer != "none" and not graph.repo.is_folder(path) and "path" in part.places:
                near = near_folder(graph.repo, path)
                told = f' (did you mean "{near}"?)' if near is not None else ""
                yield _hit(delivery, field_of(delivery, part, "path"), path=path, near=told, subject=path)
    if params["agent"] == "argocd":
        yield from _in_templates(graph)


_SOURCE_PATH = regexp(r"(?m)^[ \t]+(?:-[ \t]+)?path:[ \t]+[\"']?([\w.-]+(?:/[\w.-]+)+)/?[\"']?[ \t]*\r?$")
_OF_SOURCE = regexp(r"(?m)^[ \t]+(?:-[ \t]+)?(?:repoURL|targetRevision):")
_NEAR_LINES = 4


def _in_templates(graph: Graph) -> Iterator[Hit]:
    """The same for paths that stand as they are in templates of Applications which no release here renders: told where the
    folder around is there, with one that was perhaps meant, and another path of the templates leads somewhere.
    """
    repo = graph.repo
    rendered = {item.origin(()).file for d in graph.deliveries if d.agent == "argocd" and d.renderer == "chart"
                for item in graph.rendered[d.id].objects if item.ref.group == "argoproj.io"}  # fmt: skip
    for chart in repo.charts:
        written = [
            (file, found, text)
            for file in repo.under(join(chart, "templates"))
            if is_yaml(file) and file not in rendered and "argoproj.io/" in (text := repo.stream(file).text)
            for found in _SOURCE_PATH.finditer(text)
            if _is_source(text, found)
        ]
        if not any(repo.is_folder(found[1]) for _, found, _ in written):
            continue
        for file, found, text in written:
            path = found[1]
            if repo.is_folder(path) or not repo.is_folder(dirname(path)) or repo.is_file(path):
                continue
            near = near_name(path, (f for f in repo.folders if dirname(f) == dirname(path)))
            if near is not None:
                values = {
                    "source": basename(file),
                    "path": path,
                    "near": f' (did you mean "{near}"?)',
                    "subject": path,
                }
                yield Hit(Location(file, span=span_of(text, found.start(1), found.end(1))), values)


def _is_source(text: str, found: re.Match[str]) -> bool:
    """Whether a `path:` stands beside a `repoURL:` or a `targetRevision:`."""
    before = text[: found.start()].split("\n")[-_NEAR_LINES:]
    after = text[found.end() :].split("\n")[:_NEAR_LINES]
    return _OF_SOURCE.search("\n".join((*before, *after))) is not None


def near_folder(repo: Repo, path: str) -> str | None:
    """The folder that was perhaps meant: with a slip mended, or one that ends alike."""
    known = [folder for folder in repo.folders if folder]
    same = [folder for folder in known if folder.lower() == path.lower()]
    ends = [f for f in known if f.endswith(f"/{path}") or ("/" in f and path.endswith(f"/{f}"))]
    if same or len(ends) == 1:
        return (same or ends)[0]
    beside = [folder for folder in known if dirname(folder) == dirname(path)]
    return near_name(path, beside) or near_name(path, known)


def depends_on_cycle(graph: Graph, params: Params) -> Iterator[Hit]:
    """Deliveries that wait for themselves, directly or through others; told at the first of each circle."""
    waiting = {_key(d, f"{d.namespace}/{d.name}"): d for d in graph.deliveries if d.agent == "flux"}
    needs = {key: [_key(d, name) for name in d.depends_on] for key, d in waiting.items()}
    done: set[_Key] = set()
    for start in sorted(key for key, value in needs.items() if value):
        circle = _circle(start, needs) if start not in done else None
        if circle is None:
            continue
        done |= set(circle)
        names = " → ".join(waiting[key].name for key in (*circle, start))
        others = tuple(Related(waiting[key].root, f"{waiting[key].name} waits as well") for key in circle[1:])
        place = place_of(waiting[start], *_waits_at(waiting[start], (*circle, start)[1][2]))
        yield _hit(waiting[start], place, others, circle=names, subject=names)


def _waits_at(delivery: Delivery, name: str) -> Path:
    """The entry of `dependsOn` that names `namespace/name`."""
    listed = at(delivery.object, "spec", "dependsOn")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if f"{at(entry, 'namespace') or delivery.namespace}/{at(entry, 'name')}" == name:
            return ("spec", "dependsOn", index, "name")
    return ("spec", "dependsOn")


_Key = tuple[str, str, str]
"""Cluster, kind, and namespace/name."""


def _key(delivery: Delivery, name: str) -> _Key:
    return delivery.home, delivery.kind, name


def _circle(start: _Key, needs: Mapping[_Key, list[_Key]]) -> list[_Key] | None:
    """The shortest way from `start` back to itself."""
    ways = [[start]]
    seen: set[_Key] = set()
    while ways:
        way = ways.pop(0)
        for step in needs.get(way[-1], ()):
            if step == start:
                return way
            if step in needs and step not in seen:
                seen.add(step)
                ways.append([*way, step])
    return None


def undefined_variable(graph: Graph, params: Params) -> Iterator[Hit]:
    """Deliveries that Flux refuses for a variable that nothing sets."""
    for delivery in graph.deliveries:
        failure = graph.rendered[delivery.id].failure
        if delivery.agent == "flux" and failure is not None and NOT_SET in failure.why:
            what = failure.why.partition(NOT_SET)[0].strip()
            effect = f"Flux refuses all of {delivery.name}"
            place = _referring(graph, failure.location or delivery.root, _REFERENCE.findall(what))
            yield _hit(delivery, place, what=what, subject=what, effect=effect)
        for unset in graph.rendered[delivery.id].unset:
            effect = f"Flux puts nothing there, or refuses all of {delivery.name}"
            what = f"{unset.where}: ${{{unset.name}}}"
            place = _referring(graph, unset.location, [unset.name])
            yield _hit(delivery, place, what=what, subject=unset.name, effect=effect)


_REFERENCE = regexp(r"\$\{(\w+)\}")


def _referring(graph: Graph, place: Location, names: list[str]) -> Location:
    """The line of a long text on which one of the variables stands, its dollar sign not doubled."""
    if not names:
        return place
    return line_with(
        graph, place, re.compile(rf"(?<!\$)(?:\$\$)*\$\{{(?:{'|'.join(map(re.escape, names))})\b[^}}]*\}}?")
    )


def undecrypted(graph: Graph, params: Params) -> Iterator[Hit]:
    """Kustomizations that bring objects which SOPS encrypted, and are not told to decrypt."""
    known = [at(d.object, "spec", "decryption") for d in graph.deliveries if d.kind == "Kustomization"]
    told_already = [block for block in known if block]
    agreed = told_already and all(block == told_already[0] for block in told_already)
    how = told_already[0] if agreed else {"provider": "sops"}
    for delivery in graph.deliveries:
        if delivery.agent != "flux" or delivery.kind != "Kustomization":
            continue
        if at(delivery.object, "spec", "decryption") is not None:
            continue
        for item in graph.rendered[delivery.id].objects:
            if isinstance(at(item.data, "sops", "mac"), str):
                place = place_of(delivery, "metadata", "name")
                encrypted = f"{item.ref.kind} {item.ref.name}"
                related = (Related(item.origin(("metadata", "name")), "encrypted"),)
                hit = _hit(delivery, place, related, encrypted=encrypted, subject=delivery.name)
                told = put(places(delivery), delivery.object, ("spec", "decryption"), how)
                yield replace(hit, changes=told)
                break


_SYNC = ("Kustomization", "flux-system", "gotk-sync.yaml")


def sync_path(graph: Graph, params: Params) -> Iterator[Hit]:
    """The sync object that bootstrap wrote, or a FluxInstance, that points to another cluster's folder than its own."""
    for delivery in graph.deliveries:
        file, path = delivery.root.file, delivery.source.path
        home = dirname(dirname(file))
        bootstrapped = (delivery.kind, delivery.name, basename(file)) == _SYNC
        if not bootstrapped and delivery.kind != "FluxInstance":
            continue
        if path is None or not home or basename(dirname(file)) != "flux-system" or _OPEN.search(path):
            continue
        beside = dirname(path) == dirname(home)
        if delivery.source.local and path != home and beside and graph.repo.is_folder(path):
            yield _hit(delivery, field_of(delivery, delivery, "path"), path=path, home=home, subject=path)


def unknown_alias(graph: Graph, params: Params) -> Iterator[Hit]:
    """ArtifactGenerators that copy from a source which they do not list, or to somewhere else than the artifact."""
    for data, place, affected in objects_of(graph, "source.extensions.fluxcd.io", "ArtifactGenerator"):
        listed = at(data, "spec", "sources")
        known = {str(at(item, "alias")) for item in (listed if isinstance(listed, list) else ())}
        for value, path in values_at(data, "spec.artifacts[].copy[]"):
            start, end = at(value, "from"), at(value, "to")
            alias = re.match(r"@([\w-]+)/", start) if isinstance(start, str) else None
            if alias is not None and alias[1] not in known:
                near = near_name(alias[1], known)
                told = f' (did you mean "@{near}"?)' if near else ""
                values = {
                    "what": f"copies from @{alias[1]}, which no source is called{told}",
                    "subject": start,
                }
                yield Hit(place((*path, "from")), values, (), affected)
            if isinstance(end, str) and not end.startswith("@artifact/") and "<<" not in end:
                values = {"what": f"copies to {end}, which must begin with @artifact/", "subject": end}
                yield Hit(place((*path, "to")), values, (), affected)


def cross_namespace(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sources of another namespace where Flux was told to refuse them."""
    if not _locked_down(graph):
        return
    for delivery in graph.deliveries:
        if delivery.agent != "flux" or not delivery.live:
            continue
        for path in (("spec", "sourceRef"), ("spec", "chartRef"), ("spec", "chart", "spec", "sourceRef")):
            namespace = at(delivery.object, *path, "namespace")
            if isinstance(namespace, str) and namespace != delivery.namespace and not _OPEN.search(namespace):
                place = place_of(delivery, *path, "namespace")
                yield _hit(delivery, place, namespace=namespace, subject=str(path))


def _locked_down(graph: Graph) -> bool:
    """Whether Flux refuses references across namespaces: by its controllers' arguments, or its operator."""
    if any(
        at(data, "spec", "cluster", "multitenant") is True
        for data, _, _ in objects_of(graph, "fluxcd.controlplane.io", "FluxInstance")
    ):
        return True
    roots = (name for name in graph.repo.files if name.endswith("flux-system/kustomization.yaml"))
    return any("--no-cross-namespace-refs=true" in graph.repo.text(name) for name in roots)
