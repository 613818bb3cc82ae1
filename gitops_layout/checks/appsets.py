"""ApplicationSets: what they generate, and what their templates ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from gitops_layout.agents import argocd
from gitops_layout.agents.context import normal_url
from gitops_layout.checks.flux import near_folder
from gitops_layout.checks.lines import line_with
from gitops_layout.checks.mending import add, put
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import objects_of
from gitops_layout.fields import at
from gitops_layout.graph.generators import expansions
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Change, Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource, object_ref

if TYPE_CHECKING:
    from gitops_layout.agents.applicationset.model import Problem

__all__ = ["cascade", "missing_key", "name_collision", "one_way", "problem", "syntax_mix"]

Params = Mapping[str, Any]

_PLAIN = re.compile(
    r"\{\{-?\s*(path|name|nameNormalized|server|metadata|values|cluster|branch|sha|number)\b[\w.\[\]]*\s*-?\}\}"
)
_GO = re.compile(r"\{\{-?\s*\.\w")
_FIELDS: tuple[Path, ...] = (
    ("metadata", "name"), ("spec", "project"), ("spec", "source", "path"), ("spec", "source", "repoURL"),
    ("spec", "source", "targetRevision"), ("spec", "destination", "namespace"), ("spec", "destination", "server"),
    ("spec", "destination", "name"),
)  # fmt: skip


def _sets(graph: Graph) -> Iterator[tuple[Resource, Affected]]:
    for data, place, affected in objects_of(graph, argocd.GROUP, "ApplicationSet"):
        yield Resource(object_ref(data, "", ""), data, place(()), place), affected


def _place(resource: Resource) -> Callable[[Path], Location]:
    return resource.origin or (lambda path: resource.location.at(*path))


def _hit(
    found: tuple[Resource, Affected], path: Path, changes: tuple[Change, ...] = (), **values: object
) -> Hit:
    resource, affected = found
    return Hit(_place(resource)(path), {"source": resource.ref.name, **values}, (), affected, changes)


def problem(graph: Graph, params: Params) -> Iterator[Hit]:
    """Problems of the expansion of the kinds `kinds`."""
    found = list(_sets(graph))
    if not found:
        return
    expand = expansions(graph.repo, graph.declared, _objects(graph), _is_own(graph))
    for each in found:
        asked: dict[Path, list[Problem]] = {}
        for one in expand(each[0]).problems:
            if one.kind.value in params["kinds"]:
                asked.setdefault(one.path, []).append(one)
        for path, (one, *more) in asked.items():
            near = _near_pattern(graph, at(each[0].data, *path)) if one.kind.value == "empty" else ""
            others = f"; {len(more)} more there {'are' if len(more) > 1 else 'is'} unknown" if more else ""
            yield _hit(each, path, what=one.why + near + others, subject=one.why)


def _near_pattern(graph: Graph, pattern: Any) -> str:
    """The folder that the beginning of a pattern was perhaps meant to name, in words."""
    parts = pattern.split("/") if isinstance(pattern, str) else []
    fixed = list(takewhile(lambda part: not set(part) & set("*?[{"), parts))
    if not fixed or graph.repo.is_folder("/".join(fixed)):
        return ""
    near = near_folder(graph.repo, "/".join(fixed))
    return f' (did you mean "{"/".join((near, *parts[len(fixed) :]))}"?)' if near is not None else ""


def _objects(graph: Graph) -> list[Resource]:
    return list(graph.repo.resources)


def _is_own(graph: Graph) -> Any:
    local = (p.source.url for d in graph.deliveries for p in (d.parts or (d,)) if p.source.local)
    own = {normal_url(url) for url in (*graph.repo.remotes, *graph.declared.sources, *local) if url}
    return lambda url: normal_url(url) in own


def name_collision(graph: Graph, params: Params) -> Iterator[Hit]:
    """Two generated Applications of one name: of one set, or of two sets of one cluster and namespace."""
    found = list(_sets(graph))
    if not found:
        return
    expand = expansions(graph.repo, graph.declared, _objects(graph), _is_own(graph))
    owners: dict[tuple[str, str, str], tuple[Resource, Location]] = {}
    for each in found:
        resource, affected = each
        done = expand(resource)
        for one in done.problems:
            if one.kind.value == "collision":
                yield _hit(each, one.path, what=one.why, subject=one.why)
        told: set[str] = set()
        for made in done.applications:
            name = str(at(made.data, "metadata", "name"))
            key = (
                affected.cluster or resource.location.file.rpartition("/")[0],
                resource.ref.namespace,
                name,
            )
            other = owners.setdefault(key, (resource, resource.location))
            if other[0] is not resource and other[0].ref.name != resource.ref.name and not told:
                told.add(name)
                what = f"ApplicationSet {other[0].ref.name} makes an Application {name} too"
                hit = _hit(each, ("spec", "template", "metadata", "name"), what=what, subject=name)
                yield Hit(
                    hit.location,
                    hit.values,
                    (Related(other[1].at("metadata", "name"), "the other set"),),
                    affected,
                )


def one_way(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sets without a known Application whose template syncs by itself, and neither heals nor prunes."""
    found = list(_sets(graph))
    if not found:
        return
    expand = expansions(graph.repo, graph.declared, _objects(graph), _is_own(graph))
    for each in found:
        spec = each[0].data.get("spec")
        automated = at(spec, "template", "spec", "syncPolicy", "automated")
        if not isinstance(automated, dict) or at(spec, "templatePatch") or automated.get("enabled") is False:
            continue
        lacking = [f"`{name}`" for name in ("selfHeal", "prune") if automated.get(name) in (None, False)]
        if lacking and not expand(each[0]).applications:
            path = ("spec", "template", "spec", "syncPolicy", "automated")
            yield _hit(each, path, lacking=" and ".join(lacking), subject="automated")


def missing_key(graph: Graph, params: Params) -> Iterator[Hit]:
    """Go templates that turn a missing parameter into `<no value>`, or whose option is misspelt."""
    for each in _sets(graph):
        spec = each[0].data.get("spec")
        if at(spec, "goTemplate") is not True:
            continue
        options = at(spec, "goTemplateOptions")
        texts = [str(option) for option in options] if isinstance(options, list) else []
        if "missingkey=error" in texts:
            continue
        wrong = next((t for t in texts if near_name(t, ("missingkey=error",)) is not None), None)
        told = f'"{wrong}" is no option' if wrong else "no option says missingkey=error"
        index = texts.index(wrong) if wrong else None
        path: Path = ("spec", "goTemplate") if index is None else ("spec", "goTemplateOptions", index)
        place, right = _place(each[0]), "missingkey=error"
        mended = (
            add(place, each[0].data, ("spec", "goTemplateOptions"), right)
            if index is None
            else (Change("replace", place(path), right),)
        )
        yield _hit(each, path, mended, what=told, subject=told)


def syntax_mix(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sets whose template is written for the other kind of template, at the first field that is; the others are beside it."""
    for each in _sets(graph):
        found = list(_mixed(graph, each))
        if found:
            more = tuple(Related(hit.location, "here, too") for hit in found[1:])
            changes = tuple(change for hit in found for change in hit.changes)
            changes = changes if all(hit.changes for hit in found) else ()
            yield replace(found[0], related=(*found[0].related, *more), changes=changes)


def _mixed(graph: Graph, each: tuple[Resource, Affected]) -> Iterator[Hit]:
    """Every field of a set's template that is written for the other kind of template."""
    spec = each[0].data.get("spec")
    go = at(spec, "goTemplate") is True
    for path in _FIELDS:
        value = at(spec, "template", *path)
        match = (_PLAIN if go else _GO).search(value) if isinstance(value, str) else None
        if match is not None:
            kind = "goTemplate is on, and Go knows no" if go else "goTemplate is off, so nothing fills in"
            shown = value[match.start() :].partition("}}")[0] + "}}"
            right = _other_kind(value, go=go)
            here: Path = ("spec", "template", *path)
            mended = (Change("replace", _place(each[0])(here), right),) if right is not None else ()
            yield _hit(each, here, mended, what=f"{kind} {shown}", subject=str(path))
    if go and "{{" in str(at(spec, "template")):
        yield from _no_functions(graph, each)


_NO_FUNCTION = regexp(r'function "(\w+)" not defined')


def _no_functions(graph: Graph, found: tuple[Resource, Affected]) -> Iterator[Hit]:
    """Names without a dot in any text of a Go template, which Go takes for functions and refuses."""
    # The template engine is imported when the first one is met.
    from gitops_layout.agents.gotemplate import TemplateError, check

    place = _place(found[0])
    for path, text in _texts(at(found[0].data, "spec", "template"), ("spec", "template")):
        if path[2:] in _FIELDS and _PLAIN.search(text):
            continue
        try:
            check(text)
        except TemplateError as error:
            match = _NO_FUNCTION.search(str(error))
            if match is not None:
                name = match[1]
                what = f"goTemplate is on, and Go knows no {{{{{name}}}}}"
                here = line_with(graph, place(path), re.compile(rf"\{{\{{[^}}]*(?<![.\w]){name}\b"))
                values = {"source": found[0].ref.name, "what": what, "subject": f"{path} {name}"}
                yield Hit(here, values, (), found[1])


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index))
        case str() if "{{" in value:
            yield path, value


_WORD = re.compile(r"\{\{-?\s*(\.?)([A-Za-z][\w.]*)\s*-?\}\}")


def _other_kind(value: str, *, go: bool) -> str | None:
    """A field's text written for the other kind of template; None where more than names stands in it."""
    if value.count("{{") != len(_WORD.findall(value)):
        return None

    def turned(match: re.Match[str]) -> str:
        dot, name = match[1], match[2]
        if go and not dot:
            return f"{{{{.{'path.path' if name == 'path' else name}}}}}"
        return f"{{{{{'path' if name == 'path.path' else name}}}}}" if dot and not go else match[0]

    return _WORD.sub(turned, value)


def cascade(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sets that delete all they made when an entry, or the set itself, goes."""
    for each in _sets(graph):
        spec = each[0].data.get("spec")
        kept = at(spec, "syncPolicy", "preserveResourcesOnDeletion") is True
        policy = at(spec, "syncPolicy", "applicationsSync")
        if not kept and policy not in ("create-only", "create-update"):
            path = ("spec", "syncPolicy", "preserveResourcesOnDeletion")
            kept_then = put(_place(each[0]), each[0].data, path, value=True)
            yield _hit(each, ("metadata", "name"), kept_then, subject=each[0].ref.name)
