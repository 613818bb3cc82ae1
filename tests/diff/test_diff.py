"""What changes between two states of a repository, and what that does to objects that run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitops_layout.diff import What, compare, effects, field_changes
from gitops_layout.diff.objects import ABSENT
from tests.cli.test_lint import run
from tests.graph.test_link import linked

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://example.test/acme/fleet.git"}
"""
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: web}\ndata: {a: '1'}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}, {name: side, image: "side:1"}]}
"""


def flux(name: str, path: str, **spec: Any) -> str:
    """A Flux Kustomization that prunes unless told otherwise."""
    body = {"interval": "1m", "path": path, "prune": True, **spec}
    body["sourceRef"] = {"kind": "GitRepository", "name": "flux-system"}
    metadata = {"name": name, "namespace": "flux-system"}
    data = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": metadata}
    return json.dumps({**data, "spec": body}) + "\n"


def changed(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[What, str | None]]:
    """Effects by `Kind/name`, between two repositories that share a source."""
    found = compare(linked({"src.yaml": SOURCE, **before}), linked({"src.yaml": SOURCE, **after}))
    return {f"{effect.ref.kind}/{effect.ref.name}": (effect.what, effect.to) for effect in effects(found)}


def test_fields_are_named_as_people_name_them_and_secrets_stay_hidden() -> None:
    old = {
        "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "side"}], "args": ["a"], "on": 1}
    }
    new = {
        "spec": {
            "containers": [{"name": "side"}, {"name": "web", "image": "web:2"}],
            "args": ["b"],
            "on": True,
        }
    }
    assert [(item.where, item.before, item.after) for item in field_changes(old, new)] == [
        ("spec.containers[web].image", "web:1", "web:2"),
        ("spec.args", ["a"], ["b"]),
        ("spec.on", 1, True),
    ]
    sources = [{"repoURL": "r", "chart": "c", "helm": {"a": 1}}, {"repoURL": "s", "ref": "values"}]
    upgraded = [{**sources[0], "targetRevision": "2"}, sources[1]]
    others = [{"repoURL": "s", "ref": "values"}, {"repoURL": "x", "path": "y"}]
    assert [item.where for item in field_changes({"sources": sources}, {"sources": upgraded})] == [
        "sources[0].targetRevision"
    ]
    assert [item.where for item in field_changes({"sources": sources}, {"sources": others})] == ["sources"]
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"tls.key": "old", "b": None}}
    later = {**secret, "stringData": {"tls.key": "new", "c": "x"}}
    assert [(item.where, item.before, item.after) for item in field_changes(secret, later)] == [
        ("stringData[tls.key]", "***", "***"),
        ("stringData.b", None, ABSENT),
        ("stringData.c", ABSENT, "***"),
    ]


def test_what_leaves_a_delivery_is_pruned_kept_or_handed_over() -> None:
    one, two = "apps/one/web.yaml", "apps/two/web.yaml"
    both = {"one.yaml": flux("one", "./apps/one"), "two.yaml": flux("two", "./apps/two")}
    rest = {
        "apps/one/x.yaml": WEB.replace("name: web,", "name: x,"),
        "apps/two/y.yaml": WEB.replace("name: web,", "name: y,"),
    }
    full = {**both, **rest, one: WEB}
    assert changed(full, {**both, **rest}) == {"ConfigMap/web": (What.PRUNED, None)}
    assert changed(full, {**both, **rest, two: WEB}) == {
        "ConfigMap/web": (What.MOVED, "flux:Kustomization/flux-system/two@")
    }
    kept = WEB.replace(
        "namespace: web", 'namespace: web, annotations: {"kustomize.toolkit.fluxcd.io/prune": Disabled}'
    )
    assert changed({**full, one: kept}, {**both, **rest}) == {"ConfigMap/web": (What.ORPHANED, None)}
    keeps = {"one.yaml": flux("one", "./apps/one", prune=False)}
    assert changed({**full, **keeps}, {**both, **rest, **keeps}) == {"ConfigMap/web": (What.ORPHANED, None)}
    gone = {name: text for name, text in full.items() if name != "one.yaml"}
    assert changed(full, gone)["ConfigMap/web"] == (What.PRUNED, None)


@pytest.mark.parametrize(
    ("finalizers", "what"), [("[resources-finalizer.argocd.argoproj.io]", What.PRUNED), ("[]", What.ORPHANED)]
)
def test_an_application_takes_its_objects_along_only_with_a_finalizer(finalizers: str, what: What) -> None:
    url = "https://example.test/acme/fleet.git"
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: web, namespace: argocd, finalizers: {finalizers}}}\n"
        f"spec: {{project: default, source: {{repoURL: '{url}', path: web}}, destination: {{namespace: web}}}}\n"
    )
    other = application.replace("name: web,", "name: other,").replace("path: web", "path: other")
    tree = {"web/web.yaml": WEB, "other/x.yaml": WEB.replace("name: web,", "name: x,"), "other.yaml": other}
    assert changed({**tree, "app.yaml": application}, tree)["ConfigMap/web"] == (what, None)


def test_a_field_that_cannot_change_is_refused_unless_the_delivery_is_forced() -> None:
    after = DEPLOYMENT.replace("app: web", "app: shop")
    for spec, what in (({}, What.REFUSED), ({"force": True}, What.RECREATED)):
        agent = {"one.yaml": flux("one", "./apps/one", **spec)}
        found = changed({**agent, "apps/one/web.yaml": DEPLOYMENT}, {**agent, "apps/one/web.yaml": after})
        assert found == {"Deployment/web": (what, None)}


def test_a_delivery_that_cannot_be_rendered_any_more_removes_nothing() -> None:
    agent = {"src.yaml": SOURCE, "one.yaml": flux("one", "./apps/one")}
    good = {**agent, "apps/one/kustomization.yaml": "resources: [web.yaml]\n", "apps/one/web.yaml": WEB}
    bad = {**good, "apps/one/kustomization.yaml": "resources: [absent.yaml]\n"}
    [found] = compare(linked(good), linked(bad))
    assert not found.objects
    assert found.unseen


def test_the_command_compares_revisions_and_the_work_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\n")
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert run(monkeypatch, "diff", "--exit-code") == 0
    assert capsys.readouterr().out == "no object changes\n"
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("web:1", "web:2"))
    assert run(monkeypatch, "diff", "--exit-code", "--format", "json") == 1
    [delivery] = json.loads(capsys.readouterr().out)["deliveries"]
    assert delivery["changed"] == [
        {
            "object": "apps/v1/Deployment/web/web",
            "fields": [
                {"field": "spec.template.spec.containers[web].image", "before": "web:1", "after": "web:2"}
            ],
        }
    ]
    git("commit", "-qam", "two")
    assert run(monkeypatch, "diff", "HEAD~1", "HEAD") == 0
    assert "web:1 -> web:2" in capsys.readouterr().out
    assert run(monkeypatch, "diff", "absent") == 2
