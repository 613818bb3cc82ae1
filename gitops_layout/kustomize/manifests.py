"""Resources of a build that are no manifests."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import join

from gitops_layout.kustomize.model import BuildClass, Closure, Problem, references
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.source.document import Stream

__all__ = ["no_manifests"]


def no_manifests(repo: Repo, closure: Closure, *, unparsable: bool = False) -> Iterator[Problem]:
    """Resources that cannot be read as objects, at the entries that list them: kustomize names no place for these.

    Files that are called YAML and are none come only where `unparsable` ones are asked for: they are told themselves.
    """
    for kustomization in closure.kustomizations:
        for reference in references(kustomization):
            real = repo.resolve(join(kustomization.folder, reference.target))
            if reference.kind != "resource" or real is None or real not in repo.entries:
                continue
            stream = repo.stream(real)
            why = stream.problems[0].message if stream.problems else _no_object(stream)
            if why and (unparsable or not stream.problems or not is_yaml(real)):
                yield Problem(
                    BuildClass.NO_MANIFEST, f"{reference.target} is no manifest: {why}", reference.location
                )


def _no_object(stream: Stream) -> str:
    for document in stream.documents:
        match document.data:
            case None | {"kind": str()}:
                continue
            case dict():
                return "it has no kind"
            case list(items) if all(isinstance(item, dict) and "kind" in item for item in items):
                continue
            case _:
                return "it is no mapping"
    return ""
