"""Origins are causes: what changes at the claimed place changes the leaves that claim it, and no others."""

from __future__ import annotations

import json
from random import Random

import pytest

from gitops_layout.kustomize.fast import Fast
from tests.kustomize.oracle import fast, repository
from tests.kustomize.trees import tree
from tools.origins import Tally, check


@pytest.mark.parametrize("seed", range(0, 1600, 200))
def test_changing_the_claimed_place_changes_exactly_the_leaves_that_claim_it(seed):
    tally, number = Tally(), seed
    while tally.tried < 12 and number < seed + 20:
        tally.add(check(repository(tree(Random(number), "k")), "k/overlay", Random(number), places=24))
        number += 1
    assert tally.broken == []
    assert tally.tried >= 12
    assert tally.unplaced <= 0.2 * tally.leaves


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


def test_a_value_that_a_replacement_brings_itself_stands_on_its_line():
    repo = repository(
        {
            "kustomization.yaml": "resources: [p.yaml]\nreplacements:\n- sourceValue: b\n  targets:\n"
            "  - select: {kind: ConfigMap}\n    fieldPaths: [data.k]\n",
            "p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\ndata:\n  k: a\n",
        }
    )
    build = fast(repo, "")
    assert isinstance(build, Fast)
    found = build.origin(0, ("data", "k"))
    assert [(place.file, repo.span(place).line) for place in (found.where, *found.earlier)] == [
        ("kustomization.yaml", 3),
        ("p.yaml", 5),
    ]


def test_an_image_that_two_fields_mean_is_written_once():
    repo = repository(
        {
            "kustomization.yaml": "resources: [p.yaml]\nimages:\n- {name: nginx, newTag: '2'}\n",
            "p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: p}\nspec: {template: {spec: {containers: [\n"
            "{name: a, image: nginx}]}}}\n",
        }
    )
    build = fast(repo, "")
    assert isinstance(build, Fast)
    found = build.origin(0, ("spec", "template", "spec", "containers", 0, "image"))
    assert found.where.path == ("images", 0, "newTag")
    assert [place.file for place in found.earlier] == ["p.yaml"]


def test_a_variable_in_a_text_is_one_of_its_writers():
    repo = repository(
        {
            "kustomization.yaml": "resources: [p.yaml, s.yaml]\nnamePrefix: a-\n"
            "vars: [{name: S, objref: {apiVersion: v1, kind: Service, name: s}}]\n",
            "p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
            "  - name: a\n    args: [$(S), 'x $(S)']\n",
            "s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n",
        }
    )
    build = fast(repo, "")
    assert isinstance(build, Fast)
    assert build.objects[1]["spec"]["containers"][0]["args"] == ["a-s", "x a-s"]
    whole, part = (build.origin(1, ("spec", "containers", 0, "args", n)) for n in (0, 1))
    assert (whole.where.file, whole.where.path) == ("kustomization.yaml", ("namePrefix",))
    assert part.where.path == ("spec", "containers", 0, "args", 1)
    assert part.earlier[0].path == ("namePrefix",)


def test_what_a_json_patch_copies_or_moves_stays_its_first_writers():
    repo = repository(
        {
            "kustomization.yaml": "resources: [a.yaml]\npatches:\n- target: {kind: Foo}\n  patch: |-\n"
            "    - {op: copy, from: /spec/a, path: /spec/b}\n    - {op: move, from: /spec/m, path: /spec/n}\n"
            "    - {op: copy, from: /spec/b, path: /spec/list/-}\n",
            "a.yaml": "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\nspec:\n  a: one\n  m:\n    deep: two\n  list: [x]\n",
        }
    )
    build = fast(repo, "")
    assert isinstance(build, Fast)
    outer, own = "kustomization.yaml", "a.yaml"
    expected = {
        ("b",): [(own, 5), (outer, 5)],
        ("n", "deep"): [(own, 7), (outer, 6)],
        ("list", 0): [(own, 8)],
        ("list", 1): [(own, 5), (outer, 7), (outer, 5)],
    }
    for path, places in expected.items():
        found = build.origin(0, ("spec", *path))
        assert [(place.file, repo.span(place).line) for place in (found.where, *found.earlier)] == places, (
            path
        )


@pytest.mark.parametrize(
    "patch",
    [
        """'[{"op": "replace", "path": "/spec/n", "value": 3}]'""",
        r'''"[{\"op\": \"replace\", \"path\": \"/spec/n\", \"value\": 3}]"''',
        '''"[{\\"op\\": \\"replace\\", \\"path\\": \\"/spec/n\\",\\\n    \\ \\"value\\": 3}]"''',
        r'''"- op: replace\n  path: \x2fspec/n\n  value: 3\n"''',
        """>-\n    [\n      {"op": "replace", "path": "/spec/n",\n       "value": 3}\n    ]""",
        """'{"apiVersion": "x/v1", "kind": "Foo", "metadata": {"name": "a", "annotations": {"it''s": ""}},\n
      "spec": {"n":\n\n      3}}'""",
        "|\n    apiVersion: x/v1\n    kind: Foo\n    metadata: {name: a}\n    spec: {n: 3}",
    ],
)
def test_a_value_of_an_inline_patch_stands_in_the_text_however_that_is_written(patch):
    text = f"resources: [a.yaml]\npatches:\n- target: {{kind: Foo}}\n  patch: {patch}\n"
    own = "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\nspec: {n: 1}\n"
    repo = repository({"kustomization.yaml": text, "a.yaml": own})
    build = fast(repo, "")
    assert isinstance(build, Fast)
    assert build.objects[0]["spec"]["n"] == 3
    span = repo.span(build.origin(0, ("spec", "n")).where)
    assert (text[span.start : span.end], span.start) == ("3", text.index("3"))


def test_values_in_the_text_of_a_plugin_are_causes_when_real_kustomize_builds():
    patch = {"apiVersion": "x/v1", "kind": "Foo", "metadata": {"name": "a", "labels": {"l": "y"}}}
    plugin = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "p"}}
    repo = repository(
        {
            "k/kustomization.yaml": "resources: [a.yaml]\ntransformers: [p.json]\n",
            "k/p.json": json.dumps({**plugin, "patch": json.dumps(patch)}),
            "k/a.yaml": "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\n",
        }
    )
    tally = check(repo, "k", Random(1), places=9, real=True)
    assert tally.broken == []
    assert tally.held == 1
