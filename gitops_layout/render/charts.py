"""Chart deliveries → Rendered: the release that each agent asks helm for, and what it does with the output.

Owner labels that the agents put on every object are left out, as they are for other deliveries. Hooks are
objects like others: their `helm.sh/hook` annotation says what they are, and both agents run them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path as FilePath
from posixpath import basename
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.helm.brought import files_of
from gitops_layout.helm.chart import Chart, Fetched, Problem, nothing_fetched, walk, without_absent
from gitops_layout.helm.find import Helm, Library, NoHelm, find
from gitops_layout.helm.guess import guessed, is_certain
from gitops_layout.helm.kept import Store
from gitops_layout.helm.origins import Origins, Writers, Written, last_written
from gitops_layout.helm.template import Release, Templated, template
from gitops_layout.helm.valuefiles import Refs
from gitops_layout.k8s.scope import is_crd
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.render.lookup import Lookup, nothing
from gitops_layout.render.postrender import PostRendered, post_rendered
from gitops_layout.render.releases import Wanted, argocd_release, flux_release
from gitops_layout.render.rendered import Made, Rendered
from gitops_layout.render.steps import finished
from gitops_layout.repo.model import Repo, UnreadableError, broken, is_yaml
from gitops_layout.system import in_parallel

__all__ = ["Charts"]

_HOOK = "helm.sh/hook"
_NEVER = {
    "argocd": {"test", "test-success", "test-failure", "pre-rollback", "post-rollback"},
    "flux": {"test", "test-success", "test-failure"},
    "helm": {"test", "test-success", "test-failure"},
}
"""Hooks that an agent leaves out of what it delivers; Flux runs tests where `spec.test.enable` says so."""


_VARIABLE = regexp(r"\$\{\w.*\}")


_OWN = frozenset({"Chart.yaml", "requirements.yaml", "values.yaml"})


def _is_part(place: str) -> bool:
    folders = place.split("/")[:-1]
    return not is_yaml(place) or basename(place) in _OWN or "templates" in folders or "crds" in folders


def _under_templates(file: str) -> bool:
    return "templates" in file.split("/")


def _alone(_delivery: Delivery) -> Refs:
    return {}


class Charts:
    """Renders the deliveries of one repository that are charts; each chart is collected once.

    `fetched` finds a chart that lies outside, where it was brought.
    """

    def __init__(
        self,
        repo: Repo,
        *,
        fetched: Fetched = nothing_fetched,
        kubernetes: str | None = None,
        refs: Callable[[Delivery], Refs] = _alone,
        kept: Store | None = None,
        exact: bool = False,
    ) -> None:
        """`kubernetes` is the clusters' version, where somebody said so (`1.36`); `refs` finds the other sources of an
        Application, which may hold its values. `kept` is what helm said in earlier runs. With `exact`, real kustomize
        post-renders.
        """
        self.repo = repo
        self.refs = refs
        self.kubernetes = kubernetes
        self.fetched = fetched
        self.kept = kept
        self.exact = exact
        self._charts: dict[str, Chart] = {}
        self._contents: dict[FilePath, Repo] = {}
        self._uses: dict[str, frozenset[str]] = {}

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup) -> Mapping[str, Rendered]:
        """Each delivery's objects, by its id, as many at a time as there are processors."""
        if not deliveries:
            return {}
        helm = find()
        done = in_parallel(lambda delivery: self._tried(delivery, helm, lookup), deliveries)
        return {rendered.delivery: rendered for rendered in done}

    @cached_property
    def served(self) -> tuple[str, ...]:
        """The APIs that the repository's own CRDs bring, as flags: beside Kubernetes' own the cluster has them."""
        versions = (
            (spec.get("group"), at(version, "name"), at(spec, "names", "kind"))
            for resource in self.repo.resources
            if is_crd(resource.data) and isinstance(spec := resource.data.get("spec"), dict)
            for version in _listed(spec.get("versions"))
            if at(version, "served") is True
        )
        found = {name for g, v, k in versions for name in (f"{g}/{v}", f"{g}/{v}/{k}") if "," not in name}
        return tuple(f"--api-versions={name}" for name in sorted(found))

    def reads(self, delivery: Delivery) -> frozenset[str]:
        """The files that a delivery's release reads, found without rendering."""
        chart = self._chart(delivery)
        if isinstance(chart, Unchecked):
            return self.values(delivery) & self.repo.entries.keys()
        wanted = self._wanted(delivery, nothing)
        files = wanted.files if isinstance(wanted, Wanted) else frozenset()
        return files & self.repo.entries.keys() | self._used(chart)

    def _used(self, chart: Chart) -> frozenset[str]:
        """The repository's files that a chart is made of. Manifests that merely lie beside it are no part of it,
        unless a template asks for `.Files`.
        """
        if chart.folder not in self._uses:
            files = {place: file for place, file in chart.files.items() if file in self.repo.entries}
            made = {place: file for place, file in files.items() if _is_part(place)}
            asks = any(
                b".Files" in self.repo.content(file) for file in made.values() if _under_templates(file)
            )
            self._uses[chart.folder] = frozenset((files if asks else made).values())
        return self._uses[chart.folder]

    def values(self, delivery: Delivery) -> frozenset[str]:
        """The files that give a release values, as far as they are here, whether or not its chart is."""
        wanted = self._wanted(delivery, nothing)
        return wanted.files if isinstance(wanted, Wanted) else frozenset()

    def _wanted(self, delivery: Delivery, lookup: Lookup) -> Wanted | Problem:
        if delivery.agent == "flux":
            return flux_release(self.repo, delivery, lookup, partial(self._brought, delivery))
        if delivery.agent == "helm":
            name = basename(delivery.source.path or "") or "chart"
            return Wanted(Release(name, name, guess=True))
        return argocd_release(self.repo, delivery, self.refs(delivery), partial(self._brought, delivery))

    def _brought(self, delivery: Delivery) -> Repo | None:
        """The files of a chart from outside, where it was brought."""
        chart = self._chart(delivery)
        if isinstance(chart, Unchecked) or chart.own is None:
            return None
        if chart.own not in self._contents:
            self._contents[chart.own] = files_of(chart.own)
        return self._contents[chart.own]

    def _chart(self, delivery: Delivery) -> Chart | Unchecked:
        source = delivery.source
        if source.chart is None:
            folder = self.repo.resolve(source.path or "")
            folder = source.path or "" if folder is None else folder
            if folder not in self._charts:
                self._charts[folder] = walk(self.repo, folder, fetched=self.fetched)
            return self._charts[folder]
        revision = source.revision
        asked = (revision.name, revision.filter) if revision is not None else ("", "")
        brought = self.fetched(source.url, source.chart, *asked) if source.url else None
        if brought is not None:
            return Chart("", {}, {}, (), (), brought)
        why = f"chart not fetched: {source.chart} of {source.url}"
        if source.url is None:
            why = f"chart {source.chart} is not told where from: {source.foreign or 'its source has no URL'}"
        return Unchecked(
            f"delivery {delivery.id}",
            UncheckedClass.EXTERNAL,
            why,
            delivery.place("chart", "path", "reference"),
            ("chart", source.chart),
            delivery.id,
        )

    def _tried(self, delivery: Delivery, helm: Helm | Library | NoHelm, lookup: Lookup) -> Rendered:
        try:
            return self._render(delivery, helm, lookup)
        except UnreadableError as error:
            return Rendered(
                delivery.id,
                failure=broken(f"delivery {delivery.id}", f"{error.path}: {error.why}", Location(error.path)),
            )

    def _render(self, delivery: Delivery, helm: Helm | Library | NoHelm, lookup: Lookup) -> Rendered:
        what, chart = f"delivery {delivery.id}", self._chart(delivery)
        if isinstance(chart, Unchecked):
            return Rendered(delivery.id, files=self.values(delivery), failure=chart)
        files = self._used(chart)
        wanted = self._wanted(delivery, lookup)
        if isinstance(wanted, Wanted):
            files |= wanted.files
        reduced = without_absent(self.repo, chart) if chart.problems else chart
        if reduced is None or isinstance(wanted, Problem) or isinstance(helm, NoHelm):
            first = chart.problems[0] if reduced is None else wanted
            why = first if isinstance(first, Problem) else _without_helm(delivery, helm)  # type: ignore[arg-type]
            return Rendered(delivery.id, files=files, failure=why.unchecked(what, delivery.id))
        if delivery.agent == "helm":
            result, problem = guessed(
                helm,
                self.repo,
                reduced,
                wanted.release,
                flags=self._flags(wanted.release),
                kept=self.kept,
                whole=reduced is chart,
            )
        else:
            release = replace(wanted.release, flags=self._flags(wanted.release))
            result, problem = template(helm, self.repo, reduced, release, self.kept), None
            if result.problem is not None and (
                reduced is chart or is_certain(result.problem.why, whole=False)
            ):
                written = self._written(chart, wanted)
                problem = _blamed(delivery, result.problem, result, wanted, written)
        problem = problem or next(iter(chart.problems), None)
        failure = problem.unchecked(what, delivery.id) if problem is not None else None
        if result.problem is not None:
            return Rendered(delivery.id, files=files, failure=failure)
        made = self._finished(delivery, chart, wanted, result, files, lookup)
        return replace(made, failure=made.failure or failure)

    def _flags(self, release: Release) -> tuple[str, ...]:
        """What helm is told of the cluster, where the agent's object does not say it."""
        flags = release.flags
        if not any(flag.startswith("--api-versions") for flag in flags):
            flags += self.served
        if self.kubernetes and not any(flag.startswith("--kube-version") for flag in flags):
            flags += (f"--kube-version={self.kubernetes}",)
        return flags

    def _finished(
        self,
        delivery: Delivery,
        chart: Chart,
        wanted: Wanted,
        result: Templated,
        files: frozenset[str],
        lookup: Lookup,
    ) -> Rendered:
        objects, here = result.objects, delivery.place("chart", "path", "reference")
        origins = Origins(self.repo, chart, self._written(chart, wanted), here, objects, result.again)
        delivered = (
            Made(item.data, partial(_last, writers), partial(_before, writers))
            for item, writers in zip(objects, origins, strict=True)
        )
        built = PostRendered(tuple(item for item in delivered if _delivers(delivery, item.data)))
        if delivery.agent == "flux":
            built = post_rendered(
                self.repo, delivery, built.objects, wanted.release.namespace, exact=self.exact
            )
        if built.problem is not None:
            failure = built.problem.unchecked(f"delivery {delivery.id}", delivery.id)
            return Rendered(delivery.id, files=files, failure=failure)
        rendered = finished(delivery, built.objects, files, lookup)
        places = zip(objects, origins, strict=True)
        doubled = tuple((path, _last(writers, path)) for item, writers in places for path in item.doubled)
        return replace(rendered, unseen=(*rendered.unseen, *wanted.unseen), doubled=doubled)

    def _written(self, chart: Chart, wanted: Wanted) -> tuple[Written, ...]:
        """Everything that gives the release values: the charts' defaults, then what the agent adds."""
        defaults = []
        for source in chart.sources:
            file = self.repo.resolve(f"{source.place}/values.yaml".lstrip("/"))
            replaced = wanted.release.defaults is not None and not source.values
            documents = self.repo.documents(file) if file is not None and not replaced else ()
            defaults += [Written(Location(doc.file), doc.data, source.values) for doc in documents[:1]]
        return (*defaults, *wanted.written)


def _last(writers: Writers, path: Path) -> Location:
    return writers(path)[0]


def _before(writers: Writers, path: Path) -> tuple[Location, ...]:
    return writers(path)[1:]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _without_helm(delivery: Delivery, helm: NoHelm) -> Problem:
    name = delivery.source.chart or delivery.source.path or "."
    why = f"chart {name} is not rendered: {helm.why}"
    return Problem(
        why, delivery.place("chart", "path", "reference"), UncheckedClass.EXTERNAL, ("chart", name)
    )


def _delivers(delivery: Delivery, data: Mapping[str, Any]) -> bool:
    """Whether the agent ever applies an object: not if it is only a hook that the agent leaves out."""
    hooks = at(data, "metadata", "annotations", _HOOK)
    if not isinstance(hooks, str):
        return True
    if delivery.agent == "flux" and at(delivery.object, "spec", "test", "enable") is True:
        return True
    return any(hook.strip() not in _NEVER.get(delivery.agent, ()) for hook in hooks.split(","))


def _open(value: Any) -> Iterator[str]:
    """The variables in the values of a HelmRelease that a substitution left, as what sets them cannot be seen."""
    match value:
        case {"spec": {"values": dict() as values}}:
            yield from _open(values)
        case dict():
            yield from (found for item in value.values() for found in _open(item))
        case list():
            yield from (found for item in value for found in _open(item))
        case str() if (found := _VARIABLE.fullmatch(value)) is not None:
            yield found[0]


def _blamed(
    delivery: Delivery, problem: Problem, result: Templated, wanted: Wanted, written: Sequence[Written]
) -> Problem:
    """The same problem at the values that caused it, where that can be told.

    A chart that fails without values which only the cluster has is not the repository's fault.
    """
    if wanted.unseen:
        missing = ", ".join(entry.what for entry in wanted.unseen)
        why = f"{problem.why} (rendered without {missing})"
        first = wanted.unseen[0]
        return Problem(why, first.location or delivery.root, UncheckedClass.EXTERNAL, first.subject)
    unset = next(_open(delivery.object), None) if delivery.agent == "flux" else None
    if unset is not None:
        why = f"{problem.why} (rendered with {unset}, which is set in the cluster)"
        return Problem(why, delivery.place("values", "chart", "path"), UncheckedClass.EXTERNAL)
    for path, _ in result.invalid:
        place = last_written(written, path)
        if place is not None:
            return replace(problem, location=place)
    if result.invalid:
        return replace(problem, location=delivery.place("values", "chart", "path"))
    return problem
