"""Containers: ports, environment, mounts, probes, hooks, restart rules.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go; each function and table row
names the Go function that it follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.k8s.quantity import quantity
from gitops_layout.validation.server.checks import (
    above,
    any_quantity,
    at_least,
    between,
    choice,
    distinct,
    duplicates,
    named,
    number_or_name,
    one_of,
    port,
    required,
    size,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.resources import requirements
from gitops_layout.validation.server.security import container_security
from gitops_layout.values import dataclass

__all__ = ["Pod", "containers", "object_field", "resource_field"]


@dataclass(frozen=True, slots=True)
class Pod:
    """What the containers of a pod are judged against; `volumes` maps usable names to their sources."""

    volumes: dict[str, At]
    claims: set[str]
    grace: int
    restart: str
    host_users: bool
    os: str
    bare: bool


_TABLE: tuple[Row, ...] = (
    ("validateContainerCommon", "name", named(formats.label)),
    ("validateContainerCommon", "image", required),
    (
        "validateContainerCommon",
        "terminationMessagePolicy",
        one_of("File", "FallbackToLogsOnError"),
    ),
    ("validatePullPolicy", "imagePullPolicy", one_of("Always", "IfNotPresent", "Never")),
    ("validateContainerPorts", "ports", distinct("name")),
    ("validateContainerPorts", "ports[].name", valid(formats.port_name)),
    ("validateContainerPorts", "ports[].containerPort", required),
    ("validateContainerPorts", "ports[].containerPort", port),
    ("validateContainerPorts", "ports[].hostPort", between(0, 65535)),
    ("validateContainerPorts", "ports[].protocol", one_of("TCP", "UDP", "SCTP")),
    ("ValidateEnv", "env[].name", named(formats.env_name)),
    ("validateConfigMapKeySelector", "env[].valueFrom.configMapKeyRef.name", named(formats.subdomain)),
    ("validateConfigMapKeySelector", "env[].valueFrom.configMapKeyRef.key", named(formats.config_key)),
    ("validateSecretKeySelector", "env[].valueFrom.secretKeyRef.name", named(formats.subdomain)),
    ("validateSecretKeySelector", "env[].valueFrom.secretKeyRef.key", named(formats.config_key)),
    ("validateFileKeySelector", "env[].valueFrom.fileKeyRef.key", named(formats.env_name)),
    ("validateFileKeySelector", "env[].valueFrom.fileKeyRef.volumeName", named(formats.label)),
    ("validateFileKeySelector", "env[].valueFrom.fileKeyRef.path", named(formats.has_backstep)),
    ("ValidateEnvFrom", "envFrom[].prefix", valid(formats.env_name)),
    ("validateConfigMapEnvSource", "envFrom[].configMapRef.name", named(formats.subdomain)),
    ("validateSecretEnvSource", "envFrom[].secretRef.name", named(formats.subdomain)),
    ("ValidateVolumeMounts", "volumeMounts[].name", required),
    ("ValidateVolumeMounts", "volumeMounts[].mountPath", required),
    ("ValidateVolumeMounts", "volumeMounts", distinct("mountPath")),
    ("ValidateVolumeDevices", "volumeDevices[].name", required),
    ("ValidateVolumeDevices", "volumeDevices[].devicePath", named(formats.has_backstep)),
    ("ValidateVolumeDevices", "volumeDevices", distinct("name")),
    ("ValidateVolumeDevices", "volumeDevices", distinct("devicePath")),
    ("validateResizePolicy", "resizePolicy", distinct("resourceName")),
    ("validateResizePolicy", "resizePolicy[].resourceName", choice("cpu", "memory")),
    ("validateResizePolicy", "resizePolicy[].restartPolicy", choice("NotRequired", "RestartContainer")),
    ("validateContainerRestartPolicy", "restartPolicy", one_of("Always", "Never", "OnFailure")),
    ("validateContainerRestartPolicy", "restartPolicyRules", size(20)),
    (
        "validateContainerRestartPolicy",
        "restartPolicyRules[].action",
        choice("Restart", "RestartAllContainers"),
    ),
    ("validateContainerRestartPolicy", "restartPolicyRules[].exitCodes", required),
    ("validateContainerRestartPolicy", "restartPolicyRules[].exitCodes.operator", choice("In", "NotIn")),
    ("validateContainerRestartPolicy", "restartPolicyRules[].exitCodes.values", size(255)),
)

_PROBE: tuple[Row, ...] = (
    *(
        ("validateProbe", name, at_least(0))
        for name in (
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        )
    ),
    ("validateProbe", "terminationGracePeriodSeconds", above(0)),
)

_HANDLER: tuple[Row, ...] = (
    ("validateExecAction", "exec.command", required),
    ("ValidatePortNumOrName", "httpGet.port", number_or_name),
    ("validateHTTPGetAction", "httpGet.scheme", one_of("HTTP", "HTTPS")),
    ("validateHTTPGetAction", "httpGet.httpHeaders[].name", named(formats.header)),
    ("ValidatePortNumOrName", "tcpSocket.port", number_or_name),
    ("validateGRPCAction", "grpc.port", port),
)
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_CPU = ("1m", "1")
_BYTES = ("1", *(f"1{unit}" for unit in "k M G T P E Ki Mi Gi Ti Pi Ei".split()))


def containers(spec: At, pod: Pod) -> Iterator[Refusal]:
    """All containers of a pod spec (validateContainers, validateInitContainers)."""
    if not spec["containers"] and not isinstance(spec["containers"].value, str | int | dict):
        yield spec["containers"].refuse("is required, with at least one container")
    names: set[str] = set()
    for kind in ("containers", "initContainers"):
        for at in spec[kind]:
            if not at.is_map:
                continue
            if at["name"].text and at["name"].text in names:
                yield at["name"].refuse(f"{shown(at['name'].text)} is the name of another container")
            names.add(at["name"].text)
            yield from _container(at, pod)
            if kind == "containers" or at["restartPolicy"].text == "Always":
                yield from _probes(at, pod)
            else:
                yield from _plain_init(at)
    yield from duplicates_of_host_ports(spec["containers"])
    for at in spec["initContainers"]:
        yield from duplicates_of_host_ports(At([at.value], at.path[:-1]))


def _container(at: At, pod: Pod) -> Iterator[Refusal]:
    yield from evaluate(_TABLE, at)
    for variable in at["env"]:
        yield from _variable(variable, pod)
    for source in at["envFrom"]:
        if source.is_map:
            yield from _exactly_one(source, ("configMapRef", "secretRef"))
    yield from _mounts(at, pod)
    yield from requirements(at["resources"], pod.claims)
    yield from container_security(at["securityContext"], host_users=pod.host_users)
    if at["restartPolicyRules"] and not at["restartPolicy"]:
        yield at["restartPolicyRules"].refuse("needs restartPolicy beside it")
    if pod.restart == "Never":
        for policy in find(at, "resizePolicy[].restartPolicy"):
            if policy.text == "RestartContainer":
                yield policy.refuse("must be NotRequired in a pod that is never restarted")
    image = at["image"].text
    if pod.bare and image != image.strip():
        yield at["image"].refuse(f"{shown(image)} must not start or end with a blank")


def _exactly_one(at: At, names: tuple[str, ...]) -> Iterator[Refusal]:
    found = [name for name in names if at[name].value is not None]
    if not found:
        yield at.refuse(f"needs one of {', '.join(names)}")
    elif len(found) > 1:
        yield at[found[1]].refuse(f"excludes {found[0]}")


def _variable(at: At, pod: Pod) -> Iterator[Refusal]:
    """validateEnvVarValueFrom, validateFileKeyRefVolumes."""
    source = at["valueFrom"]
    if not source.is_map:
        return
    yield from _exactly_one(
        source, ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
    )
    if at["value"].text:
        yield source.refuse("excludes value")
    yield from object_field(source["fieldRef"], _FIELD_PATHS)
    yield from resource_field(source["resourceFieldRef"], volume=False)
    name = source["fileKeyRef"]["volumeName"]
    if name.text and not pod.volumes.get(name.text, At(None))["emptyDir"].is_map:
        yield name.refuse(f"{shown(name.text)} is not the name of an emptyDir volume")


def object_field(at: At, allowed: tuple[str, ...]) -> Iterator[Refusal]:
    """A fieldRef (validateObjectFieldSelector, pkg/apis/core/pods/helpers.go ConvertDownwardAPIFieldLabel)."""
    if not at.is_map:
        return
    path = at["fieldPath"]
    yield from required(path)
    if at["apiVersion"].text not in ("", "v1"):
        yield at["apiVersion"].refuse("must be v1")
    text = path.text
    stem, bracket, rest = text.partition("['")
    if bracket and rest.endswith("']"):
        key = rest[:-2]
        if stem not in ("metadata.annotations", "metadata.labels"):
            yield path.refuse(f"{stem} has no keys to choose from")
        elif fault := formats.qualified(key.lower() if stem == "metadata.annotations" else key):
            yield path.refuse(f"key {shown(key)} {fault}")
    elif text and text not in allowed:
        yield path.refuse(f"is {shown(text)}, expected one of {', '.join(allowed)}")


def resource_field(at: At, *, volume: bool) -> Iterator[Refusal]:
    """A resourceFieldRef (validateContainerResourceFieldSelector, validateContainerResourceDivisor)."""
    if not at.is_map:
        return
    if volume:
        yield from required(at["containerName"])
    yield from required(at["resource"])
    side, _, name = at["resource"].text.partition(".")
    known = side in ("limits", "requests") and (
        name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
    )
    if at["resource"].text and not known:
        yield at["resource"].refuse(
            f"is {shown(at['resource'].text)}, expected limits or requests of cpu, memory, …"
        )
    divisor = at["divisor"].value
    value = quantity(divisor) if isinstance(divisor, str | int | float) else None
    allowed = _CPU if name == "cpu" else _BYTES
    spelt = isinstance(divisor, str) and re.search(r"[eE][+-]?[0-9]", divisor)
    yield from any_quantity(at["divisor"])
    if known and value and (spelt or value not in [quantity(each) for each in allowed]):
        yield at["divisor"].refuse(f"is {divisor}, expected one of {', '.join(allowed)}")


def _mounts(at: At, pod: Pod) -> Iterator[Refusal]:
    """ValidateVolumeMounts, ValidateVolumeDevices."""
    mounted = {mount["name"].text: mount["mountPath"].text for mount in at["volumeMounts"] if mount.is_map}
    for mount in at["volumeMounts"]:
        name = mount["name"].text
        if name and name not in pod.volumes:
            yield mount["name"].refuse(f"{shown(name)} is not the name of a volume of the pod")
        for field in ("subPath", "subPathExpr"):
            text = mount[field].text
            if text and (fault := _descending(text)):
                yield mount[field].refuse(f"{shown(text)} {fault}")
        if mount["subPath"].text and mount["subPathExpr"].text:
            yield mount["subPathExpr"].refuse("excludes subPath")
        yield from _propagation(mount, at)
    for device in at["volumeDevices"]:
        name, path = device["name"].text, device["devicePath"].text
        source = pod.volumes.get(name)
        if name and source is None:
            yield device["name"].refuse(f"{shown(name)} is not the name of a volume of the pod")
        elif source and not (source["persistentVolumeClaim"].is_map or source["ephemeral"].is_map):
            yield device["name"].refuse(f"{shown(name)} is no claim, and only claims can be block devices")
        if name in mounted or path in mounted.values():
            yield device.refuse("is a mount of the container, too")


def _descending(text: str) -> str | None:
    return "must be a relative path" if text.startswith("/") else formats.has_backstep(text)


def _propagation(mount: At, container: At) -> Iterator[Refusal]:
    """validateMountPropagation, validateMountRecursiveReadOnly."""
    propagation, recursive = mount["mountPropagation"], mount["recursiveReadOnly"]
    yield from one_of("Bidirectional", "HostToContainer", "None")(propagation)
    if propagation.text == "Bidirectional" and not container["securityContext"]["privileged"].is_true:
        yield propagation.refuse("Bidirectional is for privileged containers only")
    yield from one_of("Disabled", "IfPossible", "Enabled")(recursive)
    if recursive.text in ("IfPossible", "Enabled"):
        if not mount["readOnly"].is_true:
            yield recursive.refuse("needs readOnly: true")
        if propagation.text not in ("", "None"):
            yield recursive.refuse("excludes mountPropagation")


def _probes(at: At, pod: Pod) -> Iterator[Refusal]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = at[name]
        if not probe.is_map:
            continue
        yield from evaluate(_PROBE, probe)
        yield from _handler(probe, _PROBE_HANDLERS, pod)
        if name == "readinessProbe":
            if probe["terminationGracePeriodSeconds"]:
                yield probe["terminationGracePeriodSeconds"].refuse("has no place in a readiness probe")
        elif (probe["successThreshold"].number or 1) != 1:
            yield probe["successThreshold"].refuse(f"is {probe['successThreshold'].value}, expected 1")
    for name in ("postStart", "preStop"):
        if at["lifecycle"][name].is_map:
            yield from _handler(at["lifecycle"][name], _HOOK_HANDLERS, pod)


def _handler(at: At, kinds: tuple[str, ...], pod: Pod) -> Iterator[Refusal]:
    yield from _exactly_one(at, kinds)
    yield from evaluate(_HANDLER, at)
    for name in ("httpGet", "tcpSocket", "grpc"):
        # Without a port the server reads 0.
        if at[name].is_map and at[name]["port"].value in (None, 0, ""):
            yield at[name]["port"].refuse("is required")
    sleep = at["sleep"]
    if sleep.is_map and not 0 <= (sleep["seconds"].number or 0) <= pod.grace:
        yield sleep["seconds"].refuse(f"must lie within the pod's grace period of {pod.grace} s")


def _plain_init(at: At) -> Iterator[Refusal]:
    """validateInitContainers, for those that run to their end."""
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if at[name].value is not None:
            yield at[name].refuse("is for init containers with restartPolicy Always only")
    for policy in find(at, "resizePolicy[].restartPolicy"):
        if policy.text == "RestartContainer":
            yield policy.refuse("is for init containers with restartPolicy Always only")


def duplicates_of_host_ports(at: At) -> Iterator[Refusal]:
    """checkHostPortConflicts."""
    flat = [place.value for place in find(At({"c": at.value}), "c[].ports[]")]
    places = [place for container in at if container.is_map for place in container["ports"]]
    for refusal in duplicates(At(flat), _host_port):
        index = refusal.path[0]
        if isinstance(index, int):
            yield places[index]["hostPort"].refuse("is taken by another port of the pod")


def _host_port(at: At) -> tuple[object, ...]:
    number = at["hostPort"].number
    return (number or None, at["protocol"].text or "TCP", at["hostIP"].text)
