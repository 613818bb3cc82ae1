"""What the agents' modules need to know about the repository besides the object itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any, Literal

from gitops_layout.agents.artifacts import Artifact
from gitops_layout.model import PROD_NAMES, Location, Path, Tier, tier_by_name
from gitops_layout.repo.model import Repo, Resource

__all__ = [
    "Context",
    "Declared",
    "DeclaredCluster",
    "DeclaredEnvironment",
    "at",
    "cluster_of",
    "environment_of",
    "normal_url",
    "places",
    "text",
    "tier_of",
]

ENVIRONMENT_NAMES = PROD_NAMES | frozenset(
    {
        "dev", "develop", "development", "test", "testing", "qa", "uat", "int", "integration", "stage", "staging",
        "stg", "preprod", "pre-prod", "pre-production", "sandbox", "sbox", "nonprod", "non-prod", "non-production",
        "demo", "perf", "preview", "canary",
    }
)  # fmt: skip
# An application is called so as well: `prod/demo` is production.
_WEAK_NAMES = frozenset(
    {"demo", "perf", "preview", "canary", "int", "integration", "sandbox", "test", "testing"}
)
_NEGATIONS = frozenset({"non", "not", "pre"})
_ENVIRONMENT_FOLDERS = frozenset({"clusters", "cluster", "envs", "env", "environments", "overlays", "stages"})


@dataclass(frozen=True, slots=True)
class DeclaredEnvironment:
    """An environment that spec or config names, with the path globs that belong to it."""

    name: str
    tier: Tier
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredCluster:
    """A cluster that spec or config names: its environments, path globs and API server."""

    name: str
    environments: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    server: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What `gitops.yaml` or `.gitops-layout.yaml` says about the repository; all empty without them.

    `origin` is the file that says so (`spec` or `config`), `sources` are URLs of this repository,
    `external_agent` that agents in other repositories pull from here.
    """

    environments: tuple[DeclaredEnvironment, ...] = ()
    clusters: tuple[DeclaredCluster, ...] = ()
    sources: tuple[str, ...] = ()
    external_agent: bool = False
    origin: Literal["spec", "config"] | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The repository, what is declared about it, and what Flux finds in it: sources by (kind, namespace,
    name), and generated artifacts by (namespace, name).
    """

    repo: Repo
    declared: Declared = Declared()
    sources: Mapping[tuple[str, str, str], Sequence[Resource]] = field(default_factory=dict)
    artifacts: Mapping[tuple[str, str], Sequence[Artifact]] = field(default_factory=dict)
    own_urls: frozenset[str] = frozenset()

    def is_own(self, url: str) -> bool:
        """Whether `url` is a known URL of this repository."""
        return normal_url(url) in self.own_urls

    def source(self, kind: str, namespace: str, name: str, *, near: str) -> Resource | None:
        """The Flux source of that name; of several clusters' the one defined nearest to the file `near`."""
        found = self.sources.get((kind, namespace, name), ())
        return max(found, key=lambda resource: _shared(resource.file, near), default=None)

    def artifact(self, namespace: str, name: str, *, near: str) -> Artifact | None:
        """The generated artifact of that name, nearest to the file `near`."""
        found = self.artifacts.get((namespace, name), ())
        return max(found, key=lambda artifact: _shared(artifact.location.file, near), default=None)


def _shared(one: str, other: str) -> int:
    """How many folders two paths share from the root on."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next(
        (index for index, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/"))
    )


def at(data: Any, *path: str | int) -> Any:
    """The value at `path`, None where any step is missing or of another shape."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and -len(data) <= step < len(data):
            data = data[step]
        else:
            return None
    return data


def text(value: Any) -> str | None:
    """A string with something in it; None for everything else."""
    return value if isinstance(value, str) and value else None


def places(data: Any, root: Location, wanted: Mapping[str, Path]) -> dict[str, Location]:
    """The places of those of the `wanted` fields that the object has."""
    return {name: root.at(*path) for name, path in wanted.items() if at(data, *path) is not None}


def normal_url(url: str) -> str:
    """A repository URL without scheme, user, port, `.git` and case of the host: for comparing."""
    bare = url.strip().removesuffix("/").removesuffix(".git")
    bare = re.sub(r"^[a-z+]+://", "", bare)
    bare = re.sub(r"^[^/@]*@", "", bare)
    host, separator, path = bare.partition("/")
    if ":" in host:
        host, _, rest = host.partition(":")
        path = path if rest.isdigit() else f"{rest}{separator}{path}"
    return f"{host.lower()}/{path.strip('/').lower()}"


def tier_of(context: Context, environment: str | None) -> Tier:
    """An environment's tier: as declared, else by its name."""
    for declared in context.declared.environments:
        if declared.name == environment:
            return declared.tier
    return tier_by_name(environment or "")


def environment_of(context: Context, cluster: str, *paths: str | None) -> str | None:
    """The environment of a delivery: the first path that a declared glob matches or whose folders name one."""
    known = [path for path in paths if path]
    for path in known:
        for declared in context.declared.environments:
            if any(_matches(path, glob) for glob in declared.paths):
                return declared.name
    for declared_cluster in context.declared.clusters:
        if declared_cluster.name == cluster and len(declared_cluster.environments) == 1:
            return declared_cluster.environments[0]
    names = {declared.name for declared in context.declared.environments} or ENVIRONMENT_NAMES
    return next((name for path in (*known, cluster) if (name := _named(path, names))), None)


def _matches(path: str, glob: str) -> bool:
    return fnmatch(path, glob) or fnmatch(path, f"{glob.rstrip('/')}/*")


def _named(path: str, names: frozenset[str] | set[str]) -> str | None:
    """The environment that the folders name: the last one below `clusters/` and its like, where a part of the
    name will do, else the last folder that is called so, those first that no application is called.
    """
    parts = path.split("/")
    for parent, part in reversed(list(pairwise(parts))):
        if parent in _ENVIRONMENT_FOLDERS and (name := _in_words(part, names)) is not None:
            return name
    found = [part for part in reversed(parts) if part in names]
    return next((part for part in found if part not in _WEAK_NAMES), found[0] if found else None)


def _in_words(part: str, names: frozenset[str] | set[str]) -> str | None:
    """The name that a folder's name is, begins or ends with; `eu-non-prod` does not end with `prod`."""
    words = part.split("-")
    candidates = [part, "-".join(words[:2]), words[0], "-".join(words[-2:])]
    if len(words) == 1 or words[-2] not in _NEGATIONS:
        candidates.append(words[-1])
    return next((name for name in candidates if name in names), None)


def cluster_of(context: Context, file: str) -> str:
    """The cluster of a root object: declared by path, else the folder below `clusters/`, else its own folder."""
    for declared in context.declared.clusters:
        if any(_matches(file, glob) for glob in declared.paths):
            return declared.name
    parts = file.split("/")
    for index, part in enumerate(parts[:-2]):
        if part == "clusters":
            return parts[index + 1]
    return "/".join(parts[:-1])
