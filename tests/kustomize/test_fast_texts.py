"""YAML that kustomize writes otherwise than it was written: built alike or declined, each value with its own line."""

from __future__ import annotations

import pytest

from gitops_layout.kustomize.exact import Build, build
from gitops_layout.kustomize.fast import Declined, Fast
from gitops_layout.kustomize.walk import walk
from tests.kustomize.oracle import differences, fast, real, repository

HEAD = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n"

# What stands below the head, and whether the fast builder has to take it.
TEXTS: dict[str, tuple[str, bool]] = {
    "an empty value between braces": ("spec: {a: }\n", False),
    "a key alone between braces": ("spec: {a, b: c}\n", False),
    "an explicit key between brackets": ("spec: [? a]\n", False),
    "an empty value in a line that comes between braces": ("x: &x\n  a:\nspec: {b: *x}\n", False),
    "an empty value in a line": ("spec:\n  a:\n  b: [c]\n", True),
    "a word next to a quoted key": ('spec: {"x":y, "z":on, \'q\':no}\n', True),
    "a word with a tag": ("spec: {a: !!str y, b: !!bool yes}\n", False),
    "a date with an anchor": ("spec:\n  a: &x 2001-01-01\n  b: *x\n", False),
    "a date with a tag": ("spec: {a: !!timestamp 2001-01-01}\n", False),
    "a quoted date with a tag": ('spec: {a: !!timestamp "2001-01-01"}\n', False),
    "a date under a word": ("spec:\n  y: 2001-01-01\n  n: {d: 2001-01-02}\n", True),
    "a folded text below its key": ("spec:\n  a:\n    >\n     x\n       y\n", False),
    "a folded text as a key": ("spec:\n  ? >\n   x\n     y\n  : z\n", False),
    "a folded text below its dash": ("spec:\n  -\n    >+\n     x\n\n      y\n", False),
    "a folded text below an anchor": ("spec:\n  - &a\n    >-\n     x\n      y\n", False),
    "a last text without an end under a word": ("data:\n  y: |\n    a", True),
    "a last text without an end far below a word": ("spec:\n  y:\n    z: |\n      a", True),
    "a last text without an end with a tag": ("spec:\n  a: !!str |\n    a", False),
    "a last key without an end": ("spec:\n  ? |\n    a", False),
    "words that are one to kubectl": ("spec: {y: 1, on: 2}\n", False),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_builds_as_kubectl_builds_it_or_is_declined(name):
    text, taken = TEXTS[name]
    repo = repository({"kustomization.yaml": "resources: [t.yaml]\nnamePrefix: p-\n", "t.yaml": HEAD + text})
    ours = fast(repo, "")
    assert isinstance(ours, Fast) or not taken, ours
    assert isinstance(ours, Declined) or differences(ours, real(repo, "")) == []


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("target", ["", ", target: {kind: Thing}"])
def test_a_patch_of_it_builds_as_kubectl_builds_it_or_is_declined(name, target):
    files = {
        "kustomization.yaml": f"resources: [t.yaml]\npatches: [{{path: p.yaml{target}}}]\n",
        "t.yaml": f"{HEAD}spec: {{a: 1, y: [b]}}\n",
        "p.yaml": HEAD + TEXTS[name][0],
    }
    repo = repository(files)
    ours = fast(repo, "")
    assert isinstance(ours, Declined) or differences(ours, real(repo, "")) == []


@pytest.mark.parametrize("first", ["%YAML 1.1\n---\n", "# c\n%TAG ! tag:x,2000:\n---\n"])
def test_a_directive_that_kustomize_refuses_is_declined(first):
    repo = repository({"kustomization.yaml": "resources: [t.yaml]\n", "t.yaml": f"{first}{HEAD}"})
    assert isinstance(fast(repo, ""), Declined)
    assert real(repo, "").problem is not None


@pytest.mark.parametrize("word", ["y", "N", "on", "'true'"])
def test_a_value_under_a_word_that_kubectl_takes_for_a_truth_value_has_its_own_line(word):
    files = {
        "kustomization.yaml": f"resources: [t.yaml]\npatches:\n- patch: |\n    {HEAD.replace(chr(10), chr(10) + '    ')}spec:\n      b:\n        {word}: 3\n",
        "t.yaml": f"{HEAD}spec:\n  a:\n    h: 8\n    w: 9\n    {word}: 16\n  b: {{h: 1, {word}: 2}}\n",
    }  # fmt: skip
    repo = repository(files)
    build = fast(repo, "")
    assert isinstance(build, Fast)
    key = word.strip("'")

    def lines(*path: str) -> list[tuple[str, int]]:
        found = build.origin(0, ("spec", *path, key))
        return [(place.file, repo.span(place).line) for place in (found.where, *found.earlier)]

    assert lines("a") == [("t.yaml", 8)]
    assert lines("b") == [("kustomization.yaml", 9), ("t.yaml", 9)]


@pytest.mark.parametrize("inline", [False, True])
def test_a_plugin_whose_name_is_a_word_is_built_by_kustomize(inline):
    plugin = "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: y}\nannotations: {a: b}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n"  # fmt: skip
    inner = plugin.replace("\n", "\n  ")
    listed = f"- |-\n  {inner}" if inline else "- p.yaml\n"
    files = {"kustomization.yaml": f"resources: [t.yaml]\ntransformers:\n{listed}", "p.yaml": plugin}
    repo = repository({**files, "t.yaml": HEAD})
    assert isinstance(fast(repo, ""), Declined)
    built = build(repo, Build(walk(repo, "")))
    assert built.problem is None
    assert built.objects[0]["metadata"]["annotations"] == {"a": "b"}
