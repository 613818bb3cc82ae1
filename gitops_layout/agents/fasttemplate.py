"""`{{ path.basename }}`: how Argo CD substitutes in an ApplicationSet without goTemplate.

Facts from argo-cd v3.6.1 (applicationset/utils) and github.com/valyala/fasttemplate v1.2.2: a tag is a
parameter's whole name, spaces around it do not count, only strings are substituted, and a tag that no
parameter answers stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Substitution", "UnclosedTagError", "substitute"]

# Argo CD looks at a text only if braces open and close on one line of it.
_TEMPLATED = regexp(r"\{\{[^\n]*\}\}")


class UnclosedTagError(ValueError):
    """A tag that is opened and not closed; `position` is its 0-based offset."""

    def __init__(self, position: int) -> None:
        super().__init__(f"a {{{{ has no }}}} (character {position + 1})")
        self.position = position


@dataclass(frozen=True, slots=True)
class Substitution:
    """The text, and the tags that stayed because no parameter has their name."""

    text: str
    unknown: tuple[str, ...] = ()


def substitute(text: str, params: Mapping[str, Any]) -> Substitution:
    """Replace the tags of `text` by the parameters of their names. Raises UnclosedTagError."""
    if "{{" not in text or not _TEMPLATED.search(text):
        return Substitution(text)
    parts: list[str] = []
    unknown: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise UnclosedTagError(start)
        tag = text[start + 2 : end]
        value = params.get(tag.strip())
        if isinstance(value, str) and tag.strip():
            parts += [text[position:start], value]
        else:
            parts.append(text[position : end + 2])
            unknown.append(tag.strip())
        position = end + 2
    return Substitution("".join((*parts, text[position:])), tuple(unknown))
