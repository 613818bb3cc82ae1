"""Functions that the API server adds to CEL (apiserver: pkg/cel/library; cel-go: ext/sets.go).

What the server holds as a value of a type of its own is a mapping here with one key, the name of the type; so a type is
told by its key, and two values of one amount, address or version are equal. Left out are `find` and `findAll` (Python's
patterns are not bounded in time), `authorizer`, and `format.named`; a rule that calls them does not compile here.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

from gitops_layout.k8s import formats
from gitops_layout.k8s.quantity import quantity
from gitops_layout.k8s.strfmt import FORMATS
from gitops_layout.k8s.urls import Url, parse_url
from gitops_layout.semver import Version

__all__ = ["functions"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Own = dict[str, Any]
_INT64 = 2**63
_SEMVER = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)


@lru_cache(maxsize=1)
def functions(cel: Any, refused: str) -> Any:
    """The extension of the engine `cel` with all functions; their errors say `refused`."""
    types = cel.Type
    kinds = {
        "own": types.Map(types.STRING, types.DYN),
        "list": types.List(types.DYN),
        "queries": types.Map(types.STRING, types.List(types.STRING)),
        **{name: getattr(types, name.upper()) for name in ("bool", "int", "double", "string", "dyn")},
    }
    declared: dict[str, list[Any]] = {}
    for text, call in _FUNCTIONS.items():
        head, made = text.split(" -> ")
        name, _, given = head.partition("(")
        member = name.startswith(".")
        takes = [kinds[each] for each in given.removesuffix(")").split(", ") if each]
        overload = cel.Overload(
            f"kubernetes_{text}", kinds[made], takes, is_member=member, impl=_told(call, refused)
        )
        declared.setdefault(name.removeprefix("."), []).append(overload)
    return cel.CelExtension(
        "kubernetes", [cel.FunctionDecl(name, overloads) for name, overloads in declared.items()]
    )


def _told(call: Callable[..., Any], refused: str) -> Callable[..., Any]:
    def told(*given: Any) -> Any:
        try:
            return call(*given)
        except ValueError as error:
            raise ValueError(f"{refused}: {error}") from None

    return told


def _own(kind: str, value: _Own) -> Any:
    """The value of a type of the server's. Raises ValueError for another type's."""
    if kind not in value:
        raise ValueError(f"no such overload: {kind} is asked of {', '.join(map(str, value))}")
    return value[kind]


def _amount(text: str) -> Fraction:
    found = quantity(text) if text == text.strip() else None
    if found is None:
        raise ValueError(f"{text!r} is no quantity")
    return found


def _quantity(amount: Fraction) -> _Own:
    return {"quantity": f"{amount.numerator}/{amount.denominator}"}


def _of(value: _Own) -> Fraction:
    return Fraction(_own("quantity", value))


def _whole(value: _Own) -> int:
    amount = _of(value)
    if not _is_whole(value):
        raise ValueError("cannot convert value to integer")
    return int(amount)


def _is_whole(value: _Own) -> bool:
    amount = _of(value)
    return amount.denominator == 1 and -_INT64 <= amount < _INT64


def _version(text: str, *, loose: bool = False) -> Version:
    if loose:
        parts = [re.sub(r"^0+(?=[0-9])", "", part) for part in text.removeprefix("v").split(".", 2)]
        short = len(parts) < 3 and not re.search(r"[+-]", parts[-1])
        text = ".".join(parts + ["0"] * (3 - len(parts)) if short else parts)
    found = _SEMVER.fullmatch(text)
    major, minor, patch = map(int, found.group(1, 2, 3)) if found else (0, 0, 0)
    if found is None or max(major, minor, patch) >= 2 * _INT64:
        raise ValueError(f"{text!r} is no semantic version")
    return Version(major, minor, patch, (found[4] or "").removeprefix("-"), text)


def _semver(version: Version) -> _Own:
    pre = f"-{version.pre}" if version.pre else ""
    return {"semver": f"{version.major}.{version.minor}.{version.patch}{pre}"}


def _numbers(value: _Own) -> Version:
    return _version(_own("semver", value))


def _order(left: _Own, right: _Own) -> int:
    """-1, 0 or 1, of two quantities or two versions."""
    read: Callable[[_Own], Any] = _of if "quantity" in left else _numbers
    first, second = read(left), read(right)
    return int(first > second) - int(first < second)


def _ip(text: str) -> _Address:
    found = ipaddress.ip_address(text)
    if "%" in text or (found.version == 6 and found.ipv4_mapped is not None):
        raise ValueError(f"{text!r} is no plain IP address")
    return found


def _address(value: _Own) -> _Address:
    return _ip(_own("ip", value))


def _cidr(text: str) -> tuple[_Address, int]:
    host, slash, prefix = text.partition("/")
    address = _ip(host)
    if not slash or not re.fullmatch("0|[1-9][0-9]{0,2}", prefix) or int(prefix) > address.max_prefixlen:
        raise ValueError(f"{text!r} is no network")
    return address, int(prefix)


def _network(value: _Own) -> Any:
    return ipaddress.ip_network(_own("cidr", value), strict=False)


def _contains(outer: _Own, inner: str) -> bool:
    inside = ipaddress.ip_network("/".join(map(str, _cidr(inner))), strict=False)
    around = _network(outer)
    return bool(around.version == inside.version and inside.subnet_of(around))


def _has(outer: _Own, inner: str) -> bool:
    return _ip(inner) in _network(outer)


def _is_local_group(address: _Address) -> bool:
    """A multicast address of one link."""
    if address.version == 4:
        return address.packed[:3] == b"\xe0\x00\x00"
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


def _is_global(address: _Address) -> bool:
    special = (
        address.is_unspecified, address.is_loopback, address.is_multicast, address.is_link_local,
        str(address) == "255.255.255.255",
    )  # fmt: skip
    return not any(special)


def _url(text: str) -> _Own:
    if parse_url(text) is None:
        raise ValueError(f"{text!r} is no URL")
    return {"url": text}


def _parts(value: _Own) -> Url:
    found = parse_url(_own("url", value))
    assert found is not None
    return found


def _holds(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def can(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return can


def _prefixed(form: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """The form of what a generated name begins with, as the server asks it: it cuts two characters where a dash ends it."""
    return lambda text: form(text[:-2] + "a" if len(text) > 1 and text.endswith("-") else text)


def _as_form(name: str) -> Callable[[str], str | None]:
    return lambda text: None if FORMATS[name](text) else f"is no {name}"


_FORMS: dict[str, Callable[[str], str | None]] = {
    "dns1123Label": formats.label,
    "dns1123Subdomain": formats.subdomain,
    "dns1035Label": formats.dns1035,
    "qualifiedName": formats.qualified,
    "dns1123LabelPrefix": _prefixed(formats.label),
    "dns1123SubdomainPrefix": _prefixed(formats.subdomain),
    "dns1035LabelPrefix": _prefixed(formats.dns1035),
    "labelValue": formats.label_value,
    **{name: _as_form(name) for name in ("uri", "uuid", "date", "datetime")},
    "byte": _as_form("base64"),
}


def _faults(form: _Own, text: str) -> _Own:
    """The server's optional list of faults."""
    fault = _FORMS[_own("format", form)](text)
    return {"faults": [fault] if fault else []}


def _listed(value: _Own) -> list[str]:
    faults: list[str] = _own("faults", value)
    if not faults:
        raise ValueError("optional.none() dereference")
    return faults


def _sum(items: list[Any]) -> Any:
    if any(isinstance(item, str | bool) for item in items):
        raise ValueError("no such overload")
    return reduce(operator.add, items) if items else 0


def _sorted(items: list[Any]) -> bool:
    return all(first <= second for first, second in pairwise(items))


def _least(choose: Callable[[Iterable[Any]], Any]) -> Callable[[list[Any]], Any]:
    def of(items: list[Any]) -> Any:
        if not items:
            raise ValueError("called on empty list")
        return choose(items)

    return of


def _place(items: list[Any], item: Any) -> int:
    return items.index(item) if item in items else -1


def _last(items: list[Any], item: Any) -> int:
    return len(items) - 1 - items[::-1].index(item) if item in items else -1


def _within(these: list[Any], those: list[Any]) -> bool:
    return all(each in these for each in those)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "url(string) -> own": _url,
    "isURL(string) -> bool": _holds(_url),
    ".getScheme(own) -> string": lambda value: _parts(value).scheme,
    ".getHost(own) -> string": lambda value: _parts(value).host,
    ".getHostname(own) -> string": lambda value: _parts(value).hostname,
    ".getPort(own) -> string": lambda value: _parts(value).port,
    ".getEscapedPath(own) -> string": lambda value: _parts(value).escaped_path,
    ".getQuery(own) -> queries": lambda value: _parts(value).parameters,
    "quantity(string) -> own": lambda text: _quantity(_amount(text)),
    "isQuantity(string) -> bool": _holds(_amount),
    "sign(own) -> int": lambda value: int(_of(value) > 0) - int(_of(value) < 0),
    ".isInteger(own) -> bool": _is_whole,
    ".asInteger(own) -> int": _whole,
    ".asApproximateFloat(own) -> double": lambda value: float(_of(value)),
    ".add(own, own) -> own": lambda left, right: _quantity(_of(left) + _of(right)),
    ".add(own, int) -> own": lambda left, right: _quantity(_of(left) + right),
    ".sub(own, own) -> own": lambda left, right: _quantity(_of(left) - _of(right)),
    ".sub(own, int) -> own": lambda left, right: _quantity(_of(left) - right),
    ".compareTo(own, own) -> int": _order,
    ".isLessThan(own, own) -> bool": lambda left, right: _order(left, right) < 0,
    ".isGreaterThan(own, own) -> bool": lambda left, right: _order(left, right) > 0,
    "semver(string) -> own": lambda text: _semver(_version(text)),
    "semver(string, bool) -> own": lambda text, loose: _semver(_version(text, loose=loose)),
    "isSemver(string) -> bool": _holds(_version),
    "isSemver(string, bool) -> bool": lambda text, loose: _holds(lambda each: _version(each, loose=loose))(text),
    ".major(own) -> int": lambda value: _numbers(value).major,
    ".minor(own) -> int": lambda value: _numbers(value).minor,
    ".patch(own) -> int": lambda value: _numbers(value).patch,
    "ip(string) -> own": lambda text: {"ip": str(_ip(text))},
    "isIP(string) -> bool": _holds(_ip),
    "ip.isCanonical(string) -> bool": lambda text: str(_ip(text)) == text,
    ".family(own) -> int": lambda value: _address(value).version,
    ".isUnspecified(own) -> bool": lambda value: _address(value).is_unspecified,
    ".isLoopback(own) -> bool": lambda value: _address(value).is_loopback,
    ".isLinkLocalMulticast(own) -> bool": lambda value: _is_local_group(_address(value)),
    ".isLinkLocalUnicast(own) -> bool": lambda value: _address(value).is_link_local,
    ".isGlobalUnicast(own) -> bool": lambda value: _is_global(_address(value)),
    "cidr(string) -> own": lambda text: {"cidr": "/".join(map(str, _cidr(text)))},
    "isCIDR(string) -> bool": _holds(_cidr),
    ".containsIP(own, string) -> bool": _has,
    ".containsIP(own, own) -> bool": lambda value, inner: _has(value, _own("ip", inner)),
    ".containsCIDR(own, string) -> bool": _contains,
    ".containsCIDR(own, own) -> bool": lambda value, inner: _contains(value, _own("cidr", inner)),
    ".ip(own) -> own": lambda value: {"ip": _own("cidr", value).partition("/")[0]},
    ".masked(own) -> own": lambda value: {"cidr": str(_network(value))},
    ".prefixLength(own) -> int": lambda value: _network(value).prefixlen,
    "string(own) -> string": lambda value: str(value["cidr"] if "cidr" in value else _own("ip", value)),
    **{f"format.{name}() -> own": lambda name=name: {"format": name} for name in _FORMS},
    ".validate(own, string) -> own": _faults,
    ".hasValue(own) -> bool": lambda value: bool(_own("faults", value)),
    ".value(own) -> list": _listed,
    ".orValue(own, list) -> list": lambda value, other: _own("faults", value) or other,
    ".isSorted(list) -> bool": _sorted,
    ".sum(list) -> dyn": _sum,
    ".min(list) -> dyn": _least(min),
    ".max(list) -> dyn": _least(max),
    ".indexOf(list, dyn) -> int": _place,
    ".lastIndexOf(list, dyn) -> int": _last,
    "sets.contains(list, list) -> bool": _within,
    "sets.equivalent(list, list) -> bool": lambda these, those: _within(these, those) and _within(those, these),
    "sets.intersects(list, list) -> bool": lambda these, those: any(each in these for each in those),
}  # fmt: skip
