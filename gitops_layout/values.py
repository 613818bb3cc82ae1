"""Dataclasses whose methods cost nothing until somebody needs them.

The standard library writes and compiles up to ten methods for every class at import, half a millisecond a frozen one; a lint
of one file imports 140 classes and needs few of their methods. Here fields, slots and `match` come from the standard library,
and a method is compiled when it is first called. Type checkers see the original.
"""

from __future__ import annotations

import dataclasses
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from dataclasses import dataclass

__all__ = ["dataclass"]

_ORDER = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
_ABSENT = object()


def _lazily(
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    order: bool = False,
    repr: bool = True,  # noqa: A002
) -> Callable[[type], type]:
    """As `dataclasses.dataclass`, for classes without dataclasses among their bases."""
    bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)
    names = ["__init__"]
    names += ["__eq__"] if eq else []
    names += ["__hash__"] if eq and frozen else []
    names += _ORDER if order else []
    names += ["__getstate__", "__setstate__"] if frozen and slots else []

    def made(cls: type) -> type:
        cls.__doc__ = cls.__doc__ or cls.__name__  # else its signature is found out, which is slow
        own = frozenset(vars(cls))
        cls = bare(cls)
        methods: dict[str, Any] = {
            name: _later(cls, name, frozen=frozen, sealed=frozen and slots) for name in names
        }
        if repr:
            methods["__repr__"] = _repr
        if eq and not frozen:
            methods["__hash__"] = None
        if frozen:
            methods |= _sealing(cls)
        for name in methods.keys() - own:
            setattr(cls, name, methods[name])
        return cls

    return made


if not TYPE_CHECKING:
    dataclass = _lazily


def _later(cls: type, name: str, *, frozen: bool, sealed: bool) -> Callable[..., Any]:
    """A method that puts the compiled one in its own place and calls it."""

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        names: dict[str, Any] = {"_absent": _ABSENT, "_set": object.__setattr__}
        exec("\n ".join(_lines(cls, name, names, frozen=frozen, sealed=sealed)), names)
        compiled = names[name]
        compiled.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, compiled)
        return compiled(self, *args, **kwargs)

    return method


def _lines(cls: type, name: str, names: dict[str, Any], *, frozen: bool, sealed: bool) -> Iterator[str]:
    """The text of a method; what it speaks of besides is put into `names`."""
    fields = dataclasses.fields(cls)
    compared = [field.name for field in fields if field.compare]
    if sealed:
        names |= {f"_set_{field.name}": cls.__dict__[field.name].__set__ for field in fields}
    match name:
        case "__init__":
            yield from _init(cls, names, frozen=frozen, sealed=sealed)
        case "__hash__":
            hashed = [f.name for f in fields if (f.compare if f.hash is None else f.hash)]
            yield from ("def __hash__(self):", f"return hash({_tuple('self', hashed)})")
        case "__getstate__":
            yield from ("def __getstate__(self):", f"return {_tuple('self', [f.name for f in fields])}")
        case "__setstate__":
            yield "def __setstate__(self, state):"
            yield f"{''.join(f'{field.name}, ' for field in fields) or '()'} = state"
            yield from (f"_set_{field.name}(self, {field.name})" for field in fields)
        case _:
            yield f"def {name}(self, other):"
            yield "if other.__class__ is not self.__class__: return NotImplemented"
            yield f"return {_tuple('self', compared)} {_ORDER.get(name, '==')} {_tuple('other', compared)}"


def _init(cls: type, names: dict[str, Any], *, frozen: bool, sealed: bool) -> Iterator[str]:
    parameters, lines = ["self"], ["pass"]
    for field in dataclasses.fields(cls):
        name, value, default = field.name, field.name, ""
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"], made = field.default_factory, f"_make_{name}()"
            value, default = f"{made} if {name} is _absent else {name}" if field.init else made, "=_absent"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"], default = field.default, f"=_default_{name}"
            value = name if field.init else f"_default_{name}"
        if not (field.init or default == "=_absent" or (default and "__slots__" in vars(cls))):
            continue  # there is no value, or the class has it
        if field.init:
            parameters.append(f"{name}{default}")
        if sealed:  # in half the time that object.__setattr__ takes
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    yield f"def __init__({', '.join(parameters)}):"
    yield from lines
    if hasattr(cls, "__post_init__"):
        yield "self.__post_init__()"


def _tuple(owner: str, names: list[str]) -> str:
    return f"({''.join(f'{owner}.{name}, ' for name in names)})"


def _sealing(cls: type) -> dict[str, Any]:
    """What refuses to set and delete fields, in the words of the standard library."""
    fields = frozenset(field.name for field in dataclasses.fields(cls))

    def refuse_set(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in fields:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def refuse_delete(self: Any, name: str) -> None:
        if type(self) is cls or name in fields:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    return {"__setattr__": refuse_set, "__delattr__": refuse_delete}


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"
