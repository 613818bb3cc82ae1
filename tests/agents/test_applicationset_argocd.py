"""Whole expansions against Argo CD's own generators, templates and patches."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.agents.applicationset import Cluster, ProblemKind, World, expand
from gitops_layout.model import UncheckedClass
from gitops_layout.repo.load import from_files
from tests.agents import gooracle

pytestmark = pytest.mark.agents

FILES = {
    "apps/web/kustomization.yaml": "x: 1\n",
    "apps/web/deep/a.json": '{"x": "deep", "n": [1, {"k": true}]}',
    "apps/Api_v2/values.yaml": "x: api\nm: {a: 1.5, b: null}\n",
    "apps/.git-ignored/values.yaml": "x: hidden\n",
    "envs/dev.yaml": "x: dev\nvalues: {a: b}\n",
    "envs/prod.json": '[{"x": "prod", "id": "1"}, {"x": "dr", "id": 2}]',
    "root.yaml": "x: root\n---\nx: second\n",
    "empty.yaml": "",
}
CLUSTERS = (
    Cluster("eu", "https://eu.example", {"env": "prod"}, {"team": "a", "argocd.argoproj.io/refresh": "x"}),
    Cluster("US.west_1", "https://us.example", {"env": "dev", "tier": "2"}),
)
IGNORED = (ProblemKind.EXTERNAL, ProblemKind.UNSUPPORTED, ProblemKind.LIMIT)


@pytest.fixture(scope="module")
def argocd() -> Iterator[gooracle.Oracle]:
    running = gooracle.start("argocd")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    return root


texts = st.sampled_from(
    """a b web {{x}} {{.x}} {{path}} {{.path.path}} {{path.basename}} {{.path.basenameNormalized}} {{name}} {{.name}}
    {{index(.path.segments)0}} {{values.a}} {{.values.a}} {{metadata.labels.env}} {{.metadata.labels.env}} {{.m}} {{my.path[0]}}
    {{.my.path.filename}} {{.x|upper}} {{.zz}} {{zz}} {{.zz.y}} {{.n}} {{n.0}} {{toJson(.)}} {{path.filename}} {{server}} {{.id}}""".split()
)
labels = st.sampled_from(
    ["x", "env", "path.basename", "path", "m.a", "id", "name", "values.a", "metadata.labels.env"]
)
selectors = st.one_of(
    st.builds(
        lambda key, value: {"matchLabels": {key: value}}, labels, st.sampled_from(["web", "prod", "a", "1"])
    ),
    st.builds(
        lambda key, operator, values: {
            "matchExpressions": [{"key": key, "operator": operator, "values": values}]
        },
        labels,
        st.sampled_from(["In", "NotIn", "NotIn"]),
        st.sampled_from([["web"], ["a", "b"]]),
    ),
    st.just({}),
)
scalars = st.sampled_from(
    ["a", "b", "1", "", 1, 2.5, True, None, 1000000, ["p", "q"], {"a": "1"}, {"b": {"c": 2}}]
)
elements = st.dictionaries(st.sampled_from(["x", "id", "m", "values", "path"]), scalars | texts, max_size=3)
maps = st.dictionaries(st.sampled_from(["a", "b"]), texts, max_size=2)
patterns = st.lists(
    st.builds(
        lambda path, exclude: {"path": path, "exclude": exclude},
        st.sampled_from(
            [
                "apps/*",
                "apps/*/*",
                "*",
                "**",
                "apps/web",
                "*.json",
                "envs/*",
                "**/*.yaml",
                "apps",
                "[",
                "root.yaml",
                "empty.yaml",
                "apps/{{x}}",
                "apps/{{.x}}",
            ]
        ),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=3,
)
templates = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional={"name": texts, "labels": maps, "annotations": maps, "finalizers": st.just(["f"])}
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "project": st.just("default"),
                "source": st.fixed_dictionaries(
                    {"repoURL": texts},
                    optional={
                        "path": texts,
                        "helm": st.fixed_dictionaries(
                            {"valuesObject": st.dictionaries(texts, scalars | texts, max_size=2)}
                        ),
                    },
                ),
                "destination": st.fixed_dictionaries({"namespace": texts}),
                "syncPolicy": st.sampled_from(
                    [
                        {"automated": {"prune": True}},
                        {"automated": {"prune": False, "selfHeal": True}, "syncOptions": ["A=b"]},
                    ]
                ),
            },
        ),
    },
)


# No flatList: Argo CD puts the clusters into it in random order.
def generators() -> st.SearchStrategy[dict[str, Any]]:
    template = st.fixed_dictionaries({}, optional={"template": templates})
    listed = st.builds(
        lambda items, text, extra: {"list": {"elements": items, **text, **extra}},
        st.lists(elements, max_size=3),
        st.fixed_dictionaries(
            {},
            optional={
                "elementsYaml": st.sampled_from(
                    ["- x: y1", "[]", "{{ .m | toJson }}", "x: 1", "- {x: 2, id: '1'}"]
                )
            },
        ),
        template,
    )
    git = st.builds(
        lambda folders, files, extra, more: {
            "git": {
                "repoURL": "own",
                "revision": "HEAD",
                "directories": folders,
                "files": files,
                **extra,
                **more,
            }
        },
        patterns | st.just([]),
        patterns,
        st.fixed_dictionaries({}, optional={"values": maps, "pathParamPrefix": st.just("my")}),
        template,
    )
    clusters = st.builds(
        lambda extra, more: {"clusters": {**extra, **more}},
        st.fixed_dictionaries({}, optional={"selector": selectors, "values": maps}),
        template,
    )
    leaf = st.builds(
        lambda one, extra: {**one, **extra},
        listed | git | clusters,
        st.fixed_dictionaries({}, optional={"selector": selectors}),
    )

    def combined(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        children = st.lists(inner, min_size=2, max_size=2)
        matrix = st.builds(
            lambda found, extra: {"matrix": {"generators": found, **extra}}, children, template
        )
        merge = st.builds(
            lambda found, keys: {"merge": {"generators": found, "mergeKeys": keys}},
            children,
            st.lists(labels, min_size=1, max_size=2),
        )
        return matrix | merge

    return leaf | combined(leaf) | combined(leaf | combined(leaf))


sets = st.fixed_dictionaries(
    {
        "goTemplate": st.booleans(),
        "generators": st.lists(generators(), min_size=1, max_size=2),
        "template": st.builds(
            lambda t, name: {
                **t,
                "metadata": {"name": name, **t.get("metadata", {})},
                "spec": {"project": "default", **t.get("spec", {})},
            },
            templates,
            texts,
        ),
    },
    optional={
        "goTemplateOptions": st.sampled_from([["missingkey=error"], ["missingkey=zero"], []]),
        "syncPolicy": st.just({"preserveResourcesOnDeletion": True}),
        "templatePatch": st.sampled_from(
            [
                "",
                "metadata:\n  labels: {a: patched, b: null}\n  finalizers: [g]\n",
                "spec:\n  project: other\n  source: {path: '{{.x}}{{x}}'}\n  syncPolicy: {automated: null}\n",
                '{"spec": {"source": {"helm": {"valuesObject": {"a": {"z": 1}}}}}}',
                '{"spec": {"syncPolicy": {"$patch": "replace", "syncOptions": ["C=d"]}}}',
                '{"spec": {"syncPolicy": {"$patch": "delete"}}}',
                "- list",
            ]
        ),
    },
)


def normal(value: Any) -> Any:
    """The value without what Go's structs drop or add: everything empty."""
    if isinstance(value, dict):
        found = {key: normal(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item not in ({}, [], "", None, False, 0)}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return value


def comparable(application: dict[str, Any]) -> str:
    shown = {"metadata": application["metadata"], "spec": application["spec"]}
    return repr(sorted_deep(normal(shown)))


def sorted_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_deep(value[key]) for key in sorted(value)}
    return [sorted_deep(item) for item in value] if isinstance(value, list) else value


@settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=int(os.environ.get("ORACLE_EXAMPLES", "100")),
)
@given(spec=sets)
def test_a_generated_applicationset_expands_as_in_argo_cd(
    argocd: gooracle.Oracle, tree: Path, spec: dict[str, Any]
) -> None:
    data = {"metadata": {"name": "set", "namespace": "argocd"}, "spec": spec}
    mine = expand(data, World(from_files(FILES), lambda _: True, CLUSTERS))  # type: ignore[arg-type]
    if any(problem.kind in IGNORED for problem in mine.problems):
        return
    clusters = [
        {"name": c.name, "server": c.server, "labels": dict(c.labels), "annotations": dict(c.annotations)}
        for c in CLUSTERS
    ]
    theirs = argocd.ask(applicationSet=data, repository=str(tree), clusters=clusters)
    stopped = [problem for problem in mine.problems if problem.unchecked is UncheckedClass.BROKEN]
    assert bool(stopped) == ("error" in theirs), (stopped, theirs.get("error"))
    if not stopped:
        made = sorted(comparable(one.data) for one in mine.applications)
        assert made == sorted(comparable(one) for one in theirs["applications"] or [])
