"""Pod security levels: what a namespace's labels forbid the pods in it.

The facts are those of the module k8s.io/pod-security-admission 0.36 (`policy/check_*.go`, `api/helpers.go`), in all versions of each
check. `baseline` forbids what breaks out of a container; `restricted` demands hardening besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitops_layout.model import Path
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.cursor import At, shown
from gitops_layout.values import dataclass

__all__ = ["Breach", "Level", "breaches", "enforced"]

ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"
_VERSION = regexp(r"v1\.(0|[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Level:
    """What a namespace enforces: `name` is baseline or restricted, `minor` of Kubernetes 1, None for the latest."""

    name: str
    minor: int | None

    def __str__(self) -> str:
        return f"{self.name}:{'latest' if self.minor is None else f'v1.{self.minor}'}"


@dataclass(frozen=True, slots=True)
class Breach:
    """One control that a pod does not keep: its name, the first place to blame in the pod spec, and the demand."""

    control: str
    path: Path
    message: str


def enforced(labels: Mapping[str, Any]) -> Level | None:
    """The level of a namespace's labels (PolicyToEvaluate); None where it is privileged or unreadable.

    The server takes an unreadable level for restricted, but refuses a namespace with such a label.
    """
    name, version = labels.get(ENFORCE), labels.get(ENFORCE_VERSION)
    if name not in ("baseline", "restricted"):
        return None
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    return Level(str(name), int(match[1]) if match else None)


def breaches(
    level: Level, spec: Mapping[str, Any], annotations: Mapping[str, Any], *, kubernetes: str
) -> list[Breach]:
    """What a server of version `kubernetes` (`1.36`) would refuse of a pod in a namespace of that level."""
    newest = int(kubernetes.partition(".")[2])
    minor = newest if level.minor is None else min(level.minor, newest)
    pod = _Pod(At(dict(spec)), At(dict(annotations)), minor)
    restricted = level.name == "restricted"
    found = []
    for name, since, check in _CONTROLS if not restricted else (*_CONTROLS, *_RESTRICTED):
        if minor >= since and not (restricted and _overridden(name, minor)):
            places = list(check(pod))
            if places:
                found.append(_breach(name, places))
    return found


def _overridden(name: str, minor: int) -> bool:
    """A stricter check of the restricted level takes the place of one of the baseline."""
    since = {"capabilities": 22, "hostPath volumes": 0, "seccompProfile": 19, "procMount": 35}.get(name)
    return since is not None and minor >= since


def _breach(name: str, places: list[tuple[At, str]]) -> Breach:
    words: dict[str, list[str]] = {}
    for at, demand in places:
        words.setdefault(demand, []).append(_owner(at))
    parts = [f"{', '.join(dict.fromkeys(owners))} {demand}" for demand, owners in words.items()]
    return Breach(name, places[0][0].path, "; ".join(parts))


@dataclass(frozen=True, slots=True)
class _Pod:
    spec: At
    annotations: At
    minor: int

    @property
    def containers(self) -> Iterator[At]:
        for kind in ("initContainers", "containers", "ephemeralContainers"):
            yield from (item for item in self.spec[kind] if item.is_map)

    @property
    def contexts(self) -> Iterator[At]:
        """The security context of the pod, then those of the containers."""
        yield self.spec["securityContext"]
        yield from (container["securityContext"] for container in self.containers)

    @property
    def windows(self) -> bool:
        return self.minor >= 25 and self.spec["os"]["name"].text == "windows"

    @property
    def apart(self) -> bool:
        """Whether the pod has users of its own, which relaxes some checks from 1.35 on."""
        return self.minor >= 35 and self.spec["hostUsers"].value is False


_Check = Callable[[_Pod], Iterator[tuple[At, str]]]


def _owner(at: At) -> str:
    match at.path:
        case ("initContainers" | "containers" | "ephemeralContainers" as kind, int(number), *_):
            return f"{kind}[{number}]"
        case ("volumes", int(number), *_):
            return f"volumes[{number}]"
    return "the pod"


def _host_namespaces(pod: _Pod) -> Iterator[tuple[At, str]]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec[name].is_true:
            yield pod.spec[name], f"must not set {name}"


def _host_paths(pod: _Pod) -> Iterator[tuple[At, str]]:
    for volume in pod.spec["volumes"]:
        if volume["hostPath"].value is not None:
            yield volume["hostPath"], "must not be of type hostPath"


def _host_ports(pod: _Pod) -> Iterator[tuple[At, str]]:
    for container in pod.containers:
        for port in container["ports"]:
            if port["hostPort"].number:
                yield port["hostPort"], f"must not use hostPort {port['hostPort'].number}"


def _host_probes(pod: _Pod) -> Iterator[tuple[At, str]]:
    for container in pod.containers:
        handlers = [container[name] for name in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [container["lifecycle"][name] for name in ("postStart", "preStop")]
        for handler in handlers:
            for kind in ("httpGet", "tcpSocket"):
                if handler[kind]["host"].text:
                    yield (
                        handler[kind]["host"],
                        f"must not name a host, as {shown(handler[kind]['host'].text)}",
                    )


def _privileged(pod: _Pod) -> Iterator[tuple[At, str]]:
    for container in pod.containers:
        if container["securityContext"]["privileged"].is_true:
            yield container["securityContext"]["privileged"], "must not set privileged: true"


def _host_process(pod: _Pod) -> Iterator[tuple[At, str]]:
    for context in pod.contexts:
        if context["windowsOptions"]["hostProcess"].is_true:
            yield context["windowsOptions"]["hostProcess"], "must not set hostProcess: true"


def _proc_mount(pod: _Pod) -> Iterator[tuple[At, str]]:
    for container in pod.containers:
        mount = container["securityContext"]["procMount"]
        if mount.value is not None and mount.text != "Default":
            yield mount, f"must not set procMount: {mount.text}"


def _proc_mount_baseline(pod: _Pod) -> Iterator[tuple[At, str]]:
    if not pod.apart:
        yield from _proc_mount(pod)


_DEFAULT_CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID"
    " SYS_CHROOT".split()
)


def _capabilities(pod: _Pod) -> Iterator[tuple[At, str]]:
    yield from _added(pod, _DEFAULT_CAPABILITIES)


def _added(pod: _Pod, allowed: frozenset[str]) -> Iterator[tuple[At, str]]:
    for container in pod.containers:
        for item in container["securityContext"]["capabilities"]["add"]:
            if item.text not in allowed:
                yield item, f"must not add the capability {item.text}"


def _app_armor(pod: _Pod) -> Iterator[tuple[At, str]]:
    for context in pod.contexts:
        kind = context["appArmorProfile"]["type"]
        if context["appArmorProfile"].is_map and kind.text not in ("RuntimeDefault", "Localhost"):
            yield kind, f"must not set appArmorProfile.type: {kind.text}"
    for key, value in pod.annotations.pairs:
        named = key.startswith("container.apparmor.security.beta.kubernetes.io/")
        if named and value.text not in ("", "runtime/default") and not value.text.startswith("localhost/"):
            yield pod.spec, f"must not have the annotation {key}: {value.text}"


def _selinux(pod: _Pod) -> Iterator[tuple[At, str]]:
    allowed = {"", "container_t", "container_init_t", "container_kvm_t"}
    allowed |= {"container_engine_t"} if pod.minor >= 31 else set()
    for context in pod.contexts:
        options = context["seLinuxOptions"]
        if options["type"].text not in allowed:
            yield options["type"], f"must not set seLinuxOptions.type: {options['type'].text}"
        for name in ("user", "role"):
            if options[name].text:
                yield options[name], f"must not set seLinuxOptions.{name}"


_SECCOMP = ("RuntimeDefault", "Localhost")
_SECCOMP_KEY = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"


def _seccomp(pod: _Pod) -> Iterator[tuple[At, str]]:
    if pod.minor < 19:
        for key, value in pod.annotations.pairs:
            default = value.text in ("runtime/default", "docker/default") or value.text.startswith(
                "localhost/"
            )
            if (key == _SECCOMP_KEY or key.startswith(_SECCOMP_PREFIX)) and not default:
                yield pod.spec, f"must not have the annotation {key}: {value.text}"
        return
    for context in pod.contexts:
        kind = context["seccompProfile"]["type"]
        if context["seccompProfile"].is_map and kind.text not in _SECCOMP:
            yield kind, f"must not set seccompProfile.type: {kind.text}"


_SYSCTLS = (
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
)


def _sysctls(pod: _Pod) -> Iterator[tuple[At, str]]:
    allowed = {name for since, name in _SYSCTLS if pod.minor >= since}
    for item in pod.spec["securityContext"]["sysctls"]:
        if item["name"].text not in allowed:
            yield item["name"], f"must not set the sysctl {item['name'].text}"


_CONTROLS: tuple[tuple[str, int, _Check], ...] = (
    ("host namespaces", 0, _host_namespaces),
    ("hostPath volumes", 0, _host_paths),
    ("host ports", 0, _host_ports),
    ("host probes", 34, _host_probes),
    ("privileged containers", 0, _privileged),
    ("host processes", 0, _host_process),
    ("procMount", 0, _proc_mount_baseline),
    ("capabilities", 0, _capabilities),
    ("AppArmor", 0, _app_armor),
    ("SELinux", 0, _selinux),
    ("seccompProfile", 0, _seccomp),
    ("sysctls", 0, _sysctls),
)


def _escalation(pod: _Pod) -> Iterator[tuple[At, str]]:
    for container in pod.containers if not pod.windows else ():
        if container["securityContext"]["allowPrivilegeEscalation"].value is not False:
            yield _place(container, "allowPrivilegeEscalation"), "must set allowPrivilegeEscalation: false"


def _place(container: At, name: str) -> At:
    """The field where it is written, else the container."""
    field = container["securityContext"][name]
    return field if field.value is not None else container


def _dropped(pod: _Pod) -> Iterator[tuple[At, str]]:
    if pod.windows:
        return
    for container in pod.containers:
        if "ALL" not in container["securityContext"]["capabilities"]["drop"].texts:
            yield _place(container, "capabilities"), 'must set capabilities.drop: ["ALL"]'
    yield from _added(pod, frozenset({"NET_BIND_SERVICE"}))


def _non_root(pod: _Pod) -> Iterator[tuple[At, str]]:
    if pod.apart:
        return
    whole = pod.spec["securityContext"]["runAsNonRoot"]
    if whole.value is False:
        yield whole, "must not set runAsNonRoot: false"
    for container in pod.containers:
        own = container["securityContext"]["runAsNonRoot"]
        if own.value is False:
            yield own, "must not set runAsNonRoot: false"
        elif own.value is None and not whole.is_true:
            yield container, "must set runAsNonRoot: true, or the pod must"


def _root_user(pod: _Pod) -> Iterator[tuple[At, str]]:
    for context in pod.contexts if not pod.apart else ():
        if context["runAsUser"].number == 0:
            yield context["runAsUser"], "must not set runAsUser: 0"


def _seccomp_set(pod: _Pod) -> Iterator[tuple[At, str]]:
    if pod.windows:
        return
    yield from _seccomp(pod)
    whole = pod.spec["securityContext"]["seccompProfile"]["type"].text in _SECCOMP
    for container in pod.containers:
        if not container["securityContext"]["seccompProfile"].is_map and not whole:
            yield container, "must set seccompProfile.type: RuntimeDefault, or the pod must"


_VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"
)  # fmt: skip


def _volumes(pod: _Pod) -> Iterator[tuple[At, str]]:
    for volume in pod.spec["volumes"]:
        kinds = [name for name, value in volume.pairs if name != "name" and value.value is not None]
        if kinds and not any(volume[name].value is not None for name in _VOLUMES):
            yield volume[kinds[0]], f"must not be of type {kinds[0]}"


_RESTRICTED: tuple[tuple[str, int, _Check], ...] = (
    ("volume types", 0, _volumes),
    ("privilege escalation", 8, _escalation),
    ("dropped capabilities", 22, _dropped),
    ("running as non-root", 0, _non_root),
    ("running as user 0", 23, _root_user),
    ("seccomp", 19, _seccomp_set),
    ("mounting /proc", 35, _proc_mount),
)
