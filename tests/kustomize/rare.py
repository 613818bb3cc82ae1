"""Random uses of the rarer fields: variables, configurations, descriptions of kinds, plugins, replacements in files."""

from __future__ import annotations

import json
from random import Random
from typing import Any

__all__ = ["SCHEMA", "rare_fields", "refer", "root_fields"]

Files = dict[str, str | bytes]

CRD = json.dumps({"com.example.v1.Thing": {"Schema": {"properties": {"kind": {}, "apiVersion": {}, "metadata": {}, "spec": {"$ref": "Spec"}}}}, "Spec": {"Schema": {"properties": {"ref": {"x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"}, "id": {"x-kubernetes-identity": ""}, "labels": {"x-kubernetes-label-selector": ""}}}}})  # fmt: skip
SCHEMA = json.dumps({"definitions": {"com.example.v1.Thing": {"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}], "properties": {"metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}, "spec": {"$ref": "#/definitions/S"}}}, "S": {"type": "object", "properties": {"list": {"type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}}})  # fmt: skip
CONFIGURATION: dict[str, list[Any]] = {
    "nameReference": [{"kind": "ConfigMap", "version": "v1", "fieldSpecs": [{"kind": "Thing", "path": "spec/ref/name"}]}],
    "namePrefix": [{"kind": "Thing", "path": "spec/id"}],
    "nameSuffix": [{"kind": "Thing", "path": "spec/fresh", "create": True}],
    "images": [{"kind": "Thing", "path": "spec/image"}],
    "replicas": [{"kind": "Thing", "path": "spec/count", "create": True}],
    "commonLabels": [{"kind": "Thing", "path": "spec/labels", "create": False}],
    "commonAnnotations": [{"kind": "Thing", "path": "spec/notes", "create": True}],
    "labels": [{"kind": "Thing", "path": "spec/more", "create": True}],
    "templateLabels": [{"kind": "Thing", "path": "spec/template", "create": True}],
    "namespace": [{"kind": "Thing", "path": "spec/ns", "create": True}],
    "varReference": [{"kind": "ConfigMap", "path": "data"}, {"kind": "Thing", "path": "spec/list/name"}],
}  # fmt: skip


def refer(rnd: Random, case: str, known: list[dict[str, Any]]) -> None:
    """Put a variable into some objects, where it is replaced if the case declares it."""
    text = rnd.choice([f"$({case})", f"http://$({case}):80", f"$$({case}) $({case}", f"$({case})$({case})"])
    for data in known:
        if rnd.random() < 0.2:
            data["metadata"].setdefault("annotations", {})["variable"] = text
        if data["kind"] == "Deployment" and rnd.random() < 0.4:
            data["spec"]["template"]["spec"]["containers"][0]["args"] = ["--x", text]
        if data["kind"] == "ConfigMap" and rnd.random() < 0.3:
            data.setdefault("data", {})["variable"] = text


def root_fields(rnd: Random) -> dict[str, Any]:
    """Fields that only count in a root."""
    data: dict[str, Any] = {"sortOptions": {"order": "fifo"}}
    if rnd.random() < 0.4:
        data["sortOptions"] = {"order": "legacy", "legacySortOptions": {"orderFirst": ["Thing", "Service"], "orderLast": ["ConfigMap"]}}  # fmt: skip
    if rnd.random() < 0.4:
        data["buildMetadata"] = rnd.choice([["originAnnotations"], ["managedByLabel"], ["originAnnotations", "managedByLabel"]])  # fmt: skip
    if rnd.random() < 0.3:
        data["openapi"] = {"path": "schema.json"}
    return data


def rare_fields(
    rnd: Random, data: dict[str, Any], folder: str, known: list[dict[str, Any]], files: Files
) -> None:
    """Add some of the rarer fields to the kustomization in `folder`, and the files that they name."""
    case = folder.partition("/")[0]
    if known and rnd.random() < 0.12 and not any(f"name: {case}\n" in str(t) for t in files.values()):
        data["vars"] = [_variable(rnd, case, rnd.choice(known))]
        files[f"{folder}/declared.txt"] = f"name: {case}\n"
    if rnd.random() < 0.12:
        chosen = rnd.sample(list(CONFIGURATION), rnd.randint(1, len(CONFIGURATION)))
        files[f"{folder}/rare.config.yaml"] = json.dumps({name: CONFIGURATION[name] for name in chosen})
        data["configurations"] = ["rare.config.yaml"]
    if rnd.random() < 0.08:
        files[f"{folder}/rare.crd.json"] = CRD
        data["crds"] = ["rare.crd.json"]
    if known and rnd.random() < 0.08 and "replacements" not in data:
        one = _replacement(rnd.choice(known), rnd.choice(known))
        files[f"{folder}/rare.replacement.json"] = json.dumps(rnd.choice([one, [one]]))
        data["replacements"] = [{"path": "rare.replacement.json"}]
    if rnd.random() < 0.05:
        data["imageTags"] = [{"name": "nginx", "newTag": "old"}]
    _plugins(rnd, data, folder, known, files)


def _variable(rnd: Random, case: str, target: dict[str, Any]) -> dict[str, Any]:
    reference = {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    if "namespace" in target["metadata"] and rnd.random() < 0.3:
        reference["namespace"] = target["metadata"]["namespace"]
    variable: dict[str, Any] = {"name": case, "objref": reference}
    path = rnd.choice([None, "metadata.name", "kind", "spec.replicas", "spec.id", "spec.list[0].x", "spec.template.spec.containers[0].image"])  # fmt: skip
    if path:
        variable["fieldref"] = {"fieldPath": path}
    return variable


def _replacement(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": {"kind": source["kind"], "name": source["metadata"]["name"]},
        "targets": [{"select": {"kind": target["kind"]}, "fieldPaths": ["metadata.labels.rare"], "options": {"create": True}}],
    }  # fmt: skip


def _transformer(rnd: Random, known: list[dict[str, Any]]) -> dict[str, Any]:
    target = rnd.choice(known) if known else {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}}
    name = target["metadata"]["name"]
    same = {"apiVersion": target["apiVersion"], "kind": target["kind"], "metadata": target["metadata"]}
    patch = json.dumps({**same, "metadata": {k: v for k, v in target["metadata"].items() if k in ("name", "namespace")} | {"labels": {"rare": "y"}}})  # fmt: skip
    operation = "- {op: add, path: /rare, value: {a: [1]}}"
    labels = [{"path": "metadata/labels", "create": True}, {"path": "spec/selector/matchLabels", "kind": "Deployment"}]  # fmt: skip
    names = [{"path": "metadata/name"}, {"path": "spec/id", "kind": "Thing"}]
    return rnd.choice(
        [
            {"kind": "PrefixTransformer", "prefix": "rare-", "fieldSpecs": names},
            {"kind": "SuffixTransformer", "suffix": "-rare", "fieldSpecs": names[:1]},
            {"kind": "PrefixSuffixTransformer", "prefix": "a-", "suffix": "-z", "fieldSpecs": names},
            {"kind": "LabelTransformer", "labels": {"rare": "1"}, "fieldSpecs": labels},
            {"kind": "AnnotationsTransformer", "annotations": {"rare": "1"}, "fieldSpecs": [{"path": "metadata/annotations", "create": True}]},
            {"kind": "NamespaceTransformer", "metadata": {"namespace": "rare"}, "fieldSpecs": []},
            {"kind": "NamespaceTransformer", "metadata": {"namespace": "rare"}, "unsetOnly": rnd.random() < 0.5, "setRoleBindingSubjects": rnd.choice(["none", "allServiceAccounts"])},
            {"kind": "ImageTagTransformer", "imageTag": {"name": "nginx", "newTag": "rare"}, "fieldSpecs": [{"path": "spec/image", "kind": "Thing"}]},
            {"kind": "PatchTransformer", "patch": patch},
            {"kind": "PatchTransformer", "patch": operation, "target": {"kind": target["kind"]}},
            {"kind": "PatchStrategicMergeTransformer", "patches": patch},
            {"kind": "PatchJson6902Transformer", "jsonOp": operation, "target": {"kind": target["kind"], "name": name}},
            {"kind": "ReplacementTransformer", "replacements": [_replacement(target, target)]},
            {"kind": "HashTransformer"},
        ]
    )  # fmt: skip


def _plugins(
    rnd: Random, data: dict[str, Any], folder: str, known: list[dict[str, Any]], files: Files
) -> None:
    case = folder.partition("/")[0]
    if rnd.random() < 0.12:
        kind = rnd.choice(["ConfigMap", "Secret"])
        generator = {"kind": f"{kind}Generator", "literals": ["a=1"], "files": ["data.txt"]}
        name = f"{case}-{folder.rpartition('/')[2]}-gen"
        data["generators"] = [_written(rnd, name, generator, folder, files)]
    if rnd.random() < 0.2:
        data["transformers"] = [
            _written(rnd, f"rare{n}", _transformer(rnd, known), folder, files)
            for n in range(rnd.randint(1, 2))
        ]
    if rnd.random() < 0.05:
        nothing = {"kind": "ImageTagTransformer", "imageTag": {"name": "no-such-image", "newTag": "1"}}
        data["validators"] = [_written(rnd, "validator", nothing, folder, files)]


def _written(rnd: Random, name: str, config: dict[str, Any], folder: str, files: Files) -> str:
    """A plugin's configuration as text to stand in the kustomization, or as the name of its file."""
    metadata = {"name": name, **config.get("metadata", {})}
    text = json.dumps({"apiVersion": "builtin", **config, "metadata": metadata})
    if rnd.random() < 0.5:
        return text
    files[f"{folder}/{name}.plugin.json"] = text
    return f"{name}.plugin.json"
