"""YAML with positions.

The data is plain (dict, list, str, int, float, bool, None), typed as kubectl types it; a tree of
nodes of the same shape tells where each key and value stands. Most manifests are read line by line
(`lines`), and their nodes are made when the first place is asked for; libyaml's events (`events`) read the
rest. Whatever a file holds, the result is the same as by events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp
from gitops_layout.source.document import Document, Stream, SyntaxProblem, Text
from gitops_layout.source.lines import by_lines

if TYPE_CHECKING:
    import re

    from gitops_layout.source.typing import Mode

__all__ = ["has_surrogates", "plainly", "read"]

_HALVES = regexp(
    r"(?<!\\)((?:\\\\)*)\\u(?:([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""An escaped character of JSON beyond the first 65,536, or a half of one."""


def read(
    content: bytes | str, file: str, *, mode: Mode = "kubectl", plain: list[Any] | None = None
) -> Stream:
    """Read a YAML file's bytes (UTF-8, BOM allowed) or text; `plain` is what `plainly` made of it already.

    Never raises for bad input: what cannot be read is a problem in the result.
    """
    if isinstance(content, str):
        text = content
    else:
        try:
            text = content.decode()  # the codec that drops a BOM is not the fast one
        except UnicodeDecodeError as error:
            before = content[: error.start]
            line = before.count(b"\n") + 1
            column = len(before) - (before.rfind(b"\n") + 1) + 1
            return Stream(file, "", (), (SyntaxProblem("not UTF-8 text", line, column),))
    text = text.removeprefix("\ufeff")
    source = Text(text, _places if mode == "kubectl" else _kustomize_places)
    if plain is None:
        plain = by_lines(source.ended, mode)
    if plain is not None:
        found = tuple([Document(file, index, data, source) for index, data in enumerate(plain)])
        return Stream(file, text, found, ())
    from gitops_layout.source.events import by_events

    documents, problems = by_events(source, file, mode)
    if problems and mode == "kubectl" and file.endswith(".json") and (joined := _joined(text)) != text:
        return read(joined, file)
    return Stream(file, text, documents, problems)


def has_surrogates(text: str) -> bool:
    """Whether a text holds escapes that only JSON's readers take: YAML has no halves of characters."""
    return _HALVES.search(text) is not None


def _joined(text: str) -> str:
    """JSON with each character that is escaped in two halves written out, and a half alone as Go reads it."""

    def whole(match: re.Match[str]) -> str:
        slashes, high, low = match.groups()
        if low is None:
            return f"{slashes}\\ufffd"
        return slashes + chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))

    return _HALVES.sub(whole, text)


def plainly(content: bytes) -> list[Any] | None:
    """The data of the documents that a file's bytes hold, as kubectl types it; None where reading them line by line is
    not enough.
    """
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    return by_lines(Text(text, _places).ended, "kubectl")


def _places(source: Text) -> None:
    """The nodes of a text that was read by its lines."""
    from gitops_layout.source.events import by_events

    by_events(source, "", "kubectl")


def _kustomize_places(source: Text) -> None:
    """The same, keys named as kustomize reads them."""
    from gitops_layout.source.events import by_events

    by_events(source, "", "kustomize")
