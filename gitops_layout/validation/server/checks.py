"""Checks of one value, the vocabulary of the tables.

Messages are clauses without a subject: the finding names the field.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator

from gitops_layout.k8s import formats
from gitops_layout.k8s.quantity import quantity
from gitops_layout.validation.server.cursor import At, Check, Refusal, shown

__all__ = [
    "above",
    "all_of",
    "any_quantity",
    "at_least",
    "base64",
    "between",
    "choice",
    "distinct",
    "duplicates",
    "exact",
    "int_or_percent",
    "ip",
    "items",
    "keys",
    "labels",
    "named",
    "not_negative_quantity",
    "number_or_name",
    "one_of",
    "option",
    "port",
    "positive_quantity",
    "required",
    "selector",
    "size",
    "valid",
]

Format = Callable[[str], str | None]


def required(at: At) -> Iterator[Refusal]:
    """Refuses what Go reads as the zero value; the schema judges wrong types."""
    if at.empty:
        yield at.refuse("is required")


def one_of(*allowed: str) -> Check:
    """An enumeration; the empty string counts as absent (the server fills in its default)."""

    def check(at: At) -> Iterator[Refusal]:
        if at.text and at.text not in allowed:
            near = difflib.get_close_matches(at.text, allowed, n=1)
            meant = f' (did you mean "{near[0]}"?)' if near else ""
            yield at.refuse(f"is {shown(at.text)}, expected one of {', '.join(allowed)}{meant}")

    return check


def choice(*allowed: str) -> Check:
    """An enumeration without a default: the empty string and absence are refused too."""
    listed = one_of(*allowed)

    def check(at: At) -> Iterator[Refusal]:
        if at.empty:
            yield at.refuse(f"is required, one of {', '.join(allowed)}")
        yield from listed(at)

    return check


def option(*allowed: str) -> Check:
    """An enumeration behind a Go pointer: only absence is let through."""
    listed = choice(*allowed)

    def check(at: At) -> Iterator[Refusal]:
        if at.value is not None:
            yield from listed(at)

    return check


def between(low: int, high: int) -> Check:
    """Both ends included."""

    def check(at: At) -> Iterator[Refusal]:
        if at.number is not None and not low <= at.number <= high:
            yield at.refuse(f"is {at.number}, expected {low} to {high}")

    return check


def at_least(low: int) -> Check:
    """`low` included."""

    def check(at: At) -> Iterator[Refusal]:
        if at.number is not None and at.number < low:
            yield at.refuse(f"is {at.number}, expected at least {low}")

    return check


def above(limit: int) -> Check:
    """`limit` excluded."""
    return at_least(limit + 1)


port = between(1, 65535)


def valid(form: Format) -> Check:
    """A string of a certain form; the empty string counts as absent."""

    def check(at: At) -> Iterator[Refusal]:
        if at.text and (fault := form(at.text)):
            yield at.refuse(f"{shown(at.text)} {fault}")

    return check


def named(form: Format) -> Check:
    """A string of a certain form that must be there."""
    check_form = valid(form)

    def check(at: At) -> Iterator[Refusal]:
        yield from required(at)
        yield from check_form(at)

    return check


def exact(form: Format) -> Check:
    """A string of a certain form, even where it is empty."""

    def check(at: At) -> Iterator[Refusal]:
        if at.is_text and (fault := form(at.text)):
            yield at.refuse(f"{shown(at.text)} {fault}")

    return check


def items(check_item: Check) -> Check:
    """A check for every item of a list."""

    def check(at: At) -> Iterator[Refusal]:
        for item in at:
            yield from check_item(item)

    return check


def keys(form: Format) -> Check:
    """The keys of a map have a certain form."""

    def check(at: At) -> Iterator[Refusal]:
        for key, value in at.pairs:
            if fault := form(key):
                yield value.refuse(f"key {shown(key)} {fault}")

    return check


def size(limit: int) -> Check:
    """At most `limit` items."""

    def check(at: At) -> Iterator[Refusal]:
        if isinstance(at.value, list) and len(at.value) > limit:
            yield at.refuse(f"has {len(at.value)} items, at most {limit} are allowed")

    return check


def distinct(*names: str) -> Check:
    """No two items of a list agree in the values under `names`; items that lack the first do not count."""

    def check(at: At) -> Iterator[Refusal]:
        yield from duplicates(at, lambda item: tuple(_scalar(item[name]) for name in names))

    return check


def duplicates(at: At, key: Callable[[At], tuple[object, ...]]) -> Iterator[Refusal]:
    """Every item whose key an earlier item has; a key that starts with None or "" does not count."""
    seen: set[tuple[object, ...]] = set()
    for item in at:
        value = key(item)
        if value[0] in (None, ""):
            continue
        if value in seen:
            key_text = "/".join(str(part) for part in value if part is not True)
            yield item.refuse(f"repeats {shown(key_text)}")
        seen.add(value)


def _scalar(at: At) -> object:
    return at.value if isinstance(at.value, str | int | float | bool) else None


def labels(at: At) -> Iterator[Refusal]:
    """Label keys and values (apimachinery: ValidateLabels)."""
    for key, value in at.pairs:
        if fault := formats.qualified(key):
            yield value.refuse(f"label key {shown(key)} {fault}")
        if fault := formats.label_value(value.text):
            yield value.refuse(f"label value {shown(value.text)} {fault}")


def selector(at: At) -> Iterator[Refusal]:
    """A LabelSelector (apimachinery: ValidateLabelSelector)."""
    yield from labels(at["matchLabels"])
    for item in at["matchExpressions"]:
        if not item.is_map:
            continue
        operator, values = item["operator"], item["values"]
        match operator.text:
            case "In" | "NotIn":
                if not values:
                    yield values.refuse(f"is required with operator {operator.text}")
            case "Exists" | "DoesNotExist":
                if values:
                    yield values.refuse(f"must be empty with operator {operator.text}")
            case other:
                yield operator.refuse(f"is {shown(other)}, expected one of In, NotIn, Exists, DoesNotExist")
        if fault := formats.qualified(item["key"].text):
            yield item["key"].refuse(f"{shown(item['key'].text)} {fault}")
        for value in values:
            if fault := formats.label_value(value.text):
                yield value.refuse(f"{shown(value.text)} {fault}")


def number_or_name(at: At) -> Iterator[Refusal]:
    """A port by number or by name; digits in quotes are a name, and no valid one."""
    if at.number is not None:
        yield from port(at)
    elif isinstance(at.value, str) and (fault := formats.port_name(at.value)):
        hint = ": write the number without quotes" if at.value.isdigit() else ""
        yield at.refuse(f"{shown(at.value)} {fault}{hint}")


def int_or_percent(at: At) -> Iterator[Refusal]:
    """A number from 0 or a percentage (apps: ValidatePositiveIntOrPercent)."""
    yield from at_least(0)(at)
    if isinstance(at.value, str) and (fault := formats.percent(at.value)):
        yield at.refuse(f"{shown(at.value)} {fault}")


def any_quantity(at: At) -> Iterator[Refusal]:
    """A quantity, however small."""
    if isinstance(at.value, str) and quantity(at.value) is None:
        yield at.refuse(f"{shown(at.value)} is no quantity, expected a number and a unit such as 100m or 2Gi")


def not_negative_quantity(at: At) -> Iterator[Refusal]:
    """A quantity from 0."""
    yield from _quantity(at, at_zero=True)


def positive_quantity(at: At) -> Iterator[Refusal]:
    """A quantity above 0."""
    yield from _quantity(at, at_zero=False)


def _quantity(at: At, *, at_zero: bool) -> Iterator[Refusal]:
    if at.value is None or isinstance(at.value, bool | list | dict):
        return
    value = quantity(at.value)
    if value is None:
        yield at.refuse(
            f"{shown(str(at.value))} is no quantity, expected a number and a unit such as 100m or 2Gi"
        )
    elif value < 0 or (value == 0 and not at_zero):
        yield at.refuse(f"is {at.value}, expected {'at least' if at_zero else 'more than'} 0")


def base64(at: At) -> Iterator[Refusal]:
    """Bytes in base64, padded."""
    if isinstance(at.value, str) and not formats.is_base64(at.value):
        yield at.refuse("is not base64")


def ip(at: At) -> Iterator[Refusal]:
    """An IP address without leading zeros."""
    if at.is_text and not formats.is_ip(at.text):
        yield at.refuse(f"{shown(at.text)} is no IP address")


def all_of(*checks: Check) -> Check:
    """Several checks of one value."""

    def check(at: At) -> Iterable[Refusal]:
        for each in checks:
            yield from each(at)

    return check
