"""Checks of what lies beside a kustomization and is not in it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join, split, splitext
from typing import Any

from gitops_layout.checks.files import built_from
from gitops_layout.checks.near import with_article
from gitops_layout.checks.plugins import PLUGINS, generated_from
from gitops_layout.graph.model import Graph
from gitops_layout.graph.roots import kustomizations
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, references
from gitops_layout.model import Affected, Change, Hit, Location, Related, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_aside, is_parked

__all__ = ["folder_not_listed", "not_listed"]

Params = Mapping[str, Any]
_SET_ASIDE = regexp(
    r"example|sample|template|test|backup|old|disabled|bak|draft|local|\.tmpl|values|unused|todo|orig|secret|gotk|catalog-info|kustomiz",
    re.IGNORECASE,
)
_VENDORED = regexp(r"(?:^|/)(?:upstream|vendor|third[-_]party|crds?)/")
_NUMBERED = regexp(r"\d{2,}")
_BRINGING = frozenset(
    {
        "resources",
        "components",
        "bases",
        "crds",
        "generators",
        "helmCharts",
        "configMapGenerator",
        "secretGenerator",
    }
)
"""Fields by which a kustomization brings anything; one without them brings nothing, and says nothing."""
_MANY = 3
_FIRST = Span(1, 1, 1, 1, 0, 0)


def _listed(graph: Graph, listing: list[Kustomization]) -> set[str]:
    """What kustomizations name, files and folders."""
    return {
        graph.repo.resolve(join(kustomization.folder, reference.target)) or ""
        for kustomization in listing
        for reference in references(kustomization)
    }


def not_listed(graph: Graph, params: Params) -> Iterator[Hit]:
    """Files beside a kustomization that lists their neighbours, and which nothing reads."""
    repo = graph.repo
    used = set(built_from(graph))
    roots = {delivery.root.file for delivery in graph.deliveries if delivery.agent != "plain"}
    listing = kustomizations(repo)
    used |= _listed(graph, listing) | {real or "" for *_, real in generated_from(repo)}
    reached = used | roots
    for kustomization in listing:
        here = kustomization.location.file
        if not graph.is_live(here) or is_aside(here):
            continue
        yield from _of_a_series(graph, kustomization)
        yield from _last_of_a_folder(graph, kustomization, reached)
        if _VENDORED.search(here):
            continue
        listed = [r.target for r in references(kustomization) if "/" not in r.target.removeprefix("./")]
        written = repo.text(here)
        beside = sum(join(kustomization.folder, target) in roots for target in listed)
        nothing = not kustomization.is_component and not kustomization.data.keys() & _BRINGING
        for name in repo.folders[kustomization.folder]:
            path = join(kustomization.folder, name)
            if (
                path in used
                or (
                    path in roots and beside < _MANY
                )  # somebody applies it by hand, unless its like are listed
                or name in FILE_NAMES
                or not name.endswith((".yaml", ".yml"))
                or _names(written, name)
            ):
                continue
            found = _manifest(graph, path)
            if found is None:
                continue
            version, kind = found
            generates = version.startswith(PLUGINS)  # nobody but kustomize can read it
            encrypted = ".sops." in name  # nobody applies it by hand
            waited = kind == "ExternalSecret"  # whatever is listed waits for the Secret that it makes
            least = 0 if generates or nothing else 1 if encrypted or waited else params["least"]
            if len(listed) >= least and (generates or encrypted or not _SET_ASIDE.search(_plain(name, kind))):
                field = "generators" if generates else "resources"
                lists = (
                    kustomization.location.key_at("resources") if "resources" in kustomization.data else None
                )
                place = Location(path, span=_FIRST) if generates else lists or Location(here, span=_FIRST)
                listing_it = kustomization.location.at(field)
                yield _hit(place, name, with_article(kind), field, path, Change("add", listing_it, name))


def _plain(name: str, kind: str) -> str:
    """A file's name without the word of a kind that holds no secret, and that nobody keeps aside for its sake."""
    return re.sub("external-?secrets?", "", name, flags=re.IGNORECASE) if kind == "ExternalSecret" else name


def _names(text: str, name: str) -> bool:
    """Whether a kustomization speaks of a file beside it, be it in a comment."""
    return name in text and re.search(rf"(?<![\w/.-])(?:\./)?{re.escape(name)}(?![\w.-])", text) is not None


def _hit(place: Location, name: str, what: str, field: str, path: str, *changes: Change) -> Hit:
    related = () if place.file == path else (Related(Location(path), "nothing reads it"),)
    values = {"file": name, "what": what, "field": field, "subject": name}
    return Hit(place, values, related, Affected(), changes)


def _of_a_series(graph: Graph, kustomization: Kustomization) -> Iterator[Hit]:
    """Files of a numbered series (`001-create.sql`) that a generator lists all of but for a few."""
    repo, written = graph.repo, graph.repo.text(kustomization.location.file)
    for field in ("configMapGenerator", "secretGenerator"):
        generators = kustomization.data.get(field)
        for index, generator in enumerate(generators if isinstance(generators, list) else ()):
            files = generator.get("files") if isinstance(generator, dict) else None
            series: dict[tuple[str, str], list[int]] = defaultdict(list)
            for number, entry in enumerate(files if isinstance(files, list) else ()):
                target = str(entry).rpartition("=")[2]
                if _NUMBERED.match(basename(target)):
                    series[dirname(target), splitext(target)[1]].append(number)
            for (folder, ending), numbers in series.items():
                real = repo.resolve(join(kustomization.folder, folder).rstrip("/"))
                names = [
                    n for n in repo.folders.get(real or "", ()) if _NUMBERED.match(n) and n.endswith(ending)
                ]
                missing = [name for name in names if name not in written]
                if real is None or len(numbers) < 2 or len(missing) * 2 >= len(names):
                    continue
                place = kustomization.location.at(field, index, "files", numbers[-1])
                files = kustomization.location.at(field, index, "files")
                for name in missing:
                    listed = Change("add", files, join(folder, name))
                    yield _hit(place, name, "one of a series", "files", join(real, name), listed)


def _last_of_a_folder(graph: Graph, kustomization: Kustomization, reached: set[str]) -> Iterator[Hit]:
    """The only manifest of a folder that a kustomization leaves out where it lists all others one by one."""
    if len(references(kustomization)) < _MANY:
        return
    repo, written = graph.repo, graph.repo.text(kustomization.location.file)
    folders: dict[str, int] = defaultdict(int)
    for reference in references(kustomization):
        real = repo.resolve(join(kustomization.folder, reference.target))
        if real is not None and real in repo.entries:
            folders[dirname(real)] += 1
    for folder, count in folders.items():
        names = repo.folders.get(folder, ())
        if folder == kustomization.folder or count < _MANY or any(name in names for name in FILE_NAMES):
            continue
        left = [n for n in names if n.endswith((".yaml", ".yml")) and join(folder, n) not in reached]
        if len(left) == 1 and left[0] not in written and not _SET_ASIDE.search(left[0]):
            found = _manifest(graph, join(folder, left[0]))
            if found is not None:
                place = kustomization.location.key_at("resources")
                yield _hit(
                    place, join(folder, left[0]), with_article(found[1]), "resources", join(folder, left[0])
                )


def folder_not_listed(graph: Graph, params: Params) -> Iterator[Hit]:
    """Folders that the kustomization above them leaves out, where it lists all their siblings: those with a kustomization,
    and those with a file that it lists from each of the others.
    """
    repo = graph.repo
    listing = kustomizations(repo)
    yield from _file_of_each_folder(graph, listing)
    listed = {k.folder: _listed(graph, [k]) for k in listing}
    by_folder = {kustomization.folder: kustomization for kustomization in listing}
    pulled = {delivery.source.path for delivery in graph.deliveries if delivery.agent in ("flux", "argocd")}
    for folder, kustomization in by_folder.items():
        here = kustomization.location.file
        if not graph.is_live(here) or is_aside(here) or is_parked(here) or _VENDORED.search(f"{folder}/"):
            continue
        children = [child for child in by_folder if child and dirname(child) == folder and child != folder]
        left = [child for child in children if not any(child in listed[k] for k in by_folder)]
        if len(left) != 1 or len(children) <= _MANY or basename(left[0]) in repo.text(here):
            continue
        child = by_folder[left[0]]
        others = (
            path for k, paths in listed.items() if not f"{k}/".startswith(f"{left[0]}/") for path in paths
        )
        inside = any((path or "").startswith(f"{left[0]}/") for path in (*others, *pulled))
        if left[0] in pulled or inside or child.is_component or _SET_ASIDE.search(basename(left[0])):
            continue
        if not is_parked(child.location.file):
            what = "a folder with a kustomization"
            place = kustomization.location.key_at("resources")
            yield _hit(place, basename(left[0]), what, "resources", child.location.file)


def _file_of_each_folder(graph: Graph, listing: list[Kustomization]) -> Iterator[Hit]:
    """A file such as `web/ks.yaml` of the only folder whose file of that name is not listed."""
    repo = graph.repo
    everything = _listed(graph, listing)
    for kustomization in listing:
        here = kustomization.location.file
        if not graph.is_live(here) or is_aside(here) or is_parked(here) or _VENDORED.search(here):
            continue
        folders: dict[str, set[str]] = defaultdict(set)
        for reference in references(kustomization):
            folder, name = split(reference.target.removeprefix("./"))
            if folder and "/" not in folder and folder != ".." and name.endswith((".yaml", ".yml")):
                folders[name].add(folder)
        for name, known in folders.items():
            if len(known) <= _MANY:
                continue
            base = f"{kustomization.folder}/" if kustomization.folder else ""
            beside = {
                dirname(p.removeprefix(base))
                for p in repo.files
                if p.startswith(base) and basename(p) == name
            }
            left = [f for f in beside - known if f and "/" not in f and join(base, f, name) not in everything]
            if len(left) == 1 and left[0] not in repo.text(here) and not _SET_ASIDE.search(left[0]):
                file = join(base, left[0], name)
                found = _manifest(graph, file)
                if found is not None and not is_parked(file):
                    listed = Change("add", kustomization.location.at("resources"), f"./{left[0]}/{name}")
                    place = kustomization.location.key_at("resources")
                    what = with_article(found[1])
                    yield _hit(place, f"{left[0]}/{name}", what, "resources", file, listed)


def _manifest(graph: Graph, path: str) -> tuple[str, str] | None:
    """apiVersion and kind of a file's first object, or of the ExternalSecret in it, where all its documents are whole
    objects.
    """
    documents = (
        [d for d in graph.repo.documents(path) if d.data is not None] if path in graph.repo.entries else []
    )
    found = list(graph.repo.objects(path)) if documents else []
    if not found or len(found) < len(documents) or graph.repo.entries[path].target is not None:
        return None
    if any(not r.ref.name or "config.k8s.io" in r.ref.api_version or len(r.data) < 3 for r in found):
        return None
    told = next((r.ref for r in found if r.ref.kind == "ExternalSecret"), found[0].ref)
    return told.api_version, told.kind
