"""A text → its literal parts and references, read as the envsubst module reads them."""

from __future__ import annotations

from typing import NoReturn

from gitops_layout.patterns import regexp
from gitops_layout.render.envsubst.errors import ExpansionError, Reason
from gitops_layout.values import dataclass

__all__ = ["Part", "Reference", "parse"]

MAX_DEPTH = 100
"""Expressions inside expressions; people write two."""

_OPERATOR = regexp(r"[,^]{1,2}|##?|%%?|/[/#%]?|:[=?+-]|[:=]")
_DEFAULTS = frozenset({"=", ":=", ":-", ":+", ":?"})
_EXCERPT = 60


@dataclass(frozen=True, slots=True)
class Reference:
    """`${NAME}` or one with an operator and its arguments, at `start` to `end` of the text.

    The operator is empty, or one of `,` `,,` `^` `^^` `#` (a length, where there is no argument) `##` `%`
    `%%` `/` `//` `/#` `/%` `:` (a substring) `=` `:=` `:-` `:+` `:?`, or a mixture of `,` and `^`.
    """

    name: str
    operator: str
    arguments: tuple[Part, ...]
    start: int
    end: int

    @property
    def has_default(self) -> bool:
        """Whether the variable may be unset."""
        return self.operator in _DEFAULTS


Part = str | Reference


def parse(text: str) -> list[Part]:
    """The parts of a text. Raises ExpansionError where the module refuses it."""
    # The module takes a NUL for the end; YAML has none.
    reader = _Reader(text.partition("\0")[0])
    return reader.parts()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.start = 0
        self.depth = 0

    def parts(self) -> list[Part]:
        found: list[Part] = []
        text, done = self.text, 0
        while (dollar := text.find("$", self.at)) >= 0:
            follows = text[dollar + 1 : dollar + 2]
            if follows == "{":
                found.append(text[done:dollar])
                self.at = dollar + 2
                found.append(self.reference())
                done = self.at
            elif follows == "$":
                found.append(text[done : dollar + 1])
                self.at = done = dollar + 2
            else:
                self.at = dollar + 1
        found.append(text[done:])
        return [part for part in found if part != ""]

    def reference(self) -> Reference:
        """What follows a `${`, up to its brace."""
        outer, self.start = self.start, self.at - 2
        start = self.start
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(Reason.DEPTH)
        if self.peek() == "#":
            self.at += 1
            name, operator = self.name() or self.refuse(Reason.MALFORMED), "#"
            arguments: list[Part] = []
            self.close()
        else:
            name = self.name() or self.refuse(Reason.NAME)
            operator = self.operator()
            arguments = self.arguments(operator)
        self.depth -= 1
        self.start = outer
        return Reference(name, operator, tuple(arguments), start, self.at)

    def operator(self) -> str:
        match = _OPERATOR.match(self.text, self.at)
        if match is None:
            return "" if self.peek() == "}" else self.refuse(Reason.UNCLOSED)
        self.at = match.end()
        # The module loses its place where a colon is followed by the end, or by more than one byte.
        if match[0] == ":" and not ("" < self.peek() < "\x80"):
            self.refuse(Reason.MALFORMED)
        return match[0]

    def arguments(self, operator: str) -> list[Part]:
        found: list[Part] = []
        if operator in _DEFAULTS:
            while self.peek() != "}":
                found.append(self.argument("}"))
        elif operator == ":":
            found.append(self.argument(":}"))
            if self.run(":"):
                found.append(self.argument("}"))
        elif operator[:1] == "/":
            found.append(self.argument("/", escapes=True))
            if not self.run("/"):
                self.refuse(Reason.MALFORMED)
            if self.peek() != "}":
                found.append(self.argument("}", escapes=True))
        elif operator[:1] in ("#", "%"):
            found.append(self.argument("}"))
        self.close()
        return found

    def argument(self, ends: str, *, escapes: bool = False) -> Part:
        """One reference, or a literal up to one of `ends`, to a reference or to the end of the text."""
        text, start, literal = self.text, self.at, ""
        if text.startswith("${", start):
            self.at += 2
            return self.reference()
        while self.at < len(text) and not text.startswith("${", self.at):
            pair = text[self.at : self.at + 2]
            if escapes and pair in ("$$", "\\/", "\\\\"):
                literal += text[start : self.at] + pair[1]
                self.at = start = self.at + 2
            elif text[self.at] in ends:
                break
            else:
                self.at += 1
        literal += text[start : self.at]
        return literal or self.refuse(Reason.ARGUMENT)

    def name(self) -> str:
        start = self.at
        while (char := self.peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
            self.at += 1
        return self.text[start : self.at]

    def peek(self) -> str:
        """The next character; none at the end."""
        return self.text[self.at : self.at + 1]

    def run(self, char: str) -> bool:
        start = self.at
        while self.peek() == char:
            self.at += 1
        return self.at > start

    def close(self) -> None:
        if self.peek() != "}":
            self.refuse(Reason.MALFORMED)
        self.at += 1

    def refuse(self, reason: Reason) -> NoReturn:
        rest = self.text[self.start : self.start + _EXCERPT].partition("\n")[0]
        head, brace, _ = rest.partition("}")
        raise ExpansionError(reason, head + brace)
