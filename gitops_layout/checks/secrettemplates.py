"""The templates of ExternalSecrets: Go templates over the keys that `data` brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gitops_layout.agents.gotemplate.errors import LimitError, TemplateError
from gitops_layout.agents.gotemplate.nodes import (
    Action,
    Block,
    Branch,
    Call,
    Chain,
    Field,
    Operand,
    Pipe,
    Variable,
)
from gitops_layout.agents.gotemplate.parse import parse
from gitops_layout.checks.delivered import Item
from gitops_layout.checks.near import near_name
from gitops_layout.fields import at
from gitops_layout.model import Hit, Path
from gitops_layout.patterns import regexp

__all__ = ["wrong_template"]

_WORD = regexp(r"[A-Za-z_]\w*")
_TEMPLATE: Path = ("spec", "target", "template")
_OPEN = ("${", "<<")


def wrong_template(found: Iterable[Item]) -> Iterator[Hit]:
    """Templates that cannot be read, or that ask for a key which nothing brings: the operator refuses both."""
    for item in found:
        template = at(item.data, *_TEMPLATE)
        if not isinstance(template, dict) or template.get("engineVersion") not in (None, "v2"):
            continue
        if item.ref.api_version.endswith("/v1alpha1"):
            continue  # where another engine is the usual one
        known = _brought(item.data)
        for path, text in _texts(template):
            if "{{" in text and not any(mark in text for mark in _OPEN):
                yield from _hits(item, (*_TEMPLATE, *path), text, known)


def _texts(template: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for where in (("data",), ("metadata", "annotations"), ("metadata", "labels")):
        texts = at(template, *where)
        for key, text in texts.items() if isinstance(texts, dict) else ():
            if isinstance(text, str):
                yield (*where, key), text


def _brought(data: Mapping[str, Any]) -> frozenset[str] | None:
    """The keys that templates may ask for; None where a store names them."""
    if at(data, "spec", "dataFrom"):
        return None
    listed = at(data, "spec", "data")
    names = [at(entry, "secretKey") for entry in listed] if isinstance(listed, list) else []
    return frozenset(name for name in names if isinstance(name, str)) or None


def _hits(item: Item, path: Path, text: str, known: frozenset[str] | None) -> Iterator[Hit]:
    name = str(path[-1])
    try:
        program = parse(text, frozenset(_WORD.findall(text)))
    except TemplateError as error:
        what = f"{name} is no Go template (its line {error.line}, column {error.column})"
        yield _hit(item, path, what, name)
        return
    except LimitError:
        return
    if known is None:
        return
    for field in dict.fromkeys(_asked(program.body)):
        if field not in known:
            near = near_name(field, known)
            told = f' (did you mean ".{near}"?)' if near else f" (it brings {', '.join(sorted(known)[:5])})"
            what = f"{name} asks for .{field}, which no entry of data brings{told}"
            yield _hit(item, path, what, f"{name} {field}")


def _hit(item: Item, path: Path, what: str, subject: str) -> Hit:
    values = {"source": item.ref.name, "what": what, "subject": subject}
    return Hit(item.object.origin(path), values, (), item.affected)


def _asked(body: Block) -> Iterator[str]:
    """The keys that a body asks for in any case: not in branches, which may never be taken, but in what decides of them."""
    for node in body:
        pipe = node.pipe if isinstance(node, Action | Branch | Call) else None
        if pipe is not None:
            yield from _fields(pipe)


def _fields(pipe: Pipe) -> Iterator[str]:
    for command in pipe.commands:
        for word in command.words:
            yield from _of_word(word)


def _of_word(word: Operand) -> Iterator[str]:
    match word:
        case Field(names=(name, *_)) | Variable(name="$", names=(name, *_)):
            yield name
        case Pipe():
            yield from _fields(word)
        case Chain(start=start):
            yield from _of_word(start)
