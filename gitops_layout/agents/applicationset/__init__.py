"""ApplicationSets expanded offline, as Argo CD's controller does it (facts: argo-cd v3.6.1).

Pure: everything comes from the object and the World. Generators that need the network, and functions
that depend on chance or time, become problems that say so, never guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.agents.applicationset.generators import (
    KINDS,
    MAX_APPLICATIONS,
    SMALLER,
    Generators,
    flag,
    kinds_of,
)
from gitops_layout.agents.applicationset.model import (
    Cluster,
    Expansion,
    Generated,
    Hidden,
    Problem,
    ProblemKind,
    StopError,
    World,
)
from gitops_layout.agents.applicationset.params import Params
from gitops_layout.agents.applicationset.patching import differing, filled, patched
from gitops_layout.agents.applicationset.rendering import Renderer
from gitops_layout.agents.applicationset.secrets import cluster_of_secret
from gitops_layout.model import Path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MAX_APPLICATIONS",
    "WITHOUT_EFFECT",
    "Cluster",
    "Expansion",
    "Generated",
    "Hidden",
    "Problem",
    "ProblemKind",
    "World",
    "cluster_of_secret",
    "expand",
]

_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_UNDERSTOOD = frozenset(
    "goTemplate goTemplateOptions generators template templatePatch syncPolicy applyNestedSelectors".split()
)
WITHOUT_EFFECT = frozenset(
    ("spec", name) for name in ("ignoreApplicationDifferences", "preservedFields", "strategy")
)
"""Notes of an expansion that say how an existing Application is changed, and nothing about what it is."""

_POLICIES = ("create-only", "create-update", "create-delete", "sync")
_META = ("name", "namespace", "labels", "annotations", "finalizers")
_META_TYPES: dict[str, type] = {"name": str, "labels": dict, "annotations": dict, "finalizers": list}
_TYPE_NAMES = {"name": "string", "labels": "mapping", "annotations": "mapping", "finalizers": "list"}


def expand(data: dict[str, Any], world: World) -> Expansion:
    """The Applications that an ApplicationSet stands for, and what is wrong with it; raises nothing.

    `data` is the whole object. Applications come in the order of the generators; where Argo CD's own
    order is random (merge, clusters) ours is the document's and the alphabet's.
    """
    spec = data.get("spec")
    if not isinstance(spec, dict):
        return Expansion(problems=(Problem(ProblemKind.WRONG_TYPE, "spec is no mapping", ("spec",)),))
    renderer = Renderer(go=spec.get("goTemplate") is True)
    applications: list[Generated] = []
    policy, preserve = "sync", False
    try:
        policy, preserve = _sync_policy(spec)
        renderer = _engine(spec)
        applications = _Maker(data, spec, world, renderer, preserve).applications()
    except StopError as error:
        renderer.problems.setdefault(error.problem)
    except RecursionError:
        renderer.note(ProblemKind.LIMIT, "its values nest too deep", ("spec",))
    _check_names(applications, renderer)
    notes = tuple(("spec", name) for name in spec if name not in _UNDERSTOOD)
    return Expansion(tuple(applications), tuple(renderer.problems), notes, policy, preserve)


def _sync_policy(spec: dict[str, Any]) -> tuple[str, bool]:
    """What Argo CD may do to the Applications, and whether their resources survive them."""
    path: Path = ("spec", "syncPolicy")
    sync = spec.get("syncPolicy")
    if sync is None:
        return "sync", False
    if not isinstance(sync, dict):
        raise StopError(ProblemKind.WRONG_TYPE, "syncPolicy is no mapping", path)
    policy = sync.get("applicationsSync")
    if policy is not None and policy not in _POLICIES:
        why = f"applicationsSync is none of {', '.join(_POLICIES)}"
        raise StopError(ProblemKind.WRONG_TYPE, why, (*path, "applicationsSync"))
    preserve = flag(sync.get("preserveResourcesOnDeletion"), (*path, "preserveResourcesOnDeletion"))
    return policy or "sync", preserve


def _engine(spec: dict[str, Any]) -> Renderer:
    go, options = flag(spec.get("goTemplate"), ("spec", "goTemplate")), spec.get("goTemplateOptions")
    path: Path = ("spec", "goTemplateOptions")
    if options is None:
        options = []
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise StopError(ProblemKind.WRONG_TYPE, "goTemplateOptions is no list of strings", path)
    return Renderer.of(go, options, path)


class _Maker:
    """Makes the Applications of one ApplicationSet."""

    def __init__(
        self, data: dict[str, Any], spec: dict[str, Any], world: World, renderer: Renderer, preserve: bool
    ) -> None:
        metadata = data.get("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
        self.namespace = namespace if isinstance(namespace, str) else None
        self.renderer = renderer
        self.preserve = preserve
        self.generators = Generators(world, renderer)
        self.entries = spec.get("generators")
        self.template = _template(spec.get("template"), ("spec", "template"))
        self.patch = spec.get("templatePatch")
        if self.patch is not None and not isinstance(self.patch, str):
            raise StopError(ProblemKind.WRONG_TYPE, "templatePatch is no string", ("spec", "templatePatch"))

    def applications(self) -> list[Generated]:
        """All of them; a generator that stops leaves its problem behind and the others go on."""
        if not isinstance(self.entries, list):
            raise StopError(ProblemKind.WRONG_TYPE, "generators is no list", ("spec", "generators"))
        found: list[Generated] = []
        for index, entry in enumerate(self.entries):
            path: Path = ("spec", "generators", index)
            try:
                found += self._entry(entry, path, room=MAX_APPLICATIONS - len(found))
            except StopError as error:
                self.renderer.problems.setdefault(error.problem)
                if error.problem.kind is ProblemKind.LIMIT:
                    return []
        return found

    def _entry(self, entry: Any, path: Path, *, room: int) -> list[Generated]:
        if not isinstance(entry, dict):
            raise StopError(ProblemKind.WRONG_TYPE, "the generator is no mapping", path)
        unknown = [name for name in entry if name not in KINDS and name != "selector"]
        for name in unknown:
            self.renderer.note(
                ProblemKind.UNSUPPORTED, f"{name} is no generator that is known here", (*path, name)
            )
        found: list[Generated] = []
        for kind in kinds_of(entry):
            sets = self.generators.params(kind, entry, path, level=0)
            if len(found) + len(sets) > room:
                raise StopError(
                    ProblemKind.LIMIT, f"more than {MAX_APPLICATIONS} Applications: {SMALLER}", path
                )
            own = entry[kind].get("template")
            template = self.template
            if own is not None:
                template = filled(_template(own, (*path, kind, "template")), self.template)
            for params in sets:
                made, by_patch = self._application(template, params)
                found.append(Generated(made, (*path, kind), params, by_patch))
        return found

    def _application(
        self, template: dict[str, Any], params: Params
    ) -> tuple[dict[str, Any], frozenset[Path]]:
        """An Application, and which of its paths the patch wrote."""
        path: Path = ("spec", "template")
        metadata = {
            key: template["metadata"][key] for key in _META if template["metadata"].get(key) is not None
        }
        made = {"metadata": metadata, "spec": template["spec"]}
        if params:  # Argo CD leaves a template alone that no parameter is for
            made = {key: self.renderer.deep(made[key], params, (*path, key)) for key in ("metadata", "spec")}
            if not self.preserve and not made["metadata"].get("finalizers"):
                made["metadata"]["finalizers"] = [_FINALIZER]
        by_patch: frozenset[Path] = frozenset()
        if self.patch is not None:
            here: Path = ("spec", "templatePatch")
            before = made
            made = patched(made, self.renderer.text(self.patch, params, here), here)
            by_patch = frozenset(differing(before, made))
        made["metadata"] = {key: value for key, value in made["metadata"].items() if key != "namespace"}
        if self.namespace is not None:
            made["metadata"]["namespace"] = self.namespace
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **made}, by_patch


def _template(template: Any, path: Path) -> dict[str, Any]:
    """A template with its two mappings, whatever is missing empty."""
    if not isinstance(template, dict):
        raise StopError(ProblemKind.WRONG_TYPE, "the template is no mapping", path)
    for name in ("metadata", "spec"):
        if template.get(name) is not None and not isinstance(template[name], dict):
            raise StopError(ProblemKind.WRONG_TYPE, f"{name} is no mapping", (*path, name))
    metadata = template.get("metadata") or {}
    for name, kind in _META_TYPES.items():
        if metadata.get(name) is not None and not isinstance(metadata[name], kind):
            why = f"{name} is no {_TYPE_NAMES[name]}"
            raise StopError(ProblemKind.WRONG_TYPE, why, (*path, "metadata", name))
    return {"metadata": metadata, "spec": template.get("spec") or {}}


def _check_names(applications: list[Generated], renderer: Renderer) -> None:
    """Argo CD refuses nameless Applications, and all that share a name."""
    seen: dict[str, Generated] = {}
    for application in applications:
        name = application.data["metadata"].get("name")
        if not isinstance(name, str) or not name:
            renderer.note(ProblemKind.NO_NAME, "an Application gets no name", application.generator)
        elif name in seen:
            why = f"two parameter sets make an Application {name}: {_apart(seen[name].params, application.params)}"
            renderer.note(ProblemKind.COLLISION, why, application.generator)
        else:
            seen[name] = application


def _apart(one: Any, other: Any) -> str:
    """Two parameter sets by what tells them apart; by all they have where nothing does, or one has nothing else."""
    whole = [dict(_flat(params, "")) for params in (one, other)]
    same = {key for key, value in whole[0].items() if whole[1].get(key) == value}
    apart = [{key: value for key, value in each.items() if key not in same} for each in whole]
    return " and ".join(map(_shown, apart if all(apart) else whole))


def _flat(params: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if isinstance(value, str):
            yield f"{prefix}{key}", value
        elif isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")


def _shown(params: dict[str, str]) -> str:
    """A parameter set, short enough for a message."""
    text = ", ".join(f"{key}={value}" for key, value in params.items())
    return f"{{{text if len(text) <= 100 else f'{text[:99]}…'}}}"
