"""What can be judged of a build that fails: all that it would bring without the entries that it fails for."""

from __future__ import annotations

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files

KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  prune: true
  interval: 5m
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def _map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: b}}\n"


def _graph(files: dict[str, str], *, exact: bool = False) -> Graph:
    repo = from_files({"clusters/prod/apps.yaml": KUSTOMIZATION, **files})
    return link(repo, render=Renders(repo, exact=exact))


def _names(graph: Graph) -> list[str]:
    (rendered,) = graph.rendered.values()
    assert rendered.failure is not None
    return sorted(item.ref.name for item in rendered.objects)


@pytest.mark.parametrize(
    "files",
    [
        {"apps/kustomization.yaml": "resources: ['https://example.org/crds.yaml', a.yaml]\n"},
        {"apps/kustomization.yaml": "resources: [gone.yaml, a.yaml, ../lost]\n"},
        {"apps/kustomization.yaml": "resources: [a.yaml, later]\n", "apps/later/kustomization.yaml": "# to come\n"},
        {"apps/kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "apps/b.yaml": "kind: [ConfigMap\n"},
        {"apps/kustomization.yaml": "resources: [b.yaml, a.yaml]\n", "apps/b.yaml": _map("b") + "data: {}\n"},
        {"apps/kustomization.yaml": "resources: [a.yaml]\ngenerators: [ksops.yaml]\n",
         "apps/ksops.yaml": "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: s}\nfiles: [s.yaml]\n"},
    ],
    ids=["remote", "missing", "empty", "no YAML", "doubled key", "plugin"],
)  # fmt: skip
def test_what_is_beside_the_cause_of_a_failure_can_be_judged(files: dict[str, str]) -> None:
    assert _names(_graph({"apps/a.yaml": _map("a"), **files})) == ["a"]


def test_without_a_patch_the_rest_would_not_be_what_anybody_applies() -> None:
    files = {
        "apps/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: gone.yaml}]\n",
        "apps/a.yaml": _map("a"),
    }
    assert _names(_graph(files)) == []


def test_nobody_applies_a_part_so_exact_builds_have_none() -> None:
    files = {"apps/kustomization.yaml": "resources: [gone.yaml, a.yaml]\n", "apps/a.yaml": _map("a")}
    assert _names(_graph(files, exact=True)) == []


def test_an_agents_object_is_followed_as_the_part_brings_it() -> None:
    child = KUSTOMIZATION.replace("name: apps", "name: web").replace("./apps", "./web")
    files = {
        "apps/kustomization.yaml": "resources: [gone.yaml, web.yaml]\nnamePrefix: my-\n",
        "apps/web.yaml": child,
        "web/map.yaml": _map("a"),
    }
    assert "my-web" in {delivery.name for delivery in _graph(files).deliveries}


def test_a_mistake_beside_a_remote_base_is_told_at_its_own_place() -> None:
    graph = _graph(
        {
            "apps/kustomization.yaml": "resources: [far, near]\n",
            "apps/far/kustomization.yaml": "resources: [c.yaml, 'https://example.org/base?ref=v1']\n",
            "apps/far/c.yaml": _map("c"),
            "apps/near/kustomization.yaml": "resources: [b.yaml]\npatchesStrategicMerge: [p.yaml]\n",
            "apps/near/b.yaml": _map("b"),
            "apps/near/p.yaml": _map("b").replace("shop", "other"),
        }
    )
    (rendered,) = graph.rendered.values()
    assert rendered.failure is not None
    assert rendered.failure.kind is UncheckedClass.BROKEN
    assert rendered.failure.location is not None
    assert rendered.failure.location.file == "apps/near/p.yaml"
    assert [entry.kind for entry in rendered.unseen] == [UncheckedClass.EXTERNAL]


def test_a_patch_for_what_is_remote_is_no_mistake() -> None:
    graph = _graph(
        {
            "apps/kustomization.yaml": "resources: [far, c.yaml]\n",
            "apps/c.yaml": _map("c"),
            "apps/far/kustomization.yaml": (
                "resources: ['https://example.org/base?ref=v1']\npatchesStrategicMerge: [p.yaml]\n"
            ),
            "apps/far/p.yaml": _map("b"),
        }
    )
    assert _names(graph) == ["c"]
    (rendered,) = graph.rendered.values()
    assert rendered.failure is not None
    assert rendered.failure.kind is UncheckedClass.EXTERNAL
