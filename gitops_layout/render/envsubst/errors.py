"""Why a text cannot be expanded."""

from __future__ import annotations

from enum import Enum

__all__ = ["ExpansionError", "Reason"]


class Reason(Enum):
    """The kinds of failure, each with the sentence that says it; the first five are of the syntax."""

    NAME = "no variable's name follows the brace"
    UNCLOSED = "the name is followed by neither an operator nor a closing brace"
    ARGUMENT = "the operator lacks an argument, or the closing brace is missing"
    MALFORMED = "the arguments are not what the operator takes"
    DEPTH = "the expressions are nested too deeply"
    UNSET = "the variable is not set, and has no default"
    SIZE = "the variables bring more than 8 MiB into one object"
    COST = "the patterns take too long to match"
    RANGE = "the substring's length is too large a number"


SYNTAX = frozenset({Reason.NAME, Reason.UNCLOSED, Reason.ARGUMENT, Reason.MALFORMED, Reason.DEPTH})


class ExpansionError(ValueError):
    """A text that cannot be expanded: why, the expression as written, and the variable that is not set."""

    def __init__(self, reason: Reason, expression: str = "", name: str = "") -> None:
        self.reason = reason
        self.expression = expression
        self.name = name
        super().__init__(f"{expression}: {reason.value}" if expression else reason.value)

    @property
    def of_syntax(self) -> bool:
        """Whether the text itself is at fault, whatever the variables."""
        return self.reason in SYNTAX
