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
