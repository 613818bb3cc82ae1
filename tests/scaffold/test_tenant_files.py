"""gitops.d/: apps of tenants in files of their own, and the gate that keeps tenants in their bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.spec import load, parse
from tests.scaffold.command import run
from tests.scaffold.specs import LINT, PLATFORM, data
from tests.scaffold.trees import write

PART = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsTenant
metadata:
  name: payments
spec:
  apps:
    - name: ledger # ours
      image: a/b:1.0
"""


@pytest.fixture(params=["flux", "argocd"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(data(request.param, **PLATFORM)))
    (tmp_path / "gitops.d").mkdir()
    (tmp_path / "gitops.d/payments.yaml").write_text(PART)
    done = run(tmp_path, "scaffold")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_an_app_in_two_files_is_told_with_both_places(root: Path) -> None:
    spec = yaml.safe_load((root / "gitops.yaml").read_text())
    spec["spec"]["tenants"].append({"name": "other"})
    (root / "gitops.yaml").write_text(yaml.safe_dump(spec))
    (root / "gitops.d/other.yaml").write_text(PART.replace("payments", "other"))
    done = run(root, "scaffold", "--plan")
    said = "gitops.d/payments.yaml:7:13: app ledger is already at gitops.d/other.yaml:7"
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_tenants_file_is_edited_for_its_apps_and_nothing_else_is(root: Path) -> None:
    main = (root / "gitops.yaml").read_bytes()
    assert (root / "apps/ledger/envs/prod/kustomization.yaml").is_file()
    assert run(root, "add", "app", "refunds", "--tenant", "payments", "--image", "a/c:2.0").returncode == 0
    assert run(root, "rename", "app", "ledger", "books").returncode == 0
    part = (root / "gitops.d/payments.yaml").read_text()
    assert "- name: books # ours\n" in part
    assert "    - name: refunds\n      image: a/c:2.0\n" in part
    assert run(root, "remove", "app", "refunds").returncode == 0
    assert (root / "gitops.yaml").read_bytes() == main
    assert "refunds" not in (root / "gitops.d/payments.yaml").read_text()
    assert not (root / "apps/refunds").exists()
    assert run(root, "scaffold", "--plan", "--exit-code").returncode == 0
    clean = run(root, *LINT)
    assert clean.returncode == 0, clean.stdout


def test_the_gate_fails_when_a_tenant_leaves_its_bounds(root: Path) -> None:
    overlay = root / "apps/ledger/envs/prod"
    (overlay / "local.yaml").write_text(
        (overlay / "local.yaml").read_text().replace("replicas: 2", "replicas: 101")
    )
    (overlay / "more.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: me\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}\nsubjects: []\n"
    )
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("components:", "  - more.yaml\ncomponents:"))
    done = run(root, "lint", "--select", "T", "--format", "json")
    assert done.returncode == 1
    said = [(item["rule"], item["file"], item["message"]) for item in json.loads(done.stdout)["findings"]]
    assert ("T001", "apps/ledger/envs/prod/more.yaml") in {row[:2] for row in said}
    assert any("quota of 100 pods to namespace payments" in row[2] for row in said)
    assert any("RoleBinding me, which is the platform's" in row[2] for row in said)


def test_a_tenant_cannot_silence_its_gate(root: Path) -> None:
    overlay = root / "apps/ledger/envs/prod"
    (overlay / "more.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n"
        "  name: me # gitops-layout: ignore[T001] we need it\nrules: []\n"
    )
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("components:", "  - more.yaml\ncomponents:"))
    done = run(root, "lint", "--format", "json")  # as the gate runs it
    assert done.returncode == 1
    assert {item["rule"] for item in json.loads(done.stdout)["findings"]} >= {"T001", "C002"}
    (root / ".gitops-layout.yaml").write_text("ignore: [{rules: T001, reason: agreed}]\n")
    agreed = json.loads(run(root, "lint", "--format", "json").stdout)["findings"]
    assert {item["rule"] for item in agreed} - {"A003"} == {"C002"}  # the comment is of no use


AUTOSCALER = (
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: ledger}\nspec: {minReplicas: 101, "
    "maxReplicas: 200, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ledger}}\n"
)
PODS = (
    "spec: {template: {spec: {containers: [{name: x, image: a/b:1, resources: {limits: {memory: 900Gi}}}]}}}"
)

SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: way-in}}\nspec: {{ports: [{{port: 80}}], type: {}}}\n"
)
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: x, image: a/b:1}]}\n"


@pytest.mark.parametrize(
    ("brought", "quota"),
    [
        (AUTOSCALER, "100 pods"),
        (f"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: x}}\n{PODS}\n", "memory in limits"),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {schedule: 0 1 * * *, jobTemplate: "
            + PODS.replace("spec:", "{spec:", 1).replace("{template", "{parallelism: 101, template", 1)
            + "}}\n",
            "100 pods",
        ),
        (SERVICE.format("LoadBalancer, allocateLoadBalancerNodePorts: false"), "0 services.loadbalancers"),
        (SERVICE.format("NodePort"), "0 services.nodeports"),
        (POD.replace("containers", "resources: {requests: {cpu: '900'}}, containers"), "cpu"),
        (POD.replace("containers", "overhead: {memory: 900Gi}, containers"), "memory"),
        (
            POD.replace(
                "containers",
                "initContainers: [{name: s, image: a/b:1, restartPolicy: Always, resources: {requests: {cpu: '900'}}}], containers",
            ),
            "cpu",
        ),
    ],
)
def test_all_that_the_generated_quota_counts_is_counted(root: Path, brought: str, quota: str) -> None:
    _bring(root, brought)
    done = run(root, "lint", "--select", "T001")
    assert quota in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "brought",
    [
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec: "
        + PODS.removeprefix("spec: ")
        .replace("{template", "{parallelism: 500, completions: 3, template", 1)
        .replace("900Gi", "1Gi")
        + "\n",
        "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: x}\n"
        + PODS.removeprefix("spec: {").removesuffix("}")
        + "\n",
        POD.replace("x, image: a/b:1", "x, image: a/b:1, resources: {limits: {memory: 900Gi}}").replace(
            "containers", "resources: {limits: {memory: 1Gi}, requests: {memory: 1Gi}}, containers"
        ),
        SERVICE.format("ClusterIP"),
    ],
)
def test_nothing_is_counted_that_the_server_would_not_count(root: Path, brought: str) -> None:
    _bring(root, brought)
    done = run(root, "lint", "--select", "T001")
    assert (done.returncode, done.stdout.count("T001")) == (0, 0), done.stdout + done.stderr


def test_a_quota_that_gives_load_balancers_is_heeded(root: Path) -> None:
    quota = root / "tenants/payments/base/quota.yaml"
    more = quota.read_text().replace('balancers: "0"', 'balancers: "1"').replace('ports: "0"', 'ports: "1"')
    quota.write_text(more)
    _bring(root, SERVICE.format("LoadBalancer"))
    assert run(root, "lint", "--select", "T001").returncode == 0
    _bring(
        root, SERVICE.format("LoadBalancer") + "---\n" + SERVICE.format("NodePort").replace("way-", "back-")
    )
    done = run(root, "lint", "--select", "T001")
    assert "more than its quota of 1 services.nodeports to namespace payments, with Service " in done.stdout


def _bring(root: Path, brought: str) -> None:
    overlay = root / "apps/ledger/envs/prod"
    (overlay / "more.yaml").write_text(brought)
    kustomization = overlay / "kustomization.yaml"
    text = kustomization.read_text()
    if "more.yaml" not in text:
        kustomization.write_text(text.replace("components:", "  - more.yaml\ncomponents:"))


INTRUDERS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: elsewhere, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: more, namespace: payments}
rules: []
---
apiVersion: v1
kind: ConfigMap
metadata: {name: homeless}
"""


def _intrude(root: Path, app: str, *, keep_namespace: bool) -> set[str]:
    """What T001 says once a tenant has put strangers and a thousand pods into an overlay of its own."""
    overlay = root / f"apps/{app}/envs/prod"
    (overlay / "more.yaml").write_text(INTRUDERS)
    lines = (overlay / "kustomization.yaml").read_text().splitlines(keepends=True)
    kept = [line for line in lines if keep_namespace or not line.startswith("namespace:")]
    text = "".join(kept).replace("  - more.yaml\n", "")
    text = text.replace("resources:\n", "resources:\n  - more.yaml\n")
    (overlay / "kustomization.yaml").write_text(text)
    local = overlay / "local.yaml"
    local.write_text(re.sub(r"replicas: \d+", "replicas: 1000", local.read_text()))
    done = run(root, "lint", "--format", "json")  # as the gate runs it
    assert done.returncode == 1, done.stdout + done.stderr
    found = [item for item in json.loads(done.stdout)["findings"] if item["rule"] == "T001"]
    assert {item["severity"] for item in found} == {"error"}
    return {re.sub(r"^tenant payments brings | with .*| cpu.*", "", item["message"]) for item in found}


@pytest.mark.parametrize("agent", ["flux", "argocd", "builtin"])
def test_the_gate_of_every_layout_with_tenants_refuses_what_is_not_theirs(agent: str, tmp_path: Path) -> None:
    platform, own = tmp_path / "platform", tmp_path / "own"
    apps = [{"name": "pay", "tenant": "payments"}]
    given = data(agent, layout="platform", tenants=[{"name": "payments"}], apps=apps)
    write(parse(given), platform)
    (platform / "gitops.yaml").write_text(yaml.safe_dump(given))
    tenant = ("--layout", "tenant", "--platform", "platform", "--tenant", "payments")
    done = run(tmp_path, "init", "own", *tenant, "--set", "apps=[{name: ledger}]")
    assert done.returncode == 0, done.stderr

    always = {
        "ClusterRole everything, a kind of the whole cluster",
        "Role more, which is the platform's to give",
        "more than its quota of 10",
        "more than its quota of 20Gi memory to namespace payments,",
        "more than its quota of 20Gi memory in limits to namespace payments,",
        "more than its quota of 100 pods to namespace payments,",
    }
    # The overlay's own `namespace:` brings the ConfigMaps home; without it they are where they say.
    assert _intrude(own, "ledger", keep_namespace=True) == always
    assert _intrude(platform, "pay", keep_namespace=True) == always
    abroad = "ConfigMap elsewhere to namespace kube-system, which is not its own"
    homeless = "ConfigMap homeless without a namespace, which would be nobody's"
    assert abroad in _intrude(own, "ledger", keep_namespace=False)
    found = _intrude(platform, "pay", keep_namespace=False)
    assert abroad in found
    assert (homeless in found) == (agent != "argocd")  # Argo CD's destination names one


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("name: payments", "name: search", ":4:9:", "call it gitops.d/search.yaml"),
        ("name: payments", "name: nobody", ":4:9:", "not under spec.tenants"),
        ("image: a/b:1.0", "image: a/b:latest", ":8:", "can change without a commit"),
        ("image: a/b:1.0", "tenant: search", ":8:15:", "app of tenant search"),
        ("name: ledger", "name: web", ":7:", "app web is already at gitops.yaml:"),
        ("image: a/b:1.0", "namespace: kube-system", ":8:18:", "none of tenant payments's"),
        ("  apps:", "  tenants:", ":6:3:", "unknown field tenants"),
        ("GitOpsTenant", "GitOpsRepo", ":2:7:", "expected GitOpsTenant"),
    ],
)
def test_mistakes_in_a_tenants_file_are_shown_where_they_are(
    old: str, new: str, place: str, words: str
) -> None:
    main = yaml.safe_dump(data("flux", **PLATFORM)).encode()
    part = PART.replace(old, new).encode()
    with pytest.raises(UserError) as caught:
        load(main, parts={"gitops.d/payments.yaml": part})
    assert f"gitops.d/payments.yaml{place}" in str(caught.value)
    assert words in str(caught.value)


def test_a_tenants_file_of_another_ending_is_no_silent_nothing(root: Path) -> None:
    (root / "gitops.d/payments.yaml").rename(root / "gitops.d/payments.yml")
    for verb in ("scaffold", "lint"):
        done = run(root, verb)
        assert done.returncode == 2
        assert "call it gitops.d/payments.yaml" in done.stderr


def test_where_a_release_delivers_to_counts_before_its_chart_is_here(root: Path) -> None:
    release = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: x}\nspec: {interval: 1h, "
        "url: oci://q.example.com/x, ref: {tag: 1.0.0}}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: x}\nspec: {interval: 1h, targetNamespace: kube-system, chartRef: {kind: OCIRepository, name: x}}\n"
    )
    _bring(root, release)
    done = run(root, "lint", "--select", "T001")
    assert "brings what HelmRelease x delivers to namespace kube-system, which is not its own" in done.stdout
    assert "T001" not in run(root, "lint", "--select", "T001", "--env", "dev").stdout
    _bring(root, release.replace("targetNamespace: kube-system", "targetNamespace: payments"))
    assert "T001" not in run(root, "lint", "--select", "T001").stdout
