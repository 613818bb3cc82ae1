"""Objects, mistakes planted in them, and an API server that has the packed definitions."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_layout.model import ObjectRef
from gitops_layout.validation import bundle
from gitops_layout.validation.check import Verdict, validate
from gitops_layout.validation.schemas import Schemas
from tests.validation.server import support as server

SCHEMAS = Schemas()
KUBERNETES = "1.36"
"""The version of the control plane that tests build."""


_NAMING = (("metadata",), ("metadata", "name"))
"""Not planted here: names are no schema's business."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An object with one mistake: its `word`, and the `place` as a JSON pointer."""

    word: str
    place: str
    data: dict[str, Any]

    @property
    def digest(self) -> str:
        """Tells whether a recorded verdict is still about this object."""
        return hashlib.sha256(json.dumps(self.data, sort_keys=True).encode()).hexdigest()

    @property
    def name(self) -> str:
        """`HTTPRoute unknown /spec/rules`."""
        return f"{self.data['kind']} {self.word} {self.place}".strip()


def verdict(data: dict[str, Any], *versions: str, schemas: Schemas = SCHEMAS) -> Verdict:
    """Our verdict by schemas."""
    metadata = data.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    ref = ObjectRef(data["apiVersion"], data["kind"], "", str(name))
    return validate(ref, data, schemas=schemas, kubernetes=versions or (KUBERNETES,))


def custom_objects() -> list[dict[str, Any]]:
    """Sound objects of kinds that CRDs define."""
    objects: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("examples.yaml").read_text())
    return objects


def built_in_objects() -> list[dict[str, Any]]:
    """Sound objects of Kubernetes' own kinds."""
    cases = [case for case in server.examples() if " " not in case.name]
    return [case.data for case in cases]


def planted(data: dict[str, Any]) -> Iterator[Planted]:
    """The object itself, then with one mistake at a time: another type, a field unknown, missing or null."""
    yield Planted("sound", "", data)
    yield Planted("unknown", "/", {**data, "unknownField": 1})
    for path, value in _places(data, ()):
        place = "".join(f"/{step}" for step in path)
        for word, changed in _mistakes(value):
            yield Planted(word, place, _with(data, path, changed))
        yield Planted("missing", place, _with(data, path, None, delete=True))


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    pairs: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in pairs:
        if path or key not in ("apiVersion", "kind"):
            if (*path, key) not in _NAMING:
                yield (*path, key), inner
            yield from _places(inner, (*path, key))


def _mistakes(value: Any) -> Iterator[tuple[str, Any]]:
    yield "null", None
    match value:
        case bool():
            yield from (("text", "yes"), ("number", 1))
        case int():
            yield from (("text", str(value)), ("list", [value]), ("fraction", value + 0.5))
        case str():
            yield from (("number", 7), ("flag", True), ("list", [value]), ("object", {"a": value}))
        case list():
            yield from (("object", {"a": 1}), ("text", "x"))
        case dict():
            yield from (("list", [value]), ("text", "x"), ("unknown", {**value, "unknownField": 1}))


def _with(data: dict[str, Any], path: tuple[str | int, ...], value: Any, *, delete: bool = False) -> Any:
    result = copy.deepcopy(data)
    place: Any = result
    for part in path[:-1]:
        place = place[part]
    if delete:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


def definitions() -> Iterator[dict[str, Any]]:
    """CustomResourceDefinitions made of the packs: what an API server takes is structural."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for pack in bundle.index():
        if pack["name"] == "kubernetes":
            continue
        for name in bundle._open(pack["name"]).head["kinds"]:
            group, version, kind = name.split("/")
            packed = bundle.find(group, version, kind, kubernetes=KUBERNETES)
            assert packed is not None
            versions = found.setdefault((group, kind), _definition(group, kind))["spec"]["versions"]
            schema = _inlined(packed.definitions[packed.root], packed.definitions)
            status: dict[str, Any] = {"subresources": {"status": {}}} if packed.drops_status else {}
            row = {"name": version, "served": True, "storage": not versions, **status}
            versions.append({**row, "schema": {"openAPIV3Schema": schema}})
    yield from found.values()


def _definition(group: str, kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    metadata: dict[str, Any] = {"name": f"{plural}.{group}"}
    if group.endswith(".k8s.io"):
        metadata["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": []}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


def _inlined(node: Any, definitions: dict[int, dict[str, Any]]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if isinstance(ref, str):
        return _inlined(definitions[int(ref.rpartition("/")[2])], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}


class Server(server.Server):
    """The other tests' client, which knows namespaced custom resources, too."""

    def install(self, crds: list[dict[str, Any]]) -> None:
        """Create definitions and wait until their kinds are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for crd in crds:
            status, answer = self._send("POST", path, crd, "application/json")
            assert status in (201, 409), answer["message"]
        deadline = time.monotonic() + 300
        for crd in crds:
            while not self._established(f"{path}/{crd['metadata']['name']}"):
                assert time.monotonic() < deadline, f"{crd['metadata']['name']} is not established"
                time.sleep(0.2)

    def _established(self, path: str) -> bool:
        answer = self._send("GET", path, None, "application/json")[1]
        conditions = answer.get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def created(self, data: dict[str, Any]) -> tuple[int, Any]:
        """The status and the body with which a strict create is answered."""
        url = (
            f"/apis/{data['apiVersion']}/namespaces/default/{data['kind'].lower()}s"
            if _is_custom(data)
            else self._collection({**data, "metadata": data.get("metadata") or {}})
        )
        return self._send("POST", f"{url}?dryRun=All&fieldValidation=Strict", data, "application/json")

    def word(self, data: dict[str, Any]) -> str:
        """What a strict create is answered: `a`ccepted, refused by `s`chema, refused by `c`ode, or
        refused for what `e`lse there is (or is not) in the cluster.
        """
        status, _ = self.created(data)
        refused = {400: "s", 422: "s" if _is_custom(data) else "c"}
        return "a" if status < 300 else refused.get(status, "e")


def _is_custom(data: dict[str, Any]) -> bool:
    return not bundle.kinds(data["apiVersion"].rpartition("/")[0], kubernetes=KUBERNETES)
