"""Deliveries from other repositories and artifacts, where `fetch` has brought them.

They are rendered from the tree that was brought like others from this one. Nothing in that tree is a file
of this repository, so what they yield is placed at the agent object that asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from posixpath import join
from typing import TYPE_CHECKING, get_args

from gitops_layout.agents.argocd import renderer_of, with_overrides
from gitops_layout.agents.delivery import Delivery, Revision
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo
from gitops_layout.store.lock import Asked, Kind, Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_layout.model import Path as Steps
    from gitops_layout.render.checkouts import Checkout
    from gitops_layout.store.fetched import Fetched

__all__ = ["as_local", "brought", "placed", "tree_at", "tree_of", "tree_reference"]

_ASKED: tuple[Asked, ...] = get_args(Asked)


def tree_reference(url: str, revision: Revision | None) -> Reference:
    """How the fetch lock names a source of files: a git repository, or an artifact by its URL's scheme."""
    kind: Kind = "oci-artifact" if url.startswith("oci://") else "git-source"
    if revision is None or revision.name == "HEAD" or revision.kind not in _ASKED:
        return Reference(kind, url)
    asked = "tag" if kind == "oci-artifact" and revision.kind == "branch" else revision.kind
    named = next(known for known in _ASKED if known == asked)
    return Reference(kind, url, "", named, revision.name, revision.filter, revision.layer)


def brought(delivery: Delivery, fetched: Fetched) -> Path | None:
    """The tree of a delivery's foreign source, if it was fetched."""
    source = delivery.source
    if source.local or source.url is None or source.chart is not None:
        return None
    return fetched.tree(tree_reference(source.url, source.revision))


def tree_of(
    url: str, revision: str, checkouts: Sequence[Checkout], fetched: Fetched | None
) -> tuple[Path, bool] | None:
    """The tree of another repository that lies beside this one (True) or was fetched, by a revision of Argo CD's."""
    from gitops_layout.render.checkouts import folder_of, matching

    checkout = matching(checkouts, url)
    if checkout is not None:
        folder = folder_of(checkout, url) if checkout.allowed else None
        return None if folder is None else (folder, True)
    found = fetched.tree(tree_reference(url, Revision("branch", revision))) if fetched is not None else None
    return None if found is None else (found, False)


def as_local(delivery: Delivery, repo: Repo) -> Delivery:
    """The delivery as its own repository sees it; Argo CD looks at the files to say how a path is rendered."""
    source = replace(delivery.source, local=True, foreign=None)
    if source.path is None:
        return replace(delivery, source=source)
    source = replace(source, path=_in_chart(delivery, repo, source.path))
    if delivery.renderer != "none":
        return replace(delivery, source=source)
    path = source.path or ""
    folder = repo.resolve(path) or path
    options = {**delivery.options, **with_overrides(repo, folder, delivery.name, delivery.options)}
    renderer = renderer_of(options, repo.folders.get(folder, ()))
    return replace(delivery, source=source, options=options, renderer=renderer)


def _in_chart(delivery: Delivery, repo: Repo, path: str) -> str:
    """The path in the tree. Of a chart that Argo CD pulls as an artifact, it takes the files out of the folder by the
    chart's name that Helm packs them into (argo-cd v3.1 on), so that its path starts there.
    """
    if delivery.agent != "argocd" or not (delivery.source.url or "").startswith("oci://"):
        return path
    tops = {file.partition("/")[0] for file in repo.entries}
    top = next(iter(tops), "")
    return join(top, path).rstrip("/") if len(tops) == 1 and f"{top}/Chart.yaml" in repo.entries else path


def placed(rendered: Rendered, delivery: Delivery) -> Rendered:
    """The same with every place inside the foreign tree replaced by the delivery's own; values that come from this
    repository, `$name/` before the path, stand there.
    """
    here, refs = delivery.place("path", "source", "url"), delivery.options.get("refs") or {}

    def ours(file: str) -> str | None:
        name, _, path = file.partition("/")
        return path if name in refs and refs[name].local else None

    def back(place: Location) -> Location:
        path = ours(place.file)
        return here if path is None else replace(place, file=path)

    def item(one: RenderedObject) -> RenderedObject:
        origin, earlier = one.origin, one.earlier
        before = (lambda path: tuple(map(back, earlier(path)))) if refs else nobody
        return replace(one, origin=lambda path: back(origin(path)), earlier=before)

    def nobody(_path: Steps) -> tuple[Location, ...]:
        return ()

    failure, subject = rendered.failure, ("source", delivery.source.url or "")
    if failure is not None:
        why = f"{delivery.source.url} was fetched, but {failure.why}"
        place = back(failure.location) if failure.location is not None else here
        failure = replace(failure, kind=UncheckedClass.EXTERNAL, why=why, location=place, subject=subject)
    return replace(
        rendered,
        objects=tuple(map(item, rendered.objects)),
        files=frozenset(path for file in rendered.files if (path := ours(file)) is not None),
        failure=failure,
        unseen=tuple(replace(entry, location=here) for entry in rendered.unseen),
        doubled=(),
    )


def tree_at(folder: Path, *, ours: bool) -> Repo:
    """A checkout holds what git tracks there, an archive that we unpacked everything."""
    if ours:
        from gitops_layout.repo.load import from_work_tree

        return from_work_tree(folder)
    from gitops_layout.repo.unpacked import from_unpacked

    return from_unpacked(folder)
