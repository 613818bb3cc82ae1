"""Checks of what SOPS should have encrypted: documents encrypted in part, and files that its rules mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from posixpath import basename, dirname
from typing import Any, NamedTuple

from gitops_layout.agents.context import text
from gitops_layout.checks.once import once
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.secrets import is_public_key, secret_form
from gitops_layout.model import Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["partly", "rule_missed"]

_CONFIG = ".sops.yaml"
_KEYS = frozenset({"age", "pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "lastmodified", "version", "mac"})
_TEMPLATE = regexp(r"\{\{|\{%|\$\{|<[A-Z_]+>")
_SECRETIVE = regexp(r"secret|sops|credential|enc", re.IGNORECASE)
_GENERATORS = ("viaduct.ai/", "goabout.com/")


def partly(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Documents with SOPS's own block in which a value is in clear that it says is encrypted."""
    for path in graph.repo.manifests:
        for document in graph.repo.documents(path):
            sops = at(document.data, "sops")
            if not isinstance(sops, dict) or len(_KEYS.intersection(sops)) < 2:
                continue
            here = Location(path, (), document.index)
            if not sops.get("mac"):
                words = "its `sops` block has no mac, so that nothing decrypts it"
                yield Hit(here.key_at("sops"), {"problem": words, "subject": "mac"})
                continue
            encrypted = _encrypted(sops)
            for where, value in _leaves(document.data, ()):
                if (
                    encrypted is not None
                    and where[0] != "sops"
                    and encrypted(where)
                    and not _is_encrypted(value)
                ):
                    words = f"{_dotted(where)} is in clear, though SOPS encrypted the rest"
                    yield Hit(here.at(*where), {"problem": words, "subject": _dotted(where)})


def _encrypted(sops: Mapping[str, Any]) -> Callable[[Path], bool] | None:
    """Which paths the block says are encrypted, by its regexes and suffixes; None where comments decide."""
    from gitops_layout.agents.gotemplate.errors import FunctionError
    from gitops_layout.agents.gotemplate.regex import searcher

    if any(name.endswith("_comment_regex") and value for name, value in sops.items()):
        return None
    tests: list[tuple[bool, Callable[[str], bool]]] = []
    for name, positive in (("encrypted", True), ("unencrypted", False)):
        pattern, suffix = text(sops.get(f"{name}_regex")), text(sops.get(f"{name}_suffix"))
        if pattern is not None:
            try:
                tests.append((positive, searcher(pattern)))
            except FunctionError:
                return None
        if suffix is not None:
            tests.append((positive, lambda key, end=suffix: key.endswith(end)))  # type: ignore[misc]
    tests = tests or [(False, lambda key: key.endswith("_unencrypted"))]

    def decide(path: Path) -> bool:
        keys = [step for step in path if isinstance(step, str)]
        return all(any(map(test, keys)) is positive for positive, test in tests)

    return decide


def _leaves(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, index))
    else:
        yield path, data


def _is_encrypted(value: Any) -> bool:
    """What SOPS writes for a value; nulls and empty texts stay as they are."""
    return value is None or value == "" or (isinstance(value, str) and value.startswith("ENC["))


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def rule_missed(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Files that a creation rule means, that hold credentials or say so by their name, and are in clear."""
    repo = graph.repo
    for config in (path for path in repo.files if basename(path) == _CONFIG):
        folder = dirname(config)
        rules = list(_rules(repo, config))
        for path in repo.under(folder) if rules else ():
            if basename(path) == _CONFIG or is_aside(path) or repo.entries[path].target is not None:
                continue
            named = ".sops." in basename(path)
            if not named and path not in _manifests(repo):
                continue
            relative = path[len(folder) + 1 :] if folder else path
            rule = next((rule for rule in rules if rule.means(relative)), None)
            if rule is None or not (named or _SECRETIVE.search(rule.pattern)):
                continue  # a rule for all files says nothing about this one
            if rule.encrypts is None:
                continue
            if (where := _clear(repo, path, rule.encrypts, named=named)) is not None:
                yield Hit(
                    where, {"file": basename(path)}, (Related(rule.location, "the rule that means it"),)
                )


class _CreationRule(NamedTuple):
    """`encrypts` says of a path in a file whether SOPS would encrypt its value; None where comments decide."""

    pattern: str
    means: Callable[[str], bool]
    encrypts: Callable[[Path], bool] | None
    location: Location


def _rules(repo: Repo, config: str) -> Iterator[_CreationRule]:
    from gitops_layout.agents.gotemplate.errors import FunctionError
    from gitops_layout.agents.gotemplate.regex import searcher

    for document in repo.documents(config):
        listed = at(document.data, "creation_rules")
        for index, rule in enumerate(listed if isinstance(listed, list) else ()):
            pattern = text(at(rule, "path_regex")) or ""
            try:
                means = searcher(pattern)
            except FunctionError:
                continue
            here = Location(config, ("creation_rules", index), document.index)
            encrypts = _encrypted(rule) if isinstance(rule, dict) else None
            yield _CreationRule(pattern, means, encrypts, here)


_ASSIGNED = regexp(r"[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=")


def _clear(repo: Repo, path: str, encrypts: Callable[[Path], bool], *, named: bool) -> Location | None:
    """Where a file holds a credential in clear that its rule encrypts; None where it is encrypted, or holds none."""
    written = repo.text(path)
    if (
        not written.strip()
        or is_public_key(written)
        or "ENC[" in written
        or "sops_mac" in written
        or _TEMPLATE.search(written)
    ):
        return None
    for resource in repo.objects(path) if path in _manifests(repo) else ():
        if resource.ref.api_version.startswith(_GENERATORS):
            return None
        for section in (
            ("data", "stringData") if (resource.ref.group, resource.ref.kind) == ("", "Secret") else ()
        ):
            values = resource.data.get(section)
            for key, value in values.items() if isinstance(values, dict) else ():
                clear = secret_form(key, value, encoded=section == "data") == "plain"
                if clear and encrypts((section, str(key))):
                    return resource.location.at(section, key)
    if not named or path not in _manifests(repo):
        keys = [found[1] for line in written.split("\n") if (found := _ASSIGNED.match(line))]
        return Location(path) if named and any(encrypts((key,)) for key in keys) else None
    for document in repo.documents(path):
        for where, value in _leaves(document.data, ()):
            if (
                where
                and secret_form(str(where[-1]), value) == "plain"
                and where[0] not in ("apiVersion", "kind", "metadata")
                and encrypts(where)
            ):
                return Location(path, where, document.index)
    return None


@once
def _manifests(repo: Repo) -> frozenset[str]:
    return frozenset(repo.manifests)
