"""`render` as a user meets it: both builders compared, one file a delivery, files that vanish meanwhile."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gitops_layout.cli import _run, manifests
from gitops_layout.render import overrides
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo import load
from gitops_layout.repo.model import UnreadableError
from tests.cli.test_cache import tree, write

_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in tree().items():
        write(tmp_path / name, text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capfd, monkeypatch, *command: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["gitops-layout", "render", *command])
    code = _run()
    out, err = capfd.readouterr()
    return code, out, err


def test_both_builders_agree_and_it_is_said(repository: Path, capfd, monkeypatch):
    code, out, err = said(capfd, monkeypatch, "--all", "--verify-render")
    assert (code, out) == (0, "")
    assert "deliveries built both ways, 0 differ" in err


def test_a_difference_names_object_field_and_both_values(repository: Path, capfd, monkeypatch):
    exactly = manifests._exactly

    def other(graph, chosen):
        def changed(item: Rendered) -> Rendered:
            first, *rest = item.objects
            data = {**first.data, "kind": "Other"} if first.ref.kind == "ConfigMap" else first.data
            return replace(item, objects=(replace(first, data=data), *rest))

        return [(delivery, changed(item)) for delivery, item in exactly(graph, chosen)]

    monkeypatch.setattr(manifests, "_exactly", other)
    code, out, _ = said(capfd, monkeypatch, "web", "--env", "prod", "--verify-render")
    assert code == 1
    assert '~ v1/ConfigMap/web-prod/web.kind: "ConfigMap" here, "Other" from real kustomize' in out


@pytest.mark.parametrize("target", [("--all",), ("web", "--env", "dev"), ("apps/web/overlays/dev",)])
def test_exact_renders_are_the_same_and_know_their_origins(repository: Path, capfd, monkeypatch, target):
    json_ = ("--format", "json")
    fast, exact = (said(capfd, monkeypatch, *target, *json_, *way) for way in ((), ("--exact",)))
    assert (fast[0], exact[0]) == (0, 0)
    assert json.loads(fast[1]) == json.loads(exact[1])
    code, out, _ = said(capfd, monkeypatch, *target, "--exact", "--format", "json", "--origins")
    assert code == 0
    assert '"file": "apps/web/overlays/dev/replicas.yaml"' in out


def test_each_delivery_gets_a_file_of_its_own_below_the_folder(
    repository: Path, capfd, monkeypatch, tmp_path: Path
):
    agent = (repository / "clusters/dev/web.yaml").read_text()
    write(repository / "clusters/dev/upper.yaml", agent.replace("name: web,", "name: WEB,"))
    write(repository / "clusters/dev/out.yaml", agent.replace("name: web,", "name: ../../../out,"))
    write(repository / "clusters/dev/long.yaml", agent.replace("name: web,", f"name: {'x' * 400},"))
    code, out, err = said(capfd, monkeypatch, "--all", "--output", "made")
    assert "made is in the repository" in err
    assert (code, out) == (0, "")
    made = sorted(path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*"))
    assert len({str(path).lower() for path in made}) == 5
    assert all(len(path.parts) == 1 and len(str(path)) < 240 for path in made)
    assert not list(tmp_path.parent.glob("out*"))


def test_output_to_a_file_is_refused_before_any_work(repository: Path, capfd, monkeypatch):
    code, _, err = said(capfd, monkeypatch, "--all", "--output", "README.md")
    assert code == 2
    assert "not a folder" in err


def test_output_to_nothing_is_refused_and_writes_nothing(repository: Path, capfd, monkeypatch):
    before = sorted(repository.iterdir())
    code, _, err = said(capfd, monkeypatch, "--all", "--output", "")
    assert code == 2
    assert "names no folder" in err
    assert sorted(repository.iterdir()) == before


def test_a_delivery_is_found_by_its_name_beside_a_folder_of_that_name(repository: Path, capfd, monkeypatch):
    wanted = said(capfd, monkeypatch, "web", "--env", "prod")[1]
    (repository / "web").mkdir()
    assert said(capfd, monkeypatch, "web", "--env", "prod")[1] == wanted
    code, _, err = said(capfd, monkeypatch, "apps")
    assert code == 2
    assert "apps has no kustomization.yaml, and no delivery is called so" in err


def test_who_built_what_is_explained(repository: Path, capfd, monkeypatch):
    _, _, err = said(capfd, monkeypatch, "web", "--env", "dev", "--explain")
    assert "our own builder builds flux:Kustomization/flux-system/web@" in err
    _, _, err = said(capfd, monkeypatch, "web", "--env", "dev", "--explain", "--exact")
    assert "real kustomize builds, as --exact asks, flux:" in err


@pytest.mark.parametrize("exact", [(), ("--exact",)])
@pytest.mark.parametrize(
    "file",
    ["apps/web/base/config.yaml", "apps/web/base/words.txt", "apps/web/overlays/dev/kustomization.yaml"],
)
def test_a_file_that_vanishes_meanwhile_fails_its_deliveries_by_name(
    repository: Path, capfd, monkeypatch, file: str, exact
):
    write(repository / "apps/web/base/words.txt", "words")
    write(
        repository / "apps/web/base/kustomization.yaml",
        "resources: [deployment.yaml, config.yaml]\nconfigMapGenerator: [{name: words, files: [words.txt]}]\n",
    )
    look = load._look

    def then_remove(root, *rest):
        look(root, *rest)
        (repository / file).unlink(missing_ok=True)

    monkeypatch.setattr(load, "_look", then_remove)
    code, _, err = said(capfd, monkeypatch, "--all", *exact)
    assert code == 3
    assert file in err
    assert "it was there when the run began" in err
    assert "Traceback" not in err


def test_a_run_that_cannot_do_without_a_vanished_file_is_incomplete(repository: Path, capfd, monkeypatch):
    write(
        repository / "clusters/late.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: late, namespace: flux-system}\n"
        "spec: {interval: 1h, prune: true, path: ./late, namePrefix: x-, sourceRef: {kind: GitRepository, name: flux-system}}\n",
    )
    write(repository / "late/kustomization.yaml", "namePrefix: y-\nresources: [a.yaml]\n")
    write(repository / "late/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")

    def vanished(*_given: object):
        raise UnreadableError("late/kustomization.yaml", FileNotFoundError(errno.ENOENT, "gone"))

    monkeypatch.setattr(overrides, "texts", vanished)
    code, _, err = said(capfd, monkeypatch, "--all")
    assert code == 3
    assert (
        "late/kustomization.yaml: it was there when the run began, and is no longer a file; run again" in err
    )


# Root reads everything but for these capabilities.
_AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.mark.parametrize("in_git", [False, True])
def test_what_may_not_be_read_is_named_and_not_called_absent(repository: Path, in_git: bool):
    if in_git:
        subprocess.run(["git", "init", "--quiet", "."], check=True)
    (repository / "apps/web/base/config.yaml").chmod(0)
    (repository / "apps/web/overlays/dev").chmod(0)
    command = [*(_AS_OTHERS if os.geteuid() == 0 else ()), sys.executable, "-m", "gitops_layout", "render"]
    done = subprocess.run([*command, "--all"], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 3, done.stderr
    assert "config.yaml" in done.stderr
    assert "not read: folder apps/web/overlays/dev: cannot be listed: Permission denied\n" in done.stderr
    assert "the right to read it" in done.stderr
    assert "does not exist" not in done.stderr
    assert "no kustomization" not in done.stderr


def test_the_verdict_on_bad_kustomizations_is_kustomizes_own(repository: Path, capfd, monkeypatch):
    """What is refused here is refused by kustomize too, or the deepest chain that we follow."""
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    bad = {
        "twice": ({"kustomization.yaml": "resources: [a.yaml, a.yaml]\n", "a.yaml": config}, "may not add resource with an already registered id"),
        "cycle": ({"kustomization.yaml": "resources: [b]\n", "b/kustomization.yaml": "resources: [..]\n"}, "include each other"),
        "missing": ({"kustomization.yaml": "resources: [a.yaml, none.yaml]\n", "a.yaml": config}, "none.yaml does not exist"),
        "patch": ({"kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]\n", "a.yaml": config, "p.yaml": config.replace("name: a", "name: b")}, "no resource matches"),
        "deep": ({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config + "data: " + "{a: " * 10_000 + "b" + "}" * 10_000}, "a.yaml"),
    }  # fmt: skip
    for name, (files, words) in bad.items():
        for file, text in files.items():
            write(repository / "bad" / name / file, text)
        for exact in ((), ("--exact",)):
            code, _, err = said(capfd, monkeypatch, f"bad/{name}", *exact)
            assert (code, words in err) == (3, True), (name, exact, err[:500])


def test_what_kustomize_refuses_is_named_by_its_line_and_number(repository: Path, capfd, monkeypatch):
    bad = {
        "yaml": ({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "kind: A\ndata: [b\n"}, "bad/yaml/a.yaml:3:1: it is no YAML"),
        "text": ({"kustomization.yaml": "resources: [null]\n"}, "resources[0] is no text"),
        "base": ({"kustomization.yaml": "resources: [b]\n", "b/kustomization.yaml": "configMapGenerator:\n- name: c\n  options:\n    labels: {x: y}\n"}, "bad/base/b/kustomization.yaml:4: x is no text but a boolean"),
        "config": ({"kustomization.yaml": "resources: [a.yaml]\nconfigurations: [c.yaml]\n", "a.yaml": _MAP, "c.yaml": "images:\n- {path: a[]/b}\n"}, "bad/config/c.yaml:2:11: it is no YAML"),
        "plugin": ({"kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\n", "a.yaml": _MAP, "t.yaml": "apiVersion: builtin\nkind: [\n"}, "bad/plugin/t.yaml:3:1: it is no YAML"),
        "twofold": ({"kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\n", "a.yaml": _MAP, "t.yaml": "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: t}\nlabels:\n  a: y\n"}, "bad/twofold/t.yaml:5: a can be read in two ways: put its value in quotes"),
        "later": ({"kustomization.yaml": "resources: [a.yaml]\nbuildMetadata: [managedByLabel, transformerAnnotations]\nvars: [{fieldref: {fieldpath: a}}]\nimages: [{name: n}]\n", "a.yaml": _MAP}, "bad/later/kustomization.yaml:4: name is no text"),
    }  # fmt: skip
    for name, (files, words) in bad.items():
        for file, text in files.items():
            write(repository / "bad" / name / file, text)
        code, _, err = said(capfd, monkeypatch, f"bad/{name}")
        assert (code, words in err) == (3, True), err


def test_origins_of_an_exact_render_are_the_same_and_guesses_are_marked(
    tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
):
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: a, image: nginx}]\n"
    write(tmp_path / "p.yaml", pod)
    write(tmp_path / "kustomization.yaml", "resources: [p.yaml]\nnameSuffix: -s\n")
    monkeypatch.chdir(tmp_path)
    options = (".", "--format", "json", "--origins", "--no-cache")
    fast, exact = (json.loads(said(capfd, monkeypatch, *options, *more)[1]) for more in ((), ("--exact",)))
    assert exact == fast
    # A pattern that means something else in Go: real kustomize has to build.
    patch = "- {op: add, path: /spec/x, value: 1}"
    text = f"resources: [p.yaml]\npatches: [{{target: {{name: '(?i)P'}}, patch: '{patch}'}}]\n"
    write(tmp_path / "kustomization.yaml", text)
    code, out, _ = said(capfd, monkeypatch, *options)
    origins = json.loads(out)[0]["origins"]
    assert code == 0
    assert {pointer for pointer, place in origins.items() if "approximate" in place} == {"/spec/x"}
    assert (origins["/spec/x"]["file"], origins["/spec/x"]["line"]) == ("kustomization.yaml", 2)


def test_origins_behind_the_values_of_yaml_change_no_object_and_are_those_of_the_json_form(
    tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
):
    file = "a\nkind: # 'Evil'.yaml"
    write(
        tmp_path / file,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {}}\n"
        'data:\n  block: |+\n    x # y\n    z\n\n  folded: "a\\u2028b\\r\\nc 😀"\n'
        "  hash: 'a #b'\n  tail: |-\n    one\n    two\n"
        f"  {'k' * 200}: long\nlist: [[1, [2, {{a: null}}]], [], {{}}]\nlast: ' x\n\n  y'\n",
    )
    write(tmp_path / "kustomization.yaml", f"resources: [{json.dumps(file)}]\nnamePrefix: p-\n")
    monkeypatch.chdir(tmp_path)
    plain, told = (said(capfd, monkeypatch, ".", *more)[1] for more in ((), ("--origins",)))
    made = json.loads(said(capfd, monkeypatch, ".", "--origins", "--format", "json")[1])
    assert list(yaml.safe_load_all(told)) == list(yaml.safe_load_all(plain)) == [made[0]["object"]]
    places = [line.rpartition("  # ")[2] for line in told.split("\n") if "  # " in line]
    assert places == [
        f"{place['file']}:{place['line']}".replace("\n", "\\n") for place in made[0]["origins"].values()
    ]
    assert "  name: p-a  # kustomization.yaml:2\n" in told


@pytest.mark.parametrize("closed", [False, True])
def test_a_folder_whose_kustomization_cannot_be_used_fails_and_none_of_its_files_is_printed(
    tmp_path: Path, closed: bool
):
    kustomization = tmp_path / "k/kustomization.yaml"
    write(kustomization, "resources: [a.yaml]\n" if closed else "resources: [a.yaml\nnamespace: prod\n")
    write(tmp_path / "k/a.yaml", _MAP)
    write(tmp_path / "other/b.yaml", _MAP.replace("name: a", "name: b"))
    kustomization.chmod(0 if closed else 0o644)
    done = as_others(tmp_path, "render", "--all")
    assert (done.returncode, done.stdout) == (
        3,
        _MAP.replace("{name: a}", "\n  name: b").replace(": \n", ":\n"),
    )
    where, remedy = (
        ("k/kustomization.yaml: it cannot be read", "make it readable")
        if closed
        else ("k/kustomization.yaml:2:10: it is no YAML", "correct it")
    )
    assert where in done.stderr
    assert remedy in done.stderr


def test_a_folder_that_may_not_be_entered_and_a_place_that_may_not_be_written_are_no_bugs_of_ours(
    repository: Path,
):
    (repository / "shut").mkdir()
    (repository / "closed").mkdir()
    (repository / "shut").chmod(0)
    (repository / "closed").chmod(0o500)
    for command in (
        ("render", "shut"),
        ("render", "shut/in"),
        ("render", "--all", "--output", "closed"),
        ("render", "--all", "--output", "closed/more"),
        ("lint", "--write-baseline", "--baseline", "closed/baseline"),
        ("lint", "--output", "json=closed/report"),
    ):
        done = as_others(repository, *command)
        assert done.returncode == 2, (command, done.stderr)
        assert "Permission denied\n  help: " in done.stderr, command
        assert "internal" not in done.stderr, command


def as_others(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    prefix = _AS_OTHERS if os.geteuid() == 0 else ()
    whole = [*prefix, sys.executable, "-m", "gitops_layout", *command]
    return subprocess.run(whole, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [a.yaml]\nimages: [{name: x, newTag: y}]\npatches: [{path: 1}]\n",
        "resources: [a.yaml, gone.yaml]\n",  # our builder shows what it would make without the missing file
    ],
)
def test_a_delivery_that_fails_is_counted_once_where_both_ways_are_compared(
    tmp_path: Path, capfd, monkeypatch, text: str
):
    write(tmp_path / "a.yaml", _MAP)
    write(tmp_path / "kustomization.yaml", text)
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capfd, monkeypatch, "--all", "--verify-render")
    assert code == 3
    assert "\n0 deliveries built both ways, 0 differ\n" in err


def test_a_link_to_nothing_is_called_so_and_not_one_that_leads_out(repository: Path, capfd, monkeypatch):
    write(repository / "bad/kustomization.yaml", "resources: [a.yaml, b.yaml]\n")
    (repository / "bad/a.yaml").symlink_to("nowhere")
    (repository / "bad/b.yaml").symlink_to("../../outside.yaml")
    code, _, err = said(capfd, monkeypatch, "bad")
    assert (code, "a.yaml is a link to nowhere, which does not exist (bad/a.yaml)" in err) == (3, True), err
    write(repository / "bad/kustomization.yaml", "resources: [b.yaml]\n")
    assert "b.yaml leads out of the repository" in said(capfd, monkeypatch, "bad")[2]


def test_what_keeps_its_variables_is_told_beside_it(tmp_path: Path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "sync.yaml",
        """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  interval: 10m
  prune: true
  path: ./web
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://example.test/acme/fleet.git", ref: {branch: main}}
""",
    )
    write(tmp_path / "web/a.yaml", _MAP + "data: {a: '${A:=1}'}\n")
    code, out, err = said(capfd, monkeypatch, "--all", "--no-cache")
    assert (code, "${A:=1}" in out) == (0, True)
    assert "not seen: variables of ConfigMap flux-system/settings: sync.yaml:9: no delivery brings it" in err


@pytest.mark.parametrize("asked", [["--all"], ["plain"]])
def test_a_file_that_is_no_yaml_is_told_where_no_agent_would_refuse_it(
    asked: list[str], tmp_path: Path, capfd, monkeypatch
):
    write(tmp_path / "plain" / "a.yaml", _MAP)
    write(tmp_path / "plain" / "b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b\n")
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capfd, monkeypatch, *asked)
    assert (code, yaml.safe_load(out)["metadata"]["name"]) == (3, "a")
    assert err.startswith("not read: file plain/b.yaml: line 4, column 1: ")
