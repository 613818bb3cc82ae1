"""Security contexts of pods and containers.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go; table rows and functions name
the Go function that they follow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.checks import between, choice, distinct, exact, items, one_of, required
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown

__all__ = ["container_security", "parsed", "pod_annotations", "pod_security"]

_ID = between(0, 2**31 - 1)
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_CONTROL = regexp(r"[\x00-\x1f\x7f]")
_NETBIOS = regexp(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = regexp(rf"{_LABEL}(?:\.{_LABEL})*")
_NO_USER = regexp(r'["/\\:;|=,+*?<>@\[\]]')
_SYSCTL = regexp(r"(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?")


def _sysctl(text: str) -> str | None:
    return None if len(text) <= 253 and _SYSCTL.fullmatch(text) else "must be the name of a kernel parameter"


def _sysctl_name(at: At) -> Iterator[Refusal]:
    yield from required(at)
    if at.text and (fault := _sysctl(at.text)):
        yield at.refuse(f"{shown(at.text)} {fault}")


def _windows_user(text: str) -> str | None:
    """A user, a domain and a backslash before it or not (validateWindowsSecurityContextOptions)."""
    domain, backslash, user = text.rpartition("\\")
    if _CONTROL.search(text) or "\\" in domain:
        return "must have no control characters, and one backslash at most"
    if backslash and (len(domain) >= 256 or not (_NETBIOS.fullmatch(domain) or _DOMAIN.fullmatch(domain))):
        return "must have the name of a domain before the backslash"
    if not 0 < len(user.encode("utf-8", "replace")) <= 104 or not user.strip(". ") or _NO_USER.search(user):
        return 'must name a user in 1 to 104 characters, none of them among "/\\[]:;|=,+*?<>@'
    return None


_SHARED: tuple[Row, ...] = (
    ("IsValidUserID", "runAsUser", _ID),
    ("IsValidGroupID", "runAsGroup", _ID),
    ("validateSeccompProfileType", "seccompProfile.type", choice(*_PROFILES)),
    ("ValidateAppArmorProfileField", "appArmorProfile.type", choice(*_PROFILES)),
    (
        "validateWindowsSecurityContextOptions",
        "windowsOptions.gmsaCredentialSpecName",
        exact(formats.subdomain),
    ),
    (
        "validateWindowsSecurityContextOptions",
        "windowsOptions.gmsaCredentialSpec",
        exact(lambda text: None if 0 < len(text) <= 64 * 1024 else "must have 1 character to 64 KiB"),
    ),
    ("validateWindowsSecurityContextOptions", "windowsOptions.runAsUserName", exact(_windows_user)),
)
_POD: tuple[Row, ...] = (
    *_SHARED,
    ("validatePodSpecSecurityContext", "fsGroup", _ID),
    ("validatePodSpecSecurityContext", "supplementalGroups", items(_ID)),
    ("validateFSGroupChangePolicy", "fsGroupChangePolicy", one_of("OnRootMismatch", "Always")),
    ("validateSupplementalGroupsPolicy", "supplementalGroupsPolicy", one_of("Merge", "Strict")),
    ("validateSELinuxChangePolicy", "seLinuxChangePolicy", one_of("MountOption", "Recursive")),
    ("validateSysctls", "sysctls[].name", _sysctl_name),
    ("validateSysctls", "sysctls", distinct("name")),
)
_CONTAINER: tuple[Row, ...] = (
    *_SHARED,
    ("ValidateProcMountType", "procMount", one_of("Default", "Unmasked")),
)
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_WINDOWS_POD = (
    "appArmorProfile seLinuxOptions seccompProfile fsGroup fsGroupChangePolicy sysctls runAsUser runAsGroup"
    " supplementalGroups supplementalGroupsPolicy seLinuxChangePolicy".split()
)
_WINDOWS_CONTAINER = (
    "appArmorProfile seLinuxOptions seccompProfile capabilities readOnlyRootFilesystem privileged"
    " allowPrivilegeEscalation procMount runAsUser runAsGroup".split()
)
_CONTAINERS = ("containers[].securityContext", "initContainers[].securityContext")


def pod_security(spec: At) -> Iterator[Refusal]:
    """The pod's own context, and what its operating system rules out (validateLinux, validateWindows)."""
    context = spec["securityContext"]
    yield from evaluate(_POD, context)
    yield from _localhost(context)
    if spec["shareProcessNamespace"].is_true and spec["hostPID"].is_true:
        yield spec["shareProcessNamespace"].refuse("excludes hostPID")
    for name in find(context, "sysctls[].name"):
        yield from _host_sysctl(name, spec)
    if spec["hostUsers"].value is False:
        for flag in ("hostNetwork", "hostPID", "hostIPC"):
            if spec[flag].is_true:
                yield spec[flag].refuse("excludes hostUsers: false")
        for path in ("containers[].volumeDevices", "initContainers[].volumeDevices"):
            yield from (at.refuse("excludes hostUsers: false") for at in find(spec, path) if at)
    yield from _operating_system(spec)
    yield from _host_process(spec)


def _host_sysctl(name: At, spec: At) -> Iterator[Refusal]:
    text = name.text.replace("/", ".")
    if spec["hostNetwork"].is_true and text.startswith("net."):
        yield name.refuse("cannot be set with hostNetwork: true")
    if spec["hostIPC"].is_true and text.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
        yield name.refuse("cannot be set with hostIPC: true")


def _operating_system(spec: At) -> Iterator[Refusal]:
    name = spec["os"]["name"]
    if spec["os"].is_map:
        yield from choice("linux", "windows")(name)
    contexts = [spec["securityContext"], *(place for path in _CONTAINERS for place in find(spec, path))]
    if name.text == "linux":
        for context in contexts:
            if context["windowsOptions"].is_map:
                yield context["windowsOptions"].refuse("has no place in a Linux pod")
    if name.text == "windows":
        forbidden = [spec[field] for field in ("hostUsers", "shareProcessNamespace")]
        forbidden += [spec[field] for field in ("hostPID", "hostIPC") if spec[field].is_true]
        forbidden += [contexts[0][field] for field in _WINDOWS_POD]
        forbidden += [context[field] for context in contexts[1:] for field in _WINDOWS_CONTAINER]
        yield from (at.refuse("has no place in a Windows pod") for at in forbidden if at.value is not None)


def _host_process(spec: At) -> Iterator[Refusal]:
    """validateWindowsHostProcessPod."""
    whole = spec["securityContext"]["windowsOptions"]["hostProcess"]
    flags = []
    for path in _CONTAINERS:
        for context in find(spec, path):
            own = context["windowsOptions"]["hostProcess"]
            if whole.value is not None and own.value is not None and own.value != whole.value:
                yield own.refuse("differs from the pod's")
            flags.append(own.is_true if own.value is not None else whole.is_true)
    if any(flags) and not all(flags):
        yield spec.refuse("either all containers are host processes or none is")
    if any(flags) and not spec["hostNetwork"].is_true:
        yield spec["hostNetwork"].refuse("must be true for host processes")


def container_security(at: At, *, host_users: bool) -> Iterator[Refusal]:
    """One container's context (ValidateSecurityContext)."""
    yield from evaluate(_CONTAINER, at)
    yield from _localhost(at)
    if host_users and at["procMount"].text == "Unmasked":
        yield at["procMount"].refuse("Unmasked needs hostUsers: false in the pod")
    if at["allowPrivilegeEscalation"].value is False:
        if at["privileged"].is_true:
            yield at["allowPrivilegeEscalation"].refuse("cannot be false with privileged: true")
        if "CAP_SYS_ADMIN" in at["capabilities"]["add"].texts:
            yield at["allowPrivilegeEscalation"].refuse("cannot be false with the capability CAP_SYS_ADMIN")


def _localhost(at: At) -> Iterator[Refusal]:
    """validateSeccompProfileField, ValidateAppArmorProfileField."""
    for name in ("seccompProfile", "appArmorProfile"):
        profile, path = at[name]["type"].text, at[name]["localhostProfile"]
        if profile == "Localhost":
            if path.value is None or (name == "appArmorProfile" and not path.text.strip()):
                yield path.refuse("is required with type Localhost")
            elif name == "seccompProfile" and path.text.startswith("/"):
                yield path.refuse(f"{shown(path.text)} must be a relative path")
            elif name == "seccompProfile" and formats.has_backstep(path.text):
                yield path.refuse(f"{shown(path.text)} must not contain '..'")
            elif name == "appArmorProfile" and path.text.strip() != path.text:
                yield path.refuse("must not start or end with a blank")
        elif path.value is not None:
            yield path.refuse("is for type Localhost only")


def parsed(text: str) -> object:
    """The value of a text in JSON; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def pod_annotations(at: At, spec: At) -> Iterator[Refusal]:
    """Annotations that speak of pods (ValidatePodSpecificAnnotations)."""
    names = {name.text for kind in ("containers", "initContainers") for name in find(spec, f"{kind}[].name")}
    for key, value in at.pairs:
        text = value.text
        if key == _SECCOMP_POD or key.startswith(_SECCOMP):
            if text not in ("runtime/default", "docker/default", "unconfined") and not text.startswith(
                "localhost/"
            ):
                yield value.refuse(f"{shown(text)} is no seccomp profile")
        elif key.startswith(_APPARMOR):
            if key.removeprefix(_APPARMOR) not in names:
                yield value.refuse(f"there is no container {shown(key.removeprefix(_APPARMOR))}")
            if text not in ("", "runtime/default", "unconfined") and not text.startswith("localhost/"):
                yield value.refuse(f"{shown(text)} is no AppArmor profile")
    mirror, old = at["kubernetes.io/config.mirror"], at["scheduler.alpha.kubernetes.io/tolerations"]
    if mirror.value is not None and not spec["nodeName"].text:
        yield mirror.refuse("needs spec.nodeName")
    if old.text and not isinstance(parsed(old.text), list | None):
        yield old.refuse("is no list in JSON")
    cost = at["controller.kubernetes.io/pod-deletion-cost"]
    if cost.text and not re.fullmatch(r"0|-?[1-9][0-9]{0,9}", cost.text):
        yield cost.refuse(f"{shown(cost.text)} is no 32-bit integer")
