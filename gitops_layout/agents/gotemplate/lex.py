"""Template text → tokens, with Go's rules for trimming (`{{- ` and ` -}}`) and comments."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from functools import lru_cache

from gitops_layout.agents.gotemplate.errors import TemplateError
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["BRACES", "KEYWORDS", "Delimiters", "Token", "tokens"]

KEYWORDS = frozenset("block break continue define else end if nil range template with".split())

_SPACE = " \t\r\n"
_END_OF_WORD = frozenset(" \t\r\n.,|:)(")
_SPACES = regexp(r"[ \t\r\n]+")
_WORD = regexp(r"\w+")
_LITERALS = {
    '"': ("string", re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')),
    "'": ("char", re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")),
    "`": ("raw", re.compile(r"`[^`]*`")),
}
_NUMBER = regexp(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_SIGNS = {"|": "pipe", "=": "assign", "(": "open", ")": "close"}


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What opens and closes an action, two characters each."""

    left: str = "{{"
    right: str = "}}"


BRACES = Delimiters()


@lru_cache(maxsize=4)
def _right(right: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The end of an action, and that of a comment."""
    end = re.escape(right)
    return re.compile(rf"[ \t\r\n]-{end}|{end}"), re.compile(rf"\*/([ \t\r\n]-)?{end}")


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written and its offset."""

    kind: str
    text: str
    at: int


def tokens(text: str, delimiters: Delimiters = BRACES) -> Iterator[Token]:
    """All tokens, an `end` token last. Raises TemplateError."""
    position, start = 0, 0
    opening, right = delimiters.left, delimiters.right
    while (left := text.find(opening, position)) >= 0:
        trimmed = text[left + 2 : left + 3] == "-" and text[left + 3 : left + 4] in (*_SPACE,)
        inner = left + (4 if trimmed else 2)
        before = text[start:left]
        if trimmed:
            before = before.rstrip(_SPACE)
        if before:
            yield Token("text", before, start)
        if text.startswith("/*", inner):
            position, trim_after = _comment(text, inner, right)
        else:
            yield Token("left", opening, left)
            position, trim_after = yield from _action(text, inner, right)
        start = position
        if trim_after:
            while start < len(text) and text[start] in _SPACE:
                start += 1
        position = start
    if start < len(text):
        yield Token("text", text[start:], start)
    yield Token("end", "", len(text))


def _comment(text: str, at: int, right: str) -> tuple[int, bool]:
    close = text.find("*/", at + 2)
    if close < 0:
        raise TemplateError("a comment is not closed", text, at)
    found = _right(right)[1].match(text, close)
    if found is None:
        raise TemplateError("a comment must end right before the end of its action", text, close)
    return found.end(), found[1] is not None


def _action(text: str, position: int, right: str) -> Generator[Token, None, tuple[int, bool]]:
    depth = 0
    end = _right(right)[0]
    while True:
        if closed := end.match(text, position):
            if depth:
                raise TemplateError("a parenthesis is not closed", text, position)
            yield Token("right", closed[0], position)
            return closed.end(), len(closed[0]) > 2
        token = _token(text, position, right)
        depth += {"open": 1, "close": -1}.get(token.kind, 0)
        if depth < 0:
            raise TemplateError("unexpected right parenthesis", text, position)
        yield token
        position += len(token.text)


def _token(text: str, at: int, right: str) -> Token:
    """The token that starts at `at`, inside an action."""
    if at >= len(text):
        raise TemplateError("an action is not closed", text, at)
    char, following = text[at], text[at + 1 : at + 2]
    if char in _SPACE:
        return _spaces(text, at, right)
    if char in _SIGNS:
        return Token(_SIGNS[char], char, at)
    if char == ":":
        if following != "=":
            raise TemplateError("expected :=", text, at)
        return Token("declare", ":=", at)
    if char in "`\"'":
        return _quoted(text, at)
    if char == "$" or (char == "." and not (following.isascii() and following.isdigit())):
        return _field(text, at, right)
    if char in "+-." or (char.isascii() and char.isdigit()):
        return _number(text, at)
    if found := _WORD.match(text, at):
        return _word(text, at, found[0], right)
    if char.isascii() and char.isprintable():
        return Token("sign", char, at)
    raise TemplateError(f"unexpected character {char!r} in an action", text, at)


def _spaces(text: str, at: int, right: str) -> Token:
    found = _SPACES.match(text, at)
    assert found is not None  # the caller saw a space
    run = found[0]
    # The last space may belong to a trimming right delimiter, which the caller looks for next.
    return Token("space", run[:-1] if len(run) > 1 and text.startswith(f"-{right}", found.end()) else run, at)


def _quoted(text: str, at: int) -> Token:
    kind, pattern = _LITERALS[text[at]]
    found = pattern.match(text, at)
    if found is None:
        raise TemplateError("a string is not closed", text, at)
    return Token(kind, found[0], at)


def _field(text: str, at: int, right: str) -> Token:
    found = _WORD.match(text, at + 1)
    word = text[at] + (found[0] if found else "")
    _check_end(text, at + len(word), right)
    if text[at] == "$":
        return Token("variable", word, at)
    return Token("field" if found else "dot", word, at)


def _number(text: str, at: int) -> Token:
    found = _NUMBER.match(text, at)
    end = found.end() if found else at + 1
    if end == at or (end < len(text) and _WORD.match(text, end)):
        raise TemplateError(f"bad number: {text[at : end + 1]!r}", text, at)
    return Token("number", text[at:end], at)


def _word(text: str, at: int, word: str, right: str) -> Token:
    _check_end(text, at + len(word), right)
    if word in KEYWORDS:
        return Token("keyword", word, at)
    return Token("bool" if word in ("true", "false") else "ident", word, at)


def _check_end(text: str, at: int, right: str) -> None:
    if at < len(text) and text[at] not in _END_OF_WORD and not text.startswith(right, at):
        raise TemplateError(f"bad character {text[at]!r} after a name", text, at)
