"""What an object looks like apart from the names that somebody chose.

A thousand applications in three environments are refused or taken for the same reasons. Of a name schemas and checks ask for
its form, its length, and whether it equals another one of the object: renaming `shop` to `blog` wherever it stands changes no
verdict, unless one of the two is a word that they know. So objects that differ in such names only are judged once.

A name is kept where that could not be said: where a known word begins with it or a part of it is one, where it stands in the
middle of other text, where it could be read as a number, an address or an amount.
"""

from __future__ import annotations

import marshal
import sys
from bisect import bisect_left
from functools import cache
from hashlib import blake2b
from types import CodeType
from typing import Any

from gitops_layout.patterns import regexp

__all__ = ["Shapes", "constants", "words"]

_NAME = regexp(r"(?!iqn|eui)(?=.*[g-z])[a-z](?:-?[a-z0-9]){2,49}")
"""A label in every sense of the word, nothing hexadecimal, and nothing that begins with what checks look for."""
_WORD = regexp(r"[A-Za-z0-9]+")
_START = b"\0\0\0"
"""What stands before a string of less than 256 bytes: the end of its length."""
_PLACES = [_START + b"\xff" + bytes([number]) for number in range(32)]
_IMAGE = b"u\5\0\0\0image"
_SOUND = regexp(r"[!-~]{1,250}")
_MOST = 50_000
"""Names that are remembered; then it starts anew."""

_Token = tuple[bytes, bytes, bytes]
"""A name, as it stands at the start of a string, and its length; all empty for one that is kept."""
_KEPT: _Token = (b"\xff", b"\xff", b"")


class Shapes:
    """Makes shapes; `know` has to be told the words of what judges a kind before a shape of that kind is made."""

    __slots__ = ("_images", "_known", "_sorted", "_tokens")

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._sorted: list[str] = []
        self._tokens: dict[Any, _Token] = {}
        self._images: dict[str, bytes] = {}

    def know(self, found: frozenset[str]) -> None:
        """Words that are never taken for anybody's name."""
        if not found <= self._known:
            self._known |= found
            self._sorted = sorted(self._known)
            self._tokens.clear()

    def of(self, data: dict[str, Any], pod: tuple[str, ...] | None) -> bytes | None:
        """Bytes that are equal only for objects with one verdict; None for what is no plain data.

        `pod` leads to the spec of its pods, whose images are good or not by themselves.
        """
        try:
            text = marshal.dumps(data, 2)  # this version of the format writes no references
        except ValueError:  # too deep, or no plain data
            return None
        if pod is not None:
            text = self._without_images(text, data, pod)
        meta = data.get("metadata")
        if type(meta) is dict:
            names = [meta.get("name"), meta.get("namespace")]
            if type(labels := meta.get("labels")) is dict:
                names += labels.values()
            text = self._without_names(text, names)
        return blake2b(text, digest_size=20).digest()

    def _without_names(self, text: bytes, names: list[Any]) -> bytes:
        """The text with names as their numbers, where that says the same."""
        for place, name in zip(_PLACES, names, strict=False):
            if type(name) is not str:
                continue
            raw, start, length = self._tokens.get(name) or self._token(name)
            other = text.replace(start, place + length)
            if other is not text and raw not in other:
                text = other
        return text

    def _token(self, name: str) -> _Token:
        if len(self._tokens) > _MOST:
            self._tokens.clear()
        raw = name.encode() if self._free(name) else b""
        token = self._tokens[name] = (raw, _START + raw, bytes([len(raw)])) if raw else _KEPT
        return token

    def _free(self, name: str) -> bool:
        """Whether a name is nobody's word, nor the beginning of one."""
        if not _NAME.fullmatch(name) or name.partition("-")[0] in self._known:
            return False
        place = bisect_left(self._sorted, name)
        return place == len(self._sorted) or not self._sorted[place].startswith(name)

    def _without_images(self, text: bytes, data: Any, pod: tuple[str, ...]) -> bytes:
        for step in pod:
            data = data.get(step) if type(data) is dict else None
        for kind in ("containers", "initContainers") if type(data) is dict else ():
            items = data.get(kind)
            for item in items if type(items) is list else ():
                image = item.get("image") if type(item) is dict else None
                if type(image) is str and (place := self._image(image)):
                    text = text.replace(place, _IMAGE + b"\xff")
        return text

    def _image(self, image: str) -> bytes:
        """A container's image as it stands in the bytes, empty for one that may be bad."""
        place = self._images.get(image)
        if place is None:
            if len(self._images) > _MOST:
                self._images.clear()
            sound = _SOUND.fullmatch(image) is not None
            place = b"%su%c%s%s" % (_IMAGE, len(image), _START, image.encode()) if sound else b""
            self._images[image] = place
        return place


def words(data: Any) -> frozenset[str]:
    """All strings in a value of constants, and the words in them."""
    found: set[str] = set()
    waiting = [data]
    while waiting:
        match waiting.pop():
            case str(text):
                found.add(text)
                found.update(_WORD.findall(text))
            case dict() as fields:
                waiting += fields
                waiting += fields.values()
            case tuple() | frozenset() | list() as several:
                waiting += several
            case CodeType() as code:
                waiting += code.co_consts
    return frozenset(found)


@cache
def constants(module: str) -> frozenset[str]:
    """The words that a loaded module's code speaks of."""
    loader = sys.modules[module].__loader__
    return words(loader.get_code(module))  # type: ignore[union-attr]
