"""Origins are causes: what changes at the claimed place changes the leaves that claim it, and no others."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from gitops_layout.kustomize.fast import Declined, Fast
from gitops_layout.model import Location
from gitops_layout.repo.model import Repo
from tests.kustomize.oracle import fast, leaves, real, repository
from tests.kustomize.trees import tree

Leaf = tuple[int, tuple[str | int, ...]]


def _is_identity(path: tuple[str | int, ...]) -> bool:
    """Names of objects, and of subjects, whose namespace follows the object that they name."""
    return path in (("kind",), ("apiVersion",), ("metadata", "name")) or path[::2] == ("subjects", "name")


def _claims(build: Fast) -> dict[Location, set[Leaf]]:
    """Each place, and the leaves that it wrote last."""
    found: dict[Location, set[Leaf]] = {}
    for index, data in enumerate(build.objects):
        for path, _ in leaves(data):
            found.setdefault(build.origin(index, path).where, set()).add((index, path))
    return found


def _mutated(repo: Repo, place: Location) -> str | None:
    """The file's text with another plain value at the place; None where there is no such value."""
    span = repo.span(place)
    text = repo.text(place.file)
    old = text[span.start : span.end]
    if place.span is None and not place.file.endswith(".yaml"):
        return None
    if re.fullmatch(r'"[\w./:=-]+"', old):
        new = f'{old[:-1]}q"'
    elif re.fullmatch(r"\d+", old):
        new = str(int(old) + 1)
    elif re.fullmatch(r"[a-z][\w.-]*", old) and old not in ("true", "false", "null", "yes", "on"):
        new = f"{old}q"
    else:
        return None
    return text[: span.start] + new + text[span.end :]


def _changes(before: tuple[dict[str, Any], ...], after: tuple[dict[str, Any], ...]) -> set[Leaf] | None:
    """The leaves that differ; None when the objects or their form are not the same."""
    if len(before) != len(after):
        return None
    found: set[Leaf] = set()
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        mine, theirs = dict(leaves(one)), dict(leaves(other))
        if mine.keys() != theirs.keys() or one["kind"] != other["kind"]:
            return None
        found |= {(index, path) for path in mine if mine[path] != theirs[path]}
    return found


def _case(seed: int) -> tuple[dict[str, str | bytes], Fast]:
    """The first random tree from a seed on that the fast builder takes."""
    for number in range(seed, seed + 20):
        # A hash in a name comes from everything in the object, so it is left out.
        files = {
            path: f"generatorOptions: {{disableNameSuffixHash: true}}\n{text}"
            if path.endswith("kustomization.yaml")
            else text
            for path, text in tree(Random(number), "k").items()
        }
        if any(str(text).count("generatorOptions") > 1 for text in files.values()):
            continue
        build = fast(repository(files), "k/overlay")
        if not isinstance(build, Declined):
            return files, build
    raise AssertionError("twenty random trees in a row are declined")


@pytest.mark.parametrize("seed", range(0, 2000, 200))
def test_changing_the_claimed_place_changes_exactly_the_leaves_that_claim_it(seed):
    files, build = _case(seed)
    repo, rnd = repository(files), Random(seed)
    claims = _claims(build)
    places = sorted(claims, key=lambda place: (place.file, str(place.path), str(place.span)))
    tried = 0
    for place in rnd.sample(places, len(places)):
        if any(_is_identity(path) for _, path in claims[place]) and place.path[:1] != ("namePrefix",):
            continue  # another name is another object: patches and references miss it
        text = _mutated(repo, place)
        if text is None or tried == 5:
            continue
        after = real(repository(files | {place.file: text}), "k/overlay")
        changed = _changes(build.objects, after.objects) if after.problem is None else None
        if changed is None:
            continue
        tried += 1
        assert changed == claims[place], (place, repo.span(place), text)
    assert tried


def test_a_value_knows_everyone_who_wrote_it_and_lines_inside_inline_patches():
    repo = repository(
        {
            "kustomization.yaml": "resources: [base]\nimages:\n- name: nginx\n  newName: r/n\n  newTag: '2'\n"
            "patches:\n- patch: |\n    apiVersion: v1\n    kind: Pod\n    metadata:\n      name: p\n"
            "    spec:\n      containers:\n      - name: b\n      - name: a\n        tty: true\n",
            "base/kustomization.yaml": "resources: [p.yaml]\n",
            "base/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
            "  - name: a\n    image: nginx:1\n    tty: false\n",
        }
    )
    build = fast(repo, "")
    assert isinstance(build, Fast)
    containers = build.objects[0]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["b", "a"]

    def places(*path: str | int) -> list[tuple[str, int]]:
        found = build.origin(0, ("spec", "containers", *path))
        return [(place.file, repo.span(place).line) for place in (found.where, *found.earlier)]

    outer, inner = "kustomization.yaml", "base/p.yaml"
    assert places(1, "image") == [(outer, 5), (outer, 4), (inner, 7)]
    assert places(1, "tty") == [(outer, 16), (inner, 8)]
    assert places(1, "name") == [(inner, 6)]
    assert places(0, "name") == [(outer, 14)]
