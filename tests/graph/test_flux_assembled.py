"""Artifacts that Flux puts together: files moved, filtered, merged, and placed at the lines that they are copied from."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace

import pytest

from gitops_layout.fetch.wants import wants
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.render.checkouts import Checkout
from gitops_layout.repo.load import from_files
from tests.graph.test_link import FLEET, linked

APPS_ID = "flux:Kustomization/flux-system/apps@prod-eu"
APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {interval: 10m, path: %s, sourceRef: {kind: ExternalArtifact, name: %s}}
"""
GENERATOR = """\
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata: {name: parts, namespace: flux-system}
spec:
  sources: [{alias: repo, kind: GitRepository, name: flux-system}]
  artifacts:
    - name: web
      copy:
"""


def manifest(name: str, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  v: '{value}'\n"


def fleet(copies: str, files: dict[str, str], *, path: str = "./", name: str = "web") -> dict[str, str]:
    lines = "".join(f"        - {line}\n" for line in copies.strip().splitlines())
    return {
        **{path: text for path, text in FLEET.items() if path.startswith("clusters/")},
        "clusters/prod-eu/apps.yaml": APPS % (path, name),
        "clusters/prod-eu/artifacts.yaml": GENERATOR + lines,
        **files,
    }


def names(graph: Graph) -> list[str]:
    assert graph.rendered[APPS_ID].failure is None, graph.rendered[APPS_ID].failure
    return sorted(item.ref.name for item in graph.rendered[APPS_ID].objects)


FILES = {
    "web/a.yaml": manifest("a"),
    "web/docs/b.yaml": manifest("b"),
    "web/deep/down/c.yaml": manifest("c"),
    "extra/d.yaml": manifest("d"),
}


@pytest.mark.parametrize(
    ("copy", "path", "found"),
    [
        ("{from: '@repo/web/**', to: '@artifact/moved/'}", "./moved", ["a", "b", "c"]),
        ("{from: '@repo/web/*', to: '@artifact/'}", "./web/docs", ["b"]),
        ("{from: '@repo/web', to: '@artifact/x'}", "./x/web/deep", ["c"]),
        ("{from: '@repo/web/a.yaml', to: '@artifact/one/z.yaml'}", "./one", ["a"]),
        ("{from: '@repo/web/a.yaml', to: '@artifact/one/'}", "./one", ["a"]),
        ("{from: '@repo/*/*.yaml', to: '@artifact/'}", "./", ["a", "d"]),
        # A `**` in the middle is no more than a star.
        ("{from: '@repo/web/**/*.yaml', to: '@artifact/'}", "./", ["b"]),
        ("{from: '@repo/web/**', to: '@artifact/', exclude: ['docs/**']}", "./", ["a", "c"]),
        ("{from: '@repo/web/**', to: '@artifact/', exclude: ['web/deep']}", "./", ["a", "b"]),
        ("{from: '@repo/web/**', to: '@artifact/', exclude: ['[!ab].yaml']}", "./", ["a", "b"]),
        ("{from: '@repo/web/**', to: '@artifact/', exclude: ['**/{b,c}.yaml']}", "./", ["a"]),
    ],
)
def test_files_are_copied_as_the_source_watcher_copies_them(copy: str, path: str, found: list[str]):
    graph = linked(fleet(copy, FILES, path=path))
    assert names(graph) == found
    assert graph.unchecked == ()


def test_a_moved_object_is_placed_at_the_line_that_it_is_copied_from():
    base = {"web/base/kustomization.yaml": "resources: [a.yaml]\n", "web/base/a.yaml": manifest("a")}
    overlay = 'resources: [../base]\npatches:\n- patch: \'[{"op": "replace", "path": "/data/v", "value": "two"}]\'\n  target: {kind: ConfigMap}\n'
    files = base | {"envs/prod/web/kustomization.yaml": overlay}
    copies = (
        "{from: '@repo/web/base', to: '@artifact/'}\n{from: '@repo/envs/prod/web/**', to: '@artifact/live/'}"
    )
    graph = linked(fleet(copies, files, path="live"))
    (item,) = graph.rendered[APPS_ID].objects
    assert item.data["data"] == {"v": "two"}
    assert item.origin(("metadata", "name")).file == "web/base/a.yaml"
    assert graph.repo.span(item.origin(("data", "v"))).line == 3
    assert item.origin(("data", "v")).file == "envs/prod/web/kustomization.yaml"
    assert graph.rendered[APPS_ID].files == files.keys()
    assert files.keys() <= graph.live
    (delivery,) = (d for d in graph.deliveries if d.id == APPS_ID)
    assert (delivery.source.path, delivery.source.local, delivery.environment) == (
        "envs/prod/web",
        True,
        "prod",
    )


def test_what_is_here_and_not_in_the_artifact_is_missing():
    files = {
        "web/kustomization.yaml": "resources: [../shared]\n",
        "shared/kustomization.yaml": "resources: []\n",
    }
    graph = linked(fleet("{from: '@repo/web/**', to: '@artifact/web/'}", files, path="web"))
    (entry,) = graph.unchecked
    assert (entry.kind, entry.location) == (
        UncheckedClass.BROKEN,
        Location("web/kustomization.yaml", ("resources", 0)),
    )


def test_later_copies_replace_files_or_are_merged_into_them_key_by_key():
    base = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: y}}\ndata: {v: '1', w: '1'}\n"
    files = {"base/a.yaml": base, "over/a.yaml": "data:\n  v: '2'\n", "over/b.yaml": manifest("b")}
    copies = "{from: '@repo/base/**', to: '@artifact/'}\n{from: '@repo/over/**', to: '@artifact/', strategy: Merge}"
    graph = linked(fleet(copies, files))
    assert names(graph) == ["a", "b"]
    merged = graph.rendered[APPS_ID].objects[0]
    assert merged.data["data"] == {"v": "2", "w": "1"}
    assert merged.origin(("data", "v")) == Location("over/a.yaml", ("data", "v"))
    assert merged.origin(("data", "w")) == Location("base/a.yaml", ("data", "w"))
    assert graph.rendered[APPS_ID].files == files.keys()
    replaced = linked(fleet(copies.replace(", strategy: Merge", ""), files))
    assert replaced.rendered[APPS_ID].failure is not None  # `data:` alone is no object


@pytest.mark.parametrize(
    ("copy", "why"),
    [
        ("{from: '@repo/nothing/*.yaml', to: '@artifact/'}", "nothing matches nothing/*.yaml"),
        ("{from: '@repo/nothing', to: '@artifact/'}", "nothing is not in the source"),
        ("{from: '@repo/web/*', to: '@artifact/', exclude: ['*']}", "all that matches web/* is excluded"),
        ("{from: '@repo/web/[', to: '@artifact/'}", "a [ is not closed in the pattern"),
        ("{from: '@repo/../web', to: '@artifact/'}", "../web leads out of the source or the artifact"),
        (
            "{from: '@repo/web', to: '@artifact/../../etc'}",
            "../../etc/web leads out of the source or the artifact",
        ),
    ],
)
def test_an_artifact_that_flux_cannot_make_is_broken_at_the_copy_that_is_to_blame(copy: str, why: str):
    (entry,) = linked(fleet(copy, FILES)).unchecked
    assert (entry.kind, entry.why) == (UncheckedClass.BROKEN, f"Flux cannot assemble its artifact: {why}")
    assert entry.location == Location("clusters/prod-eu/artifacts.yaml", ("spec", "artifacts", 0, "copy", 0))


def archive(files: dict[str, str], link: str | None = None) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        if link is not None:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return held.getvalue()


HUGE = tarfile.TarInfo("huge.yaml")
HUGE.size = 100 * 2**20 + 1

PACKED = archive({"top/a.yaml": manifest("a"), "top/deep/b.yaml": manifest("b")})


def packed(copy: str, archives: dict[str, bytes], *, path: str = "./") -> Graph:
    repo = from_files({**fleet(copy, FILES, path=path), **archives})
    return link(repo, render=Renders(repo))


@pytest.mark.parametrize(
    ("copy", "path", "found"),
    [
        ("{from: '@repo/deep/down/a.TGZ', to: '@artifact/x', strategy: Extract}", "./x/top", ["a", "b"]),
        # A pattern takes archives alone, and its `**` goes deep as that of no other strategy does.
        ("{from: '@repo/**', to: '@artifact/', strategy: Extract}", "./top/deep", ["b"]),
        ("{from: '@repo/**/*.{tgz,TGZ}', to: '@artifact/', strategy: Extract}", "./top", ["a", "b"]),
    ],
)
def test_archives_are_unpacked_where_a_copy_says_so(copy: str, path: str, found: list[str]):
    graph = packed(copy, {"deep/down/a.TGZ": PACKED}, path=path)
    assert names(graph) == found
    assert graph.unchecked == ()
    item = graph.rendered[APPS_ID].objects[0]
    assert item.origin(("data", "v")).file == "clusters/prod-eu/artifacts.yaml"
    assert graph.rendered[APPS_ID].files == {"deep/down/a.TGZ"}


@pytest.mark.parametrize(
    ("copied", "content", "why"),
    [
        ("a.tgz", archive({"../out.yaml": "a: 1"}), "'../out.yaml' leads out of the archive"),
        ("a.tgz", archive({}, "/etc/passwd"), "'link' is a link, or its name has a backslash"),
        ("a.tgz", b"no archive", "not a readable tar.gz: Not a gzipped file"),
        ("a.tgz", PACKED[:60], "not a readable tar.gz: Compressed file ended"),
        ("a.tgz", gzip.compress(HUGE.tobuf()), "unpacks to more than 100 MiB"),
        ("web/a.yaml", b"x: 1", "web/a.yaml is no .tar.gz or .tgz, which Extract asks for"),
        ("web", PACKED, "no file of the source is called web"),
        # Flux's default leaves archives of this name out of a repository's artifact.
        ("b.tar.gz", PACKED, "no file of the source is called b.tar.gz"),
    ],
    # An archive says when it was made, and the runs that share the tests have to agree on their names.
    ids=["out", "link", "text", "cut", "huge", "yaml", "folder", "ignored"],
)
def test_an_archive_that_flux_refuses_is_broken_at_the_copy(copied: str, content: bytes, why: str):
    copy = f"{{from: '@repo/{copied}', to: '@artifact/', strategy: Extract}}"
    name = "a.tgz" if copied == "web" else copied
    (entry,) = packed(copy, {name: content}).unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert why in entry.why
    assert entry.location == Location("clusters/prod-eu/artifacts.yaml", ("spec", "artifacts", 0, "copy", 0))


PATTERN = GENERATOR.replace("  sources:", "  pathPattern: '@repo/apps/{app}/envs/{env}'\n  sources:").replace(
    "name: web", "name: '{app}-{env}'"
)


def test_a_path_pattern_makes_an_artifact_of_every_folder_that_fits():
    copies = "        - {from: '@repo/apps/{app}/envs/{env}/**', to: '@artifact/'}\n"
    files = fleet("{}", {}, name="web-prod") | {
        "clusters/prod-eu/artifacts.yaml": PATTERN + copies,
        "apps/Web/envs/prod/a.yaml": manifest("a"),
        "apps/Web/envs/dev/a.yaml": manifest("b"),
    }
    graph = linked(files)
    assert names(graph) == ["a"]
    assert graph.rendered[APPS_ID].files == {"apps/Web/envs/prod/a.yaml"}


@pytest.mark.parametrize(
    ("copies", "folder", "why"),
    [
        (
            "{from: '@repo/{what}/**', to: '@artifact/'}",
            "apps/web/envs/prod",
            "{what}, which its pathPattern",
        ),
        ("{from: '@repo/x', to: '@artifact/'}", "apps/.web/envs/prod", "captures '.web', which is no label"),
        ("{from: '@repo/x', to: '@artifact/'}", "apps/web/envs/dev", "makes an artifact called web-prod"),
    ],
)
def test_a_path_pattern_that_makes_no_artifact_of_a_name_says_why(copies: str, folder: str, why: str):
    files = fleet("{}", {}, name="web-prod") | {
        "clusters/prod-eu/artifacts.yaml": f"{PATTERN}        - {copies}\n",
        f"{folder}/a.yaml": manifest("a"),
    }
    (entry,) = linked(files).unchecked
    assert entry.kind is UncheckedClass.EXTERNAL
    assert why in entry.why


OTHER = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: other, namespace: flux-system}
spec: {interval: 1m, url: "https://example.test/acme/other.git", ref: {branch: main}}
"""


def test_files_of_another_repository_are_copied_where_it_lies_beside(tmp_path):
    files = fleet(
        "{from: '@repo/web/a.yaml', to: '@artifact/'}\n{from: '@other/more', to: '@artifact/'}", FILES
    )
    artifacts = files["clusters/prod-eu/artifacts.yaml"].replace(
        "name: flux-system}]", "name: flux-system}, {alias: other, kind: GitRepository, name: other}]"
    )
    files |= {"clusters/prod-eu/artifacts.yaml": artifacts, "clusters/prod-eu/other.yaml": OTHER}
    repo = replace(from_files(files), remotes=("https://example.test/acme/fleet.git",))
    (entry,) = link(repo, render=Renders(repo)).unchecked
    assert (entry.why, entry.subject) == (
        "GitRepository flux-system/other is https://example.test/acme/other.git",
        ("source", "https://example.test/acme/other.git"),
    )
    more = tmp_path / "other/more"
    more.mkdir(parents=True)
    (more / "e.yaml").write_text(manifest("e"))
    checkout = Checkout("https://example.test/acme/*", "*", tmp_path, "*")
    graph = link(repo, render=Renders(repo, checkouts=[checkout]))
    assert names(graph) == ["a", "e"]
    e = graph.rendered[APPS_ID].objects[1]
    assert e.origin(()) == Location(
        "clusters/prod-eu/artifacts.yaml", ("spec", "artifacts", 0, "copy", 1, "from")
    )


def test_a_path_pattern_goes_by_the_folders_of_its_own_source(tmp_path):
    copies = "        - {from: '@repo/apps/{app}/envs/{env}/**', to: '@artifact/'}\n"
    files = fleet("{}", {}, name="web-prod") | {
        "clusters/prod-eu/artifacts.yaml": (PATTERN + copies).replace("name: flux-system}]", "name: other}]"),
        "clusters/prod-eu/other.yaml": OTHER,
        "apps/web/envs/prod/a.yaml": manifest("not-this"),
    }
    repo = replace(from_files(files), remotes=("https://example.test/acme/fleet.git",))
    graph = link(repo, render=Renders(repo))
    assert [(e.kind, e.subject) for e in graph.unchecked] == [
        (UncheckedClass.EXTERNAL, ("source", "https://example.test/acme/other.git"))
    ]
    assert [want.reference.url for want in wants(graph)] == ["https://example.test/acme/other.git"]
    there = tmp_path / "other/apps/Web/envs/prod"
    there.mkdir(parents=True)
    (there / "e.yaml").write_text(manifest("e"))
    checkout = Checkout("https://example.test/acme/*", "*", tmp_path, "*")
    assert names(link(repo, render=Renders(repo, checkouts=[checkout]))) == ["e"]
    there.rename(tmp_path / "other/apps/Web/envs/dev")
    (entry,) = link(repo, render=Renders(repo, checkouts=[checkout])).unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert entry.why.endswith(
        "no folder that fits the pathPattern apps/{app}/envs/{env} makes one called web-prod"
    )


def test_artifacts_made_of_each_other_come_to_an_end():
    artifacts = GENERATOR.replace(
        "kind: GitRepository, name: flux-system", "kind: ExternalArtifact, name: web"
    )
    files = fleet("{}", FILES) | {
        "clusters/prod-eu/artifacts.yaml": artifacts + "        - {from: '@repo/**', to: '@artifact/'}\n"
    }
    (entry,) = linked(files).unchecked
    assert "are made of each other" in entry.why
