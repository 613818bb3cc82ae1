"""CEL with bounds: compile with declared variables, evaluate plain data to a truth value.

The engine is Google's C++ one. It types expressions at compile time, ends an evaluation after 10,000
loop steps, and returns errors as values; here they all become CelError. It takes exact dicts, lists
and scalars only, and integers of 64 bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gitops_layout.cel.costs import LIMIT, Cost, cost, weight
from gitops_layout.errors import UserError
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REFUSED", "Binding", "CelError", "Expression", "Kind", "bind", "compile_expression", "complaints"]

REFUSED = "cannot be taken"
"""What an error says of a text that one of the API server's functions does not take, as in `quantity('x')`."""

Kind = str | tuple[str, "Kind"]
"""A type: its name in CEL, or `list` or `map` (of texts) with that of what is in it; `dyn` and `any` fit everywhere."""


class CelError(Exception):
    """An expression that does not compile, or has no truth value for the given data."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Data ready for any number of expressions over the same variables; drop it with its object.

    A binding grows with each evaluation, so one lives no longer than one object; it stays in the
    thread that made it.
    """

    variables: tuple[str, ...]
    activation: Any
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression over `variables`; `cost` is None where none of its data can make it too costly.

    One whose literals alone may do so has no `program`: it is compiled, and evaluated, in a process of its own.
    """

    text: str
    variables: tuple[str, ...]
    program: Any
    cost: Cost | None = None

    def holds(self, binding: Binding) -> bool:
        """Whether the expression is true for the bound data.

        Raises CelError for an absent key, a wrong type, too many loop steps or a result that is no bool.
        """
        result, kind = self._evaluated(binding, words=False)
        if not isinstance(result, bool):
            raise CelError(f"`{self.text}` is {kind.lower()}, not true or false")
        return result

    def words(self, binding: Binding) -> str:
        """The text that the expression makes of the bound data. Raises CelError as `holds` does."""
        result, kind = self._evaluated(binding, words=True)
        if not isinstance(result, str):
            raise CelError(f"`{self.text}` is {kind.lower()}, not text")
        return result

    def _evaluated(self, binding: Binding, *, words: bool) -> tuple[Any, str]:
        if binding.variables != self.variables:
            raise CelError(f"compiled for {', '.join(self.variables)}, given {', '.join(binding.variables)}")
        if self.program is None or (self.cost is not None and self.cost.worst(weight(binding.data)) > LIMIT):
            from gitops_layout.cel.apart import evaluate

            try:
                return evaluate(self.text, binding.data, words=words), ""
            except ValueError as error:
                raise CelError(str(error)) from None
        try:
            value = self.program.eval(binding.activation)
        except RuntimeError as error:
            raise CelError(_plain(error)) from None
        kind: str = value.type().name()
        if kind == "*error*" or value.type() == _engine().Type.ERROR:
            raise CelError(str(value.value()))
        return value.value(), kind


@lru_cache(maxsize=256)
def compile_expression(
    text: str, variables: tuple[str, ...], *, words: bool = False, bounded: bool = True
) -> Expression:
    """Compile `text`, which may name only `variables` and makes `words` or a truth value.

    What may cost more than this process should give is evaluated in another one, unless it is not to be `bounded`.
    Raises CelError with the engine's words.
    """
    found = cost(text) if bounded else None
    if found is not None and found.worst(0) > LIMIT:
        return Expression(text, variables, None, found)  # literals are put together when it is compiled
    try:
        program = _environment(variables).compile(text)
    except RuntimeError as error:
        raise CelError(_plain(error)) from None
    returned = program.return_type()
    kinds = _engine().Type
    if returned not in (kinds.STRING if words else kinds.BOOL, kinds.DYN):
        raise CelError(f"`{text}` is {returned.name()}, not {'text' if words else 'true or false'}")
    grows = found is not None and (found.makers or (found.loops and found.joins))
    return Expression(text, variables, program, found if grows else None)


def complaints(text: str, variables: tuple[tuple[str, Kind], ...]) -> tuple[Kind, tuple[str, ...]]:
    """The type of what an expression over typed variables makes, and all that the engine says against it.

    Where it says something, the type is `dyn`; nothing is said of one that may cost too much.
    """
    if cost(text).worst(0) > LIMIT:
        return "dyn", ()
    try:
        returned = _typed_environment(variables).compile(text).return_type().name()
    except RuntimeError as error:
        lines = str(error).removeprefix("INVALID_ARGUMENT: ").split("\n")
        words = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        return "dyn", tuple(words or lines[:1])
    name, _, inner = returned.lower().partition("<")
    kind = name if name in _KINDS else "dyn"
    last = inner[:-1].removeprefix("string, ")
    if name == "list" or (name == "map" and inner.startswith("string, ")):
        return (name, last if last in _KINDS else "dyn"), ()
    return kind, ()


_KINDS = ("bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint")


def _type(kind: Kind) -> Any:
    types = _engine().Type
    match kind:
        case ("list", inner):
            return types.List(_type(inner))
        case ("map", inner):
            return types.Map(types.STRING, _type(inner))
    if kind == "any":
        return types.DYN
    return getattr(types, str(kind).upper())


@lru_cache(maxsize=32)
def _typed_environment(variables: tuple[tuple[str, Kind], ...]) -> Any:
    return _new_environment({name: _type(kind) for name, kind in variables})


def bind(data: Mapping[str, Any]) -> Binding:
    """Make `data` (variable → plain value) ready for expressions over the same variables, in that order."""
    variables = tuple(data)
    try:
        return Binding(variables, _environment(variables).Activation(dict(data)), data)
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise CelError(_plain(error)) from None


def _plain(error: BaseException) -> str:
    """The engine's words without its status codes and source echo."""
    first = str(error).split("\n", 1)[0]
    return (
        first.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ").removesuffix(" [INVALID_ARGUMENT]")
    )


@lru_cache(maxsize=1)
def _engine() -> Any:
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise UserError(
            f"the CEL engine cannot be loaded: {error}",
            "install a wheel of cel-expr-python for this platform; without it no rule can be judged",
            exit_code=3,
        ) from None
    return cel


@lru_cache(maxsize=32)
def _environment(variables: tuple[str, ...]) -> Any:
    return _new_environment(dict.fromkeys(variables, _engine().Type.DYN))


def _new_environment(variables: dict[str, Any]) -> Any:
    cel = _engine()
    from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

    from gitops_layout.cel.kubernetes import functions

    return cel.NewEnv(
        variables=variables,
        extensions=[
            ext_bindings.ExtBindings(),
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            functions(cel, REFUSED),
        ],
    )
