"""What a run does to a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitops_layout.reconcile.plan import Verb
from tests.reconcile.support import config_map, crd, deployment, namespace_of

if TYPE_CHECKING:
    from tests.reconcile.support import Bench

pytestmark = pytest.mark.controlplane

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"app": "web"},
        "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "metrics"}],
    },
}


def test_a_type_its_objects_and_their_namespace_arrive_in_one_run(at: Bench) -> None:
    group = f"{at.namespace}.example.invalid"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    everything = [widget, deployment("web"), SERVICE, crd("Widget", group), namespace_of(at.namespace)]

    ran = at.run(everything)

    assert (ran.summary.exit_code, ran.problems) == (0, [])
    assert set(ran.verbs().values()) == {Verb.CREATE}
    written = [path.rsplit("/", 2)[-2] for path in at.writes()]
    first, rest = written[:3], written[3:]
    assert first == [
        "configmaps",
        "customresourcedefinitions",
        "namespaces",
    ]  # the inventory comes before all
    assert rest.index("services") < rest.index("deployments")
    if at.plane.controllers:
        live = at.get("apps/v1", "Deployment", "web")
        assert live is not None
        assert live["status"]["readyReplicas"] == 2


def test_a_second_run_writes_nothing_and_asks_little(at: Bench) -> None:
    group = f"{at.namespace}.example.invalid"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "value"}}
    everything = [
        namespace_of(at.namespace),
        crd("Widget", group),
        widget,
        deployment("web"),
        SERVICE,
        secret,
    ]
    everything += [config_map(f"c{number}") for number in range(20)]
    at.run(everything)
    before = at.requests()

    ran = at.run(everything)

    assert ran.summary.exit_code == 0
    assert ran.verbs() == {}
    sent = at.requests()[len(before) :]
    assert [verb for verb, _ in sent] == ["get", *["list"] * 7]  # the inventory, and one LIST a kind
    assert ran.summary.calls == 8  # so there was no dry run either


def test_one_changed_field_is_one_patch(at: Bench) -> None:
    def everything(image: str) -> list[dict[str, object]]:
        return [namespace_of(at.namespace), deployment("web", image=image), config_map("c"), SERVICE]

    at.run(everything("example.invalid/web:1"))
    before = at.writes()

    ran = at.run(everything("example.invalid/web:2"))

    assert ran.verbs() == {f"Deployment/{at.namespace}/web": Verb.UPDATE}
    assert (
        "spec.template.spec.containers[web].image  example.invalid/web:1 -> example.invalid/web:2"
        in ran.shown
    )
    assert at.writes()[len(before) :] == [f"/apis/apps/v1/namespaces/{at.namespace}/deployments/web"]


def test_a_dry_run_shows_the_plan_and_writes_nothing(at: Bench) -> None:
    ran = at.run([namespace_of(at.namespace), config_map("c")], dry_run=True, exit_code=True)

    assert ran.summary.exit_code == 1
    assert set(ran.verbs()) == {f"Namespace/{at.namespace}", f"ConfigMap/{at.namespace}/c"}
    assert at.writes() == []


def test_drift_made_by_hand_is_repaired(at: Bench) -> None:
    objects = [namespace_of(at.namespace), deployment("web"), config_map("c", {"a": "1"}), config_map("gone")]
    at.run(objects)
    at.patch(
        f"/apis/apps/v1/namespaces/{at.namespace}/deployments/web",
        {"spec": {"replicas": 5}},
        manager="kubectl-scale",
    )
    at.patch(at.core("configmaps", "c"), {"data": {"a": "2", "extra": "kept"}}, manager="kubectl-edit")
    at.other.request("DELETE", at.core("configmaps", "gone"))

    ran = at.run(objects)

    assert ran.summary.exit_code == 0
    assert ran.verbs() == {
        f"Deployment/{at.namespace}/web": Verb.UPDATE,
        f"ConfigMap/{at.namespace}/c": Verb.UPDATE,
        f"ConfigMap/{at.namespace}/gone": Verb.CREATE,
    }
    live = at.get("v1", "ConfigMap", "c")
    assert live is not None
    assert live["data"] == {"a": "1", "extra": "kept"}  # a field that nobody declares is not drift


def test_a_conflict_names_field_and_owner_and_does_not_hold_up_the_rest(at: Bench) -> None:
    at.run([namespace_of(at.namespace), config_map("c", {"a": "1", "b": "1"}), config_map("old")])
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"b": "2"}}
    at.patch(at.core("configmaps", "c"), theirs, manager="tenant-operator", content="apply-patch")

    ran = at.run([namespace_of(at.namespace), config_map("c", {"a": "1", "b": "1"}), config_map("new")])

    assert ran.summary.exit_code == 3
    assert ran.verbs() == {
        f"ConfigMap/{at.namespace}/c": Verb.CONFLICT,
        f"ConfigMap/{at.namespace}/new": Verb.CREATE,
    }
    assert "data.b is owned by tenant-operator" in ran.shown
    assert at.get("v1", "ConfigMap", "old") is not None  # an incomplete run deletes nothing

    forced = at.run([config_map("c", {"a": "1", "b": "1"}), config_map("new")], force_conflicts=True)

    live = at.get("v1", "ConfigMap", "c")
    assert forced.summary.exit_code == 0
    assert live is not None
    assert live["data"]["b"] == "1"


def test_what_kubectl_apply_left_behind_is_taken_over(at: Bench) -> None:
    at.run([namespace_of(at.namespace)])
    last = "kubectl.kubernetes.io/last-applied-configuration"
    at.patch(
        f"/api/v1/namespaces/{at.namespace}/configmaps/c",
        config_map("c", {"a": "old"}, annotations={last: "{}"}),
        manager="kubectl-client-side-apply",
        content="apply-patch",
    )
    # An update, not an apply, is what the old kubectl is recorded with.
    at.patch(at.core("configmaps", "c"), {"data": {"a": "older"}}, manager="kubectl-client-side-apply")

    ran = at.run([namespace_of(at.namespace), config_map("c", {"a": "new"})])

    live = at.get("v1", "ConfigMap", "c")
    assert (ran.summary.exit_code, ran.problems) == (0, [])
    assert "taken over from kubectl-client-side-apply" in ran.shown
    assert live is not None
    assert live["data"]["a"] == "new"


def test_everything_wrong_is_reported_at_once_and_nothing_is_written(at: Bench) -> None:
    typo, number = deployment("web"), config_map("c")
    typo["spec"]["replica"] = 3
    number["data"] = {"port": 80}
    fine = config_map("fine")
    at.run([namespace_of(at.namespace)])
    before = at.writes()

    ran = at.run([namespace_of(at.namespace), fine, typo, number])

    assert ran.summary.exit_code == 3
    assert ran.problems == [
        ".data.port: expected string, got 80",
        ".spec.replica: field not declared in schema",
    ]
    assert at.writes() == before


def test_a_changed_type_is_applied_before_its_objects_are_validated(at: Bench) -> None:
    group = f"{at.namespace}.example.invalid"
    first = crd("Widget", group)
    second = crd("Widget", group)
    second["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "color"
    ] = {"type": "string"}
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    at.run([namespace_of(at.namespace), first, widget])

    ran = at.run([namespace_of(at.namespace), second, {**widget, "spec": {"size": 3, "color": "red"}}])

    assert (ran.summary.exit_code, ran.problems) == (0, [])
    assert set(ran.verbs().values()) == {Verb.UPDATE}


def test_an_immutable_field_is_named_with_the_ways_out(at: Bench) -> None:
    at.run([namespace_of(at.namespace), deployment("web")])
    moved = deployment("web")
    moved["spec"]["selector"]["matchLabels"] = moved["spec"]["template"]["metadata"]["labels"] = {
        "app": "other"
    }

    ran = at.run([namespace_of(at.namespace), moved])

    assert ran.summary.exit_code == 3
    assert ran.problems == [
        "spec.selector is immutable: the live object cannot be changed so; delete it first, or give the new one another name"
    ]


@pytest.mark.parametrize(
    ("where", "mark", "value", "owner"),
    [
        ("annotations", "argocd.argoproj.io/tracking-id", "shop:/ConfigMap:x/c", "argocd:shop"),
        ("labels", "kustomize.toolkit.fluxcd.io/name", "apps", "flux:apps"),
        ("annotations", "meta.helm.sh/release-name", "web", "helm:web"),
    ],
)
def test_an_object_of_another_agent_is_refused_until_it_is_named(
    at: Bench, where: str, mark: str, value: str, owner: str
) -> None:
    at.run([namespace_of(at.namespace)])
    theirs = config_map("c", {"a": "theirs"}, **{where: {mark: value}})
    at.patch(at.core("configmaps", "c"), theirs, manager="some-agent", content="apply-patch")
    mine = [namespace_of(at.namespace), config_map("c", {"a": "ours"})]

    refused = at.run(mine)
    taken = at.run(mine, take_over=frozenset({owner}))

    assert refused.summary.exit_code == 3
    assert refused.problems == [f"is already managed by {owner}; --take-over {owner} would take it"]
    live = at.get("v1", "ConfigMap", "c")
    assert taken.summary.exit_code == 0
    assert live is not None
    assert live["data"]["a"] == "ours"


def test_a_number_in_a_secret_is_refused_as_kubectl_would_see_it_refused(at: Bench) -> None:
    at.run([namespace_of(at.namespace)])
    pin = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"pin": 421}}

    ran = at.run([namespace_of(at.namespace), pin])

    assert ran.problems == [".stringData.pin: expected string, got ***"]


def test_secret_values_never_show(at: Bench) -> None:
    def secret(value: str, **more: object) -> dict[str, object]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"password": value},
            **more,
        }

    spoken = [
        "c29tZXRoaW5nLW9sZA",
        "something-old",
        "something-new",
        "c29tZXRoaW5nLW5ldw",
        "illegal-value",
        "c2VjcmV0",
    ]
    ran = [at.run([namespace_of(at.namespace), secret("something-old")])]
    ran.append(at.run([namespace_of(at.namespace), secret("something-new")]))
    ran.append(at.run([namespace_of(at.namespace), secret("something-new", data={"raw": "illegal-value!"})]))
    ran.append(at.run([namespace_of(at.namespace), secret("something-new", data={"raw": ["illegal-value"]})]))
    ran.append(
        at.run([namespace_of(at.namespace), secret("something-new", type="kubernetes.io/dockerconfigjson")])
    )

    assert [one.summary.exit_code for one in ran] == [0, 0, 3, 3, 3]
    assert "data.password  *** -> ***" in ran[1].shown
    for one in ran:
        assert not [word for word in spoken if word in one.shown]


def test_what_does_not_become_healthy_in_time_is_named(at: Bench) -> None:
    if not at.plane.controllers:
        pytest.skip("no kube-controller-manager, kube-scheduler and kwok: run `make controlplane`")
    stuck = deployment("web", replicas=1)
    stuck["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}

    waited = at.run([namespace_of(at.namespace), stuck], timeout=2, wait=True)
    left = at.run([namespace_of(at.namespace), stuck], wait=False)

    assert waited.summary.exit_code == 3
    assert waited.summary.verdict == "not healthy: 1 of 2 objects"
    assert f"Deployment/{at.namespace}/web  InProgress: 0/1 available" in waited.shown
    assert left.summary.exit_code == 0


def test_a_namespace_that_nobody_creates_is_a_problem_before_the_first_write(at: Bench) -> None:
    ran = at.run([config_map("c")])

    assert ran.summary.exit_code == 3
    (problem,) = ran.problems
    assert problem.startswith(f'namespaces "{at.namespace}" not found; add that Namespace')
    assert problem.endswith(f"kubectl create namespace {at.namespace}")
    assert at.writes() == []
