"""The templates: what Copier makes of them, and what kustomize makes of the result."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_layout import __version__, bundle
from gitops_layout.scaffold.render import Ownership, answers, render, render_app
from gitops_layout.spec import Spec, load
from tests.kubectl import KUBECTL
from tests.scaffold.specs import (
    APPS,
    CHARTS,
    COMPONENTS,
    FEATURES,
    FLUX_ONLY,
    LAYOUTS,
    OWN_CHART,
    PLATFORM,
    TENANT,
    TENANTS,
    spec,
)

AGENTS = ("flux", "argocd")
SET = {"name": "argocd", "wiring": "applicationset"}
BARE = {"repo": {"url": "git@git.example.com:a/b.git", "branch": "1.0"}, "features": {"ci": "none"}}
CHANGES: dict[str, dict[str, Any]] = {
    **LAYOUTS,
    **FEATURES,
    "no-apps": {"apps": []},
    "bare": BARE,
    "gitlab": {"features": {"ci": "gitlab"}},
    "platform-no-apps": {**PLATFORM, "apps": []},
    "tenant-no-apps": {**TENANT, "apps": []},
    "charts": {"apps": [*APPS, *CHARTS, OWN_CHART]},
    "platform-builtin": {**PLATFORM, "tenants": [{"name": "payments"}, TENANTS[1]]},
    "components": {"components": COMPONENTS},
    "components-platform": {**PLATFORM, "components": COMPONENTS},
    "charts-monorepo": {"layout": "monorepo", "apps": [*CHARTS, OWN_CHART]},
    "applicationset": {"agent": SET},
    "applicationset-platform": {
        **PLATFORM,
        "agent": {**SET, "selfManaged": True},
        "apps": [*APPS, *CHARTS, {"name": "pay", "tenant": "payments", "image": "a/b:1.0"}, OWN_CHART],
    },
    "applicationset-no-apps": {"agent": SET, "apps": []},
    "self-managed": {"agent": {"name": "argocd", "selfManaged": True}},
    "vendored": {"agent": {"name": "argocd", "selfManaged": "vendored"}},
    "charts-platform": {
        **PLATFORM,
        "apps": [*CHARTS, {**CHARTS[1], "name": "ledger", "tenant": "payments"}],
    },
}
MADE = [
    (agent, changes)
    for agent in AGENTS
    for changes in CHANGES
    if (changes not in FLUX_ONLY if agent == "argocd" else "agent" not in CHANGES[changes])
]
MADE += [("builtin", changes) for changes in ("config", "bare", "platform-builtin")]


@pytest.fixture(scope="module", params=[(agent, layout) for agent in AGENTS for layout in LAYOUTS])
def wanted(request: pytest.FixtureRequest) -> Spec:
    agent, layout = request.param
    return spec(agent, **LAYOUTS[layout])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with our templates at a tag, as Copier would clone it."""
    root = tmp_path_factory.mktemp("source")
    shutil.copytree(bundle.root() / "templates", root / "templates")
    shutil.copy(bundle.root() / "copier.yml", root)
    _git(root, ["init", "-q"], ["add", "-A"], ["commit", "-qm", "templates"], ["tag", "v1"])
    return root


def _git(root: Path, *commands: list[str]) -> None:
    for command in commands:
        name = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *name, *command], cwd=root, check=True)


def _write(spec: Spec, root: Path) -> None:
    for path, file in render(spec).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)


def _build(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, f"{folder}: {done.stderr}"
    return [item for item in yaml.safe_load_all(done.stdout) if item]


@pytest.mark.parametrize(("agent", "changes"), MADE)
def test_copier_makes_the_same_bytes(agent: str, changes: str, source: Path, tmp_path: Path) -> None:
    from copier import run_copy

    wanted = spec(agent, **CHANGES[changes])
    run_copy(str(source), tmp_path, data=answers(wanted), defaults=True, quiet=True, vcs_ref="v1")
    made = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    made.pop(".copier-answers.yml")
    assert made == {path: file.content for path, file in render(wanted).items()}


def test_an_app_more_is_made_of_nothing_that_its_tenants_files_speak_of() -> None:
    apps = [*PLATFORM["apps"], {"name": "late", "tenant": "payments"}]
    one, more = (render(spec("flux", **{**PLATFORM, "apps": some})) for some in (PLATFORM["apps"], apps))
    tenants = {path: file.inputs for path, file in one.items() if path.startswith("tenants/")}
    assert tenants == {path: file.inputs for path, file in more.items() if path in tenants}
    assert "clusters/eu/kustomization.yaml" in one
    assert one["README.md"].inputs != more["README.md"].inputs


def test_copier_brings_the_components_that_features_need(source: Path, tmp_path: Path) -> None:
    from copier import run_copy

    wanted = spec("argocd", features={"secrets": "sealed-secrets", "policy": "kyverno"})
    asked = {key: value for key, value in answers(wanted).items() if key != "components"}
    run_copy(str(source), tmp_path, data=asked, defaults=True, quiet=True, vcs_ref="v1")
    files = render(wanted)
    chosen = [
        path for path in files if path.startswith(("infrastructure/", "clusters/")) or path == "gitops.yaml"
    ]
    assert {path: (tmp_path / path).read_bytes() for path in chosen} == {
        path: files[path].content for path in chosen
    }


def test_copier_can_update_what_it_made(source: Path, tmp_path: Path) -> None:
    from copier import run_copy, run_update

    origin, root = tmp_path / "origin", tmp_path / "root"
    shutil.copytree(source, origin)
    run_copy(str(origin), root, data=answers(spec()), defaults=True, quiet=True, vcs_ref="v1")
    _git(root, ["init", "-q"], ["add", "-A"], ["commit", "-qm", "made"])
    template = next(
        path
        for path in (origin / "templates/repository").rglob("*.jinja")
        if "clusters" in str(path)
        and "interval: 10m" in path.read_text()
        and path.name.startswith("{% yield app")
    )
    template.write_text(template.read_text().replace("interval: 10m", "interval: 30m"))
    _git(origin, ["commit", "-qam", "later"], ["tag", "v2"])
    run_update(root, defaults=True, overwrite=True, quiet=True, vcs_ref="v2")
    assert "interval: 30m" in (root / "clusters/eu/apps/prod/web.yaml").read_text()


def test_the_generated_gitops_yaml_says_the_same_as_the_one_it_came_from(wanted: Spec) -> None:
    assert load(render(wanted)["gitops.yaml"].content) == wanted


def test_every_kustomization_builds(wanted: Spec, tmp_path: Path) -> None:
    _write(wanted, tmp_path)
    roots = [
        path.parent for path in tmp_path.rglob("kustomization.yaml") if "Component" not in path.read_text()
    ]
    counts = {
        "config": 3 + 8 + 2 + 2,  # bases, environments of apps, clusters and their bootstraps
        "platform": 5 + 13 + 2 + 2 + 2 + 5 + 8,  # two apps more; tenants' bases, environments and namespaces
        "tenant": 2 + 5 + 3,  # bases, environments of apps, environments
    }
    assert len(roots) == counts.get(wanted.layout, counts["config"])
    if wanted.layout in counts:  # the others differ in no kustomization
        for root in roots:
            assert _build(root)


def test_every_environment_runs_its_own_version_under_restricted_rules(tmp_path: Path) -> None:
    _write(spec(), tmp_path)
    objects = {
        (item["kind"], item["metadata"]["name"]): item for item in _build(tmp_path / "apps/web/envs/prod")
    }
    pods = objects["Deployment", "web"]["spec"]["template"]["spec"]
    container = pods["containers"][0]
    assert container["image"] == "ghcr.io/acme/web:1.4.0"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert objects["Deployment", "web"]["spec"]["replicas"] == 2
    assert ("PodDisruptionBudget", "web") in objects
    assert {
        item["metadata"].get("namespace") for (kind, _), item in objects.items() if kind != "Namespace"
    } == {"web"}
    settings = container["envFrom"][0]["configMapRef"]["name"]
    assert ("ConfigMap", settings) in objects
    shared = {item["kind"]: item for item in _build(tmp_path / "apps/queue/envs/dev")}
    assert shared["Namespace"]["metadata"]["name"] == "messaging-dev"
    assert "PodDisruptionBudget" not in shared
    digest = _build(tmp_path / "apps/api/envs/dev")
    images = [
        item["spec"]["template"]["spec"]["containers"][0]["image"]
        for item in digest
        if item["kind"] == "Deployment"
    ]
    assert images == ["registry.local:5000/acme/api@sha256:" + "a" * 64]


def test_each_cluster_pulls_just_what_is_in_its_environments(tmp_path: Path) -> None:
    _write(spec("flux"), tmp_path)
    lab = {item["metadata"]["name"]: item for item in _build(tmp_path / "clusters/lab")}
    assert set(lab) == {"flux", "web-dev", "web-staging", "api-dev", "queue-dev", "queue-staging"}
    for name in set(lab) - {"flux"}:
        assert (tmp_path / lab[name]["spec"]["path"] / "kustomization.yaml").is_file()


def test_argo_cd_projects_permit_exactly_what_the_applications_ask_for(tmp_path: Path) -> None:
    _write(spec("argocd"), tmp_path)
    objects = _build(tmp_path / "clusters/lab")
    project = next(item for item in objects if item["metadata"]["name"] == "apps")
    applications = [
        item for item in objects if item["kind"] == "Application" and item["spec"]["project"] == "apps"
    ]
    assert len(applications) == 5
    asked = {
        (item["spec"]["destination"]["server"], item["spec"]["destination"]["namespace"])
        for item in applications
    }
    assert asked == {(item["server"], item["namespace"]) for item in project["spec"]["destinations"]}
    for application in applications:
        namespace = application["spec"]["destination"]["namespace"]
        built = _build(tmp_path / application["spec"]["source"]["path"])
        assert {item["metadata"].get("namespace", namespace) for item in built} == {namespace}
        assert {item["kind"] for item in built if "namespace" not in item["metadata"]} == {"Namespace"}


def test_template_names_are_legal_on_every_system() -> None:
    root = bundle.root() / "templates"
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        assert not set(name) & set('"|<>:*?\\'), name
        assert len(path.name.encode()) <= 255 - len(".jinja"), name  # Copier looks for one more suffix


@pytest.mark.parametrize(("agent", "changes"), MADE)
def test_generated_text_is_clean(agent: str, changes: str) -> None:
    for path, file in render(spec(agent, **CHANGES[changes])).items():
        text = file.content.decode()
        assert "{{" not in text.replace("${{", "") or _templates_inside(path), path
        assert "{%" not in text, path
        assert text == text.strip("\n") + "\n", path
        assert all(line == line.rstrip() for line in text.splitlines()), path


def _templates_inside(path: str) -> bool:
    """Whether a generated file holds templates of another program: Helm's, or those of Argo CD."""
    return "/chart/templates/" in path or path.endswith(("/bootstrap/notifications.yaml", "/apps.yaml"))


def test_the_workflow_installs_this_very_version(wanted: Spec) -> None:
    pinned = render(wanted)[".github/workflows/gitops.yaml"].content.decode()
    assert f"gitops-layout=={__version__}" in pinned


def test_people_own_what_they_edit_and_bots_own_the_versions(wanted: Spec) -> None:
    owners = {path: file.owner for path, file in render(wanted).items()}
    assert owners["apps/web/base/deployment.yaml"] is Ownership.SEED
    assert owners["apps/web/envs/dev/version/kustomization.yaml"] is Ownership.ROBOT
    assert owners["apps/web/envs/dev/kustomization.yaml"] is Ownership.MANAGED
    shared = "envs/prod/kustomization.yaml" if wanted.layout == "tenant" else "clusters/eu/kustomization.yaml"
    assert owners[shared] is Ownership.FRAGMENT


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_an_apps_own_repository_is_what_copier_makes_too(source: Path, tmp_path: Path, ci: str) -> None:
    from copier import run_copy

    wanted = spec(layout="split", features={"ci": ci})
    [chosen] = (app for app in answers(wanted)["apps"] if app["name"] == "web")
    given = {**answers(wanted), "layout": "app", "own_app": chosen}
    run_copy(str(source), tmp_path, data=given, defaults=True, quiet=True, vcs_ref="v1")
    (tmp_path / ".copier-answers.yml").unlink()
    made = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert made == {path: file.content for path, file in render_app(wanted, "web").items()}
    if ci == "gitlab":
        job = yaml.safe_load(made[".gitlab-ci.yml"])["release-web"]
        assert "changes" not in job["rules"][0]
        assert job["variables"]["CONFIG"].endswith("@$CI_SERVER_HOST/acme/platform.git")
        assert any("promote web --to dev" in line for line in job["script"])
        assert "merge_request.target=main" in job["script"][-1]
        return
    workflow = yaml.safe_load(made[".github/workflows/release.yaml"])
    steps = workflow["jobs"]["release"]["steps"]
    assert [step["with"]["repository"] for step in steps if "repository" in step.get("with", {})] == [
        "acme/platform"
    ]
    assert "promote web --to dev" in steps[-1]["run"]


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_every_job_of_the_gate_brings_what_the_lock_pins_before_it_renders(ci: str) -> None:
    made = render(spec(features={"ci": ci}))
    file = ".github/workflows/gitops.yaml" if ci == "github" else ".gitlab-ci.yml"
    jobs = yaml.safe_load(made[file].content)
    jobs = jobs["jobs"] if ci == "github" else jobs
    for name, renders in (("lint", "gitops-layout lint"), ("e2e", "gitops-layout reconcile")):
        job = jobs[name]
        lines = [step.get("run", "") for step in job["steps"]] if ci == "github" else job["script"]
        (fetch,) = (n for n, line in enumerate(lines) if "gitops-layout fetch" in line)
        assert fetch < min(n for n, line in enumerate(lines) if renders in line)
        if ci == "github":
            assert any("actions/cache" in step.get("uses", "") for step in job["steps"])


@pytest.mark.parametrize(
    ("more", "decides"),
    [
        ({}, True),
        ({"features": {"secrets": "sealed-secrets"}}, False),
        (
            {
                "apps": [
                    {
                        "name": "db",
                        "chart": {"name": "db", "repo": "https://c.example.org", "version": "1.0.0"},
                    }
                ]
            },
            False,
        ),
    ],
)
def test_the_end_to_end_job_decides_only_where_an_empty_cluster_can_bring_all_up(
    more: dict[str, Any],
    decides: bool,
) -> None:
    on = {
        name: {**more, "features": {**more.get("features", {}), "ci": name}} for name in ("github", "gitlab")
    }
    protection = json.loads(render(spec(**on["github"]))[".github/branch-protection.json"].content)
    assert ("e2e" in protection["required_status_checks"]["contexts"]) is decides
    job = yaml.safe_load(render(spec(**on["gitlab"]))[".gitlab-ci.yml"].content)["e2e"]
    assert job.get("allow_failure", False) is not decides


def test_findings_that_cannot_be_uploaded_do_not_fail_the_gate() -> None:
    job = yaml.safe_load(render(spec())[".github/workflows/gitops.yaml"].content)["jobs"]["lint"]
    [upload] = (step for step in job["steps"] if "upload-sarif" in step.get("uses", ""))
    assert upload["continue-on-error"] is True  # private repositories without code scanning
    assert job["permissions"] == {"actions": "read", "contents": "read", "security-events": "write"}


def test_a_job_on_gitlab_installs_the_programs_it_calls() -> None:
    made = render(spec(layout="monorepo", features={"ci": "gitlab"}))
    app = render_app(spec(layout="split", features={"ci": "gitlab"}), "web")
    jobs = {**yaml.safe_load(made[".gitlab-ci.yml"].content), **yaml.safe_load(app[".gitlab-ci.yml"].content)}
    called = {}
    for name, job in jobs.items():
        script = job.get("script", []) if isinstance(job, dict) else []
        if any(word in line for line in script for word in ("docker build", "kind create")):
            [install] = (line.split() for line in script if "apt-get install" in line)
            # Debian's docker.io is the daemon: its client is a package of its own, and only recommended.
            called[name] = "docker-cli" in install or "--no-install-recommends" not in install
    assert called == dict.fromkeys(["e2e", "release-web", "release-api", "release-queue"], True)


def test_a_commit_to_an_apps_code_releases_that_app_on_gitlab_too() -> None:
    made = render(spec(layout="monorepo", features={"ci": "gitlab"}))
    jobs = yaml.safe_load(made[".gitlab-ci.yml"].content)
    released = {name: job["rules"][0]["changes"] for name, job in jobs.items() if name.startswith("release-")}
    assert released == {f"release-{app}": [f"src/{app}/**/*"] for app in ("web", "api", "queue")}
    assert jobs["stages"] == ["check", "release"]


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_branch_is_protected_by_data_that_names_the_checks_there_are(ci: str) -> None:
    made = {path: file.content for path, file in render(spec(features={"ci": ci})).items()}
    own = json.loads(made["renovate.json"])["customManagers"][0]
    assert own["datasourceTemplate"] == "pypi"
    [pattern] = (text.replace("(?<", "(?P<") for text in own["matchStrings"])
    gate = ".github/workflows/gitops.yaml" if ci == "github" else ".gitlab-ci.yml"
    for file in (gate, ".pre-commit-config.yaml"):
        assert re.search(pattern, made[file].decode()), file
    if ci == "gitlab":
        chart = {"name": "db", "chart": {"name": "db", "repo": "https://c.example.org", "version": "1.0.0"}}
        helm = render(spec(features={"ci": ci}, apps=[chart]))[".gitlab-ci.yml"].content.decode()
        assert "gitops-layout[helm]==" in helm
        assert re.search(pattern, helm)
    if ci == "gitlab":
        assert json.loads(made[".gitlab/protected-branch.json"])["push_access_level"] == 0
        return
    asked = json.loads(made[".github/branch-protection.json"])["required_status_checks"]["contexts"]
    jobs = yaml.safe_load(made[".github/workflows/gitops.yaml"])["jobs"]
    assert asked == [*jobs]


def test_every_workflow_pins_what_it_uses(wanted: Spec) -> None:
    workflows = [
        file.content for path, file in render(wanted).items() if path.startswith(".github/workflows/")
    ]
    used = [
        step["uses"]
        for content in workflows
        for job in yaml.safe_load(content)["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    ]
    assert len(used) >= 4
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) for name in used)


def test_environments_alone_make_a_repository_with_copier(source: Path, tmp_path: Path) -> None:
    from copier import run_copy

    asked = {
        "repo_url": "https://github.com/acme/a",
        "environments": [{"name": "qa", "tier": "nonprod"}, {"name": "live", "tier": "prod", "from": "qa"}],
    }
    run_copy(str(source), tmp_path, data=asked, defaults=True, quiet=True, vcs_ref="v1")
    made = load((tmp_path / "gitops.yaml").read_bytes())
    assert [(item.name, item.environments) for item in made.clusters] == [("qa", ["qa"]), ("live", ["live"])]
    wanted = render(made)
    assert all((tmp_path / path).read_bytes() == file.content for path, file in wanted.items())
    with pytest.raises(ValueError, match="needs a tier"):
        run_copy(
            str(source),
            tmp_path / "b",
            data={**asked, "environments": [{"name": "qa"}]},
            defaults=True,
            quiet=True,
        )


@pytest.mark.parametrize("agent", ["flux", "argocd"])
def test_a_tenants_repository_by_copier_has_no_clusters(agent: str, source: Path, tmp_path: Path) -> None:
    from copier import run_copy

    given = answers(spec(agent, **TENANT))
    asked = {name: given[name] for name in ("layout", "agent", "repo_url", "environments", "tenancy")}
    run_copy(str(source), tmp_path, data=asked, defaults=True, quiet=True, vcs_ref="v1")
    assert (tmp_path / "envs/dev/kustomization.yaml").is_file()
    assert not list(
        (tmp_path / "clusters").rglob("*")
    )  # Copier leaves the empty folder, which git does not keep
