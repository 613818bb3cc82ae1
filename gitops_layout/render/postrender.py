"""What Flux does with helm's output: post-renderers, common metadata, and the release's namespace.

Facts: helm-controller v1.6.4, internal/postrender. Post-renderers see hooks as well, unless
`postRenderStrategy` is `nohooks` (Flux 2.8 and before).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.agents.fluxolder import is_older
from gitops_layout.fields import at
from gitops_layout.helm.chart import Problem
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.render.aligned import Aligned
from gitops_layout.render.overrides import post_rendering, told
from gitops_layout.render.rendered import Made
from gitops_layout.render.steps import with_metadata, with_namespace
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.kustomize.fast import Fast

__all__ = ["PostRendered", "post_rendered"]

_OWN, _OUTPUT = "kustomization.yaml", "output.json"
"""The files of a post-renderer's build: its options, and helm's output."""


@dataclass(frozen=True, slots=True)
class PostRendered:
    """The objects, or why a post-renderer failed."""

    objects: tuple[Made, ...] = ()
    problem: Problem | None = None


def post_rendered(
    repo: Repo, delivery: Delivery, objects: Sequence[Made], namespace: str, *, exact: bool = False
) -> PostRendered:
    """The objects of a release as helm-controller applies them; with `exact`, real kustomize post-renders."""
    spec = delivery.object.get("spec")
    kept: list[Made] = []
    if at(spec, "postRenderStrategy") == "nohooks":
        kept = [item for item in objects if _is_hook(item.data)]
        objects = [item for item in objects if not _is_hook(item.data)]
    renderers = at(spec, "postRenderers")
    for index, item in enumerate(renderers if isinstance(renderers, list) else ()):
        kustomize = at(item, "kustomize")
        if isinstance(kustomize, dict):
            where = partial(delivery.standing, "spec", "postRenderers", index, "kustomize")
            betas = is_older(str(delivery.object.get("apiVersion")))
            step = _Step(repo, tuple(objects), *post_rendering(kustomize, _OUTPUT, betas=betas), where)
            built = step.built(exact=exact)
            if built.problem is not None:
                return built
            objects = built.objects
    objects = [with_metadata(delivery, at(spec, "commonMetadata"), item) for item in objects]
    given = ("spec", "targetNamespace") if delivery.target_namespace else ("metadata", "namespace")
    here = delivery.standing(*given)
    return PostRendered(tuple(_in_namespace(item, namespace, here) for item in (*objects, *kept)))


def _is_hook(data: Mapping[str, Any]) -> bool:
    return at(data, "metadata", "annotations", "helm.sh/hook") is not None


@dataclass(frozen=True, slots=True)
class _Step:
    """One post-renderer: a build of its own whose resources are the objects `before` it. `written` says where among
    its options the fields of its `kustomization` stand, `where` gives the place of an option.
    """

    repo: Repo
    before: tuple[Made, ...]
    kustomization: Mapping[str, Any]
    written: Mapping[Path, Path]
    where: Callable[..., Location]

    def built(self, *, exact: bool) -> PostRendered:
        """The objects after it: each value has the writers that it had before, and those that wrote it now."""
        # Imported when there is something to build, like the fast builder everywhere.
        from gitops_layout.kustomize.choose import build_all

        output = {"apiVersion": "v1", "kind": "List", "items": [item.data for item in self.before]}
        view = from_files({_OWN: _json(self.kustomization), _OUTPUT: _json(output)})
        closure = walk(view, "")
        chosen = build_all(view, {"": Build(closure)}, only_exact=exact)[""]
        problem = chosen.built.problem
        if problem is not None:
            place = next(iter(self._places(problem.location)), self.where())
            return PostRendered(problem=Problem(f"post-renderer: {problem.why}", place))
        build: Fast | Aligned = chosen.origins or Aligned(view, closure, chosen.built.objects, Location(_OWN))
        return PostRendered(
            tuple(
                Made(
                    data,
                    partial(self._origin, build, index),
                    partial(self._earlier, build, index),
                    partial(self._approximate, build, index),
                )
                for index, data in enumerate(chosen.built.objects)
            )
        )

    def _origin(self, build: Fast | Aligned, index: int, path: Path) -> Location:
        return self._writers(build, index, path)[0]

    def _earlier(self, build: Fast | Aligned, index: int, path: Path) -> tuple[Location, ...]:
        return self._writers(build, index, path)[1:]

    def _writers(self, build: Fast | Aligned, index: int, path: Path) -> tuple[Location, ...]:
        found = (there for place in build.writers(index, path) for there in self._places(place))
        return tuple(dict.fromkeys(found)) or (self.where(),)

    def _places(self, place: Location) -> tuple[Location, ...]:
        """What a place of the build stands for: the writers of a value before, or an option."""
        match place:
            case Location(file="output.json", path=("items", int(number), *rest)):
                item, path = self.before[number], tuple(rest)
                return item.origin(path), *item.earlier(path)
        found = told(self.written, place.path) if place.file == _OWN else None
        return () if found is None else (_inside(self.repo, self.where(*found[0]).at(*found[1])),)

    def _approximate(self, build: Fast | Aligned, index: int, path: Path) -> bool:
        if isinstance(build, Aligned) and build.approximate(index, path):
            return True
        match build.writers(index, path)[0]:
            case Location(file="output.json", path=("items", int(number), *rest)):
                return self.before[number].approximate(tuple(rest))
        return False


_ESCAPED = regexp("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def _json(data: Mapping[str, Any]) -> str:
    """JSON as YAML readers take it: with few characters escaped, none of them in two halves."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, ensure_ascii=False))


def _inside(repo: Repo, where: Location) -> Location:
    from gitops_layout.kustomize.fast.inline import inside_text

    return inside_text(repo, where, known=True)


def _in_namespace(item: Made, namespace: str, where: Location) -> Made:
    """helm applies namespaced objects without a namespace to the release's."""
    data = item.data
    metadata = data.get("metadata")
    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return item
    if builtin_scope(group, str(data.get("kind"))) is not True:
        return item
    return with_namespace(item, namespace, where)
