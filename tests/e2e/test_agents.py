"""Scaffolded repositories under the real agents: they bring them up, follow them, and keep tenants apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.e2e import tenant
from tests.e2e.argocd import argocd
from tests.e2e.charts import charts
from tests.e2e.flux import flux
from tests.e2e.live import desired
from tests.e2e.repository import Repository, scaffolded
from tests.fetch.support import serving
from tests.scaffold.specs import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.live import Data, Live

pytestmark = pytest.mark.controlplane

CLUSTERS = ("eu", "lab")
"""Of the tests' spec: one environment on its own, and two that share a cluster. CI runs the first."""
OTHERS: dict[str, tuple[str, ...]] = {
    "argocd": ("applicationset", "charts", "charts-platform", "oci", "policies-platform"),
    "flux": ("charts", "charts-platform", "policies-platform"),
}
"""What else is run: Argo CD's other wiring, apps and components that are charts (`oci`: out of a registry), policies
that the server enforces.
"""
PLACES = [
    pytest.param(
        (agent, layout, cluster),
        id=f"{agent}-{layout}-{cluster}",
        # In CI one cluster of each layout under Flux, and one repository under Argo CD, which takes longer.
        marks=[]
        if cluster == "eu" and layout in LAYOUTS and (agent == "flux" or layout == "config")
        else [pytest.mark.agents],
    )
    for agent in ("flux", "argocd")
    for layout in (*LAYOUTS, *OTHERS[agent])
    for cluster in CLUSTERS
    if layout != "tenant"  # one of a tenant has no cluster of its own: it comes with the platform's
    and (cluster == "eu" or layout in LAYOUTS or layout in ("applicationset", "charts"))
]


class Agent(Protocol):
    """What the story below needs of an agent."""

    live: Live
    units: tuple[str, str]
    refused: str

    def url(self, name: str) -> str: ...
    def bootstrap(self, repository: Repository, cluster: str) -> None: ...
    def serve(self, url: str, repository: Repository) -> None: ...
    def settle(self, commits: dict[str, str]) -> None: ...
    def delivered(self) -> list[tuple[str, str, str, str]]: ...
    def hurry(self) -> None: ...
    def refusal(self, name: str, commit: str) -> str: ...
    def publish(self, charts: Mapping[str, Mapping[str, bytes]]) -> str | None: ...
    def push(self, charts: Mapping[str, Mapping[str, bytes]]) -> str | None: ...
    def chart(self, url: str, _: Mapping[str, Mapping[str, bytes]], namespace: str) -> str: ...


@dataclass
class Scene:
    """One layout in one cluster, up and running; every test leaves it so."""

    agent: Agent
    repository: Repository
    tenant: Repository | None
    layout: str
    cluster: str

    def settle(self) -> None:
        heads = {self.agent.url("platform"): self.repository.head()}
        if self.tenant is not None:
            heads[self.agent.url("payments")] = self.tenant.head()
        self.agent.settle(heads)

    def objects(self) -> dict[str, Data]:
        """All that the agent delivered, as it is now; what is not there is left out."""
        found = {}
        for api_version, kind, namespace, name in self.agent.delivered():
            data = self.agent.live.get(api_version, kind, name, namespace)
            if data is not None:
                found[f"{kind}/{namespace}/{name}"] = data
        return found

    def snapshot(self) -> dict[str, str]:
        return {key: desired(data) for key, data in self.objects().items()}

    def uids(self) -> dict[str, str]:
        return {key: data["metadata"]["uid"] for key, data in self.objects().items()}

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> Data:
        found = self.agent.live.get(api_version, kind, name, namespace)
        assert found is not None, f"{kind} {namespace}/{name}"
        return found

    @property
    def environment(self) -> str:
        return "prod" if self.cluster == "eu" else "dev"

    def namespace(self, base: str) -> str:
        return base if self.cluster == "eu" else f"{base}-{self.environment}"


@pytest.fixture(scope="module", params=PLACES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    name, layout, cluster = request.param
    root = tmp_path_factory.mktemp(f"{name}-{layout}-{cluster}")
    with flux(root, multitenant=layout.endswith("platform")) if name == "flux" else argocd(root) as agent:
        repository = scaffolded(root, name, layout, url=agent.url, publish=agent.publish, push=agent.push)
        tenants = tenant.repository(root, repository) if layout.endswith("platform") else None
        agent.serve(agent.url("platform"), repository)
        if tenants is not None:
            agent.serve(agent.url("payments"), tenants)
        agent.bootstrap(repository, cluster)
        yield Scene(agent, repository, tenants, layout, cluster)


def test_the_bootstrap_alone_brings_up_everything_the_repository_has(scene: Scene) -> None:
    scene.settle()

    objects = scene.objects()
    api_version, kind = scene.agent.units
    built = scene.repository.build(f"clusters/{scene.cluster}")
    units = [
        item["metadata"]["name"]
        for item in built
        if (item["apiVersion"], item["kind"]) == (api_version, kind)
    ]
    assert units
    assert {key for key in objects if key.startswith(f"{kind}/")} >= {
        f"{kind}/{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in built
        if (item["apiVersion"], item["kind"]) == (api_version, kind)
    }
    web = objects[f"Deployment/{scene.namespace('web')}/web"]
    assert web["status"]["availableReplicas"] == (2 if scene.cluster == "eu" else 1)
    if scene.layout.endswith("platform"):
        assert f"Deployment/{scene.namespace('payments')}/ledger" in objects
        assert f"Deployment/{scene.namespace('payments')}/pay" in objects
    if scene.layout == "charts":
        namespace = scene.namespace("shop")
        assert scene.agent.live.get("apps/v1", "Deployment", "shop", namespace) is not None
    if scene.layout in ("charts", "charts-platform", "oci"):
        scene.get("v1", "ConfigMap", "cache-chart", scene.namespace("cache"))
        scene.get("v1", "ConfigMap", "cert-manager-chart", "cert-manager")
    if scene.layout.startswith("charts") and scene.cluster == "eu":
        scene.get("v1", "ConfigMap", "ingress-chart", "ingress-system")


def test_a_pushed_commit_arrives_and_its_revert_restores_every_object(scene: Scene) -> None:
    scene.settle()
    before = scene.snapshot()
    folder = f"apps/web/envs/{scene.environment}"
    scene.repository.replace(f"{folder}/version/kustomization.yaml", '"1.4.0"', '"1.5.0"')
    scene.repository.replace(f"{folder}/local.yaml", "replicas: ", "replicas: 1")
    scene.repository.add_resource(folder, "extra.yaml", tenant.CONFIG_MAP % "extra")
    scene.repository.push("Run web 1.5.0")
    scene.settle()

    namespace = scene.namespace("web")
    after = scene.snapshot()
    assert {key for key, text in after.items() if text != before.get(key)} == {
        f"Deployment/{namespace}/web",
        f"ConfigMap/{namespace}/extra",
    }
    assert '"image": "ghcr.io/acme/web:1.5.0"' in after[f"Deployment/{namespace}/web"]

    scene.repository.revert()
    scene.settle()

    assert scene.snapshot() == before
    assert scene.agent.live.get("v1", "ConfigMap", "extra", namespace) is None


def test_what_is_changed_by_hand_heals(scene: Scene) -> None:
    scene.settle()
    before = scene.snapshot()
    live, namespace = scene.agent.live, scene.namespace("web")
    deployment = scene.get("apps/v1", "Deployment", "web", namespace)
    live.patch(deployment, {"spec": {"replicas": 5}}, manager="kubectl-edit")
    container = deployment["spec"]["template"]["spec"]["containers"][0] | {"image": "example.invalid/evil:1"}
    live.patch(
        deployment, {"spec": {"template": {"spec": {"containers": [container]}}}}, manager="kubectl-edit"
    )
    live.delete(scene.get("v1", "Service", "web", namespace))
    assert scene.snapshot() != before

    scene.agent.hurry()
    live.wait(
        "everything as before",
        lambda: _without_addresses(scene.snapshot()) == _without_addresses(before) or None,
    )


def _without_addresses(snapshot: dict[str, str]) -> dict[str, str]:
    """A snapshot without Services' specs, which get another address when they are made again."""
    return {key: "" if key.startswith("Service/") else text for key, text in snapshot.items()}


@pytest.mark.layouts("platform")
def test_a_tenant_gets_no_further_than_its_own_namespaces(scene: Scene) -> None:
    assert scene.tenant is not None
    scene.settle()
    before = scene.snapshot()
    home, other = scene.namespace("payments"), scene.namespace("search")
    for name, manifest in tenant.FORBIDDEN.items():
        text = manifest.replace("NAMESPACE", home).replace("OTHER", other)
        scene.tenant.add_resource(f"envs/{scene.environment}", f"{name}.yaml", text)
        commit = scene.tenant.push(f"Try a {name}")

        assert scene.agent.refused in scene.agent.refusal(f"payments-{scene.environment}", commit), name

        assert not [key for key in _intruders(scene) if key], name
        scene.tenant.revert()
        scene.settle()
    assert scene.snapshot() == before


def _intruders(scene: Scene) -> list[Any]:
    kinds = (
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("v1", "ConfigMap"),
        ("v1", "ResourceQuota"),
    )
    return [
        item["metadata"]
        for api_version, kind in kinds
        for item in scene.agent.live.list(api_version, kind)
        if item["metadata"]["name"] == "intruder"
    ]


@pytest.mark.layouts("config")  # the chart is no part of a layout: once for each agent is enough
def test_a_chart_is_installed_upgraded_and_rolled_back(scene: Scene) -> None:
    scene.settle()
    before, namespace = scene.snapshot(), scene.namespace("web")
    available = charts("1.0.0", "1.1.0")
    with serving() as server:
        server.serve(available)
        folder = f"clusters/{scene.cluster}"
        manifest = scene.agent.chart(server.url, available, namespace)
        scene.repository.add_resource(folder, "chart.yaml", manifest)
        added = scene.repository.push("Add a chart")
        scene.settle()
        installed = desired(scene.get("v1", "ConfigMap", "cache-chart", namespace))
        assert '"data": {"size": "2", "version": "1.0.0"}' in installed

        scene.repository.replace(f"{folder}/chart.yaml", "1.0.0", "1.1.0")
        scene.repository.push("Upgrade the chart")
        scene.settle()
        assert '"version": "1.1.0"' in desired(scene.get("v1", "ConfigMap", "cache-chart", namespace))

        scene.repository.revert()
        scene.settle()
        assert desired(scene.get("v1", "ConfigMap", "cache-chart", namespace)) == installed

        scene.repository.revert(added)
        scene.settle()
        live = scene.agent.live
        live.wait(
            "the chart to go", lambda: live.get("v1", "ConfigMap", "cache-chart", namespace) is None or None
        )
    assert scene.snapshot() == before


def test_an_app_removed_from_the_spec_goes_and_nothing_else_does(scene: Scene) -> None:
    scene.settle()
    before = scene.uids()
    scene.repository.gitops_layout("remove", "app", "queue")
    scene.repository.push("Remove queue")
    scene.settle()

    gone = {key for key in before if "messaging" in key or "/queue-" in key}
    assert any(key.startswith("Deployment/") for key in gone)
    scene.agent.live.wait("the app's namespaces to go", lambda: _no_namespace(scene, "messaging"))
    assert scene.uids() == {key: uid for key, uid in before.items() if key not in gone}


def _no_namespace(scene: Scene, prefix: str) -> bool | None:
    names = [item["metadata"]["name"] for item in scene.agent.live.list("v1", "Namespace")]
    return not any(name.startswith(prefix) for name in names) or None
