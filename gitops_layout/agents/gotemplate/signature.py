"""How a template function is called: Go's types of its parameters, one letter each.

`s` string, `i` int, `b` bool, `f` float64, `d` map[string]interface {}, `a` any
(an absent value comes as None), `v` any as it is; a final `*` makes the last one variadic. The
evaluator refuses what Go's would: there are no conversions between the types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.values import MISSING, type_name
from gitops_layout.values import dataclass

__all__ = ["TYPES", "Function", "checked", "fits", "refuse"]

TYPES = {"s": "string", "i": "int", "b": "bool", "f": "float64", "d": "map[string]interface {}"}
_CLASSES: dict[str, type] = {"s": str, "i": int, "b": bool, "f": float, "d": dict}


def fits(value: Any, letter: str) -> bool:
    """Whether a value is of exactly that type."""
    return type(value) is _CLASSES[letter]


def checked(value: Any, letter: str) -> Any:
    """A value as a parameter of that type takes it. Raises FunctionError where Go's evaluator would."""
    if letter == "v":
        return value
    if letter == "a":
        return None if value is MISSING else value
    if value is MISSING:
        if letter == "d":
            return {}
        raise FunctionError(f"invalid value; expected {TYPES[letter]}")
    if not fits(value, letter):
        name = "interface {}" if value is None else type_name(value)
        raise FunctionError(f"wrong type for value; expected {TYPES[letter]}; got {name}")
    return value


@dataclass(frozen=True, slots=True)
class Function:
    """A function and its parameters. `cheap` ones do not walk their arguments, so their size costs nothing;
    `lazy` ones are evaluated by the evaluator itself; `stateful` ones get the execution's state first;
    `cost` says beforehand how many steps a call takes.
    """

    parameters: str
    do: Callable[..., Any]
    cheap: bool = False
    lazy: bool = False
    stateful: bool = False
    cost: Callable[..., int] | None = None

    @property
    def variadic(self) -> bool:
        """Whether the last parameter takes any number of arguments."""
        return self.parameters.endswith("*")

    @property
    def least(self) -> int:
        """The fewest arguments."""
        return len(self.parameters) - 2 if self.variadic else len(self.parameters)

    @property
    def most(self) -> int | None:
        """The most arguments; None where any number goes."""
        return None if self.variadic else len(self.parameters)

    @property
    def wanted(self) -> str:
        """The number of arguments, for a message."""
        return f"at least {self.least}" if self.variadic else str(self.least)

    def parameter(self, index: int) -> str:
        """The type letter of the argument at `index`."""
        letters = self.parameters.removesuffix("*")
        return letters[min(index, len(letters) - 1)]

    def call(self, state: Any, arguments: list[Any]) -> Any:
        """Its result. Raises FunctionError."""
        return self.do(state, *arguments) if self.stateful else self.do(*arguments)


def refuse(name: str, why: str) -> Function:
    """A function that exists in Go and is not evaluated here, and why."""

    def unsupported(*_: Any) -> Any:
        raise FunctionError(f"{name} is not evaluated offline: {why}", unsupported=name)

    return Function("a*", unsupported, cheap=True)
