"""Facts that rules' assertions ask for: computed from one object, plain data, only those that are named.

| fact | shape |
|---|---|
| `images` | `{ref, name, tag, digest, container, path}` for each image of the object's pods, placeholders left out |
| `containers` | `{name, init, spec, path}` for each container |
| `probes` | `{container, probe, value, path}` for each path that an HTTP probe asks for |
| `serverOwned` | `{name, path}` for each field that only the API server writes |
| `secretValues` | `{key, form, path}` for each value of a Secret, never the value; `form` is `empty`, `sops`, `placeholder`, `setting` or `plain` |
| `sops` | whether SOPS encrypted the document |
| `labels`, `annotations` | the object's own, `{}` where absent |
| `annotationList` | `{name, value, path}` of each annotation |
| `generateName` | of an object without a name, else empty |
| `artifact` | of an OCIRepository: `{tag, semver, digest, verify}`, empty where absent; `verify` is the provider |
| `namespace` | the namespace the object ends up in, empty when cluster-scoped or unknown |
| `agent`, `environment`, `tier`, `cluster`, `delivery` | of the delivery; empty in `on: source` rules |
| `phases` | the phases of Argo CD's syncs in which the object is applied, `[Sync]` for one without hooks |
| `wave` | its wave in each of these phases, 0 where none is named |
| `pinned` | `on: delivery`: whether the revision cannot move, or is kept by the source of the chart |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.argocd.phases import phases, wave
from gitops_layout.checks.objectlist import values_at
from gitops_layout.k8s.pods import PLACEHOLDER_IMAGE, containers, image
from gitops_layout.k8s.secrets import secret_form
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.rules.model import Rule

__all__ = ["FACTS", "delivery_data", "facts", "named", "values_at"]

_NAMED = regexp(r"\bfacts\.(\w+)")
_SERVER_OWNED = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink",
)  # fmt: skip
_SERVER_NOTES = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")
_EXACT_VERSION = regexp(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]*)?")
_COMMIT = regexp(r"[0-9a-f]{7,64}|sha256:[0-9a-f]{64}")

_ARGOCD_TYPE = "argocd.argoproj.io/secret-type"
_ARGOCD_PLAIN_KEYS = frozenset(
    {"url", "type", "name", "project", "server", "insecure", "enableLfs", "enableOCI", "proxy", "username"}
)


@dataclass(frozen=True, slots=True)
class _Subject:
    data: dict[str, Any]
    delivery: Delivery | None
    namespace: str


def named(rules: Iterable[Rule]) -> frozenset[str]:
    """The facts that some of the rules ask for."""
    return frozenset(
        name
        for rule in rules
        for text in (rule.assertion or "", rule.message, rule.help, f"facts.{rule.scope.each}")
        for name in _NAMED.findall(text)
    )


def facts(
    wanted: frozenset[str], data: dict[str, Any], delivery: Delivery | None = None, namespace: str = ""
) -> dict[str, Any]:
    """The wanted facts about one object (or, with empty data, about a delivery)."""
    subject = _Subject(data, delivery, namespace)
    return {name: FACTS[name](subject) for name in wanted if name in FACTS}


def _images(subject: _Subject) -> list[dict[str, Any]]:
    found = []
    for container in containers(subject.data):
        ref = container.data.get("image")
        if isinstance(ref, str) and ref and not PLACEHOLDER_IMAGE.search(ref):
            parts = image(ref)
            found.append(
                {
                    "ref": parts.ref,
                    "name": parts.name,
                    "tag": parts.tag,
                    "digest": parts.digest,
                    "container": str(container.data.get("name", "")),
                    "path": [*container.path, "image"],
                }
            )
    return found


def _containers(subject: _Subject) -> list[dict[str, Any]]:
    return [
        {"name": str(c.data.get("name", "")), "init": c.init, "spec": c.data, "path": list(c.path)}
        for c in containers(subject.data)
    ]


def _probes(subject: _Subject) -> list[dict[str, Any]]:
    found = []
    for container in containers(subject.data):
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            match container.data.get(probe):
                case {"httpGet": {"path": str(value)}}:
                    path = [*container.path, probe, "httpGet", "path"]
                    name = str(container.data.get("name", ""))
                    found.append({"container": name, "probe": probe, "value": value, "path": path})
    return found


def _metadata(data: dict[str, Any]) -> dict[str, Any]:
    metadata = data.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _server_owned(subject: _Subject) -> list[dict[str, Any]]:
    metadata = _metadata(subject.data)
    found = [
        {"name": f"metadata.{name}", "path": ["metadata", name]}
        for name in _SERVER_OWNED
        if not _blank(metadata.get(name))
    ]
    annotations = _metadata(subject.data).get("annotations")
    for name in _SERVER_NOTES:
        if isinstance(annotations, dict) and name in annotations:
            path = ["metadata", "annotations", name]
            found.append({"name": f"metadata.annotations[{name}]", "path": path})
    if not _blank(subject.data.get("status")):
        found.append({"name": "status", "path": ["status"]})
    return found


def _blank(value: Any) -> bool:
    """Nothing but empty values: generators write `creationTimestamp: null` and empty statuses."""
    match value:
        case dict():
            return all(_blank(item) for item in value.values())
        case list():
            return all(_blank(item) for item in value)
        case _:
            return value in (None, "", 0)


def _annotation_list(subject: _Subject) -> list[dict[str, Any]]:
    annotations = _strings(_metadata(subject.data).get("annotations"))
    return [{"name": n, "value": v, "path": ["metadata", "annotations", n]} for n, v in annotations.items()]


def _generate_name(subject: _Subject) -> str:
    metadata = _metadata(subject.data)
    prefix = metadata.get("generateName")
    return prefix if isinstance(prefix, str) and not metadata.get("name") else ""


def _artifact(subject: _Subject) -> dict[str, str]:
    spec = subject.data.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    reference, verify = _strings(spec.get("ref")), _strings(spec.get("verify"))
    named = {name: reference.get(name, "") for name in ("tag", "semver", "digest")}
    return {**named, "verify": verify.get("provider", "")}


def _is_sops(data: dict[str, Any]) -> bool:
    sops = data.get("sops")
    return isinstance(sops, dict) and "mac" in sops


def _secret_values(subject: _Subject) -> list[dict[str, Any]]:
    sops = _is_sops(subject.data)
    kind = _strings(_metadata(subject.data).get("labels")).get(_ARGOCD_TYPE)
    found = []
    for section in ("data", "stringData"):
        values = subject.data.get(section)
        for key, value in values.items() if isinstance(values, dict) else ():
            form = secret_form(key, value, encoded=section == "data")
            if form == "plain" and (
                (sops and str(value).startswith("ENC[")) or (kind and key in _ARGOCD_PLAIN_KEYS)
            ):
                form = "sops" if sops else "setting"
            found.append({"key": key, "form": form, "path": [section, key]})
    return found


def _strings(value: Any) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def _pinned(subject: _Subject) -> bool:
    delivery = subject.delivery
    if delivery is None:
        return False
    source, revision = delivery.source, delivery.source.revision
    if source.chart and _versioned_elsewhere(delivery):
        return True
    if revision is None or revision.kind == "default":
        return False
    if revision.kind in ("tag", "commit", "digest"):
        return source.chart is None or revision.name != "latest"
    return bool(_EXACT_VERSION.fullmatch(revision.name) or _COMMIT.fullmatch(revision.name))


def _versioned_elsewhere(release: Delivery) -> bool:
    """Whether a chart has the version of the source it lies in, or of an object that no file defines."""
    chart, source = release.options.get("chart"), release.source
    reference = chart.get("sourceRef") if isinstance(chart, dict) else None
    kind = reference.get("kind") if isinstance(reference, dict) else None
    return (
        kind in ("GitRepository", "Bucket")
        or (source.chart or "").startswith((".", "/"))
        or (source.foreign is not None and source.defined is None and "chartRef" in _spec(release))
    )


def _spec(delivery: Delivery) -> Mapping[str, Any]:
    spec = delivery.object.get("spec")
    return spec if isinstance(spec, dict) else {}


FACTS: dict[str, Callable[[_Subject], Any]] = {
    "images": _images,
    "containers": _containers,
    "probes": _probes,
    "serverOwned": _server_owned,
    "secretValues": _secret_values,
    "sops": lambda s: _is_sops(s.data),
    "labels": lambda s: _strings(_metadata(s.data).get("labels")),
    "annotations": lambda s: _strings(_metadata(s.data).get("annotations")),
    "annotationList": _annotation_list,
    "generateName": _generate_name,
    "artifact": _artifact,
    "namespace": lambda s: s.namespace,
    "agent": lambda s: s.delivery.agent if s.delivery else "",
    "environment": lambda s: (s.delivery.environment or "") if s.delivery else "",
    "tier": lambda s: s.delivery.tier if s.delivery else "",
    "cluster": lambda s: s.delivery.cluster if s.delivery else "",
    "delivery": lambda s: s.delivery.id if s.delivery else "",
    "pinned": _pinned,
    "phases": lambda s: list(phases(s.data)),
    "wave": lambda s: wave(s.data),
}


def delivery_data(delivery: Delivery) -> dict[str, Any]:
    """A Delivery as assertions see it; absent notions are null, the agent object is under `object`."""
    source, sync = delivery.source, delivery.sync
    return {
        "agent": delivery.agent,
        "kind": delivery.kind,
        "namespace": delivery.namespace,
        "name": delivery.name,
        "cluster": delivery.cluster,
        "environment": delivery.environment or "",
        "tier": delivery.tier,
        "renderer": delivery.renderer,
        "source": {
            "url": source.url or "",
            "path": source.path or "",
            "chart": source.chart or "",
            "local": source.local,
            "revision": source.revision.name if source.revision else "",
            "follows": source.revision.name if source.revision and source.revision.name else "the newest",
            "revisionKind": source.revision.kind if source.revision else "",
        },
        "sync": {
            "automated": sync.automated,
            "prune": sync.prune,
            "selfHeal": sync.self_heal,
            "wait": sync.wait,
            "suspended": sync.suspended,
            "interval": sync.interval or "",
            "retry": sync.retry,
        },
        "targetNamespace": delivery.target_namespace or "",
        "project": delivery.project or "",
        "dependsOn": list(delivery.depends_on),
        "wave": wave(delivery.object) if delivery.agent == "argocd" else None,
        "object": dict(delivery.object),
    }
