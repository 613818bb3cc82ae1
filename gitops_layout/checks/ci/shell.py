"""Commands of a shell script, each with its place: enough of the grammar to tell words from quotes and comments.

Nothing is expanded or run. Here-documents are data and skipped; substitutions and the scripts that `bash -c`, `ssh`
and `eval` are given are read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from posixpath import basename

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["MAX_SCRIPT", "Command", "commands"]

MAX_SCRIPT = 128 * 2**10
"""Longer scripts are read only so far."""

_MAX_DEPTH = 4
_ASSIGNMENT = regexp(r"[A-Za-z_]\w*\+?=")
_KEYWORDS = frozenset(
    {"then", "do", "else", "if", "elif", "while", "until", "!", "{", "}", "time", "exec", "-"}
)
_WRAPPERS = frozenset({"sudo", "xargs", "env", "timeout", "nohup", "retry", "command", "parallel"})
_VARIABLE = regexp(r"\$[({]?([A-Za-z_]+)[)}]?$")
_HERE = regexp(r"<<-?\s*(['\"]?)([\w.-]+)\1")
_WORD_END = " \t\r\n;&|()<>"


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: its `words` without quotes, where it stands in the text, and the file that it `writes`."""

    words: tuple[str, ...]
    start: int
    end: int
    writes: str = ""

    @property
    def tool(self) -> str:
        """The program's name; of a variable (`$KUBECTL`, make's `$(HELM)`) the variable's, in small letters."""
        first = self.words[0]
        variable = _VARIABLE.fullmatch(first)
        return variable[1].lower() if variable else basename(first)

    @property
    def shown(self) -> str:
        """The command in one line."""
        return " ".join(self.words)


@dataclass(slots=True)
class _State:
    words: list[tuple[str, int, int]] = field(default_factory=list)
    writes: str = ""
    target: bool = False
    here: list[str] = field(default_factory=list)


def commands(text: str, offset: int = 0, depth: int = 0) -> Iterator[Command]:
    """Every command of a script in order; `offset` is added to their places."""
    if depth > _MAX_DEPTH:
        return
    text = text[:MAX_SCRIPT]
    state, at = _State(), 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):
            at += 3 if text[at + 1 : at + 3] == "\r\n" else 2
        elif char in " \t\r":
            at += 1
        elif char == "#":
            at = _line_end(text, at)
        elif char in "<>":
            if state.words and state.words[-1][2] == at and state.words[-1][0].isdigit():
                state.words.pop()  # the number of a stream (`2>/dev/null`), no word of the command
            at = _redirected(text, at, state)
        elif char in "\n;&|()":
            yield from _ended(state, offset, depth)
            at = _past(text, at + 1, state.here) if char == "\n" else at + 1
            state = _State(here=[] if char == "\n" else state.here)
        else:
            word, end, nested = _word(text, at)
            for inner, start in nested:
                yield from commands(inner, offset + start, depth + 1)
            if state.target:
                state.writes, state.target = word, False
            else:
                state.words.append((word, at, end))
            at = end
    yield from _ended(state, offset, depth)


def _redirected(text: str, at: int, state: _State) -> int:
    """The place behind a redirection's sign; where output goes to a file, its name is the next word."""
    if text[at] == "<":
        found = _HERE.match(text, at) if text[at : at + 3] != "<<<" else None
        if found is None:
            return at + 1
        state.here.append(found[2])
        return found.end()
    if text[at + 1 : at + 2] == "&":
        return _word(text, at + 2)[1]
    state.target = True
    return at + 2 if text[at + 1 : at + 2] == ">" else at + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _past(text: str, at: int, delimiters: list[str]) -> int:
    """The end of the here-documents that begin at `at`."""
    for delimiter in delimiters:
        while at < len(text):
            end = _line_end(text, at)
            line, at = text[at:end].strip(), end + 1
            if line == delimiter:
                break
    return min(at, len(text))


def _word(text: str, at: int) -> tuple[str, int, list[tuple[str, int]]]:
    """The word at `at` without quotes, its end, and the substitutions in it with their places."""
    made: list[str] = []
    nested: list[tuple[str, int]] = []
    quote = ""
    while at < len(text):
        char = text[at]
        if not quote and char in _WORD_END:
            break
        if text.startswith("${{", at) or text.startswith("{{", at):
            end = text.find("}}", at)
            end = len(text) if end < 0 else end + 2
            made.append(text[at:end])
        elif text.startswith("$(", at) and quote != "'":
            end = _closing(text, at + 2)
            nested.append((text[at + 2 : end - 1], at + 2))
            made.append(text[at:end])
        elif char == "`" and quote != "'":
            end = text.find("`", at + 1) + 1 or len(text)
            nested.append((text[at + 1 : end - 1], at + 1))
            made.append(text[at:end])
        elif char == "\\" and quote != "'":
            end = at + 2
            made.append(text[at + 1 : end].strip("\n"))
        elif char in "'\"" and quote in ("", char):
            quote, end = ("" if quote else char), at + 1
        else:
            end = at + 1
            made.append(char)
        at = end
    return "".join(made), at, nested


def _closing(text: str, at: int) -> int:
    """The place behind the parenthesis that closes the one before `at`."""
    depth = 1
    while at < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _ended(state: _State, offset: int, depth: int) -> Iterator[Command]:
    words = state.words
    while words and (words[0][0] in _KEYWORDS or _ASSIGNMENT.match(words[0][0])):
        words = words[1:]
    if words and words[0][0][:1] in "@-+" and len(words[0][0]) > 1:  # make's own marks
        words = [(words[0][0].lstrip("@-+"), *words[0][1:]), *words[1:]]
    while words and basename(words[0][0]) in _WRAPPERS:
        words = words[1:]
        while words and (
            words[0][0].startswith("-") or words[0][0][:1].isdigit() or _ASSIGNMENT.match(words[0][0])
        ):
            words = words[1:]
    if not words or not words[0][0]:
        return
    texts = tuple(word for word, _, _ in words)
    yield Command(texts, offset + words[0][1], offset + words[-1][2], state.writes)
    for index in _scripts(texts):
        inner, start, _ = words[index]
        yield from commands(inner, offset + start + 1, depth + 1)


def _scripts(words: tuple[str, ...]) -> Iterator[int]:
    """The positions of words that are scripts themselves."""
    tool = basename(words[0])
    if tool in ("bash", "sh", "zsh", "su") and "-c" in words[:-1]:
        yield words.index("-c") + 1
    elif tool in ("ssh", "eval", "trap"):
        yield from (index for index, word in enumerate(words) if index and " " in word)
