"""What is delivered where no agent's object says so: kustomizations that nothing includes, and folders of manifests."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from posixpath import basename, dirname, join

from gitops_layout.agents import builtin
from gitops_layout.agents.context import Context
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.parked import fixtures
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, Problem, find, references
from gitops_layout.repo.model import Repo, folders_above, is_aside, is_template

__all__ = ["closure", "kustomizations", "kustomize_roots", "plain_folders"]


def kustomizations(repo: Repo) -> list[Kustomization]:
    """All that can be read, in the order of their folders."""
    folders = (
        folder for folder, names in sorted(repo.folders.items()) if any(name in names for name in FILE_NAMES)
    )
    return [found for folder in folders if isinstance(found := find(repo, folder), Kustomization)]


def _broken(repo: Repo) -> dict[str, str]:
    """The kustomizations that are there and cannot be used, not being YAML, or unreadable: their files by folder."""
    unread = (
        what.removeprefix("file ")
        for what in (entry.what for entry in repo.unchecked)
        if what.startswith("file ")
    )
    found = {dirname(file): file for file in unread if basename(file) in FILE_NAMES}
    for folder, names in repo.folders.items():
        name = next((name for name in FILE_NAMES if name in names), None)
        if name is not None and folder not in found and isinstance(find(repo, folder), Problem):
            found[folder] = join(folder, name)
    return found


def kustomize_roots(repo: Repo, context: Context, reached: AbstractSet[str], *, live: bool) -> list[Delivery]:
    """Kustomizations that no other one includes, and whose files are not `reached` otherwise; a Component is never one.
    Of a circle the first is one. Where they are live, those that cannot be used are roots too, and fail.
    """
    found = {kustomization.folder: kustomization for kustomization in kustomizations(repo)}
    includes = {folder: _included(repo, item) & found.keys() for folder, item in found.items()}
    included = {target for targets in includes.values() for target in targets}
    roots = [folder for folder in found if folder not in included]
    entered = set(roots).union(*(closure(folder, includes) for folder in roots))
    for folder in found:
        if folder not in entered:
            roots.append(folder)
            entered |= {folder} | closure(folder, includes)
    is_fixture = fixtures(repo)
    own = [
        builtin.kustomize_root(folder, file, context, live=live and not is_fixture(file))
        for folder in sorted(roots)
        for file in (found[folder].file,)
        if not found[folder].is_component and file not in reached
    ]
    if live:
        targets = set().union(*(_included(repo, item) for item in found.values()))
        own += [
            builtin.kustomize_root(folder, file, context, live=True)
            for folder, file in sorted(_broken(repo).items())
            if folder not in targets and not is_aside(file) and not is_template(repo, file)
        ]
    return builtin.declared(own, context)


def plain_folders(
    repo: Repo, context: Context, inputs: AbstractSet[str], reached: AbstractSet[str]
) -> list[Delivery]:
    """Folders of manifests that belong to no kustomization, without the `inputs` of these and what others have `reached`;
    hidden folders hold tools' files. What lies below a folder that is kustomized, and is not listed there, was left out:
    patches that are switched off, for the most part. The repository's own top folder says nothing about the rest.
    """
    found = kustomizations(repo)
    kustomized = {folder for folder in (*(item.folder for item in found), *_broken(repo)) if folder}
    listed = {file for kustomization in found for file in _included(repo, kustomization)}
    elsewhere = listed | inputs | reached
    is_fixture = fixtures(repo)
    folders: dict[str, list[str]] = {}
    meant: dict[str, bool] = {}
    for file in repo.manifests:
        folder, _, name = file.rpartition("/")
        if folder not in meant:
            meant[folder] = not (is_aside(file) or is_fixture(file) or _below(folder, kustomized))
        if not meant[folder] or file in elsewhere or name in FILE_NAMES:
            continue
        for each in repo.objects(file):
            if each.ref.name and not each.ref.api_version.startswith(
                "gitops-layout/"
            ):  # our spec is nobody's object
                folders.setdefault(folder, []).append(file)
                break
    return [builtin.directory(folder, tuple(files), context) for folder, files in sorted(folders.items())]


def _below(folder: str, folders: AbstractSet[str]) -> bool:
    """Whether a folder is one of the folders, or anywhere below one."""
    return any(above and above in folders for above in (folder, *folders_above(folder)))


def _included(repo: Repo, kustomization: Kustomization) -> set[str]:
    resolved = (
        repo.resolve(join(kustomization.folder, reference.target)) for reference in references(kustomization)
    )
    return {path for path in resolved if path is not None}


def closure(start: str, children: Mapping[str, set[str]]) -> set[str]:
    """What is below `start`, itself only where it is below itself."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for child in children[waiting.pop()] - reached:
            reached.add(child)
            waiting.append(child)
    return reached
