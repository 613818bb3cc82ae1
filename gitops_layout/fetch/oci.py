"""A small client of the OCI distribution protocol: tags, manifests, blobs, token authentication.

Sources of fact: the OCI distribution specification 1.1 (pull, tag list and its `Link` pages), the
registry token authentication specification, and the media types of Helm charts and Flux artifacts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2

from gitops_layout.fetch.credentials import Credential, basic, for_registry
from gitops_layout.fetch.http import Answer, download, get, is_loopback
from gitops_layout.fetch.model import Brought, FetchError, Found, none_fits
from gitops_layout.patterns import regexp
from gitops_layout.semver import newest
from gitops_layout.store.archive import RefusedError, tree
from gitops_layout.store.content import is_sha256
from gitops_layout.store.lock import Reference
from gitops_layout.values import dataclass

__all__ = ["CHART_LAYERS", "Layer", "Manifest", "Repository", "artifact", "matching", "repository"]

CHART_LAYERS = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_PLATFORM = ("linux", "amd64")
"""What go-containerregistry takes of an index where nobody says otherwise, and Flux does not."""
_MAX_MANIFEST = 4 * 2**20
_MAX_TOKEN = 2**20
_MAX_TAG_PAGES = 50
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_NAME = regexp(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_REFERENCE = regexp(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64}")
_PARAMETER = regexp(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob that a manifest names: its media type and SHA-256."""

    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest: the digest of its bytes (`sha256:…`), and its layers."""

    digest: str
    layers: tuple[Layer, ...]


def repository(http: httpx2.AsyncClient, url: str, name: str = "") -> Repository:
    """The repository at `oci://host/path`, with a chart's `name` below it. Raises FetchError."""
    host, _, path = url.removeprefix("oci://").rstrip("/").partition("/")
    host = host.rpartition("@")[2]
    full = "/".join(part for part in (path, name) if part)
    if host in _HUB:
        host, full = "registry-1.docker.io", full if "/" in full else f"library/{full}"
    if not host or not _NAME.fullmatch(full):
        raise FetchError(f"{host}/{full} is no repository of a registry")
    return Repository(http, host, full)


@dataclass(slots=True)
class Repository:
    """One repository of a registry; asks for a token once, when the registry wants one."""

    http: httpx2.AsyncClient
    host: str
    name: str
    _authorization: str = ""

    @property
    def _root(self) -> str:
        return f"{'http' if is_loopback(self.host) else 'https'}://{self.host}/v2/{self.name}"

    async def manifest(self, reference: str, *, platform: bool = False) -> Manifest:
        """The manifest of a tag or digest; with `platform` that of an index for linux/amd64, by the index's digest.

        Raises FetchError, also for a registry that lies about digests.
        """
        if not _REFERENCE.fullmatch(reference):
            raise FetchError(f"{reference!r} is neither tag nor sha256 digest")
        answer = await self._get(f"{self._root}/manifests/{reference}", {"Accept": _MANIFESTS})
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        announced = (
            reference if reference.startswith("sha256:") else answer.headers.get("docker-content-digest")
        )
        if announced and announced != digest:
            raise FetchError(f"{self.host}/{self.name} sends a manifest of digest {digest} as {announced}")
        data = _json(answer, self.host)
        if platform and isinstance(data.get("manifests"), list):
            return replace(await self.manifest(_of_platform(data["manifests"], reference)), digest=digest)
        return Manifest(digest, tuple(_layers(data)))

    async def tags(self) -> list[str]:
        """All tags. Raises FetchError."""
        tags: list[str] = []
        url = f"{self._root}/tags/list?n=1000"
        for _ in range(_MAX_TAG_PAGES):
            answer = await self._get(url, {})
            found = _json(answer, self.host).get("tags")
            tags += [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []
            following = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', answer.headers.get("link", ""))
            if following is None:
                return tags
            url = urljoin(url, following[1])
            if urlsplit(url).netloc != self.host:
                raise FetchError(f"{self.host} continues its list of tags on another host")
        raise FetchError(f"{self.host}/{self.name} has more than {_MAX_TAG_PAGES:,} pages of tags")

    async def blob(self, sha256: str) -> None:
        """Bring a blob into the store. Raises FetchError when it has another digest."""
        headers = {"Authorization": self._authorization} if self._authorization else {}
        await download(self.http, f"{self._root}/blobs/sha256:{sha256}", headers=headers, expected=sha256)

    async def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        answer = await self._ask(url, headers)
        if answer.status == 401:
            self._authorization = await self._authorize(answer.headers.get("www-authenticate", ""))
            if self._authorization:
                answer = await self._ask(url, headers)
        if answer.status == 200:
            return answer
        what = url.removeprefix(self._root).partition("?")[0].lstrip("/")
        hint = "; log in with `helm registry login` or `docker login`" if answer.status in (401, 403) else ""
        hint = "; there is no such repository, tag or digest" if answer.status == 404 else hint
        raise FetchError(f"{self.host}/{self.name} {what}: {answer.status}{hint}")

    async def _ask(self, url: str, headers: Mapping[str, str]) -> Answer:
        own = {"Authorization": self._authorization} if self._authorization else {}
        return await get(self.http, url, headers={**headers, **own}, limit=_MAX_MANIFEST)

    async def _authorize(self, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        credential = await asyncio.to_thread(for_registry, self.host)
        if scheme.lower() == "basic":
            return basic(credential) if credential is not None and credential.user else ""
        if scheme.lower() != "bearer":
            return ""
        parameters = dict(_PARAMETER.findall(rest))
        return f"Bearer {await self._token(parameters, credential)}"

    async def _token(self, parameters: Mapping[str, str], credential: Credential | None) -> str:
        realm = parameters.get("realm", "")
        if not realm.startswith("https://") and not is_loopback(self.host):
            raise FetchError(f"{self.host} wants credentials sent unencrypted")
        asked = {"service": parameters.get("service", ""), "scope": f"repository:{self.name}:pull"}
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": "gitops-layout",
                "refresh_token": credential.identity_token,
            }
            answer = await get(self.http, realm, form=asked | form, limit=_MAX_TOKEN)
        else:
            headers = {"Authorization": basic(credential)} if credential is not None else {}
            joiner = "&" if "?" in realm else "?"
            url = f"{realm}{joiner}{urlencode(asked)}"
            answer = await get(self.http, url, headers=headers, limit=_MAX_TOKEN)
        if answer.status != 200:
            raise FetchError(f"{self.host} refuses a token: {answer.status}; log in with `docker login`")
        data = _json(answer, self.host)
        token = data.get("token") or data.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise FetchError(f"{self.host} sends no token")
        return token


async def artifact(http: httpx2.AsyncClient, url: str, reference: Reference) -> Found:
    """What an OCI artifact's reference is now; its content is the layer that is selected, else the first, as Flux has it."""
    source, asked, value = repository(http, url), reference.asked, reference.value
    floating = asked == "semver" or (asked == "tag" and not _REFERENCE.fullmatch(value))
    tag = await _newest(source, value, reference.filter) if floating else value or "latest"
    manifest = await source.manifest(tag, platform=True)
    if not manifest.layers:
        raise FetchError(f"{source.host}/{source.name} {tag} holds no layer")
    wanted = reference.layer
    layer = next((one for one in manifest.layers if wanted in ("", one.media_type)), None)
    if layer is None:
        raise FetchError(f"{source.host}/{source.name} {tag} holds no layer of media type {wanted}")
    sha256 = layer.sha256

    async def bring() -> Brought:
        await source.blob(sha256)
        try:
            await asyncio.to_thread(tree, sha256)
        except RefusedError as error:
            raise FetchError(f"the artifact is refused: {error}") from None
        return Brought(sha256)

    version = "" if asked == "digest" else tag
    return Found(bring, version=version, digest=manifest.digest, sha256=sha256, floating=floating)


def matching(where: str, tags: list[str], expression: str) -> list[str]:
    """The tags that a Go expression is found in, all where there is none. Raises FetchError where none is left."""
    if not expression:
        return tags
    from gitops_layout.agents.gotemplate.errors import FunctionError
    from gitops_layout.agents.gotemplate.regex import searcher

    try:
        found = list(filter(searcher(expression), tags))
    except FunctionError as error:
        raise FetchError(f"semverFilter {expression!r}: {error.message}") from None
    if not found:
        raise FetchError(f"{where} has no tag that matches the semverFilter {expression!r}")
    return found


async def _newest(source: Repository, asked: str, expression: str) -> str:
    tags = matching(f"{source.host}/{source.name}", await source.tags(), expression)
    try:
        tag = newest(tags, asked)
    except ValueError as error:
        raise FetchError(str(error)) from None
    if tag is None:
        raise none_fits(f"{source.host}/{source.name}", tags, asked)
    return tag


def _json(answer: Answer, host: str) -> dict[str, Any]:
    try:
        data = json.loads(answer.content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise FetchError(f"{host} does not answer as a registry")
    return data


def _of_platform(rows: list[Any], reference: str) -> str:
    """The digest of the manifest in an index that Flux takes; one that names no platform counts as fitting."""
    for row in rows:
        platform = row.get("platform") if isinstance(row, dict) else None
        named = (
            (platform.get("os"), platform.get("architecture")) if isinstance(platform, dict) else _PLATFORM
        )
        digest = row.get("digest") if isinstance(row, dict) else None
        if named == _PLATFORM and isinstance(digest, str):
            return digest
    raise FetchError(f"{reference} is an index of manifests, and none is for {'/'.join(_PLATFORM)}")


def _layers(manifest: Mapping[str, Any]) -> list[Layer]:
    rows = manifest.get("layers")
    if not isinstance(rows, list):
        raise FetchError("the registry holds an index of several manifests there, not one artifact")
    found = []
    for row in rows:
        media_type, digest = (row.get("mediaType"), row.get("digest")) if isinstance(row, dict) else ("", "")
        sha256 = str(digest).removeprefix("sha256:")
        if not is_sha256(sha256):
            raise FetchError(f"a layer has the digest {digest!r}; only sha256 is supported")
        found.append(Layer(str(media_type), sha256))
    return found
