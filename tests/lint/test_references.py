"""Edges between objects: what must be found missing, and what must not."""

from __future__ import annotations

import pytest

from tests.lint.support import linted, named

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: web, namespace: shop}
spec: {interval: 10m, url: oci://ghcr.io/acme/web, ref: {tag: 1.0.0}}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec:
  interval: 10m
  chartRef:
    kind: OCIRepository
    name: NAME
"""
SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: PART, namespace: flux-system}
spec: {interval: 10m, path: ./PART, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""


def tree(release: str, source: str, *, listed: str = "resources: [source.yaml]\n") -> dict[str, str | bytes]:
    return {
        "clusters/prod/release.yaml": SYNC.replace("PART", "release"),
        "clusters/prod/source.yaml": SYNC.replace("PART", "source"),
        "release/release.yaml": release,
        "source/source.yaml": source,
        "source/kustomization.yaml": listed,
    }


def f001(files: dict[str, str | bytes]) -> list[tuple[str, str, int]]:
    return [found for found in named(linted(files)) if found[0] == "F001"]


def test_a_target_from_another_delivery_of_the_cluster_counts() -> None:
    assert f001(tree(RELEASE.replace("NAME", "web"), SOURCE)) == []


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace("name: web", "name: wbe"),
        SOURCE.replace("shop", "flux-system"),
        SOURCE.replace("kind: OCIRepository", "kind: GitRepository"),
    ],
)
def test_name_namespace_and_kind_must_match(source: str) -> None:
    assert f001(tree(RELEASE.replace("NAME", "web"), source)) == [("F001", "release/release.yaml", 8)]


def test_a_target_in_a_build_that_fails_may_be_there() -> None:
    files = tree(RELEASE.replace("NAME", "web"), SOURCE, listed="resources: [source.yaml, gone.yaml]\n")
    assert f001(files) == []


def test_a_failing_build_does_not_hide_what_is_missing_elsewhere() -> None:
    files = tree(RELEASE.replace("NAME", "other"), SOURCE, listed="resources: [source.yaml, gone.yaml]\n")
    assert f001(files) == [("F001", "release/release.yaml", 8)]


@pytest.mark.parametrize("name", ["${APP}-web", "<< inputs.name >>"])
def test_a_name_that_is_filled_in_later_is_not_judged(name: str) -> None:
    assert f001(tree(RELEASE.replace("NAME", f'"{name}"'), SOURCE)) == []


def test_a_cluster_does_not_see_another_ones_objects() -> None:
    files = tree(RELEASE.replace("NAME", "web"), SOURCE)
    files["clusters/test/source.yaml"] = files.pop("clusters/prod/source.yaml")
    assert f001(files) == [("F001", "release/release.yaml", 8)]


def test_what_nothing_brings_may_mean_the_objects_of_any_cluster() -> None:
    files = tree(RELEASE.replace("NAME", "web"), SOURCE)
    del files["clusters/prod/release.yaml"]
    assert f001({"parked/release.yaml": files.pop("release/release.yaml"), **files}) == []


def test_a_source_that_only_an_unused_kustomization_lists_may_be_applied_by_hand() -> None:
    files = tree(RELEASE.replace("NAME", "web"), SOURCE)
    files["clusters/prod/flux-system/source.yaml"] = files.pop("source/source.yaml")
    files["clusters/prod/flux-system/kustomization.yaml"] = "resources: [source.yaml]\n"
    del files["source/kustomization.yaml"], files["clusters/prod/source.yaml"]
    assert f001(files) == []


def test_a_source_in_a_folder_that_is_out_of_use_is_not_there() -> None:
    files = tree(RELEASE.replace("NAME", "web"), SOURCE)
    files["_archive/source.yaml"] = files.pop("source/source.yaml")
    del files["source/kustomization.yaml"], files["clusters/prod/source.yaml"]
    assert f001(files) == [("F001", "release/release.yaml", 8)]


CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: NAME, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers: [{name: web, image: "ghcr.io/acme/web:1.0.0"}]
  volumes:
    - name: data
      persistentVolumeClaim:
        claimName: web-data
"""
CHART = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: chart, namespace: shop}
spec: {interval: 10m, chart: {spec: {chart: x, version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: x, namespace: shop}
spec: {interval: 1h, url: "https://charts.example.org"}
"""


@pytest.mark.parametrize(
    ("claim", "chart", "found"),
    [("web-data", "", False), ("more", "", True), ("more", CHART, False), ("web-dta", CHART, True)],
)
def test_what_an_unseen_chart_may_bring_is_told_only_with_a_near_name_beside_it(
    claim: str, chart: str, found: bool
) -> None:
    files: dict[str, str | bytes] = {
        "clusters/prod/app.yaml": SYNC.replace("PART", "app"),
        "app/pod.yaml": POD,
        "app/claim.yaml": CLAIM.replace("NAME", claim),
        "app/chart.yaml": chart or "# nothing\n",
    }
    hits = [place for place in named(linted(files)) if place[0] == "M030"]
    assert hits == ([("M030", "app/pod.yaml", 9)] if found else [])


ALONE = SYNC.replace("PART", "alone").replace("./alone", "./apps/alone/app")


def test_what_nobody_lists_finds_its_source_on_the_cluster_that_has_it() -> None:
    """Its folder passes for a cluster of its own, on which nothing else is."""
    files = tree(RELEASE.replace("NAME", "web").replace("web, ", "one, "), SOURCE)
    files |= {
        "apps/alone/ks.yaml": ALONE,
        "apps/alone/app/a.yaml": RELEASE.replace("NAME", "web").replace("web, ", "two, "),
        "apps/alone/app/b.yaml": RELEASE.replace("NAME", "gone").replace("web, ", "three, "),
    }
    assert f001(files) == [("F001", "apps/alone/app/b.yaml", 8)]
