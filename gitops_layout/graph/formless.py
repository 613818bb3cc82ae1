"""Objects that no agent can take as they stand: without a kind or an API version that is text, agents' without a name,
and templates of objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from posixpath import basename
from typing import Any

from gitops_layout.counts import counted
from gitops_layout.fields import at
from gitops_layout.graph.sources import OF_AGENTS
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Location, Unchecked, UncheckedClass, of_object
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, Resource, broken, is_aside, is_template
from gitops_layout.source.document import SyntaxProblem

__all__ = ["formless", "is_of_tools", "unmade", "unparsable", "unreadable"]

_DELIVERING = frozenset(
    {"Application", "ApplicationSet", "FluxInstance", "HelmRelease", "Kustomization", "ResourceSet"}
)
_FLUX_1 = ("helm.fluxcd.io/", "flux.weave.works/")
_TYPES = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a mapping"}


def formless(
    repo: Repo, objects: Iterable[Resource], inputs: AbstractSet[str], parked: Callable[[str], bool]
) -> Iterator[tuple[Unchecked, bool]]:
    """Each with whether it is one of the agents' own, which somebody applies and which delivers nothing. `objects` are
    those that may be agents'. The `inputs` of kustomizations are parts of objects, and tools' files and templates are
    nobody's.
    """
    for resource in objects:
        ref = resource.ref
        if ref.kind == "HelmRelease" and ref.api_version.startswith(_FLUX_1) and not is_aside(resource.file):
            what = f"{ref.kind} {ref.namespace or 'default'}/{ref.name} of {ref.api_version}"
            why = "the operator of Flux 1 installs its chart, and that is not read here: Flux 2 has HelmReleases of its own"
            subject = of_object(ref.kind, ref.namespace or "default", ref.name)
            yield Unchecked(what, UncheckedClass.EXTERNAL, why, resource.location, subject), False
        if not ref.name and ref.kind in _DELIVERING and ref.api_version.startswith(OF_AGENTS):
            file = resource.location.file
            if at(resource.data, "metadata", "generateName") is None and not is_aside(file):
                why = "metadata.name is missing or no text, so no agent takes it: give it a name"
                article = "an" if ref.kind.startswith("A") else "a"
                yield broken(f"{article} {ref.kind} without a name", why, resource.location), not parked(file)
    for file in repo.manifests:
        for document in repo.documents(file):
            field = _odd(document.data)
            if field is None or file in inputs or basename(file) in FILE_NAMES:
                continue
            if not is_aside(file) and not is_template(repo, file):
                entry, own = _entry(document.data, field, Location(file, (), document.index))
                yield entry, own and not parked(file)


_VERSIONS = regexp(r"^apiVersion:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_KINDS = regexp(r"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)


def unparsable(repo: Repo) -> Iterator[tuple[str, SyntaxProblem]]:
    """The files that are no YAML and should be: those of tools and tests, and templates of others, are not among them."""
    for file, problem in repo.unparsable:
        if not (is_aside(file) or is_of_tools(repo, file)):
            yield file, problem


def is_of_tools(repo: Repo, file: str) -> bool:
    """Whether a file that is no YAML is some tool's: a template, or JSON with comments that speaks of no object."""
    return is_template(repo, file) or (
        file.endswith(".json") and '"apiVersion"' not in repo.stream(file).text
    )


def unreadable(repo: Repo, parked: Callable[[str], bool]) -> Iterator[str]:
    """Files that are no YAML and hold one of the agents' own objects, to all appearances: nothing else reaches a root."""
    for file, _ in unparsable(repo):
        if not parked(file):
            text = repo.stream(file).text
            versions = (version.startswith(OF_AGENTS) for version in _VERSIONS.findall(text))
            if any(versions) and not _DELIVERING.isdisjoint(_KINDS.findall(text)):
                yield file


_TEMPLATE = regexp(r"\.ya?ml\.(?:j2|jinja2?|tmpl|tpl|gotmpl|erb|mustache)\Z")


def unmade(repo: Repo) -> Iterator[Unchecked]:
    """Templates of manifests, for a repository that delivers nothing: what is made of them is elsewhere."""
    found = [path for path in repo.files if _TEMPLATE.search(path) and not is_aside(path)]
    if found:
        what = f"{counted(len(found), 'template')} of manifests"
        why = f"nothing here is delivered, and what a tool makes of {found[0]} is not known: lint what it writes"
        yield Unchecked(what, UncheckedClass.EXTERNAL, why, Location(found[0]))


def _odd(data: Any) -> str | None:
    """The one of the two fields that name the type of an object which is no text, of what is an object by its looks."""
    if not isinstance(data, dict) or not ("apiVersion" in data or "kind" in data):
        return None
    version, kind = data.get("apiVersion"), data.get("kind")
    if isinstance(version, str) and isinstance(kind, str):
        return None
    if ("apiVersion" in data and "kind" in data) or isinstance(data.get("metadata"), dict):
        return "apiVersion" if isinstance(kind, str) else "kind"
    return None


def _entry(data: dict[str, Any], field: str, place: Location) -> tuple[Unchecked, bool]:
    value, name = data.get(field), at(data, "metadata", "name")
    is_what = (
        f"{field} is {_TYPES.get(type(value), 'null')} and no text" if field in data else f"it has no {field}"
    )
    why = f"{is_what}, so it is an object of no type and nobody takes it: write one"
    version, kind = data.get("apiVersion"), data.get("kind")
    own = version.startswith(OF_AGENTS) if isinstance(version, str) else str(kind) in _DELIVERING
    what = f"object {name}" if isinstance(name, str) else "an object"
    return broken(what, why, place.at(field) if field in data else place), own
