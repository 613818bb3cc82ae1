"""What kustomize's plugins read: the files that ksops and sops-secret-generator decrypt."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, join, normpath
from typing import Any

from gitops_layout.model import Location, Path
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["PLUGINS", "generated_from"]

PLUGINS = ("viaduct.ai/", "goabout.com/")
"""Groups of objects that only kustomize's plugins read."""


def generated_from(repo: Repo) -> Iterator[tuple[Location, str, str, str | None]]:
    """Each file that a generator of secrets names: where, who, as it is written, and the file.

    A generator runs in the folder of the kustomization, which is its own or one above.
    """
    for resource in repo.resources:
        if not resource.ref.api_version.startswith(PLUGINS) or is_aside(resource.file):
            continue
        lists: list[tuple[Any, Path]] = [(resource.data.get(name), (name,)) for name in ("files", "envs")]
        for index, item in enumerate(_listed(resource.data.get("secretFrom"))):
            if isinstance(item, dict):
                lists += [(item.get(n), ("secretFrom", index, n)) for n in ("files", "envs", "binaryFiles")]
        named = f"{resource.ref.kind} {resource.ref.name}"
        for entries, path in lists:
            for number, entry in enumerate(_listed(entries)):
                target = str(entry).rpartition("=")[2]
                real = _from_here_or_above(repo, dirname(resource.file), target)
                yield resource.location.at(*path, number), named, target, real


def _from_here_or_above(repo: Repo, folder: str, target: str) -> str | None:
    while True:
        real = repo.resolve(normpath(join(folder, target)))
        if real is not None and real in repo.entries:
            return real
        if not folder:
            return None
        folder = dirname(folder)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
