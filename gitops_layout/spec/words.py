"""The words of gitops.yaml: names, URLs, versions and images, each with what it may be."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from gitops_layout.patterns import regexp
from gitops_layout.source.typing import plain

_WINDOWS = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
MOVING_TAGS = frozenset({"latest", "main", "master", "stable", "edge", "dev", "nightly"})
MAX_NAME = 63


_IMAGE = regexp(
    r"^(?=[^:]*[a-z])[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"


def word(value: object) -> object:
    """A validator: refuses what YAML reads as something else than a string."""
    # Names stand unquoted in manifests and on command lines, where `no` is false and `null` nothing.
    if value and isinstance(value, str) and not isinstance(plain(value, "kubectl"), str):
        raise ValueError(f"{value} means something else than a name in YAML: choose another")
    return value


def _name(value: object) -> object:
    if isinstance(value, str):
        if value in _WINDOWS:
            raise ValueError(
                f"{value} is a device on Windows, where nobody could check it out: choose another"
            )
        if strange := [letter for letter in value[:MAX_NAME] if not letter.isascii()]:
            words = unicodedata.name(strange[0], "a character without a name").lower()
            raise ValueError(f"{value[:MAX_NAME]!a} has a {words}: names are of a-z, 0-9 and dashes")
    return word(value)


def _branch(value: object) -> object:
    # What git itself refuses as the name of a branch, beyond single characters.
    if isinstance(value, str):
        parts = value.split("/")
        if ".." in value or any(
            not part or part[0] == "." or part[-1] == "." or part.endswith(".lock") for part in parts
        ):
            raise ValueError(f"{value[:80]!r} is not a branch name that git takes")
    return value


def _tag(value: object) -> object:
    if isinstance(value, str) and (".." in value or value.endswith((".lock", ".", "/")) or "/." in value):
        raise ValueError(f"{value[:80]!r} is not the name of a tag that git takes")
    return value


def _folder(value: object) -> object:
    if isinstance(value, str) and not {"", ".", "..", ".git"}.isdisjoint(value.split("/")):
        raise ValueError(f"{value[:80]!r} is not a folder below the repository's top")
    return value


def _url(value: object) -> object:
    if isinstance(value, str):
        user, at, host = value.partition("://")[2].partition("/")[0].rpartition("@")
        if at and ":" in user:
            raise ValueError("holds a password, which everybody would read here: leave it out")
        if host.startswith("-"):
            raise ValueError(f"{value[:80]!r} would be taken for an option, not for a host")
    return value


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=MAX_NAME),
    BeforeValidator(_name),  # last, or the published schema loses the pattern
]
"""A DNS-1035 label, as a Service needs: lower case letters, digits and dashes, a letter first, 63 at most."""
Context = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@+=-]*$", max_length=253)]
"""The name of a kubeconfig's context, which stands on command lines."""
Group = Annotated[str, StringConstraints(pattern=r"^[^\s\"'\\,{}]+$", max_length=253)]
"""A group of people as the cluster's and Argo CD's logins name it, such as `acme:payments`."""
Quantity = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(m|[KMGT]i?)?$")]
Owner = Annotated[str, StringConstraints(pattern=r"^(@[A-Za-z0-9][\w./-]*|[^\s@#]+@[^\s@#]+)$")]
Url = Annotated[
    str,
    StringConstraints(pattern=r"^((https|ssh)://[^\s\"'\\<>{}]*[\w/]|[\w.-]+@[\w.-]+:[^\s\"'\\<>{}]*[\w/])$"),
    BeforeValidator(_url),
]
Branch = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=200),
    BeforeValidator(_branch),
]
Tag = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]*$", max_length=200),
    BeforeValidator(_tag),
]
Folder = Annotated[str, StringConstraints(pattern=r"^[\w.-]+(/[\w.-]+)*$"), BeforeValidator(_folder)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$")]
ChartVersion = Annotated[
    str, StringConstraints(pattern=r"^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
]


class Model(BaseModel):
    """A part of gitops.yaml: no unknown fields, no coercion."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True)


def image_reference(value: object) -> object:
    """A validator: an image reference with a version that does not move."""
    if not isinstance(value, str) or not _IMAGE.match(value):
        raise ValueError(f"{value!r} is not an image reference such as ghcr.io/acme/web:1.2.3")
    word(value.partition(":")[0].partition("@")[0])
    tagged, _, digest = value.partition("@")
    tag = tagged.rpartition("/")[2].partition(":")[2]
    if not tag and not digest:
        raise ValueError(f"image {value} names no version: add a tag such as {value}:1.2.3")
    if tag in MOVING_TAGS and not digest:
        raise ValueError(f"image {value} can change without a commit: name a version instead of {tag!r}")
    return value
