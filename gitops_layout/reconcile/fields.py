"""Tell from a live object alone whether applying a manifest would change anything.

Server-side apply records which fields we own (`managedFields`, in the fieldsV1 format of
structured-merge-diff). Where these are exactly the fields of the manifest, and the live values at
them are the manifest's, applying is a no-op and no request is needed. Every doubt counts as "not in
sync": the caller then asks the server by a dry run.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MANAGER", "in_sync", "own_entry", "same_quantity"]

MANAGER = "gitops-layout"
"""Our field manager."""

_QUANTITY = regexp(r"^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$")
_BINARY = {f"{prefix}i": Decimal(1024) ** power for power, prefix in enumerate("KMGTPE", 1)}
_DECIMAL = {prefix: Decimal(1000) ** power for power, prefix in enumerate("kMGTPE", 1)} | {
    "m": Decimal("1e-3"), "u": Decimal("1e-6"), "n": Decimal("1e-9"),
}  # fmt: skip
# In the maps under these keys the server rewrites quantities into their canonical form.
_QUANTITY_PARENTS = frozenset(("limits", "requests", "hard", "capacity"))


def own_entry(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Our entry of `metadata.managedFields`, None when we have never applied this object."""
    for entry in live["metadata"].get("managedFields") or ():
        if (
            entry.get("manager") == MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            return entry  # type: ignore[no-any-return]
    return None


def in_sync(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether applying `desired` with our manager would certainly leave `live` as it is."""
    entry = own_entry(live)
    version = desired["apiVersion"]
    if entry is None or entry.get("apiVersion") != version or live.get("apiVersion") != version:
        return False
    if live["metadata"].get("deletionTimestamp"):
        return False
    wanted = {name: value for name, value in desired.items() if name not in ("apiVersion", "kind")}
    wanted["metadata"] = {
        name: value for name, value in desired["metadata"].items() if name not in ("name", "namespace")
    }
    return _same(wanted, live, entry.get("fieldsV1") or {}, quantities=False)


def _same(desired: Any, live: Any, owned: Mapping[str, Any], *, quantities: bool) -> bool:
    if not owned:
        return _equal(desired, live, quantities=quantities)
    if isinstance(desired, dict) and isinstance(live, dict):
        fields = {name[2:]: inner for name, inner in owned.items() if name.startswith("f:")}
        if len(fields) != len(owned.keys() - {"."}) or fields.keys() != desired.keys():
            return False
        return all(
            _same(
                value,
                live[name],
                fields[name],
                quantities=quantities or (name in _QUANTITY_PARENTS and isinstance(value, dict)),
            )
            if name in live
            # The server leaves out fields at their type's zero (`readOnly: false`), and we still own them.
            else value is not None and not value
            for name, value in desired.items()
        )
    if isinstance(desired, list) and isinstance(live, list):
        return _same_list(desired, live, {name: inner for name, inner in owned.items() if name != "."})
    return False


def _same_list(desired: list[Any], live: list[Any], owned: Mapping[str, Any]) -> bool:
    if len(owned) != len(desired):
        return False
    taken: set[int] = set()
    for name, inner in owned.items():
        match name.partition(":"):
            case "v", _, text:
                value = json.loads(text)
                if value not in desired or value not in live:
                    return False
            case "k", _, text:
                identity: dict[str, Any] = json.loads(text)
                wanted = _with_keys(desired, identity) or _with_keys(desired, identity, lenient=True)
                found = _with_keys(live, identity)
                if len(wanted) != 1 or len(found) != 1 or id(wanted[0]) in taken:
                    return False
                taken.add(id(wanted[0]))
                if not _same(wanted[0], found[0], inner, quantities=False):
                    return False
            case _:
                return False
    return True


def _with_keys(
    items: list[Any], identity: Mapping[str, Any], *, lenient: bool = False
) -> list[dict[str, Any]]:
    """Items with these keys; `lenient` lets them lack one that the server defaults (a port's protocol)."""
    return [
        item
        for item in items
        if isinstance(item, dict)
        and any(name in item for name in identity)
        and all(item.get(name, value if lenient else None) == value for name, value in identity.items())
    ]


def _equal(desired: Any, live: Any, *, quantities: bool) -> bool:
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    return bool(desired == live) or (quantities and same_quantity(desired, live))


def same_quantity(left: object, right: object) -> bool:
    """Whether two Kubernetes quantities (`1`, `1000m`, `1Gi`) are the same amount."""
    first, second = _amount(left), _amount(right)
    return first is not None and first == second


def _amount(value: object) -> Decimal | None:
    match = _QUANTITY.match(str(value))
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix in _DECIMAL:
        return number * _DECIMAL[suffix]
    return number * Decimal(f"1{suffix}") if suffix else number
