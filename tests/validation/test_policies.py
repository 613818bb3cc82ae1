"""Admission policies of a repository, against a real API server that has them, and what is left unjudged."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gitops_layout.validation.judged import judged
from tests.lint.support import linted, linted_graph
from tests.validation.server.support import Server, edited

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

ADMISSION = "admissionregistration.k8s.io/v1"
NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "judged", "labels": {"tier": "prod"}},
}
PARAMS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "limits", "namespace": "judged"},
    "data": {"most": "3"},
}
RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
POLICY: dict[str, Any] = {
    "apiVersion": ADMISSION,
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "judged"},
    "spec": {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {"resourceRules": [RULE]},
        "matchConditions": [{"name": "not-exempt", "expression": "object.metadata.name != 'exempt'"}],
        "variables": [
            {"name": "most", "expression": "int(params.data.most)"},
            {"name": "pods", "expression": "object.spec.template.spec"},
            {"name": "images", "expression": "variables.pods.containers.map(c, c.image)"},
        ],
        "validations": [
            {
                "expression": "object.spec.replicas <= variables.most",
                "messageExpression": "'at most ' + params.data.most",
            },
            {
                "expression": "variables.images.all(i, i.startsWith('ghcr.io/'))",
                "message": "images of ghcr.io only",
            },
            {
                "expression": "variables.pods.containers.all(c, !has(c.securityContext) || !c.securityContext.privileged)"
            },
            {"expression": "!has(request.subResource) && has(object.metadata.managedFields)"},
            {
                "expression": "variables.pods.containers.all(c, !has(c.livenessProbe) || c.livenessProbe.periodSeconds == 10)"
            },
            {
                "expression": "variables.pods.containers.all(c, !has(c.resources.limits) || c.resources.limits.memory == '1Gi')"
            },
            {"expression": "namespaceObject.metadata.labels['tier'] == 'prod'"},
            {
                "expression": "object.spec.strategy.rollingUpdate.maxSurge == '25%' && has(object.metadata.uid) && has(object.status)"
            },
            {
                "expression": "quantity('1Gi').isLessThan(quantity('2Gi')) && !format.dns1123Label().validate(object.metadata.name).hasValue()"
            },
            {"expression": "request.operation == 'CREATE' && request.namespace == 'judged'"},
            {
                "expression": "!has(variables.pods.securityContext.runAsUser) || variables.pods.securityContext.runAsUser > 0"
            },
        ],
    },
}
BINDING: dict[str, Any] = {
    "apiVersion": ADMISSION,
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "judged"},
    "spec": {
        "policyName": "judged",
        "validationActions": ["Deny"],
        "paramRef": {"name": "limits", "namespace": "judged", "parameterNotFoundAction": "Deny"},
        "matchResources": {"namespaceSelector": {"matchLabels": {"tier": "prod"}}},
    },
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "judged", "labels": {"app": "web"}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "ghcr.io/acme/web:1.8.2"}]},
        },
    },
}
POD = "/spec/template/spec"
OBJECTS: list[dict[str, Any]] = [
    {},
    {"/spec/replicas": 3},
    {"/spec/replicas": 4},
    {"/spec/replicas": 4, "/metadata/name": "exempt"},
    {f"{POD}/containers/0/image": "docker.io/acme/web:1"},
    {f"{POD}/containers/0/securityContext": {"privileged": True}},
    {f"{POD}/containers/0/securityContext": {"privileged": False}},
    {f"{POD}/containers/0/securityContext": {"runAsUser": 1}},
    {f"{POD}/securityContext": {"runAsUser": 0}},
    {f"{POD}/securityContext": {"runAsUser": 1}},
    {f"{POD}/securityContext": {}},
    {f"{POD}/containers/0/resources": {"limits": {"memory": "1024Mi"}}},
    {f"{POD}/containers/0/resources": {"limits": {"memory": "1.5Gi"}}},
    {f"{POD}/containers/0/livenessProbe": {"httpGet": {"port": 80}}},
    {f"{POD}/containers/0/livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 5}},
    {"/kind": "StatefulSet", "/spec/replicas": 9},
]


def found(*objects: dict[str, Any]) -> list[str]:
    text = yaml.safe_dump_all(objects)
    return [f.message for f in linted({"all.yaml": text}).findings if f.rule.id == "M027"]


@pytest.mark.controlplane
def test_objects_are_denied_as_the_server_denies_them(cluster: ControlPlane) -> None:
    wrong, denied = [], 0
    with Server(cluster) as server:
        for data in (NAMESPACE, PARAMS, POLICY, BINDING):
            status, answer = server._send("POST", server._collection(data), data, "application/json")
            assert status in (201, 409), answer
        path = "/apis/apps/v1/namespaces/judged/deployments"
        deadline = time.monotonic() + 90
        too_many = edited(DEPLOYMENT, OBJECTS[2])
        while server._send("POST", f"{path}?dryRun=All", too_many, "application/json")[0] == 201:
            assert time.monotonic() < deadline, "the policy does not act"
            time.sleep(0.2)
        try:
            for edits in OBJECTS:
                data = edited(DEPLOYMENT, edits)
                url = f"{server._collection(data)}?dryRun=All"
                status, answer = server._send("POST", url, data, "application/json")
                assert status in (201, 422), answer
                mine = found(NAMESPACE, PARAMS, POLICY, BINDING, data)
                denied += status == 422
                if bool(mine) != (status == 422):
                    wrong.append(f"{json.dumps(edits)}: {answer.get('message', status)}, we say {mine}")
                elif mine and mine[0].partition(": ")[2] not in answer["message"]:
                    wrong.append(f"{json.dumps(edits)}: {answer['message']}, our words are {mine}")
        finally:
            for data in (BINDING, POLICY):
                server._send("DELETE", f"{server._collection(data)}/judged", None, "application/json")

    assert denied >= 4
    assert not wrong, "\n".join(wrong)


def test_a_policy_that_asks_who_sends_the_request_is_listed_as_not_checked() -> None:
    asking = edited(POLICY, {"/spec/validations": [{"expression": "request.userInfo.username == 'admin'"}]})
    text = yaml.safe_dump_all([NAMESPACE, PARAMS, asking, BINDING, DEPLOYMENT])

    report = linted({"all.yaml": text})

    assert [f for f in report.findings if f.rule.id == "M027"] == []
    seen = {entry.unchecked.what: entry.unchecked.why for entry in report.coverage.unchecked}
    assert seen["admission policy judged"] == "it asks who sends the request"


def test_parameters_that_the_repository_does_not_have_are_not_guessed() -> None:
    text = yaml.safe_dump_all([NAMESPACE, POLICY, BINDING, edited(DEPLOYMENT, {"/spec/replicas": 9})])

    report = linted({"all.yaml": text})

    assert [f for f in report.findings if f.rule.id == "M027"] == []
    assert any("limits" in entry.unchecked.why for entry in report.coverage.unchecked)


LABELLED = "object.metadata.labels['team'] == 'a'"


@pytest.mark.parametrize(
    ("policy", "binding", "denied"),
    [
        # A condition that is false outdoes another one that ends in an error; an error alone denies.
        (
            {"/spec/matchConditions": [{"name": "a", "expression": LABELLED}, {"name": "b", "expression": "false"}]},
            {},
            False,
        ),
        ({"/spec/matchConditions": [{"name": "a", "expression": LABELLED}]}, {}, True),
        ({"/spec/matchConditions": [{"name": "a", "expression": LABELLED}], "/spec/failurePolicy": "Ignore"}, {}, False),
        # An audit annotation that cannot be made denies, even where the binding only warns.
        (
            {"/spec/auditAnnotations": [{"key": "team", "valueExpression": "string(object.metadata.labels['team'])"}]},
            {"/spec/validationActions": ["Warn"]},
            True,
        ),
        ({"/spec/validations": [{"expression": "object.spec.replicas > 5"}]}, {"/spec/validationActions": ["Warn"]}, False),
        ({"/spec/validations": [{"expression": "request.requestKind.kind == 'Deployment'"}]}, {}, False),
    ],
)  # fmt: skip
def test_conditions_annotations_and_actions_decide_as_the_server_decides(
    policy: dict[str, Any], binding: dict[str, Any], denied: bool
) -> None:
    objects = (NAMESPACE, PARAMS, edited(POLICY, policy), edited(BINDING, binding), DEPLOYMENT)

    assert bool(found(*objects)) == denied


def test_a_rule_for_another_version_of_a_kind_is_listed_as_not_checked() -> None:
    rule = {"apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["*"]}
    policy = edited(POLICY, {"/spec/matchConstraints": {"resourceRules": [rule]}})
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "judged"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 3,
        },
    }

    def why(policy: dict[str, Any]) -> list[str]:
        report = linted({"all.yaml": yaml.safe_dump_all([NAMESPACE, PARAMS, policy, BINDING, scaler])})
        return [entry.unchecked.why for entry in report.coverage.unchecked]

    assert any("another version" in words for words in why(policy))
    assert why(edited(policy, {"/spec/matchConstraints/matchPolicy": "Exact"})) == []


def test_a_policy_whose_variables_refer_to_each_other_ends() -> None:
    endless = edited(
        POLICY,
        {
            "/spec/variables": [
                {"name": "a", "expression": "variables.b"},
                {"name": "b", "expression": "variables.a"},
            ],
            "/spec/validations": [{"expression": "variables.a"}],
        },
    )

    assert found(NAMESPACE, PARAMS, endless, BINDING, DEPLOYMENT) == []


def test_a_policy_that_many_deliveries_bring_is_judged_once() -> None:
    files: dict[str, str | bytes] = {
        f"{folder}/kustomization.yaml": "resources: [../all]\n" for folder in ("a", "b", "c")
    }
    files["all/kustomization.yaml"] = "resources: [all.yaml]\n"
    files["all/all.yaml"] = yaml.safe_dump_all(
        [NAMESPACE, PARAMS, POLICY, BINDING, edited(DEPLOYMENT, {"/spec/replicas": 9})]
    )
    _, graph = linted_graph(files)

    assert len(graph.deliveries) == 3
    assert [denial.message for denial in judged(graph).denials] == ["at most 3"]
