"""What people put out of use without deleting it: switched off by a comment, or moved to a folder that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, folders_above, is_parked, is_test_data

__all__ = ["fixtures", "parked", "switched_off"]

_OF_A_TEST = regexp(r"(?:chainsaw|kyverno)-test\.ya?ml|\d+-(?:assert|errors)\.ya?ml")
"""What Chainsaw, the Kyverno CLI and KUTTL read of a folder of tests."""

_COMMENTED = regexp(r"^\s*+#++\s*+-?\s*+[\"']?(\./)?([\w./-]+)[\"']?\s*+(#.*)?$")


def parked(repo: Repo) -> Callable[[str], bool]:
    """Whether a file is out of use, unless something live reads it: an agent's object in it is no root.

    What an Application's `directory.exclude` keeps out is not: somebody else may apply it, as with most roots.
    """
    off = frozenset(file for file, _ in switched_off(repo))
    return lambda file: file in off or is_parked(file)


def fixtures(repo: Repo) -> Callable[[str], bool]:
    """Whether a file is what a test applies, in a folder of tests or beside a test's file or below it: its objects are
    nobody's, unless something delivers the folder.
    """
    named = (file.rpartition("/") for file in repo.entries)
    tested = {folder for folder, _, name in named if folder and _OF_A_TEST.fullmatch(name)}
    return lambda file: is_test_data(file) or (bool(tested) and not tested.isdisjoint(folders_above(file)))


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
