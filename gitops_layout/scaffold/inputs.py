"""What a generated file is made of, as a digest: equal digests, equal files."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Digests"]

_CODE = regexp(r"\{[{%].*?[%}]\}", re.DOTALL)
_STRING = regexp(r'"[^"\n]*"|\'[^\'\n]*\'')
_WORD = regexp(r"[A-Za-z_]\w*")
_SHARED = regexp(r"templates/shared/\w+\.jinja")
_LENGTH = 6
"""Bytes of a digest: it is compared with one other, that of the same path."""


class Digests:
    """Digests of the files of one set of answers.

    An answer counts where its name stands in the code of the template or of what that imports: more than can matter,
    never less. The items of the loops that a path is made of always count.
    """

    def __init__(self, root: Path, answers: Mapping[str, Any]) -> None:
        self._root = root
        self._answers = answers
        self._templates: dict[str, bytes] = {}
        self._values: dict[int, bytes] = {}
        self._context: Mapping[str, Any] = {}
        self._loops = b""

    def of(self, template: str, context: Mapping[str, Any]) -> str:
        """The digest of the file that a template makes in the context of its path, as hexadecimal text."""
        if context is not self._context:  # the files of one folder share it
            own = (name for name in context if name not in self._answers and not name.startswith("_"))
            self._context, self._loops = context, b"".join(self._value(context[name]) for name in own)
        return hashlib.blake2b(self._template(template) + self._loops, digest_size=_LENGTH).hexdigest()

    def _template(self, name: str) -> bytes:
        """The template, what it imports, and the answers that these speak of."""
        if name not in self._templates:
            text = self._text(name, set())
            code = _STRING.sub("", " ".join(_CODE.findall(text)))
            words = {word for word in _WORD.findall(code) if word in self._answers}
            spoken = [(word, self._answers[word]) for word in sorted(words)]
            self._templates[name] = hashlib.blake2b(f"{text}\0{_json(spoken)}".encode()).digest()
        return self._templates[name]

    def _text(self, name: str, seen: set[str]) -> str:
        seen.add(name)
        text = (self._root / name).read_text("utf-8")
        found = [shared for shared in _SHARED.findall(text) if shared not in seen]
        return "\0".join([text, *(self._text(shared, seen) for shared in found if shared not in seen)])

    def _value(self, value: Any) -> bytes:
        # By identity: the answers hold on to every item for as long as this lives.
        if isinstance(value, str):
            return value.encode() + b"\0"
        if id(value) not in self._values:
            self._values[id(value)] = hashlib.blake2b(_json(value).encode()).digest()
        return self._values[id(value)]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
