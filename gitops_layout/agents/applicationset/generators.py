"""Generators → parameter sets (argo-cd v3.6.1: applicationset/generators)."""

from __future__ import annotations

import copy
from dataclasses import field
from posixpath import basename, dirname
from typing import Any

from gitops_layout.agents.applicationset.globs import (
    PatternError,
    UnsupportedPatternError,
    file_matcher,
    folder_matcher,
)
from gitops_layout.agents.applicationset.model import Cluster, ProblemKind, StopError, World
from gitops_layout.agents.applicationset.params import Params, combined, flat, path_params, texts
from gitops_layout.agents.applicationset.rendering import Renderer
from gitops_layout.agents.applicationset.selector import selects
from gitops_layout.agents.gotemplate.argo import normalize
from gitops_layout.agents.gotemplate.encoding import json_text, read_yaml
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.mergo import merge
from gitops_layout.agents.gotemplate.values import StringMap, from_json, measure
from gitops_layout.model import Path
from gitops_layout.repo.model import Repo
from gitops_layout.source.document import Stream
from gitops_layout.values import dataclass

__all__ = ["KINDS", "MAX_APPLICATIONS", "SMALLER", "Generators", "flag", "kinds_of"]

MAX_APPLICATIONS = 10_000
SMALLER = "divide the set, or narrow its generators with a selector, so that it makes fewer"
"""What to do about a set that is too large."""
"""More are refused: nobody runs them, and templates could ask for millions."""

KINDS = "list clusters git scmProvider clusterDecisionResource pullRequest matrix merge plugin oci".split()
_NETWORK = {
    "scmProvider": "asks a git hosting service for repositories",
    "pullRequest": "asks a git hosting service for pull requests",
    "clusterDecisionResource": "reads an object of the cluster",
    "plugin": "calls a plugin's HTTP service",
    "oci": "reads an OCI artifact",
}
_IN_CLUSTER = Cluster("in-cluster", "https://kubernetes.default.svc")
_HIDDEN_ANNOTATIONS = frozenset(
    {
        "argocd.argoproj.io/refresh",
        "argocd.argoproj.io/refresh-timestamp",
        "argocd.argoproj.io/hydrate",
        "argocd.argoproj.io/hydrate-timestamp",
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/installation-id",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)


def kinds_of(generator: dict[str, Any], *, terminal: bool = False) -> list[str]:
    """The kinds that one entry holds, in Argo CD's order; a third level knows no matrix and no merge."""
    known = [kind for kind in KINDS if not (terminal and kind in ("matrix", "merge"))]
    return [kind for kind in known if generator.get(kind) is not None]


@dataclass(slots=True)
class Generators:
    """Evaluates the generators of one ApplicationSet."""

    world: World
    renderer: Renderer
    made: int = field(default=0)

    def params(self, kind: str, generator: dict[str, Any], path: Path, *, level: int) -> list[Params]:
        """The parameter sets of one kind of an entry, its selector applied. Raises StopError."""
        spec, here = generator[kind], (*path, kind)
        if not isinstance(spec, dict):
            raise StopError(ProblemKind.WRONG_TYPE, "the generator is no mapping", here)
        selector = generator.get("selector")
        test = None if selector is None else selects(selector, (*path, "selector"))
        found = self._of_kind(kind, spec, here, level)
        self._count(len(found), here)
        try:
            return found if test is None else [params for params in found if test(flat(params))]
        except FunctionError as error:
            raise StopError(ProblemKind.LIMIT, error.message, here) from error

    def _count(self, more: int, path: Path) -> None:
        self.made += more
        if self.made > 4 * MAX_APPLICATIONS:
            why = f"the generators yield more than {4 * MAX_APPLICATIONS} parameter sets: {SMALLER}"
            raise StopError(ProblemKind.LIMIT, why, path)

    def _of_kind(self, kind: str, spec: dict[str, Any], path: Path, level: int) -> list[Params]:
        match kind:
            case "list":
                return self._list(spec, path)
            case "git":
                return self._git(spec, path)
            case "clusters":
                return self._clusters(spec, path)
            case "matrix":
                return self._matrix(spec, path, level)
            case "merge":
                return self._merge(spec, path, level)
            case _:
                raise StopError(ProblemKind.EXTERNAL, f"{kind} needs the network: it {_NETWORK[kind]}", path)

    def _list(self, spec: dict[str, Any], path: Path) -> list[Params]:
        found = [
            self._element(element, (*path, "elements", index))
            for index, element in enumerate(_list_at(spec, "elements", path))
        ]
        text = spec.get("elementsYaml")
        if text is None or text == "":
            return found
        here = (*path, "elementsYaml")
        if not isinstance(text, str):
            raise StopError(ProblemKind.WRONG_TYPE, "elementsYaml is no string", here)
        try:
            more = read_yaml(text)
        except FunctionError as error:
            raise StopError(ProblemKind.INVALID, error.message, here) from error
        if more is not None and not (isinstance(more, list) and all(_is_set(item) for item in more)):
            raise StopError(ProblemKind.INVALID, "elementsYaml is no list of mappings", here)
        return [*found, *(item or {} for item in more or [])]

    def _element(self, element: Any, path: Path) -> Params:
        if not _is_set(element):
            raise StopError(ProblemKind.WRONG_TYPE, "the element is no mapping", path)
        if self.renderer.go:
            params: Params = from_json(element or {})
            return params
        found: Params = {}
        for key, value in (element or {}).items():
            nested = value if key == "values" else None
            if key == "values" and not isinstance(nested, dict):
                raise StopError(ProblemKind.WRONG_TYPE, "values is no mapping", (*path, key))
            for name, item in (nested or {}).items():
                found[f"values.{name}"] = _string(item, (*path, key, name))
            if key != "values":
                found[key] = _string(value, (*path, key))
        return found

    def _git(self, spec: dict[str, Any], path: Path) -> list[Params]:
        url = _string(spec.get("repoURL"), (*path, "repoURL"))
        repo = self._repository(url, spec.get("revision"))
        if repo is None:
            why = f"git needs another repository: {url}"
            raise StopError(ProblemKind.EXTERNAL, why, (*path, "repoURL"), url)
        prefix = spec.get("pathParamPrefix") or ""
        _string(prefix, (*path, "pathParamPrefix"))
        folders, files = _patterns(spec, "directories", path), _patterns(spec, "files", path)
        if not folders and not files:
            raise StopError(ProblemKind.INVALID, "git has neither directories nor files", path)
        if folders:
            found = [
                path_params(folder, go=self.renderer.go, prefix=prefix)
                for folder in self._folders(repo, folders, path)
            ]
        else:
            named = self._files(repo, files, path)
            found = [params for file in named for params in self._file(repo.stream(file), prefix, path)]
        if not found:
            what = "directories" if folders else "files"
            wanted = [index for index, (_, exclude) in enumerate(folders or files) if not exclude]
            patterns = ", ".join(f'"{pattern}"' for pattern, exclude in folders or files if not exclude)
            self.renderer.note(
                ProblemKind.EMPTY,
                f"no {what} of {'this repository' if repo is self.world.repo else url} match {patterns}".rstrip(),
                (*path, what, wanted[0], "path") if len(wanted) == 1 else (*path, what),
            )
        return [self._with_values(params, spec, path) for params in found]

    def _repository(self, url: str, revision: Any) -> Repo | None:
        """The tree that a git generator looks at: this one, or another that was brought."""
        if self.world.is_own(url):
            return self.world.repo
        return self.world.elsewhere(url, revision if isinstance(revision, str) and revision else "HEAD")

    def _folders(self, repo: Repo, patterns: list[tuple[str, bool]], path: Path) -> list[str]:
        tests = []
        for index, (pattern, exclude) in enumerate(patterns):
            try:
                tests.append((folder_matcher(pattern), exclude))
            except PatternError as error:
                here = (*path, "directories", index, "path")
                self.renderer.note(ProblemKind.IGNORED, f"{error}: it matches nothing", here)
        visible = (f for f in repo.folders if f and not any(s[0] == "." for s in f.split("/")))
        return [
            folder
            for folder in sorted(visible, key=lambda folder: folder.split("/"))
            if any(test(folder) for test, exclude in tests if not exclude)
            and not any(test(folder) for test, exclude in tests if exclude)
        ]

    def _files(self, repo: Repo, patterns: list[tuple[str, bool]], path: Path) -> list[str]:
        tests = []
        for index, (pattern, exclude) in enumerate(patterns):
            try:
                tests.append((file_matcher(pattern), exclude))
            except PatternError as error:
                here = (*path, "files", index, "path")
                ours = isinstance(error, UnsupportedPatternError)
                kind = ProblemKind.UNSUPPORTED if ours else ProblemKind.INVALID
                raise StopError(kind, str(error), here) from error
        return [
            file
            for file in repo.files
            if any(test(file) for test, exclude in tests if not exclude)
            and not any(test(file) for test, exclude in tests if exclude)
        ]

    def _file(self, stream: Stream, prefix: str, path: Path) -> list[Params]:
        here, file = (*path, "files"), stream.file
        first = stream.documents[0] if stream.documents and stream.documents[0].index == 0 else None
        if first is None and stream.problems:
            raise StopError(ProblemKind.INVALID, f"{file}: {stream.problems[0].message}", here)
        data = first.data if first is not None else None
        objects = data if isinstance(data, list) else [data]
        if not all(_is_set(item) for item in objects):
            raise StopError(ProblemKind.INVALID, f"{file} is neither a mapping nor a list of mappings", here)
        own = path_params(dirname(file) or ".", go=self.renderer.go, prefix=prefix, file=basename(file))
        found: list[Params] = []
        for item in objects:
            params: Params = from_json(item or {})
            if not self.renderer.go:
                params = dict(flat(params))
            found.append({**params, **copy.deepcopy(own)})
        return found

    def _with_values(self, params: Params, spec: dict[str, Any], path: Path) -> Params:
        """The set with the generator's own `values`, rendered over the set."""
        values = spec.get("values") or {}
        here = (*path, "values")
        if not isinstance(values, dict):
            raise StopError(ProblemKind.WRONG_TYPE, "values is no mapping", here)
        done = StringMap(
            {
                key: self.renderer.text(_string(value, (*here, key)), params, (*here, key))
                for key, value in values.items()
            }
        )
        if self.renderer.go:
            return {**params, "values": done} if done else params
        return {**params, **{f"values.{key}": value for key, value in done.items()}}

    def _clusters(self, spec: dict[str, Any], path: Path) -> list[Params]:
        selector = spec.get("selector") or {}
        test = selects(selector, (*path, "selector"))
        if self.world.clusters is None:
            why = "clusters are known only to Argo CD: no readable Secret here names one with its server, and none is declared"
            raise StopError(ProblemKind.EXTERNAL, why, path)
        known = {
            cluster.name or cluster.server: cluster for cluster in self.world.clusters if test(cluster.labels)
        }
        found = [self._cluster(known[name]) for name in sorted(known)]
        names = {cluster.name for cluster in self.world.clusters}
        hidden = [each.what for each in self.world.hidden if test(each.labels) and each.name not in names]
        if hidden:
            more = f" and {len(hidden) - 1} more" if len(hidden) > 1 else ""
            why = f"{hidden[0]}{more} registers a cluster that cannot be read here; what is made for it is not seen"
            self.renderer.note(ProblemKind.EXTERNAL, why, path)
        chooses = bool(selector.get("matchLabels") or selector.get("matchExpressions"))
        if not chooses and not any(cluster.server == _IN_CLUSTER.server for cluster in known.values()):
            found.append(
                {
                    "name": "in-cluster",
                    "nameNormalized": "in-cluster",
                    "server": _IN_CLUSTER.server,
                    "project": "",
                }
            )
        found = [self._with_values(params, spec, path) for params in found]
        if flag(spec.get("flatList"), (*path, "flatList")):
            return [{"clusters": found}]
        return found  # none is no mistake: labels switch add-ons on one by one

    def _cluster(self, cluster: Cluster) -> Params:
        params: Params = {
            "name": cluster.name,
            "nameNormalized": normalize(cluster.name),
            "server": cluster.server,
            "project": cluster.project,
        }
        shown = {k: v for k, v in cluster.annotations.items() if k not in _HIDDEN_ANNOTATIONS}
        if not self.renderer.go:
            params |= {f"metadata.annotations.{key}": value for key, value in shown.items()}
            return params | {f"metadata.labels.{key}": value for key, value in cluster.labels.items()}
        metadata: Params = {}
        if cluster.annotations:
            metadata["annotations"] = StringMap(shown)
        if cluster.labels:
            metadata["labels"] = StringMap(cluster.labels)
        return {**params, "metadata": metadata}

    def _child(self, child: Any, path: Path, *, level: int, outer: Params | None = None) -> list[Params]:
        """The sets of one child of a matrix or merge; `outer` are the parameters it may refer to."""
        if not isinstance(child, dict):
            raise StopError(ProblemKind.WRONG_TYPE, "the generator is no mapping", path)
        kinds = kinds_of(child, terminal=level >= 2)
        if len(kinds) != 1:
            count = "no generator" if not kinds else "more than one generator"
            raise StopError(ProblemKind.INVALID, f"{count} that Argo CD knows at this level", path)
        selector = child.get("selector")
        filled = self.renderer.generator(child, outer, path) if outer else child
        if selector is not None:
            filled = {**filled, "selector": selector}  # selectors are not templated
        return self.params(kinds[0], filled, path, level=level)

    def _matrix(self, spec: dict[str, Any], path: Path, level: int) -> list[Params]:
        children = _list_at(spec, "generators", path)
        if len(children) != 2:
            why = f"a matrix takes exactly two generators, not {len(children)}"
            raise StopError(ProblemKind.INVALID, why, (*path, "generators"))
        places = [(*path, "generators", index) for index in (0, 1)]
        found: list[Params] = []
        for first in self._child(children[0], places[0], level=level + 1):
            seconds = self._child(children[1], places[1], level=level + 1, outer=first)
            self._count(len(seconds), path)
            found += [self._product(first, second, path) for second in seconds]
        return found

    def _product(self, first: Params, second: Params, path: Path) -> Params:
        """Both sets in one: the first generator wins in Go templates, and may not disagree without."""
        try:
            self.renderer.spend(1 + (measure(first) + measure(second)) // 8, path)
            if not self.renderer.go:
                return combined(first, second)
            merged = copy.deepcopy(second)
            merge(merged, copy.deepcopy(first), override=True)
        except FunctionError as error:
            raise StopError(ProblemKind.INVALID, error.message, path) from error
        return merged

    def _merge(self, spec: dict[str, Any], path: Path, level: int) -> list[Params]:
        children = _list_at(spec, "generators", path)
        if len(children) < 2:
            raise StopError(
                ProblemKind.INVALID, "a merge takes two generators or more", (*path, "generators")
            )
        keys = [
            _string(key, (*path, "mergeKeys", i)) for i, key in enumerate(_list_at(spec, "mergeKeys", path))
        ]
        if not keys:
            raise StopError(ProblemKind.INVALID, "a merge needs mergeKeys", (*path, "mergeKeys"))
        places = [(*path, "generators", index) for index in range(len(children))]
        sets = [self._child(*pair, level=level + 1) for pair in zip(children, places, strict=True)]
        base, *overrides = (
            self._keyed(found, keys, place) for found, place in zip(sets, places, strict=True)
        )
        for override in overrides:
            for key in base.keys() & override.keys():
                base[key] = self._overridden(base[key], override[key], path)
        return list(base.values())

    def _overridden(self, base: Params, override: Params, path: Path) -> Params:
        if not self.renderer.go:
            return {**base, **override}
        merged = copy.deepcopy(base)
        try:
            merge(merged, copy.deepcopy(override), override=True)
        except FunctionError as error:
            raise StopError(ProblemKind.INVALID, error.message, path) from error
        return merged

    def _keyed(self, found: list[Params], keys: list[str], path: Path) -> dict[str, Params]:
        keyed: dict[str, Params] = {}
        for params in found:
            key = json_text({name: params.get(name) for name in keys})
            if key in keyed:
                why = f"two parameter sets of this generator have the same merge keys {key}"
                raise StopError(ProblemKind.INVALID, why, path)
            keyed[key] = params
        return keyed


def flag(value: Any, path: Path) -> bool:
    """A boolean field, false where it is absent. Raises StopError for anything else."""
    if value is not None and not isinstance(value, bool):
        raise StopError(ProblemKind.WRONG_TYPE, "the value is neither true nor false", path)
    return value is True


def _is_set(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _string(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        kind = "missing" if value is None else f"no string but {texts({'': from_json(value)})['']}"
        raise StopError(ProblemKind.WRONG_TYPE, f"the value is {kind}", path)
    return value


def _list_at(spec: dict[str, Any], name: str, path: Path) -> list[Any]:
    value = spec.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise StopError(ProblemKind.WRONG_TYPE, f"{name} is no list", (*path, name))
    return value


def _patterns(spec: dict[str, Any], name: str, path: Path) -> list[tuple[str, bool]]:
    """Patterns with whether they exclude."""
    found: list[tuple[str, bool]] = []
    for index, item in enumerate(_list_at(spec, name, path)):
        if not isinstance(item, dict):
            raise StopError(ProblemKind.WRONG_TYPE, "the item is no mapping", (*path, name, index))
        pattern = _string(item.get("path"), (*path, name, index, "path"))
        found.append((pattern, flag(item.get("exclude"), (*path, name, index, "exclude"))))
    return found
