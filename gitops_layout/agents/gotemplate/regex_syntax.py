"""The syntax of Go's regular expressions (RE2's), parsed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.values import dataclass

__all__ = ["PERL", "Parser", "Part", "Test"]

_MAX_REPEAT = 1000
_MAX_DEPTH = 50

Test = Callable[[str], bool]

_NAMED = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
PERL: dict[str, Test] = {
    "d": lambda c: "0" <= c <= "9",
    "w": lambda c: c == "_" or (c.isascii() and c.isalnum()),
    "s": lambda c: c in "\t\n\f\r ",
}
_POSIX: dict[str, Test] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "ascii": lambda c: c.isascii(),
    "blank": lambda c: c in "\t ",
    "cntrl": lambda c: c < " " or c == "\x7f",
    "digit": PERL["d"],
    "graph": lambda c: "!" <= c <= "~",
    "lower": lambda c: "a" <= c <= "z",
    "print": lambda c: " " <= c <= "~",
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in "\t\n\v\f\r ",
    "upper": lambda c: "A" <= c <= "Z",
    "word": PERL["w"],
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of syntax: `kind` is empty, test, assert, group, repeat, all (in sequence) or any (of)."""

    kind: str
    parts: tuple[Part, ...] = ()
    test: Test | None = None
    what: str = ""
    low: int = 0
    high: int | None = None
    greedy: bool = True


def _bad(why: str) -> FunctionError:
    return FunctionError(f"error parsing regexp: {why}")


class Parser:
    """RE2's syntax as Go reads it; flags are those in force at the place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags = frozenset[str]()
        self.names: list[str] = [""]
        self.depth = 0

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self) -> str:
        if self.at >= len(self.text):
            raise _bad("trailing backslash or unclosed construct at the end of the expression")
        self.at += 1
        return self.text[self.at - 1]

    def whole(self) -> Part:
        part = self.alternatives()
        if self.at < len(self.text):
            raise _bad("unexpected )")
        return part

    def alternatives(self) -> Part:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise FunctionError("the expression nests too deep", limit=True)
        flags = self.flags
        found = [self.sequence()]
        while self.peek("|"):
            self.at += 1
            found.append(self.sequence())
        self.flags = flags
        self.depth -= 1
        return found[0] if len(found) == 1 else Part("any", tuple(found))

    def sequence(self) -> Part:
        parts: list[Part] = []
        repeated = False
        while self.at < len(self.text) and not self.peek("|") and not self.peek(")"):
            bounds = self.repetition()
            if bounds is None:
                part = self.atom()
                parts += [part] if part is not None else []
                repeated = False
                continue
            if repeated:
                raise _bad("invalid nested repetition operator")
            if not parts:
                raise _bad("missing argument to repetition operator")
            low, high = bounds
            greedy = not self.peek("?")
            self.at += not greedy
            part = Part("repeat", (parts[-1],), low=low, high=high, greedy=greedy != ("U" in self.flags))
            if not _is_affordable(part, _MAX_REPEAT):
                raise _bad("invalid repeat count")
            parts[-1] = part
            repeated = True
        return Part("all", tuple(parts))

    def repetition(self) -> tuple[int, int | None] | None:
        char = self.text[self.at]
        if char in "*+?":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        if char != "{":
            return None
        close = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : close].partition(",") if close > 0 else ("", "", "")
        if not _is_count(low) or (high and not _is_count(high)):
            return None
        self.at = close + 1
        least, most = int(low), (int(high) if high else None) if comma else int(low)
        if least > _MAX_REPEAT or (most or 0) > _MAX_REPEAT or (most is not None and most < least):
            raise _bad("invalid repeat count")
        return least, most

    def atom(self) -> Part | None:
        char = self.take()
        match char:
            case "(":
                return self.group()
            case "[":
                return Part("test", test=self.folded(self.bracket()))
            case ".":
                return Part("test", test=(lambda _: True) if "s" in self.flags else (lambda c: c != "\n"))
            case "^":
                return Part("assert", what="line-start" if "m" in self.flags else "start")
            case "$":
                return Part("assert", what="line-end" if "m" in self.flags else "end")
            case "\\":
                return self.escape()
            case _:
                return Part("test", test=self.literal(char))

    def literal(self, char: str) -> Test:
        return self.folded(lambda c: c == char)

    def folded(self, test: Test) -> Test:
        if "i" not in self.flags:
            return test
        return lambda c: test(c) or test(c.lower()[:1]) or test(c.upper()[:1])

    def group(self) -> Part | None:
        if not self.peek("?"):
            return self.capture("")
        for mark in ("?P<", "?<"):
            if self.peek(mark):
                name, _, rest = self.text[self.at + len(mark) :].partition(">")
                if not rest and not self.text.endswith(">"):
                    raise _bad("invalid named capture")
                if not name.isascii() or not name.replace("_", "a").isalnum() or name in self.names:
                    raise _bad("invalid named capture")
                self.at += len(mark) + len(name) + 1
                return self.capture(name)
        self.at += 1
        return self.flagged()

    def capture(self, name: str) -> Part:
        number = len(self.names)
        self.names.append(name)
        return Part("group", (self.closed(),), low=number)

    def closed(self) -> Part:
        part = self.alternatives()
        if self.at >= len(self.text):
            raise _bad("missing closing )")
        self.at += 1
        return part

    def flagged(self) -> Part | None:
        """`(?flags)` and `(?flags:…)`."""
        flags, on = set(self.flags), True
        while True:
            char = self.take()
            if char in "imsU":
                (flags.add if on else flags.discard)(char)
            elif char == "-" and on:
                on = False
            elif char == ")":
                self.flags = frozenset(flags)
                return None
            elif char == ":":
                outer, self.flags = self.flags, frozenset(flags)
                part = self.closed()
                self.flags = outer
                return part
            else:
                raise _bad("invalid or unsupported Perl syntax")

    def escape(self) -> Part | None:
        char = self.take()
        if char in "AzbB":
            names = {"A": "start", "z": "end", "b": "word", "B": "no-word"}
            return Part("assert", what=names[char])
        if char == "Q":
            quoted, end, _ = self.text[self.at :].partition("\\E")
            self.at += len(quoted) + len(end)
            tests = tuple(Part("test", test=self.literal(c)) for c in quoted)
            # Go repeats only the last character of a quotation, which a sequence of parts cannot say.
            if self.at < len(self.text) and self.text[self.at] in "*+?{" and len(tests) > 1:
                raise FunctionError("a repeated \\Q…\\E is not evaluated here", unsupported="regexp \\Q…\\E")
            return Part("all", tests) if len(tests) != 1 else tests[0]
        return Part("test", test=self.folded(self.escaped_class(char) or _equals(self.escaped_char(char))))

    def escaped_class(self, char: str) -> Test | None:
        if char.lower() in PERL:
            test = PERL[char.lower()]
            return test if char.islower() else lambda c: not test(c)
        if char in "pP":
            name = self.take()
            if name == "{":
                name, end, _ = self.text[self.at :].partition("}")
                if not end:
                    raise _bad("invalid character class range")
                self.at += len(name) + 1
                negated = name.startswith("^") != (char == "P")
                return _category(name.removeprefix("^"), negated=negated)
            return _category(name, negated=char == "P")
        return None

    def escaped_char(self, char: str) -> str:
        if char in _NAMED:
            return _NAMED[char]
        if char == "x":
            if self.peek("{"):
                digits, _, _ = self.text[self.at + 1 :].partition("}")
                self.at += len(digits) + 2
            else:
                digits = self.text[self.at : self.at + 2]
                self.at += 2
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise _bad("invalid escape sequence") from None
        following = self.text[self.at : self.at + 1]
        if char == "0" or (char in "1234567" and following and following in "01234567"):
            digits = char
            while len(digits) < 3 and self.at < len(self.text) and self.text[self.at] in "01234567":
                digits += self.take()
            return chr(int(digits, 8))
        if not char.isascii() or char.isalnum():
            raise _bad(f"invalid escape sequence: \\{char}")
        return char

    def bracket(self) -> Test:
        negated = self.peek("^")
        self.at += negated
        tests: list[Test] = []
        first = True
        while first or not self.peek("]"):
            first = False
            if self.peek("[:") and (end := self.text.find(":]", self.at + 2)) > 0:
                tests.append(_posix(self.text[self.at + 2 : end]))
                self.at = end + 2
                continue
            tests.append(self.range())
        self.at += 1
        return lambda c: any(test(c) for test in tests) != negated

    def range(self) -> Test:
        low = self.take()
        if low == "\\":
            char = self.take()
            if (test := self.escaped_class(char)) is not None:
                return test
            low = self.escaped_char(char)
        if not self.peek("-") or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return _equals(low)
        self.at += 1
        high = self.take()
        if high == "\\":
            high = self.escaped_char(self.take())
        if high < low:
            raise _bad(f"invalid character class range: {low}-{high}")
        return lambda c: low <= c <= high


def _is_affordable(part: Part, limit: int) -> bool:
    """Go's bound on repetitions inside of repetitions: their counts multiply to 1000 at most."""
    if part.kind == "repeat":
        count = part.low if part.high is None else part.high
        if count > limit:
            return False
        limit = limit // count if count else limit
    return all(_is_affordable(inner, limit) for inner in part.parts)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) < 9


def _equals(char: str) -> Test:
    return lambda c: c == char


def _posix(name: str) -> Test:
    test = _POSIX.get(name.removeprefix("^"))
    if test is None:
        raise _bad(f"invalid character class range: [:{name}:]")
    return (lambda c: not test(c)) if name.startswith("^") else test


def _category(name: str, *, negated: bool) -> Test:
    if not name.isalpha():
        raise _bad(f"invalid character class range: \\p{name}")
    if len(name) > 2 or name[:1] not in "LMNPSZC":
        raise FunctionError(f"\\p{{{name}}} is not evaluated here", unsupported=f"regexp \\p{{{name}}}")
    return lambda c: unicodedata.category(c).startswith(name) != negated
