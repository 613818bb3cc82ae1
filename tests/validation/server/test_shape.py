"""Objects of one shape get one verdict, whatever the names in them and the mistakes beside these."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gitops_layout.model import ObjectRef
from gitops_layout.validation.check import SOUND
from gitops_layout.validation.server import Shaped, refusals, shaped
from gitops_layout.validation.server import shape as module
from gitops_layout.validation.server.shape import Shapes, words
from tests.validation.server.support import _mistakes, _places, _with, examples
from tests.validation.support import KUBERNETES, SCHEMAS, verdict

NAMES = (
    "shop", "blog", "default", "kube-system", "system-node-critical", "hugepages-2mi", "iqnshop", "requests", "service",
    "none", "http", "mon-fri", "fd00", "deadbeef", "a1b", "abc", "containers", "spec", "protocol", "app-0001", "app-0001-config",
    "webber", "on-fr", "x" * 40, "localhost", "cpu", "memory", "memory-x", "kubernetes", "in", "true",
)  # fmt: skip
SOURCES = Path(module.__file__).parent


def renamed(value: Any, old: str, new: str) -> Any:
    """The value with every string that begins with a name beginning with another one."""
    match value:
        case dict():
            return {renamed(key, old, new): renamed(item, old, new) for key, item in value.items()}
        case list():
            return [renamed(item, old, new) for item in value]
        case str() if value.startswith(old):
            return new + value[len(old) :]
    return value


def variants(data: dict[str, Any], numbers: random.Random) -> Iterator[dict[str, Any]]:
    """The object under other names, with labels of such names, or with a mistake in it."""
    yield data
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        return
    alike = ["".join(numbers.choices("ghkz", k=len(name))) for _ in range(3)]
    for new in (*alike, *numbers.sample(NAMES, 2)):
        other = renamed(data, name, new)
        yield other
        labels = {"app": new, "team": numbers.choice(NAMES)}
        labelled = {**other, "metadata": {**other["metadata"], "labels": labels}}
        path, value = numbers.choice([*_places(labelled, ())])
        mistaken = _with(labelled, path, numbers.choice([new for _, new in _mistakes(value)]))
        yield mistaken
        yield renamed(mistaken, new, alike[0] if len(new) == len(name) else new[::-1])


def judged(data: dict[str, Any]) -> bool:
    """Whether neither schema nor code refuses an apply, said without any shape."""
    return next(iter(refusals(data, apply=True)), None) is None and verdict(data) == SOUND


@cache
def kind_of(api: str, kind: str) -> Shaped | None:
    found = shaped(*api.rpartition("/")[::2], kind)
    known = SCHEMAS.find(ObjectRef(api, kind, "", ""), kubernetes=KUBERNETES)
    return found and replace(found, words=found.words | words(known[0].document)) if known else None


def made(shapes: Shapes, data: dict[str, Any]) -> bytes | None:
    found = kind_of(str(data["apiVersion"]), str(data["kind"]))
    if found is None:
        return None
    shapes.know(found.words)
    return shapes.of(data, found.pod)


def test_objects_of_one_shape_get_one_verdict() -> None:
    numbers, shapes = random.Random(7), Shapes()
    verdicts: dict[bytes, tuple[bool, dict[str, Any]]] = {}
    shared = 0
    for example in examples():
        if made(shapes, example.data) is None:
            continue
        for data in variants(example.data, numbers):
            shape, sound = made(shapes, data), judged(data)
            assert shape is not None
            shared += shape in verdicts
            first, other = verdicts.setdefault(shape, (sound, data))
            assert first == sound, (other, data)

    assert shared > 300


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"name": "shop"}, {"name": "blog"}, True),
        ({"name": "shop"}, {"name": "blogs"}, False),
        ({"name": "shop", "namespace": "shop"}, {"name": "blog", "namespace": "shop"}, False),
        ({"name": "shop", "namespace": "shop-dev"}, {"name": "blog", "namespace": "blog-dev"}, True),
        ({"name": "shop", "annotations": {"a": "my shop"}}, {"name": "blog", "annotations": {"a": "my shop"}}, False),
        ({"name": "feed"}, {"name": "0eed"}, False),
        ({"name": "shop", "labels": {"a": 1}}, {"name": "shop", "labels": {"a": True}}, False),
    ],
)  # fmt: skip
def test_a_shape_forgets_names_and_nothing_else(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    shapes = Shapes()
    shapes.know(words(["Namespace"]))

    assert (shapes.of({"metadata": one}, None) == shapes.of({"metadata": other}, None)) == same


def test_an_image_is_forgotten_where_it_is_an_image_only() -> None:
    def pod(image: str, name: str) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": name, "image": image}]}}

    shapes = Shapes()

    assert shapes.of(pod("nginx", "a"), ("spec",)) == shapes.of(pod("ghcr.io/a/b:1", "a"), ("spec",))
    assert shapes.of(pod("nginx", "nginx"), ("spec",)) != shapes.of(pod("redis", "redis"), ("spec",))
    assert shapes.of(pod("nginx", "a"), ("spec",)) != shapes.of(pod(" nginx", "a"), ("spec",))


def test_every_prefix_that_checks_look_for_is_kept() -> None:
    """A check that asks how a text begins must not meet a name of ours that begins so."""
    kept = set()
    for source in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="startswith" | "removeprefix"), args=[argument, *_]):
                    texts = ast.walk(argument)
                    kept |= {
                        text.value
                        for text in texts
                        if isinstance(text, ast.Constant) and isinstance(text.value, str)
                    }
    shapes = Shapes()
    shapes.know(words(frozenset(kept)))
    free = [prefix for prefix in kept if shapes._free(f"{prefix}shop")]

    assert {"iqn", "hugepages-"} <= kept
    assert set(free) <= {"default", "version", "unapproved"}, "keys of kinds that no shape is made of"
