"""Our dataclasses are those of the standard library, whatever is asked of them first."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from gitops_layout import values

ASKED: dict[str, Callable[[type], object]] = {
    "repr": lambda cls: repr(cls(1, b="y")),
    "default": lambda cls: (cls(1).b, cls(1).c, cls(1).c is cls(1).c),
    "unequal": lambda cls: (cls(1) == cls(2), cls(1) == 1, cls(1) != cls(1)),
    "not compared": lambda cls: cls(1, d=1) == cls(1, d=2),
    "hash": lambda cls: hash(cls(1, c=())) == hash((1, "x", ())),
    "order": lambda cls: (cls(1) < cls(2), cls(1) >= cls(2), cls(2) > cls(2), cls(2) <= cls(2)),
    "other order": lambda cls: cls(1) < 1,
    "set": lambda cls: setattr(cls(1), "a", 2),
    "delete": lambda cls: delattr(cls(1), "a"),
    "too few": lambda cls: cls(),
    "too many": lambda cls: cls(1, 2, 3, 4, 5, 6),
    "misnamed": lambda cls: cls(1, z=2),
    "replace": lambda cls: [getattr(dataclasses.replace(cls(1), a=7, d=8), name) for name in "abde"],
    "match": lambda cls: cls.__match_args__,
    "fields": lambda cls: [field.name for field in dataclasses.fields(cls)],
    "asdict": lambda cls: dataclasses.asdict(cls(1)),
    "state": lambda cls: list(cls(1).__getstate__()),
}
OPTIONS: tuple[dict[str, bool], ...] = (
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "order": True},
    {"frozen": True, "slots": True, "eq": False},
    {"frozen": True, "slots": True, "repr": False},
    {"frozen": True},
    {"slots": True},
    {},
)


def value(make: Callable[..., Callable[[type], type]], options: dict[str, bool]) -> type:
    @make(**options)
    class Value:
        a: int
        b: str = "x"
        c: Any = dataclasses.field(default_factory=list)
        d: int = dataclasses.field(default=0, compare=False, repr=False)
        e: int = dataclasses.field(default=3, init=False)

        def twice(self) -> int:
            return self.a * 2

    return Value


def answer(question: Callable[[type], object], cls: type) -> object:
    try:
        return question(cls)
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("asked", ASKED)
def test_a_value_answers_as_a_dataclass_does(asked: str, options: dict[str, bool]) -> None:
    ours, theirs = value(values.dataclass, options), value(dataclasses.dataclass, options)
    wanted = answer(ASKED[asked], theirs)
    if asked == "repr" and not options.get("repr", True):
        assert "Value object at" in str(answer(ASKED[asked], ours))
        return
    assert answer(ASKED[asked], ours) == wanted
    assert answer(ASKED[asked], ours) == wanted  # and so does the method that was compiled


@values.dataclass(frozen=True, slots=True)
class Kept:
    """It is looked up by its module, as what a cache holds."""

    a: int
    b: tuple[int, ...] = ()

    def __hash__(self) -> int:
        return 5


def test_a_value_is_kept_and_comes_back() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, (2,)))) == Kept(1, (2,))
    assert hash(Kept(1)) == 5


def test_a_frozen_value_takes_no_other_field_either() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Kept(1).z = 2  # type: ignore[attr-defined]
