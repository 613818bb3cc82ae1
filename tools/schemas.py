"""`make schemas`: build the packed schemas in gitops_layout/validation/data from pinned releases.

Kubernetes' own kinds come from the schemas inside the wheel kubernetes-validate, custom resources from the
CRDs that projects ship in their Go modules. Every input is pinned by version and digest, and a digest
that differs stops the build. `gitops_layout.validation.bundle` describes the form of the packs.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitops_layout.source.reader import read
from tools import golang

DATA = Path(__file__).resolve().parent.parent / "gitops_layout" / "validation" / "data"

OWN = Path(__file__).with_name("flux-operator.yaml")
"""Definitions of our own words, where a project's may not be packed."""

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
WHEEL = ("kubernetes-validate", "1.37.0")
WHEEL_SHA256 = "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9"

_DROPPED = {"description", "title", "example", "externalDocs"}
_CORE_DROPPED = re.compile(r"x-kubernetes-.*|enum")
_NOT_REQUIRED = {
    # Required by the schema, but the server takes the zero value; asked of kube-apiserver 1.36.3.
    ("CSINodeSpec", "drivers"),
    ("DeviceCapacity", "value"),
    ("FieldSelectorRequirement", "operator"),
    ("ResourcePool", "generation"),
    ("ControllerRevision", "revision"),
    ("LimitRangeSpec", "limits"),
    ("SleepAction", "seconds"),
    ("StatefulSetSpec", "serviceName"),
    ("Sysctl", "value"),
    ("TokenRequest", "audience"),
}
_PROPS = "#/$defs/io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_OPEN = f"{_PROPS}Open"
_SAID_HERE: dict[str, Any] = {
    # Go types with a decoder of their own, which does not know of strictness; the schemas say nothing of them.
    "JSONSchemaPropsOrArray": {"$ref": _OPEN},
    "JSONSchemaPropsOrBool": {"anyOf": [{"$ref": _OPEN}, {"type": "boolean"}]},
    "JSONSchemaPropsOrStringArray": {
        "anyOf": [{"$ref": _OPEN}, {"type": "array", "items": {"type": "string"}}]
    },
    "CustomResourceSubresourceStatus": {"type": ["object", "null"], "additionalProperties": False},
}


@dataclass(frozen=True, slots=True)
class Module:
    """A project's Go module, the CRD files in it, and what it may be used under.

    `sum` is go.sum's hash of the module's whole tree; `files` are globs below its root.
    """

    name: str
    title: str
    module: str
    version: str
    sum: str
    files: tuple[str, ...]
    licence: str = "Apache-2.0"
    shown: str = ""


MODULES = (
    Module(
        "flux",
        "Flux",
        "github.com/controlplaneio-fluxcd/flux-operator",
        "v0.59.0",
        "h1:jByuiWYtjSJxucGHuz68tV0DeVFz5CYrKQYfxAwE7lE=",
        ("config/data/flux/v2.9.5/*-controller.yaml", "config/data/flux/v2.9.5/source-watcher.yaml"),
        # The module is AGPL; of it only the copies of Flux's own, Apache-licensed CRDs are read.
        licence="Apache-2.0",
        shown="v2.9.5",
    ),
    Module(
        "argo-cd",
        "Argo CD",
        "github.com/argoproj/argo-cd/v3",
        "v3.6.1",
        "h1:OmhqeKiR3C//awbFrhQqFdtRI+Qiv17j8vqm3UkMj/g=",
        ("manifests/crds/*-crd.yaml",),
    ),
    Module(
        "argo-rollouts",
        "Argo Rollouts",
        "github.com/argoproj/argo-rollouts",
        "v1.10.2",
        "h1:sEPWsY+HUvnXj3Vh0ejb+GDTceQ/palqhFo2FVQJMk0=",
        ("manifests/crds/*-crd.yaml",),
    ),
    Module(
        "argo-workflows",
        "Argo Workflows",
        "github.com/argoproj/argo-workflows/v3",
        "v3.7.4",
        "h1:oA/DxaSsjb6fMYaygf7JVQgnsF+ZzlfUPy5kIfLsCic=",
        # What its install manifests apply; the full CRDs are too large for a client-side apply.
        ("manifests/base/crds/minimal/argoproj.io_*.yaml",),
    ),
    Module(
        "cert-manager",
        "cert-manager",
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        ("deploy/crds/*.yaml",),
    ),
    Module(
        "external-secrets",
        "External Secrets Operator",
        "github.com/external-secrets/external-secrets",
        "v1.3.2",
        "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        ("config/crds/bases/*.yaml",),
    ),
    Module(
        "gateway-api",
        "Gateway API",
        "sigs.k8s.io/gateway-api",
        "v1.7.0",
        "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
        # The experimental channel has every field of the standard one: nobody is refused what he may use.
        ("config/crd/experimental/gateway*.yaml",),
    ),
    Module(
        "keda",
        "KEDA",
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ("config/crd/bases/*.yaml",),
    ),
    Module(
        "kyverno",
        "Kyverno",
        "github.com/kyverno/kyverno",
        "v1.19.1",
        "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
        ("config/crds/*/*.yaml",),
    ),
    Module(
        "prometheus-operator",
        "Prometheus Operator",
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        ("example/prometheus-operator-crd/*.yaml",),
    ),
    Module(
        "cloudnative-pg",
        "CloudNativePG",
        "github.com/cloudnative-pg/cloudnative-pg",
        "v1.29.0",
        "h1:49Dm8+y4va7RODspJjeaK8uMWP3OGAD0gMsxhjm16Mo=",
        ("config/crd/bases/*.yaml",),
    ),
    Module(
        "sealed-secrets",
        "Sealed Secrets",
        "github.com/bitnami-labs/sealed-secrets",
        "v0.40.0",
        "h1:rvCP35JL8ZV5LNA2SrwNR6iLyoM3ulrSFWN0lBtYEYI=",
        ("helm/sealed-secrets/crds/*.yaml",),
    ),
    Module(
        "cilium",
        "Cilium",
        "github.com/cilium/cilium",
        "v1.20.2",
        "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
        ("pkg/k8s/apis/cilium.io/client/crds/v2*/*.yaml",),
    ),
    Module(
        "envoy-gateway",
        "Envoy Gateway",
        "github.com/envoyproxy/gateway",
        "v1.9.1",
        "h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY=",
        ("charts/gateway-helm/charts/crds/crds/generated/*.yaml",),
    ),
    Module(
        "external-dns",
        "ExternalDNS",
        "sigs.k8s.io/external-dns",
        "v0.23.0",
        "h1:35KyAZtLN8o5nIE0aPKfyhILbf5HHkKPJby/4FowPJM=",
        ("config/crd/standard/*.yaml",),
    ),
    Module(
        "external-snapshotter",
        "CSI Snapshotter",
        "github.com/kubernetes-csi/external-snapshotter/client/v8",
        "v8.7.0",
        "h1:HVaSUeRRHPu49aSiL8eXOjS9Re9G6pM0NzdTGI7mM14=",
        ("config/crd/*snapshot*.yaml",),
    ),
    Module(
        "istio",
        "Istio",
        "istio.io/api",
        "v1.32.0",
        "h1:37mJvg9I0biYZAEQF+MATs4FNeCpXEIVO3LFpVb6iNM=",
        ("kubernetes/customresourcedefinitions.gen.yaml",),
    ),
    Module(
        "metallb",
        "MetalLB",
        "go.universe.tf/metallb",
        "v0.16.2",
        "h1:RCSAGoZmqcvTg0e56+Okbwz8iTuQVX30JpKX5mYEPUM=",
        ("config/crd/bases/*.yaml",),
    ),
    Module(
        "traefik",
        "Traefik",
        "github.com/traefik/traefik/v3",
        "v3.7.13",
        "h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
        ("docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",),
        licence="MIT",
    ),
    Module(
        "velero",
        "Velero",
        "github.com/vmware-tanzu/velero",
        "v1.18.3",
        "h1:9uwN5yxTWQl9PsF5ljX4xiG+7VIq3I9mxOQ0DyyZ31A=",
        (
            "config/crd/v1/bases/*.yaml",
            "config/crd/v2alpha1/bases/*.yaml",
        ),
    ),
)


@dataclass(slots=True)
class Pack:
    """A pack while it is written: kinds by `group/version/Kind`, and definitions by number from 1."""

    form: str
    versions: tuple[str, ...] = ()
    kinds: dict[str, Any] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)

    def add(self, definition: Any) -> int:
        """The number of a new definition."""
        self.definitions.append(_compact(definition))
        return len(self.definitions)

    def content(self) -> bytes:
        """The pack's bytes; the same for the same definitions."""
        head = {"form": self.form, "versions": self.versions, "kinds": dict(sorted(self.kinds.items()))}
        lines = "\n".join([_compact(head), *self.definitions])
        return lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME)


def main() -> int:
    """Write every pack and the index; returns the process's exit code."""
    DATA.mkdir(exist_ok=True)
    index = []
    with tempfile.TemporaryDirectory() as scratch:
        index.append(_entry("kubernetes", "Kubernetes", kubernetes(_wheel(Path(scratch)))))
        index.append(_entry("flux-operator", "Flux Operator", custom(_crds(OWN.parent, (OWN.name,)))))
        go = _go()
        for module in MODULES:
            root = _download(go, module, Path(scratch))
            index.append(_entry(module.name, module.title, custom(_crds(root, module.files))))
    text = json.dumps({"packs": index}, indent=1, ensure_ascii=False)
    (DATA / "index.json").write_text(f"{text}\n")
    return 0


def _entry(name: str, title: str, pack: Pack) -> dict[str, Any]:
    content = pack.content()
    (DATA / f"{name}.xz").write_bytes(content)
    print(f"{name}: {len(pack.kinds)} kinds, {len(pack.definitions)} definitions, {len(content)} bytes")
    groups = sorted({kind.split("/")[0] for kind in pack.kinds})
    entry = {"name": name, "title": title, **source(name), "kinds": len(pack.kinds), "groups": groups}
    return entry | {"sha256": hashlib.sha256(content).hexdigest()}


def source(name: str) -> dict[str, str]:
    """Where a pack comes from, as the index records it."""
    if name == "kubernetes":
        return {
            "version": f"{VERSIONS[0]} to {VERSIONS[-1]}",
            "source": f"{WHEEL[0]} {WHEEL[1]}",
            "input": f"sha256:{WHEEL_SHA256}",
            "licence": "Apache-2.0",
        }
    if name == "flux-operator":
        digest = hashlib.sha256(OWN.read_bytes()).hexdigest()
        return {
            "version": "v1 (open: only what its documentation fixes)",
            "source": f"tools/{OWN.name}",
            "input": f"sha256:{digest}",
            "licence": "Apache-2.0",
        }
    module = next(module for module in MODULES if module.name == name)
    return {
        "version": module.shown or module.version,
        "source": f"{module.module} {module.version}",
        "input": module.sum,
        "licence": module.licence,
    }


def _compact(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True, sort_keys=True)


# Kubernetes' own kinds


def kubernetes(schemas: Path) -> Pack:
    """One pack of all versions: definitions that are the same in several stand there once."""
    tables = {version: _definitions(schemas / f"v{version}.0-local-strict") for version in VERSIONS}
    classes = _bisimilar(tables)
    pack = Pack("json", VERSIONS)
    numbers = {
        cls: number for number, cls in enumerate(dict.fromkeys(classes[key] for key in sorted(classes)), 1)
    }
    representative = {classes[key]: key for key in sorted(classes, reverse=True)}
    for cls in numbers:
        version, name = representative[cls]
        pack.add(_renumbered(tables[version][name][0], lambda ref, v=version: numbers[classes[v, ref]]))
    for position, version in enumerate(VERSIONS):
        for name, (_, kinds) in tables[version].items():
            for kind in kinds:
                row = pack.kinds.setdefault(kind, [0] * len(VERSIONS))
                row[position] = numbers[classes[version, name]]
    return pack


def _definitions(folder: Path) -> dict[str, tuple[Any, list[str]]]:
    """Name → definition without words, and the kinds that it is, of one version."""
    raw = json.loads((folder / "_definitions.json").read_bytes())["$defs"]
    found = {}
    for name, schema in raw.items():
        kinds = [
            f"{gvk['group']}/{gvk['version']}/{gvk['kind']}"
            for gvk in schema.get("x-kubernetes-group-version-kind", ())
        ]
        # Kinds of every group (DeleteOptions, WatchEvent) are requests and answers, no objects.
        short = name.rpartition(".")[2]
        found[name] = (
            _SAID_HERE.get(short) or _core(schema, short),
            kinds if len(kinds) == 1 else [],
        )
    closed = found[_PROPS.rpartition("/")[2]][0]
    opened = json.loads(json.dumps(closed).replace(json.dumps(_PROPS), json.dumps(_OPEN)))
    del opened["additionalProperties"]
    found[_OPEN.rpartition("/")[2]] = opened, []
    _relax({name: schema for name, (schema, _) in found.items()})
    return found


def _relax(schemas: dict[str, Any]) -> None:
    """Take back what is required only by the schema's word: Go cannot tell an absent value from a zero one.

    An absent struct is the empty one, so it is missed only where something in it is; an absent
    boolean is false. What is not required may be null, and so may items.
    """
    done = False
    while not done:
        done = True
        for schema in schemas.values():
            for name in list(schema.get("required", ())):
                if _zero_will_do(schema["properties"][name], schemas):
                    schema["required"].remove(name)
                    done = False
    for schema in schemas.values():
        needed = set(schema.get("required", ()))
        _nullable(schema)
        for name, below in schema.get("properties", {}).items():
            if name not in needed:
                _nullable(below)


def _zero_will_do(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    ref = schema.get("$ref")
    if ref is None:
        return "boolean" in schema.get("type", ())
    target = schemas[ref.rpartition("/")[2]]
    return "properties" in target and not target.get("required")


def _nullable(schema: dict[str, Any]) -> None:
    types = schema.get("type")
    if types is not None:
        schema["type"] = sorted({*([types] if isinstance(types, str) else types), "null"})
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _nullable(schema[key])


def _core(schema: Any, name: str) -> Any:
    """A definition of a built-in kind: no words, unions of types as lists, bounds for int32."""
    if isinstance(schema, list):
        return [_core(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("oneOf") and all(set(branch) == {"type"} for branch in schema["oneOf"]):
        types = [t for branch in schema["oneOf"] for t in branch["type"]]
        return {"type": sorted(set(types))}
    out = {
        key: {prop: _core(value, name) for prop, value in below.items()}
        if key == "properties"
        else _core(below, name)
        for key, below in schema.items()
        if key not in _DROPPED and not _CORE_DROPPED.fullmatch(key)
    }
    if "required" in out:
        out["required"] = [f for f in out["required"] if (name, f) not in _NOT_REQUIRED]
    match out.pop("format", None):
        case "int32":
            out |= {"minimum": -(2**31), "maximum": 2**31 - 1}
        case "int64":
            out |= {"minimum": -(2**63), "maximum": 2**63 - 1}
        case "byte" | "date-time" as form:
            out["format"] = form
    return out


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


def _renumbered(schema: Any, number: Any) -> Any:
    if isinstance(schema, list):
        return [_renumbered(item, number) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"#/$defs/{number(value.rpartition('/')[2])}"
        if key == "$ref" and isinstance(value, str)
        else _renumbered(value, number)
        for key, value in schema.items()
    }


def _bisimilar(tables: dict[str, dict[str, tuple[Any, list[str]]]]) -> dict[tuple[str, str], str]:
    """(version, name) → class; two are of one class when they and all they refer to say the same.

    Definitions may be recursive, so classes start coarse (the definition's own text) and are split by
    the classes of what they refer to until nothing splits any more.
    """
    rows = {(version, name): row[0] for version, table in tables.items() for name, row in table.items()}
    refers = {key: sorted(set(_references(schema))) for key, schema in rows.items()}
    classes = {key: _digest(f"{key[1]}:{_compact(schema)}") for key, schema in rows.items()}
    count = 0
    while count != (now := len(set(classes.values()))):
        count = now
        classes = {
            key: _digest(classes[key] + "".join(classes[key[0], ref] for ref in refers[key])) for key in rows
        }
    return classes


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _wheel(scratch: Path) -> Path:
    name, version = WHEEL
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"{name}=={version}", "-d", scratch],
        check=True,
    )
    (wheel,) = scratch.glob("*.whl")
    _same(name, hashlib.sha256(wheel.read_bytes()).hexdigest(), WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / name)
    return scratch / name / "kubernetes_validate" / "kubernetes-json-schema"


# Custom resources


def custom(crds: Iterable[dict[str, Any]]) -> Pack:
    """A pack of CRDs' structural schemas; equal sub-schemas stand there once."""
    pack = Pack("structural")
    roots = []
    for crd in crds:
        spec = crd["spec"]
        for version in spec["versions"]:
            if not version.get("served", True):
                continue
            kind = f"{spec['group']}/{version['name']}/{spec['names']['kind']}"
            status = "status" in (version.get("subresources") or {})
            roots.append((kind, _wordless(version["schema"]["openAPIV3Schema"]), status))
    seen: Counter[str] = Counter()
    for _, schema, _ in roots:
        _count(schema, seen)
    shared: dict[str, int] = {}
    for kind, schema, status in sorted(roots, key=lambda root: root[0]):
        number = pack.add(_shared(schema, seen, shared, pack))
        pack.kinds[kind] = [number, int(status)]
    return pack


def _crds(root: Path, globs: Iterable[str]) -> Iterator[dict[str, Any]]:
    for pattern in globs:
        for path in sorted(root.glob(pattern)):
            for document in read(path.read_bytes(), path.name).documents:
                data = document.data
                if isinstance(data, dict) and data.get("kind") == "CustomResourceDefinition":
                    yield data


def _wordless(schema: Any) -> Any:
    """A structural schema without descriptions; a property may well be called `description`."""
    if isinstance(schema, list):
        return [_wordless(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: _wordless(below) for name, below in value.items()}
        elif key in ("default", "enum", "x-kubernetes-validations"):
            out[key] = value
        elif key not in _DROPPED:
            out[key] = _wordless(value)
    return out


def _below(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (below for below in schema.get("properties", {}).values())
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]


def _count(schema: dict[str, Any], seen: Counter[str]) -> None:
    seen[_compact(schema)] += 1
    if seen[_compact(schema)] == 1:
        for below in _below(schema):
            _count(below, seen)


def _shared(schema: dict[str, Any], seen: Counter[str], shared: dict[str, int], pack: Pack) -> Any:
    """The schema with every sub-schema that stands elsewhere, too, replaced by a reference."""

    def reference(below: Any) -> Any:
        if not isinstance(below, dict):
            return below
        text = _compact(below)
        if seen[text] < 2 or len(text) < 120:
            return _shared(below, seen, shared, pack)
        if text not in shared:
            shared[text] = pack.add(_shared(below, seen, shared, pack))
        return {"$ref": f"#/$defs/{shared[text]}"}

    out = dict(schema)
    if "properties" in out:
        out["properties"] = {name: reference(below) for name, below in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = reference(out[key])
    return out


def module_folder(name: str, scratch: Path) -> Path:
    """The root of a module of `MODULES` in Go's cache, downloaded if need be, its digest checked.

    `scratch` is a folder without a go.mod. Raises SystemExit when the digest is not the pinned one.
    """
    return _download(_go(), next(module for module in MODULES if module.name == name), scratch)


def _go() -> Path:
    """A go that is new enough for all modules."""
    return golang.at_least((1, 27, 0), lambda line: print(line, file=sys.stderr))


def _download(go: Path, module: Module, scratch: Path) -> Path:
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{module.module}@{module.version}"],
        cwd=scratch,
        env=os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode:
        raise SystemExit(f"{module.module}: {answer.get('Error', done.stderr)}")
    _same(module.module, answer["Sum"], module.sum)
    return Path(answer["Dir"])


def _same(name: str, got: str, pinned: str) -> None:
    if got != pinned:
        raise SystemExit(f"{name}: its digest is {got}, pinned is {pinned}")


if __name__ == "__main__":
    sys.exit(main())
