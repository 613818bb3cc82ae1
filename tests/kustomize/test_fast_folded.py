"""Folded texts become what kustomize makes of them, whatever is done to their object."""

from __future__ import annotations

from random import Random

import pytest

from gitops_layout.kustomize.fast import Declined
from tests.kustomize.oracle import differences, fast, real, repository

K = "kustomization.yaml"
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
RUNS = ("a", "b c", "# d", "'e", "- f", "g: h", "|", "...")


def folded(rnd: Random) -> str:
    """A folded text in the data of a ConfigMap: lines, some further right, some empty."""
    lines = [f"{' ' * rnd.choice((0, 0, 0, 2, 3))}{rnd.choice(RUNS)}" for _ in range(rnd.randint(1, 6))]
    for _ in range(rnd.randint(0, 3)):
        lines.insert(rnd.randint(1, len(lines)), "")
    text = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    return f"  {rnd.choice('kl')}: >{rnd.choice(('', '-', '-', '+'))}\n{text}"


STEPS = {
    "nothing": "",
    "a namespace and names": "namespace: ns\nnamePrefix: p-\ncommonLabels: {a: b}\n",
    "a JSON patch": "patches: [{target: {kind: ConfigMap}, patch: '- {op: add, path: /data/x, value: y}'}]\n",
    "two JSON patches": "patches:\n- {target: {kind: ConfigMap}, patch: '- {op: add, path: /data/x, value: y}'}\n- {target: {kind: ConfigMap}, patch: '- {op: copy, from: /data/x, path: /data/z}'}\n",
    "a strategic merge": "patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {x: y}}'}]\n",
    "a merge and a JSON patch": "patches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {x: y}}'\n- {target: {kind: ConfigMap}, patch: '- {op: add, path: /data/y, value: y}'}\n",
    "a generator": "configMapGenerator: [{name: c, behavior: merge, literals: [x=y]}]\n",
    "a replacement": "replacements: [{source: {kind: ConfigMap, name: c, fieldPath: metadata.name}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.z], options: {create: true}}]}]\n",
    "a variable": "vars: [{name: X, objref: {apiVersion: v1, kind: ConfigMap, name: c}}]\n",
}  # fmt: skip
READING = ("a generator", "a replacement", "a variable")
"""What looks at a text before kustomize changes it: left to kustomize."""


def config(rnd: Random, name: str) -> str:
    """A file with a ConfigMap that holds a folded text, last in it or not."""
    text = HEAD.replace("name: c", f"name: {name}") + folded(rnd) + rnd.choice(("", "  z: z\n"))
    return rnd.choice((text, text.rstrip("\n"), f"---\n{text}", text.replace("\n", "\r\n")))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(3))
def test_folded_texts_come_out_as_from_kubectl(step, seed):
    rnd = Random(seed)
    files = {f"c{number}.yaml": config(rnd, f"c{number}") for number in range(40)}
    alone = {name: repository({name: text, K: f"resources: [{name}]\n"}) for name, text in files.items()}
    taken = [name for name, repo in alone.items() if not isinstance(fast(repo, ""), Declined)]
    assert len(taken) >= 10
    field = STEPS[step].replace("name: c", f"name: {taken[0].removesuffix('.yaml')}")
    repo = repository(
        {
            **files,
            K: f"resources: [b]\n{field}",
            f"b/{K}": f"resources: [{', '.join(f'../{n}' for n in taken)}]\n",
        }
    )
    ours = fast(repo, "")
    if step in READING and isinstance(ours, Declined):
        return
    assert not isinstance(ours, Declined), ours
    assert differences(ours, real(repo, "")) == []


VALUES = {"folded": ">\n    a\n      b\n    c", "folded lines": ">\n    a\n\n    b", "lines": "|\n    a\n      b\n    c", "plain": "v", "quoted": '"a\\n  b\\n"'}  # fmt: skip


@pytest.mark.parametrize("target", ["", ", target: {kind: ConfigMap}"])
@pytest.mark.parametrize("patch", VALUES)
@pytest.mark.parametrize("own", VALUES)
def test_folded_texts_that_are_patched_or_patch_come_out_as_from_kubectl_or_are_declined(own, patch, target):
    files = {"c.yaml": f"{HEAD}  k: {VALUES[own]}\n", "p.yaml": f"{HEAD}  k: {VALUES[patch]}\n"}
    repo = repository({**files, K: f"resources: [c.yaml]\npatches: [{{path: p.yaml{target}}}]\n"})
    ours = fast(repo, "")
    assert isinstance(ours, Declined) or differences(ours, real(repo, "")) == []
