"""Checks of credentials where no Secret is: key material in files, and passwords among values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, join
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.writtenout import KUBECONFIG, TOKENS, argument, password_in_url, settings
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.graph.roots import kustomizations
from gitops_layout.k8s.pods import containers
from gitops_layout.k8s.secrets import secret_form
from gitops_layout.kustomize.model import mappings, strings
from gitops_layout.model import Affected, Hit, Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource

__all__ = ["in_values", "key_material"]

_MATERIAL = (
    (
        "a private key",
        ("PRIVATE KEY-----",),
        regexp(r"-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----(?:\\n|[ \t\r\n])*([A-Za-z0-9+/=]{40,})"),
    ),
    (
        "the private key of an age identity",
        ("AGE-SECRET-KEY-1",),
        regexp(r"\bAGE-SECRET-KEY-1([0-9A-Z]{50,})"),
    ),
    (
        "the client key of a kubeconfig",
        ("client-key-data:",),
        regexp(r"\bclient-key-data:[ \t]*[\"']?([A-Za-z0-9+/=]{100,})"),
    ),
    *TOKENS,
)
_KEY_FILES = regexp(r".*\.(?:pem|key|agekey|kubeconfig)|id_(?:rsa|ed25519|ecdsa)|kubeconfig|keys\.txt|\.env")
_ASIDE = regexp(r"(?:^|/)(?:tests?|testdata|fixtures|examples?|samples?|docs?|node_modules|vendor)(?:/|$)")


def key_material(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Private keys, and tokens that show what they are by their form, in files, whatever the files are for."""
    repo = graph.repo
    yaml = frozenset(repo.manifests)
    for path in repo.files:
        if path not in yaml and not _KEY_FILES.fullmatch(basename(path)):
            continue
        if repo.entries[path].target is not None or _ASIDE.search(path):
            continue
        text = repo.stream(path).text if path in yaml else repo.text(path)
        for what, start in _found(text):
            yield Hit(_on_its_line(path, text, start), {"what": what, "subject": what})


def _found(text: str) -> Iterator[tuple[str, int]]:
    forms = [(what, form) for what, marks, form in _MATERIAL if any(mark in text for mark in marks)]
    what, signs, token = KUBECONFIG
    if "token:" in text and all(sign.search(text) for sign in signs):
        forms.append((what, token))
    for what, form in forms:
        for found in form.finditer(text):
            if len(set(found[1])) > 8:  # not a row of x, which examples show
                yield what, found.start()


def _on_its_line(path: str, text: str, start: int) -> Location:
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Location(path, span=Span(line, column, line, column + 5, start, start + 5))


_CREDENTIAL = regexp(
    r"(?:^|.*[._-]|.*(?<=[a-z])(?=[A-Z]))"
    r"(?i:password|passwd|passphrase|token|api[_-]?key|secret[_-]?key|access[_-]?key|private[_-]?key"
    r"|client[_-]?secret)"
)
_LONGEST_KEY = 253
_NAME = regexp(r"[a-z]+(?:[-.][a-z0-9]+)+|[A-Z][A-Z0-9_]*")
_PLAIN_WORD = regexp(r"[a-z]+")
"""What names of objects look like: a key called `token` may say which Secret has it."""


_YOURS = regexp(r"[-_]your[-_]", re.IGNORECASE)
"""What is still to be filled in: `sk_test_your-stripe-key`."""


def in_values(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Keys that are called like credentials, with a literal that looks like one, outside Secrets."""
    for resource in graph.repo.resources:
        for path, key, value in _literals(resource):
            for place, named in _told(graph, resource.location.at(*path), key, value):
                values = {"key": named, "kind": resource.ref.kind, "subject": named}
                yield Hit(place, values, (), Affected(resource.ref))
    for place, key, value in _generated(graph):
        for where, named in _told(graph, place, key, value):
            yield Hit(where, {"key": named, "kind": "configMapGenerator", "subject": named})
    for file in sorted(set(_generated_files(graph))):
        written = graph.repo.text(file)
        for start, named in _in_settings(file, written):
            values = {"key": named, "kind": "configMapGenerator", "subject": named}
            yield Hit(_on_its_line(file, written, start), values)


def _told(graph: Graph, place: Location, key: str, value: Any) -> Iterator[tuple[Location, str]]:
    """Where a value is, or has, a credential, and what that is called."""
    if _is_credential(key, value):
        yield place, key
    elif isinstance(value, str) and password_in_url(value) is not None and "\n" not in value.strip():
        yield place, f"the password in {key}"
    elif isinstance(value, str) and "\n" in value.strip() and place.span is None:
        span = graph.repo.span(place)
        source = graph.repo.stream(place.file).text
        for start, named in _in_settings(key, source[span.start : span.end]):
            yield _on_its_line(place.file, source, span.start + start), named


def _in_settings(name: str, written: str) -> Iterator[tuple[int, str]]:
    """Where a file of settings gives a credential: for each key the first of them, which says what has to be done."""
    told = set()
    for start, key, value in settings(name, written):
        if _is_credential(key, value):
            named = key
        elif password_in_url(value) is not None:
            named = f"the password in {key}"
        else:
            continue
        if named not in told:
            told.add(named)
            yield start, named


def _generated(graph: Graph) -> Iterator[tuple[Location, str, str]]:
    """Where configMapGenerators are given a value, in their literals and in files of variables; its key, and the value."""
    for kustomization in kustomizations(graph.repo):
        for generator, index in mappings(kustomization.data, "configMapGenerator"):
            here = kustomization.location.at("configMapGenerator", index)
            for literal, number in strings(generator, "literals"):
                key, _, value = literal.partition("=")
                yield here.at("literals", number), key, value.strip("'\"")
            named = [*strings(generator, "envs"), (text(generator.get("env")) or "", 0)]
            for file in (graph.repo.resolve(join(kustomization.folder, name)) for name, _ in named if name):
                if file is not None and file in graph.repo.entries:
                    yield from _of_variables(file, graph.repo.text(file))


def _generated_files(graph: Graph) -> Iterator[str]:
    """The files that configMapGenerators take as they are."""
    for kustomization in kustomizations(graph.repo):
        for generator, _ in mappings(kustomization.data, "configMapGenerator"):
            for entry, _ in strings(generator, "files"):
                file = graph.repo.resolve(join(kustomization.folder, entry.rpartition("=")[2]))
                if (
                    file is not None
                    and file in graph.repo.entries
                    and graph.repo.entries[file].target is None
                ):
                    yield file


def _of_variables(file: str, written: str) -> Iterator[tuple[Location, str, str]]:
    start = 0
    for line in written.splitlines(keepends=True):
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            yield _on_its_line(file, written, start), key.strip(), value.strip().strip("'\"")
        start += len(line)


def _literals(resource: Resource) -> Iterator[tuple[Path, str, Any]]:
    """Path, key and value of what is written in clear by design: values, ConfigMaps, variables of containers."""
    data = resource.data
    match resource.ref.group, resource.ref.kind:
        case "", "ConfigMap":
            yield from _below(data.get("data"), ("data",))
        case "helm.toolkit.fluxcd.io", "HelmRelease":
            yield from _below(at(data, "spec", "values"), ("spec", "values"))
        case "argoproj.io", "Application":
            values = at(data, "spec", "source", "helm", "valuesObject")
            yield from _below(values, ("spec", "source", "helm", "valuesObject"))
            yield from _pairs(
                at(data, "spec", "source", "helm", "parameters"), ("spec", "source", "helm", "parameters")
            )
        case _:
            for container in containers(data):
                yield from _pairs(container.data.get("env"), (*container.path, "env"))
                for listed in ("command", "args"):
                    yield from _arguments(container.data.get(listed), (*container.path, listed))


def _below(data: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    if isinstance(data, dict):
        yield from _pairs([data], path[:-1], at_index=path[-1]) if {"name", "value"} <= data.keys() else ()
        for key, value in data.items():
            if isinstance(value, str):
                yield (*path, key), str(key), value
            else:
                yield from _below(value, (*path, str(key)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _below(value, (*path, index))


def _pairs(listed: Any, path: Path, *, at_index: str | int | None = None) -> Iterator[tuple[Path, str, Any]]:
    """Items of the form `{name, value}`, as variables of containers and parameters of charts are."""
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield (*path, index if at_index is None else at_index, "value"), item["name"], item.get("value")


def _arguments(listed: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        given = argument(item) if isinstance(item, str) else None
        if given is not None:
            yield (*path, index), *given


def _is_credential(key: str, value: Any) -> bool:
    if (
        not isinstance(value, str)
        or not _CREDENTIAL.fullmatch(key[-_LONGEST_KEY:])
        or secret_form(key, value) != "plain"
    ):
        return False
    if len(value) < 6 or any(sign.isspace() for sign in value) or value.startswith(("/", ".", "$", "%", "@")):
        return False
    if _PLAIN_WORD.fullmatch(value) and "pass" not in key.lower():
        return False  # where no key is asked for, any word does
    if "existing" in key.lower():
        return False  # which Secret has it, and under which key
    if _YOURS.search(value):
        return False
    if value.startswith("urn:") or value.lower() == key.rpartition(".")[2].lower():
        return False  # a reference, or which key of a Secret has it
    return "://" not in value and not _NAME.fullmatch(value) and "ENC[" not in value
