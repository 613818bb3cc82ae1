"""Checks of what git keeps in the tree: large files and submodules by reference, links, owners, locks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location, Related, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["chart_unlocked", "link_outside", "not_in_tree", "path_not_at_tag", "prod_unowned"]

Params = Mapping[str, Any]

_POINTER = "version https://git-lfs.github.com/spec/"
_MODULE_PATH = regexp(r"^[ \t]*path[ \t]*=[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_LONGEST_POINTER = 1024


def _agents(graph: Graph) -> list[Delivery]:
    return [d for d in graph.deliveries if d.live and d.agent in ("flux", "argocd")]


def _in_file(repo: Repo, file: str, start: int, end: int) -> Location:
    text = repo.text(file)
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Location(file, span=Span(line, column, line, column + end - start, start, end))


def _affected(delivery: Delivery) -> Affected:
    return Affected(None, delivery.id, delivery.environment, delivery.cluster)


def not_in_tree(graph: Graph, params: Params) -> Iterator[Hit]:
    """What an agent reads and the commit only points to: Git LFS pointers, and submodules."""
    repo = graph.repo
    for delivery in _agents(graph):
        for file in sorted(graph.rendered[delivery.id].files):
            entry = repo.entries.get(file)
            if entry is None or entry.target is not None or entry.size > _LONGEST_POINTER:
                continue
            if repo.text(file).startswith(_POINTER):
                values = {"what": f"{file} is a Git LFS pointer", "delivery": delivery.name, "subject": file}
                yield Hit(_in_file(repo, file, 0, len(_POINTER)), values, (), _affected(delivery))
    if not repo.is_file(".gitmodules"):
        return
    folders = {d.source.path: d for d in _agents(graph) if d.source.local and d.source.path}
    for found in _MODULE_PATH.finditer(repo.text(".gitmodules")):
        module = normpath(found[1])
        for folder, delivery in folders.items():
            if f"{module}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{module}/"):
                values = {"what": f"{module} is a submodule", "delivery": delivery.name, "subject": module}
                yield Hit(_in_file(repo, ".gitmodules", *found.span(1)), values, (), _affected(delivery))
                break


def link_outside(graph: Graph, params: Params) -> Iterator[Hit]:
    """Links that lead out of the repository: anywhere for Argo CD, which refuses all of it, else where an agent reads."""
    repo = graph.repo
    links = [(path, entry.target) for path, entry in repo.entries.items() if entry.target is not None]
    outside = [(path, target) for path, target in links if _leaves(path, target)]
    if not outside:
        return
    local = [d for d in _agents(graph) if d.source.local and d.source.path is not None]
    for path, target in outside:
        near = [
            d
            for d in local
            if d.agent == "argocd" or not d.source.path or path.startswith(f"{d.source.path}/")
        ]
        if near:
            first = Location(path, span=Span(1, 1, 1, 1, 0, 0))
            yield Hit(first, {"path": path, "target": target, "subject": path}, (), _affected(near[0]))


def _leaves(path: str, target: str) -> bool:
    return target.startswith("/") or normpath(join(dirname(path), target)).startswith("../") or normpath(join(dirname(path), target)) == ".."  # fmt: skip


_OWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")


def prod_unowned(graph: Graph, params: Params) -> Iterator[Hit]:
    """Production's folders that no line of the CODEOWNERS file covers."""
    file = next((name for name in _OWNERS if graph.repo.is_file(name)), None)
    if file is None:
        return
    patterns = list(_patterns(graph.repo.text(file)))
    if not patterns:
        return
    seen: set[str] = set()
    for delivery in _agents(graph):
        folder = delivery.source.path
        if delivery.tier != "prod" or not delivery.source.local or not folder or folder in seen:
            continue
        seen.add(folder)
        owned = False
        for pattern, owners in patterns:
            if pattern.match(f"{folder}/kustomization.yaml"):
                owned = owners
        if not owned and graph.repo.is_folder(folder):
            related = (Related(delivery.place("path"), "delivered from here"),)
            values = {"folder": folder, "subject": folder}
            yield Hit(Location(file, span=Span(1, 1, 1, 1, 0, 0)), values, related)


def _patterns(text: str) -> Iterator[tuple[re.Pattern[str], bool]]:
    """The lines' patterns, as gitignore has them, and whether they name owners; the last that matches counts."""
    for line in text[: 2**18].splitlines():
        words = line.partition("#")[0].split()
        if not words or words[0].startswith(("[", "^[", "!")) or len(words[0]) > 500:
            continue
        yield _glob(words[0]), len(words) > 1


def _glob(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    parts = re.split(r"(\*\*/|\*+|\?)", pattern.lstrip("/").rstrip("/"))
    known = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(known.get(part, ".*" if part.startswith("**") else re.escape(part)) for part in parts)
    end = "(?:/|$)" if not pattern.endswith("/*") else "$"
    return re.compile(f"^{'' if anchored else '(?:.*/)?'}{body}{end}")


def path_not_at_tag(graph: Graph, params: Params) -> Iterator[Hit]:
    """Paths that are here, and not at the tag or commit of this repository that an agent reads them from."""
    for whole in _agents(graph):
        for delivery in whole.parts or (whole,):
            source = delivery.source
            if not source.local or not source.path or source.revision is None or source.chart:
                continue
            revision = source.revision.name
            if (source.url or "").startswith(("oci:", "bucket:")):
                continue  # tags of a registry are not those of git
            if "$" in revision + source.path or graph.repo.holds_at(revision, source.path) is not False:
                continue
            place = source.defined.at("spec", "ref") if source.defined else delivery.place("revision")
            values = {"name": whole.name, "path": source.path, "revision": revision, "subject": source.path}
            yield Hit(
                delivery.place("path"), values, (Related(place, f"follows {revision}"),), _affected(whole)
            )


_EXACT = regexp(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]*)?")


def chart_unlocked(graph: Graph, params: Params) -> Iterator[Hit]:
    """Charts of this repository whose dependencies are ranges, and no lock says which version is meant."""
    repo = graph.repo
    inner = tuple(join(chart, "charts/") for chart in repo.charts)
    for chart in repo.charts:
        file = join(chart, "Chart.yaml")
        if is_aside(file) or chart.startswith(inner):
            continue
        documents = repo.documents(file)
        data = documents[0].data if documents else None
        requirements = data.get("dependencies") if isinstance(data, dict) else None
        if not isinstance(requirements, list) or {"Chart.lock", "requirements.lock"} & set(
            repo.folders.get(chart, ())
        ):
            continue
        for number, item in enumerate(requirements):
            if not isinstance(item, dict):
                continue
            name, version, source = item.get("name"), item.get("version"), item.get("repository")
            local = not isinstance(source, str) or not source or source.startswith("file:")
            vendored = repo.is_folder(join(chart, "charts", str(name))) or any(
                child.startswith(f"{name}-") for child in repo.folders.get(join(chart, "charts"), ())
            )
            if isinstance(version, str) and not local and not vendored and not _EXACT.fullmatch(version):
                values = {
                    "chart": chart,
                    "name": str(name),
                    "version": version,
                    "subject": str(name),
                }
                yield Hit(Location(file, ("dependencies", number, "version")), values)
