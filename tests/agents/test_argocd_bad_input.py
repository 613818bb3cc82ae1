"""Argo CD objects that are wrong in any place: a finding or an unchecked entry, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.fetch.wants import wants
from gitops_layout.graph.accounts import accounts
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.output.graph import to_json
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from tests.agents.trees import OWN, application, config_map

TOOLS: dict[str, Any] = {
    "helm": {
        "valueFiles": ["values.yaml", "$values/a/*.yaml", "/a/**/v.yaml"],
        "parameters": [{"name": "a.b", "value": "1", "forceString": True}],
        "fileParameters": [{"name": "c", "path": "x.yaml"}],
        "releaseName": "web",
        "values": "a: 1",
        "valuesObject": {"a": {"b": 1}},
        "version": "v3",
        "passCredentials": True,
        "ignoreMissingValueFiles": True,
        "skipCrds": True,
        "skipTests": True,
        "skipSchemaValidation": True,
        "namespace": "web",
        "kubeVersion": "1.31.0",
        "apiVersions": ["v1"],
    },
    "kustomize": {
        "namePrefix": "a-",
        "nameSuffix": "-b",
        "namespace": "web",
        "images": ["web=web:2"],
        "replicas": [{"name": "web", "count": 2}],
        "commonLabels": {"a": "$ARGOCD_APP_NAME"},
        "commonAnnotations": {"a": "b"},
        "commonAnnotationsEnvsubst": True,
        "forceCommonLabels": True,
        "forceCommonAnnotations": True,
        "labelWithoutSelector": True,
        "labelIncludeTemplates": True,
        "components": ["../c"],
        "ignoreMissingComponents": True,
        "patches": [
            {
                "target": {"kind": "ConfigMap", "name": "x"},
                "patch": "- {op: remove, path: /data}",
                "options": {},
            }
        ],
        "version": "v5",
        "kubeVersion": "1.31.0",
        "apiVersions": ["v1"],
    },
    "directory": {
        "recurse": True,
        "include": "{*.yaml,x/*}",
        "exclude": "*.txt",
        "jsonnet": {"extVars": [{"name": "a", "value": "b", "code": True}], "tlas": [], "libs": ["lib"]},
        "disableExtensionFilter": False,
    },
    "plugin": {
        "name": "cmp",
        "env": [{"name": "a", "value": "b"}],
        "parameters": [{"name": "a", "string": "b"}],
    },
}
SYNC = {
    "automated": {"prune": True, "selfHeal": True, "allowEmpty": True, "enabled": True},
    "syncOptions": ["CreateNamespace=true"],
    "managedNamespaceMetadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
    "retry": {"limit": 2, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}, "refresh": True},
}


def _application(tool: str) -> dict[str, Any]:
    source = {"repoURL": OWN, "path": "a", "targetRevision": "main", tool: TOOLS[tool]}
    spec = {
        "sources": [{**source, "name": "one"}, {"repoURL": OWN, "ref": "values"}],
        "source": source,
        "syncPolicy": SYNC,
        "ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
        "info": [{"name": "a", "value": "b"}],
        "revisionHistoryLimit": 3,
    }
    return json.loads(application(spec, annotations={"argocd.argoproj.io/sync-wave": "1"}))  # type: ignore[no-any-return]


def _hydrated() -> dict[str, Any]:
    dry = {"repoURL": OWN, "targetRevision": "main", "path": "a", "kustomize": TOOLS["kustomize"]}
    hydrator = {
        "drySource": dry,
        "syncSource": {"targetBranch": "env", "path": "a", "repoURL": OWN},
        "hydrateTo": {"targetBranch": "next"},
    }
    return json.loads(application({"sourceHydrator": hydrator}))  # type: ignore[no-any-return]


PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "default", "namespace": "argocd"},
    "spec": {
        "description": "all",
        "sourceRepos": [OWN, "!https://*.example.test/**"],
        "destinations": [{"server": "*", "namespace": "!kube-*", "name": "in-cluster"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*", "name": "x-*"}],
        "clusterResourceBlacklist": [{"group": "", "kind": "Node"}],
        "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
        "namespaceResourceBlacklist": [{"group": "", "kind": "ResourceQuota"}],
        "roles": [
            {
                "name": "dev",
                "policies": ["p, proj:default:dev, applications, get, default/*, allow"],
                "groups": ["dev"],
            }
        ],
        "sourceNamespaces": ["team-*", "/^a.*$/"],
        "orphanedResources": {"warn": True, "ignore": [{"group": "", "kind": "ConfigMap", "name": "x"}]},
        "syncWindows": [{"kind": "allow", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}],
        "signatureKeys": [{"keyID": "ABCDEF0123456789"}],
        "permitOnlyProjectScopedClusters": False,
        "destinationServiceAccounts": [{"server": "*", "namespace": "*", "defaultServiceAccount": "x"}],
    },
}
TEMPLATE = {
    "metadata": {
        "name": "{{.path.basename}}-{{.name}}",
        "labels": {"a": "b"},
        "annotations": {},
        "finalizers": ["x"],
    },
    "spec": {
        "project": "default",
        "source": {"repoURL": OWN, "path": "{{.path.path}}", "targetRevision": "HEAD"},
        "destination": {"server": "{{.server}}", "namespace": "shop"},
    },
}
SET = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "ApplicationSet",
    "metadata": {"name": "all", "namespace": "argocd"},
    "spec": {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "applyNestedSelectors": True,
        "generators": [
            {
                "matrix": {
                    "generators": [
                        {
                            "git": {
                                "repoURL": OWN,
                                "revision": "HEAD",
                                "directories": [{"path": "*", "exclude": False}],
                                "values": {"v": "{{.path.path}}"},
                            }
                        },
                        {
                            "clusters": {
                                "selector": {
                                    "matchLabels": {"env": "prod"},
                                    "matchExpressions": [
                                        {"key": "env", "operator": "In", "values": ["prod"]}
                                    ],
                                },
                                "values": {"w": "x"},
                            }
                        },
                    ]
                },
                "selector": {"matchLabels": {"name": "one"}},
            },
            {
                "merge": {
                    "mergeKeys": ["name"],
                    "generators": [
                        {
                            "list": {
                                "elements": [{"name": "one", "server": "https://one"}],
                                "elementsYaml": "- {name: two, server: https://two}",
                            }
                        },
                        {
                            "git": {
                                "repoURL": OWN,
                                "revision": "HEAD",
                                "files": [{"path": "a/*.json"}],
                                "pathParamPrefix": "p",
                            }
                        },
                    ],
                }
            },
            {
                "plugin": {
                    "configMapRef": {"name": "x"},
                    "input": {"parameters": {"a": 1}},
                    "requeueAfterSeconds": 30,
                }
            },
        ],
        "template": TEMPLATE,
        "templatePatch": "spec: {project: '{{.name}}'}",
        "syncPolicy": {"applicationsSync": "sync", "preserveResourcesOnDeletion": True},
        "strategy": {
            "type": "RollingSync",
            "rollingSync": {"steps": [{"matchExpressions": [], "maxUpdate": 1}]},
        },
        "preservedFields": {"annotations": ["a"], "labels": ["b"]},
        "ignoreApplicationDifferences": [
            {"name": "x", "jsonPointers": ["/spec"], "jqPathExpressions": [".spec"]}
        ],
    },
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "one",
        "namespace": "argocd",
        "labels": {"argocd.argoproj.io/secret-type": "cluster", "env": "prod"},
        "annotations": {"a": "b"},
    },
    "stringData": {"name": "one", "server": "https://one", "config": "{}", "project": "x"},
    "data": {"name": "b25l"},
}
OBJECTS = [*(_application(tool) for tool in TOOLS), _hydrated(), PROJECT, SET, SECRET]
FILES = {
    "a/kustomization.yaml": "resources: [x.yaml]\n",
    "a/x.yaml": config_map("x"),
    "a/n.json": json.dumps({"name": "one"}),
    "a/values.yaml": "a: 1\n",
    "a/Chart.yaml": "apiVersion: v2\nname: a\nversion: 1.0.0\n",
    "c/kustomization.yaml": "kind: Component\n",
}


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from _places(item, (*path, step))


def _written(data: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    done: Any = copy.deepcopy(data)
    here = done
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return done  # type: ignore[no-any-return]


def _linked(objects: list[dict[str, Any]]) -> Graph:
    files = {f"argo/{index}.yaml": json.dumps(data) for index, data in enumerate(objects)}
    repo = from_files({**FILES, **files})  # type: ignore[arg-type]
    graph = link(repo, render=Renders(repo))
    to_json(graph)
    list(accounts(graph))
    wants(graph)
    return graph


WRONG: list[Any] = [None, True, -1.5, "", "{{", "../..", [], [[]], {}, {"x": {}}]


@pytest.mark.parametrize("index", range(len(OBJECTS)), ids=lambda index: f"{index}-{OBJECTS[index]['kind']}")
def test_a_value_of_any_wrong_type_at_any_field_is_no_traceback(index: int):
    others = [data for data in (SET, SECRET, PROJECT) if data is not OBJECTS[index]]
    # Objects of several names in one tree hardly interact, so many places are tried at once, each with half of the
    # values: its neighbours have the others.
    wrong = [
        (path, _written(OBJECTS[index], path, value))
        for turn, path in enumerate(_places(OBJECTS[index]))
        for value in WRONG[turn % 2 :: 2]
    ]
    for number, (path, data) in enumerate(wrong):
        if path[0] != "metadata":
            data["metadata"]["name"] += f"-{number}"
    for batch in batched(wrong, 60):
        _linked([*(data for _, data in batch), *others])


def batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    """The items in parts of that size."""
    return (items[start : start + size] for start in range(0, len(items), size))


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.data())
def test_several_fields_of_several_objects_may_be_wrong_at_once(data: st.DataObject):
    objects = [copy.deepcopy(item) for item in OBJECTS]
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(objects) - 1))
        path = data.draw(st.sampled_from(list(_places(objects[index]))))
        objects[index] = _written(objects[index], path, data.draw(_ANY))
    _linked([item for item in objects if isinstance(item, dict)])


def test_applications_that_deliver_each_other_end():
    files = {
        "argo/a.yaml": application({"source": {"repoURL": OWN, "path": "one"}}, name="a"),
        "one/b.yaml": application({"source": {"repoURL": OWN, "path": "two"}}, name="b"),
        "two/a.yaml": application({"source": {"repoURL": OWN, "path": "one"}}, name="a"),
        "two/self.yaml": application({"source": {"repoURL": OWN, "path": "two"}}, name="self"),
    }
    repo = from_files(files)  # type: ignore[arg-type]
    graph = link(repo, render=Renders(repo))
    assert {delivery.name for delivery in graph.deliveries} == {"a", "b", "self"}


def test_a_set_that_would_make_a_hundred_thousand_applications_is_broken_and_quick():
    elements = [{"n": str(n)} for n in range(50)]
    lists = [{"list": {"elements": elements}}, {"list": {"elements": [{"m": str(n)} for n in range(50)]}}]
    inner = {"matrix": {"generators": lists}}
    outer = {"matrix": {"generators": [inner, {"list": {"elements": [{"o": str(n)} for n in range(50)]}}]}}
    spec = {**SET["spec"], "generators": [outer], "templatePatch": None, "template": TEMPLATE}  # type: ignore[dict-item]
    graph = _linked([{**SET, "spec": spec}])
    assert graph.deliveries[0].agent != "argocd" or not graph.deliveries
    assert any("more than" in entry.why for entry in graph.unchecked)
