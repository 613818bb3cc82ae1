"""The fast builder against real kustomize."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.kustomize.exact import Build, Built
from gitops_layout.kustomize.exact import build as exact_build
from gitops_layout.kustomize.fast import Bases, Declined, Fast, build
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import Repo

__all__ = ["differences", "fast", "leaves", "real", "repository"]


def repository(files: Mapping[str, str | bytes]) -> Repo:
    """Files as a repository."""
    return from_files(files)


def fast(repo: Repo, folder: str, bases: Bases | None = None) -> Fast | Declined:
    """The fast build of a folder."""
    return build(repo, walk(repo, folder), bases=bases)


def real(repo: Repo, folder: str) -> Built:
    """What kubectl builds of a folder."""
    return exact_build(repo, Build(walk(repo, folder)))


def differences(ours: Fast, theirs: Built) -> list[str]:
    """How two builds differ, in words; empty when they are the same objects in the same order."""
    if theirs.problem is not None:
        return [f"kubectl refuses: {theirs.problem.why}"]
    if len(ours.objects) != len(theirs.objects):
        return [f"{len(ours.objects)} objects instead of {len(theirs.objects)}"]
    found = []
    for one, other in zip(ours.objects, theirs.objects, strict=True):
        if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
            mine, wanted = dict(leaves(one)), dict(leaves(other))
            found += [
                f"{other['kind']} {other['metadata']['name']} {path}: {mine.get(path)!r} instead of {wanted.get(path)!r}"
                for path in mine.keys() | wanted.keys()
                if mine.get(path, "absent") != wanted.get(path, "absent")
            ] or [f"{other['kind']}: types differ"]
    return found


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every plain value and empty container with its path."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data
