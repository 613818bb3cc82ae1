"""Delivery → Rendered: the build (kustomize or a plain folder), then the agent's own steps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.model import BuildClass, Closure, Kustomization, Problem, find
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Unchecked, UncheckedClass
from gitops_layout.render.artifact import LeavesOut, leaves_out
from gitops_layout.render.directory import directory, directory_files
from gitops_layout.render.finish import Wanted, finish
from gitops_layout.render.overrides import generated, overridden
from gitops_layout.render.parts import joined, sources
from gitops_layout.render.rendered import Rendered
from gitops_layout.render.steps import Lookup, nothing
from gitops_layout.repo.model import MAX_BYTES, Repo, broken

if TYPE_CHECKING:
    import pathlib

    from gitops_layout.agents.argocd.settings import Settings
    from gitops_layout.kustomize.choose import Chosen
    from gitops_layout.kustomize.fast import Bases
    from gitops_layout.render.charts import Charts
    from gitops_layout.render.checkouts import Checkout
    from gitops_layout.store.fetched import Fetched

__all__ = ["Renders"]

_LOCK = ".gitops-layout/fetch.lock.yaml"
"""Named here too, so that only repositories which have one pay for importing the store."""


class Renders:
    """Renders deliveries of one repository; equal builds are done once, however many deliveries share them."""

    def __init__(
        self,
        repo: Repo,
        *,
        fetched: Fetched | None = None,
        exact: bool = False,
        kubernetes: str | None = None,
        checkouts: Sequence[Checkout] = (),
    ) -> None:
        """`fetched` is what lies outside; by default what the repository's own lock names. `checkouts` are other
        repositories on this machine, which come before that. With `exact`, real kustomize builds everything.
        """
        self._checkouts = checkouts
        self.repo = repo
        self._exact = exact
        self._kubernetes = kubernetes
        self._bases: Bases | None = None
        self._built: dict[str, Chosen] = {}
        self._closures: dict[str, tuple[Closure, Mapping[str, bytes]]] = {}
        self._fetched = fetched or _fetched(repo)
        self._abroad: dict[pathlib.Path, Renders] = {}
        self._strictness: Callable[[Delivery], bool] | None = None
        self._artifacts: dict[tuple[str | None, tuple[str, ...]], tuple[LeavesOut, Renders | None]] = {}
        self._whole = True

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup = nothing) -> Mapping[str, Rendered]:
        """Each delivery's objects, by its id; a delivery that cannot be rendered says why.

        `lookup` finds what other deliveries bring to the same cluster.
        """
        single = [part for delivery in deliveries for part in sources(delivery)]
        done = self._each(single, lookup)
        return {
            delivery.id: joined(delivery, [done[part.id] for part in sources(delivery)])
            for delivery in deliveries
        }

    def _each(self, deliveries: Sequence[Delivery], lookup: Lookup) -> Mapping[str, Rendered]:
        """The objects of deliveries that have one source."""
        done: dict[str, Rendered] = {}
        wanted: list[Wanted] = []
        charts: list[Delivery] = []
        partial: list[Delivery] = []
        for delivery in deliveries:
            failure = _cannot(delivery) or _no_checkout(self.repo, delivery)
            if failure is not None:
                foreign = self._foreign(delivery, lookup)
                done[delivery.id] = foreign or Rendered(delivery.id, failure=failure)
            elif delivery.renderer == "directory":
                done[delivery.id] = directory(self.repo, delivery, lookup)
            elif delivery.renderer == "template":
                done[delivery.id] = _from_template(delivery, lookup)
            elif delivery.renderer == "chart":
                left = delivery.source.local and self._left_out(delivery, self._charts.reads(delivery))
                (partial if left else charts).append(delivery)
            else:
                item = self._want(delivery)
                if self._left_out(delivery, item.build.closure.files):
                    partial.append(delivery)
                else:
                    wanted.append(item)
        for delivery in partial:
            done[delivery.id] = self._from_artifact(delivery, lookup)
        wanted = self._inflated(wanted)
        if charts:
            done |= self._charts(charts, lookup)
        missing = {item.key: item.build for item in wanted if item.key not in self._built}
        if missing:
            self._built |= self._build(missing)
        for item in wanted:
            done[item.delivery.id] = finish(self.repo, item, self._built[item.key], lookup, self._strict)
        return done

    def _strict(self, delivery: Delivery) -> bool:
        """Whether Flux is strict about variables; only a delivery that has some asks."""
        if self._strictness is None:
            from gitops_layout.render.variables import Strictness

            self._strictness = Strictness(self.repo)
        return self._strictness(delivery)

    def _build(self, missing: Mapping[str, Build]) -> Mapping[str, Chosen]:
        # Imported when the first kustomization is met: linting one file must not wait for the builder.
        from gitops_layout.kustomize.choose import build_all
        from gitops_layout.kustomize.fast import Bases

        self._bases = self._bases or Bases(self.repo)
        return build_all(self.repo, missing, only_exact=self._exact, bases=self._bases)

    @cached_property
    def _charts(self) -> Charts:
        from gitops_layout.render.charts import Charts

        if self._fetched is None:
            return Charts(self.repo, kubernetes=self._kubernetes)
        return Charts(self.repo, fetched=self._fetched.chart, kubernetes=self._kubernetes)

    def reads(self, delivery: Delivery) -> frozenset[str]:
        """The files that a delivery's build reads, found without building."""
        return frozenset().union(*(self._reads(part) for part in sources(delivery)))

    def _reads(self, delivery: Delivery) -> frozenset[str]:
        if _cannot(delivery) is not None:
            return frozenset()
        if delivery.renderer == "template":
            return frozenset()
        if delivery.renderer == "directory":
            return frozenset(delivery.options.get("files") or directory_files(self.repo, delivery))
        if delivery.renderer == "chart":
            read = self._charts.reads(delivery)
        else:
            read = self._want(delivery).build.closure.files & self.repo.entries.keys()
        local = delivery.source.local
        return self._artifact(delivery).reads(delivery) if local and self._left_out(delivery, read) else read

    def _left_out(self, delivery: Delivery, read: AbstractSet[str]) -> list[tuple[str, str]]:
        """The files of those that its build reads here which Flux's artifact of the source lacks, each with why."""
        if delivery.agent != "flux" or not self._whole:
            return []
        leaves = self._leaves_out(delivery)[0]
        files = sorted(read & self.repo.entries.keys())
        return [(file, why) for file in files if (why := leaves(file)) is not None]

    def _leaves_out(self, delivery: Delivery) -> tuple[LeavesOut, Renders | None]:
        key = delivery.source.ignore, delivery.source.sparse
        if key not in self._artifacts:
            self._artifacts[key] = leaves_out(self.repo, ignore=key[0], sparse=key[1]), None
        return self._artifacts[key]

    def _artifact(self, delivery: Delivery) -> Renders:
        """The same over the tree that the artifact of the delivery's source holds."""
        leaves, there = self._leaves_out(delivery)
        if there is None:
            kept = self.repo.without({file for file in self.repo.entries if leaves(file) is not None})
            there = Renders(kept, fetched=self._fetched, exact=self._exact, kubernetes=self._kubernetes)
            there._whole, there._strictness = False, self._strict
            self._artifacts[delivery.source.ignore, delivery.source.sparse] = leaves, there
        return there

    def _from_artifact(self, delivery: Delivery, lookup: Lookup) -> Rendered:
        """A delivery that reads less than there is here; where it fails for that, the failure says so."""
        rendered = self._artifact(delivery)([delivery], lookup)[delivery.id]
        if rendered.failure is None:
            return rendered
        read = self._charts.reads(delivery) if delivery.renderer == "chart" else None
        lost = self._left_out(delivery, self._want(delivery).build.closure.files if read is None else read)
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        why = f"{rendered.failure.why}; {lost[0][0]}{more} is here, but not in Flux's artifact: {lost[0][1]}"
        return replace(rendered, failure=replace(rendered.failure, why=why))

    def _want(self, delivery: Delivery) -> Wanted:
        repo = self.repo
        folder = repo.resolve(delivery.source.path or "")
        folder = delivery.source.path or "" if folder is None else folder
        own, overrides = find(repo, folder), {}
        if own is None and delivery.agent == "flux" and folder in repo.folders:
            own = generated(repo, folder)
            overrides[own.file] = json.dumps(own.data, ensure_ascii=False).encode()
        if isinstance(own, Kustomization) and delivery.options:
            changed = overridden(repo, delivery, own)
            if isinstance(changed, Problem):
                refused = replace(self._walk(folder, {})[0], problems=(changed,))
                return Wanted(delivery, Build(refused), delivery.id)
            if changed is not None:
                overrides[own.file] = changed
        key = f"{folder}\0{sorted(overrides.items())!r}"
        if key not in self._closures:
            self._closures[key] = self._walk(folder, overrides)
        closure, files = self._closures[key]
        restricted = delivery.agent == "argocd"
        build = Build(closure, restricted, tuple(sorted(files.items())))
        return Wanted(delivery, build, f"{key}\0{restricted}")

    def _inflated(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """The same builds with the charts rendered that their kustomizations list; Flux renders none of these."""
        with_charts = [
            item
            for item in wanted
            if item.delivery.agent != "flux"
            and any(problem.kind is BuildClass.HELM for problem in item.build.closure.problems)
        ]
        if not with_charts:
            return list(wanted)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            done = dict(zip(map(id, with_charts), pool.map(self._inflate, with_charts), strict=True))
        return [done.get(id(item), item) for item in wanted]

    def _inflate(self, wanted: Wanted) -> Wanted:
        from gitops_layout.render.inflate import inflate

        closure, files = wanted.build.closure, dict(wanted.build.overrides)
        told = self._settings if wanted.delivery.agent == "argocd" else None
        if told is not None and "--enable-helm" not in told.build_options:
            why = "kustomize.buildOptions of argocd-cm lacks --enable-helm, without which charts are refused"
            problem = Problem(BuildClass.OTHER, why, closure.problems[0].location)
            return replace(wanted, build=replace(wanted.build, closure=replace(closure, problems=(problem,))))
        flags = _helm_flags(wanted.delivery)
        done = inflate(
            self.repo.over(files) if files else self.repo,
            closure,
            fetched=self._charts.fetched,
            restricted=wanted.build.restricted,
            flags=flags or self._charts.served,
        )
        files |= done.files
        walked = walk(self.repo.over(files), closure.root)
        walked = replace(walked, files=walked.files | done.read, problems=(*done.problems, *walked.problems))
        build = replace(wanted.build, closure=walked, overrides=tuple(sorted(files.items())))
        return Wanted(wanted.delivery, build, f"{wanted.key}\0{flags}", done.places)

    @cached_property
    def _settings(self) -> Settings | None:
        """What the repository tells Argo CD, if it does."""
        from gitops_layout.agents.argocd.settings import settings

        return settings((resource.ref, resource.data) for resource in self.repo.resources)

    def _foreign(self, delivery: Delivery, lookup: Lookup) -> Rendered | None:
        """A delivery of another repository's tree, if that lies beside this one, or was fetched."""
        beside = self._beside(delivery)
        if beside is None and self._fetched is None:
            return None
        from gitops_layout.render.foreign import as_local, brought, placed

        if isinstance(beside, Unchecked):
            return Rendered(delivery.id, failure=beside)
        tree = beside or (brought(delivery, self._fetched) if self._fetched is not None else None)
        if tree is None:
            return None
        if tree not in self._abroad:
            there = Renders(
                _tree(tree, ours=beside is not None),
                fetched=self._fetched,
                exact=self._exact,
                kubernetes=self._kubernetes,
            )
            there._strictness = self._strict  # its Flux is the one of this repository
            self._abroad[tree] = there
        there = self._abroad[tree]
        rendered = there([as_local(delivery, there.repo)], lookup)[delivery.id]
        return placed(rendered, delivery)

    def _beside(self, delivery: Delivery) -> pathlib.Path | Unchecked | None:
        """The checkout of a delivery's source, or why the one that is named is not read."""
        source = delivery.source
        if not self._checkouts or source.local or source.url is None or source.chart is not None:
            return None
        from gitops_layout.render.checkouts import folder_of, matching

        checkout = matching(self._checkouts, source.url)
        if checkout is None or delivery.options.get("refs"):
            return None
        folder = folder_of(checkout, source.url) if checkout.allowed else None
        if folder is not None:
            return folder
        why = (
            f"the source is {source.url}, and its checkout {checkout.written} is not there"
            if checkout.allowed
            else f"the source is {source.url}; --checkouts reads {checkout.written}, which lies outside this repository"
        )
        external, subject = UncheckedClass.EXTERNAL, ("source", source.url)
        return Unchecked(
            f"delivery {delivery.id}", external, why, delivery.place("source", "url"), subject, delivery.id
        )

    def _walk(self, folder: str, overrides: Mapping[str, bytes]) -> tuple[Closure, Mapping[str, bytes]]:
        """What the build reads, and the files to write over: those of fetched bases among them."""
        view = self.repo.over(overrides) if overrides else self.repo
        closure = walk(view, folder)
        remote = any(problem.kind is BuildClass.REMOTE for problem in closure.problems)
        if self._fetched is None or not remote:
            return closure, overrides
        from gitops_layout.kustomize.mount import mount

        mounted = mount(view, closure, self._fetched.base)
        files = {**overrides, **mounted.files}
        closure = walk(self.repo.over(files), folder)
        return replace(closure, problems=(*mounted.problems, *closure.problems)), files


def _helm_flags(delivery: Delivery) -> tuple[str, ...]:
    """What an Application says about the cluster to charts in its kustomizations."""
    given = delivery.options.get("kustomize")
    options: Mapping[str, Any] = given if isinstance(given, dict) else {}
    version, listed = options.get("kubeVersion"), options.get("apiVersions")
    flags = [f"--kube-version={version}"] if isinstance(version, str) and version else []
    if isinstance(listed, list):
        flags += [f"--api-versions={item}" for item in listed if isinstance(item, str)]
    return tuple(flags)


def _tree(folder: pathlib.Path, *, ours: bool) -> Repo:
    """A checkout holds what git tracks there, an archive that we unpacked everything."""
    if ours:
        from gitops_layout.repo.load import from_work_tree

        return from_work_tree(folder)
    from gitops_layout.repo.unpacked import from_unpacked

    return from_unpacked(folder)


def _fetched(repo: Repo) -> Fetched | None:
    """What the repository's lock names; None without a lock. Raises UserError for one that cannot be read."""
    entry = repo.entries.get(_LOCK)
    if entry is None or entry.target is not None or entry.size > MAX_BYTES:
        return None
    from gitops_layout.store.fetched import fetched

    return fetched(repo.content(_LOCK), _LOCK)


def _from_template(delivery: Delivery, lookup: Lookup) -> Rendered:
    # The template engine is imported when the first one is met.
    from gitops_layout.render.resourcesets import resource_set

    return resource_set(delivery, lookup)


def _no_checkout(repo: Repo, delivery: Delivery) -> Unchecked | None:
    """Why Flux cannot check out the source at all: it wants every path of `sparseCheckout` to exist."""
    source = delivery.source
    lost = [path for path in source.sparse if repo.resolve(path) is None] if source.local else []
    if not lost:
        return None
    why = f"sparseCheckout of its source names {lost[0]}, which is not in the repository: Flux refuses the source"
    return broken(f"delivery {delivery.id}", why, source.defined)


def _cannot(delivery: Delivery) -> Unchecked | None:
    """Why a delivery is not even tried."""
    what, source = f"delivery {delivery.id}", delivery.source
    external = UncheckedClass.EXTERNAL
    if (refused := delivery.options.get("refused")) is not None:
        return broken(what, f"Argo CD refuses it: {refused[0]}", refused[1])
    if delivery.renderer == "chart" and source.chart is not None:
        return None  # it may have been fetched
    if not source.local:
        why = source.foreign or "its source is not this repository"
        subject = ("source", source.url) if source.url else None
        return Unchecked(what, external, why, delivery.place("source", "url"), subject, delivery.id)
    if source.path is not None and "${" in source.path:
        why = f"path {source.path} holds a variable"
        return Unchecked(what, external, why, delivery.place("path"), None, delivery.id)
    if delivery.renderer == "none":
        return Unchecked(
            what, external, "a config management plugin renders it", delivery.root, None, delivery.id
        )
    return None
