"""Every object of every layout, before an API server with the real definitions and their CEL rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.reconcile.cluster import ApiError
from tests.e2e import definitions
from tests.e2e.live import Data, Live, require_control_plane, running
from tests.e2e.repository import OPTIONS, Repository
from tests.scaffold.specs import FEATURES, FLUX_ONLY, LAYOUTS, spec
from tests.scaffold.trees import write

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.controlplane


PLACES = [
    (agent, layout)
    for agent in ("flux", "argocd")
    for layout in (*LAYOUTS, *OPTIONS, *FEATURES)
    if (agent == "argocd" or not layout.startswith("applicationset"))
    and not (agent == "argocd" and layout in FLUX_ONLY)
]
# What features bring is mostly the same under both agents: all of it is for `make agents`.
PARAMETERS = [
    pytest.param(*place, marks=pytest.mark.agents if place[0] == "argocd" and place[1] in FEATURES else ())
    for place in PLACES
]


@pytest.fixture(scope="module")
def generated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], list[Data]]:
    """The objects of every layout that this run asks for, by agent and layout."""
    require_control_plane()
    root = tmp_path_factory.mktemp("generated")
    asked = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = {(call.params.get("agent"), call.params.get("layout")) for call in asked if call is not None}
    made = {}
    for agent, layout in PLACES:
        if (agent, layout) not in wanted:
            continue
        folder = root / f"{agent}-{layout}"
        write(spec(agent, **{**LAYOUTS, **FEATURES, **OPTIONS}[layout]), folder)
        made[agent, layout] = list(_everything(Repository(folder, folder)))
    return made


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, generated: dict[tuple[str, str], list[Data]]
) -> Iterator[Live]:
    groups = {data["apiVersion"].rpartition("/")[0] for objects in generated.values() for data in objects}
    with running(tmp_path_factory.mktemp("acceptance")) as cluster:
        cluster.install([*definitions.flux(), *definitions.argocd(), *definitions.companions(groups)])
        yield cluster


@pytest.mark.parametrize(("agent", "layout"), PARAMETERS)
def test_the_server_accepts_every_object(
    live: Live, generated: dict[tuple[str, str], list[Data]], agent: str, layout: str
) -> None:
    objects = generated[agent, layout]
    # A dry run leaves no namespaces for the others to be in, and a tenant's are its platform's to make.
    for name in sorted({data["metadata"].get("namespace", "default") for data in objects}):
        live.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])

    refused = {}
    for data in objects:
        try:
            live.cluster.apply(data, force=True, dry_run=True)
        except ApiError as error:
            refused[f"{data['kind']} {data['metadata']['name']}"] = str(error)

    assert not refused
    kinds = {data["kind"] for data in objects}
    assert {"Deployment", "Service"} <= kinds
    assert layout == "tenant" or kinds & {"Kustomization", "Application"}


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "reason"),
    [
        ("fluxcd.controlplane.io/v1", "FluxInstance", {"distribution": {"version": "2.9.5"}}, "registry"),
        (
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            {"interval": "1m", "url": "nowhere"},
            "pattern|match",
        ),
        ("argoproj.io/v1alpha1", "Application", {"project": "a", "sauce": {}}, "sauce"),
    ],
)
def test_what_the_definitions_forbid_is_refused(
    live: Live, api_version: str, kind: str, spec: dict[str, Any], reason: str
) -> None:
    """The test above could not fail against definitions that are open to everything."""
    data = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "flux", "namespace": "flux-system"},
        "spec": spec,
    }
    with pytest.raises(UserError, match=reason):
        live.cluster.apply(data, dry_run=True)


def _everything(repository: Repository) -> Iterator[Data]:
    """What kustomize makes of every root in the repository: of all that no other kustomization lists."""
    files = {
        path.parent: yaml.safe_load(path.read_bytes())
        for path in repository.folder.rglob("kustomization.yaml")
    }
    listed = {
        (folder / entry).resolve()
        for folder, content in files.items()
        for key in ("resources", "components")
        for entry in content.get(key, ())
    }
    roots = [folder for folder in files if folder.resolve() not in listed]
    assert roots
    for folder in sorted(roots):
        yield from repository.build(str(folder.relative_to(repository.folder)))
