"""Names in messages: those that were perhaps meant, and kinds with their article."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

__all__ = ["is_slip", "is_typo", "near_name", "with_article"]

_SLIP = 0.85


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that was perhaps meant: it differs by a slip of the pen, or has a part less or more."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=1, cutoff=0.75)
    if close:
        return close[0]
    parts = [other for other in names if other and (other in name or name in other)]
    return parts[0] if len(parts) == 1 and len(parts[0]) >= 4 and len(name) >= 4 else None


def is_slip(name: str, other: str) -> bool:
    """Whether a name is another one with a slip of the pen, or with its end more or less."""
    longer, shorter = sorted((name, other), key=len, reverse=True)
    return longer.startswith(shorter) or SequenceMatcher(None, name, other).ratio() >= _SLIP


_SHORT = 4
"""Words of fewer letters are as likely another word (`eu`, `us`) as the same one misspelt."""


def is_typo(name: str, other: str) -> bool:
    """Whether two names are one, but for a single letter of a single word, which is missing, too much, another one or has
    changed places with its neighbour; not the first, and no figure.
    """
    words, others = (re.split(r"[-_.]", text) for text in (name, other))
    apart = [(one, two) for one, two in zip(words, others, strict=False) if one != two]
    if len(words) != len(others) or len(apart) != 1:
        return "".join(words) == "".join(others) and name != other
    one, two = sorted(apart[0], key=len)
    if len(two) < _SHORT or not (one + two).isalpha() or one[0] != two[0]:
        return False
    start = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), len(one))
    if len(one) < len(two):
        return one[start:] == two[start + 1 :]
    turned = one[start : start + 2] == two[start : start + 2][::-1] and one[start + 2 :] == two[start + 2 :]
    return turned or one[start + 1 :] == two[start + 1 :]


def with_article(kind: str) -> str:
    """`an Ingress`, `a Job`: as it is spoken, so the first letter of an abbreviation by its name (`an HTTPRoute`)."""
    spelled = len(kind) > 1 and kind[0].isupper() and (kind[1].isupper() or kind[1].isdigit())
    vowels = "AEFHILMNORSX" if spelled else "AEIOaeio"
    return f"{'an' if kind[:1] in vowels else 'a'} {kind}"
