"""What can go wrong with a template, each with its place."""

from __future__ import annotations

__all__ = ["FunctionError", "LimitError", "TemplateError", "UnsupportedError"]


class TemplateError(Exception):
    """Go would refuse this template too, or fail on it: syntax, types, a missing key, `fail`.

    `position` is the 0-based code point offset into `text`, the template; `line` and `column` are 1-based.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.position = min(position, len(text))

    @property
    def line(self) -> int:
        """The 1-based line of the template."""
        return self.text.count("\n", 0, self.position) + 1

    @property
    def column(self) -> int:
        """The 1-based column in that line."""
        return self.position - self.text.rfind("\n", 0, self.position)

    def __str__(self) -> str:
        return f"{self.message} (template line {self.line}, column {self.column})"


class UnsupportedError(TemplateError):
    """Go would go on, we cannot: `name` is the function or feature that is not evaluated here."""

    def __init__(self, name: str, message: str, text: str, position: int) -> None:
        super().__init__(message, text, position)
        self.name = name


class LimitError(TemplateError):
    """The template wants more output, steps or depth than we give it."""


class FunctionError(Exception):
    """A function refuses its arguments; the evaluator adds the place.

    `unsupported` names what we lack where Go would have an answer, `limit` says that we stop on purpose.
    """

    def __init__(self, message: str, *, unsupported: str | None = None, limit: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.unsupported = unsupported
        self.limit = limit
