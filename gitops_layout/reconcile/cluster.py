"""Requests to an API server: discovery, list, get, server-side apply, delete.

Thin on purpose: objects are plain dicts, one function is one kind of request, and only what repeating
can mend is repeated. Safe to use from several threads.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx2

from gitops_layout.errors import UserError
from gitops_layout.reconcile.fields import MANAGER
from gitops_layout.reconcile.kubeconfig import http_client
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gitops_layout.model import ObjectRef

__all__ = ["ApiError", "Applied", "Cluster", "Resource"]

_PAGE = 500
_PATIENCE_SECONDS = 30.0
_TYPES_SECONDS = 10.0
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)


class ApiError(UserError):
    """The API server's refusal: its `Status` object, in parts.

    The answer to an apply may quote what it refuses: `mask_text` before anybody sees it.
    """

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason") or "")
        details = status.get("details")
        causes = details.get("causes") if isinstance(details, dict) else None
        self.causes: tuple[dict[str, Any], ...] = tuple(causes or ())
        super().__init__(str(status.get("message") or f"HTTP {code}"), exit_code=3)


@dataclass(frozen=True, slots=True)
class Resource:
    """A served type; `path` is its collection's path without a namespace part."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    listable: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of a collection or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Applied:
    """The answer to an apply: the object as it is, or with a dry run would be, afterwards."""

    data: dict[str, Any]
    created: bool


class Cluster:
    """One API server, reached with the credentials of one kubeconfig context."""

    def __init__(self, context: str, kubeconfig: Path | None = None) -> None:
        self.context = context
        self._http = http_client(context, kubeconfig)
        self._calls = itertools.count(1)
        self.calls = 0
        self._reached = False
        self._closed = threading.Event()
        self._resources: dict[tuple[str, str, str], Resource] | None = None
        self._discovered = 0.0
        self._discovering = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up waiting for retries and close all connections."""
        self._closed.set()
        self._http.close()

    @property
    def server(self) -> str:
        """The server's address, as the kubeconfig has it."""
        return str(self._http.base_url).rstrip("/")

    # Types

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """The served type of a manifest, None when the server knows no such version and kind."""
        group, _, version = api_version.rpartition("/")
        return self._type(group, version, kind)

    def preferred(self, group: str, kind: str) -> Resource | None:
        """The type of a kind in the version that the server prefers."""
        return self._type(group, "", kind)

    def _type(self, group: str, version: str, kind: str) -> Resource | None:
        found = self._served().get((group, version, kind))
        if found is None and time.monotonic() - self._discovered > _TYPES_SECONDS:
            self.forget_types()  # somebody may have installed it since
            found = self._served().get((group, version, kind))
        return found

    def forget_types(self) -> None:
        """Ask for the served types again at the next need: a CRD was applied."""
        with self._discovering:
            self._resources = None

    def _served(self) -> dict[tuple[str, str, str], Resource]:
        with self._discovering:
            if self._resources is None:
                found: dict[tuple[str, str, str], Resource] = {}
                for resource in self._discover():
                    found.setdefault((resource.group, resource.version, resource.kind), resource)
                    found.setdefault((resource.group, "", resource.kind), resource)
                self._resources = found
                self._discovered = time.monotonic()
            return self._resources

    def _discover(self) -> Iterator[Resource]:
        for root in ("/api", "/apis"):
            answer = self.request("GET", root, accept=_AGGREGATED)
            if answer.get("kind") == "APIGroupDiscoveryList":
                yield from _aggregated(answer)
                continue
            # Older than 1.27, or an aggregating proxy in between: one request a version.
            for group, version in _versions(answer):
                path = f"/apis/{group}/{version}" if group else f"/api/{version}"
                yield from _listed(group, version, self.request("GET", path))

    # Objects

    def list_objects(
        self, resource: Resource, *, namespace: str = "", selector: str = ""
    ) -> list[dict[str, Any]]:
        """All objects of a type, whole, in one namespace or in the cluster."""
        while True:
            try:
                return [
                    {**item, "apiVersion": resource.api_version, "kind": resource.kind}
                    for page in self._pages(resource.path(namespace), selector)
                    for item in page
                ]
            except ApiError as error:
                if error.code != 410:  # the continue token grew too old: from the start
                    raise

    def _pages(self, path: str, selector: str) -> Iterator[list[dict[str, Any]]]:
        token = ""
        while True:
            parameters = {"limit": str(_PAGE)}
            if selector:
                parameters["labelSelector"] = selector
            if token:
                parameters["continue"] = token
            answer = self.request("GET", path, parameters=parameters)
            yield answer.get("items") or []
            token = answer.get("metadata", {}).get("continue") or ""
            if not token:
                return

    def get(self, ref: ObjectRef) -> dict[str, Any] | None:
        """One object, None when it or its type is not there."""
        resource = self.resource(ref.api_version, ref.kind)
        if resource is None:
            return None
        try:
            return self.request("GET", resource.path(ref.namespace, ref.name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def apply(self, data: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply with our field manager; unknown and duplicate fields are refused."""
        resource = self.resource(data["apiVersion"], data["kind"])
        if resource is None:
            raise ApiError(404, {"message": f"{data['apiVersion']} {data['kind']} is not served"})
        metadata = data["metadata"]
        parameters = {
            "fieldManager": MANAGER,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        response = self._send(
            "PATCH",
            resource.path(metadata.get("namespace", ""), metadata["name"]),
            parameters,
            json.dumps(data).encode(),
            {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
        )
        return Applied(response.json(), created=response.status_code == 201)

    def delete(self, ref: ObjectRef, uid: str) -> dict[str, Any] | None:
        """Delete the object with this uid and no later namesake; what is left of it, None if nothing."""
        resource = self.resource(ref.api_version, ref.kind)
        if resource is None:
            return None
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        try:
            answer = self.request("DELETE", resource.path(ref.namespace, ref.name), body=body)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return answer if answer.get("kind") == ref.kind else None

    # Transport

    def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """One request, repeated while that may help; raises ApiError for a refusal."""
        headers = {"Accept": accept}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        answer = self._send(method, path, parameters or {}, content, headers).json()
        return answer if isinstance(answer, dict) else {}

    def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> httpx2.Response:
        """Send until answered; every request we make may be sent twice without harm."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for attempt in itertools.count():
            self.calls = next(self._calls)
            last = time.monotonic() >= deadline or self._closed.is_set()
            pause = min(0.2 * 2**attempt, 5.0) * random.uniform(0.7, 1.3)
            try:
                response = self._http.request(
                    method, path, params=dict(parameters), content=content, headers=dict(headers)
                )
            except httpx2.TransportError as lost:
                if last or not self._reached:
                    raise UserError(f"{self.server} cannot be reached: {lost}", exit_code=3) from lost
            else:
                self._reached = True
                code = response.status_code
                if code < 400:
                    return response
                error = ApiError(code, _status(response))
                if last or not _may_pass(error, attempt):
                    raise error
                pause = _retry_after(response) or pause
            self._closed.wait(pause)
        raise AssertionError("the loop above does not end")  # pragma: no cover


def _may_pass(error: ApiError, attempt: int) -> bool:
    """Whether the same request may succeed later."""
    if error.code == 500:
        # The API server says so of a manifest that does not fit its type, too: that does not mend itself.
        return attempt < 3 and "failed to create typed patch object" not in error.message
    return error.code in (429, 502, 503, 504)


def _status(response: httpx2.Response) -> dict[str, Any]:
    try:
        status = response.json()
    except ValueError:
        return {"message": f"HTTP {response.status_code}: {response.text[:200]}"}
    return status if isinstance(status, dict) else {}


def _retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _PATIENCE_SECONDS) if text.isdigit() else None


def _aggregated(answer: Mapping[str, Any]) -> Iterator[Resource]:
    for item in answer.get("items") or ():
        group = item.get("metadata", {}).get("name", "")
        for version in item.get("versions") or ():
            for entry in version.get("resources") or ():
                kind = (entry.get("responseKind") or {}).get("kind")
                if kind:
                    yield Resource(
                        group,
                        version["version"],
                        kind,
                        entry["resource"],
                        entry.get("scope") == "Namespaced",
                        "list" in (entry.get("verbs") or ()),
                    )


def _versions(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Group and version of an `APIVersions` or `APIGroupList`, a group's preferred version first."""
    for version in answer.get("versions") or ():
        yield "", version
    for group in answer.get("groups") or ():
        preferred = group["preferredVersion"]["version"]
        others = [entry["version"] for entry in group["versions"] if entry["version"] != preferred]
        for version in (preferred, *others):
            yield group["name"], version


def _listed(group: str, version: str, answer: Mapping[str, Any]) -> Iterator[Resource]:
    for entry in answer.get("resources") or ():
        if "/" not in entry["name"]:
            listable = "list" in (entry.get("verbs") or ())
            yield Resource(group, version, entry["kind"], entry["name"], entry["namespaced"], listable)
