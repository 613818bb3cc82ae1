"""The fields of an Application that are understood; every other one is listed (argo-cd v3.6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.model import Path

__all__ = ["notes"]

_SPEC = frozenset(
    "destination ignoreDifferences info project revisionHistoryLimit source sourceHydrator sources syncPolicy".split()
)
_SOURCE = frozenset(
    "chart directory helm kustomize name path plugin ref repoURL tagPrefix targetRevision".split()
)
_TOOLS = {
    "helm": frozenset(
        "apiVersions fileParameters ignoreMissingValueFiles kubeVersion namespace parameters passCredentials"
        " releaseName skipCrds skipSchemaValidation skipTests valueFiles values valuesObject version".split()
    ),
    "kustomize": frozenset(
        "apiVersions commonAnnotations commonAnnotationsEnvsubst commonLabels components forceCommonAnnotations"
        " forceCommonLabels ignoreMissingComponents images kubeVersion labelIncludeTemplates labelWithoutSelector"
        " namePrefix nameSuffix namespace patches replicas".split()
    ),
    "directory": frozenset("disableExtensionFilter exclude include jsonnet recurse".split()),
}
"""`kustomize.version` is not among them: it names a program of the installation."""

_SYNC = {
    "syncPolicy": frozenset("automated managedNamespaceMetadata retry syncOptions".split()),
    "automated": frozenset("allowEmpty enabled prune selfHeal".split()),
    "managedNamespaceMetadata": frozenset(("labels", "annotations")),
    "retry": frozenset("backoff limit refresh".split()),
}
_HYDRATOR = {
    "drySource": _SOURCE - {"chart", "name", "ref", "tagPrefix"},
    "syncSource": frozenset("path repoURL targetBranch".split()),
    "hydrateTo": frozenset(("targetBranch",)),
}


def notes(spec: Mapping[str, Any], sources: list[tuple[Path, Mapping[str, Any]]]) -> tuple[Path, ...]:
    """The fields that are not understood."""
    found = [*_unknown(("spec",), spec, _SPEC)]
    policy, hydrator = spec.get("syncPolicy"), spec.get("sourceHydrator")
    found += _unknown(("spec", "syncPolicy"), policy, _SYNC["syncPolicy"])
    for name in ("automated", "managedNamespaceMetadata", "retry"):
        found += _unknown(("spec", "syncPolicy", name), at(policy, name), _SYNC[name])
    found += _unknown(("spec", "sourceHydrator"), hydrator, frozenset(_HYDRATOR))
    for name, known in _HYDRATOR.items():
        found += _unknown(("spec", "sourceHydrator", name), at(hydrator, name), known)
    for path, source in sources:
        found += _unknown(path, source, _SOURCE) if "drySource" not in path else []
        for tool, known in _TOOLS.items():
            found += _unknown((*path, tool), source.get(tool), known)
    return tuple(dict.fromkeys(found))


def _unknown(here: Path, value: Any, known: frozenset[str]) -> Iterator[Path]:
    if isinstance(value, Mapping):
        yield from ((*here, name) for name in value if name not in known)
