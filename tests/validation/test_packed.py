"""The packed data is what its pins say, whole, small, and every schema in it can be used."""

from __future__ import annotations

import hashlib

import pytest

from gitops_layout.model import ObjectRef
from gitops_layout.validation import bundle
from gitops_layout.validation.schemas import Schemas
from gitops_layout.validation.versions import lifecycle
from tools import schemas as tool

PACKS = {pack["name"]: pack for pack in bundle.index()}


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_is_the_one_that_the_index_names_and_comes_from_the_pinned_input(name: str) -> None:
    content = (bundle.DATA / f"{name}.xz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == PACKS[name]["sha256"]
    pinned = tool.source(name)
    assert {key: PACKS[name][key] for key in pinned} == pinned


def test_packs_are_small_and_none_is_forgotten() -> None:
    sizes = {path.stem: path.stat().st_size for path in bundle.DATA.glob("*.xz")}
    assert set(sizes) == set(PACKS)
    assert sizes["kubernetes"] < 2**20
    assert sum(sizes.values()) < 3 * 2**20


def test_tool_and_reader_agree_on_versions() -> None:
    assert tool.VERSIONS == bundle.VERSIONS


@pytest.mark.parametrize("kubernetes", [bundle.VERSIONS[0], bundle.VERSIONS[-1]])
def test_every_packed_kind_has_a_schema_that_compiles(kubernetes: str) -> None:
    schemas = Schemas()
    found = 0
    for name in PACKS:
        for kind in bundle._open(name).head["kinds"]:
            group, version, word = kind.split("/")
            ref = ObjectRef(f"{group}/{version}" if group else version, word, "", "x")
            found += len(schemas.find(ref, kubernetes=kubernetes))
    assert not schemas.broken
    assert found > 300


def test_what_is_said_to_be_gone_is_gone_and_what_is_deprecated_is_there() -> None:
    for kind in bundle._open("kubernetes").head["kinds"]:
        group, version, word = kind.split("/")
        life = lifecycle(f"{group}/{version}" if group else version, word)
        served = bundle.served(group, version, word)
        if life is not None and life.removed is not None and served:
            last = tuple(map(int, served[-1].split(".")))
            assert last < tuple(map(int, life.removed.split("."))), kind
