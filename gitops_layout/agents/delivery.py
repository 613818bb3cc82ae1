"""A Delivery: what every agent's object means. Principle rules speak of Deliveries, never of one agent's kinds."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.passwords import cleaned, without_passwords
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitops_layout.agents.artifacts import Folders
    from gitops_layout.model import Location, Path

__all__ = [
    "BARE",
    "Agent",
    "Assembled",
    "Copied",
    "Delivery",
    "OfFolders",
    "Renderer",
    "Revision",
    "Source",
    "SyncPolicy",
]

Agent = Literal["flux", "argocd", "kustomize", "plain", "helm"]
BARE = frozenset({"kustomize", "plain", "helm"})
"""What stands for an agent where no agent's object speaks of a kustomization, a folder of manifests or a chart."""

Renderer = Literal["kustomize", "directory", "chart", "template", "none"]
"""How a delivery's path becomes objects; `chart` is Helm, a `template` stands in the agent object itself (a
ResourceSet), `none` means there is nothing to render."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What a source is asked for: `name` is the branch, tag, range, commit or digest as written.

    `filter` is the Go expression that tags must match before the range chooses among them, `layer` the media type of
    the layer that is taken (Flux's `semverFilter` and `layerSelector`).
    """

    kind: Literal["branch", "tag", "semver", "commit", "digest", "version", "default"]
    name: str
    filter: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a delivery comes from.

    `url` is as written, but for a password (None for this tree without an agent object), and `login` the same with it; `path` is relative to the
    repository's root, normalised, "" for the root, None where there is none (a chart). `local` says
    that the source is this very repository. `chart` names a Helm chart instead of a path. `defined`
    is the object that defines the source, where another one does (Flux). `foreign` says why a source
    that is not local cannot be read here. `stated` is where a chart's version is written, where the agent object only refers
    to what names it. `ignore` and `sparse` are what Flux's artifact of it leaves out
    (`spec.ignore`), and what it is limited to (`sparseCheckout`). `assembled` is how Flux puts an artifact together where
    it is no repository's: then `path` is the folder here that fills the one which is delivered, if one does. `top` is the
    folder of this repository that is all that the source holds, "" for a whole repository.
    """

    url: str | None
    revision: Revision | None
    path: str | None = None
    chart: str | None = None
    local: bool = False
    defined: Location | None = None
    stated: Location | None = None
    foreign: str | None = None
    ignore: str | None = None
    sparse: tuple[str, ...] = ()
    assembled: Assembled | None = None
    login: str | None = None
    top: str = ""

    def __post_init__(self) -> None:
        bare = without_passwords(self.url or "")
        if bare != (self.url or ""):
            object.__setattr__(self, "login", self.url)
            object.__setattr__(self, "url", bare)
        cleaned(self, "foreign")

    @property
    def address(self) -> str | None:
        """The URL as it is written, to ask the source by: never to be shown."""
        return self.login or self.url


@dataclass(frozen=True, slots=True)
class Copied:
    """Files of a source that fit `pattern`, put to `target` of an artifact: the fields of an ArtifactGenerator's copy."""

    source: Source
    pattern: str
    target: str
    exclude: tuple[str, ...]
    strategy: str
    location: Location


@dataclass(frozen=True, slots=True)
class Assembled:
    """An artifact made of files of sources, a copy after the other, and the `folder` in it that is delivered (None:
    what the agent names is no folder). With `chosen`, captures are still to be filled into the copies.
    """

    copies: tuple[Copied, ...]
    folder: str | None
    chosen: OfFolders | None = None


@dataclass(frozen=True, slots=True)
class OfFolders:
    """The artifact called `name` of those that a `pathPattern` makes of a source's `folders`."""

    source: Source
    folders: Folders
    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """When the agent acts. None where the agent has no such notion; intervals as written (`10m`)."""

    automated: bool = True
    prune: bool | None = None
    self_heal: bool | None = None
    wait: bool | None = None
    suspended: bool = False
    interval: str | None = None
    retry: bool | None = None
    options: tuple[str, ...] = ()
    """Argo CD's `syncOptions`, as written."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One agent object's meaning.

    `id` is `<agent>:<Kind>/<namespace>/<name>@<cluster>`. `root` is the agent object's own place, and
    `places` its fields by the names used here (`path`, `url`, `revision`, `chart`, `prune`,
    `self_heal`, `automated`, `suspended`, `interval`, `source`, `project`); a field that is absent
    from the object has no place. `options` are the steps after the build, by the agent's own field
    names. `object` is the agent object itself, plain data; kustomizations, folders and charts that no agent names have none.
    `notes` are fields that were not understood, never ignored in silence. `live` says that an agent
    reaches it. `agent_cluster` is the agent object's own cluster where it delivers to another one. `origin`
    tells where each value of a rendered `object` was written. `parts` are the sources of an object with
    several, each as a delivery that brings what that source alone does; none otherwise.
    """

    id: str
    agent: Agent
    kind: str
    namespace: str
    name: str
    cluster: str
    environment: str | None
    tier: Literal["prod", "nonprod"]
    source: Source
    renderer: Renderer
    sync: SyncPolicy
    root: Location
    places: Mapping[str, Location] = field(default_factory=dict)
    target_namespace: str | None = None
    project: str | None = None
    depends_on: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    object: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Path, ...] = ()
    live: bool = True
    parts: tuple[Delivery, ...] = ()
    origin: Callable[[Path], Location] | None = field(default=None, compare=False, repr=False)
    agent_cluster: str | None = None

    @property
    def home(self) -> str:
        """The cluster where the agent object lives, and what it refers to."""
        return self.cluster if self.agent_cluster is None else self.agent_cluster

    @property
    def created_namespace(self) -> str | None:
        """The namespace that the agent itself creates for what it delivers, if it is asked to."""
        match self.object:
            case {"spec": {"install": {"createNamespace": True}}}:
                return self.target_namespace or self.namespace
        return self.target_namespace if "CreateNamespace=true" in self.sync.options else None

    def place(self, *names: str) -> Location:
        """The first of the named fields that the object has, else the object itself."""
        found = next((self.places[name] for name in names if name in self.places), self.root)
        if found.span is None or found is self.root:
            return found
        return self.origin(found.path[len(self.root.path) :]) if self.origin is not None else self.root

    def standing(self, *path: str | int) -> Location:
        """Where the agent object's value at `path` was written, as the render that made the object knows it."""
        return self.origin(path) if self.origin is not None else self.root.at(*path)
