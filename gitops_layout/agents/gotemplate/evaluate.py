"""Trees → text, as Go's text/template executes them (Go 1.26)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Literal

from gitops_layout.agents.gotemplate.errors import FunctionError, LimitError, TemplateError, UnsupportedError
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
from gitops_layout.agents.gotemplate.signature import TYPES, Function, checked, fits
from gitops_layout.agents.gotemplate.values import (
    MAX_SIZE,
    MISSING,
    UNORDERED,
    StringMap,
    UnorderedKeys,
    measure,
    text_of,
    truth,
    type_name,
)
from gitops_layout.values import dataclass

__all__ = ["MAX_STEPS", "Miss", "MissingKey", "State", "run"]

MissingKey = Literal["default", "zero", "error"]

MAX_STEPS = 200_000
_MAX_DEPTH = 120
_ORDER_BLIND = frozenset("sortAlpha len has mustHas empty not default ternary coalesce".split())
"""What may be done with the result of `keys`."""
_ABSENT: Any = object()
"""No value came down the pipeline."""


class _JumpError(Exception):
    """`break` or `continue` on its way to the range around it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Miss:
    """A key that was looked for and is not there: its dotted name and the place in the template."""

    name: str
    at: int


@dataclass(slots=True)
class State:
    """One execution: the output so far, the variables in scope, what may still be spent, and what the function
    `inputs` returns in the dialect that has one.
    """

    program: Program
    functions: Mapping[str, Function]
    missing_key: MissingKey
    defined: Mapping[str, Block]
    output: list[str] = field(default_factory=list)
    size: int = 0
    budget: int = MAX_STEPS
    depth: int = 0
    tpl_depth: int = 0
    misses: list[Miss] = field(default_factory=list)
    variables: list[tuple[str, Any]] = field(default_factory=list)
    inputs: Any = None

    def error(self, message: str, at: int) -> TemplateError:
        return TemplateError(message, self.program.text, at)

    def spend(self, amount: int, at: int) -> None:
        self.budget -= amount
        if self.budget < 0:
            raise LimitError(f"more than {MAX_STEPS} steps", self.program.text, at)

    def deeper(self, at: int) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise LimitError(f"nested deeper than {_MAX_DEPTH} levels", self.program.text, at)

    def write(self, text: str, at: int) -> None:
        self.size += len(text)
        if self.size > MAX_SIZE:
            raise LimitError(f"writes more than {MAX_SIZE} characters", self.program.text, at)
        self.output.append(text)

    def variable(self, name: str, at: int) -> Any:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise self.error(f"undefined variable: {name}", at)

    def assign(self, name: str, value: Any, at: int) -> None:
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return
        raise self.error(f"undefined variable: {name}", at)


def run(state: State, data: Any) -> None:
    """Execute a program over `data`, writing to `state`. Raises TemplateError and its kinds."""
    state.variables = [("$", data)]
    _block(state, data, state.program.body)


def _block(state: State, dot: Any, body: Block) -> None:
    for node in body:
        _node(state, dot, node)


def _node(state: State, dot: Any, node: Node) -> None:
    match node:
        case Text(text):
            state.write(text, 0)
        case Action(at, pipe):
            value = _pipe(state, dot, pipe)
            if not pipe.declared:
                _print(state, value, pipe, at)
        case Branch(kind="range"):
            _range(state, dot, node)
        case Branch():
            _branch(state, dot, node)
        case Call():
            _call_template(state, dot, node)
        case Jump(kind=kind):
            raise _JumpError(kind)


def _print(state: State, value: Any, pipe: Pipe, at: int) -> None:
    if value is MISSING:
        state.misses.append(Miss(_name(pipe), at))
    elif isinstance(value, UnorderedKeys):
        raise UnsupportedError("keys", UNORDERED, state.program.text, at)
    elif isinstance(value, dict | list):
        try:
            state.spend(measure(value), at)
        except FunctionError as error:
            raise LimitError(error.message, state.program.text, at) from None
    state.write(text_of(value), at)


def _name(pipe: Pipe) -> str:
    """The key a pipeline looks for, dotted, as far as its syntax tells."""
    match pipe.commands[-1].words:
        case (Field(names=names),):
            return ".".join(names)
        case (Variable(name=name, names=names),):
            return ".".join((name, *names))
        case (Ident(name=name), *_):
            return f"({name} …)"
        case _:
            return "…"


def _branch(state: State, dot: Any, node: Branch) -> None:
    state.deeper(node.at)
    mark = len(state.variables)
    value = _pipe(state, dot, node.pipe)
    if truth(value):
        _block(state, value if node.kind == "with" else dot, node.body)
    elif node.other is not None:
        _block(state, dot, node.other)
    del state.variables[mark:]
    state.depth -= 1


def _items(state: State, value: Any, node: Branch) -> Iterator[tuple[Any, Any]]:
    match value:
        case bool():
            pass
        case int():
            if len(node.pipe.declared) > 1:
                raise state.error(f"can't use {value} to iterate over more than one variable", node.at)
            return ((MISSING, type(value)(index)) for index in range(value))
        case dict():
            return ((key, value[key]) for key in sorted(value))
        case UnorderedKeys():
            raise UnsupportedError("keys", UNORDERED, state.program.text, node.at)
        case list():
            return enumerate(list(value))
        case None:
            pass
        case _ if value is MISSING:
            return iter(())
    raise state.error(f"range can't iterate over {text_of(value)}", node.at)


def _range(state: State, dot: Any, node: Branch) -> None:
    state.deeper(node.at)
    outer = len(state.variables)
    value = _pipe(state, dot, node.pipe)
    mark = len(state.variables)
    ran = False
    for index, item in _items(state, value, node):
        ran = True
        state.spend(1, node.at)
        _set_range_variables(state, node.pipe, index, item, mark)
        try:
            _block(state, item, node.body)
        except _JumpError as jump:
            if jump.kind == "break":
                break
        finally:
            del state.variables[mark:]
    if not ran and node.other is not None:
        _block(state, dot, node.other)
    del state.variables[outer:]
    state.depth -= 1


def _set_range_variables(state: State, pipe: Pipe, index: Any, item: Any, mark: int) -> None:
    values = (index, item) if len(pipe.declared) > 1 else (item,)
    for offset, (name, value) in enumerate(zip(pipe.declared, values, strict=False)):
        if pipe.assign:
            state.assign(name, value, pipe.at)
        else:
            state.variables[mark - len(pipe.declared) + offset] = (name, value)


def _call_template(state: State, dot: Any, node: Call) -> None:
    body = state.defined.get(node.name)
    if body is None:
        raise state.error(f"template {node.name!r} not defined", node.at)
    value = MISSING if node.pipe is None else _pipe(state, dot, node.pipe)
    state.deeper(node.at)
    state.spend(1, node.at)
    kept, state.variables = state.variables, [("$", value)]
    _block(state, value, body)
    state.variables = kept
    state.depth -= 1


def _pipe(state: State, dot: Any, pipe: Pipe) -> Any:
    state.deeper(pipe.at)
    value = _ABSENT
    for command in pipe.commands:
        value = _command(state, dot, command, value)
        if value is None:  # a nil interface is as good as nothing once a pipeline has yielded it
            value = MISSING
    for name in pipe.declared:
        if pipe.assign:
            state.assign(name, value, pipe.at)
        else:
            state.variables.append((name, value))
    state.depth -= 1
    return value


def _command(state: State, dot: Any, command: Command, final: Any) -> Any:
    state.spend(1, command.at)
    first, *rest = command.words
    if isinstance(first, Ident):
        return _function(state, dot, first, tuple(rest), final)
    has_arguments = bool(rest) or final is not _ABSENT
    if has_arguments:
        if isinstance(first, Field | Chain) or (isinstance(first, Variable) and first.names):
            receiver = _operand(state, dot, _shortened(first))
            _refuse_arguments(state, receiver, first)
        raise state.error("can't give argument to non-function", first.at)
    if isinstance(first, Nil):
        raise state.error("nil is not a command", first.at)
    return _operand(state, dot, first)


def _shortened(node: Field | Chain | Variable) -> Operand:
    """The node without its last field: what a method call would be made on."""
    match node:
        case Field(at, names):
            return Field(at, names[:-1]) if len(names) > 1 else Dot(at)
        case Variable(at, name, names):
            return Variable(at, name, names[:-1])
        case Chain(at, start, names):
            return Chain(at, start, names[:-1]) if len(names) > 1 else start


def _refuse_arguments(state: State, receiver: Any, node: Field | Chain | Variable) -> None:
    name = node.names[-1]
    if isinstance(receiver, dict):
        raise state.error(f"{name} is not a method but has arguments", node.at)
    if receiver is None or (receiver is MISSING and state.missing_key == "error"):
        raise state.error(f'nil data; no entry for key "{name}"', node.at)
    if receiver is not MISSING:
        raise state.error(f"can't evaluate field {name} in type {type_name(receiver)}", node.at)


def _operand(state: State, dot: Any, node: Operand) -> Any:
    """The value of a word that gets no arguments."""
    match node:
        case Dot():
            return dot
        case Field(at, names):
            return _fields(state, dot, names, at)
        case Variable(at, name, names):
            return _fields(state, state.variable(name, at), names, at)
        case Chain(at, start, names):
            if isinstance(start, Nil):
                raise state.error("indirection through explicit nil", at)
            return _fields(state, _operand(state, dot, start), names, at)
        case Ident():
            return _function(state, dot, node, (), _ABSENT)
        case Pipe():
            return _pipe(state, dot, node)
        case Bool(value=value) | Str(value=value):
            return value
        case Number(whole=whole, real=real, is_float=is_float):
            return real if is_float else whole
        case Nil():
            return None


def _fields(state: State, receiver: Any, names: tuple[str, ...], at: int) -> Any:
    for name in names:
        receiver = _field(state, receiver, name, at)
    return receiver


def _field(state: State, receiver: Any, name: str, at: int) -> Any:
    state.spend(1, at)
    if receiver is MISSING:
        if state.missing_key == "error":
            raise state.error(f'nil data; no entry for key "{name}"', at)
        return MISSING
    if receiver is None:
        raise state.error(f"nil pointer evaluating interface {{}}.{name}", at)
    if not isinstance(receiver, dict):
        raise state.error(f"can't evaluate field {name} in type {type_name(receiver)}", at)
    if name in receiver:
        return receiver[name]
    if state.missing_key == "error":
        raise state.error(f'map has no entry for key "{name}"', at)
    if state.missing_key == "zero":
        return "" if isinstance(receiver, StringMap) else None
    return MISSING


def _function(state: State, dot: Any, node: Ident, words: tuple[Operand, ...], final: Any) -> Any:
    function = state.functions[node.name]
    given = len(words) + (final is not _ABSENT)
    if given < function.least or (function.most is not None and given > function.most):
        raise state.error(
            f"wrong number of args for {node.name}: want {function.wanted} got {given}", node.at
        )
    if node.name in ("and", "or") and function.lazy:
        return _short_circuit(state, dot, node.name == "or", words, final)
    arguments = [
        _argument(state, dot, word, function.parameter(index), node.at) for index, word in enumerate(words)
    ]
    if final is not _ABSENT:
        arguments.append(_checked(state, final, function.parameter(len(words)), node.at))
    if any(isinstance(item, UnorderedKeys) for item in arguments) and node.name not in _ORDER_BLIND:
        raise UnsupportedError("keys", UNORDERED, state.program.text, node.at)
    try:
        if function.cost is not None:
            state.spend(function.cost(*arguments), node.at)
        if not function.cheap:
            state.spend(sum(measure(item) for item in arguments if isinstance(item, dict | list)), node.at)
        result = function.call(state, arguments)
        if isinstance(result, str | list | dict) and len(result) > MAX_SIZE:
            raise FunctionError("the result is too large", limit=True)
    except FunctionError as error:
        raise _located(state, node, error) from error
    if isinstance(result, str | list):
        state.spend(len(result) // 64, node.at)
    return result


def _located(state: State, node: Ident, error: FunctionError) -> TemplateError:
    """A function's refusal with its place."""
    if error.unsupported is not None:
        return UnsupportedError(error.unsupported, error.message, state.program.text, node.at)
    message = f"error calling {node.name}: {error.message}"
    kind = LimitError if error.limit else TemplateError
    return kind(message, state.program.text, node.at)


def _short_circuit(state: State, dot: Any, stop_at: bool, words: tuple[Operand, ...], final: Any) -> Any:
    value: Any = MISSING
    for word in words:
        value = _argument(state, dot, word, "v", word.at)
        if truth(value) is stop_at:
            return value
    return value if final is _ABSENT else final


def _argument(state: State, dot: Any, word: Operand, kind: str, at: int) -> Any:
    """One argument, of the type that the function's parameter asks for (see `signature`)."""
    match word:
        case Nil():
            if kind in "sibf":
                raise state.error(f"cannot assign nil to {TYPES[kind]}", word.at)
            return checked(MISSING, kind)
        case Number(whole=whole, real=real) if kind in "if":
            if kind == "f":
                return real
            if whole is None:
                raise state.error(f"expected integer; found {word.text}", word.at)
            return whole
        case Number() | Str() | Bool() if kind in "sibfd":
            value = _operand(state, dot, word)
            if not fits(value, kind):
                raise state.error(f"expected {TYPES[kind]}; found {text_of(value)}", word.at)
            return value
        case _:
            return _checked(state, _operand(state, dot, word), kind, at)


def _checked(state: State, value: Any, kind: str, at: int) -> Any:
    try:
        return checked(value, kind)
    except FunctionError as error:
        raise state.error(error.message, at) from None
