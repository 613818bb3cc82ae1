"""YAML that kustomize reads otherwise than libyaml, and where its own notes show: built alike, or declined."""

from __future__ import annotations

import json

import pytest

from gitops_layout.kustomize.fast import Declined
from tests.kustomize.oracle import differences, fast, real, repository

K = "kustomization.yaml"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
BASE = {"c.yaml": CONFIG, K: "resources: [c.yaml]\n"}
LINES = '"\\tx\\ny\\n"'
NOT_CREATED = "labels: [{pairs: {l: v}, fields: [{path: metadata/annotations}]}]\n"
SLASH = "\\/"
ADD = "- {op: add, path: /data, value: {a: b}}\n"
TO_ALL = "patches: [{path: p.yaml, target: {kind: ConfigMap}}]\n"
REPLACEMENT = "- source: {kind: ConfigMap, fieldPath: metadata.name}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [metadata.annotations.b], options: {create: true}}]\n"
NULL = f"{CONFIG.replace('{name: a}', '{name: a, annotations: {app: null}}')}"
MERGE = "- patch: |-\n    " + NULL.strip().replace("\n", "\n    ") + "\n"
NAMED = CONFIG.replace("{name: a}", "{name: a, annotations: {app: v}}")


def texts(value: str) -> dict[str, dict[str, str]]:
    """One text in every place that a build reads."""
    generator = "configMapGenerator:\n- name: g\n"
    plugin = f"apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {{name: p}}\nannotations: {{a: {value}}}\nfieldSpecs: [{{path: metadata/annotations, create: true}}]\n"
    json_patch = "patches: [{target: {kind: ConfigMap}, patch: '- {op: add, path: /data/x, value: y}'}]\n"
    data = {"c.yaml": f"{CONFIG}data: {{a: {value}}}\n"}
    return {
        "an object": data,
        "an object that is named": {**data, K: f"{BASE[K]}namePrefix: p-\nnamespace: ns\n"},
        "an object under a JSON patch": {**data, K: BASE[K] + json_patch},
        "an object that a generator merges": {**data, K: f"{BASE[K]}configMapGenerator: [{{name: a, behavior: merge, literals: [b=c]}}]\n"},
        "a key": {"c.yaml": f"{CONFIG}spec: {{{value}: x}}\n"},
        "an annotation": {"c.yaml": CONFIG.replace("name: a", f"name: a, annotations: {{a: {value}}}")},
        "a literal": {K: f"{generator}  literals: [{json.dumps('k=' + value.strip(chr(34)))[:-1].replace(chr(92) * 2, chr(92))}\"]\n"},
        "a generator's options": {K: f"{generator}  literals: [a=b]\n  options: {{annotations: {{a: {value}}}}}\n"},
        "an annotation of all": {K: f"{BASE[K]}commonAnnotations: {{a: {value}}}\n"},
        "a strategic merge": {K: f"{BASE[K]}patches: [{{path: p.yaml}}]\n", "p.yaml": f"{CONFIG}data: {{x: {value}}}\n"},
        "a JSON patch": {K: BASE[K] + TO_ALL, "p.yaml": f"- {{op: add, path: /data, value: {{x: {value}}}}}\n"},
        "a JSON patch in JSON": {K: BASE[K] + TO_ALL, "p.yaml": f'[{{"op": "add", "path": "/data", "value": {{"x": {value}}}}}]\n'},
        "a plugin": {K: f"{BASE[K]}transformers: [t.yaml]\n", "t.yaml": plugin},
        "a configuration": {K: f"{BASE[K]}configurations: [t.yaml]\n", "t.yaml": f"namePrefix: [{{kind: {value}, path: data/x}}]\n"},
        "replacements": {K: f"{BASE[K]}replacements: [{{path: t.yaml}}]\n", "t.yaml": REPLACEMENT.replace("metadata.annotations.b", '"metadata.annotations.b"').replace("kind: ConfigMap}", f"kind: ConfigMap, labelSelector: {value}}}")},
        "JSON": {"c.yaml": f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "a"}}, "data": {{"a": {value}}}}}\n'},
    }  # fmt: skip


TEXTS = {
    "a slash": f'"x{SLASH}y"',
    "a slash with an anchor": f'&a !!str "x{SLASH}y"',
    "lines behind a tab": LINES,
    "a next line": '"a\\u0085b"',
}
FIRST = ("---\n---\n", "---\n# c\n---\n", "# c\n---\n# d\n---\n", "---\n...\n---\n", "--- # c\n---\n")
STARTING = {
    "a kustomization": lambda first: {K: f"{first}{BASE[K]}namePrefix: p-\n"},
    "a base": lambda first: {K: "resources: [b]\n", f"b/{K}": f"{first}resources: [../c.yaml]\n"},
    "an object": lambda first: {"c.yaml": first + CONFIG},
    "a JSON patch": lambda first: {K: BASE[K] + TO_ALL, "p.yaml": first + ADD},
    "a strategic merge": lambda first: {K: f"{BASE[K]}patches: [{{path: p.yaml}}]\n", "p.yaml": f"{first}{CONFIG}data: {{a: b}}\n"},
    "replacements": lambda first: {K: f"{BASE[K]}replacements: [{{path: t.yaml}}]\n", "t.yaml": first + REPLACEMENT},
    "a configuration": lambda first: {K: f"{BASE[K]}configurations: [t.yaml]\nnamePrefix: p-\n", "t.yaml": f"{first}namePrefix: [{{path: data/x, kind: ConfigMap, create: true}}]\n"},
}  # fmt: skip

CASES: dict[str, dict[str, str]] = {
    **{f"{name} in {place}": files for name, text in TEXTS.items() for place, files in texts(text).items()},
    "a slash that a merge key leaves out": {"c.yaml": f'{CONFIG}data: {{a: x, <<: {{a: "x{SLASH}y", b: z}}}}\n'},
    **{f"{first!r} ahead of {name}": make(first) for first in FIRST for name, make in STARTING.items()},
    "lines behind a tab in a file": {K: "configMapGenerator: [{name: g, files: [f]}]\n", "f": "\tx\ny\n"},
    **{f"a tab in a block {head}": {"c.yaml": f"{CONFIG}data:\n  a: {head}\n    \tx\n"} for head in ("|-", ">-", "|2-", "&a |-", "!!str >-", "|")},
    **{
        f"a comment behind a kept text {head} {place}": {"c.yaml": f"{CONFIG}data:\n  a: {head}\n    x\n\n{comment}"}
        for head in ("|+", ">+", "|2+", "|+2", "&a |+", "|")
        for place, comment in {"at the end": "# c", "below": "# c\n", "further right": "  # c\n", "ahead of a key": "  # c\n  b: c\n"}.items()
    },
    "lines behind a tab in a block": {"c.yaml": f"{CONFIG}data:\n  a: |2\n    \tx\n    y\n"},
    "a next line in a file": {K: "configMapGenerator: [{name: g, files: [f]}]\n", "f": "x\x85"},
    **{
        f"a null annotation with {option} over {name}": {"c.yaml": text, K: f"{BASE[K]}patches:\n{MERGE}  options: {{{option}}}\n"}
        for option in ("allowKindChange: true", "allowNameChange: true", "allowNameChange: false")
        for name, text in {"none": CONFIG, "its own": NAMED}.items()
    },
    **{
        f"a label at annotations after {field or 'nothing'}": {K: f"{BASE[K]}{field}{NOT_CREATED}"}
        for field in ("", "namespace: ns\n", "namePrefix: p-\n", "nameSuffix: -s\n")
    },
    **{
        f"a list with {name} in a patch with{target or 'out'} a target": {"c.yaml": f"{CONFIG}spec: {{x: [k]}}\n", K: f"{BASE[K]}patches: [{{path: p.yaml{target}}}]\n", "p.yaml": f"{CONFIG}spec:\n  x:\n{text}"}
        for name, text in {"an empty item": "  -\n", "an empty field": "  - a:\n    b: c\n", "a list of an empty field": "  - - a:\n"}.items()
        for target in ("", ", target: {kind: ConfigMap}")
    },
    **{
        f"a replacement that is its own target {how}": {"c.yaml": f"{CONFIG.replace('name: a', 'name: a.b')}---\n{CONFIG}", K: f"resources: [c.yaml]\nreplacements: [{{source: {{name: a.b}}, targets: [{{select: {{name: '.*'}}, fieldPaths: [metadata.name], options: {{create: true{options}}}}}]}}]\n"}
        for how, options in {"in part": ", delimiter: ., index: 0", "as a whole": ""}.items()
    },
    **{
        f"a {name} that {end} ends": {"c.yaml": f"{CONFIG}data:\n  a: {style}\n      x\n\n      y\n{last}"}
        for name, style in {"literal text": "|", "folded text": ">", "kept text": "|+", "stripped text": ">-"}.items()
        for end, last in {"a comment": "  # c", "its own comment": "      # c", "a comment like it": "      # c\n  # c", "a blank": "  ", "a comment further right": "     # c", "a separator": "---", "a separator with a comment": "--- # c", "an end": "...", "blanks further right": "        "}.items()
    },
    "a label at annotations of a named base": {f"b/{K}": "namePrefix: p-\nresources: [../c.yaml]\n", K: f"resources: [b]\n{NOT_CREATED}"},
    "a label at annotations of what is generated": {K: f"configMapGenerator: [{{name: g, literals: [a=b]}}]\n{NOT_CREATED}"},
    "a label at annotations of what is generated without a hash": {K: f"configMapGenerator: [{{name: g, literals: [a=b], options: {{disableNameSuffixHash: true}}}}]\n{NOT_CREATED}"},
    **{
        f"{field} at annotations": {K: f"{BASE[K]}namePrefix: p-\n{field}: {value}\nconfigurations: [k.yaml]\n", "k.yaml": f"{field}: [{{path: metadata/annotations, kind: ConfigMap}}]\n"}
        for field, value in {"commonLabels": "{l: v}", "replicas": "[{name: a, count: 2}]", "nameSuffix": "-s", "namespace": "ns"}.items()
    },
    **{
        f"a JSON patch of annotations of what a generator {verb} {how}": {K: f"{BASE[K]}configMapGenerator: [{{{entry}, literals: [a=b]{options}}}]\npatches: [{{target: {{name: {named}}}, patch: '- {{op: {op}, path: /metadata/annotations/x, value: y}}'}}]\n"}
        for verb, (entry, named) in {"makes": ("name: g", "g"), "merges": ("name: a, behavior: merge", "a"), "replaces": ("name: a, behavior: replace", "a")}.items()
        for how, options in {"with a hash": "", "without": ", options: {disableNameSuffixHash: true}"}.items()
        for op in ("add", "test")
    },
    **{
        f"a label at annotations of what a generator {verb}": {K: f"{BASE[K]}configMapGenerator: [{{name: a, behavior: {verb[:-1]}, literals: [a=b], options: {{disableNameSuffixHash: true}}}}]\n{NOT_CREATED}"}
        for verb in ("merges", "replaces")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_builds_as_kubectl_builds_it_or_is_declined(name):
    repo = repository({**BASE, **CASES[name]})
    ours = fast(repo, "")
    assert isinstance(ours, Declined) or differences(ours, real(repo, "")) == []


TAKEN: dict[str, dict[str, str]] = {
    "a slash that is no escape": {"c.yaml": f"{CONFIG}data:\n  a: x{SLASH}y\n  b: 'x{SLASH}'\n  c: |\n    \"x{SLASH}\"\n  d: \"x\\{SLASH}y\"\n"},
    "a slash in a patch that is JSON": {K: BASE[K] + TO_ALL, "p.yaml": f'[{{"op": "add", "path": "{SLASH}data", "value": {{"a": "b{SLASH}c"}}}}]\n'},
    "a tab ahead of one line": {"c.yaml": f'{CONFIG}data: {{a: "\\tx", b: "x\\n\\ty\\n"}}\n'},
    "one separator": {K: f"# c\n---\n{BASE[K]}"},
    "null annotations without options": {"c.yaml": NAMED, K: f"{BASE[K]}patches:\n{MERGE}"},
    "a label at annotations that are there": {"c.yaml": NAMED, K: f"{BASE[K]}namespace: ns\n{NOT_CREATED}"},
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_what_only_looks_like_it_is_built_alike(name):
    repo = repository({**BASE, **TAKEN[name]})
    ours = fast(repo, "")
    assert not isinstance(ours, Declined), ours
    assert differences(ours, real(repo, "")) == []


THING = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {v: %s}\n---\n"
COPIED = f"{BASE[K]}replacements:\n- source: {{kind: Thing, fieldPath: spec.v}}\n  targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [data.a]}}]\n"
INTO = f"{BASE[K]}replacements:\n- sourceValue: w\n  targets: [{{select: {{kind: Thing}}, fieldPaths: [spec.v]}}]\n"
COUNTED = f"{BASE[K]}replacements:\n- sourceValue: '1e3'\n  targets: [{{select: {{kind: Thing}}, fieldPaths: [spec.v]}}]\n"
MERGED = f"{BASE[K]}configMapGenerator: [{{name: a, behavior: merge, literals: [b=c]}}]\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: %s, protocol: TCP}]}\n"
PORTED = f"resources: [c.yaml, s.yaml]\npatchesStrategicMerge: [{json.dumps(SERVICE % '0x50')}]\n"
VARIED = f"{BASE[K]}vars: [{{name: V, objref: {{apiVersion: example.com/v1, kind: Thing, name: t}}, fieldref: {{fieldPath: spec.v}}}}]\ncommonAnnotations: {{q: $(V)}}\n"


@pytest.mark.parametrize(
    ("fields", "value", "data"),
    [
        (COPIED, "2.0", "x"),
        (COPIED, "0x1F", "x"),
        (COPIED, "True", "x"),
        (COPIED, "2020-01-01", "x"),
        (COPIED, "!!binary aGk=", "x"),
        (INTO, "2020-01-01", "x"),
        (COUNTED, "1", "x"),
        (VARIED, "2020-01-01", "x"),
        (VARIED, "9223372036854775808", "x"),
        (MERGED, "x", "2020-01-01"),
        (MERGED, "x", "!!binary aGk="),
        (PORTED, "x", "x"),
        (BASE[K], "! ", "x"),
        (BASE[K], "! 5", "x"),
    ],
)
def test_what_depends_on_an_unusual_spelling_is_left_to_kustomize(fields: str, value: str, data: str):
    files = {"c.yaml": f"{THING % value}{CONFIG}data: {{a: {data}}}\n", "s.yaml": SERVICE % "80", K: fields}
    assert isinstance(fast(repository(files), ""), Declined)


@pytest.mark.parametrize("value", ["3", "8080123", "true", "v1", "'2.0'"])
def test_a_usual_value_is_copied_as_it_is_written(value: str):
    for fields in (COPIED, VARIED):
        repo = repository({"c.yaml": f"{THING % value}{CONFIG}data: {{a: x}}\n", K: fields})
        ours = fast(repo, "")
        assert not isinstance(ours, Declined)
        assert not differences(ours, real(repo, ""))
