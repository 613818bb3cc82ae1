"""Origins of what real kustomize built: those of our builder where it could follow, and elsewhere a guess that says so."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from gitops_layout.kustomize.exact import Build, build
from gitops_layout.kustomize.fast import Declined
from gitops_layout.kustomize.fast import build as fast_build
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location
from gitops_layout.render.aligned import Aligned
from tests.kustomize.oracle import repository
from tests.kustomize.trees import tree
from tools.origins import Tally, check

POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: nginx:1\n    tty: false\n"
    "    ports:\n    - {containerPort: 80, protocol: TCP}\n    - {containerPort: 80, protocol: UDP}\n"
)
SCHEMA = '# {"type": "string"}\n'
"""A comment that kustomize may take for a schema: our builder leaves such a file to it."""


def aligned(files: dict[str, str], *, declined: bool = True) -> tuple[Any, Aligned, Any]:
    """The objects that real kustomize builds, their origins, and the lines of these."""
    repo = repository(files)  # type: ignore[arg-type]
    closure = walk(repo, "")
    assert isinstance(fast_build(repo, closure), Declined) == declined
    built = build(repo, Build(closure))
    assert built.problem is None
    origins = Aligned(repo, closure, built.objects, Location("kustomization.yaml"))

    def line(*path: str | int) -> tuple[str, int, bool]:
        place = origins.origin(0, path).where
        return place.file, repo.span(place).line, origins.approximate(0, path)

    return built.objects, origins, line


@pytest.mark.parametrize("namespace", ["{a: []}", "[z]", "7"])
def test_a_namespace_that_is_no_text_has_a_place_like_any_other(namespace: str) -> None:
    odd = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, namespace: {namespace}}}\n"
    plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n"
    files = {"kustomization.yaml": "resources: [c.yaml, s.yaml]\n", "c.yaml": odd, "s.yaml": plain}
    objects, _, line = aligned(files)
    assert objects[0]["metadata"]["name"] == "x"
    assert line("metadata", "namespace") == ("c.yaml", 3, False)


def test_a_file_that_our_builder_is_not_sure_of_is_followed_all_the_same() -> None:
    kustomization = (
        "resources: [p.yaml]\nnamePrefix: a-\npatches:\n- target: {kind: Pod}\n  patch: |\n"
        "    - op: replace\n      path: /spec/containers/0/tty\n      value: true\n"
        "replacements:\n- source: {kind: Pod, fieldPath: kind}\n  targets:\n"
        "  - {select: {kind: Pod}, fieldPaths: [metadata.labels.k], options: {create: true}}\n"
    )
    objects, origins, line = aligned({"kustomization.yaml": kustomization, "p.yaml": SCHEMA + POD})
    assert objects[0]["metadata"] == {"name": "a-p", "labels": {"k": "Pod"}}
    assert line("metadata", "name") == ("kustomization.yaml", 2, False)
    assert line("metadata", "labels", "k") == ("p.yaml", 3, False)
    assert line("spec", "containers", 0, "tty") == ("kustomization.yaml", 8, False)
    assert line("spec", "containers", 0, "image") == ("p.yaml", 8, False)
    assert line("spec", "containers", 0, "ports", 1, "protocol") == ("p.yaml", 12, False)
    assert origins.origin(0, ("spec", "containers", 0, "tty")).earlier[0].file == "p.yaml"


FOO = """\
{"definitions": {"io.ex.v1.Foo": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "ex.io", "kind": "Foo",
"version": "v1"}], "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}}}}
"""


@pytest.mark.parametrize(
    ("schema", "declined"), [(FOO, False), (FOO.replace("{", '{"paths": {"/x": {}}, ', 1), True)]
)
def test_a_schema_of_the_kustomization_s_own_says_how_lists_are_merged(schema: str, declined: bool) -> None:
    patch = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: nginx:1\n"
    kustomization = "resources: [p.yaml]\nopenapi: {path: s.json}\npatches: [{path: patch.yaml}]\n"
    files = {"kustomization.yaml": kustomization, "p.yaml": POD, "patch.yaml": patch, "s.json": schema}
    objects, _, line = aligned(files, declined=declined)
    assert objects[0]["spec"]["containers"] == [
        {"name": "a", "image": "nginx:1"}
    ]  # the whole list is replaced
    assert line("spec", "containers", 0, "name")[2] is declined
    if not declined:
        assert line("spec", "containers", 0, "name") == ("patch.yaml", 6, False)


def test_what_a_step_writes_that_is_not_followed_is_a_guess_at_that_step() -> None:
    kustomization = (
        "resources: [p.yaml]\npatches:\n- target: {kind: Pod, name: '(?i)P'}\n  patch: |\n"
        "    - op: replace\n      path: /spec/containers/0/tty\n      value: true\n"
        "    - op: test\n      path: /kind\n      value: Pod\n"
    )
    _, _, line = aligned({"kustomization.yaml": kustomization, "p.yaml": POD})
    assert line("spec", "containers", 0, "tty") == ("kustomization.yaml", 7, True)
    assert line("spec", "containers", 0, "image") == ("p.yaml", 7, False)
    assert line("kind") == ("p.yaml", 2, False)


def test_changing_the_claimed_place_changes_exactly_the_leaves_that_claim_it() -> None:
    """The share of guesses is one of all trees: a single one may consist of what is guessed."""
    tally = Tally()
    for seed in range(0, 800, 200):
        wanted, number = tally.tried + 12, seed
        while tally.tried < wanted and number < seed + 20:
            files = tree(Random(number), "k")
            for path, text in files.items():
                if path.startswith("k/base/") and path.endswith(".yaml") and "kustomization" not in path:
                    files[path] = f"{SCHEMA}{text!s}"
            tally.add(check(repository(files), "k/overlay", Random(number), places=24, real=True))
            number += 1
    assert tally.broken == []
    assert tally.tried >= 48
    assert tally.guessed <= 0.15 * tally.leaves


def test_what_a_patch_gives_to_one_element_is_not_claimed_for_another() -> None:
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  strategy: {type: RollingUpdate}\n  template:\n"
        "    spec:\n      volumes:\n      - {name: v1, emptyDir: {}}\n      - {name: v2, emptyDir: {}}\n      containers:\n"
        "      - name: one\n        image: i\n        args: [a, b]\n        ports:\n        - {containerPort: 80, protocol: TCP}\n"
        "        - {containerPort: 80, protocol: UDP}\n      - name: two\n        image: j\n"
    )
    patch = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  strategy:\n    $retainKeys: [type]\n"
        "    type: Recreate\n  template:\n    spec:\n      volumes:\n      - {name: v1, $patch: delete}\n      containers:\n"
        "      - name: one\n        args: [c]\n        ports:\n        - containerPort: 80\n          protocol: UDP\n"
        "          name: u\n      - name: new\n        image: n\n"
    )
    kustomization = "resources: [d.yaml]\npatches: [{path: p.yaml}]\n"
    objects, _, line = aligned({"kustomization.yaml": kustomization, "d.yaml": deployment, "p.yaml": patch})
    pod = objects[0]["spec"]["template"]["spec"]
    number = {container["name"]: index for index, container in enumerate(pod["containers"])}
    ports = {port["protocol"]: index for index, port in enumerate(pod["containers"][number["one"]]["ports"])}
    expected = {
        ("containers", number["one"], "name"): ("d.yaml", 12),
        ("containers", number["one"], "image"): ("d.yaml", 13),
        ("containers", number["one"], "args", 0): ("p.yaml", 14),
        ("containers", number["one"], "ports", ports["TCP"], "containerPort"): ("d.yaml", 16),
        ("containers", number["one"], "ports", ports["UDP"], "name"): ("p.yaml", 18),
        ("containers", number["two"], "image"): ("d.yaml", 19),
        ("containers", number["new"], "name"): ("p.yaml", 19),
        ("containers", number["new"], "image"): ("p.yaml", 20),
        ("volumes", 0, "name"): ("d.yaml", 10),
    }
    assert {path: line("spec", "template", "spec", *path)[:2] for path in expected} == expected
    assert line("spec", "strategy", "type") == ("p.yaml", 7, True)
