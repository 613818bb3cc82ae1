"""URLs as the API server reads them: absolute ones and absolute paths (Go: net/url, ParseRequestURI)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Url", "parse_url"]

_SCHEME = regexp(r"([A-Za-z][A-Za-z0-9+.\-]*):", re.ASCII)
_CONTROL = regexp(r"[\x00-\x1f\x7f]")
_BAD_PERCENT = regexp(r"%(?![0-9A-Fa-f]{2})")
_USER = regexp(r"(?:[A-Za-z0-9\-._~:!$&'()*+,;=@]|%[0-9A-Fa-f]{2})*", re.ASCII)
_HOST = regexp(r"[A-Za-z0-9\-_.~!$&'()*+,;=<>\"\x80-\U0010ffff]*")
_BRACKETED = regexp(r"\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]", re.ASCII)
_PORT = regexp(r"(?::[0-9]*)?", re.ASCII)
_KEPT = regexp(r"[A-Za-z0-9\-_.~!$&'()*+,;=:@\[\]/%]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL; `host` with its port, `path` as it is written, `query` without the question mark."""

    scheme: str = ""
    host: str = ""
    path: str = ""
    query: str = ""

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        bare = self.host[: len(self.host) - len(self.port) - (1 if self.port else 0)].removesuffix(":")
        return bare.removeprefix("[").removesuffix("]")

    @property
    def port(self) -> str:
        """The digits of the port; empty where none is written."""
        return self.host[found.end() :] if (found := re.search(r":(?=[0-9]*$)", self.host)) else ""

    @property
    def escaped_path(self) -> str:
        """The path in its escaped form: as written where that is one, else made anew."""
        return self.path if _KEPT.fullmatch(self.path) else quote(unquote(self.path), safe="$&+,/:;=@-_.~")

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The values of each parameter of the query, in order."""
        made: dict[str, list[str]] = {}
        for key, value in parse_qsl(self.query, keep_blank_values=True):
            made.setdefault(key, []).append(value)
        return made


def parse_url(text: str) -> Url | None:
    """The parts of an absolute URL or an absolute path; None for anything else."""
    if not text or _CONTROL.search(text) or text.startswith(":"):
        return None
    found = _SCHEME.match(text)
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("", text)
    before, _, query = rest.partition("?")
    if not before.startswith("/"):
        # As in `mailto:someone`: nothing more is looked at.
        return Url(scheme, query=query) if scheme or text == "*" else None
    host = ""
    if scheme and before.startswith("//"):
        authority, slash, path = before[2:].partition("/")
        user, _, host = authority.rpartition("@")
        if not _USER.fullmatch(user) or not _is_host(host):
            return None
        before = slash + path
    if _BAD_PERCENT.search(before.partition("#")[0]):
        return None
    # A fragment is no part of what is asked for.
    path, mark, _ = before.partition("#")
    return Url(scheme, host, path, "" if mark else query.partition("#")[0])


def _is_host(host: str) -> bool:
    if found := _BRACKETED.match(host):
        return _PORT.fullmatch(host[found.end() :]) is not None
    name, colon, port = host.partition(":")
    return _HOST.fullmatch(name) is not None and _PORT.fullmatch(colon + port) is not None
