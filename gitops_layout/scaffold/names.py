"""Where gitops.yaml names an app, environment, cluster or tenant, and the edits that follow a removal or a new name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.errors import UserError
from gitops_layout.fields import at
from gitops_layout.scaffold.edit import remove, replace
from gitops_layout.source.reader import read
from gitops_layout.spec.checks import did_you_mean
from gitops_layout.spec.read import name_problem

if TYPE_CHECKING:
    from gitops_layout.model import Path

__all__ = ["KINDS", "Kind", "known", "removed", "removed_from_part", "renamed", "renamed_in_part"]

Kind = Literal["app", "component", "env", "cluster", "tenant"]
KINDS: dict[Kind, str] = {
    "app": "apps",
    "component": "components",
    "env": "environments",
    "cluster": "clusters",
    "tenant": "tenants",
}
"""The list of `spec:` that holds each kind of thing."""

# Fields that hold a name of the kind, or a list of them, by the lists of `spec:` they stand in (dotted).
_REFERENCES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "app": (),
    "component": (),
    "env": (
        ("environments", "from"),
        ("clusters", "environments"),
        ("apps", "environments"),
        ("tenants", "environments"),
        ("components", "environments"),
        ("features.secrets.recipients", "environment"),
        ("features.secrets.stores", "environment"),
    ),
    "cluster": (),
    "tenant": (("apps", "tenant"),),
}


def known(body: Any, kind: Kind, name: str) -> Path:
    """The place of the thing in gitops.yaml's data; UserError where there is none of that name."""
    items = body["spec"].get(KINDS[kind]) or []
    names = [item["name"] for item in items]
    if name not in names:
        hint = f"it has {', '.join(names)}" if names else None
        raise UserError(f"no {kind} {name} in gitops.yaml{did_you_mean(name, names)}", hint)
    return ("spec", KINDS[kind], names.index(name))


def renamed(content: bytes, kind: Kind, old: str, new: str, *, file: str = "gitops.yaml") -> bytes:
    """gitops.yaml, or the tenant's file of this name, with another name for a thing, wherever it is named; nothing
    else in it changes.
    """
    body = _data(content)
    place = (*known(body, kind, old), "name")
    if problem := name_problem(new):
        span = read(content, file).documents[0].span(place)
        where = f"{file}:{span.line}:{span.column}"
        raise UserError(f"{where}: {kind} {old} cannot be called so: {problem}")
    if new in (item["name"] for item in body["spec"][KINDS[kind]]) and new != old:
        raise UserError(f"{kind} {new} is already in gitops.yaml")
    places = [place, *_places(body, kind, old)]
    return replace(content, dict.fromkeys(places, new))


def renamed_in_part(content: bytes, kind: Kind, old: str, new: str) -> bytes:
    """A tenant's file with another name for a thing, as far as it names it."""
    body = _data(content)
    places: list[Path] = (
        [("metadata", "name")] if kind == "tenant" and body["metadata"]["name"] == old else []
    )
    return replace(content, dict.fromkeys([*places, *_places(body, kind, old)], new))


def removed_from_part(content: bytes, environment: str) -> bytes:
    """A tenant's file without an environment; UserError where an app is in no other."""
    body = _data(content)
    _refuse_alone(body["spec"], environment)
    for place in reversed([*_places(body, "env", environment)]):
        content = remove(content, place)
    return content


def removed(content: bytes, kind: Kind, name: str) -> bytes:
    """gitops.yaml without a thing, nor what names it.

    An environment also leaves the clusters, apps and tenants that are in it, a cluster that held nothing else goes
    too, and what was promoted from it is promoted from where it was. Raises UserError where something would be left
    with nothing: an app or tenant of that environment alone, apps of that tenant.
    """
    body = _data(content)
    place = known(body, kind, name)
    if kind == "tenant":
        _refuse_left(
            name, [item["name"] for item in body["spec"].get("apps") or [] if item.get("tenant") == name]
        )
    if kind == "env":
        content = _without_environment(content, body, name)
        place = known(_data(content), kind, name)
    return remove(content, place)


def _refuse_left(tenant: str, apps: list[str]) -> None:
    if apps:
        raise UserError(
            f"tenant {tenant} still has {', '.join(apps)}",
            "remove its apps first, or give them to another tenant",
        )


def _refuse_alone(spec: Any, environment: str) -> None:
    alone = [
        f"{kind[:-1]} {item['name']}"
        for kind in ("apps", "tenants", "components")
        for item in spec.get(kind) or []
        if item.get("environments") == [environment]
    ]
    if alone:
        raise UserError(f"only in environment {environment}: {', '.join(alone)}", "remove them first")


def _without_environment(content: bytes, body: Any, name: str) -> bytes:
    spec = body["spec"]
    _refuse_alone(spec, name)
    before = next(item.get("from") for item in spec["environments"] if item["name"] == name)
    following = {place: before for place in _places(body, "env", name) if place[-1] == "from"}
    if before is not None:
        content = replace(content, following)
    for place in [] if before is not None else following:
        content = remove(content, place)
    # Back to front, so that earlier places stay where they are.
    for place in reversed([place for place in _places(body, "env", name) if place[-1] != "from"]):
        held = at(body, *place[:-1])
        if place[-1] == "environment":  # what is said of this environment alone
            place = place[:-1]
        elif place[1] == "clusters" and held == [name]:
            place = place[:-2]
        content = remove(content, place)
    return content


def _places(body: Any, kind: Kind, name: str) -> Iterator[Path]:
    """Where others name it, in the order of the file's lists."""
    for items, field in _REFERENCES[kind]:
        path = ("spec", *items.split("."))
        listed = at(body, *path)
        for index, item in enumerate(listed if isinstance(listed, list) else []):
            value = item.get(field)
            if value == name:
                yield (*path, index, field)
            for position, one in enumerate(value if isinstance(value, list) else []):
                if one == name:
                    yield (*path, index, field, position)


def _data(content: bytes) -> Any:
    return read(content, "gitops.yaml").documents[0].data
