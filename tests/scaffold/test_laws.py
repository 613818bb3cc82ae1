"""Laws of converging, for repositories of any shape.

What was added is as if it had always been there, what was removed again leaves no trace, and order does not matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitops_layout.scaffold import converge
from gitops_layout.scaffold.edit import append
from gitops_layout.scaffold.lock import LOCK
from gitops_layout.scaffold.names import KINDS, Kind, removed
from gitops_layout.scaffold.render import render
from gitops_layout.spec import Spec, load, parse
from tests.scaffold.specs import COMPONENTS, random_data
from tests.scaffold.trees import build, overlays, write

_APP = {"name": "new", "image": "ghcr.io/acme/new:1.0.0"}
_COMPONENT = {**COMPONENTS[0], "name": "extra"}
_WRITTEN = {converge.SPEC, LOCK}


def _begin(root: Path, data: dict[str, Any]) -> bytes:
    """A repository of that spec, and the text of its gitops.yaml."""
    spec = parse(data)
    content = render(spec)[converge.SPEC].content
    _converge(root, content)
    return content


def _converge(root: Path, content: bytes) -> Spec:
    spec = load(content)
    converge.apply(root, converge.plan(root, spec, spec_file=content))
    return spec


def _files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def _takes(spec: dict[str, Any], kind: Kind) -> bool:
    if kind == "component":
        return spec["agent"]["name"] != "builtin"
    return kind != "tenant" or spec["layout"] == "platform"


@given(random_data(), st.sampled_from(["app", "component", "tenant", "cluster"]))
@settings(max_examples=20)
def test_what_is_added_and_removed_again_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], kind: Kind
) -> None:
    assume(_takes(data["spec"], kind))
    item = {
        "app": _APP,
        "component": _COMPONENT,
        "tenant": {"name": "green"},
        "cluster": {"name": "more", "environments": [data["spec"]["environments"][0]["name"]]},
    }[kind]
    root = tmp_path_factory.mktemp("repository")
    first = _begin(root, data)
    before = _files(root)
    more = append(first, ("spec", KINDS[kind]), item)
    _converge(root, more)
    fresh = tmp_path_factory.mktemp("fresh")
    _converge(fresh, more)
    assert _files(root) == _files(fresh) != before
    less = removed(more, kind, str(item["name"]))
    assert _converge(root, less) == load(first)
    assert _files(root) == before
    assert converge.plan(root, load(less)).empty


@given(random_data(), st.booleans())
@settings(max_examples=15)
def test_the_order_in_which_things_are_added_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], component: bool
) -> None:
    second: tuple[Kind, dict[str, Any]] = ("app", {"name": "other"})
    if component:
        assume(_takes(data["spec"], "component"))
        second = ("component", _COMPONENT)
    adds: list[tuple[Kind, dict[str, Any]]] = [("app", _APP), second]
    made = []
    for order in (adds, adds[::-1]):
        root = tmp_path_factory.mktemp("repository")
        content = _begin(root, data)
        for kind, item in order:
            content = append(content, ("spec", KINDS[kind]), item)
            _converge(root, content)
        files = {path: text for path, text in _files(root).items() if path not in _WRITTEN}
        made.append({path: sorted(text.splitlines()) for path, text in files.items()})
    assert made[0] == made[1]


@given(random_data())
@settings(max_examples=4)
def test_every_overlay_builds_with_real_kustomize(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("repository")
    write(parse(data), root)
    for folder in overlays(root):
        # Bases are built with what stands on them; Argo CD's own manifests are fetched.
        if folder.name != "base" and (folder.name, folder.parent.parent.name) != ("argocd", "clusters"):
            build(folder)
