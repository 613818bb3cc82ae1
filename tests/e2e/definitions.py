"""The real definitions of custom resources, out of the Go modules that bring them; none is kept here."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from tools.schemas import DATA, MODULES, module_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

Data = dict[str, Any]

_FLUX_OPERATOR = "flux"  # whose module has Flux's own manifests, too


@cache
def folder(name: str) -> Path:
    """The root of the pinned module that a pack of schemas comes from."""
    with tempfile.TemporaryDirectory() as scratch:
        return module_folder(name, Path(scratch))


def objects(name: str, *globs: str) -> Iterator[Data]:
    """The objects in files of a module."""
    for pattern in globs:
        found = sorted(folder(name).glob(pattern))
        assert found, f"{name} has no {pattern}"
        for path in found:
            yield from _objects(path.read_bytes())


@cache
def flux() -> list[Data]:
    """Flux as its operator installs it, but for what would run in the cluster: definitions, accounts, rights."""
    found = list(objects(_FLUX_OPERATOR, "config/data/flux/v2.9.5/*.yaml"))
    found += objects(_FLUX_OPERATOR, "config/crd/bases/*.yaml")
    kept = {"CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"}
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    return [home, *(_at_home(data, "flux-system") for data in found if data["kind"] in kept)]


def _at_home(data: Data, namespace: str) -> Data:
    if data["kind"] == "ServiceAccount":
        data["metadata"]["namespace"] = namespace
    return data


@cache
def argocd() -> list[Data]:
    """Argo CD as its `cluster-install` sets it up, but for what would run in the cluster."""
    found = objects(
        "argo-cd", "manifests/crds/*-crd.yaml", "manifests/base/*/*.yaml", "manifests/cluster-rbac/*/*.yaml"
    )
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
    namespaced = {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret"}
    kept = {*namespaced, "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
    wanted = [data for data in found if data.get("kind") in kept]
    for data in wanted:
        if data["kind"] in namespaced:
            data["metadata"]["namespace"] = "argocd"
        for subject in data.get("subjects", ()):
            subject["namespace"] = "argocd"
    return [home, *wanted]


def companions(groups: set[str]) -> Iterator[Data]:
    """The definitions of these API groups, of which some have no definitions."""
    packs = json.loads((DATA / "index.json").read_text())["packs"]
    for module in MODULES:
        (held,) = (pack["groups"] for pack in packs if pack["name"] == module.name)
        if module.name not in ("flux", "argo-cd") and groups & set(held):
            for data in objects(module.name, *module.files):
                if data["kind"] == "CustomResourceDefinition" and data["spec"]["group"] in groups:
                    yield data


def _objects(content: bytes) -> Iterator[Data]:
    yield from (item for item in yaml.load_all(content, _Loader) if item)


class _Loader(yaml.CSafeLoader):
    """libyaml's, for which a bare `=` is a string, as it is for Go: definitions have some."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        **yaml.CSafeLoader.yaml_constructors,
        "tag:yaml.org,2002:value": yaml.CSafeLoader.yaml_constructors["tag:yaml.org,2002:str"],
    }
