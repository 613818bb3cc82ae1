"""What Flux and Argo CD ask helm for: name, namespace, values and flags of a release.

Facts: helm-controller v1.6.4 (internal/action, internal/release; api/v2), source-controller v1.9.5
(internal/helm/chart), argo-cd v3.5 and v3.6 (reposerver/repository, util/helm).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from posixpath import normpath
from typing import Any

from gitops_layout.agents.context import text as text_of
from gitops_layout.agents.delivery import Delivery
from gitops_layout.agents.fluxolder import is_older
from gitops_layout.fields import at
from gitops_layout.helm.assign import assign
from gitops_layout.helm.chart import Problem
from gitops_layout.helm.origins import Written
from gitops_layout.helm.template import Release
from gitops_layout.helm.valuefiles import Found, Ref, Refs, resolved, value_files
from gitops_layout.helm.values import flux_values, merge, parse
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass, of_object
from gitops_layout.render.environment import Environment
from gitops_layout.render.lookup import Lookup, texts
from gitops_layout.render.valuesfrom import values_from
from gitops_layout.repo.model import MAX_BYTES, Repo
from gitops_layout.values import dataclass

__all__ = ["Wanted", "argocd_release", "flux_release"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A release to render: `written` says where its values stand, `files` are those it reads besides the
    chart, `unseen` is what it has to do without.
    """

    release: Release
    written: tuple[Written, ...] = ()
    files: frozenset[str] = frozenset()
    unseen: tuple[Unchecked, ...] = ()


Brought = Callable[[], Repo | None]
"""The files of a release's chart from outside; None where it was not brought."""


def flux_release(repo: Repo, delivery: Delivery, lookup: Lookup, chart: Brought) -> Wanted | Problem:
    """A HelmRelease's release. Values that nothing brings are left out and listed as unseen."""
    spec, root = _mapping(delivery.object.get("spec")), delivery.root.at("spec")

    def found(kind: str, name: str) -> Mapping[str, str] | None:
        item = lookup(delivery.home, kind, delivery.namespace, name)
        return dict(texts(kind, item.data)) if item is not None else None

    if spec.get("values") is not None and not isinstance(spec["values"], dict):
        return Problem("values is no mapping, so Helm cannot take it", root.at("values"))
    merged = flux_values(spec, found)
    if merged.refused is not None:
        index, why = merged.refused
        return Problem(why, root.at("valuesFrom", index))
    unseen = tuple(
        Unchecked(
            f"values of {entry.kind} {delivery.namespace}/{entry.name}",
            UncheckedClass.EXTERNAL,
            entry.why,
            root.at("valuesFrom", entry.index),
            of_object(entry.kind, delivery.namespace, entry.name),
            delivery.id,
        )
        for entry in merged.missing
    )
    defaults = _flux_defaults(repo, delivery, chart)
    if isinstance(defaults, Problem):
        return defaults
    inline = (
        (Written(root.at("values"), spec["values"], origin=_origin(delivery, root.at("values"))),)
        if isinstance(spec.get("values"), dict)
        else ()
    )
    release = Release(
        _release_name(delivery, spec),
        delivery.target_namespace or delivery.namespace,
        (_dumped(merged.values),),
        flags=_flux_flags(spec),
        defaults=_dumped(defaults[0]) if defaults is not None else None,
    )
    own = tuple(
        Written(Location(file), parse(repo.content(file), file)) for file in (defaults or ({}, ()))[1]
    )
    files = frozenset(item.location.file for item in own)

    def origin(name: str, key: str) -> Location | None:
        item = lookup(delivery.home, "ConfigMap", delivery.namespace, name)
        return item.origin(("data", key)) if item is not None else None

    below, above = values_from(spec, merged.values, found, origin, root.at("valuesFrom"))
    return Wanted(release, (*own, *below, *inline, *above), files, unseen)


def _origin(delivery: Delivery, here: Location) -> Callable[[Path], Location] | None:
    """Where values below `here` were written, as the render that made the agent object knows it."""
    origin, root = delivery.origin, delivery.root
    if origin is None or root.span is not None:
        return None
    below = here.path[len(root.path) :]
    return lambda path: origin((*below, *path))


def _release_name(delivery: Delivery, spec: Mapping[str, Any]) -> str:
    """Names beyond helm's 53 characters are cut by the controller and told apart by a hash."""
    given = spec.get("releaseName")
    if isinstance(given, str) and given:
        name = given
    else:
        name = "-".join(part for part in (delivery.target_namespace, delivery.name) if part)
    if len(name.encode()) <= 53:
        return name
    return f"{name[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _flux_flags(spec: Mapping[str, Any]) -> tuple[str, ...]:
    install = _mapping(spec.get("install"))
    flags = [] if install.get("crds") == "Skip" else ["--include-crds"]
    if install.get("disableHooks") is True:
        flags.append("--no-hooks")
    if install.get("disableSchemaValidation") is True:
        flags.append("--skip-schema-validation")
    return tuple(flags)


def _flux_defaults(
    repo: Repo, delivery: Delivery, brought: Brought
) -> tuple[dict[str, Any], tuple[str, ...]] | Problem | None:
    """A chart's `valuesFiles`: merged in order they replace its values.yaml; paths are the source's, or those in a chart from
    outside. The `valuesFile` of the betas of HelmRelease comes before them. With the files of the repository among them.
    """
    chart = _mapping(delivery.options.get("chart"))
    several = chart.get("valuesFiles")
    listed = several if isinstance(several, list) else []
    if is_older(str(delivery.object.get("apiVersion"))) and chart.get("valuesFile"):
        listed = [chart["valuesFile"], *listed]
    tree = (repo if delivery.source.local else brought()) if listed else None
    if tree is None:
        return None
    where = delivery.place("chart")
    merged: dict[str, Any] = {}
    files: list[str] = []
    for name in (item for item in listed if isinstance(item, str)):
        file = tree.resolve(normpath(f"/{name}").lstrip("/"))
        if file is None or file not in tree.entries:
            if chart.get("ignoreMissingValuesFiles") is True:
                continue
            return Problem(
                f"values file {name} does not exist{'' if tree is repo else ' in the chart'}", where
            )
        try:
            merged = merge(merged, parse(tree.content(file), file))
        except ValueError as error:
            return Problem(f"{file}: {error}", Location(file) if tree is repo else where)
        files += [file] if tree is repo else []
    return merged, tuple(files)


def argocd_release(repo: Repo, delivery: Delivery, refs: Refs, brought: Brought) -> Wanted | Problem:
    """An Application's release; `refs` are its other sources."""
    chart = None
    if delivery.source.chart is not None and _names_files(delivery):
        chart = Ref(delivery.source.url or "", brought())
    folder, helm = delivery.source.path or "", _mapping(delivery.options.get("helm"))
    here, substitute = delivery.place("source").at("helm"), Environment(delivery, repo).substitute
    layers = _layers(repo, folder, helm, here, delivery, refs, chart)
    if isinstance(layers, Problem):
        return layers
    parameters = _parameters(helm, substitute)
    set_file = _file_parameters(repo, folder, helm, here, delivery, refs, chart)
    if isinstance(set_file, Problem):
        return set_file
    release = Release(
        text_of(helm.get("releaseName")) or delivery.name,
        text_of(helm.get("namespace")) or delivery.target_namespace or "default",
        tuple(content for content, _ in layers),
        tuple(given for _, given, strings in parameters if not strings),
        tuple(given for _, given, strings in parameters if strings),
        tuple((name, found.repo.content(found.path)) for name, found in set_file),
        flags=_argocd_flags(helm),
    )
    written = tuple(item for _, item in layers)
    files = frozenset(item.location.file for item in written) | {found.location.file for _, found in set_file}
    by_file = (f"{name}=x" for name, _ in set_file)
    hidden = [Written(here, _assigned(text, strings=True), whole=True, hidden=True) for text in by_file]
    return Wanted(release, (*written, *_written_parameters(parameters, here), *hidden), files)


def _names_files(delivery: Delivery) -> bool:
    helm = _mapping(delivery.options.get("helm"))
    return bool(helm.get("valueFiles") or helm.get("fileParameters"))


def _layers(
    repo: Repo,
    folder: str,
    helm: Mapping[str, Any],
    here: Location,
    delivery: Delivery,
    refs: Refs,
    chart: Ref | None,
) -> list[tuple[bytes, Written]] | Problem:
    """The value files in order, then the inline values."""
    substitute = Environment(delivery, repo).substitute
    listed = [substitute(item) if isinstance(item, str) else item for item in _items(helm.get("valueFiles"))]
    ignore_missing = helm.get("ignoreMissingValueFiles") is True
    found = value_files(
        repo,
        folder,
        listed,
        here=here.at("valueFiles"),
        ignore_missing=ignore_missing,
        refs=refs,
        chart=chart,
    )
    if found.problem is not None:
        return found.problem
    layers: list[tuple[bytes, Written]] = []
    for named in found.files:
        file = named.at(named.repo.resolve(named.path) or named.path)
        if file.repo.entries[file.path].size > MAX_BYTES:
            return Problem(f"value file {named.path} is larger than {MAX_BYTES // 2**20} MiB", named.where)
        content, apart = file.repo.content(file.path), file.ref is not None and file.ref.prefix is None
        try:
            layers.append(
                (content, Written(file.location, parse(content, file.path), whole=apart, read=True))
            )
        except ValueError as error:
            return Problem(f"value file {named.path}: {error}", file.location)
    inline = _inline(repo, helm, here, delivery)
    if isinstance(inline, Problem):
        return inline
    return layers if inline is None else [*layers, (_dumped(inline.data), inline)]


def _argocd_flags(helm: Mapping[str, Any]) -> tuple[str, ...]:
    flags = [] if helm.get("skipCrds") is True else ["--include-crds"]
    if helm.get("skipSchemaValidation") is True:
        flags.append("--skip-schema-validation")
    version = text_of(helm.get("kubeVersion"))
    flags += [f"--kube-version={version}"] if version else []
    flags += [f"--api-versions={item}" for item in _items(helm.get("apiVersions")) if isinstance(item, str)]
    return tuple(flags)


def _inline(
    repo: Repo, helm: Mapping[str, Any], here: Location, delivery: Delivery
) -> Written | Problem | None:
    """`valuesObject`, else the text in `values`."""
    if isinstance(helm.get("valuesObject"), dict):
        return Written(
            here.at("valuesObject"), helm["valuesObject"], origin=_origin(delivery, here.at("valuesObject"))
        )
    text = helm.get("values")
    if not isinstance(text, str) or not text:
        return None
    try:
        where = here.at("values")
        whole = _origin(delivery, where) or (lambda _path: where)
        return Written(where, parse(text, "values"), origin=partial(_in_text, repo, whole), read=True)
    except ValueError as error:
        return Problem(f"values: {error}", here.at("values"))


def _in_text(repo: Repo, whole: Callable[[Path], Location], path: Path) -> Location:
    """The place of a value in a text of values, or the `whole` text's where that is not known."""
    # Imported when an origin is asked for, like the fast builder everywhere.
    from gitops_layout.kustomize.fast.inline import inside_text

    place = whole(())
    found = inside_text(repo, place.at(0, *path), known=True) if path else place
    return place if found.span is None else found


def _parameters(helm: Mapping[str, Any], substitute: Any) -> list[tuple[int, str, bool]]:
    """(index, `name=value`, as text) of each parameter; of two with one name the later counts."""
    found: dict[tuple[str, bool], tuple[int, str, bool]] = {}
    for index, item in enumerate(_items(helm.get("parameters"))):
        name, value = text_of(at(item, "name")), at(item, "value")
        if name is not None:
            strings = at(item, "forceString") is True
            text = substitute("" if value is None else str(value))
            found[name, strings] = (index, f"{name}={_escaped(text)}", strings)
    return list(found.values())


def _escaped(text: str) -> str:
    """A comma is part of the value, unless it stands in a list or is escaped already."""
    if text.startswith("{") and text.endswith("}"):
        return text
    return re.sub(r"(?<!\\),", r"\\,", text)


def _written_parameters(parameters: list[tuple[int, str, bool]], here: Location) -> Iterator[Written]:
    for index, text, strings in sorted(parameters, key=lambda item: item[2]):  # helm sets texts last
        yield Written(here.at("parameters", index, "value"), _assigned(text, strings=strings), whole=True)


def _assigned(text: str, *, strings: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    with suppress(ValueError):  # helm will refuse it in its own words
        assign(values, text, strings=strings)
    return values


def _file_parameters(
    repo: Repo,
    folder: str,
    helm: Mapping[str, Any],
    here: Location,
    delivery: Delivery,
    refs: Refs,
    chart: Ref | None,
) -> list[tuple[str, Found]] | Problem:
    """(path in the values, file) of each `fileParameters` entry."""
    found = []
    for index, item in enumerate(_items(helm.get("fileParameters"))):
        name, path = text_of(at(item, "name")), text_of(at(item, "path"))
        where = here.at("fileParameters", index)
        if name is None or path is None:
            return Problem("a file parameter needs a name and a path", where)
        text = Environment(delivery, repo).substitute(path)
        file = resolved(repo, folder, text, where, refs, chart)
        if isinstance(file, Problem):
            return file
        real, entries = file.repo.resolve(file.path), file.repo.entries
        if real is None or real not in entries or entries[real].size > MAX_BYTES:
            return Problem(f"file {path} does not exist or is too large", where)
        found.append((name, file.at(real)))
    return found


def _dumped(values: Any) -> bytes:
    return json.dumps(values).encode()  # ASCII: it holds even what is no valid text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
