"""Tokens → tree, as Go's text/template/parse builds it (Go 1.26)."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from gitops_layout.agents.gotemplate.errors import LimitError, TemplateError
from gitops_layout.agents.gotemplate.lex import BRACES, Delimiters, Token, tokens
from gitops_layout.agents.gotemplate.nodes import (
    Action,
    Block,
    Bool,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Ident,
    Jump,
    Nil,
    Node,
    Number,
    Operand,
    Pipe,
    Program,
    Str,
    Text,
    Variable,
)
from gitops_layout.agents.gotemplate.quoting import unquote
from gitops_layout.patterns import regexp

__all__ = ["parse"]

_MAX_DEPTH = 40
"""How deep parentheses and blocks may nest: Go allows 10,000, people use 4, and Python's stack ends at 1,000."""

_VALUES = frozenset("bool char dot field ident number raw string variable open".split())
_CONSTANTS = (Bool, Str, Number, Nil, Dot)
_INTEGER = regexp(
    r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9](_?[0-9])*)\Z"
)
_REAL = regexp(
    r"[+-]?(?:(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]+)?|"
    r"0[xX](?:[0-9a-fA-F]++\.?[0-9a-fA-F]*+|\.[0-9a-fA-F]++)[pP][+-]?[0-9]+)\Z"
)


@lru_cache(maxsize=512)
def parse(text: str, functions: frozenset[str], delimiters: Delimiters = BRACES) -> Program:
    """The tree of a template that may call `functions`. Raises TemplateError."""
    return _Parser(text, functions, delimiters).program()


class _Parser:
    """One pass over the tokens of one template."""

    def __init__(self, text: str, functions: Collection[str], delimiters: Delimiters) -> None:
        self.text = text
        self.functions = functions
        self.tokens = list(tokens(text, delimiters))
        self.index = 0
        self.variables = ["$"]
        self.ranges = 0
        self.depth = 0
        self.defined: dict[str, Block] = {}

    def error(self, message: str, at: int) -> TemplateError:
        return TemplateError(message, self.text, at)

    def deeper(self, at: int) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise LimitError(f"nested deeper than {_MAX_DEPTH} levels", self.text, at)

    def peek(self) -> Token:
        return self.tokens[self.index]

    def peek_word(self) -> Token:
        """The next token that is no space, which is skipped."""
        while self.tokens[self.index].kind == "space":
            self.index += 1
        return self.tokens[self.index]

    def next_word(self) -> Token:
        token = self.peek_word()
        self.index += token.kind != "end"
        return token

    def expect(self, kind: str, context: str) -> Token:
        token = self.next_word()
        if token.kind != kind:
            raise self.unexpected(token, context)
        return token

    def unexpected(self, token: Token, context: str) -> TemplateError:
        what = "the end of the template" if token.kind == "end" else repr(token.text)
        return self.error(f"unexpected {what} in {context}", token.at)

    def program(self) -> Program:
        body: list[Node] = []
        while self.peek().kind != "end":
            if self.keyword_ahead() == "define":
                self.index += 1
                self.next_word()
                self.definition()
                continue
            node = self.item()
            if isinstance(node, str):
                raise self.error(f"unexpected {{{{{node}}}}}", self.tokens[self.index - 1].at)
            body.append(node)
        return Program(self.text, tuple(body), self.defined)

    def keyword_ahead(self) -> str | None:
        """The keyword of the action that starts here."""
        ahead = [token for token in self.tokens[self.index : self.index + 3] if token.kind != "space"][:2]
        if len(ahead) == 2 and ahead[0].kind == "left" and ahead[1].kind == "keyword":
            return ahead[1].text
        return None

    def define(self, name: str, body: Block, at: int) -> None:
        if _is_blank(self.defined.get(name, ())):
            self.defined[name] = body
        elif not _is_blank(body):
            raise self.error(f"template {name!r} is defined twice", at)

    def definition(self) -> None:
        token = self.next_word()
        name = self.name_of(token, "a define clause")
        self.expect("right", "a define clause")
        self.define(name, self.separate_body(), token.at)

    def separate_body(self) -> Block:
        """The body of `define` or `block`, up to its end; it sees no variable of its surroundings."""
        kept, self.variables = self.variables, ["$"]
        ranges, self.ranges = self.ranges, 0
        body, stop = self.items()
        if stop != "end":
            raise self.error("unexpected {{else}}", self.tokens[self.index - 1].at)
        self.variables, self.ranges = kept, ranges
        return body

    def name_of(self, token: Token, context: str) -> str:
        if token.kind not in ("string", "raw"):
            raise self.unexpected(token, context)
        return self.unquoted(token)

    def unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError:
            raise self.error(f"invalid escape in {token.text}", token.at) from None

    def items(self) -> tuple[Block, str]:
        """Everything up to `else` or `end`, and which of them it was; an `else if` leaves its `if` pending."""
        self.deeper(self.peek().at)
        found: list[Node] = []
        while self.peek_word().kind != "end":
            node = self.item()
            if isinstance(node, str):
                self.depth -= 1
                return tuple(found), node
            found.append(node)
        raise self.error("unexpected end of the template: an {{end}} is missing", len(self.text))

    def item(self) -> Node | str:
        token = self.next_word()
        if token.kind == "text":
            return Text(token.text)
        if token.kind != "left":
            raise self.unexpected(token, "the template")
        ahead = self.peek_word()
        if ahead.kind != "keyword" or ahead.text == "nil":
            return Action(ahead.at, self.pipeline("command", "right"))
        self.index += 1
        return self.control(ahead)

    def control(self, token: Token) -> Node | str:
        match token.text:
            case "if" | "with" | "range":
                return self.branch(token)
            case "end":
                self.expect("right", "end")
                return "end"
            case "else":
                ahead = self.peek_word()
                if not (ahead.kind == "keyword" and ahead.text in ("if", "with")):
                    self.expect("right", "else")
                return "else"
            case "break" | "continue" as kind:
                self.expect("right", f"{{{{{kind}}}}}")
                if not self.ranges:
                    raise self.error(f"{{{{{kind}}}}} outside {{{{range}}}}", token.at)
                return Jump(token.at, "break" if kind == "break" else "continue")
            case "template":
                return self.call(token)
            case "block":
                name = self.name_of(self.next_word(), "a block clause")
                pipe = self.pipeline("block clause", "right")
                self.define(name, self.separate_body(), token.at)
                return Call(token.at, name, pipe)
            case _:
                raise self.unexpected(token, "the template")

    def call(self, token: Token) -> Call:
        name = self.name_of(self.next_word(), "a template clause")
        if self.peek_word().kind == "right":
            self.index += 1
            return Call(token.at, name, None)
        return Call(token.at, name, self.pipeline("template clause", "right"))

    def branch(self, token: Token) -> Branch:
        kind = token.text
        scope = len(self.variables)
        pipe = self.pipeline(kind, "right")
        self.ranges += kind == "range"
        body, stop = self.items()
        self.ranges -= kind == "range"
        other: Block | None = None
        if stop == "else":
            ahead = self.peek_word()
            if ahead.kind == "keyword" and ahead.text == kind and kind != "range":
                self.index += 1
                self.deeper(ahead.at)
                other = (self.branch(ahead),)
                self.depth -= 1
            else:
                other, stop = self.items()
                if stop != "end":
                    raise self.error("expected end; found {{else}}", self.tokens[self.index - 1].at)
        del self.variables[scope:]
        return Branch(
            token.at, "if" if kind == "if" else "with" if kind == "with" else "range", pipe, body, other
        )

    def pipeline(self, context: str, end: str) -> Pipe:
        at = self.peek_word().at
        declared, assign = self.declarations(context)
        commands: list[Command] = []
        while True:
            token = self.next_word()
            if token.kind == end:
                break
            if token.kind not in _VALUES and (token.kind, token.text) != ("keyword", "nil"):
                raise self.unexpected(token, context)
            self.index -= 1
            commands.append(self.command())
        if not commands:
            raise self.error(f"missing value for {context}", at)
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.words[0], _CONSTANTS):
                raise self.error(f"non executable command in pipeline stage {stage}", command.at)
        return Pipe(at, tuple(commands), declared, assign)

    def declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        """`$x :=`, `$x =`, and in a range `$i, $x :=`."""
        names: list[str] = []
        while self.peek_word().kind == "variable":
            start = self.index
            name = self.next_word().text
            sign = self.peek_word()
            if sign.kind in ("assign", "declare"):
                self.index += 1
                self.variables.append(name)
                return (*names, name), sign.kind == "assign"
            if (sign.kind, sign.text) != ("sign", ","):
                self.index = start
                break
            self.index += 1
            self.variables.append(name)
            names.append(name)
            if context != "range" or len(names) > 1:
                raise self.error(f"too many declarations in {context}", sign.at)
            if self.peek_word().kind not in ("variable", "right", "close"):
                raise self.error("range can only initialize variables", self.peek_word().at)
        return tuple(names), False

    def command(self) -> Command:
        at = self.peek_word().at
        words: list[Operand] = []
        while True:
            self.peek_word()
            if (word := self.operand()) is not None:
                words.append(word)
            token = self.peek()
            if token.kind == "space":
                continue
            if token.kind == "pipe":
                self.index += 1
            elif token.kind not in ("right", "close"):
                raise self.unexpected(token, "operand")
            break
        if not words:
            raise self.error("empty command", at)
        return Command(at, tuple(words))

    def operand(self) -> Operand | None:
        term = self.term()
        if term is None:
            return None
        names: list[str] = []
        at = self.peek().at
        while self.peek().kind == "field":
            names.append(self.peek().text[1:])
            self.index += 1
        if not names:
            return term
        match term:
            case Field():
                return Field(term.at, (*term.names, *names))
            case Variable():
                return Variable(term.at, term.name, (*term.names, *names))
            case Bool() | Str() | Number() | Nil() | Dot():
                raise self.error("unexpected . after a constant", at)
            case _:
                return Chain(at, term, tuple(names))

    def term(self) -> Operand | None:
        token = self.next_word()
        match token.kind:
            case "ident":
                if token.text not in self.functions:
                    raise self.error(f'function "{token.text}" not defined', token.at)
                return Ident(token.at, token.text)
            case "dot":
                return Dot(token.at)
            case "keyword" if token.text == "nil":
                return Nil(token.at)
            case "variable":
                if token.text not in self.variables:
                    raise self.error(f'undefined variable "{token.text}"', token.at)
                return Variable(token.at, token.text)
            case "field":
                return Field(token.at, (token.text[1:],))
            case "bool":
                return Bool(token.at, token.text == "true")
            case "number" | "char":
                return self.number(token)
            case "open":
                self.deeper(token.at)
                pipe = self.pipeline("parenthesized pipeline", "close")
                self.depth -= 1
                return pipe
            case "string" | "raw":
                return Str(token.at, self.unquoted(token))
            case _:
                self.index -= token.kind != "end"
                return None

    def number(self, token: Token) -> Number:
        text = token.text
        if token.kind == "char":
            value = self.unquoted(token)
            if len(value) != 1:
                raise self.error(f"malformed character constant: {text}", token.at)
            return Number(token.at, text, ord(value), float(ord(value)), is_float=False)
        if _INTEGER.match(text):
            digits = text.replace("_", "")
            plain = digits.lstrip("+-")
            octal = len(plain) > 1 and plain[0] == "0" and plain.isdigit()
            value_ = int(digits, 8) if octal else int(digits, 0)
            if not -(2**63) <= value_ < 2**63:
                raise self.error(f"integer overflow: {text}", token.at)
            return Number(token.at, text, value_, float(value_), is_float=False)
        if not _REAL.match(text):
            raise self.error(f"illegal number syntax: {text!r}", token.at)
        real = float.fromhex(text) if "x" in text.lower() else float(text)
        if not ("." in text or "e" in text.lower() or "p" in text.lower()):
            raise self.error(f"illegal number syntax: {text!r}", token.at)
        whole = int(real) if real.is_integer() and abs(real) < 2**63 else None
        return Number(token.at, text, whole, real, is_float=True)


def _is_blank(body: Collection[Node]) -> bool:
    """Go's rule for a template that defines nothing: only spaces."""
    return all(isinstance(node, Text) and not node.text.strip() for node in body)
