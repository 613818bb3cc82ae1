"""The tree of a parsed template; `at` is each node's code point offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gitops_layout.values import dataclass

__all__ = [
    "Action",
    "Block",
    "Bool",
    "Branch",
    "Call",
    "Chain",
    "Command",
    "Dot",
    "Field",
    "Ident",
    "Jump",
    "Nil",
    "Node",
    "Number",
    "Operand",
    "Pipe",
    "Program",
    "Str",
    "Text",
    "Variable",
]


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b`."""

    at: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.a`: the variable with its `$`, then fields."""

    at: int
    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).a.b`, or a function's result with fields."""

    at: int
    start: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ident:
    """A function's name."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`."""

    at: int


@dataclass(frozen=True, slots=True)
class Nil:
    """`nil`."""

    at: int


@dataclass(frozen=True, slots=True)
class Bool:
    """`true` or `false`."""

    at: int
    value: bool


@dataclass(frozen=True, slots=True)
class Str:
    """A quoted or raw string, unquoted."""

    at: int
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant: what it is as an integer and as a float, and which of them its syntax asks for."""

    at: int
    text: str
    whole: int | None
    real: float
    is_float: bool


@dataclass(frozen=True, slots=True)
class Command:
    """Words separated by spaces: a function and its arguments, or one value."""

    at: int
    words: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands joined by `|`, and the variables that take the result (`assign`: `=` and not `:=`)."""

    at: int
    commands: tuple[Command, ...]
    declared: tuple[str, ...] = ()
    assign: bool = False


Operand = Field | Variable | Chain | Ident | Dot | Nil | Bool | Str | Number | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    """What stands outside of actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """`{{ pipeline }}`."""

    at: int
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`, its body, and its `else`."""

    at: int
    kind: Literal["if", "with", "range"]
    pipe: Pipe
    body: Block
    other: Block | None


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipeline }}`."""

    at: int
    name: str
    pipe: Pipe | None


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    at: int
    kind: Literal["break", "continue"]


Node = Text | Action | Branch | Call | Jump
Block = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A parsed template: its own body, and the templates it defines."""

    text: str
    body: Block
    defined: Mapping[str, Block]
