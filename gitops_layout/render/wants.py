"""What a delivery wants built: its folder as the agent has it built, and all that this reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.model import BuildClass, Closure, Kustomization, Problem, find
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location, Path
from gitops_layout.render.finish import Wanted
from gitops_layout.render.overrides import generated, overridden
from gitops_layout.repo.model import Repo

if TYPE_CHECKING:
    from gitops_layout.kustomize.mount import Bases

__all__ = ["Wants"]


class Wants:
    """The builds of one repository; folders that are built alike are walked once."""

    def __init__(self, repo: Repo, base: Bases | None) -> None:
        """`base` finds the remote bases that were fetched."""
        self._repo = repo
        self._base = base
        self._closures: dict[str, tuple[Closure, Mapping[str, bytes]]] = {}

    def __call__(self, delivery: Delivery) -> Wanted:
        """The build of a delivery's folder, with the kustomization that Flux writes and what the agent changes in it."""
        repo = self._repo
        folder = repo.resolve(delivery.source.path or "")
        folder = delivery.source.path or "" if folder is None else folder
        own, overrides = find(repo, folder), {}
        written: Mapping[Path, Location] = {}
        if own is None and delivery.agent == "flux" and folder in repo.folders:
            own = generated(repo, folder)
            overrides[own.file] = json.dumps(own.data, ensure_ascii=False).encode()
        elif isinstance(own, Problem) and own.kind is BuildClass.EMPTY and delivery.agent == "flux":
            own = Kustomization(folder, own.location.file, {})
        if isinstance(own, Kustomization) and (delivery.options or delivery.agent == "flux"):
            changed = overridden(repo, delivery, own)
            if isinstance(changed, Problem):
                refused = replace(self._walk(folder, {})[0], problems=(changed,))
                return Wanted(delivery, Build(refused), delivery.id)
            if changed is not None:
                overrides[own.file], written = changed.content, changed.written
        key = f"{folder}\0{sorted(overrides.items())!r}"
        if key not in self._closures:
            self._closures[key] = self._walk(folder, overrides)
        closure, files = self._closures[key]
        restricted = delivery.agent == "argocd"
        build = Build(closure, restricted, tuple(sorted(files.items())))
        return Wanted(delivery, build, f"{key}\0{restricted}", written=written)

    def _walk(self, folder: str, overrides: Mapping[str, bytes]) -> tuple[Closure, Mapping[str, bytes]]:
        """What the build reads, and the files to write over: those of fetched bases among them."""
        view = self._repo.over(overrides) if overrides else self._repo
        closure = walk(view, folder)
        remote = any(problem.kind is BuildClass.REMOTE for problem in closure.problems)
        if self._base is None or not remote:
            return closure, overrides
        from gitops_layout.kustomize.mount import mount

        mounted = mount(view, closure, self._base)
        files = {**overrides, **mounted.files}
        closure = walk(self._repo.over(files), folder)
        return replace(closure, problems=(*mounted.problems, *closure.problems)), files
