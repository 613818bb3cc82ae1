"""`buildMetadata` of a Flux Kustomization takes the place of what the kustomization itself asks for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graph.test_link import CONFIG_MAP, SOURCE, linked

ORIGIN = "config.kubernetes.io/origin"
LABEL = "app.kubernetes.io/managed-by"
OWN = "resources: [a.yaml]\nbuildMetadata: [managedByLabel]\n"


@pytest.mark.parametrize(
    ("wanted", "own", "annotated", "labelled"),
    [
        ("[originAnnotations]", None, True, False),
        ("[originAnnotations]", OWN, True, False),
        ("[]", OWN, False, True),
    ],
)
def test_it_is_applied_and_is_no_unknown_field(
    wanted: str, own: str | None, annotated: bool, labelled: bool
) -> None:
    kustomization = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\nspec: {interval: 10m, path: ./apps, prune: true, "
        f"sourceRef: {{kind: GitRepository, name: flux-system}}, buildMetadata: {wanted}}}\n"
    )
    files = {"flux/source.yaml": SOURCE, "flux/apps.yaml": kustomization, "apps/a.yaml": CONFIG_MAP}
    graph = linked(files | ({"apps/kustomization.yaml": own} if own is not None else {}))
    assert graph.unchecked == ()
    (delivery,) = graph.deliveries
    (made,) = graph.rendered[delivery.id].objects
    metadata: dict[str, Any] = made.data["metadata"]
    assert (metadata.get("annotations") or {}).get(ORIGIN) == ("path: a.yaml\n" if annotated else None)
    assert (LABEL in (metadata.get("labels") or {})) is labelled


APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


@pytest.mark.parametrize(
    ("own", "annotation"),
    [
        (
            "configMapGenerator: [{name: g, literals: [a=b]}]\nbuildMetadata: [managedByLabel]\n",
            "configuredIn: ",
        ),
        ("components: [../comp]\n", "path: ../comp/cm.yaml\n"),
        ("resources: []\n", None),
        ("# nothing\n", None),
    ],
)
def test_a_kustomization_without_resources_is_built_with_annotations_of_origin(
    own: str, annotation: str | None
) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [cm.yaml]\n"
    files = {"comp/kustomization.yaml": component, "comp/cm.yaml": CONFIG_MAP, "flux/source.yaml": SOURCE}
    graph = linked({**files, "flux/apps.yaml": APPS, "apps/kustomization.yaml": own})
    (delivery,) = graph.deliveries
    assert graph.rendered[delivery.id].failure is None
    noted = [item.data["metadata"]["annotations"][ORIGIN] for item in graph.rendered[delivery.id].objects]
    assert [text.startswith(annotation or "") for text in noted] == [True] * (annotation is not None)


@pytest.mark.parametrize(
    ("component", "ignored", "why"),
    [
        ("../gone", True, None),
        ("../gone", False, "../gone does not exist"),
        ("../data", True, "has no kustomization.yaml"),
        ("https://example.test/x", True, "no path in the source"),
    ],
)
def test_a_component_that_is_missing_is_left_out_where_the_kustomization_says_so(
    component: str, ignored: bool, why: str | None
) -> None:
    wanted = f"  components: [{component}]\n  ignoreMissingComponents: {str(ignored).lower()}\n"
    files = {"flux/source.yaml": SOURCE, "flux/apps.yaml": APPS + wanted, "data/notes.txt": ""}
    graph = linked({**files, "apps/a.yaml": CONFIG_MAP})
    (delivery,) = graph.deliveries
    result = graph.rendered[delivery.id]
    assert (result.failure is None) == (why is None)
    if why is None:
        assert len(result.objects) == 1
    else:
        assert result.failure is not None
        assert why in result.failure.why


def test_common_metadata_stands_where_an_overlay_wrote_it_and_before_it_what_it_writes_over() -> None:
    owned = CONFIG_MAP.replace("metadata: {", "metadata: {labels: {team: old}, ")
    assert owned != CONFIG_MAP
    overlay = (
        "resources: [../base]\npatches:\n- patch: |\n    apiVersion: kustomize.toolkit.fluxcd.io/v1\n"
        "    kind: Kustomization\n    metadata: {name: apps, namespace: flux-system}\n"
        "    spec:\n      commonMetadata:\n        labels: {team: new}\n"
    )
    graph = linked(
        {
            "flux/source.yaml": SOURCE,
            "flux/root.yaml": APPS.replace("name: apps", "name: root").replace("./apps", "./over"),
            "base/kustomization.yaml": "resources: [apps.yaml]\n",
            "base/apps.yaml": APPS,
            "over/kustomization.yaml": overlay,
            "apps/a.yaml": owned,
        }
    )
    (delivery,) = [found for found in graph.deliveries if found.name == "apps"]
    (item,) = graph.rendered[delivery.id].objects
    path = ("metadata", "labels", "team")
    places = [(place.file, graph.repo.span(place).line) for place in (item.origin(path), *item.earlier(path))]
    assert places == [("over/kustomization.yaml", 9), ("apps/a.yaml", 3)]
