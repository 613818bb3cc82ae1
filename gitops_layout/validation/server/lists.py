"""Items that repeat the key of another, in lists that are merged by key.

Server-side apply refuses them for every such list; create looks only where the validation of the kind
does (structured-merge-diff; keys and sets are the x-kubernetes-list-* of the server's OpenAPI, 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_layout.validation.server.checks import duplicates
from gitops_layout.validation.server.clean import Clean, lean_content
from gitops_layout.validation.server.cursor import At, Check, Refusal, Row, evaluate, find

__all__ = ["PODS", "repeated"]

_CONTAINER = (
    ("env", ("name",)),
    ("ports", ("containerPort", "protocol")),
    ("volumeDevices", ("devicePath",)),
    ("volumeMounts", ("mountPath",)),
    ("resources.claims", ("name",)),
)
_POD: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((f"{kind}[].{path}", keys) for kind in ("containers", "initContainers") for path, keys in _CONTAINER),
    ("containers", ("name",)),
    ("hostAliases", ("ip",)),
    ("imagePullSecrets", ("name",)),
    ("initContainers", ("name",)),
    ("resourceClaims", ("name",)),
    ("schedulingGates", ("name",)),
    ("topologySpreadConstraints", ("topologyKey", "whenUnsatisfiable")),
    ("volumes", ("name",)),
)
PODS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
}
"""Where the spec of a kind's pods is."""
_ADMISSION = "admissionregistration.k8s.io"
_OTHERS: dict[tuple[str, str], tuple[tuple[str, tuple[str, ...]], ...]] = {
    ("", "Service"): (("spec.ports", ("port", "protocol")),),
    ("", "ServiceAccount"): (("secrets", ("name",)),),
    (_ADMISSION, "ValidatingAdmissionPolicy"): (
        ("spec.variables", ("name",)),
        ("spec.matchConditions", ("name",)),
    ),
    ("storage.k8s.io", "CSINode"): (("spec.drivers", ("name",)),),
    (_ADMISSION, "MutatingAdmissionPolicy"): (("spec.matchConditions", ("name",)),),
    (_ADMISSION, "ValidatingWebhookConfiguration"): (("webhooks", ("name",)),),
    (_ADMISSION, "MutatingWebhookConfiguration"): (("webhooks", ("name",)),),
}
_SETS = {
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): (
        "spec.rules[].resourceRules[].verbs",
        "spec.rules[].resourceRules[].apiGroups",
        "spec.rules[].resourceRules[].resources",
        "spec.rules[].resourceRules[].namespaces",
        "spec.rules[].nonResourceRules[].verbs",
        "spec.rules[].nonResourceRules[].nonResourceURLs",
    ),
    ("discovery.k8s.io", "EndpointSlice"): ("endpoints[].addresses",),
    ("storage.k8s.io", "CSIDriver"): ("spec.volumeLifecycleModes",),
}
_DEFAULTS = {"protocol": "TCP"}


def repeated(group: str, kind: str, at: At) -> Iterator[Refusal]:
    """Items that apply could not tell from earlier ones; `at` is the whole object."""
    for pod in find(at, ".".join(PODS.get((group, kind), ()))):
        if not _taken(pod.value):
            yield from evaluate(_POD_ROWS, pod)
    yield from evaluate(_ROWS.get((group, kind), _ANY), at)
    if (group, kind) == ("", "ServiceAccount"):
        for item in at["secrets"]:
            if item.is_map and "name" not in item.value:
                yield item["name"].refuse("is required, as items are merged by it")


_clean = Clean()


def _taken(spec: Any) -> bool:
    """Whether a pod spec repeats nothing; neither images nor amounts matter."""
    key = lean_content(spec) if isinstance(spec, dict) else None
    if key in _clean:
        return True
    if any(True for _ in evaluate(_POD_ROWS, At(spec))):
        return False
    _clean.add(key)
    return True


def _nulls(at: At) -> Iterator[Refusal]:
    for index, item in enumerate(at.value if isinstance(at.value, list) else ()):
        if item is None:
            yield Refusal((*at.path, index), "is null, which no item of a merged list may be")


def _items(at: At, keys: tuple[str, ...]) -> Iterator[Refusal]:
    yield from _nulls(at)
    yield from duplicates(at, lambda item: tuple(_key(item, name) for name in keys))


def _key(item: At, name: str) -> object:
    value = item[name].value
    if value is None:
        return _DEFAULTS.get(name)
    return value if isinstance(value, str | int | float) else None


def _keyed(*names: str) -> Check:
    return lambda at: _items(at, names)


def _set(at: At) -> Iterator[Refusal]:
    yield from _nulls(at)
    yield from duplicates(at, lambda item: (True, item.text))


def _rows(kind: tuple[str, str]) -> tuple[Row, ...]:
    return (
        *(("list", path, _keyed(*names)) for path, names in _OTHERS.get(kind, ())),
        *(("set", path, _set) for path in ("metadata.finalizers", *_SETS.get(kind, ()))),
        ("list", "metadata.ownerReferences", _keyed("uid")),
    )


_POD_ROWS: tuple[Row, ...] = tuple(("list", path, _keyed(*names)) for path, names in _POD)
_ROWS = {kind: _rows(kind) for kind in (*_OTHERS, *_SETS)}
_ANY = _rows(("", ""))
