"""The fields of an Application that are understood; every other one is listed (argo-cd v3.6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.argocd.sources import listed
from gitops_layout.fields import at
from gitops_layout.model import Path

__all__ = ["mistyped", "notes"]

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
_SYNC_PARTS = (("syncPolicy", "automated"), ("syncPolicy", "retry"))
_HYDRATOR = {
    "drySource": _SOURCE - {"chart", "name", "ref", "tagPrefix"},
    "syncSource": frozenset("path repoURL targetBranch".split()),
    "hydrateTo": frozenset(("targetBranch",)),
}


_TYPES: dict[type, tuple[str, frozenset[str]]] = {
    bool: (
        "a boolean",
        frozenset(
            "allowEmpty enabled forceCommonAnnotations forceCommonLabels ignoreMissingComponents ignoreMissingValueFiles"
            " labelIncludeTemplates labelWithoutSelector commonAnnotationsEnvsubst passCredentials prune recurse refresh"
            " selfHeal skipCrds skipSchemaValidation skipTests disableExtensionFilter".split()
        ),
    ),
    int: ("a whole number", frozenset(("limit", "revisionHistoryLimit"))),
    str: (
        "a text",
        frozenset(
            "chart exclude include namePrefix nameSuffix path project ref releaseName repoURL server targetRevision"
            " values".split()
        ),
    ),
    list: ("a list", frozenset("components parameters sources syncOptions valueFiles".split())),
    dict: (
        "a mapping",
        frozenset("automated backoff destination directory helm kustomize retry source syncPolicy".split()),
    ),
}
"""Of the fields above the type that Argo CD's decoder insists on, where a name has one and the same wherever it is."""


def mistyped(spec: Any) -> tuple[str, str] | None:
    """The first field of an Application's spec that Argo CD cannot decode, and what it has to be."""
    rows = [spec, *(source for _, source in listed(spec))]
    rows += [at(row, name) for row in rows[1:] for name in _TOOLS]
    rows += [at(spec, "destination"), *(at(spec, *path) for path in (("syncPolicy",), *_SYNC_PARTS))]
    return next(filter(None, map(_mistyped, rows)), None)


def _mistyped(row: Any) -> tuple[str, str] | None:
    for name, value in row.items() if isinstance(row, Mapping) else ():
        for kind, (words, names) in _TYPES.items():
            wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
            if name in names and value is not None and wrong:
                return name, words
    return None


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
