"""The sources of an Application, as Argo CD reads them: which ones count, and how each is rendered.

Facts: argo-cd v3.6.1 (pkg/apis/application/v1alpha1/types.go, util/argo, reposerver/repository).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import join
from typing import Any

from gitops_layout.agents.delivery import Renderer
from gitops_layout.fields import at
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Path
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import MAX_BYTES, Repo

__all__ = [
    "TOOLS",
    "is_partial",
    "is_reference",
    "listed",
    "mistake",
    "references",
    "renderer_of",
    "tools",
    "with_overrides",
]

TOOLS: dict[str, Renderer] = {
    "helm": "chart",
    "kustomize": "kustomize",
    "directory": "directory",
    "plugin": "none",
}
"""The options of a source that say how its path is rendered, whatever files it has."""

_REF = regexp(r"[a-zA-Z0-9_-]+")


def listed(spec: Any) -> list[tuple[Path, Mapping[str, Any]]]:
    """The sources that count, each with its path in the object.

    A hydrator's dry source is what its sync source will hold; a list outranks the single source.
    """
    dry = at(spec, "sourceHydrator", "drySource")
    if isinstance(dry, Mapping):
        return [(("spec", "sourceHydrator", "drySource"), dry)]
    several, single = at(spec, "sources"), at(spec, "source")
    found: list[tuple[Path, Mapping[str, Any]]] = [
        (("spec", "sources", index), item)
        for index, item in enumerate(several if isinstance(several, list) else ())
        if isinstance(item, Mapping)
    ]
    if not found and isinstance(single, Mapping):
        found = [(("spec", "source"), single)]
    return found


def is_reference(source: Mapping[str, Any]) -> bool:
    """Whether a source is there only for the value files that the others name by its `ref`."""
    url = source.get("repoURL")
    oci = isinstance(url, str) and url.startswith("oci://")
    return bool(source.get("ref")) and not source.get("path") and not source.get("chart") and not oci


def is_partial(data: Any) -> bool:
    """Whether an Application lacks what Argo CD requires of its sources, so that only a patch makes it whole.

    An empty repoURL is as good as none: the API takes it, the controller refuses it.
    """
    sources = listed(at(data, "spec"))
    return not sources or any(
        not isinstance(source.get("repoURL"), str) or not source["repoURL"] for _, source in sources
    )


def references(sources: list[tuple[Path, Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The names by which other sources are called in `valueFiles`, `$` included."""
    for path, source in sources:
        ref = source.get("ref")
        if "sources" in path and isinstance(ref, str) and ref:
            yield f"${ref}", source


def mistake(spec: Any) -> tuple[str, Path] | None:
    """What Argo CD refuses in a list of sources before it renders any."""
    seen: set[str] = set()
    for path, source in listed(spec):
        ref = source.get("ref")
        if not isinstance(ref, str) or not ref or "sources" not in path:
            continue
        if not _REF.fullmatch(ref):
            return f"ref {ref} may hold letters, digits, _ and - only", (*path, "ref")
        if ref in seen:
            return f"two sources are called {ref}", (*path, "ref")
        seen.add(ref)
    return None


def tools(source: Mapping[str, Any]) -> list[str]:
    """The tools that a source asks for by having options for them; empty options ask for nothing."""
    return [name for name in TOOLS if isinstance(source.get(name), Mapping) and _given(name, source[name])]


def _given(name: str, options: Mapping[str, Any]) -> bool:
    return name == "plugin" or any(value not in (None, "", False, [], {}) for value in options.values())


def renderer_of(source: Mapping[str, Any], names: tuple[str, ...]) -> Renderer:
    """How Argo CD renders a path with these files: by the options given, else by what it finds there. It goes through the
    files by their names, and a kustomization comes after a chart's definition.
    """
    asked = tools(source)
    if asked:
        return TOOLS[asked[0]]
    if any(name in names for name in FILE_NAMES):
        return "kustomize"
    return "chart" if "Chart.yaml" in names else "directory"


def with_overrides(repo: Repo, folder: str, name: str, source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The source's options after `.argocd-source.yaml` and `.argocd-source-<application>.yaml` beside the path.

    They are merge patches that robots write; only the tools' options count of them.
    """
    done: Any = source
    for file in (".argocd-source.yaml", f".argocd-source-{name}.yaml"):
        real = repo.resolve(join(folder, file)) if "/" not in file and "\0" not in file else None
        if real is None or real not in repo.entries or repo.entries[real].size > MAX_BYTES:
            continue
        documents = repo.documents(real)
        if documents and isinstance(documents[0].data, dict):
            patch = {key: value for key, value in documents[0].data.items() if key in TOOLS}
            done = _patched(done, patch)
    return done if isinstance(done, Mapping) else source


def _patched(data: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(data) if isinstance(data, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _patched(result.get(key), value)
    return result
