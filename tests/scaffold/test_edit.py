"""Edits of gitops.yaml in the styles that people write it in: only what is meant changes."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_layout.errors import UserError
from gitops_layout.model import Path
from gitops_layout.scaffold.edit import append, assign, remove
from gitops_layout.scaffold.names import KINDS, Kind, removed
from gitops_layout.source.reader import read

_ADDED: dict[Kind, dict[str, Any]] = {
    "app": {"name": "new", "image": "ghcr.io/acme/new:1.0.0", "environments": ["prod"]},
    "component": {"name": "new", "chart": {"oci": "oci://quay.io/acme/new", "version": "1.0"}},
    "tenant": {"name": "new", "owners": ["@acme/new"]},
    "cluster": {"name": "new", "environments": ["dev"]},
    "env": {"name": "new", "from": "prod"},
}
_BLOCK = """\
# The words at the top.
apiVersion: gitops-layout/v1alpha1
kind:       GitOpsRepo          # aligned
metadata: {name: acme}


spec:
    layout: config
    repo:   {url: "https://github.com/a/b", owners: ['@acme/all']}
    environments:
        # where it starts
        - name: dev

        # promoted by people
        - name:  prod
          from:  dev       # never from elsewhere
    clusters:
    -   name: lab
        environments: [ dev ]
    -   name: eu
        environments:
        - prod
    # what clusters need
    components:
        - {name: cm, chart: {oci: 'oci://quay.io/acme/cm', version: "1.0"}}
        - {name: other, chart: {oci: "oci://quay.io/acme/other", version: "2"}}  # a comment
    apps:
        - name: web
          image: ghcr.io/acme/web:1.4.0   # by bots
        # the second
        - {name: api, image: "a/b:1"}
    # the end of it
# the very end
"""
_FLOW = """\
{
  apiVersion: gitops-layout/v1alpha1, kind: GitOpsRepo, metadata: {name: acme},
  spec: {
    environments: [{name: dev}, {name: prod, from: dev}],
    clusters: [
      {name: lab, environments: [dev]},   # at home
      # far away
      {name: eu, environments: [prod]}    # for all
    ],
    components: [
      {name: cm, chart: {oci: oci://quay.io/acme/cm, version: "1.0"}},
    ],
    apps: [{name: web},
           {name: api}],
  }
}
"""
_MIXED = """\
---
kind: GitOpsRepo
spec:
  environments: [{name: dev}, {name: prod, from: dev}]
  clusters: [{name: lab, environments: [dev]}, {name: eu, environments: [prod]}]
  apps:         []   # none yet
  tenants: []
  features: {}
"""
_DATA: dict[str, Any] = {
    "kind": "GitOpsRepo",
    "spec": {
        "environments": [{"name": "dev"}, {"name": "prod", "from": "dev"}],
        "clusters": [
            {"name": "lab", "environments": ["dev"]},
            {"name": "eu", "environments": ["prod"]},
        ],
        "apps": [{"name": "web"}],
        "features": {"ci": "github"},
    },
}
_FRESH = _MIXED.replace("apps:         []", "apps: []").replace("  tenants: []\n", "")
_TEXTS = {
    "lines": _BLOCK,
    "lines without comments": "".join(
        line for line in _BLOCK.splitlines(True) if not line.strip().startswith("#")
    ),
    "braces": _FLOW,
    "mixed": _MIXED,
    "fresh": _FRESH,
    "JSON": json.dumps(_DATA),
    "indented JSON": json.dumps(_DATA, indent=4) + "\n",
    "narrow JSON": json.dumps(_DATA, indent=1, separators=(",", ":")),
}


def _added(content: bytes, kind: Kind, *, on: int | None = None) -> bytes:
    content = append(content, ("spec", KINDS[kind]), _ADDED[kind])
    if kind != "env":
        return content
    if on is not None:
        return append(content, ("spec", "clusters", on, "environments"), "new")
    return append(content, ("spec", "clusters"), {"name": "its", "environments": ["new"]})


@pytest.mark.parametrize("name", _TEXTS)
@given(st.sampled_from([*KINDS]), st.sampled_from([None, 0, 1]), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_added_and_removed_again_leaves_every_byte_as_it_was(
    name: str, kind: Kind, on: int | None, ended: bool, windows: bool, marked: bool
) -> None:
    text = _TEXTS[name] if ended else _TEXTS[name].rstrip()
    text = ("\ufeff" if marked else "") + (text.replace("\n", "\r\n") if windows else text)
    before = text.encode()
    more = _added(before, kind, on=on)
    data = read(more, "gitops.yaml").documents[0].data
    assert data["spec"][KINDS[kind]][-1] == _ADDED[kind]
    assert removed(more, kind, "new") == before
    if name.endswith("JSON"):
        assert json.loads(more.decode("utf-8-sig")) == data


@pytest.mark.parametrize("name", _TEXTS)
@given(st.lists(st.sampled_from([*KINDS]), unique=True, min_size=1), st.randoms())
@settings(max_examples=30, deadline=None)
def test_what_is_removed_in_any_order_leaves_every_byte_as_it_was(
    name: str, kinds: list[Kind], random: Any
) -> None:
    before = more = _TEXTS[name].encode()
    for kind in kinds:
        more = _added(more, kind)
    random.shuffle(kinds)
    for kind in kinds:
        more = removed(more, kind, "new")
    assert more == before


@pytest.mark.parametrize("name", _TEXTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_changes_no_line_but_that_of_its_list(name: str, kind: Kind) -> None:
    before = _TEXTS[name]
    old = before.splitlines()
    new = _added(before.encode(), kind).decode().splitlines()
    changed = [
        old[start:end]
        for tag, start, end, _, _ in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag in ("replace", "delete")
    ]
    if name.startswith("lines"):
        assert not changed
    # one line of each list that is added to: its brackets, or the item that gets a comma
    assert sum(map(len, changed)) <= (2 if kind == "env" else 1)


def test_an_item_goes_with_the_comment_right_above_it_and_with_no_other() -> None:
    text = removed(_BLOCK.encode(), "app", "api").decode()
    assert text == _BLOCK.replace('        # the second\n        - {name: api, image: "a/b:1"}\n', "")
    text = removed(_FLOW.encode(), "cluster", "eu").decode()
    assert text == _FLOW.replace(
        "      # far away\n      {name: eu, environments: [prod]}    # for all\n", ""
    ).replace("[dev]},   # at", "[dev]}   # at")


def test_the_last_app_leaves_a_place_for_the_next_and_the_last_component_its_key() -> None:
    text = _BLOCK.encode()
    for kind, name in (("app", "web"), ("app", "api"), ("component", "cm"), ("component", "other")):
        text = removed(text, kind, name)  # type: ignore[arg-type]
    assert text.decode().endswith("        - prod\n    apps: []\n    # the end of it\n# the very end\n")


def test_the_first_key_beside_a_dash_goes_without_it() -> None:
    text = b"kind: GitOpsRepo\nspec:\n  environments:\n    - name: dev\n    - from: dev # not for long\n      name: prod\n"
    assert removed(text, "env", "dev").endswith(b"environments:\n    - name: prod\n")


def test_a_setting_changes_its_value_alone_and_json_stays_json() -> None:
    settings: dict[Path, object] = {("spec", "layout"): "monorepo", ("spec", "agent", "name"): "argocd"}
    text = assign(_BLOCK.encode(), settings).decode()
    assert (
        text.replace("layout: monorepo", "layout: config").replace("    agent:\n      name: argocd\n", "")
        == _BLOCK
    )
    spec = json.loads(assign(json.dumps(_DATA).encode(), settings))["spec"]
    assert (spec["layout"], spec["agent"], spec["apps"]) == (
        "monorepo",
        {"name": "argocd"},
        [{"name": "web"}],
    )


def test_a_comment_that_stands_further_in_stays_with_the_item_above_it() -> None:
    before = b"spec:\n  apps:\n    - name: a\n    - name: b\n      # of b\n  # of features\n  features: {}\n"
    item = b"      # of b\n    - name: new\n  # of features\n"
    made = append(before, ("spec", "apps"), {"name": "new"})
    assert made == before.replace(b"      # of b\n  # of features\n", item)
    assert remove(made, ("spec", "apps", 2)) == before


def test_an_edit_that_would_lose_a_comment_of_something_else_is_left_to_people() -> None:
    kept = b"spec:\n  environments:\n    - # first\n      name: dev\n    - name: prod\n  apps:\n    - name: web\n"
    assert b"dev" not in remove(kept, ("spec", "environments", 0))
    lost = kept + b"      environments: [dev, # as ever\n        ]\n"
    with pytest.raises(UserError, match="without losing a comment"):
        remove(lost, ("spec", "environments", 0))
