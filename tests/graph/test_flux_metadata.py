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
