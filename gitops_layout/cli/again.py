"""`render` after a change of a few files: only the deliveries that read them are built again.

That holds where the change cannot alter which deliveries there are. So the note of the earlier run says what
that hangs on, and whatever is not known to be harmless (an agent's object, a Secret, a file that no delivery
reads, a build that failed or that takes what others bring) is left to the ordinary way.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.delivery import Delivery, Revision, Source, SyncPolicy
from gitops_layout.cli.remembered import OWN
from gitops_layout.graph.parked import switched_off
from gitops_layout.graph.roots import kustomizations
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.output.manifests import to_yaml
from gitops_layout.render.build import Renders
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitops_layout.cli.remembered import Memory, Said
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import ObjectRef
    from gitops_layout.render.rendered import Rendered
    from gitops_layout.repo.model import Resource

__all__ = [
    "Row",
    "decoded",
    "facts",
    "hangs_on_commit",
    "harmless",
    "note",
    "plain_now",
    "rendered_again",
    "rows_of",
]

_MOST = 200
"""Deliveries that are built again so; beyond, the ordinary way uses all processors."""

_PLAIN_GROUPS = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "kustomize.config.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
    }
)
"""Groups whose objects deliver nothing and define nothing, Secrets (an agent's clusters) excepted."""


def _plain(ref: ObjectRef) -> bool:
    return (
        ref.group in _PLAIN_GROUPS
        and ref.kind not in ("Secret", "List")
        and not ref.name.startswith("argocd")
        and ref.name != "kustomize-controller"  # its version and flags say how Flux substitutes everywhere
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery of an earlier run: the piece of the output that is its own, the files that it read and the one that it
    stands in (their numbers in the listing), and what a build needs of it, None where that is not all that it hangs on.
    """

    id: str
    piece: int
    files: list[int]
    coded: str | None
    root: int | None


def rows_of(facts: Mapping[str, Any]) -> list[Row]:
    """The deliveries that `facts` holds."""
    return [Row(*row) for row in facts["rows"]]


def note(graph: Graph, pieces: dict[str, int]) -> str | None:
    """`facts` as text."""
    known = facts(graph, pieces)
    return json.dumps(known) if known is not None else None


def facts(graph: Graph, pieces: Mapping[str, int]) -> dict[str, Any] | None:
    """What a later run has to know of this graph, for JSON; `pieces` says which part of the output is whose, -1
    where there is nothing to print and -2 where nobody asked. None where any change may change everything.
    """
    repo, rendered = graph.repo, graph.rendered
    if any(resource.ref.kind in ("ApplicationSet", "ResourceSet") for resource in repo.resources):
        return None  # what they make may hang on any file
    failures = [item.failure for item in rendered.values() if item.failure is not None]
    if any(failure.kind is UncheckedClass.BROKEN for failure in failures):
        return None  # what would mend it is not among the files that were read
    numbers = {path: number for number, path in enumerate(repo.entries)}
    special = {resource.file for resource in repo.resources if not _plain(resource.ref)}
    special |= {failure.location.file for failure in failures if failure.location is not None}
    rows = [
        [
            delivery.id,
            pieces.get(delivery.id, -2),
            sorted(numbers[file] for file in rendered[delivery.id].files if file in numbers),
            _coded(delivery) if _simple(delivery, rendered[delivery.id]) else None,
            numbers.get(delivery.root.file),
        ]
        for delivery in graph.deliveries
    ]
    return {
        "rows": rows,
        "special": sorted(numbers[file] for file in special if file in numbers),
        "parking": sorted({numbers[place.rpartition(":")[0]] for _, place in switched_off(repo)}),
        "components": sorted(numbers[each.file] for each in kustomizations(repo) if each.is_component),
        "variables": any(_takes_variables(delivery) for delivery in graph.deliveries),
    }


def _takes_variables(delivery: Delivery) -> bool:
    """Whether its objects may hang on what other deliveries bring."""
    return delivery.renderer == "chart" or "postBuild" in delivery.options


def _simple(delivery: Delivery, item: Rendered) -> bool:
    """Whether its objects hang on the files that it reads and on nothing else, and bring no delivery."""
    return (
        delivery.renderer == "kustomize"
        and not delivery.parts
        and item.failure is None
        and not item.unseen
        and not _takes_variables(delivery)
        and all(_plain(made.ref) for made in item.objects)
    )


def hangs_on_commit(graph: Graph) -> bool:
    """Whether what is rendered and judged hangs on which commit is checked out, and not only on its tree: Argo CD puts
    the revision into what asks for it, and whether a path exists at a pinned revision is asked of the clone.
    """
    return any(
        (delivery.source.local and delivery.source.revision and delivery.source.revision.kind in _PINNED)
        or (delivery.agent == "argocd" and "ARGOCD_APP_REVISION" in str(delivery.object))
        for whole in graph.deliveries
        for delivery in (whole, *whole.parts)
    )


_PINNED = ("tag", "commit", "digest")


def rendered_again(memory: Memory, said: Said, changed: Iterable[str]) -> Said | None:
    """The words of an earlier run with what `changed` touches made anew; None where that may not be all."""
    known = json.loads(said.note or "null")
    numbers = {path: number for number, path in enumerate(memory.listing.entries)}
    wanted = {numbers[path]: path for path in changed}
    touched = [row for row in rows_of(known) if not wanted.keys().isdisjoint(row.files)]
    if not harmless(known, touched, wanted) or len(touched) > _MOST:
        return None
    repo = memory.repo
    if not plain_now(repo, known, wanted):
        return None
    done = Renders(repo)([decoded(row.coded) for row in touched if row.coded is not None])
    for row in touched:
        item, piece = done[row.id], row.piece
        if not _as_before(
            item, {number for file in item.files if (number := numbers.get(file)) is not None}, row.files
        ):
            return None
        if known["variables"] and any(made.ref.kind == "ConfigMap" for made in item.objects):
            return None
        text = to_yaml(made.data for made in item.objects)
        if piece != -2 and bool(text) != (piece >= 0):
            return None
        if piece >= 0:
            said.out[piece] = text if piece == 0 else f"---\n{text}"
    return said


def _as_before(item: Rendered, files: set[int], before: list[int]) -> bool:
    """Whether a delivery still reads the same files and brings nothing that others hang on."""
    whole = item.failure is None and not item.unseen
    return whole and files == set(before) and all(_plain(made.ref) for made in item.objects)


def plain_now(repo: Repo, known: Mapping[str, Any], wanted: Mapping[int, str]) -> bool:
    """Whether the edited files `wanted` (by number) hold nothing that an agent reads, no comment that parks another file, and
    no kustomization that was a Component and is a root, or the other way round.
    """
    edited = [(number, path) for number, path in wanted.items() if basename(path) in FILE_NAMES]
    if any(_is_component(repo, path) != (number in known["components"]) for number, path in edited):
        return False
    folders = [dirname(path) for _, path in edited]
    return not any(switched_off(repo, folders)) and all(
        _plain(found.ref) for path in wanted.values() for found in _objects(repo, path)
    )


def _is_component(repo: Repo, path: str) -> bool:
    return any(
        isinstance(document.data, dict) and document.data.get("kind") == "Component"
        for document in repo.documents(path)
    )


def harmless(known: Mapping[str, Any], touched: Sequence[Row], wanted: Mapping[int, str]) -> bool:
    """Whether the deliveries in `touched` are all that an edit of the files `wanted` (by number) concerns, and can be
    built anew from what is known of them.
    """
    special, read = set(known["special"]), {number for row in touched for number in row.files}
    if any(row.coded is None for row in touched) or not wanted.keys().isdisjoint(known["parking"]):
        return False
    if any(basename(path) in FILE_NAMES for path in wanted.values()) and not special.isdisjoint(read):
        return False  # what was a patch may be an object now
    for number, path in wanted.items():
        if path.startswith(OWN) or number in special:
            return False
        if number not in read and (
            is_yaml(path)
            or basename(path) in FILE_NAMES
            or basename(path).startswith((".git", ".sourceignore"))
        ):
            return False
    return True


def _objects(repo: Repo, path: str) -> Iterable[Resource]:
    return repo.objects(path) if is_yaml(path) else ()


_FIELDS = (
    "id", "agent", "kind", "namespace", "name", "cluster", "environment", "tier", "renderer",
    "target_namespace", "project", "options", "object", "live",
)  # fmt: skip
_SOURCE_FIELDS = ("url", "path", "chart", "local", "foreign", "ignore", "sparse", "login")


def _coded(delivery: Delivery) -> str | None:
    """What a build needs of a delivery, as text; None where `decoded` would not make the same of it."""
    source, root = delivery.source, delivery.root
    data = {name: getattr(delivery, name) for name in _FIELDS} | {
        "source": [getattr(source, name) for name in _SOURCE_FIELDS],
        "revision": list(astuple(source.revision)) if source.revision else None,
        "root": [root.file, root.path, root.document],
    }
    try:
        text = json.dumps(data)
    except (TypeError, ValueError):
        return None
    again = decoded(text)
    return text if (again.options, again.object) == (delivery.options, delivery.object) else None


def decoded(text: str) -> Delivery:
    """A delivery as far as its build needs it."""
    data = json.loads(text)
    revision, (file, path, document) = data.pop("revision"), data.pop("root")
    source = dict(zip(_SOURCE_FIELDS, data.pop("source"), strict=True))
    source["sparse"] = tuple(source["sparse"])
    return Delivery(
        **data,
        source=Source(**source, revision=Revision(*revision) if revision else None),
        sync=SyncPolicy(),
        root=Location(file, tuple(path), document),
    )
