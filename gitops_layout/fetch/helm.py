"""Helm charts: from a chart repository's `index.yaml`, or from a registry.

Sources of fact: Helm's pkg/repo (index format, exact text before range, relative URLs, digests) and
pkg/registry (a chart is the layer of its media type; a `+` of the version is `_` in the tag).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import yaml
from yaml._yaml import CParser

from gitops_layout.config import did_you_mean
from gitops_layout.fetch.credentials import basic, for_chart_repository
from gitops_layout.fetch.http import download, get
from gitops_layout.fetch.model import Brought, FetchError, Found, none_fits
from gitops_layout.fetch.oci import CHART_LAYERS, Repository, matching, repository
from gitops_layout.semver import is_exact, newest
from gitops_layout.store.archive import RefusedError, tree
from gitops_layout.store.content import is_sha256
from gitops_layout.store.lock import Reference
from gitops_layout.values import dataclass

__all__ = ["Index", "from_index", "from_registry", "read_index"]

_MAX_DEPTH = 100
_MAX_INDEX = 128 * 2**20
"""Bytes; the largest public index measured 25 MB."""


@dataclass(frozen=True, slots=True)
class Index:
    """A chart repository: for each chart, for each version, its URLs and SHA-256 ("" where it has none)."""

    url: str
    charts: Mapping[str, Mapping[str, tuple[str, str]]]


async def read_index(http: httpx2.AsyncClient, url: str) -> Index:
    """The index of the repository at `url`. Raises FetchError."""
    answer = await get(http, urljoin(_folder(url), "index.yaml"), headers=_login(url, url), limit=_MAX_INDEX)
    if answer.status != 200:
        hint = "; log in with `helm repo add --username`" if answer.status in (401, 403) else ""
        hint = "; no chart repository is at this address" if answer.status in (404, 410) else hint
        raise FetchError(f"{url}: index.yaml: {answer.status}{hint}")
    return Index(url, await asyncio.to_thread(_parse, answer.content, url))


def _folder(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


def _login(url: str, repository: str) -> dict[str, str]:
    """Credentials go to the repository's own host and to no other."""
    if urlsplit(url)[:2] != urlsplit(repository)[:2]:
        return {}
    credential = for_chart_repository(repository)
    return {} if credential is None else {"Authorization": basic(credential)}


def _parse(content: bytes, url: str) -> dict[str, dict[str, tuple[str, str]]]:
    try:
        data = _texts(content)
    except (yaml.YAMLError, ValueError):
        data = None
    entries = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(entries, dict):
        raise FetchError(f"{url}: index.yaml is not the index of a chart repository")
    return {
        name: {row["version"]: _place(row) for row in rows if _usable(row)}
        for name, rows in entries.items()
        if isinstance(name, str) and isinstance(rows, list)
    }


def _texts(content: bytes) -> Any:
    """A YAML document with every scalar as a text: nobody types versions for us.

    One event after the other, for PyYAML's own builders end the process on 100,000 brackets. Raises
    ValueError for what no index has: aliases, keys that are no texts, nesting without end.
    """
    parser = CParser(content)
    opened: list[Any] = [[]]
    keys: list[str | None] = [None]
    while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
        match event:
            case yaml.ScalarEvent():
                _put(opened, keys, event.value)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                _put(opened, keys, value)
                opened.append(value)
                keys.append(None)
                if len(opened) > _MAX_DEPTH:
                    raise ValueError("nested too deeply")
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                opened.pop()
                keys.pop()
            case yaml.AliasEvent():
                raise ValueError("an alias")
    return opened[0][0] if opened[0] else None


def _put(opened: list[Any], keys: list[str | None], value: Any) -> None:
    top, key = opened[-1], keys[-1]
    if isinstance(top, list):
        top.append(value)
    elif key is not None:
        top[key], keys[-1] = value, None
    elif isinstance(value, str):
        keys[-1] = value
    else:
        raise ValueError("a key that is no text")


def _usable(row: Any) -> bool:
    urls = row.get("urls") if isinstance(row, dict) else None
    return (
        isinstance(urls, list)
        and bool(urls)
        and isinstance(urls[0], str)
        and isinstance(row.get("version"), str)
    )


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    digest = str(row.get("digest", "")).removeprefix("sha256:").lower()
    return row["urls"][0], digest if is_sha256(digest) else ""


def from_index(http: httpx2.AsyncClient, index: Index, reference: Reference) -> Found:
    """The chart that an index has for a reference. Raises FetchError when it has none."""
    versions = index.charts.get(reference.name)
    if not versions:
        hint = did_you_mean(reference.name, index.charts)
        raise FetchError(f"{reference.url} has no chart {reference.name}{hint}")
    version = _newest(list(versions), reference)
    place, sha256 = versions[version]
    url = urljoin(_folder(index.url), place)

    async def bring() -> Brought:
        if not url.startswith("oci://"):
            return await _opened(await download(http, url, headers=_login(url, index.url), expected=sha256))
        charts = repository(http, url.removesuffix(f":{version}"))
        return await _bring(charts, (await _tagged(charts, version))[1])

    return Found(bring, version=version, sha256=sha256, floating=not is_exact(reference.value))


def _newest(versions: list[str], reference: Reference) -> str:
    try:
        version = newest(versions, reference.value)
    except ValueError as error:
        raise FetchError(str(error)) from None
    if version is None:
        raise none_fits(reference.url, versions, reference.value or "any release")
    return version


async def from_registry(http: httpx2.AsyncClient, url: str, reference: Reference) -> Found:
    """The chart that a registry has for a reference. Raises FetchError."""
    charts = repository(http, url, reference.name)
    asked, value = reference.asked, reference.value
    floating = False
    if asked == "digest":
        tag = value
    elif not asked and not reference.name:  # an OCIRepository that asks for nothing
        tag = "latest"
    elif asked == "tag" or (asked == "version" and is_exact(value)):
        tag = value.replace("+", "_")
    else:
        every = matching(f"{charts.host}/{charts.name}", await charts.tags(), reference.filter)
        tags = [tag.replace("_", "+") for tag in every]
        tag, floating = _newest(tags, reference).replace("+", "_"), True
    digest, sha256 = await _tagged(charts, tag)
    version = "" if asked == "digest" else tag.replace("_", "+")

    async def bring() -> Brought:
        return await _bring(charts, sha256)

    return Found(bring, version=version, digest=digest, sha256=sha256, floating=floating)


async def _tagged(charts: Repository, tag: str) -> tuple[str, str]:
    """The digest of the manifest, and the SHA-256 of the chart in it."""
    manifest = await charts.manifest(tag.replace("+", "_"))
    layer = next((layer for layer in manifest.layers if layer.media_type in CHART_LAYERS), None)
    if layer is None:
        raise FetchError(f"{charts.host}/{charts.name} {tag} holds no chart")
    return manifest.digest, layer.sha256


async def _bring(charts: Repository, sha256: str) -> Brought:
    await charts.blob(sha256)
    return await _opened(sha256)


async def _opened(sha256: str) -> Brought:
    """Unpack it now: an archive that lies or attacks is refused before the lock names it."""
    try:
        root = await asyncio.to_thread(tree, sha256)
    except RefusedError as error:
        raise FetchError(f"the chart's archive is refused: {error}") from None
    if root is None:
        raise FetchError("the store has lost the chart that was just brought")
    charts = sorted(path.parent.name for path in root.glob("*/Chart.yaml"))
    if not charts:
        raise FetchError("the archive holds no Chart.yaml")
    return Brought(sha256, charts[0])
