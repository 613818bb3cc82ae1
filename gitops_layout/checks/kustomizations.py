"""Checks of kustomization files: what they name, how they are called, which fields they use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join, normpath
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.inflated import values_missing
from gitops_layout.checks.plugins import generated_from
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.secrets import secret_form
from gitops_layout.kustomize.model import (
    FILE_NAMES,
    GROUP,
    BuildClass,
    Kustomization,
    Problem,
    find,
    is_remote,
    mappings,
    references,
)
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Change, Hit, Location, Related, Span, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.render.steps import NOT_SET
from gitops_layout.repo.model import Repo, folders_above, is_template, is_yaml

__all__ = [
    "build_fails",
    "deprecated_field",
    "misnamed",
    "reference_missing",
    "remote_unpinned",
    "secret_generator",
    "two_in_folder",
]

_OPEN = regexp(r"\$\{|\{\{|<[A-Z_]+>")

Params = Mapping[str, Any]


def _folders(repo: Repo) -> Iterator[str]:
    for folder, names in sorted(repo.folders.items()):
        if any(name in names for name in FILE_NAMES):
            yield folder


def _kustomizations(repo: Repo) -> Iterator[Kustomization]:
    for folder in _folders(repo):
        found = find(repo, folder)
        if isinstance(found, Kustomization):
            yield found


_walked: list[tuple[Graph, tuple[Problem, ...]]] = []


def _problems(graph: Graph) -> tuple[Problem, ...]:
    """What keeps any kustomization from being built, once a place; all rules of one run share it."""
    if not _walked or _walked[0][0] is not graph:
        entered: set[str] = set()
        found: dict[Location, Problem] = {}
        for folder in _folders(graph.repo):
            if folder not in entered:
                closure = walk(graph.repo, folder)
                entered |= {kustomization.folder for kustomization in closure.kustomizations}
                for problem in closure.problems:
                    found.setdefault(problem.location, problem)
        _walked[:] = [(graph, tuple(found.values()))]
    return _walked[0][1]


def reference_missing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Files and folders that a kustomization names and the repository lacks."""
    made = _made_by_plugins(graph)
    for problem in _problems(graph):
        place = problem.location
        missing = problem.kind is BuildClass.MISSING and dirname(place.file) not in made
        if missing and not _OPEN.search(problem.why) and not _is_fragment(graph, dirname(place.file)):
            named = _misnamed_there(graph.repo, problem)
            told = f"; {basename(named)} there is one by content" if named is not None else ""
            related = () if named is None else (Related(Location(named), "kustomize does not read it"),)
            yield Hit(place, {"problem": f"{problem.why}{told}"}, related)
    for place, named, target, real in generated_from(graph.repo):
        if real is None and not _OPEN.search(target):
            yield Hit(place, {"problem": f"{target}, which {named} reads, does not exist"})
    for place, why in values_missing(graph.repo):
        yield Hit(place, {"problem": why})


def _is_fragment(graph: Graph, folder: str) -> bool:
    """Whether a kustomization that nothing reads is meant to be copied over another one: it lies alone in its folder,
    and a folder of the same name elsewhere has all that it names.
    """
    repo = graph.repo
    found = find(repo, folder)
    if not isinstance(found, Kustomization) or len(repo.folders[folder]) > 1 or graph.is_live(found.file):
        return False
    targets = [reference.target for reference in references(found)]
    return any(
        other != folder and all(repo.resolve(normpath(join(other, target))) for target in targets)
        for other in repo.folders
        if basename(other) == basename(folder)
    )


_NOT_THE_AUTHORS = regexp(r"spec/volumes\[\]/image|is empty")
"""What one release of kustomize refuses and another builds, and placeholders of what is to come."""


def _component(repo: Repo, delivery: Delivery, why: str) -> Location | None:
    """The kind of the kustomization that an agent's object lists as a component, and that is none."""
    folder = repo.resolve(normpath(join(delivery.source.path or "", why.partition(" is a ")[0])))
    found = find(repo, folder) if folder is not None else None
    return found.location.at("kind") if isinstance(found, Kustomization) else None


_WE_ALONE = "kustomize alone reads it so"
"""What kustomize takes and we refuse is not the author's mistake."""


def _explained(why: str) -> bool:
    """Whether the place is what kustomize refuses; a key that stands twice is told as that."""
    return "(kustomize: " in why and "stands twice" not in why


def _over_helm(repo: Repo, place: Location) -> bool:
    """Whether patches may be meant for what helm makes: Fleet's are, and those beside a chart."""
    return any(
        {"fleet.yaml", "Chart.yaml"} & set(repo.folders.get(folder, ()))
        for folder in folders_above(place.file)
        if folder
    )


def build_fails(graph: Graph, params: Params) -> Iterator[Hit]:
    """What else stops a build: problems of the classes `kinds`, and with `rest` what only the build itself says."""
    kinds = frozenset(params["kinds"])
    seen: set[Location] = set()
    for problem in _problems(graph):
        seen.add(problem.location)
        if _unreadable(graph.repo, problem.location.file):
            continue  # D001 says so
        if problem.kind not in kinds or _OPEN.search(problem.why) or problem.why.endswith(_WE_ALONE):
            continue
        if graph.is_live(problem.location.file) or not is_template(graph.repo, problem.location.file):
            yield Hit(problem.location, {"problem": problem.why})
    if params.get("rest"):
        yield from _halved_patches(graph.repo)
    if params.get("rest") or "outside" in kinds:
        yield from _of_builds(graph, seen, outside="outside" in kinds)


def _of_builds(graph: Graph, seen: set[Location], *, outside: bool) -> Iterator[Hit]:
    """What only the build says, at places that are not `seen`; or, instead, what lies `outside` its folder."""
    for delivery in graph.deliveries:
        failure = graph.rendered[delivery.id].failure
        if failure is None or failure.kind is not UncheckedClass.BROKEN or delivery.renderer != "kustomize":
            continue
        if (_BEYOND.search(failure.why) is None) == outside:
            continue
        if outside:
            yield from _beyond(graph.repo, delivery, failure.why)
            continue
        if NOT_SET in failure.why or "include each other" in failure.why:
            continue  # F005's and K011's
        place = failure.location
        if failure.why.endswith("listed under components") and delivery.options.get("components"):
            place = _component(graph.repo, delivery, failure.why) or place
        named = place is not None and (
            basename(place.file) in FILE_NAMES
            or (_explained(failure.why) and not _over_helm(graph.repo, place))
        )
        if place is None or not named or place in seen or _unreadable(graph.repo, place.file):
            continue
        if not _NOT_THE_AUTHORS.search(failure.why):
            yield Hit(place, {"problem": failure.why})


def _unreadable(repo: Repo, file: str) -> bool:
    return is_yaml(file) and bool(repo.stream(file).problems)


_BEYOND = regexp(r"security; file|is not in or below")
"""How kustomize refuses a file that is not below the kustomization which names it: Argo CD leaves that switched on."""


def _beyond(repo: Repo, delivery: Delivery, why: str) -> Iterator[Hit]:
    """The reference that kustomize spoke of."""
    for kustomization in walk(repo, delivery.source.path or "").kustomizations:
        for reference in references(kustomization):
            named = rf"(?<![\w./-]){re.escape(reference.target)}(?![\w/.-])"
            if ".." in reference.target and re.search(named, why):
                what = f"{reference.target} is not below the folder of this kustomization, and {delivery.name} may not read it"
                yield Hit(reference.location, {"problem": what})
                return


def _halved_patches(repo: Repo) -> Iterator[Hit]:
    """Files of JSON patches in several documents: kustomize reads the first and leaves out the rest without a word."""
    seen: set[str] = set()
    for kustomization in _kustomizations(repo):
        for field in ("patches", "patchesJson6902"):
            for patch, _ in mappings(kustomization.data, field):
                path = patch.get("path")
                file = repo.resolve(join(kustomization.folder, path)) if isinstance(path, str) else None
                if file is None or file in seen or file not in repo.entries:
                    continue
                seen.add(file)
                documents = [d for d in repo.documents(file) if d.data is not None]
                if len(documents) > 1 and all(isinstance(document.data, list) for document in documents):
                    line = _separator(repo.text(file), documents[1].span(()).line)
                    place = Location(file, span=Span(line, 1, line, 4, 0, 0))
                    count = len(documents)
                    yield Hit(
                        place, {"problem": f"of {count} documents in a JSON patch kustomize reads the first"}
                    )


def _separator(text: str, line: int) -> int:
    """The line that begins a document whose first value stands on `line`."""
    lines = text.split("\n")
    return next((n for n in range(line, 0, -1) if lines[n - 1].startswith("---")), line)


def _made_by_plugins(graph: Graph) -> set[str]:
    """Folders for which a config management plugin writes files before kustomize runs.

    An Application says so, or a chart stands beside the kustomization: its output is what is missing.
    """
    found = {folder for folder in _folders(graph.repo) if "Chart.yaml" in graph.repo.folders[folder]}
    for delivery in graph.deliveries:
        spec = delivery.object.get("spec")
        source = spec.get("source") if isinstance(spec, dict) else None
        if isinstance(source, dict) and "plugin" in source and isinstance(source.get("path"), str):
            found.add(source["path"].strip("/"))
    return found


def two_in_folder(graph: Graph, params: Params) -> Iterator[Hit]:
    """Folders with more than one kustomization file."""
    for folder in _folders(graph.repo):
        found = find(graph.repo, folder)
        if isinstance(found, Problem) and found.kind is BuildClass.AMBIGUOUS:
            names = [name for name in FILE_NAMES if name in graph.repo.folders[folder]]
            others = tuple(Related(Location(join(folder, name)), "the other one") for name in names[1:])
            yield Hit(Location(join(folder, names[0])), {"names": " and ".join(names)}, others)


_MISNAMED = regexp(r"(kustomi[sz]ations?|kustomi[sz]e)\.ya?ml", re.IGNORECASE)


def misnamed(graph: Graph, params: Params) -> Iterator[Hit]:
    """Files that are kustomizations by content and near-misses by name, where no well-named one stands."""
    for path in graph.repo.files:
        name, folder = basename(path), dirname(path)
        if _is_misnamed(graph.repo, folder, name):
            yield Hit(Location(path), {"name": name})


def _is_misnamed(repo: Repo, folder: str, name: str) -> bool:
    if name in FILE_NAMES or not _MISNAMED.fullmatch(name) or not is_yaml(name.lower()):
        return False
    if any(known in repo.folders[folder] for known in FILE_NAMES):
        return False
    documents = repo.documents(join(folder, name))
    return bool(documents) and _is_kustomization(documents[0].data)


def _misnamed_there(repo: Repo, problem: Problem) -> str | None:
    """The misnamed kustomization of the folder that a kustomization names and that has no other one."""
    if problem.kind is not BuildClass.MISSING or not problem.why.endswith(_NONE_THERE):
        return None
    folder = problem.why.removesuffix(_NONE_THERE)
    found = [name for name in repo.folders.get(folder, ()) if _is_misnamed(repo, folder, name)]
    return join(folder, found[0]) if found else None


_NONE_THERE = " has no kustomization.yaml"


def _is_kustomization(data: object) -> bool:
    match data:
        case {"apiVersion": str(version), "kind": "Kustomization" | "Component"}:
            return version.startswith(GROUP)
        case {"apiVersion": _} | {"kind": _}:
            return False
        case {"resources": list()}:
            return True
        case _:
            return False


_DEPRECATED = {
    "bases": "list the folders under `resources`",
    "commonLabels": "use `labels`, with `includeSelectors: true` where selectors must keep the labels",
    "imageTags": "use `images`",
    "patchesJson6902": "use `patches`",
    "patchesStrategicMerge": "use `patches`",
    "vars": "use `replacements`",
}


def deprecated_field(graph: Graph, params: Params) -> Iterator[Hit]:
    """Fields that kustomize keeps only for old files."""
    for kustomization in _kustomizations(graph.repo):
        for name, instead in _DEPRECATED.items():
            if name in kustomization.data:
                values = {"field": name, "instead": instead, "subject": name}
                yield Hit(
                    kustomization.location.key_at(name),
                    values,
                    changes=tuple(_of_today(graph.repo, kustomization, name)),
                )


_AFTER = frozenset(
    {"namespace", "namePrefix", "nameSuffix", "labels", "commonLabels", "commonAnnotations", "patchesStrategicMerge"}
)  # fmt: skip
"""What kustomize does between `patches` and `patchesJson6902`."""


def _of_today(repo: Repo, kustomization: Kustomization, name: str) -> Iterator[Change]:
    """The field as kustomize would have it written today, where that builds the same objects for certain."""
    data, here = kustomization.data, kustomization.location
    value = data.get(name)
    match name:
        case "bases" if isinstance(value, list) and "resources" in data:
            yield from (Change("add", here.at("resources"), item) for item in value)
            yield Change("remove", here.at(name))
        case "bases":
            yield Change("rename", here.at(name), "resources")
        case "commonLabels" if "labels" not in data:
            yield Change("nest", here.at(name), ("labels", {"includeSelectors": True}, "pairs"))
        case "patchesJson6902" if not _AFTER & data.keys() and "patches" not in data:
            yield Change("rename", here.at(name), "patches")
        case "patchesStrategicMerge" if isinstance(value, list) and "patches" not in data:
            if all(isinstance(item, str) and _means_the_same(repo, kustomization, item) for item in value):
                yield Change("rename", here.at(name), "patches")
                yield from (Change("wrap", here.at(name, n), "path") for n in range(len(value)))


def _means_the_same(repo: Repo, kustomization: Kustomization, item: str) -> bool:
    """Whether `patches` takes a file as `patchesStrategicMerge` does: of several documents only newer releases do, and
    a null for what is not there is written down by the one and passed over by the other.
    """
    file = repo.resolve(join(kustomization.folder, item)) if "\n" not in item else None
    documents = repo.documents(file) if file is not None and file in repo.entries else ()
    return len(documents) == 1 and not _has_null(documents[0].data)


def _has_null(data: Any) -> bool:
    if isinstance(data, dict | list):
        return any(map(_has_null, data.values() if isinstance(data, dict) else data))
    return data is None


_MOVING = regexp(
    r"(main|master|head|develop|development|dev|trunk|stable|latest|edge|next|nightly|release)$",
    re.IGNORECASE,
)
_REF = regexp(r"[?&](?:ref|version)=([^&]*)")
_RAW = regexp(
    r"https?://(?:raw\.githubusercontent\.com/[^/]+/[^/]+|[^/]+/[^/]+/[^/]+/(?:-/)?(?:raw|blob))/(?:refs/(?:heads|tags)/)?([^/]+)/"
)
_VERSION = regexp(r"\d+\.\d+|v\d+|[0-9a-f]{12,}")


def remote_unpinned(graph: Graph, params: Params) -> Iterator[Hit]:
    """Remote bases and files that follow a branch, or say no revision at all."""
    for kustomization in _kustomizations(graph.repo):
        for reference in references(kustomization):
            local = graph.repo.resolve(join(kustomization.folder, reference.target))
            if local is not None or not is_remote(reference.target) or _OPEN.search(reference.target):
                continue
            why = _why_unpinned(reference.target)
            if why is not None:
                values = {"target": reference.target, "why": why, "subject": reference.target}
                yield Hit(reference.location, values)


def _why_unpinned(target: str) -> str | None:
    if (found := _REF.search(target)) is not None:
        return f"follows {found[1]}" if _MOVING.match(found[1]) or not found[1] else None
    if "/releases/latest/" in target:
        return "follows the latest release"
    if (raw := _RAW.match(target)) is not None:
        return f"follows {raw[1]}" if _MOVING.match(raw[1]) else None
    if target.startswith("http") and target.endswith((".yaml", ".yml", ".json")):
        return None if _VERSION.search(target) else "names no version"
    return "names no ref"


def secret_generator(graph: Graph, params: Params) -> Iterator[Hit]:
    """Credentials in clear that a secretGenerator turns into a Secret."""
    for kustomization in _kustomizations(graph.repo):
        generators = kustomization.data.get("secretGenerator")
        for index, item in enumerate(generators if isinstance(generators, list) else ()):
            if isinstance(item, dict):
                here = kustomization.location.at("secretGenerator", index)
                name = str(item.get("name", ""))
                for place, key, what in _clear(graph.repo, kustomization.folder, item, here):
                    yield Hit(place, {"name": name, "key": key, "what": what, "subject": key})


def _clear(
    repo: Repo, folder: str, generator: dict[str, Any], here: Location
) -> Iterator[tuple[Location, str, str]]:
    for index, literal in enumerate(_texts(generator, "literals")):
        key, _, value = literal.partition("=")
        if secret_form(key, value.strip("'\"")) == "plain":
            yield here.at("literals", index), key, "literal"
    named = [("envs", i, t, t) for i, t in enumerate(_texts(generator, "envs"))]
    named += [("files", i, *_file(t)) for i, t in enumerate(_texts(generator, "files"))]
    for field, index, key, target in named:
        real = repo.resolve(join(folder, target))
        if real is not None and real in repo.entries and _holds_credentials(repo.text(real), key, field):
            yield here.at(field, index), key, f"file {target}"


def _file(text: str) -> tuple[str, str]:
    key, separator, target = text.partition("=")
    return (key, target) if separator else (basename(text), text)


def _texts(data: dict[str, Any], name: str) -> list[str]:
    value = data.get(name)
    return [item if isinstance(item, str) else "" for item in value] if isinstance(value, list) else []


def _holds_credentials(text: str, key: str, field: str) -> bool:
    if "ENC[AES256_GCM" in text or text.startswith(("age-encryption.org", "-----BEGIN PGP MESSAGE")):
        return False
    if field == "files":
        return not text.startswith("#!") and secret_form(key, text) == "plain"
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return any(secret_form(name.strip(), value.strip().strip("'\"")) == "plain" for name, _, value in lines)
