"""Cron schedules as the CronJob controller's parser reads them.

Source: github.com/robfig/cron/v3 (ParseStandard) through k8s.io/kubernetes 1.36, pkg/util/parsers and
pkg/apis/batch/validation/validation.go (validateScheduleFormat).
"""

from __future__ import annotations

import re

from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.cursor import shown

__all__ = ["schedule"]

_MONTHS = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_DAYS = {name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_NICKNAMES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_NUMBER = regexp(r"\+?[0-9]{1,9}", re.ASCII)


def schedule(text: str) -> str | None:
    """What is wrong with a schedule, or None."""
    if "TZ" in text:
        return "must not name a time zone, which belongs into timeZone"
    if text.startswith("@"):
        every, _, duration = text.partition(" ")
        if every == "@every" and duration:
            return formats.timeout(duration)
        return None if text in _NICKNAMES else f"is none of {', '.join(_NICKNAMES)} and @every"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields, expected 5 (minute, hour, day of month, month, day of week)"
    for part, (name, low, high, words) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if item and not _item(item, low, high, words):
                return f"has the {name} {shown(item)}, expected {low} to {high}"
    return None


def _item(text: str, low: int, high: int, words: dict[str, int]) -> bool:
    """One of `*`, `n`, `a-b`, each with an optional `/step`."""
    span, *step = text.split("/")
    first, *last = span.split("-")
    if len(step) > 1 or len(last) > 1:
        return False
    if first in ("*", "?"):
        start, end = low, high
    else:
        numbers = [words.get(word.lower(), _number(word)) for word in (first, *last)]
        if None in numbers:
            return False
        start, end = numbers[0] or 0, numbers[-1] or 0
        if step and not last:
            end = high
    width = _number(step[0]) if step else 1
    return low <= start <= end <= high and bool(width)


def _number(word: str) -> int | None:
    return int(word) if _NUMBER.fullmatch(word) else None
