"""Schemas in a lint run: coverage, kinds without schema, and the options that name more of them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from gitops_layout.cli import _run
from gitops_layout.model import UncheckedClass
from gitops_layout.validation.schemas import expand
from tests.lint.support import POD, linted, named

QUEUE = (
    "apiVersion: acme.example/v1\nkind: Queue\nmetadata: {name: mail, namespace: shop}\nspec: {size: big}\n"
)
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: queues.acme.example}
spec:
  group: acme.example
  scope: Namespaced
  names: {kind: Queue, plural: queues}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
"""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gitops-layout", *arguments])
    return _run()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "repository"
    root.mkdir()
    (root / "queue.yaml").write_text(QUEUE)
    (root / ".gitops-layout.yaml").write_text("{}\n")
    return root


def test_a_kind_without_schema_is_told_once_and_not_counted() -> None:
    report = linted({"a.yaml": QUEUE, "b.yaml": QUEUE.replace("mail", "post"), "c.yaml": CONFIG})
    (seen,) = report.coverage.unchecked
    assert seen.unchecked.what == "kind acme.example/Queue"
    assert seen.unchecked.kind is UncheckedClass.EXTERNAL
    assert (seen.line, seen.accepted) == (2, None)
    assert report.coverage.validated == 1


def test_a_declared_kind_is_accepted_and_an_idle_declaration_is_found() -> None:
    config = "external:\n  - {kind: 'acme.example/*', reason: ours}\n  - {kind: '*/Stream', reason: gone}\n"
    report = linted({"a.yaml": QUEUE, ".gitops-layout.yaml": config})
    (seen,) = report.coverage.unchecked
    assert seen.accepted == "declared external: ours"
    assert named(report) == [("C005", ".gitops-layout.yaml", 3)]


def test_a_declared_kind_whose_schema_came_with_a_later_release_is_not_idle() -> None:
    config = "external:\n  - {kind: gateway.networking.k8s.io/Gateway, reason: no schema yet}\n"
    gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a, namespace: web}\n"
    gateway += "spec: {gatewayClassName: b, listeners: [{name: http, port: 80, protocol: HTTP}]}\n"
    assert named(linted({"a.yaml": gateway, ".gitops-layout.yaml": config})) == []


def test_a_file_that_nothing_reads_is_judged_once_and_only_where_it_may_be_an_object() -> None:
    agent = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: shop
  destination: {name: in-cluster, namespace: web}
  source: {repoURL: "https://example.test/acme/fleet.git", targetRevision: main, path: web}
"""
    installer = "apiVersion: v1\nkind: InstallConfig\nmetadata: {name: cluster}\nbaseDomain: example.test\n"
    lying = CONFIG.replace("{name: a,", "{annotations: {a: true}, name: a,")
    files = {"argo/web.yaml": agent, "web/a.yaml": CONFIG, "install.yaml": installer, "lying/b.yaml": lying}
    found = [finding for finding in linted(files).findings if not finding.live]
    assert [(finding.rule.id, finding.file) for finding in found] == [("M001", "lying/b.yaml")]


def test_a_definition_in_the_repository_judges_its_objects() -> None:
    report = linted({"a.yaml": QUEUE, "crd.yaml": DEFINITION})
    assert named(report) == [("M001", "a.yaml", 4)]
    assert report.coverage.validated == 2
    assert not report.coverage.unchecked


def test_a_broken_definition_is_told_with_its_file_and_all_else_is_judged() -> None:
    broken = DEFINITION.replace("type: integer", 'type: string, pattern: "("')
    report = linted({"a.yaml": QUEUE, "crd.yaml": broken, "c.yaml": f"{CONFIG}dat: {{}}\n"})
    (seen,) = report.coverage.unchecked
    assert seen.unchecked.kind is UncheckedClass.BROKEN
    assert seen.unchecked.location is not None
    assert seen.unchecked.location.file == "crd.yaml"
    assert ("M002", "c.yaml", 4) in named(report)


def test_a_rule_that_cannot_be_run_is_told_where_the_definition_says_it() -> None:
    rules = "x-kubernetes-validations: [{rule: 'self.size < 3'}, {rule: 'self.nope('}]"
    spec = "spec: {type: object, properties: {size: {type: integer}}"
    assert spec in DEFINITION
    text = DEFINITION.replace(spec, f"{spec}, {rules}")
    report = linted({"crd.yaml": text, "queue.yaml": QUEUE.replace("big", "2")})
    (seen,) = (e for e in report.coverage.unchecked if "self.nope(" in e.unchecked.what)
    assert seen.unchecked.location is not None
    assert seen.unchecked.location.file == "crd.yaml"
    assert seen.unchecked.location.path[-3:] == ("x-kubernetes-validations", 1, "rule")


def test_without_rules_of_schemas_nothing_is_judged_and_coverage_says_so() -> None:
    report = linted({"a.yaml": QUEUE}, select=("V",))
    assert report.coverage.validated == 0
    assert not report.coverage.unchecked


def test_a_patch_is_not_judged_and_its_mistake_stands_where_it_was_written() -> None:
    base = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: 80}]\n"
    patch = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  clusterIPs: none\n"
    report = linted(
        {
            "base/service.yaml": base,
            "base/kustomization.yaml": "resources: [service.yaml]\n",
            "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
            "prod/patch.yaml": patch,
        }
    )
    assert ("M001", "prod/patch.yaml", 5) in named(report)
    assert {row[1] for row in named(report) if row[0].startswith("M")} == {"prod/patch.yaml"}


def test_what_a_bare_file_lacks_is_not_missed_where_kustomizations_complete_such_files() -> None:
    piece = POD.replace("name: web\n      image", "tty: 1\n      image")
    assert [row for row in named(linted({"piece.yaml": piece})) if row[0] == "M001"] == [
        ("M001", "piece.yaml", 7),
        ("M001", "piece.yaml", 7),
    ]
    report = linted(
        {"patches/piece.yaml": piece, "kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG}
    )
    (finding,) = (f for f in report.findings if f.rule.id == "M001")
    assert "expected boolean" in finding.message


def test_an_agents_object_that_a_kustomization_completes_lacks_nothing() -> None:
    base = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {path: ./a, prune: 1}\n"
    alone = [f.message for f in linted({"a.yaml": base}).findings if f.rule.id == "M001"]
    assert any("is missing" in message for message in alone)
    files: dict[str, str | bytes] = {
        "b/a.yaml": base,
        "b/c.yaml": CONFIG,
        "b/kustomization.yaml": "resources: [c.yaml]\n",
    }
    (finding,) = (f for f in linted(files).findings if f.rule.id == "M001")
    assert "expected boolean" in finding.message


def test_crds_of_a_folder_outside_judge_and_are_not_linted(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crds = tree.parent / "crds"
    crds.mkdir()
    (crds / "queue.yaml").write_text(DEFINITION)
    assert run(monkeypatch, "lint", str(tree), "--crds", str(crds)) == 1
    assert "expected integer" in capsys.readouterr().out
    listed = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(DEFINITION)]}
    (crds / "queue.yaml").write_text(yaml.safe_dump(listed))
    assert run(monkeypatch, "lint", str(tree), "--crds", str(crds)) == 1
    assert "expected integer" in capsys.readouterr().out
    (crds / "queue.yaml").write_text("kind: ConfigMap\n")
    assert run(monkeypatch, "lint", str(tree), "--crds", str(crds)) == 2
    assert "holds no CustomResourceDefinition" in capsys.readouterr().err
    (crds / "other.yaml").write_text("a: [\n")
    assert run(monkeypatch, "lint", str(tree), "--crds", str(crds)) == 2
    assert "other.yaml:" in capsys.readouterr().err


def test_schemas_of_a_folder_and_of_a_template_judge(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"properties": {"spec": {"properties": {"size": {"type": "integer"}}}}}
    folder = tree.parent / "schemas"
    (folder / "v1.36.0-standalone-strict").mkdir(parents=True)
    (folder / "v1.36.0-standalone-strict" / "queue-acme-v1.json").write_text(json.dumps(schema))
    options = ["--kubernetes-version", "1.36", "--schema-location", "default", "--schema-location"]
    assert run(monkeypatch, "lint", str(tree), *options, str(folder)) == 1
    assert "expected integer" in capsys.readouterr().out
    (folder / "acme.example").mkdir()
    (folder / "acme.example" / "queue_v1.json").write_text('{"$ref": "https://example.org/x.json"}')
    template = "{{.Group}}/{{ .ResourceKind }}_{{.ResourceAPIVersion}}.json"
    assert run(monkeypatch, "lint", str(tree), "--schema-location", f"{folder}/{template}") == 3
    assert "cannot be compiled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("not json", "is no JSON"),
        ("[]", "is no JSON object"),
        ('{"type": 7}', "cannot be compiled"),
        ('{"pattern": "(a"}', "cannot be compiled"),
        ('{"$ref": "http://example.com/queue.json"}', "cannot be compiled"),
        ('{"$ref": "#"}', "refers to itself"),
        ('{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"anyOf": [{}, {"$ref": "#"}]}}}', "refers to itself"),
        ('{"allOf": [' * 3000 + "{}" + "]}" * 3000, "is nested too deeply"),
        ('{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}', "refers to itself"),
        ('{"properties": {"a": ' * 3000 + "{}" + "}}" * 3000, "is nested too deeply"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_is_told_with_its_file_and_all_else_is_judged(
    schema: str, words: str, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "bad.yaml").write_text(CONFIG.replace("name: a", "name: A_"))
    (tree.parent / "queue.json").write_text(schema)

    assert run(monkeypatch, "lint", str(tree), "--schema-location", "{{ .ResourceKind }}.json") == 1

    said = capsys.readouterr().out
    assert "M019" in said
    assert f"kind acme.example/Queue: its schema {words}" in said
    assert "(queue.json)" in said


def test_a_schema_may_speak_of_itself_further_down(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = '{"type": "object", "properties": {"spec": {"$ref": "#"}, "size": {"type": "integer"}}}'
    (tree.parent / "queue.json").write_text(schema)

    assert run(monkeypatch, "lint", str(tree), "--schema-location", "{{ .ResourceKind }}.json") == 1
    assert 'spec.size: expected integer, got string "big"' in capsys.readouterr().out


def test_an_object_as_large_as_the_server_takes_is_judged_in_time() -> None:
    data = "".join(f"  key-{number}: {'x' * 100}\n" for number in range(14_000))
    text = f"{CONFIG}data:\n{data}"
    assert len(text) > 1_500_000
    started = time.monotonic()

    report = linted({"big.yaml": text, "small.yaml": CONFIG.replace("name: a", "name: A_")})

    assert time.monotonic() - started < 60
    assert report.coverage.validated == 2
    assert {finding.file for finding in report.findings if finding.rule.id == "M019"} == {"small.yaml"}


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("nowhere", "there is no folder nowhere"),
        ("nowhere/{{ .ResourceKind }}.json", "there is no folder nowhere"),
        ("{{ .ResourceKin }}.json", 'did you mean ".ResourceKind"'),
        ("{{ .Nope }}.json", "there is no {{ .Nope }}"),
    ],
)
def test_a_schema_location_that_can_hold_nothing_is_a_mistake(
    location: str,
    words: str,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "lint", str(tree), "--schema-location", location) == 2
    assert words in capsys.readouterr().err


def test_no_kind_climbs_out_of_a_schema_location() -> None:
    kind = ("../../etc", "v1", "../passwd")
    path = expand("s/{{.Group}}/{{.ResourceKind}}{{.KindSuffix}}.json", kind, kubernetes="1.36")
    assert ".." not in path
    assert path.count("/") == 2


CLUSTERS = """\
clusters:
  - {name: old, paths: [clusters/old/**], kubernetes: "1.36"}
  - {name: new, paths: [clusters/new/**], kubernetes: v1.37.1}
"""
FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: apps, namespace: flux-system}}
spec: {{interval: 1h, prune: true, path: ./{name}, sourceRef: {{kind: GitRepository, name: flux-system}}}}
"""
ADDRESS = """\
apiVersion: networking.k8s.io/v1beta1
kind: IPAddress
metadata: {name: 10.0.0.1}
spec: {parentRef: {resource: services, name: web}}
"""


def test_what_a_cluster_gets_is_judged_by_the_version_that_it_is_declared_to_run(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "queue.yaml").unlink()
    (tree / ".gitops-layout.yaml").write_text(CLUSTERS)
    for name in ("old", "new"):
        (tree / "clusters" / name).mkdir(parents=True)
        (tree / "clusters" / name / "flux.yaml").write_text(FLUX.format(name=name))
        (tree / name).mkdir()
        (tree / name / "address.yaml").write_text(ADDRESS)

    assert run(monkeypatch, "lint", str(tree)) == 1

    lines = [line for line in capsys.readouterr().out.splitlines() if "[M00" in line]
    assert [(line.partition(":")[0], line.split("[")[1][:4]) for line in lines] == [
        ("new/address.yaml", "M005"),
        ("old/address.yaml", "M006"),
    ]


def test_a_declared_version_that_nobody_knows_is_refused_by_the_clusters_name(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / ".gitops-layout.yaml").write_text(CLUSTERS.replace("1.36", "1.12"))

    assert run(monkeypatch, "lint", str(tree)) == 2
    assert "cluster old: kubernetes 1.12" in capsys.readouterr().err


def test_versions_are_asked_together_and_said_apart(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "apiVersion: networking.k8s.io/v1beta1\nkind: IPAddress\nmetadata: {name: 10.0.0.1}\n"
    (tree / "queue.yaml").write_text(f"{old}spec: {{parentRef: {{resource: services, name: web}}}}\n")
    assert run(monkeypatch, "lint", str(tree), "--kubernetes-version", "1.36") == 0
    assert "M006 api-deprecated" in capsys.readouterr().out
    assert run(monkeypatch, "lint", str(tree), "--kubernetes-version", "1.36,v1.37.2") == 1
    assert "M005 api-removed" in capsys.readouterr().out


SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  interval: 10m
  prune: true
  path: ./web
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def test_what_lies_where_nothing_reads_it_is_judged_and_told_as_not_reached() -> None:
    lying = CONFIG + "data: {port: 80}\n---\n" + QUEUE + "---\n" + CONFIG.replace("a,", "A_b,")
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  $patch: replace\n  template: {spec: {hostNetwork: true}}\n"
    files = {"sync.yaml": SYNC, "web/a.yaml": CONFIG, "other/b.yaml": lying, "other/patch.yaml": patch}
    report = linted(files)
    found = {(f.rule.id, f.file, f.span.line, f.live) for f in report.findings if f.file != "sync.yaml"}
    assert found == {("M001", "other/b.yaml", 4, False), ("M019", "other/b.yaml", 13, False)}
    assert "kind acme.example/Queue" in {seen.unchecked.what for seen in report.coverage.unchecked}


def test_a_folder_is_judged_by_what_the_clusters_of_its_environment_run(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = """\
environments:
  - {name: prod, paths: [prod/**]}
  - {name: dev, paths: [dev/**]}
clusters:
  - {name: p1, environment: prod, kubernetes: "1.31"}
  - {name: d1, environment: dev, kubernetes: "1.37"}
"""
    text = "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: a}\nspec: {cidrs: [10.0.0.0/16]}\n"
    (tree / "queue.yaml").unlink()
    (tree / ".gitops-layout.yaml").write_text(config)
    for name in ("dev", "prod"):
        (tree / name).mkdir()
        (tree / name / "a.yaml").write_text(text)
    assert run(monkeypatch, "lint", "--format", "json", str(tree)) == 1
    found = [(f["rule"], f["file"]) for f in json.loads(capsys.readouterr().out)["findings"]]
    assert found == [("M005", "prod/a.yaml")]


def test_a_field_that_a_json_patch_of_a_file_adds_stands_in_the_patch() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "ghcr.io/acme/web:1.8.2"}]},
            },
        },
    }
    report = linted(
        {
            "web.yaml": yaml.safe_dump(deployment),
            "patch.yaml": "- op: add\n  path: /spec/template/spec/servieAccountName\n  value: s3\n",
            "kustomization.yaml": "resources: [web.yaml]\npatches:\n  - {path: patch.yaml, target: {kind: Deployment}}\n",
        }
    )

    assert ("M002", "patch.yaml", 2) in named(report)
