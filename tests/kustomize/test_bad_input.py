"""What kustomize refuses we refuse, on the line that causes it and with what to do; what it takes we take."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitops_layout.kustomize.choose import build_all
from gitops_layout.kustomize.exact import Build, Built
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location
from gitops_layout.repo.load import from_work_tree
from tests.kubectl import KUBECTL
from tests.kustomize.oracle import repository

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n"
GONE = CONFIG.replace("name: c", "name: gone")
DEEP = f"{CONFIG}x: {'[' * 10_000}{']' * 10_000}\n"
KEYS = f"{CONFIG}x:\n  {'? ' * 500}x\n"
LARGE = f"{CONFIG}x:\n  {'- ' * 500}x\n" + f"# {'x' * 1022}\n" * 10_240
COMPONENT = {"kind": "Component", "apiVersion": "kustomize.config.k8s.io/v1alpha1"}
SOURCE = {"source": {"kind": "ConfigMap"}, "targets": [{"select": {"kind": "ConfigMap"}, "fieldPaths": ["data.gone.x"]}]}  # fmt: skip
K = "kustomization.yaml"


def on(operation: str) -> dict[str, Any]:
    """A kustomization that applies a JSON patch."""
    return {
        "resources": ["c.yaml"],
        "patches": [{"target": {"kind": "ConfigMap"}, "patch": f"- {operation}"}],
    }


# The kustomization, more files, the line of the complaint (None: it builds) and words of it.
CASES: dict[str, tuple[Any, dict[str, Any], str | None, str]] = {
    "a patch that matches nothing": ({"resources": ["c.yaml"], "patches": [{"path": "p.yaml"}]}, {"p.yaml": GONE}, "p.yaml:3", "matches no object: name an object"),
    "an inline patch that matches nothing": ({"resources": ["c.yaml"], "patches": [{"patch": GONE}]}, {}, f"{K}:1", "ConfigMap gone matches no object"),
    "a target that matches nothing": ({"resources": ["c.yaml"], "patches": [{"target": {"kind": "Gone"}, "patch": "- {op: add, path: /x, value: 1}"}]}, {}, None, ""),
    "a JSON patch of what is not there": (on("{op: remove, path: /data/gone}"), {}, f"{K}:1", "nothing at /data/gone"),
    "a JSON patch below what is not there": (on("{op: replace, path: /data/gone/x, value: 1}"), {}, f"{K}:1", "correct the path"),
    "a test that fails": (on("{op: test, path: /data/k, value: w}"), {}, f"{K}:1", "the test of a JSON patch fails"),
    "folders that include each other": ({"resources": ["a"]}, {f"a/{K}": {"resources": ["../b"]}, f"b/{K}": {"resources": ["../a"]}}, f"b/{K}:1", "a → b → a"),
    "a folder that includes itself": ({"resources": ["."]}, {}, f"{K}:1", "include each other"),
    "a component that includes itself": ({"resources": ["c.yaml"], "components": ["x"]}, {f"x/{K}": {**COMPONENT, "components": ["../x"]}}, f"x/{K}:1", "x → x"),
    "an object of 10,000 levels": ({"resources": ["d.yaml"]}, {"d.yaml": DEEP}, "d.yaml:5", "write it flatter"),
    "a patch of 10,000 levels": ({"resources": ["c.yaml"], "patches": [{"path": "d.yaml"}]}, {"d.yaml": DEEP}, "d.yaml:5", "write it flatter"),
    "keys of 500 levels": ({"resources": ["d.yaml"]}, {"d.yaml": KEYS}, "d.yaml:6", "write it flatter"),
    "an inline patch whose keys have 500 levels": ({"resources": ["c.yaml"], "patches": [{"patch": KEYS}]}, {}, f"{K}:1", "write it flatter"),
    "a kustomization of 10,000 levels": (f"resources: {'[' * 10_000}{']' * 10_000}\n", {}, f"{K}:1", "write it flatter"),
    "a file listed twice": ({"resources": ["c.yaml", "./c.yaml"]}, {}, "c.yaml:3", "list it once"),
    "an object in two files": ({"resources": ["c.yaml", "e.yaml"]}, {"e.yaml": CONFIG}, "e.yaml:3", "the first is from c.yaml"),
    "a base brought twice": ({"resources": ["a", "b"]}, {f"a/{K}": {"resources": ["../c.yaml"]}, f"b/{K}": {"resources": ["../c.yaml"]}}, "c.yaml:3", "two objects are ConfigMap c"),
    "a generator of what is there": ({"resources": ["c.yaml"], "configMapGenerator": [{"name": "c"}]}, {}, f"{K}:1", "set behavior"),
    "a generator that merges into nothing": ({"configMapGenerator": [{"name": "g", "behavior": "merge"}]}, {}, f"{K}:1", "no ConfigMap g to merge"),
    "a literal without a value": ({"configMapGenerator": [{"name": "g", "literals": ["a"]}]}, {}, f"{K}:1", "write key=value"),
    "a generator that repeats a key": ({"configMapGenerator": [{"name": "g", "literals": ["a=1", "a=2"]}]}, {}, f"{K}:1", "repeats the key a"),
    "a replacement from nothing": ({"resources": ["c.yaml"], "replacements": [{**SOURCE, "source": {"kind": "X"}}]}, {}, f"{K}:1", "0 objects match the source"),
    "a replacement of nothing": ({"resources": ["c.yaml"], "replacements": [SOURCE]}, {}, f"{K}:1", "options.create"),
    "a replacement from a field that is not there, in a base": ({"resources": ["b"]}, {f"b/{K}": f"resources: [../c.yaml]\nreplacements:\n- {json.dumps(SOURCE | {'source': {'kind': 'ConfigMap', 'fieldPath': 'data.k'}, 'targets': [{'select': {'kind': 'X'}}]})}\n- {json.dumps(SOURCE | {'source': {'kind': 'ConfigMap', 'fieldPath': 'data.k'}, 'targets': [{'select': {'kind': 'Y'}}]})}\n- {json.dumps(SOURCE | {'source': {'kind': 'ConfigMap', 'fieldPath': 'data.gone'}})}\n"}, f"b/{K}:5", "no field data.gone: correct fieldPath"),
    "a replacement from a list that is none": ({"resources": ["c.yaml"], "replacements": [{**SOURCE, "source": {"kind": "ConfigMap", "fieldPath": "data.[x=y].z"}}]}, {}, f"{K}:1", "no list for [x=y]: correct fieldPath"),
    "a replacement from a part that is not there": ({"resources": ["c.yaml"], "replacements": [{**SOURCE, "source": {"kind": "ConfigMap", "options": {"delimiter": "-", "index": 1}}}]}, {}, f"{K}:1", "count from 0 to 0"),
    "a replacement with two sources": (f"resources: [c.yaml]\nreplacements:\n- {json.dumps(SOURCE)[:-1]},\n  sourceValue: x}}\n", {}, f"{K}:4", "keep source or sourceValue"),
    "replicas of nothing": ({"resources": ["c.yaml"], "replicas": [{"name": "gone", "count": 2}]}, {}, f"{K}:1", "no workload is called gone"),
    "a variable of nothing": ({"resources": ["c.yaml"], "vars": [{"name": "X", "objref": {"kind": "ConfigMap", "name": "c"}}]}, {}, f"{K}:1", "exact apiVersion"),
    "an image that nothing has": ({"resources": ["c.yaml"], "images": [{"name": "gone", "newTag": "1"}]}, {}, None, ""),
    "a namespace that makes two of one": ({"resources": ["c.yaml", "e.yaml"], "namespace": "x1"}, {"e.yaml": CONFIG.replace("name: c", "name: c, namespace: other")}, "e.yaml:3", "two objects are"),
    "an object without a name": ({"resources": ["e.yaml"]}, {"e.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"}, "e.yaml:1", "give it metadata.name"),
    "a field that is none": ("resources: [c.yaml]\nnamePrefx: a\n", {}, f"{K}:2", "correct its spelling"),
    "a text where a list is needed": ("resources: c.yaml\n", {}, f"{K}:1", "write a list"),
    "a key that stands twice": ({"resources": ["e.yaml"]}, {"e.yaml": f"{CONFIG}data: {{}}\n"}, "e.yaml:5", "a key stands twice"),
    "a key that is a number": ({"resources": ["e.yaml"]}, {"e.yaml": f"{CONFIG.replace('{k: v}', '{k: v, 5: x}')}"}, "e.yaml:4", "the key 5 is no text: put it in quotes"),
    "a label whose key is a truth value": ("resources: [c.yaml]\ncommonLabels:\n  y: x\n", {}, f"{K}:3", "choose another key"),
    "annotations of a patch that are nothing": ({"resources": ["c.yaml"], "patches": [{"path": "p.yaml"}]}, {"p.yaml": CONFIG.replace("name: c", "name: c, annotations:")}, None, ""),
    "a patch that matches nothing behind a key that kustomize takes": ({"resources": ["e.yaml"], "patches": [{"path": "p.yaml"}]}, {"e.yaml": f"{CONFIG}x: {{1.5: x}}\n", "p.yaml": GONE}, "p.yaml:3", "matches no object: name an object"),
    "a literal without a value behind a name that is a pattern": ({"resources": ["c.yaml", "b"], "images": [{"name": "a*"}]}, {f"b/{K}": {"configMapGenerator": [{"name": "g", "literals": ["a"]}]}}, f"b/{K}:1", "write key=value"),
    "a file that is no YAML to kustomize alone": ({"resources": ["e.yaml"]}, {"e.yaml": f"%YAML 1.9\n---\n{CONFIG}"}, "e.yaml:1", ""),
    "a field of a base behind a date": ({"resources": ["d.yaml", "b"]}, {"d.yaml": CONFIG.replace("v}", "2024-1-1}"), f"b/{K}": "namePrefx: x\n"}, f"b/{K}:1", "correct its spelling"),
    "an order that is none": ({"resources": ["c.yaml"], "sortOptions": {"order": "x"}}, {}, f"{K}:1", "write fifo or legacy"),
}  # fmt: skip


def kubectl_takes(folder: Path, files: dict[str, str]) -> bool:
    """kubectl's own verdict, without any of our code on the way."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    command = [KUBECTL, "kustomize", str(folder), "--load-restrictor=LoadRestrictionsNone"]
    return subprocess.run(command, capture_output=True, timeout=180, check=False).returncode == 0


def ours(files: dict[str, str]) -> tuple[Built, str]:
    """Our build, and the file and line of its complaint."""
    repo = repository(dict(files))
    built = build_all(repo, {"": Build(walk(repo, ""))})[""].built
    where: Location | None = built.problem.location if built.problem is not None else None
    return built, f"{where.file}:{repo.span(where).line}" if where is not None else ""


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_kustomizes_and_names_the_line_and_the_remedy(name, tmp_path):
    data, more, line, words = CASES[name]
    given = {K: data, "c.yaml": CONFIG, **more}
    files = {path: text if isinstance(text, str) else json.dumps(text) for path, text in given.items()}
    built, place = ours(files)
    assert kubectl_takes(tmp_path, files) == (line is None)
    assert (built.problem is None) == (line is None)
    if built.problem is not None:
        assert place == line, built.problem
        assert words in built.problem.why


@pytest.mark.parametrize("field", ["patches", "patchesJson6902", "patchesStrategicMerge", "transformers"])
def test_texts_that_nest_without_end_are_refused_before_kustomize_starts(field):
    text = "\n".join(f"{' ' * n}a:" for n in range(1_000))
    target = {"kind": "ConfigMap", "name": "c"}
    entry = {"patch": text, "target": target} if field in ("patches", "patchesJson6902") else text
    built, place = ours({K: json.dumps({"resources": ["c.yaml"], field: [entry]}), "c.yaml": CONFIG})
    assert built.problem is not None
    assert place == f"{K}:1"
    assert "not given to kustomize: nested deeper" in built.problem.why


def test_a_file_too_large_to_be_read_here_is_asked_for_its_nesting():
    built, place = ours({K: "resources: [d.yaml]\n", "d.yaml": LARGE})
    assert built.problem is not None
    assert place == "d.yaml:6"
    assert "not given to kustomize: nested deeper" in built.problem.why
    built, _ = ours({K: "resources: [d.yaml]\n", "d.yaml": LARGE.replace("- " * 500, "- ")})
    assert built.problem is None


def test_aliases_that_expand_without_end_are_refused_before_kustomize_starts():
    rows = "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9))
    built, place = ours({K: "resources: [c.yaml]\n", "c.yaml": f"{CONFIG}a: &a [x]\n{rows}"})
    assert built.problem is not None
    assert place == "c.yaml:9"
    assert "aliases expand" in built.problem.why


def test_a_base_outside_the_tree_says_how_the_tree_may_hold_it():
    built, place = ours({K: "resources: [../base]\n"})
    assert built.problem is not None
    assert place == f"{K}:1"
    assert "put an empty .gitops-layout.yaml into the folder above both" in built.problem.why


def test_a_resource_that_is_no_regular_file_is_told_as_such(tmp_path):
    (tmp_path / K).write_text("resources: [pipe.yaml]\n")
    os.mkfifo(tmp_path / "pipe.yaml")
    (problem,) = walk(from_work_tree(tmp_path), "").problems
    assert problem.why == "pipe.yaml: not a regular file"
