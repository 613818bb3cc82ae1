"""What an agent writes into a kustomization before it builds: the options of a Kustomization or Application.

Flux: the generator of fluxcd/pkg/kustomize. Argo CD: `kustomize edit` as its repo-server calls it. Both
change the kustomization of the delivery's own path and no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from posixpath import basename, join, normpath, relpath
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.source.reader import read

__all__ = ["generated", "overridden"]

_HEADER = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def generated(repo: Repo, folder: str) -> Kustomization:
    """The kustomization that Flux makes for a folder without one: every manifest below it, and folders
    that have a kustomization of their own as they are (files whose name starts with `.` left out).
    """
    resources = [relpath(path, folder or ".") for path in _scan(repo, folder)]
    data = {**_HEADER, "resources": resources}
    return Kustomization(folder, join(folder, FILE_NAMES[0]), data)


def _scan(repo: Repo, root: str) -> Iterator[str]:
    """Manifests and kustomizations below `root`, each folder before the names that follow it."""
    waiting = [join(root, name) for name in reversed(repo.folders.get(root, ()))]
    while waiting:
        path = waiting.pop()
        if basename(path).startswith("."):
            continue
        if path not in repo.folders:
            if is_yaml(path) and not path.endswith(".json") and repo.is_file(path):
                yield path
        elif isinstance(find(repo, path), Kustomization):
            yield path
        else:
            waiting += [join(path, name) for name in reversed(repo.folders[path])]


def overridden(repo: Repo, delivery: Delivery, own: Kustomization) -> bytes | None:
    """The delivery's kustomization with the agent's options written into it; None where there are none."""
    stream = read(repo.content(own.file), own.file, mode="kustomize") if own.file in repo.entries else None
    data = dict(stream.documents[0].data) if stream is not None and stream.documents else dict(own.data)
    if delivery.agent == "flux":
        changed = _flux(data, delivery.options, own.folder)
    else:
        changed = _argocd(data, _mapping(delivery.options, "kustomize"), own.folder)
    return json.dumps(data, ensure_ascii=False).encode() if changed else None


def _flux(data: dict[str, Any], options: Mapping[str, Any], folder: str) -> bool:
    before = json.dumps(data, sort_keys=True)
    for option, name in (
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ):
        if options.get(option):
            data[name] = options[option]
    for patch in _list(options, "patches"):
        data["patches"] = [*_list(data, "patches"), patch]
    _components(data, options, folder)
    _images(data, _list(options, "images"))
    return json.dumps(data, sort_keys=True) != before


def _argocd(data: dict[str, Any], options: Mapping[str, Any], folder: str) -> bool:
    before = json.dumps(data, sort_keys=True)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if options.get(name):
            data[name] = options[name]
    for name in ("commonLabels", "commonAnnotations"):
        if isinstance(options.get(name), dict):
            data[name] = {**_mapping(data, name), **options[name]}
    for name in ("patches", "replicas"):
        if _list(options, name):
            data[name] = [*_list(data, name), *_list(options, name)]
    _components(data, options, folder)
    _images(data, [_image(text) for text in _list(options, "images") if isinstance(text, str)])
    return json.dumps(data, sort_keys=True) != before


def _image(text: str) -> dict[str, str]:
    """`[name=]newName[:tag][@digest]`, as `kustomize edit set image` takes it."""
    name, separator, value = text.partition("=")
    target, _, digest = (value if separator else name).partition("@")
    colon = target.rfind(":")
    tag = target[colon + 1 :] if colon > target.rfind("/") else ""
    new_name = target[:colon] if tag else target
    image = {"name": name if separator else new_name}
    if separator:
        image["newName"] = new_name
    if tag:
        image["newTag"] = tag
    if digest:
        image["digest"] = digest
    return image


def _images(data: dict[str, Any], wanted: list[Any]) -> None:
    for image in wanted:
        if isinstance(image, dict):
            kept = [item for item in _list(data, "images") if at(item, "name") != image.get("name")]
            data["images"] = [*kept, image]


def _components(data: dict[str, Any], options: Mapping[str, Any], folder: str) -> None:
    """Both agents read component paths relative to the delivery's path."""
    for component in _list(options, "components"):
        if isinstance(component, str) and "://" not in component and not component.startswith("/"):
            path = relpath(normpath(join(folder, component)), folder or ".")
            data["components"] = [*_list(data, "components"), path]
        elif isinstance(component, str):
            data["components"] = [*_list(data, "components"), component]


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []
