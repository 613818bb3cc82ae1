"""What people put out of use without deleting it: switched off by a comment, or moved to a folder that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from posixpath import normpath
from typing import Any

from gitops_layout.agents import argocd
from gitops_layout.agents.context import Context, at, text
from gitops_layout.graph.generators import is_generator
from gitops_layout.graph.sources import is_agent
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.patterns import regexp
from gitops_layout.render.directory import excludes
from gitops_layout.repo.model import Repo, Resource, is_parked

__all__ = ["excluded", "parked", "switched_off"]

_COMMENTED = regexp(r"^\s*+#++\s*+-?\s*+[\"']?(\./)?([\w./-]+)[\"']?\s*+(#.*)?$")


def parked(repo: Repo, context: Context, objects: Iterable[Resource]) -> Callable[[str], bool]:
    """Whether a file is out of use, unless something live reads it: an agent's object in it is no root."""
    off = frozenset((*(file for file, _ in switched_off(repo)), *excluded(context, objects)))
    return lambda file: file in off or is_parked(file)


def excluded(context: Context, objects: Iterable[Resource]) -> Iterator[str]:
    """Files with agents' objects that an Application's `directory.exclude` keeps out of what it applies: no roots, but
    for what brings that Application.
    """
    agents = [resource for resource in objects if is_agent(resource) or is_generator(resource)]
    for resource in agents:
        for folder, options in _folders(context, resource):
            if "exclude" not in options:
                continue
            prefix = f"{folder}/" if folder else ""
            for other in agents:
                below = other.file.removeprefix(prefix)
                if (
                    other.file == resource.file
                    or not other.file.startswith(prefix)
                    or not excludes(options, below)
                ):
                    continue
                if not any(_is_below(resource.file, above) for above, _ in _folders(context, other)):
                    yield other.file


def _folders(context: Context, resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The folders here that an Application reads, with what it says of reading them."""
    if resource.ref.kind != "Application":
        return
    for _, source in argocd.listed(at(resource.data, "spec")):
        url, folder, options = text(source.get("repoURL")), source.get("path"), source.get("directory")
        if url is not None and isinstance(folder, str) and context.is_own(url):
            yield normpath(f"/{folder}").strip("/"), options if isinstance(options, dict) else {}


def _is_below(file: str, folder: str) -> bool:
    return not folder or file.startswith(f"{folder}/")


def switched_off(repo: Repo, folders: Iterable[str] | None = None) -> Iterator[tuple[str, str]]:
    """Files that a comment in a kustomization (of these folders, or any) names, and where: people switch things off so."""
    for folder in repo.folders if folders is None else folders:
        names = repo.folders.get(folder, ())
        name = next((name for name in FILE_NAMES if name in names), None)
        if name is None:
            continue
        file = f"{folder}/{name}" if folder else name
        text = repo.stream(file).text
        for number, line in enumerate(text.splitlines(), 1) if "#" in text else ():
            match = _COMMENTED.match(line)
            real = repo.resolve(f"{folder}/{match[2]}".lstrip("/")) if match else None
            if real is None:
                continue
            for found in [real] if real in repo.entries else repo.under(real):
                yield found, f"{file}:{number}"
