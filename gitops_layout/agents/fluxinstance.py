"""The source and the Kustomization that the Flux operator makes from a FluxInstance's sync (flux-operator v0.59).

Its `kustomize.patches` are applied to these two as to all that it makes; what is beyond plain merges and the JSON
operations that people write here (add, replace, remove) is named in `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.fields import at
from gitops_layout.model import Path
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["Synced", "synced"]


@dataclass(frozen=True, slots=True)
class Synced:
    """The specs of the source and of the Kustomization, what both are called, the kind of the source, and the fields of
    the FluxInstance not understood.
    """

    name: str
    kind: str
    source: Mapping[str, Any]
    kustomization: Mapping[str, Any]
    unknown: tuple[Path, ...] = ()


class _UnknownError(Exception):
    pass


def synced(data: Mapping[str, Any], namespace: str) -> Synced:
    """What the operator makes of `spec.sync`; both objects carry the sync's name, by default the namespace's."""
    sync: Mapping[str, Any] = at(data, "spec", "sync")
    name, kind = text(sync.get("name")) or namespace, text(sync.get("kind")) or "GitRepository"
    url, reference = sync.get("url"), sync.get("ref")
    source: dict[str, Any] = {"interval": sync.get("interval") or "1m"}
    if kind == "Bucket":
        source |= {"endpoint": url, "bucketName": reference}
    else:
        source |= {"url": url, "ref": {"tag" if kind == "OCIRepository" else "name": reference}}
    spec = {
        "interval": "10m0s",
        "path": sync.get("path"),
        "prune": True,
        "sourceRef": {"kind": kind, "name": name},
    }
    made: list[dict[str, Any]] = [
        {"kind": kind, "metadata": {"name": name}, "spec": source},
        {"kind": "Kustomization", "metadata": {"name": name}, "spec": spec},
    ]
    unknown: list[Path] = []
    patches = at(data, "spec", "kustomize", "patches")
    for index, patch in enumerate(patches if isinstance(patches, list) else ()):
        try:
            made = [_patched(item, patch) for item in made]
        except _UnknownError:
            unknown.append(("spec", "kustomize", "patches", index))
    specs = [item["spec"] if isinstance(item.get("spec"), dict) else {} for item in made]
    return Synced(name, kind, specs[0], specs[1], tuple(unknown))


def _patched(made: dict[str, Any], patch: Any) -> dict[str, Any]:
    content = at(patch, "patch")
    documents = read(content, "patch").documents if isinstance(content, str) else ()
    change = documents[0].data if documents else None
    target = at(patch, "target")
    if not isinstance(target, dict):
        target = {"kind": at(change, "kind"), "name": at(change, "metadata", "name")}
    if not _meets(target, made):
        return made
    if isinstance(change, dict):
        kept = {key: value for key, value in change.items() if key not in ("apiVersion", "kind")}
        merged: dict[str, Any] = _merged(made, {**kept, "metadata": made["metadata"]})
        return merged
    if not isinstance(change, list):
        raise _UnknownError
    for operation in change:
        made = _operated(made, operation)
    return made


def _meets(target: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether a patch's target is this object; selectors by label meet none, the two have no labels."""
    if target.get("labelSelector") or target.get("annotationSelector"):
        return False
    return _is(target.get("kind"), made["kind"]) and _is(target.get("name"), made["metadata"]["name"])


def _is(pattern: Any, name: str) -> bool:
    """Kustomize's selectors are anchored regular expressions; names and alternatives of names are met here."""
    if pattern is None or pattern == "":
        return True
    if not isinstance(pattern, str) or not re.fullmatch(r"[\w.()|*-]+", pattern):
        return False
    if pattern in (".*", "*"):
        return True
    return name in re.sub(r"[()]", "", pattern).split("|")


def _merged(below: Any, above: Any) -> Any:
    """A merge of mappings; null removes a key."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _operated(made: dict[str, Any], operation: Any) -> dict[str, Any]:
    """The object after one JSON operation; only the containers on the way are copied."""
    kind, pointer = at(operation, "op"), at(operation, "path")
    if (
        kind not in ("add", "replace", "remove")
        or not isinstance(pointer, str)
        or not pointer.startswith("/")
    ):
        raise _UnknownError
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
    result = dict(made)
    here: Any = result
    for step in steps[:-1]:
        child = here.get(step) if isinstance(here, dict) else None
        if not isinstance(child, dict | list):
            raise _UnknownError
        here[step] = dict(child) if isinstance(child, dict) else list(child)
        here = here[step]
    last = steps[-1]
    if isinstance(here, list):
        if last != "-" or kind != "add":
            raise _UnknownError
        here.append(operation.get("value"))
    elif kind == "remove":
        here.pop(last, None)
    else:
        here[last] = operation.get("value")
    return result
