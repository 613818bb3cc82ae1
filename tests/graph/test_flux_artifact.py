"""What Flux's artifact of this repository leaves out is not delivered, and a path that it lacks is an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import UncheckedClass
from gitops_layout.render.artifact import leaves_out
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import Entry
from tests.graph.test_link import FLEET, SOURCE, linked

APPS_ID = "flux:Kustomization/flux-system/apps@prod-eu"
SYNC_FILE = "clusters/prod-eu/flux-system/gotk-sync.yaml"


def manifest(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


PLAIN = {path: text for path, text in FLEET.items() if not path.startswith("apps/web/envs")} | {
    "apps/web/envs/prod/a.yaml": manifest("a"),
    "apps/web/envs/prod/.hidden/b.yaml": manifest("b"),
    "apps/web/envs/prod/deep/c.yaml": manifest("c"),
    "apps/web/envs/prod/.sops.yaml": "creation_rules: []\n",
    "apps/web/envs/prod/.github/workflows/w.yaml": "on: push\n",
}


def names(graph: Graph) -> list[str]:
    return sorted(item.ref.name for item in graph.rendered[APPS_ID].objects)


def test_a_generated_kustomization_has_hidden_files_and_not_what_flux_leaves_out_by_itself():
    graph = linked(PLAIN)
    assert names(graph) == ["a", "b", "c"]
    assert "apps/web/envs/prod/.sops.yaml" not in graph.live


def test_patterns_of_folders_and_of_the_source_count_and_the_last_wins():
    spec = SOURCE.replace("ref: {branch: main}", 'ref: {branch: main}, ignore: "/apps/**/deep\\n!c.yaml\\n"')
    files = {
        **{path: text for path, text in PLAIN.items() if "sops" not in path and ".github" not in path},
        SYNC_FILE: FLEET[SYNC_FILE].replace(SOURCE, spec),
        "apps/web/envs/prod/deep/d.yaml": manifest("d"),
        "apps/web/.sourceignore": "# comment\n\n.hidden/\n",
    }
    graph = linked(files)
    assert names(graph) == ["a", "c"]  # a file below a folder that is left out comes back by its own name
    assert "apps/web/envs/prod/deep/d.yaml" not in graph.live


def test_a_path_that_the_artifact_lacks_is_broken_and_says_what_leaves_it_out():
    graph = linked({**FLEET, ".sourceignore": "/*\n!/clusters/\n"})
    (entry,) = graph.unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert entry.why.endswith(" is here, but not in Flux's artifact: .sourceignore:1 leaves it out")
    assert "apps/web/base/settings.yaml" not in graph.live


def test_a_base_outside_the_sparse_paths_is_missing():
    sparse = SOURCE.replace(
        "ref: {branch: main}", "ref: {branch: main}, sparseCheckout: [./clusters, apps/web/envs]"
    )
    graph = linked({**FLEET, SYNC_FILE: FLEET[SYNC_FILE].replace(SOURCE, sparse)})
    (entry,) = graph.unchecked
    assert "apps/web/base/kustomization.yaml and 1 more is here, but not in" in entry.why
    assert "sparseCheckout does not name it" in entry.why


def test_a_sparse_path_that_does_not_exist_stops_the_source():
    sparse = SOURCE.replace(
        "ref: {branch: main}", "ref: {branch: main}, sparseCheckout: [clusters, apps, gone]"
    )
    graph = linked({**FLEET, SYNC_FILE: FLEET[SYNC_FILE].replace(SOURCE, sparse)})
    assert {entry.why.partition(",")[0] for entry in graph.unchecked} == {
        "sparseCheckout of its source names gone"
    }


def test_links_are_not_in_an_artifact():
    repo = from_files(FLEET)
    linked_base = {**repo.entries, "apps/web/link": Entry(4, "base")}
    over = repo.over({"apps/web/envs/prod/kustomization.yaml": b"resources: [../../link]\n"})
    repo = replace(over, entries={**over.entries, **linked_base})
    graph = link(repo, render=Renders(repo))
    (entry,) = graph.unchecked
    assert entry.why.endswith(
        "apps/web/link is here, but not in Flux's artifact: it is a link, and Flux leaves out links"
    )


# (patterns, path, left out): what fluxcd/pkg/sourceignore v0.22.0 says of each, asked for with a small program.
MATCHES = (
    ("docs/", "docs/a.yaml", True),
    ("docs/", "x/docs/a.yaml", True),
    ("docs/", "docs", False),
    ("/docs", "x/docs/a.yaml", False),
    ("**/a/b.yaml", "x/a/a/b.yaml", False),  # the first folder that fits is the one
    ("**/b.yaml", "x/y/b.yaml", True),
    ("a/**", "a", True),
    ("/**", "a/b", False),
    ("**", "a/b", True),
    ("a**b/c", "axb/c", False),
    ("*.md\n!README.md", "x/README.md", False),
    ("a*\n!/a1/b", "a1/b", False),
    ("[", "[", False),
    ("[^a]/x", "b/x", True),
    ("\\#x", "#x", True),
    ("x \\ ", "x  ", True),
    ("a/*/c", "a/b/c/d", True),
    ("a//b", "a/b", True),
)


@pytest.mark.parametrize(("patterns", "path", "left"), MATCHES)
def test_patterns_are_read_as_flux_reads_them(patterns: str, path: str, left: bool):
    assert (leaves_out(from_files({path: ""}), ignore=patterns)(path) is not None) is left
