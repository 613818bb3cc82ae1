"""Checks of where agents pull from, how often, and who else writes there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import normal_url, text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.applied import Applied, applied
from gitops_layout.checks.mending import put
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Change, Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import object_ref

__all__ = [
    "automation_to_prod",
    "branch_per_environment",
    "external_branch",
    "insecure",
    "interval",
    "outside_git",
    "shared_credential",
]

Params = Mapping[str, Any]

_FLUX = "source.toolkit.fluxcd.io"
_ARGO = "argoproj.io"
_DURATION = regexp(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_OPEN = regexp(r"\$\{|\{\{|<<|<[A-Z]")
"""What is filled in later: such a value is not known yet."""
_SAMPLE = regexp(r"[/_-](your|my)[-_]?(org|user|username|name|company|team|repo)\b", re.IGNORECASE)
"""What stands in a URL until somebody writes his own name."""


def _seconds(duration: Any) -> float | None:
    """A Go duration of hours, minutes and seconds; None for anything else."""
    found = _DURATION.fullmatch(duration) if isinstance(duration, str) and duration else None
    if found is None:
        return None
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))


def interval(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sources that are looked at all the time, or hardly ever without anything that would tell of a push."""
    told = any(True for _ in applied(graph, "notification.toolkit.fluxcd.io", "Receiver"))
    kinds = ("GitRepository", "OCIRepository", "Bucket", "HelmRepository")
    polled: list[tuple[Applied, Path]] = [
        (item, ("spec", "interval")) for item in applied(graph, _FLUX, *kinds)
    ]
    polled += [(item, ("spec", "sync", "interval")) for item in applied(graph, _OPERATOR, "FluxInstance")]
    for item, path in polled:
        value = at(item.data, *path)
        seconds = _seconds(value)
        if seconds is None or at(item.data, "spec", "type") == "oci":
            continue
        if seconds < params["shortest"]:
            why = "its server is asked without a pause"
        elif seconds > params["longest"] and not told and item.ref.kind != "HelmRepository":
            why = "a push arrives a day later or more"
        else:
            continue
        values = {"kind": item.ref.kind, "name": item.ref.name, "interval": value, "why": why}
        place = item.origin(path)
        usual = (Change("replace", place, "1m" if seconds < params["shortest"] else "1h"),)
        yield Hit(place, values, (), item.affected, usual)


_OPERATOR = "fluxcd.controlplane.io"
_LONGEST_URL = 2048
_INSIDE = regexp(
    r"(localhost|127\.[\d.]+|\[::1\]|[^./:]+|.*\.svc(\.[\w.-]+)?|.*\.(internal|localhost))(:\d+)?(/|$)"
)


def insecure(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sources that are fetched without encryption, or without asking whose certificate it is."""
    for item in applied(graph, _FLUX, "GitRepository", "HelmRepository", "OCIRepository", "Bucket"):
        spec = at(item.data, "spec")
        url = text(at(spec, "url")) or text(at(spec, "endpoint")) or ""
        if _is_plain(url):
            yield _insecure(item, ("spec", "url"), f"fetches {url} without encryption")
        elif at(spec, "insecure") is True and not _INSIDE.match(
            (url.partition("://")[2] or url)[:_LONGEST_URL]
        ):
            yield _insecure(item, ("spec", "insecure"), "allows plain HTTP or any certificate")
    for item in applied(graph, _ARGO, "Application"):
        spec = at(item.data, "spec")
        many = at(spec, "sources")
        places = (
            [("spec", "sources", n, "repoURL") for n in range(len(many))] if isinstance(many, list) else []
        )
        for path in (("spec", "source", "repoURL"), *places):
            url = text(at(item.data, *path)) or ""
            if _is_plain(url):
                yield _insecure(item, path, f"fetches {url} without encryption")
    for item in applied(graph, "", "Secret"):
        if at(item.data, "metadata", "labels", "argocd.argoproj.io/secret-type") in (
            "repository",
            "repo-creds",
        ):
            for key in ("insecure", "insecureIgnoreHostKey"):
                if str(at(item.data, "stringData", key)).lower() == "true":
                    yield _insecure(
                        item, ("stringData", key), "does not ask whose certificate or host key it is"
                    )


def _is_plain(url: str) -> bool:
    return url.startswith("http://") and not _INSIDE.match(url[7:_LONGEST_URL]) and not _OPEN.search(url)


def _insecure(item: Applied, path: tuple[str | int, ...], why: str) -> Hit:
    values = {"kind": item.ref.kind, "name": item.ref.name, "why": why, "subject": path[-1]}
    return Hit(item.origin(path), values, (), item.affected)


def _owner(url: str) -> str:
    """Host and owner; of an owner's several organisations (acme-oss, acme-private) the common first word."""
    host, _, path = normal_url(url).partition("/")
    owner = path.partition("/")[0]
    word = owner.partition("-")[0]
    return f"{host}/{word if len(word) > 3 else owner}"


def external_branch(graph: Graph, params: Params) -> Iterator[Hit]:
    """Repositories of somebody else that are followed on a branch.

    Those of one's own host and owner are the other half of a split repository, unless it is a chart that is taken
    from there; those that a tenant's service account or project applies are the tenant's own.
    """
    own = {d.source.url for d in graph.deliveries if d.source.local and d.source.url}
    own |= {*graph.repo.remotes, *graph.declared.sources}
    owners = {_owner(url) for url in own}
    if not owners:
        return
    known = {normal_url(url) for url in own}
    tenants = {name for tenant in graph.tenants for name in tenant.deliveries}
    for delivery in (part for d in graph.deliveries for part in (d.parts or (d,))):
        source = delivery.source
        url, revision = source.url or "", source.revision
        if (
            source.local
            or not url
            or _OPEN.search(url)
            or _SAMPLE.search(url)
            or normal_url(url) in known
            or delivery.renderer == "template"
        ):
            continue
        if url.startswith(("oci:", "bucket:")) or (
            revision is not None and revision.kind not in ("branch", "default")
        ):
            continue
        chart = delivery.kind == "HelmRelease"
        account = text(at(delivery.object, "spec", "serviceAccountName"))
        tenant = account is not None or delivery.id in tenants
        if (source.chart and not chart) or (not chart and (_owner(url) in owners or tenant)):
            continue
        if delivery.kind == "HelmRelease" and not _from_git(delivery):
            continue
        name = revision.name if revision is not None and revision.kind == "branch" else "its default branch"
        if _OPEN.search(name) or re.fullmatch(r"v?\d+(\.\d+)*|[0-9a-f]{40}|refs/tags/.*", name):
            continue
        place = source.defined.at("spec", "ref") if source.defined else delivery.place("revision", "url")
        values = {"url": url, "revision": name or "its default branch", "subject": normal_url(url)}
        yield Hit(place, values, (), _affected(delivery))


def _from_git(delivery: Delivery) -> bool:
    kind = at(delivery.object, "spec", "chart", "spec", "sourceRef", "kind")
    return bool(kind == "GitRepository")


def _affected(delivery: Delivery) -> Affected:
    version, kind = delivery.object.get("apiVersion"), delivery.object.get("kind")
    ref = (
        object_ref(delivery.object, version, kind)
        if isinstance(version, str) and isinstance(kind, str)
        else None
    )
    return Affected(ref, delivery.id, delivery.environment, delivery.cluster)


def branch_per_environment(graph: Graph, params: Params) -> Iterator[Hit]:
    """Branches of one repository that are named for environments, each followed by its own deliveries."""
    names = frozenset(params["names"])
    found: dict[str, dict[str, list[Delivery]]] = {}
    for delivery in graph.deliveries:
        source = delivery.source
        if (
            at(delivery.object, "spec", "sourceHydrator") is not None
            or source.revision is None
            or not source.url
        ):
            continue
        if (
            source.revision.kind == "branch"
            and source.revision.name.lower() in names
            and source.chart is None
        ):
            branches = found.setdefault(normal_url(source.url), {})
            branches.setdefault(source.revision.name, []).append(delivery)
    for branches in found.values():
        if len(branches) > 1:
            for branch, deliveries in branches.items():
                others = ", ".join(name for name in branches if name != branch)
                values = {"branch": branch, "others": others, "subject": branch}
                for delivery in deliveries:
                    defined = delivery.source.defined
                    place = defined.at("spec", "ref", "branch") if defined else delivery.place("revision")
                    yield Hit(place, values, (), _affected(delivery))


def automation_to_prod(graph: Graph, params: Params) -> Iterator[Hit]:
    """Image automation whose commits production pulls with nobody between."""
    if not any(True for _ in applied(graph, "image.toolkit.fluxcd.io", "ImageUpdateAutomation")):
        return
    from gitops_layout.graph.automation import automation  # needs template engines: only where there is some

    found = automation(graph)
    direct = {u.id: u for u in found.updates if u.own and u.to_its_branch and not u.suspended}
    prod = [d for d in graph.deliveries if d.live and d.tier == "prod" and d.id in graph.rendered]
    files = {file: d for d in prod for file in graph.rendered[d.id].files}
    seen: set[tuple[str, str]] = set()
    for marker in found.markers:
        reader = files.get(marker.location.file)
        for identity in marker.updates if reader is not None else ():
            update = direct.get(identity)
            if update is None or reader is None or (identity, reader.id) in seen:
                continue
            branch = reader.source.revision
            if branch is not None and branch.kind == "branch" and branch.name != update.push:
                continue
            seen.add((identity, reader.id))
            values = {"name": update.object.name, "branch": update.push or "", "delivery": reader.name}
            related = (Related(marker.location, f"written by it, and read by {reader.name}"),)
            place = update.location.at("spec", "git", "push", "branch")
            yield Hit(place, values, related, _affected(reader), (Change("set", place, "image-updates"),))


_UPDATER = "argocd-image-updater.argoproj.io/"


def outside_git(graph: Graph, params: Params) -> Iterator[Hit]:
    """Argo CD Image Updater where it writes to the Application on the cluster, as it does by default."""
    for item in applied(graph, _ARGO, "Application"):
        notes = at(item.data, "metadata", "annotations")
        if not isinstance(notes, dict) or f"{_UPDATER}image-list" not in notes:
            continue
        method = notes.get(f"{_UPDATER}write-back-method")
        if method in (None, "argocd"):
            key = "image-list" if method is None else "write-back-method"
            place = item.origin(("metadata", "annotations", f"{_UPDATER}{key}"))
            path: Path = ("metadata", "annotations", f"{_UPDATER}write-back-method")
            in_git = put(item.origin, item.data, path, "git")
            yield Hit(place, {"name": item.ref.name, "subject": item.ref.name}, (), item.affected, in_git)
    for item in applied(graph, _ARGO, "ImageUpdater"):
        method = at(item.data, "spec", "writeBackConfig", "method")
        if method in (None, "argocd"):
            wanted = ("spec", "writeBackConfig", "method")
            path = ("metadata", "name") if method is None else wanted
            values = {"name": item.ref.name, "subject": item.ref.name}
            in_git = put(item.origin, item.data, wanted, "git")
            yield Hit(item.origin(path), values, (), item.affected, in_git)


def shared_credential(graph: Graph, params: Params) -> Iterator[Hit]:
    """A Secret with which automation pushes and other agents' objects pull."""
    writers: dict[tuple[str, str, str], list[Location]] = {}
    for item in applied(graph, "image.toolkit.fluxcd.io", "ImageUpdateAutomation"):
        name = text(at(item.data, "spec", "sourceRef", "name"))
        namespace = text(at(item.data, "spec", "sourceRef", "namespace")) or item.namespace
        if name is not None:
            place = item.origin(("spec", "sourceRef", "name"))
            writers.setdefault((item.delivery.cluster, namespace, name), []).append(place)
    if not writers:
        return
    pulled = {d.source.defined for d in graph.deliveries if d.live and d.source.defined is not None}
    for item in applied(graph, _FLUX, "GitRepository"):
        places = writers.get((item.delivery.cluster, item.namespace, item.ref.name))
        secret = text(at(item.data, "spec", "secretRef", "name"))
        if places and secret and item.origin(()) in pulled:
            values = {"secret": secret, "name": item.ref.name, "subject": secret}
            related = tuple(Related(place, "pushes with it") for place in places)
            yield Hit(item.origin(("spec", "secretRef", "name")), values, related, item.affected)
