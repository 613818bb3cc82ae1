"""Walking and building kustomizations: real kustomize for what is safe, a named class for the rest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gitops_layout.kustomize.exact import Build, build, kubectl
from gitops_layout.kustomize.model import BuildClass
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.load import from_files, from_work_tree
from gitops_layout.source.reader import read

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.27"}]
"""


def test_a_build_is_what_kubectl_builds_from_the_work_tree(tmp_path: Path):
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": DEPLOYMENT,
        "common/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "labels: [{pairs: {team: x}}]\n",
        "prod/kustomization.yaml": "resources: [../base]\ncomponents: [../common]\nnamespace: prod\n"
        "images: [{name: nginx, newTag: '1.28'}]\npatches: [{path: replicas.yaml}]\n"
        "configMapGenerator: [{name: settings, files: [data/a.txt, b=data/a.txt], envs: [data/e.env]}]\n",
        "prod/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
        "prod/data/a.txt": "hello",
        "prod/data/e.env": "K=V\n",
        "unrelated.yaml": "a: 1\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    repo = from_work_tree(tmp_path)
    closure = walk(repo, "prod")
    assert closure.problems == ()
    assert closure.files == set(files) - {"unrelated.yaml"}
    plain = subprocess.run([kubectl(), "kustomize", "prod"], cwd=tmp_path, check=True, capture_output=True)
    expected = [document.data for document in read(plain.stdout, "expected").documents]
    assert list(build(repo, Build(closure)).objects) == expected
    assert len(expected) == 2


REMOTE = "https://github.com/acme/base//deploy?ref=v1"


@pytest.mark.parametrize(
    ("files", "kind", "path"),
    [
        ({"kustomization.yaml": f"resources: ['{REMOTE}']"}, BuildClass.REMOTE, ("resources", 0)),
        ({"kustomization.yaml": "resources: [git@github.com:acme/base.git]"}, BuildClass.REMOTE, ("resources", 0)),
        ({"kustomization.yaml": "resources: [github.com/acme/base?ref=v1]"}, BuildClass.REMOTE, ("resources", 0)),
        ({"kustomization.yaml": "patches: [{path: 'https://x.test/p.yaml'}]"}, BuildClass.REMOTE, ("patches", 0, "path")),
        ({"kustomization.yaml": "helmCharts: [{name: redis}]"}, BuildClass.HELM, ("helmCharts", 0)),
        ({"kustomization.yaml": "resources: [gone.yaml]"}, BuildClass.MISSING, ("resources", 0)),
        ({"kustomization.yaml": "resources: [../../etc/passwd]"}, BuildClass.OUTSIDE, ("resources", 0)),
        ({"kustomization.yaml": "configMapGenerator: [{name: x, files: [p=/etc/passwd]}]"}, BuildClass.OUTSIDE, ("configMapGenerator", 0, "files", 0)),
        ({"kustomization.yaml": "resources: [a: [}"}, BuildClass.NOT_YAML, ()),
        ({"kustomization.yaml": "patches: [p.yaml]", "p.yaml": CONFIG_MAP}, BuildClass.SCHEMA, ("patches", 0)),
        ({"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\n"}, BuildClass.EMPTY, ()),
        ({"kustomization.yaml": ""}, BuildClass.EMPTY, ()),
        ({"kustomization.yaml": "resources: [.]"}, BuildClass.CYCLE, ("resources", 0)),
        ({"kustomization.yaml": "resources: [c]", "c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamespace: x\n"}, BuildClass.WRONG_KIND, ("resources", 0)),
        ({"kustomization.yaml": "generators: [g.yaml]", "g.yaml": "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: x}\n"}, BuildClass.PLUGIN, ("generators", 0)),
        ({"kustomization.yaml": "transformers: [g.yaml]", "g.yaml": "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n"}, BuildClass.PLUGIN, ("transformers", 0)),
        ({"kustomization.yaml": "generators: ['{apiVersion: a/v1, kind: Exec, metadata: {name: g}}']"}, BuildClass.PLUGIN, ("generators", 0)),
        ({"kustomization.yaml": "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator}']"}, BuildClass.PLUGIN, ("generators", 0)),
        ({"kustomization.yaml": "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: g}, files: [/etc/passwd]}']"}, BuildClass.OUTSIDE, ("generators", 0, "files", 0)),
        ({"kustomization.yaml": "transformers: [t.yaml]", "t.yaml": "{apiVersion: builtin, kind: ValueAddTransformer, metadata: {name: v}, targetFilePath: ../../etc/passwd}"}, BuildClass.OUTSIDE, ("targetFilePath",)),
        ({"kustomization.yaml": "resources: [x]", "x/a.yaml": CONFIG_MAP}, BuildClass.MISSING, ("resources", 0)),
        ({"kustomization.yaml": "namespace: x\n", "kustomization.yml": "namespace: y\n"}, BuildClass.AMBIGUOUS, ()),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_classified_on_its_line_and_nothing_is_started(files, kind, path):
    repo = from_files(files)
    closure = walk(repo, "")
    assert [(problem.kind, problem.location.path) for problem in closure.problems] == [(kind, path)]
    assert build(repo, Build(closure)).problem == closure.problems[0]


@pytest.mark.parametrize(
    ("files", "kind", "words"),
    [
        ({"kustomization.yaml": "resources: [a.yaml]", "a.yaml": "just text"}, BuildClass.NO_MANIFEST, "a.yaml"),
        ({"kustomization.yaml": "resorces: [a.yaml]", "a.yaml": CONFIG_MAP}, BuildClass.SCHEMA, "resorces"),
        ({"kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\npatches: [{target: {kind: X}, patch: '- {op: remove, path: /a}'}, {patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}'}]"}, BuildClass.COMPONENT, "Component"),
    ],
)  # fmt: skip
def test_what_kustomize_itself_refuses_is_classified_with_its_words(files, kind, words):
    repo = from_files(files)
    problem = build(repo, Build(walk(repo, ""))).problem
    assert problem is not None
    assert problem.kind == kind, problem.why
    assert words in problem.why
    assert "/tmp" not in problem.why


def test_a_warning_of_kustomize_does_not_stand_for_its_error():
    repo = from_files({"kustomization.yaml": "patchesStrategicMerge: [p.yaml]\n", "p.yaml": CONFIG_MAP})
    problem = build(repo, Build(walk(repo, ""))).problem
    assert problem is not None
    assert "Warning" not in problem.why
    assert "no matches" in problem.why


def test_the_load_restriction_of_argo_cd_is_kept():
    repo = from_files({"a/kustomization.yaml": "resources: [../b.yaml]", "b.yaml": CONFIG_MAP})
    assert build(repo, Build(walk(repo, "a"))).problem is None
    problem = build(repo, Build(walk(repo, "a"), restricted=True)).problem
    assert problem is not None
    assert problem.kind == BuildClass.OUTSIDE


def test_links_inside_the_repository_are_built_and_links_out_of_it_are_not(tmp_path: Path):
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "app").mkdir()
    (root / "real/a.yaml").write_text(CONFIG_MAP)
    (root / "real/kustomization.yaml").write_text("resources: [a.yaml]\n")
    (root / "link").symlink_to("real")
    (root / "app/kustomization.yaml").write_text("resources: [../link]\n")
    repo = from_work_tree(root)
    assert len(build(repo, Build(walk(repo, "app"))).objects) == 1
    (tmp_path / "secret.yaml").write_text(CONFIG_MAP)
    (root / "real/a.yaml").unlink()
    (root / "real/a.yaml").symlink_to("../../secret.yaml")
    repo = from_work_tree(root)
    assert [problem.kind for problem in walk(repo, "app").problems] == [BuildClass.OUTSIDE]


def test_a_build_has_no_home_no_path_and_no_network_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    marker = tmp_path / "ran"
    for tool in ("git", "helm", "sh"):
        program = tmp_path / tool
        program.write_text(f"#!/bin/sh\necho {tool} >> {marker}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    # Even a closure that wrongly passed the walk finds nothing to run.
    repo = from_files({"kustomization.yaml": f"resources: ['{REMOTE}']\n"})
    closure = walk(repo, "")
    forged = type(closure)(closure.root, closure.files, closure.kustomizations, ())
    assert build(repo, Build(forged)).problem is not None
    assert not marker.exists()


def test_json_and_yaml_inputs_give_the_same_objects():
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "yes"}}
    repo = from_files({"kustomization.yaml": "resources: [a.json]", "a.json": json.dumps(data)})
    assert build(repo, Build(walk(repo, ""))).objects == (data,)


IN_FLOW = "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: leaked}, files: [OUT]}"
UP = "/.." * 12
ESCAPES = {
    "field in another case": {"kustomization.yaml": "Resources: [OUT]\n"},
    "field with a letter that Go folds": {"kustomization.yaml": "re\u017fources: [OUT]\n"},
    "inner field in another case": {"kustomization.yaml": "configMapGenerator: [{name: leaked, Files: [OUT]}]\n"},
    "patch text that is a path": {"kustomization.yaml": f'resources: [a.yaml]\npatchesStrategicMerge: ["x\\n{UP}OUT"]\n'},
    "patch mapping that is a path": {"kustomization.yaml": f'resources: [a.yaml]\npatchesStrategicMerge: ["{{a: b{UP}OUT"]\n'},
    "generator named as a file is": {
        "kustomization.yaml": f'resources: [a.yaml]\ngenerators: ["{IN_FLOW}"]\n',
        IN_FLOW: "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: x}\n",
    },
    "generator with a field in another case": {
        "kustomization.yaml": "generators: [g.yaml]\n",
        "g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: leaked}\nFILES: [OUT]\n",
    },
    "generator that two readers type differently": {
        "kustomization.yaml": "generators: [g.yaml]\n",
        "g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: leaked}\nfiles: [OUT]\n"
        "<<: {files: [a.yaml]}\n",
    },
    "generator two folders away": {
        "kustomization.yaml": "generators: [one]\n",
        "one/kustomization.yaml": "resources: [two]\n",
        "one/two/kustomization.yaml": "resources: [g.yaml]\n",
        "one/two/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: leaked}\nfiles: [OUT]\n",
    },
    "generator that a patch changes": {
        "kustomization.yaml": "generators: [one]\n",
        "one/kustomization.yaml": "resources: [g.yaml]\npatches:\n- target: {kind: ConfigMapGenerator}\n"
        '  patch: \'[{"op": "replace", "path": "/files/0", "value": "OUT"}]\'\n',
        "one/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: leaked}\nfiles: [x.yaml]\n",
        "one/x.yaml": CONFIG_MAP,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", ESCAPES)
def test_nothing_makes_kustomize_read_a_file_outside_the_repository(case: str, tmp_path: Path):
    outside = tmp_path / "outside.yaml"
    outside.write_text(CONFIG_MAP.replace("name: a", "name: leaked"))
    for path, text in {**ESCAPES[case], "a.yaml": CONFIG_MAP}.items():
        file = tmp_path / "repo" / path.replace("OUT", str(outside))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("OUT", str(outside)))
    repo = from_work_tree(tmp_path / "repo")
    built = build(repo, Build(walk(repo, "")))
    assert "leaked" not in repr(built.objects)
    assert built.problem is not None
    assert built.problem.kind is not BuildClass.OTHER, "kustomize was started"


def test_a_link_behind_a_link_is_followed_as_the_kernel_follows_it(tmp_path: Path):
    outside = tmp_path / "tmp" / "outside.yaml"
    outside.parent.mkdir()
    outside.write_text(CONFIG_MAP)
    root = tmp_path / "repo"
    (root / "p/q/tmp").mkdir(parents=True)
    (root / "p/tmp").mkdir()
    (root / "p/tmp/outside.yaml").write_text(CONFIG_MAP)  # what a textual reading of the link finds
    (root / "p/q/up").symlink_to("../..")
    (root / "p/q/out.yaml").symlink_to("up/../tmp/outside.yaml")
    (root / "p/q/in.yaml").symlink_to("up/p/tmp/outside.yaml")
    repo = from_work_tree(root)
    assert (root / "p/q/out.yaml").resolve() == outside
    assert repo.resolve("p/q/out.yaml") is None
    assert repo.resolve("p/q/in.yaml") == "p/tmp/outside.yaml"


def test_a_file_named_like_a_url_is_not_asked_for_on_the_network():
    repo = from_files(
        {
            "kustomization.yaml": "resources: ['HTTP://example.test/a.yaml']\n",
            "HTTP:/example.test/a.yaml": CONFIG_MAP,
        }
    )
    assert [problem.kind for problem in walk(repo, "").problems] == [BuildClass.REMOTE]


def test_endless_chains_and_endless_paths_are_refused():
    chain = {f"k{i}/kustomization.yaml": f"resources: [../k{i + 1}]\n" for i in range(1500)}
    assert [p.kind for p in walk(from_files(chain), "k0").problems] == [BuildClass.OTHER]
    deep = "/".join(["d"] * 1500)
    files = {"kustomization.yaml": f"resources: [{deep}/a.yaml]\n", f"{deep}/a.yaml": CONFIG_MAP}
    assert [p.kind for p in walk(from_files(files), "").problems] == [BuildClass.OTHER]


def test_what_would_exhaust_kustomize_is_not_started():
    bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx0: &x0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    repo = from_files({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": bomb})
    assert [p.kind for p in walk(repo, "").problems] == [BuildClass.NO_MANIFEST]
    doubling = {"k20/kustomization.yaml": "resources: [a.yaml]\n", "k20/a.yaml": CONFIG_MAP}
    for level in range(20):
        doubling[f"k{level}/kustomization.yaml"] = f"resources: [../a{level}, ../b{level}]\n"
        for side in "ab":
            doubling[f"{side}{level}/kustomization.yaml"] = (
                f"resources: [../k{level + 1}]\nnamePrefix: {side}\n"
            )
    assert walk(from_files(doubling), "k15").problems == ()
    assert [p.kind for p in walk(from_files(doubling), "k0").problems] == [BuildClass.OTHER]
