"""What comes with a repository beside its apps: whole, clean, and refused where it has no place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_layout.cli import root as cli
from gitops_layout.errors import UserError
from gitops_layout.scaffold.names import removed, renamed
from gitops_layout.scaffold.render import render
from gitops_layout.spec import load, parse
from tests.scaffold.command import run
from tests.scaffold.specs import FEATURES, FLUX_ONLY, LINT, SOPS, STORES, TENANT, data, spec
from tests.scaffold.trees import build, overlays, write

MADE = [
    (agent, name)
    for agent in ("flux", "argocd")
    for name in FEATURES
    if agent == "flux" or name not in FLUX_ONLY
]


@pytest.mark.parametrize(("agent", "name"), MADE)
def test_a_repository_with_a_feature_builds_lints_clean_and_says_itself(
    agent: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = spec(agent, **FEATURES[name])
    write(wanted, tmp_path)
    assert load((tmp_path / "gitops.yaml").read_bytes()) == wanted
    for folder in overlays(tmp_path):
        if folder.parts[-2:-1] == ("clusters",) or {"configs", "secrets"} & {*folder.parts}:
            build(folder)
    monkeypatch.chdir(tmp_path)
    # In this process, as there are many: the schemas are read once.
    code = cli.main([*LINT], prog_name="gitops-layout", standalone_mode=False)
    assert code == 0, capsys.readouterr()


def test_flux_decrypts_wherever_an_encrypted_file_may_stand(tmp_path: Path) -> None:
    write(spec(**FEATURES["sops-platform"]), tmp_path)
    for cluster in ("lab", "eu"):
        for item in build(tmp_path / "clusters" / cluster):
            if item["kind"] == "Kustomization":
                assert item["spec"]["decryption"] == {"provider": "sops", "secretRef": {"name": "sops-age"}}
    rules = yaml.safe_load((tmp_path / ".sops.yaml").read_text())["creation_rules"]
    for file, first in (
        ("apps/web/envs/prod/db.sops.yaml", "age1" + "p" * 58),
        ("infrastructure/configs/dev/token.sops.yaml", "age1" + "d" * 58),
    ):
        [rule] = [rule for rule in rules if re.search(rule["path_regex"], file)]
        assert rule["age"].split(",")[0] == first
    assert "*.agekey" in (tmp_path / ".gitignore").read_text()


def test_a_store_serves_the_namespaces_of_its_environment_and_no_tenants(tmp_path: Path) -> None:
    write(spec("argocd", **{**FEATURES["sealed-platform"], "features": {"secrets": STORES}}), tmp_path)
    stores = {
        cluster: [
            (item["metadata"]["name"], item["spec"]["conditions"])
            for item in build(tmp_path / f"clusters/{cluster}/infrastructure/configs")
        ]
        for cluster in ("lab", "eu")
    }
    assert stores == {
        "lab": [("dev", [{"namespaces": ["web-dev", "api-dev", "messaging-dev"]}])],
        "eu": [("prod", [{"namespaces": ["web", "api", "messaging"]}])],
    }


def test_a_component_of_ones_own_takes_the_place_of_the_one_a_feature_brings() -> None:
    own = {
        "name": "sealed-secrets",
        "chart": {"oci": "oci://ghcr.io/acme/sealed-secrets", "version": "9.0.0"},
    }
    [component] = spec(components=[own], features={"secrets": "sealed-secrets"}).components
    assert component.chart.version == "9.0.0"


def _expressions(root: Path, kind: str) -> dict[str, object]:
    return {
        item["metadata"]["name"]: (item["spec"].get("variables"), item["spec"]["validations"])
        for environment in ("dev", "prod")
        for item in build(root / "policies/envs" / environment)
        if item["kind"] == kind and not item["metadata"]["name"].endswith("-warning")
    }


def test_kyverno_judges_by_the_expressions_that_the_api_server_judges_by(tmp_path: Path) -> None:
    for name in ("policies-platform", "kyverno-platform"):
        write(spec(**FEATURES[name]), tmp_path / name)
    own = _expressions(tmp_path / "policies-platform", "ValidatingAdmissionPolicy")
    assert len(own) == 6 + 7
    assert _expressions(tmp_path / "kyverno-platform", "ValidatingPolicy") == own


def test_what_the_policies_refuse_is_found_before_a_cluster_refuses_it(tmp_path: Path) -> None:
    write(spec(**FEATURES["policies-platform"]), tmp_path)
    for file, old, new in (
        ("apps/web/base/deployment.yaml", "              cpu: 50m\n", ""),
        ("apps/find/base/service.yaml", "spec:\n", "spec:\n  type: NodePort\n"),
        ("apps/queue/envs/prod/version/kustomization.yaml", '"6.9.2"', "stable"),
        ("tenants/search/envs/dev/search/namespace.yaml", "enforce: restricted", "enforce: baseline"),
        ("tenants/payments/envs/prod/sync.yaml", "serviceAccountName: tenant", "serviceAccountName: admin"),
    ):
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new))
    done = run(tmp_path, "lint", "--select", "M027", "--format", "json")
    found = {
        (policy, item["object"].rpartition("/")[2])
        for finding in json.loads(done.stdout)["findings"]
        for policy in [finding["message"].split()[3]]
        for item in finding["affected"]
    }
    assert found == {
        *((f"requests-{name}", "web") for name in ("dev", "staging", "prod")),
        *((f"tenant-services-{name}", "find") for name in ("dev", "prod")),
        ("versioned-images-prod", "queue"),
        ("tenant-namespaces-dev", "search-dev"),
        ("tenant-deliveries-prod", "payments-prod"),
    }


def test_argo_cd_is_told_whom_to_tell_and_nothing_it_does_not_define(tmp_path: Path) -> None:
    write(spec("argocd", **FEATURES["told-gitlab"]), tmp_path)
    built = build(tmp_path / "clusters/lab")
    [told] = (item["data"] for item in built if item["metadata"]["name"] == "argocd-notifications-cm")
    templates = {key.partition(".")[2] for key in told if key.startswith("template.")}
    triggers = {
        key.partition(".")[2]: yaml.safe_load(told[key]) for key in told if key.startswith("trigger.")
    }
    assert {name for [trigger] in triggers.values() for name in trigger["send"]} == templates
    services = {key.removeprefix("service.webhook.") for key in told if key.startswith("service.")}
    for row in yaml.safe_load(told["subscriptions"]):
        assert {*row["recipients"]} <= services
        assert {*row["triggers"]} <= {*triggers}
    calls = {name: yaml.safe_load(told[f"template.{name}"])["webhook"] for name in templates}
    assert {name for call in calls.values() for name in call} == services
    assert calls["failed"]["commit-status"]["path"].startswith("/projects/acme%2Fa%2Fb/statuses/")
    [project] = (item for item in built if (item["kind"], item["metadata"]["name"]) == ("AppProject", "root"))
    assert {"group": "", "kind": "ConfigMap"} in project["spec"]["namespaceResourceWhitelist"]


def test_flux_writes_versions_of_the_first_environment_only_even_after_promotion(tmp_path: Path) -> None:
    write(spec(**FEATURES["images"]), tmp_path)
    assert run(tmp_path, "promote", "web", "--to", "dev", "--version", "1.5.0").returncode == 0
    for app in ("web", "shop"):
        assert run(tmp_path, "promote", app, "--to", "staging").returncode == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and '"$imagepolicy"' in path.read_text()]
    marked = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in files}
    version = "apps/{}/envs/dev/version/{}.yaml"
    assert {*marked} == {
        version.format("web", "kustomization"),
        version.format("queue", "kustomization"),
        version.format("shop", "values"),
    }
    assert "1.5.0" in marked[version.format("web", "kustomization")]
    assert "1.5.0" in (tmp_path / "apps/web/envs/staging/version/kustomization.yaml").read_text()
    lab, eu = (build(tmp_path / "clusters" / name) for name in ("lab", "eu"))
    assert not [item for item in eu if item["apiVersion"].startswith("image.")]
    policies = {item["metadata"]["name"] for item in lab if item["kind"] == "ImagePolicy"}
    assert policies == {"web", "queue", "shop"}  # api is pinned by digest, the others are charts
    [update] = (item["spec"] for item in lab if item["kind"] == "ImageUpdateAutomation")
    assert update["git"]["push"]["branch"] != update["git"]["checkout"]["ref"]["branch"]


def test_renovate_finds_the_versions_that_flux_would_write(tmp_path: Path) -> None:
    write(spec("argocd", **FEATURES["images"]), tmp_path)
    assert run(tmp_path, "promote", "web", "--to", "dev", "--version", "1.5.0").returncode == 0
    managers = json.loads((tmp_path / "renovate.json").read_text())["customManagers"][1:]
    found = {}
    for manager in managers:
        [name] = manager["managerFilePatterns"]
        [pattern] = (text.replace("(?<", "(?P<") for text in manager["matchStrings"])
        for path in sorted(tmp_path.rglob("*.yaml")):
            file = path.relative_to(tmp_path).as_posix()
            if re.search(name.strip("/"), file) and (match := re.search(pattern, path.read_text())):
                found[file] = (manager["depNameTemplate"], match["currentValue"])
    assert found == {
        "apps/web/envs/dev/version/kustomization.yaml": ("ghcr.io/acme/web", "1.5.0"),
        "apps/queue/envs/dev/version/kustomization.yaml": ("ghcr.io/stefanprodan/podinfo", "6.9.2"),
        "apps/shop/envs/dev/version/values.yaml": ("ghcr.io/acme/shop", "1.4.0"),
    }


PINNED = {
    "name": "pinned",
    "image": f"ghcr.io/acme/pinned:1.0.0@sha256:{'a' * 64}",
    "environments": ["dev", "staging"],
}


def test_the_digest_beside_a_tag_is_written_along_with_it(tmp_path: Path) -> None:
    given = {**FEATURES["images"], "apps": [PINNED]}
    write(spec(**given), tmp_path / "flux")
    version = tmp_path / "flux/apps/pinned/envs/dev/version/kustomization.yaml"
    marked = version.read_text()
    assert f'digest: sha256:{"a" * 64} # {{"$imagepolicy": "flux-system:pinned:digest"}}' in marked
    [policy] = (i["spec"] for i in build(tmp_path / "flux/clusters/lab") if i["kind"] == "ImagePolicy")
    assert policy["digestReflectionPolicy"] == "IfNotPresent"
    back = ("promote", "pinned", "--from", "staging", "--to", "dev")
    (version.parents[2] / "staging/version/kustomization.yaml").write_text(
        re.sub(r" # .*", "", marked.replace("1.0.0", "1.1.0").replace("aaaa", "bbbb"))
    )
    assert run(tmp_path / "flux", *back).returncode == 0
    assert version.read_text() == marked.replace("1.0.0", "1.1.0").replace("aaaa", "bbbb")
    write(spec("argocd", **given), tmp_path / "argocd")
    [manager] = json.loads((tmp_path / "argocd/renovate.json").read_text())["customManagers"][1:]
    [pattern] = (text.replace("(?<", "(?P<") for text in manager["matchStrings"])
    found = re.search(pattern, (tmp_path / "argocd" / version.relative_to(tmp_path / "flux")).read_text())
    assert found is not None
    assert found.groupdict() == {"currentValue": "1.0.0", "currentDigest": f"sha256:{'a' * 64}"}


_CONTROLLER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: flux-system}
spec: {template: {spec: {containers: [{name: manager, args: []}]}}}
"""


def test_flux_by_its_own_manifests_is_locked_down_once_they_are_there(tmp_path: Path) -> None:
    write(spec(**FEATURES["gotk-platform"]), tmp_path)
    folder = tmp_path / "clusters/eu/flux-system"
    names = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
    (folder / "gotk-components.yaml").write_text("---\n".join(_CONTROLLER % name for name in names))
    listed = folder / "kustomization.yaml"
    listed.write_text(listed.read_text().replace("  - gotk-sync", "  - gotk-components.yaml\n  - gotk-sync"))
    arguments = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["args"]
        for item in build(folder)
        if item["kind"] == "Deployment"
    }
    alone, account = "--no-cross-namespace-refs=true", "--default-service-account=default"
    artifacts = "--feature-gates=ExternalArtifact=true"
    assert arguments == {
        "source-controller": [],
        "kustomize-controller": [artifacts, alone, "--no-remote-bases=true", account],
        "helm-controller": [artifacts, alone, account],
        "notification-controller": [alone],
    }


def test_an_apps_artifact_is_made_on_every_cluster_that_delivers_from_it(tmp_path: Path) -> None:
    write(spec(**FEATURES["artifacts"]), tmp_path)
    for cluster in ("lab", "eu"):
        built = build(tmp_path / "clusters" / cluster)
        [generator] = (item["spec"] for item in built if item["kind"] == "ArtifactGenerator")
        made = {item["name"] for item in generator["artifacts"]}
        used = {item["spec"]["sourceRef"]["name"] for item in built if item["kind"] == "Kustomization"}
        assert made == used
        [flux] = (item["spec"] for item in built if item["kind"] == "FluxInstance")
        assert "source-watcher" in flux["components"]


_PRIVATE = {"environment": "dev", "keys": ["AGE-SECRET-KEY-1QQQ"]}


@pytest.mark.parametrize(
    ("agent", "changes", "words"),
    [
        ("argocd", {"features": {"secrets": SOPS}}, "Argo CD decrypts nothing by itself"),
        ("builtin", {"features": {"secrets": "sealed-secrets"}}, "needs flux or argocd"),
        (
            "flux",
            {"features": {"secrets": "sops-age"}},
            "nobody for environment dev, staging, prod: age-keygen",
        ),
        ("flux", {"features": {"secrets": {**SOPS, "recipients": [_PRIVATE]}}}, "is the private key"),
        (
            "flux",
            {"features": {"secrets": {**SOPS, "kind": "sealed-secrets"}}},
            "for secrets of kind sops-age",
        ),
        (
            "flux",
            {"features": {"secrets": {**STORES, "stores": [{"environment": "qa", "provider": {"a": {}}}]}}},
            "environment qa, which does not exist",
        ),
        (
            "flux",
            {"features": {"secrets": {**STORES, "stores": [{"environment": "dev", "provider": {"a b": 1}}]}}},
            "no field of a provider",
        ),
        ("builtin", {"features": {"policy": "kyverno"}}, "vap needs neither"),
        ("flux", {"agent": {"name": "argocd", "install": "gotk"}}, "has no install: it is Flux's"),
        ("argocd", {"features": {"ci": "none", "imageAutomation": "pr"}}, "nothing would run it"),
        ("builtin", {"features": {"notifications": "slack"}}, "tells nobody but who runs it"),
        ("flux", {"features": {"notifications": {}}}, "notifications tell nothing"),
        (
            "argocd",
            {"features": {"notifications": {"chat": "slack", "channel": "#a"}}},
            "webhook decides its channel",
        ),
        (
            "flux",
            {
                "repo": {"url": "https://example.com/a.git"},
                "features": {"notifications": {"commitStatus": True}},
            },
            "needs GitHub or GitLab",
        ),
        ("flux", {**TENANT, "features": {"secrets": "sealed-secrets"}}, "what the platform installs"),
    ],
)
def test_a_feature_without_a_place_is_refused(agent: str, changes: dict[str, Any], words: str) -> None:
    body = data(agent, **changes)
    body["spec"] = {key: value for key, value in body["spec"].items() if value is not None}
    with pytest.raises(UserError, match=words):
        parse(body)


def test_an_environment_takes_its_recipients_along() -> None:
    content = render(spec(**FEATURES["sops"]))["gitops.yaml"].content
    for edited, names in (
        (removed(content, "env", "staging"), ["dev", "prod"]),
        (renamed(content, "env", "staging", "qa"), ["dev", "qa", "prod"]),
    ):
        secrets = load(edited).features.secrets
        assert secrets is not None
        assert [item.environment for item in secrets.recipients] == names
