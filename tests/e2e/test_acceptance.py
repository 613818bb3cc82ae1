"""Every object of every layout, before an API server with the real definitions and their CEL rules."""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.kustomize.exact import Build, build_all
from gitops_layout.kustomize.walk import walk
from gitops_layout.reconcile.cluster import ApiError
from gitops_layout.repo.load import from_files
from gitops_layout.scaffold.render import render
from tests.e2e import definitions
from tests.e2e.live import Data, Live, require_control_plane, running
from tests.e2e.repository import OPTIONS
from tests.scaffold.specs import FEATURES, FLUX_ONLY, LAYOUTS, spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_layout.kustomize.exact import Built
    from gitops_layout.repo.model import Repo
    from gitops_layout.spec import Spec

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
def generated(request: pytest.FixtureRequest) -> dict[tuple[str, str], list[Data]]:
    """The objects of every layout that this run asks for, by agent and layout."""
    require_control_plane()
    asked = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = {(call.params.get("agent"), call.params.get("layout")) for call in asked if call is not None}
    changes = {**LAYOUTS, **FEATURES, **OPTIONS}
    return dict(_built({place: spec(place[0], **changes[place[1]]) for place in PLACES if place in wanted}))


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


def _built(specs: Mapping[tuple[str, str], Spec]) -> Iterator[tuple[tuple[str, str], list[Data]]]:
    """What real kustomize makes of every root of every spec: of all that no other kustomization lists.

    Folders that layouts have in common are built once: kubectl takes long to start.
    """
    known: dict[tuple[tuple[str, bytes], ...], Built] = {}
    for place, wanted in specs.items():
        repo = from_files({path: file.content for path, file in render(wanted).items()})
        keys = {}
        for folder in _roots(repo):
            closure = walk(repo, folder)
            assert not closure.problems
            keys[tuple((path, repo.content(path)) for path in sorted(closure.files))] = Build(
                closure, restricted=True
            )
        known |= build_all(repo, {key: build for key, build in keys.items() if key not in known})
        assert [known[key].problem for key in keys if known[key].problem] == []
        yield place, [data for key in keys for data in known[key].objects]


def _roots(repo: Repo) -> list[str]:
    files = {
        dirname(path): yaml.safe_load(repo.content(path))
        for path in repo.files
        if path.endswith("/kustomization.yaml")
    }
    listed = {
        normpath(join(folder, entry))
        for folder, content in files.items()
        for key in ("resources", "components")
        for entry in content.get(key, ())
    }
    roots = sorted(files.keys() - listed)
    assert roots
    return roots
