"""YAML whose every value is followed by a comment: who reads it sees where each comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml

from gitops_layout.model import Path
from gitops_layout.output.manifests import to_yaml

__all__ = ["annotated"]

_LINE = re.compile("[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029]|$)")
"""Lines as YAML counts them, each with its end."""


def annotated(objects: Iterable[tuple[dict[str, Any], Callable[[Path], str]]]) -> str:
    """The stream that `to_yaml` makes of the objects, with what the function says of a leaf's path behind it.

    A block of text has the comment on its first line, where it is still a comment.
    """
    return "---\n".join(_object(data, comment) for data, comment in objects)


def _object(data: dict[str, Any], comment: Callable[[Path], str]) -> str:
    text = to_yaml([data])
    lines = _LINE.findall(text)
    for path, node in _leaves(data, yaml.compose(text, Loader=yaml.CSafeLoader), ()):
        block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        number = node.start_mark.line if block else node.end_mark.line
        line = lines[number].rstrip("\n")
        lines[number] = f"{line}  # {_printable(comment(path))}\n"
    return "".join(lines)


def _leaves(data: Any, node: Any, path: Path) -> Iterator[tuple[Path, yaml.Node]]:
    match data:
        case dict() if data:
            for (key, value), (_, below) in zip(data.items(), node.value, strict=True):
                yield from _leaves(value, below, (*path, key))
        case list() if data:
            for index, (value, below) in enumerate(zip(data, node.value, strict=True)):
                yield from _leaves(value, below, (*path, index))
        case _:
            yield path, node


def _printable(text: str) -> str:
    """The name of a file can have line ends, and would then write lines of its own into the manifest."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
