"""Where Kubernetes kinds keep their pods, and what an image reference says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.model import Path

__all__ = ["Container", "Image", "containers", "image", "pod_spec"]

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference in its parts; `tag` and `digest` are empty where absent."""

    ref: str
    name: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container: its data and where it stands in the object; `init` for those that run first."""

    data: dict[str, Any]
    path: Path
    init: bool


def image(ref: str) -> Image:
    """Take `[registry[:port]/]name[:tag][@digest]` apart; never fails."""
    rest, _, digest = ref.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return Image(ref, f"{head}{slash}{name}", tag, digest)


def pod_spec(data: dict[str, Any]) -> tuple[dict[str, Any], Path] | None:
    """The pod spec inside an object and its path; None where the kind runs no pods.

    Pods and CronJobs are special; every other kind with `spec.template.spec` and containers in it
    (workloads, Rollouts, Knative Services, SealedSecrets have none) keeps it there.
    """
    match data:
        case {"kind": "Pod", "spec": dict(spec)}:
            return spec, ("spec",)
        case {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": dict(spec)}}}}}:
            return spec, ("spec", "jobTemplate", "spec", "template", "spec")
        case {"kind": "PodTemplate", "template": {"spec": dict(spec)}}:
            return spec, ("template", "spec")
        case {"spec": {"template": {"spec": {"containers": list()} as spec}}}:
            return spec, ("spec", "template", "spec")
        case _:
            return None


def containers(data: dict[str, Any]) -> Iterator[Container]:
    """Every container of an object's pods, in the order of the lists above."""
    found = pod_spec(data)
    if found is None:
        return
    spec, path = found
    for name in _CONTAINER_LISTS:
        listed = spec.get(name)
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(item, dict):
                yield Container(item, (*path, name, index), name == "initContainers")


PLACEHOLDER_IMAGE = regexp(r"[${}<>]|^[A-Z][A-Z0-9_]*$")
"""A name that something fills in before it is applied: `${IMAGE}`, `<IMAGE>`, `IMAGE_URL`."""
