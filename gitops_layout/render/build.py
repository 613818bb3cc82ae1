"""Delivery → Rendered: the build (kustomize or a plain folder), then the agent's own steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.delivery import Copied, Delivery, OfFolders, Source
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.model import BuildClass, Problem
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Unchecked, UncheckedClass
from gitops_layout.render.abroad import Abroad
from gitops_layout.render.artifact import LeavesOut, leaves_out
from gitops_layout.render.directory import directory, directory_files
from gitops_layout.render.finish import Wanted, finish
from gitops_layout.render.lookup import Lookup, nothing
from gitops_layout.render.parts import joined, sources
from gitops_layout.render.rendered import Rendered
from gitops_layout.render.untried import cannot, no_checkout
from gitops_layout.render.wants import Wants
from gitops_layout.repo.model import MAX_BYTES, Repo
from gitops_layout.system import in_parallel

if TYPE_CHECKING:
    from gitops_layout.agents.argocd.settings import Settings
    from gitops_layout.helm.kept import Store
    from gitops_layout.helm.valuefiles import Refs
    from gitops_layout.kustomize.choose import Chosen
    from gitops_layout.kustomize.fast import Bases
    from gitops_layout.render.assemble import Tree
    from gitops_layout.render.assembly import Assembly
    from gitops_layout.render.charts import Charts
    from gitops_layout.render.checkouts import Checkout
    from gitops_layout.store.fetched import Fetched

__all__ = ["Renders"]

_TRIES = 6
"""So often a build is made anew without what it failed for."""

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
        kept: Store | None = None,
    ) -> None:
        """`kept` is what helm said in earlier runs. `fetched` is what lies outside; by default what the repository's own lock names. `checkouts` are other
        repositories on this machine, which come before that. With `exact`, real kustomize builds everything.
        """
        self.repo = repo
        self._exact = exact
        self._kubernetes = kubernetes
        self._kept = kept
        self._bases: Bases | None = None
        self._built: dict[str, Chosen] = {}
        self._parts: dict[str, Build | None] = {}
        self._faults: dict[str, Problem] = {}
        self._fetched = fetched or _fetched(repo)
        self._wants = Wants(repo, self._fetched.base if self._fetched is not None else None)
        self._abroad = Abroad(checkouts, self._fetched)
        self._others: dict[int, Renders] = {}  # by the identity of their trees
        self._strictness: Callable[[Delivery], bool] | None = None
        self._assemblies: dict[tuple[tuple[Copied, ...], OfFolders | None], Assembly | Unchecked] = {}
        self._artifacts: dict[tuple[str | None, tuple[str, ...], str], tuple[LeavesOut, Renders | None]] = {}
        self._whole = True
        self._home: Renders | None = None  # that of the repository which pulls this one

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
            if delivery.source.assembled is not None:
                done[delivery.id] = self._from_copies(delivery, lookup)
                continue
            failure = cannot(delivery) or no_checkout(self.repo, delivery)
            if failure is not None:
                foreign = self._foreign(delivery, lookup)
                here = self._charts.values(delivery) if delivery.options.get("refs") else frozenset()
                done[delivery.id] = foreign or Rendered(delivery.id, files=here, failure=failure)
            elif delivery.renderer == "directory":
                done[delivery.id] = directory(self.repo, delivery, lookup)
            elif delivery.renderer == "template":
                done[delivery.id] = _from_template(delivery, lookup)
            elif delivery.renderer == "chart":
                left = delivery.source.local and self._left_out(delivery, self._charts.reads(delivery))
                (partial if left else charts).append(delivery)
            else:
                item = self._wants(delivery)
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
            made = finish(self.repo, item, self._built[item.key], lookup, self._strict)
            done[item.delivery.id] = made if made.failure is None else self._partly(item, made, lookup)
        return done

    def _partly(self, wanted: Wanted, failed: Rendered, lookup: Lookup) -> Rendered:
        """The failure with the objects that the build would make without the entries that it fails for.

        Nobody applies them so: they are there to be judged. With `exact` there are none.
        """
        build = wanted.build
        if self._exact or failed.failure is None or failed.objects:
            return failed
        key = f"{wanted.key}\0partly"
        if key not in self._parts:
            self._parts[key] = self._part(build, key)
        part = self._parts[key]
        if part is None:
            return failed
        item = Wanted(wanted.delivery, part, key, wanted.places)
        rest = finish(self.repo, item, self._built[key], lookup, self._strict)
        if not rest.objects:
            return failed
        failure, unseen = failed.failure, rest.unseen
        fault = self._faults.get(key)
        if fault is not None and failure.kind is UncheckedClass.EXTERNAL:
            failure, unseen = fault.unchecked(failure.what, wanted.delivery.id), (failure, *unseen)
        return replace(failed, objects=rest.objects, failure=failure, unseen=unseen, unset=rest.unset)

    def _part(self, build: Build, key: str) -> Build | None:
        """The largest build that can be made of one that cannot; what it makes is put under `key`."""
        from gitops_layout.render.partly import holds, without

        problems = [*build.closure.problems]
        files = dict(build.overrides)
        for _ in range(_TRIES):
            if problems:
                changed = without(self.repo.over(files) if files else self.repo, build.closure, problems)
                if changed is None:
                    return None
                files |= changed
            closure = walk(self.repo.over(files), build.closure.root)
            problems = [*closure.problems]
            if not problems:
                build = replace(build, closure=closure, overrides=tuple(sorted(files.items())))
                done = self._build({key: build})[key]
                if done.built.problem is None:
                    self._built[key] = done
                    return build
                problems = [done.built.problem]
                if holds(self.repo, build.closure, done.built.problem):
                    self._faults.setdefault(key, done.built.problem)  # it would fail without the others, too
        return None

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

        options: dict[str, Any] = {
            "kubernetes": self._kubernetes,
            "refs": self.refs,
            "kept": self._kept,
            "exact": self._exact,
        }
        if self._fetched is None:
            return Charts(self.repo, **options)
        return Charts(self.repo, fetched=self._fetched.chart, **options)

    def refs(self, delivery: Delivery) -> Refs:
        """The other sources of an Application that its values may come from: of this repository its own files."""
        if self._home is not None:
            found = self._home.refs(delivery)
            return {n: replace(r, prefix=f"{n}/") if r.prefix == "" else r for n, r in found.items()}
        from gitops_layout.helm.valuefiles import Ref

        sources: Mapping[str, Source] = delivery.options.get("refs") or {}
        return {
            name: Ref(source.url or "", *self._ref(delivery, source), source.top)
            for name, source in sources.items()
        }

    def _ref(self, delivery: Delivery, source: Source) -> tuple[Repo | None, str | None]:
        if source.local:
            return self.repo, ""
        there = self._elsewhere(replace(delivery, source=source))
        return (there.repo if isinstance(there, Renders) else None), None

    def reads(self, delivery: Delivery) -> frozenset[str]:
        """The files that a delivery's build reads, found without building."""
        return frozenset().union(*(self._reads(part) for part in sources(delivery)))

    def _reads(self, delivery: Delivery) -> frozenset[str]:
        if delivery.source.assembled is not None:
            made = self._assembled(delivery)
            return frozenset() if isinstance(made, Unchecked) else made.reads(delivery)
        if cannot(delivery) is not None:
            return frozenset()
        if delivery.renderer == "template":
            return frozenset()
        if delivery.renderer == "directory":
            return frozenset(delivery.options.get("files") or directory_files(self.repo, delivery))
        if delivery.renderer == "chart":
            read = self._charts.reads(delivery)
        else:
            read = self._wants(delivery).build.closure.files & self.repo.entries.keys()
        local = delivery.source.local
        return (
            self.holding(delivery.source).reads(delivery)
            if local and self._left_out(delivery, read)
            else read
        )

    def _left_out(self, delivery: Delivery, read: AbstractSet[str]) -> list[tuple[str, str]]:
        """The files of those that its build reads here which Flux's artifact of the source lacks, each with why."""
        if delivery.agent != "flux" or not self._whole:
            return []
        leaves = self._leaves_out(delivery.source)[0]
        files = sorted(read & self.repo.entries.keys())
        return [(file, why) for file in files if (why := leaves(file)) is not None]

    def _leaves_out(self, source: Source) -> tuple[LeavesOut, Renders | None]:
        key = source.ignore, source.sparse, source.top
        if key not in self._artifacts:
            self._artifacts[key] = leaves_out(self.repo, ignore=key[0], sparse=key[1], top=key[2]), None
        return self._artifacts[key]

    def holding(self, source: Source) -> Renders:
        """The same over the tree that the artifact of a source holds."""
        leaves, there = self._leaves_out(source)
        if there is None:
            kept = self.repo.without({file for file in self.repo.entries if leaves(file) is not None})
            there = self._over(kept)
            self._artifacts[source.ignore, source.sparse, source.top] = leaves, there
        return there

    def _over(self, tree: Repo, *, home: Renders | None = None) -> Renders:
        """The same over an artifact's tree, or over that of another repository, which this one, `home`, pulls."""
        there = Renders(
            tree, fetched=self._fetched, exact=self._exact, kubernetes=self._kubernetes, kept=self._kept
        )
        there._strictness, there._home, there._whole = self._strict, home, home is not None
        return there

    def _from_copies(self, delivery: Delivery, lookup: Lookup) -> Rendered:
        """A delivery of an artifact that is put together from the files of other sources."""
        made = self._assembled(delivery)
        if isinstance(made, Unchecked):
            return Rendered(delivery.id, failure=made)
        return made.rendered(delivery, lookup)

    def _assembled(self, delivery: Delivery) -> Assembly | Unchecked:
        from gitops_layout.render.assembly import assembly

        assembled = delivery.source.assembled
        assert assembled is not None
        key = assembled.copies, assembled.chosen
        if key not in self._assemblies:
            self._assemblies[key] = assembly(delivery, self._tree_of, self._over)
        known = self._assemblies[key]
        return replace(known, what=f"delivery {delivery.id}") if isinstance(known, Unchecked) else known

    def _tree_of(self, delivery: Delivery, copy: Copied) -> Tree | Unchecked:
        """The files of a source that an artifact is made of, or why they are not here."""
        from gitops_layout.render.assemble import Tree

        pulled = replace(delivery, source=copy.source, renderer="kustomize", options={})
        if copy.source.assembled is not None:
            made = self._assembled(pulled)
            return made if isinstance(made, Unchecked) else made.tree
        if copy.source.local:
            whole = self.holding(copy.source).repo
            return no_checkout(self.repo, pulled) or Tree(whole, base=copy.source.top)
        there = self._elsewhere(pulled)
        if there is None or isinstance(there, Unchecked):
            missing = cannot(pulled)
            assert missing is not None
            return there or missing
        return Tree(
            there.holding(copy.source).repo, lambda _: copy.location.at("from"), lambda _: frozenset()
        )

    def _from_artifact(self, delivery: Delivery, lookup: Lookup) -> Rendered:
        """A delivery that reads less than there is here; where it fails for that, the failure says so."""
        rendered = self.holding(delivery.source)([delivery], lookup)[delivery.id]
        if rendered.failure is None:
            return rendered
        read = self._charts.reads(delivery) if delivery.renderer == "chart" else None
        lost = self._left_out(delivery, self._wants(delivery).build.closure.files if read is None else read)
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        why = f"{rendered.failure.why}; {lost[0][0]}{more} is here, but not in Flux's artifact: {lost[0][1]}"
        return replace(rendered, failure=replace(rendered.failure, why=why))

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
        done = dict(zip(map(id, with_charts), in_parallel(self._inflate, with_charts), strict=True))
        return [done.get(id(item), item) for item in wanted]

    def _inflate(self, wanted: Wanted) -> Wanted:
        from gitops_layout.render.inflate import helm_flags, inflate

        closure, files = wanted.build.closure, dict(wanted.build.overrides)
        told = self._settings if wanted.delivery.agent == "argocd" else None
        if told is not None and "--enable-helm" not in told.build_options:
            why = "kustomize.buildOptions of argocd-cm lacks --enable-helm, without which charts are refused"
            problem = Problem(BuildClass.OTHER, why, closure.problems[0].location)
            return replace(wanted, build=replace(wanted.build, closure=replace(closure, problems=(problem,))))
        flags = helm_flags(wanted.delivery)
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
        return Wanted(wanted.delivery, build, f"{wanted.key}\0{flags}", done.places, wanted.written)

    @cached_property
    def _settings(self) -> Settings | None:
        """What the repository tells Argo CD, if it does."""
        from gitops_layout.agents.argocd.settings import settings

        return settings((resource.ref, resource.data) for resource in self.repo.resources)

    def _foreign(self, delivery: Delivery, lookup: Lookup) -> Rendered | None:
        """A delivery of another repository's tree, if that lies beside this one, or was fetched."""
        there = self._elsewhere(delivery)
        if there is None:
            return None
        if isinstance(there, Unchecked):
            return Rendered(delivery.id, failure=there)
        from gitops_layout.render.foreign import as_local, placed

        rendered = there([as_local(delivery, there.repo)], lookup)[delivery.id]
        return placed(rendered, delivery)

    def _elsewhere(self, delivery: Delivery) -> Renders | Unchecked | None:
        """The same over the other repository that a delivery pulls, None where that is neither beside nor fetched."""
        tree = self._abroad.pulled(delivery)
        return tree if tree is None or isinstance(tree, Unchecked) else self._there(tree)

    def tree(self, url: str, revision: str) -> Repo | None:
        """The files of another repository that lies beside this one, or was fetched, by a revision of Argo CD's."""
        tree = self._abroad.at(url, revision)
        return self._there(tree).repo if tree is not None else None

    def _there(self, tree: Repo) -> Renders:
        if id(tree) not in self._others:
            self._others[id(tree)] = self._over(tree, home=self)
        return self._others[id(tree)]


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
