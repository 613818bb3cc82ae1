"""HTTP with bounds: every answer is limited in size, every wait in time, and https stays https."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2

from gitops_layout import __version__
from gitops_layout.fetch.model import FetchError
from gitops_layout.store.content import Incoming, TooLargeError, incoming
from gitops_layout.values import dataclass

__all__ = ["Answer", "client", "download", "get", "is_loopback"]

_TIMEOUT = httpx2.Timeout(20, connect=10)
_LIMITS = httpx2.Limits(max_connections=16)
_MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of a server; `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


def client() -> httpx2.AsyncClient:
    """A client that takes proxies and certificates from the user's environment, as curl does."""
    return httpx2.AsyncClient(
        headers={"User-Agent": f"gitops-layout/{__version__}"},
        timeout=_TIMEOUT,
        limits=_LIMITS,
        follow_redirects=True,
        max_redirects=_MAX_REDIRECTS,
        event_hooks={"response": [_refuse_downgrade]},
    )


async def _refuse_downgrade(response: httpx2.Response) -> None:
    target = response.headers.get("location", "")
    if response.is_redirect and response.url.scheme == "https" and target.lower().startswith("http:"):
        raise FetchError(f"{_shown(str(response.url))} redirects from https to http")


async def get(
    http: httpx2.AsyncClient,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    limit: int,
) -> Answer:
    """GET (or POST a form to) `url`; any status is an answer. Raises FetchError when there is none."""
    async with _open(http, url, headers or {}, form) as response:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > limit:
                raise FetchError(f"{_shown(url)} sends more than {limit // 2**20} MiB")
        return Answer(response.status_code, response.headers, bytes(content), str(response.url))


async def download(
    http: httpx2.AsyncClient,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    expected: str = "",
) -> str:
    """Bring a file into the store; returns its SHA-256.

    Raises FetchError for any status but 200, and when the content has not the `expected` SHA-256.
    """
    with incoming() as file:
        async with _open(http, url, {**(headers or {}), "Accept-Encoding": "identity"}, None) as response:
            if response.status_code != 200:
                raise FetchError(f"{_shown(url)}: {response.status_code} {response.reason_phrase}")
            await _receive(response, file, url)
        if expected and file.sha256 != expected:
            raise FetchError(
                f"{_shown(url)} sends content of digest sha256:{file.sha256}, and sha256:{expected} was announced:"
                " it was replaced, or altered on the way"
            )
        return file.keep()


async def _receive(response: httpx2.Response, file: Incoming, url: str) -> None:
    try:
        async for chunk in response.aiter_bytes():
            file.write(chunk)
    except TooLargeError as error:
        raise FetchError(f"{_shown(url)} is {error}") from None


@asynccontextmanager
async def _open(
    http: httpx2.AsyncClient, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
) -> AsyncIterator[httpx2.Response]:
    try:
        async with http.stream(
            "GET" if form is None else "POST",
            url,
            headers=dict(headers),
            data=None if form is None else dict(form),
        ) as response:
            yield response
    except httpx2.InvalidURL:
        raise FetchError(f"{_shown(url)} is no URL") from None
    except httpx2.TimeoutException:
        raise FetchError(f"{_shown(url)}: no answer in time") from None
    except httpx2.HTTPError as error:
        raise FetchError(f"{_shown(url)}: {str(error) or type(error).__name__}") from None


def _shown(url: str) -> str:
    """A URL for people: without password, and without a query, where signed URLs carry their key."""
    return url.partition("?")[0]


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) is this machine: plain HTTP is then no risk."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
