"""What an agent writes into a kustomization before it builds: the options of a Kustomization or Application.

Flux: the generator of fluxcd/pkg/kustomize. Argo CD: `kustomize edit` as its repo-server calls it. Both
change the kustomization of the delivery's own path and no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from posixpath import join, normpath, relpath
from typing import Any, TypeVar

from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.kustomize.model import FILE_NAMES, VERSIONS, BuildClass, Kustomization, Problem, find
from gitops_layout.model import Location, Path
from gitops_layout.render.environment import Environment
from gitops_layout.render.fluxtexts import texts
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["Overridden", "generated", "overridden", "post_rendering", "told"]

Place = TypeVar("Place")

_HEADER = {"apiVersion": VERSIONS["Kustomization"], "kind": "Kustomization"}


def generated(repo: Repo, folder: str) -> Kustomization:
    """The kustomization that Flux makes for a folder without one: every manifest below it, and folders
    that have a kustomization of their own as they are; hidden ones too, as far as the artifact holds them.
    """
    resources = [relpath(path, folder or ".") for path in _scan(repo, folder)]
    data = {**_HEADER, "resources": resources}
    return Kustomization(folder, join(folder, FILE_NAMES[0]), data)


def _scan(repo: Repo, root: str) -> Iterator[str]:
    """Manifests and kustomizations below `root`, each folder before the names that follow it."""
    waiting = [join(root, name) for name in reversed(repo.folders.get(root, ()))]
    while waiting:
        path = waiting.pop()
        if path not in repo.folders:
            if is_yaml(path) and not path.endswith(".json") and repo.is_file(path):
                yield path
        elif isinstance(find(repo, path), Kustomization):
            yield path
        else:
            waiting += [join(path, name) for name in reversed(repo.folders[path])]


@dataclass(frozen=True, slots=True)
class Overridden:
    """A kustomization as the agent makes it, and where what it wrote there stands in the agent's object (or what it
    moved, in the file).
    """

    content: bytes
    written: Mapping[Path, Location]


def overridden(repo: Repo, delivery: Delivery, own: Kustomization) -> Overridden | Problem | None:
    """The delivery's kustomization with the agent's options written into it; None where there are none.

    A Problem where the agent cannot write them.
    """
    written: dict[Path, Path] = {}
    kept: dict[Path, Path] = {}
    if delivery.agent == "flux":
        read_so = texts(own.data, partial(_spelling, repo, own.file))
        bare = own.file in repo.entries and not read_so.get("resources")
        if read_so is own.data and not delivery.options and not bare:
            return None
        data, before = dict(read_so), _frozen(own.data)
        if bare:  # Flux's way to have kustomize take even one that is empty
            data["buildMetadata"] = ["originAnnotations"]
        components = _list(delivery.options, "components")
        abroad = next((index for index, path in enumerate(components) if _is_abroad(path)), None)
        if abroad is not None:
            why = f"component {components[abroad]} is no path in the source, and Flux takes no other"
            return Problem(BuildClass.SCHEMA, why, _standing(delivery, ("components", abroad)))
        _flux(data, delivery.options, repo, own.folder, written)
        return _changed(delivery, own, (data, before), written, kept)
    stream = read(repo.content(own.file), own.file, mode="kustomize") if own.file in repo.entries else None
    data = dict(stream.documents[0].data) if stream is not None and stream.documents else dict(own.data)
    before = _frozen(data)
    if (path := _no_text(_mapping(delivery.options, "kustomize"))) is not None:
        name = ".".join(map(str, path))
        why = f"{name} is no text, so the API server refuses the Application: put it in quotes"
        return Problem(BuildClass.SCHEMA, why, delivery.place("kustomize", "path").at(*path))
    if (refused := _argocd(data, delivery, repo, own.folder, written, kept)) is not None:
        return Problem(BuildClass.OTHER, refused, delivery.place("kustomize", "path"))
    return _changed(delivery, own, (data, before), written, kept)


def _frozen(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True)


def _spelling(repo: Repo, file: str, path: Path) -> str:
    documents = repo.documents(file) if file in repo.entries else ()
    node = documents[0].find(path) if documents else None
    return repo.text(file)[node.start : node.end] if node is not None else ""


def _changed(
    delivery: Delivery,
    own: Kustomization,
    data: tuple[dict[str, Any], str],
    written: Mapping[Path, Path],
    kept: Mapping[Path, Path],
) -> Overridden | None:
    """What became of the data; None where it is as before."""
    after, before = data
    if _frozen(after) == before:
        return None
    content = json.dumps(after, ensure_ascii=False).encode()
    places = {path: own.location.at(*there) for path, there in kept.items()}
    return Overridden(content, places | {path: _standing(delivery, there) for path, there in written.items()})


def _standing(delivery: Delivery, path: Path) -> Location:
    """The place of an option in the agent's object, as the render that made it knows."""
    if delivery.agent == "argocd":
        return delivery.place("kustomize", "path").at(*path)
    if delivery.kind != "Kustomization":
        return delivery.root  # a FluxInstance: its patches change the Kustomization that it makes
    return delivery.standing("spec", *path)


_ABROAD = ("git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/")


def _is_abroad(path: Any) -> bool:
    """Whether Flux takes a component for one outside the source's artifact."""
    text = path.lower() if isinstance(path, str) else ""
    return text.startswith(_ABROAD) or text.removeprefix("file://").startswith("/")


def _flux(
    data: dict[str, Any], options: Mapping[str, Any], repo: Repo, folder: str, written: dict[Path, Path]
) -> None:
    for option, name in (
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ):
        if options.get(option):
            data[name] = options[option]
            written[name,] = (option,)
    _appended(data, options, "patches", written)
    for index, path in enumerate(_list(options, "components")):
        if options.get("ignoreMissingComponents") is True and not _existing(repo, folder, [path]):
            continue
        mine = _list(data, "components")
        written["components", len(mine)] = ("components", index)
        data["components"] = [*mine, path]
    _old_patches(data, options, written)
    _merged_images(data, _list(options, "images"), written)
    if _list(options, "buildMetadata"):  # it replaces the kustomization's own; an empty list leaves that
        data["buildMetadata"] = _list(options, "buildMetadata")
        written["buildMetadata",] = ("buildMetadata",)


def _appended(data: dict[str, Any], options: Mapping[str, Any], name: str, written: dict[Path, Path]) -> None:
    mine, added = _list(data, name), _list(options, name)
    if added:
        data[name] = [*mine, *added]
    for index, item in enumerate(added):
        written[name, len(mine) + index] = (name, index)
        if isinstance(item, dict):
            written |= {(name, len(mine) + index, key): (name, index, key) for key in item}


_POST_RENDERED = {"patches": ("patch", "target"), "images": ("name", "newName", "newTag", "digest")}
"""What a post-renderer's patches and images consist of: the API server drops all else."""


def post_rendering(
    options: Mapping[str, Any], resource: str, *, betas: bool
) -> tuple[dict[str, Any], Mapping[Path, Path]]:
    """The kustomization by which a post-renderer of a HelmRelease is carried out on a file, and where among the options
    its fields stand. Only the `betas` of the API know the older fields for patches.
    """
    data: dict[str, Any] = {**_HEADER, "resources": [resource]}
    written: dict[Path, Path] = {}
    for name, fields in _POST_RENDERED.items():
        known = [
            {key: item[key] for key in fields if key in item} if isinstance(item, dict) else item
            for item in _list(options, name)
        ]
        _appended(data, {name: known}, name, written)
    if betas:
        _old_patches(data, options, written)
    return data, written


def told(written: Mapping[Path, Place], path: Path) -> tuple[Place, Path] | None:
    """What is known of the longest part of a path of which anything is known, and the rest of the path."""
    lengths = range(len(path), 0, -1)
    found = next((n for n in lengths if path[:n] in written), None)
    return None if found is None else (written[path[:found]], path[found:])


def _old_patches(data: dict[str, Any], options: Mapping[str, Any], written: dict[Path, Path]) -> None:
    """The patches of the first APIs, objects where kustomize has texts."""
    for index, patch in enumerate(_list(options, "patchesStrategicMerge")):
        mine = _list(data, "patchesStrategicMerge")
        there: Path = ("patchesStrategicMerge", index)
        written |= dict.fromkeys(((there[0], len(mine)), (there[0], len(mine), 0)), there)
        data["patchesStrategicMerge"] = [*mine, json.dumps(patch, ensure_ascii=False)]
    for index, patch in enumerate(_list(options, "patchesJson6902")):
        mine = _list(data, "patchesJson6902")
        there = ("patchesJson6902", index)
        written[there[0], len(mine)] = there
        written[there[0], len(mine), "patch", 0] = (*there, "patch")
        operations = json.dumps(at(patch, "patch"), ensure_ascii=False)
        data["patchesJson6902"] = [*mine, {"target": at(patch, "target"), "patch": operations}]


def _merged_images(data: dict[str, Any], wanted: list[Any], written: dict[Path, Path]) -> None:
    """Flux changes the entry for an image where there is one: a new name keeps the tag, a new tag or digest replaces
    both.
    """
    images = list(_list(data, "images"))
    for index, image in enumerate(wanted):
        if not isinstance(image, dict):
            continue
        known = next((n for n, item in enumerate(images) if at(item, "name") == image.get("name")), None)
        if known is None:
            written["images", len(images)] = ("images", index)
            written |= {("images", len(images), key): ("images", index, key) for key in image}
            images.append(image)
            continue
        named = {key: image[key] for key in ("newName", "newTag", "digest") if image.get(key)}
        tagged = named.keys() & {"newTag", "digest"}
        kept = {
            key: value
            for key, value in images[known].items()
            if not tagged or key not in ("newTag", "digest")
        }
        images[known] = {**kept, **named}
        written |= {("images", known, key): ("images", index, key) for key in named}
    if images:
        data["images"] = images


def _argocd(
    data: dict[str, Any],
    delivery: Delivery,
    repo: Repo,
    folder: str,
    written: dict[Path, Path],
    kept: dict[Path, Path],
) -> str | None:
    """The options of an Application as `kustomize edit` writes them; why it refuses to, if it does. What it writes and
    what of the kustomization it puts in another place is noted.
    """
    options = _mapping(delivery.options, "kustomize")
    substitute = Environment(delivery, repo).substitute
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if options.get(name) and isinstance(options[name], str):
            data[name] = options[name]
            written[name,] = (name,)
    images = [substitute(text) for text in _list(options, "images") if isinstance(text, str)]
    if (bare := next((text for text in images if not _names_change(text)), None)) is not None:
        return f"`kustomize edit set image` refuses {bare!r}, which sets no name, tag or digest"
    _images(data, [_image(text) for text in images], written, kept)
    if _list(options, "replicas"):
        data["replicas"] = _replicas(_list(data, "replicas"), _list(options, "replicas"), written, kept)
    labels = {name: substitute(value) for name, value in _texts(options, "commonLabels").items()}
    annotations = _texts(options, "commonAnnotations")
    if options.get("commonAnnotationsEnvsubst") is True:
        annotations = {name: substitute(value) for name, value in annotations.items()}
    labelled: dict[Path, Path] = {}
    refused = _labelled(data, labels, options, labelled) or _added(
        data, "commonAnnotations", annotations, force=options.get("forceCommonAnnotations") is True
    )
    if refused is not None:
        return refused
    written |= labelled
    written |= {("commonAnnotations", name): ("commonAnnotations", name) for name in annotations}
    _appended(data, options, "patches", written)
    if options.get("ignoreMissingComponents") is True:
        options = {**options, "components": _existing(repo, folder, _list(options, "components"))}
    _components(data, options, folder)
    return None


def _no_text(options: Mapping[str, Any]) -> Path | None:
    """The first option that is none of the texts that Argo CD's CRD asks for."""
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if not isinstance(options.get(name), str | None):
            return (name,)
    for name in ("commonLabels", "commonAnnotations"):
        for key, value in _mapping(options, name).items():
            if not isinstance(value, str):
                return name, key
    for index, image in enumerate(_list(options, "images")):
        if not isinstance(image, str):
            return "images", index
    return None


def _texts(options: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: value for key, value in _mapping(options, name).items() if isinstance(value, str)}


def _replicas(
    mine: list[Any], wanted: list[Any], written: dict[Path, Path], kept: dict[Path, Path]
) -> list[Any]:
    """Replica counts by name, those of the Application over the kustomization's; text that is a number is one."""
    found = {str(at(item, "name")): item for item in mine}
    places = {str(at(item, "name")): (kept, index) for index, item in enumerate(mine)}
    for index, item in enumerate(wanted):
        count = at(item, "count")
        if isinstance(count, str) and count.lstrip("-").isdecimal() and len(count) < 12:
            count = int(count)
        found[str(at(item, "name"))] = {"name": at(item, "name"), "count": count}
        places[str(at(item, "name"))] = (written, index)
    for number, name in enumerate(sorted(found)):
        where, index = places[name]
        where["replicas", number] = ("replicas", index)
    return [found[name] for name in sorted(found)]


def _labelled(
    data: dict[str, Any], labels: Mapping[str, str], options: Mapping[str, Any], written: dict[Path, Path]
) -> str | None:
    force, templates = options.get("forceCommonLabels") is True, options.get("labelIncludeTemplates") is True
    if options.get("labelWithoutSelector") is not True:
        if templates and labels:
            return "labelIncludeTemplates needs labelWithoutSelector"
        written |= {("commonLabels", name): ("commonLabels", name) for name in labels}
        return _added(data, "commonLabels", labels, force=force)
    if not labels:
        return None
    entries = [dict(item) if isinstance(item, dict) else item for item in _list(data, "labels")]
    fitting = (
        item
        for item in entries
        if isinstance(item, dict)
        and item.get("includeSelectors") is not True
        and (item.get("includeTemplates") is True) == templates
    )
    entry = next(fitting, None)
    if entry is None:
        entry = {"includeSelectors": False, "includeTemplates": templates}
        entries.append(entry)
    data["labels"] = entries
    index = next(n for n, item in enumerate(entries) if item is entry)
    written |= {("labels", index, "pairs", name): ("commonLabels", name) for name in labels}
    return _added(entry, "pairs", labels, force=force)


def _added(data: dict[str, Any], field: str, wanted: Mapping[str, str], *, force: bool) -> str | None:
    """Add labels or annotations; one that is there already is refused without force."""
    mine = _mapping(data, field)
    twice = sorted(mine.keys() & wanted.keys())
    if twice and not force:
        return f"the kustomization has {twice[0]} already; set the option that forces it, or leave it to one of them"
    if wanted:
        data[field] = {**mine, **wanted}
    return None


def _existing(repo: Repo, folder: str, components: list[Any]) -> list[str]:
    """The components that are there; whether they can be built is not asked."""
    return [
        path for path in components if isinstance(path, str) and repo.resolve(join(folder, path)) is not None
    ]


def _image(text: str) -> dict[str, str]:
    """`[name=]newName[:tag][@digest]`, as `kustomize edit set image` takes it."""
    name, separator, value = text.partition("=")
    target, _, digest = (value if separator else name).partition("@")
    colon = target.rfind(":")
    tag = target[colon + 1 :] if colon > target.rfind("/") else ""
    new_name = target[:colon] if tag else target
    renamed = bool(separator and name)
    image = {"name": name if renamed else new_name}
    if renamed:
        image["newName"] = new_name
    if tag:
        image["newTag"] = tag
    if digest:
        image["digest"] = digest
    return image


def _names_change(text: str) -> bool:
    return "=" in text or _image(text)["name"] != text


_KEPT = "*"
"""As a new name, tag or digest: the kustomization's own stays, if it has one."""


def _images(
    data: dict[str, Any], wanted: list[dict[str, str]], written: dict[Path, Path], kept: dict[Path, Path]
) -> None:
    """The images as `kustomize edit set image` leaves them: by name, of several for one the last that is wanted and the
    first that is there.
    """
    if not wanted:
        return
    found: dict[str, dict[str, Any]] = {image["name"]: image for image in wanted}
    told = {image["name"]: index for index, image in enumerate(wanted)}
    mine: dict[str, int] = {}
    for index, item in enumerate(_list(data, "images")):
        if isinstance(item, dict):
            name = str(item.get("name"))
            mine.setdefault(name, index)
            found[name] = _preserved(found[name], item) if name in found else item
    data["images"] = [_preserved(found[name], {}) for name in sorted(found)]
    for number, name in enumerate(sorted(found)):
        if name not in told:
            kept["images", number] = ("images", mine[name])
            continue
        written["images", number] = ("images", told[name])
        for key, value in wanted[told[name]].items():  # one text says them all
            if value != _KEPT:
                written["images", number, key] = ("images", told[name])
            elif name in mine:
                kept["images", number, key] = ("images", mine[name], key)


def _preserved(image: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: present.get(key) if value == _KEPT else value for key, value in image.items()}
    return {key: value for key, value in filled.items() if value is not None}


def _components(data: dict[str, Any], options: Mapping[str, Any], folder: str) -> None:
    """`kustomize edit add component`: what is listed already is not listed again."""
    for component in _list(options, "components"):
        if isinstance(component, str) and "://" not in component and not component.startswith("/"):
            component = relpath(normpath(join(folder, component)), folder or ".")
        if isinstance(component, str) and component not in _list(data, "components"):
            data["components"] = [*_list(data, "components"), component]


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []
