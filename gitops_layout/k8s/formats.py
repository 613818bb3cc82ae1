"""The forms that names and other strings must have.

Each function returns what is wrong with a string as a clause ("must …"), or None. Sources:
apimachinery, pkg/util/validation/validation.go and pkg/api/validate/content, for those with the same
name there; others name theirs.
"""

from __future__ import annotations

import ipaddress
import re

from gitops_layout.patterns import regexp

__all__ = [
    "address",
    "canonical",
    "config_key",
    "dns1035",
    "domain_path",
    "driver",
    "env_name",
    "full_name",
    "has_backstep",
    "header",
    "is_base64",
    "is_cidr",
    "is_ip",
    "is_time",
    "label",
    "label_value",
    "local_path",
    "network",
    "path_segment",
    "percent",
    "port_name",
    "qualified",
    "regex",
    "signer",
    "subdomain",
    "subdomain_underscore",
    "timeout",
    "wildcard",
]

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_DNS1035 = regexp(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_UNDERSCORE = re.compile(r"_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?")
_WORD = regexp(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_CONFIG_KEY = regexp(r"[-._a-zA-Z0-9]+")
_HTTP_PATH = regexp(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_BASE64 = regexp(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TIME = regexp(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DURATION = regexp(r"[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")

_LONG = 253
_SHORT = 63


def label(text: str) -> str | None:
    """An RFC 1123 label."""
    if len(text) > _SHORT:
        return f"must have at most {_SHORT} characters"
    if not _LABEL.fullmatch(text):
        return "must consist of a-z, 0-9 and '-', and start and end with a letter or digit"
    return None


def dns1035(text: str) -> str | None:
    """An RFC 1035 label: like `label`, but the first character is a letter."""
    if len(text) > _SHORT:
        return f"must have at most {_SHORT} characters"
    if not _DNS1035.fullmatch(text):
        return "must consist of a-z, 0-9 and '-', start with a letter and end with a letter or digit"
    return None


def subdomain(text: str) -> str | None:
    """RFC 1123 labels with dots between them; only the whole has a limit."""
    return _dotted(text, _LABEL, "a-z, 0-9, '-' and '.'")


def subdomain_underscore(text: str) -> str | None:
    """Like `subdomain`, with underscores."""
    return _dotted(text, _UNDERSCORE, "a-z, 0-9, '-', '_' and '.'")


def _dotted(text: str, part: re.Pattern[str], allowed: str) -> str | None:
    if len(text) > _LONG:
        return f"must have at most {_LONG} characters"
    if not all(part.fullmatch(each) for each in text.split(".")):
        return f"must consist of {allowed}, and start and end with a letter or digit"
    return None


def wildcard(text: str) -> str | None:
    """`*.` and a subdomain."""
    if len(text) > _LONG:
        return f"must have at most {_LONG} characters"
    return (
        None
        if text.startswith("*.") and not subdomain(text[2:])
        else "must be '*.' and a domain, as in *.example.com"
    )


def qualified(text: str) -> str | None:
    """A label key: a name, or a subdomain, a slash and a name (IsQualifiedName)."""
    prefix, slash, name = text.rpartition("/")
    if slash and (not prefix or subdomain(prefix)):
        return "must have a domain before the '/'"
    if not 0 < len(name) <= _SHORT:
        return f"must have 1 to {_SHORT} characters in its name"
    if not _WORD.fullmatch(name):
        return "must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit"
    return None


def label_value(text: str) -> str | None:
    """The value of a label; may be empty."""
    if len(text) > _SHORT:
        return f"must have at most {_SHORT} characters"
    if text and not _WORD.fullmatch(text):
        return "must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit"
    return None


def port_name(text: str) -> str | None:
    """The name of a container port."""
    if not 0 < len(text) <= 15:
        return "must have 1 to 15 characters to be a port name"
    if not re.fullmatch("[-a-z0-9]+", text) or not re.search("[a-z]", text):
        return "must consist of a-z, 0-9 and '-', and have a letter, to be a port name"
    if "--" in text or text[0] == "-" or text[-1] == "-":
        return "must not start or end with '-' or have two of them in a row to be a port name"
    return None


def env_name(text: str) -> str | None:
    """The name of an environment variable (IsRelaxedEnvVarName)."""
    if all(" " <= char <= "~" and char != "=" for char in text):
        return None
    return "must consist of printable ASCII characters other than '='"


def config_key(text: str) -> str | None:
    """A key of a ConfigMap or Secret (IsConfigMapKey)."""
    if len(text) > _LONG:
        return f"must have at most {_LONG} characters"
    if not _CONFIG_KEY.fullmatch(text):
        return "must consist of letters, digits, '-', '_' and '.'"
    return "must not be '.' or start with '..'" if text == "." or text.startswith("..") else None


def path_segment(text: str) -> str | None:
    """What may stand between two slashes of a URL (IsPathSegmentName)."""
    if text in (".", "..") or "/" in text or "%" in text:
        return "must not be '.' or '..' or contain '/' or '%'"
    return None


def percent(text: str) -> str | None:
    """Digits and a percent sign."""
    return None if re.fullmatch("[0-9]+%", text) else "must be a number or a percentage such as 25%"


def header(text: str) -> str | None:
    """The name of an HTTP header."""
    return None if re.fullmatch("[-A-Za-z0-9]+", text) else "must consist of letters, digits and '-'"


def full_name(text: str) -> str | None:
    """A domain of three segments (IsFullyQualifiedName)."""
    if fault := subdomain(text):
        return fault
    return None if text.count(".") >= 2 else "must be a domain of at least three segments"


def domain_path(text: str) -> str | None:
    """`example.com/path` (IsDomainPrefixedPath)."""
    domain, slash, path = text.partition("/")
    if not slash or not path or subdomain(domain) or not _HTTP_PATH.fullmatch(path):
        return "must be a domain and a path, as in example.com/name"
    return None


def driver(text: str) -> str | None:
    """The name of a CSI driver (core: ValidateCSIDriverName); upper case is allowed."""
    if len(text) > _SHORT:
        return f"must have at most {_SHORT} characters"
    return subdomain(text.lower())


def signer(text: str) -> str | None:
    """The name of a signer of certificates (core: ValidateSignerName)."""
    domain, slash, path = text.partition("/")
    if not slash or "/" in path or "." not in domain:
        return "must be a domain and a name, as in example.com/signer"
    if any(label(part) for part in domain.split(".")) or len(domain) > _LONG:
        return "must have a domain before the '/'"
    return next((fault for part in path.split(".") if (fault := subdomain(part))), None)


def has_backstep(text: str) -> str | None:
    """A path without `..` (core: validatePathNoBacksteps)."""
    return "must not contain '..'" if ".." in text.split("/") else None


def local_path(text: str) -> str | None:
    """A relative path that stays below its root (core: ValidateLocalNonReservedPath)."""
    if text.startswith("/"):
        return "must be a relative path"
    return has_backstep(text) or ("must not start with '..'" if text.startswith("..") else None)


def address(text: str) -> str | None:
    """An IP address, as a form."""
    return None if is_ip(text) else "is no IP address"


def network(text: str) -> str | None:
    """A CIDR, as a form."""
    return None if is_cidr(text) else "is no network such as 10.0.0.0/8 (no host bits set, no leading zeros)"


_LOOKAROUND = regexp(r"\(\?(?:=|!|<[=!])")
_MANY_TIMES = regexp(r"\{[0-9]*,?([0-9]{4,})\}")
_REGEX_FAULTS = ("unterminated", "unbalanced", "nothing to repeat", "bad character range")


def regex(text: str) -> str | None:
    """A regular expression of Go (RE2), as far as Python can tell: what only RE2 knows is let through."""
    if len(text) > 4096:
        return None
    if _LOOKAROUND.search(text):
        return "looks around, which Go's regular expressions cannot"
    if any(int(found[1][:9]) > 1000 for found in _MANY_TIMES.finditer(text)):
        return "repeats more than 1000 times"
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return "is no regular expression" if any(fault in str(error) for fault in _REGEX_FAULTS) else None
    return None


def canonical(text: str) -> str | None:
    """An address or network, known to be one, as Go writes it (RFC 5952)."""
    host, slash, prefix = text.partition("/")
    best = f"{ipaddress.ip_address(host)}{slash}{prefix}"
    return None if text == best else f"must be written as {best}"


def is_ip(text: str) -> bool:
    """An address as the server takes it since 1.36: no leading zeros, no IPv4-mapped IPv6, no zone."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text and not (found.version == 6 and found.ipv4_mapped)


def is_cidr(text: str) -> bool:
    """A network as the server takes it since 1.36: prefix in digits, no host bits."""
    host, slash, prefix = text.partition("/")
    if not slash or not re.fullmatch("0|[1-9][0-9]{0,2}", prefix) or not is_ip(host):
        return False
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def is_base64(text: str) -> bool:
    """Standard, padded base64; line breaks are skipped, as Go does."""
    return _BASE64.fullmatch(text.replace("\n", "").replace("\r", "")) is not None


def is_time(text: str, *, micro: bool = False) -> bool:
    """RFC 3339; `micro` wants exactly six digits of a second (metav1.MicroTime)."""
    found = _TIME.fullmatch(text)
    return found is not None and (not micro or len(found[1] or "") == 7)


def timeout(text: str) -> str | None:
    """A Go duration."""
    return None if _DURATION.fullmatch(text) else "is no duration such as 1h30m"
