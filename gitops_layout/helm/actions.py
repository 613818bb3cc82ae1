"""The actions of a chart's template: what stands between `{{` and `}}`.

Nothing is looked at twice, however many actions, texts and comments a template leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.patterns import regexp

__all__ = ["actions", "past_comments", "placed", "word"]

_INSIDE = regexp(r"(?:\"(?:\\.|[^\"\\\n])*+\"|`[^`]*+`|'(?:\\.|[^'\\\n])*+'|[^\"'`}]|\}(?!\}))*+")
_CLOSE = regexp(r"\s*+-?\}\}")
_WORD = regexp(r"(if|with|range|define|block|else|end|break|continue)\b")
_ASSIGNS = regexp(r"\$\w*\s*(?:,\s*\$\w+\s*)?:?=")
_COMMENT = regexp(r"\s*+\{\{-?\s*+/\*")


def actions(text: str) -> Iterator[str]:
    """The actions without their braces and marks, comments apart. Braces in a text end nothing."""
    return (action for _, _, action in placed(text) if action is not None)


def placed(text: str) -> Iterator[tuple[int, int, str | None]]:
    """(start, end, action) of each, braces within the stretch; a comment is None."""
    end = 0
    while (begin := text.find("{{", end)) >= 0:
        start = begin + (3 if text.startswith("-", begin + 2) else 2)
        if text[start : start + 3].lstrip().startswith("/*"):
            end = _past_comment(text, start)
            close = _CLOSE.match(text, end)
            end = close.end() if close is not None else end
            yield begin, end, None
            continue
        match = _INSIDE.match(text, start)
        end = max(match.end() if match is not None else start, start)
        if text.startswith("}}", end):
            end += 2
            yield begin, end, text[start : end - 2].removesuffix("-").strip()


def word(action: str | None) -> str:
    """What an action that prints nothing does, or "" for what has no word; `prints` for the others. A comment is None."""
    if action is None:
        return ""
    match = _WORD.match(action)
    if match is not None:
        return match[1]
    return "" if _ASSIGNS.match(action) is not None else "prints"


def _past_comment(text: str, start: int) -> int:
    """Where the comment that begins there ends: the text's end, if it does not."""
    close = text.find("*/", start)
    return len(text) if close < 0 else close + 2


def past_comments(text: str) -> int:
    """Where a template begins after the comments at its head."""
    begin = 0
    while (comment := _COMMENT.match(text, begin)) is not None:
        close = text.find("}}", _past_comment(text, comment.end()))
        if close < 0:
            return len(text)
        begin = close + 2
    return begin
