"""Objects with and without one planted mistake, our verdict on each, and the server's.

Our verdict joins what the schemas refuse and what the server's own code refuses, as the rules of `lint` do.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_layout.cli.loading import load_graph
from gitops_layout.errors import UserError
from gitops_layout.k8s.formats import label
from gitops_layout.model import ObjectRef
from gitops_layout.validation import bundle
from gitops_layout.validation.check import as_stored, validate
from gitops_layout.validation.server import refusals
from tests.validation.server import support as code
from tests.validation.support import KUBERNETES, SCHEMAS, Server, custom_objects, planted

MODES = ("create", "apply")
STRUCTURAL = frozenset({"text", "number", "fraction", "flag", "list", "object", "unknown", "missing", "null"})
"""Mistakes of type and structure, by the first word of their name."""
_MOST = 4_000
"""Characters of an object that is mutated."""


@dataclass(frozen=True, slots=True)
class Case:
    """One object to judge; `word` names the mistake in it, empty for none."""

    word: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """`apps/v1/Deployment text /spec/replicas`."""
        return f"{self.data['apiVersion']}/{self.data['kind']} {self.word}".strip()


def digest(data: object) -> str:
    """Tells whether a recorded verdict is still about this."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def mutations(data: dict[str, Any]) -> Iterator[Case]:
    """The object, and every mistake that we know how to plant in it, each once."""
    seen = set()
    found = [Case("", data)]
    found += [Case(f"{p.word} {p.place}", p.data) for p in planted(data) if p.word != "sound"]
    found += [
        Case(c.name.removeprefix(" "), c.data) for c in code.mutations(code.Case("", data, (None, None)))
    ]
    for path, value in code._places(data, ()):
        place = "/".join(map(str, path))
        found += [Case(f"{word} /{place}", code._with(data, path, new)) for word, new in _more(value)]
    for case in found:
        key = json.dumps(case.data, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield case


def _more(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case bool():
            pass
        case int():
            yield from (("over-32-bits", 2**31), ("over-64-bits", 2**63), ("70000", 70000))
        case str():
            yield from (
                ("blank", " "),
                ("slash", "a/b"),
                ("digits", "7"),
                ("two-lines", "a\nb"),
                ("star", "*"),
            )
        case list():
            yield from (
                ("null-item", [*value, None]),
                ("empty-item", [*value, {}]),
                ("word-item", [*value, "x"]),
            )
        case dict():
            yield from (("null-key", {**value, "x": None}), ("odd-key", {**value, "bad key!": "x"}))


def ours(data: dict[str, Any], mode: str) -> list[str]:
    """What we would refuse of a create or an apply, empty where we accept."""
    apply = mode == "apply"
    metadata = data.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    ref = ObjectRef(data["apiVersion"], data["kind"], "", str(name))
    verdict = validate(ref, data, schemas=SCHEMAS, kubernetes=(KUBERNETES,), apply=apply)
    refused = {v.path: v.message for v in verdict.violations if v.kind != "wraps"}
    found = [f"{'.'.join(map(str, path))}: {words}" for path, words in refused.items()]
    judged = refusals(as_stored(data, verdict), apply=apply)
    return found + [f"{'.'.join(map(str, r.path))}: {r.message}" for r in judged if r.path not in refused]


class Asked(Server):
    """The other tests' client, answering for both layers at once."""

    def letter(self, data: dict[str, Any], mode: str) -> str:
        """`a`ccepted, `r`efused, or `e`lse: for what is or is not in the cluster, or impossible to ask."""
        metadata = data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        url = self._url(data, metadata if isinstance(metadata, dict) else {})
        query = "dryRun=All&fieldValidation=Strict"
        if mode == "create":
            status, answer = self._send("POST", f"{url}?{query}", data, "application/json")
        elif not isinstance(name, str) or not name or name in (".", "..") or set("/%") & set(name):
            return "e"
        else:
            path = f"{url}/{code.http_quote(name)}?{query}&fieldManager=test&force=true"
            status, answer = self._send("PATCH", path, data, "application/apply-patch+yaml")
        words = str(answer.get("message", ""))
        if status < 300:
            return "a"
        # A definition that is installed for these tests differs from the one that is asked about.
        installed = "field is immutable" in words or "status.storedVersions" in words
        # Custom objects are all sent to one namespace: that theirs is another one says nothing of them.
        namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
        elsewhere = "namespace sent on the request" in words and not label(str(namespace))
        return "r" if status in (400, 422, 500) and not (installed or elsewhere) else "e"

    def _url(self, data: dict[str, Any], metadata: dict[str, Any]) -> str:
        if bundle.kinds(data["apiVersion"].rpartition("/")[0], kubernetes=KUBERNETES):
            return self._collection({**data, "metadata": metadata})
        return f"/apis/{data['apiVersion']}/namespaces/default/{data['kind'].lower()}s"

    def serves(self, data: dict[str, Any]) -> bool:
        """Whether the server knows the kind."""
        try:
            url = self._url(data, {})
        except KeyError:
            return False
        return self._send("GET", url, None, "application/json")[0] == 200


def own() -> dict[str, list[Case]]:
    """Our examples of every kind, sound ones with all mutations, by kind and a digest of all."""
    found: dict[str, list[Case]] = {}
    for case in code.examples():
        stem, _, word = case.name.partition(" ")
        found.setdefault(stem, []).extend([Case(word, case.data)] if word else mutations(case.data))
    for data in custom_objects():
        found.setdefault(f"{data['apiVersion']}/{data['kind']}", []).extend(mutations(data))
    return found


def further() -> dict[str, list[Case]]:
    """Objects of kinds that are met less often, with edits of which only the server says what they do to them."""
    found: dict[str, list[Case]] = {}
    for file in sorted(Path(__file__).with_name("further").glob("*.yaml")):
        for entry in yaml.safe_load(file.read_text()):
            data = entry["object"]
            for edits in ({}, *entry["edits"]):
                case = Case(json.dumps(edits) if edits else "", code.edited(data, edits))
                found.setdefault(f"{data['apiVersion']}/{data['kind']}", []).append(case)
    return found


def standing(folder: Path) -> str:
    """The commit of a checked out repository, empty where there is none."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def rendered(folder: Path) -> Iterator[dict[str, Any]]:
    """The objects of a repository as we render them, each once, in the namespace `default`; none that SOPS sealed."""
    try:
        graph = load_graph([folder]).graph
    except UserError:
        return
    seen = set()
    for delivery in graph.rendered.values():
        for item in delivery.objects:
            data = _placed(item.data)
            if (
                "sops" in data
                or not isinstance(data.get("apiVersion"), str)
                or not isinstance(data.get("kind"), str)
            ):
                continue
            key = digest(data)
            if key not in seen and json.dumps(data).isascii():
                seen.add(key)
                yield data


def _placed(data: dict[str, Any]) -> dict[str, Any]:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("namespace"):
        return data
    return {**data, "metadata": {**metadata, "namespace": "default"}}


def sampled(data: dict[str, Any]) -> list[Case]:
    """The object and three of its mutations, always the same."""
    if len(json.dumps(data)) > _MOST:
        return [Case("", data)]
    sound, *others = mutations(data)
    return [sound, *random.Random(digest(data)).sample(others, min(3, len(others)))]
