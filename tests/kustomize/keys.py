"""Kustomizations with one odd key somewhere: in what they write, in objects, in patches."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["ODD", "PLACES", "keyed"]

ODD = (
    "a", "y", "N", "yes", "no", "on", "OFF", "true", "False", "null", "NULL", "~", "0", "1", "-1", "+1", "1.5", ".5",
    "1e3", "0x1F", "0777", "0o17", "1_000", "190:20:30", ".inf", ".nan", "2001-01-01", "2001-01-01T00:00:00Z", "=",
    "<<", "-", "?", "a b", "a.b/c", "18446744073709551615", "99999999999999999999999",
)  # fmt: skip
"""Keys that YAML readers take for something else than texts, and some that are none of these."""

_OWN = ("commonAnnotations", "commonLabels", "labels", "selectors", "templates")
_OPTIONS = ("generatorOptions", "options")
_GENERATED = ("literals", "files", "envs")
_OBJECT = ("data", "annotations", "object labels", "above", "list")
_PATCH = (
    "patched data",
    "patched annotations",
    "patched labels",
    "strategic",
    "operation",
    "operation's notes",
)
_PATHS = ("path", "field", "create", "merged")
_PLUGIN = ("LabelTransformer", "AnnotationsTransformer")
PLACES = (*_OWN, *_OPTIONS, *_GENERATED, *_OBJECT, *_PATCH, *_PATHS, *_PLUGIN)
"""Where a key may stand."""


def keyed(name: str, key: str, quote: str, place: str, around: str) -> Mapping[str, str]:
    """A kustomization and its files. The key stands in `quote`s (or in none), `around` is more of the kustomization."""
    written = json.dumps(key) if quote == '"' else f"{quote}{key}{quote}"
    entry = f"{written}: x"
    fields, objects, more = _parts(name, entry, key, place)
    metadata = f"metadata:\n  name: {name}{objects.get('metadata', '')}\n"
    data = objects.get("data", "data: {k: v}\n")
    texts = {
        "kustomization.yaml": f"resources: [c.yaml, d.yaml]\n{around}{fields}",
        "c.yaml": f"apiVersion: v1\nkind: ConfigMap\n{metadata}{data}{objects.get('above', '')}",
        "d.yaml": f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n"
        "  selector: {matchLabels: {a: b}}\n  template: {metadata: {labels: {a: b}}, spec: {containers: []}}\n",
        "f.txt": "text",
        **more,
    }
    return {f"{name}/{path}": text for path, text in texts.items()}


def _parts(name: str, entry: str, key: str, place: str) -> tuple[str, Mapping[str, str], Mapping[str, str]]:
    """Fields of the kustomization, parts of the object, and more files."""
    generator = f"configMapGenerator:\n- name: {name}-g\n"
    if place in _OWN[:2]:
        return f"{place}:\n  {entry}\n", {}, {}
    if place in _OWN:
        flag = {"selectors": "  includeSelectors: true\n", "templates": "  includeTemplates: true\n"}
        return f"labels:\n- pairs:\n    {entry}\n{flag.get(place, '')}", {}, {}
    if place in _OPTIONS:
        options = f"labels:\n      {entry}\n    annotations:\n      {entry}\n"
        literals = f"{generator}  literals: [a=b]\n"
        return (f"{literals}  options:\n    {options}" if place == "options" else f"{literals}generatorOptions:\n    {options}"), {}, {}  # fmt: skip
    if place in _GENERATED:
        listed = {"literals": f"{key}=3", "files": f"{key}=f.txt", "envs": "e.env"}[place]
        return f"{generator}  {place}: [{json.dumps(listed)}]\n", {}, {"e.env": f"{key}=3\n"}
    if place in _OBJECT:
        field, text = {
            "data": ("data", f"data:\n  {entry}\n"),
            "annotations": ("metadata", f"\n  annotations:\n    {entry}"),
            "object labels": ("metadata", f"\n  labels:\n    {entry}"),
            "above": ("above", f"{entry}\n"),
            "list": ("above", f"odd:\n- a:\n    {entry}\n"),
        }[place]
        return "", {field: text}, {}
    return _changes(name, entry, key, place)


def _changes(name: str, entry: str, key: str, place: str) -> tuple[str, Mapping[str, str], Mapping[str, str]]:
    if place in _PLUGIN:
        field = "labels" if place == "LabelTransformer" else "annotations"
        config = f"apiVersion: builtin\nkind: {place}\nmetadata: {{name: {name}}}\n{field}:\n  {entry}\n"
        return (
            "transformers: [t.yaml]\n",
            {},
            {"t.yaml": f"{config}fieldSpecs: [{{path: metadata/{field}, create: true}}]\n"},
        )
    if place in _PATCH:
        below = {"patched annotations": "  annotations:\n    ", "patched labels": "  labels:\n    "}
        patch = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
        patch += f"{below.get(place, 'data:' + chr(10) + '  ')}{entry}\n"
        if place.startswith("operation"):
            path = "/metadata/annotations" if place != "operation" else "/data"
            patch = f"- op: add\n  path: {path}\n  value:\n    {entry}\n"
        named = "patchesStrategicMerge: [p.yaml]" if place == "strategic" else "patches: [{path: p.yaml, target: {kind: ConfigMap}}]"  # fmt: skip
        return f"{named}\n", {}, {"p.yaml": patch}
    if place == "path":
        pointer = json.dumps("/data/" + key.replace("~", "~0").replace("/", "~1"))
        return "patches: [{path: p.yaml, target: {kind: ConfigMap}}]\n", {}, {"p.yaml": f"- op: add\n  path: {pointer}\n  value: x\n"}  # fmt: skip
    if place == "field":
        path = json.dumps("data/" + key.replace("/", "\\/"))
        configuration = f"replicas: [{{kind: ConfigMap, path: {path}, create: true}}]\n"
        return f"configurations: [o.yaml]\nreplicas: [{{name: {name}, count: 2}}]\n", {}, {"o.yaml": configuration}  # fmt: skip
    if place == "create":
        path = json.dumps("data." + key.replace(".", "\\."))
        target = f"{{select: {{kind: ConfigMap}}, options: {{create: true}}, fieldPaths: [{path}]}}"
        return f"replacements:\n- source: {{kind: Deployment, fieldPath: metadata.name}}\n  targets: [{target}]\n", {}, {}  # fmt: skip
    return f"configMapGenerator:\n- {{name: {name}, behavior: merge, literals: [a=b]}}\n", {"data": f"data:\n  {entry}\n"}, {}  # fmt: skip
