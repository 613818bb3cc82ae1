"""The formats of texts that a definition's schema can ask for (kube-openapi: pkg/validation/strfmt).

What they take is wider than their names say: they are Go's own parsers. A format that is not here is not judged, and most
names that people write (`idn-hostname`, `int-or-string`) say nothing to the server either.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from functools import partial

from gitops_layout.k8s.formats import timeout
from gitops_layout.k8s.urls import parse_url
from gitops_layout.patterns import regexp

__all__ = ["DECODERS", "FORMATS", "WORDS"]

_MOMENT = regexp(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
)
_ZEROS = regexp(r"(?<![0-9A-Fa-f:])0+(?=[0-9])|(?<=:)0+(?=[0-9]+\.)")
_SPOKEN = regexp(r"\d+\s*([A-Za-zµ]+)")
_UNITS = frozenset(("ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"))
_LONG_UNITS = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{%d}-?%s[0-9a-f]{%d}-?[0-9a-f]{12}"
_MAIL = regexp(r"\S\s*@\s*\S")
_MACS = tuple(
    regexp(form, re.IGNORECASE)
    for many in (6, 8, 20)
    for form in (
        rf"[0-9a-f]{{2}}([:-])(?:[0-9a-f]{{2}}\1){{{many - 2}}}[0-9a-f]{{2}}",
        rf"[0-9a-f]{{4}}(?:\.[0-9a-f]{{4}}){{{many // 2 - 1}}}",
        rf"[0-9a-f]{{{many * 2}}}",
    )
)
_BASE64 = regexp(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")


def _base64(text: str) -> bool:
    """As Go reads bytes: padded, line breaks ignored."""
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _moment(text: str) -> bool:
    """RFC 3339."""
    return _MOMENT.fullmatch(text) is not None


def _day(text: str) -> bool:
    """RFC 3339, a full date."""
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _address(text: str, mark: str) -> bool:
    """An address as Go's forgiving parser takes it, with zeros in front; one with `mark` in it."""
    try:
        ipaddress.ip_address(_ZEROS.sub("", text))
    except ValueError:
        return False
    return mark in text and "%" not in text


def _network(text: str) -> bool:
    """An address and the length of a prefix; host bits may be set."""
    host, slash, prefix = text.partition("/")
    if not slash or not re.fullmatch("[0-9]{1,9}", prefix) or not _address(host, ""):
        return False
    return int(prefix) <= (128 if ":" in host else 32)


def _duration(text: str) -> bool:
    """As Go writes it, or with anything in it such as `3 days` or `1 week`."""
    units = (found[1].lower() for found in _SPOKEN.finditer(text))
    return timeout(text) is None or any(unit in _UNITS or unit.startswith(_LONG_UNITS) for unit in units)


def _bytes(text: str) -> bytes | str:
    return base64.b64decode(text) if _BASE64.fullmatch(text) else text


DECODERS: dict[str, Callable[[str], object]] = {"byte": _bytes}
"""What CEL rules see of a text with this format instead of the text."""


def _uuid(version: str = "") -> Callable[[str], bool]:
    variant = "[89ab]" if version in ("4", "5") else ""
    form = re.compile(_UUID % (version, 4 - len(version), variant, 3 if variant else 4), re.IGNORECASE)
    return lambda text: form.fullmatch(text) is not None


FORMATS: dict[str, Callable[[str], bool]] = {
    "base64": lambda text: _BASE64.fullmatch(text) is not None,
    "byte": _base64,
    "cidr": _network,
    "date": _day,
    "date-time": _moment,
    "datetime": _moment,
    "duration": _duration,
    # What else an address of mail must not be, only Go's parser knows.
    "email": lambda text: _MAIL.search(text) is not None,
    "ipv4": partial(_address, mark="."),
    "ipv6": partial(_address, mark=":"),
    "mac": lambda text: any(form.fullmatch(text) for form in _MACS),
    "uri": lambda text: parse_url(text) is not None,
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
}
"""Whether a text has the format; a text that only Go can judge has it.

`byte` is what built-in kinds decode; what a definition calls so has no line breaks and is not empty, and is `base64` here.
"""

WORDS = {
    "base64": "padded base64",
    "byte": "padded base64",
    "cidr": "a network such as 10.0.0.0/8",
    "date": "a date as in 2006-01-02",
    "date-time": "a time as in 2006-01-02T15:04:05Z",
    "duration": "a duration such as 1h30m",
    "email": "an address of mail",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "mac": "a MAC address",
    "uri": "an absolute URL or path",
    "uuid": "a UUID",
}
"""What a text of a format is, for those who wrote another."""
