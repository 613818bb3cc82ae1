"""Examples, mutations of them, and what a real API server says to both."""

from __future__ import annotations

import copy
import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import yaml

from gitops_layout.k8s.formats import label
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.validation.server import Refusal, refusals

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

EXAMPLES = Path(__file__).with_name("examples")
DELETE = "<delete>"
MODES = ("create", "apply")
EXPECTED: dict[str, tuple[bool | None, bool | None]] = {
    "good": (True, True),
    "bad": (False, False),
    "merged": (True, False),  # items that only apply cannot tell apart
}


@dataclass(frozen=True, slots=True)
class Case:
    """One object to judge; `expected` tells whether create and apply accept it, None where nobody said."""

    name: str
    data: dict[str, Any]
    expected: tuple[bool | None, bool | None]

    @property
    def digest(self) -> str:
        """Says whether a recorded verdict is still about this object."""
        return hashlib.sha256(json.dumps(self.data, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`accepted`, `refused` by validation, or refused `elsewhere` (decoding, admission, a missing namespace)."""

    word: str
    reason: str


def examples() -> Iterator[Case]:
    """Sound objects and edits of them, from the YAML files beside this one."""
    for file in sorted(EXAMPLES.glob("*.yaml")):
        for entry in yaml.safe_load(file.read_text()):
            data = entry["object"]
            stem = f"{data['apiVersion']}/{data['kind']}"
            yield Case(stem, copy.deepcopy(data), (True, True))
            for word, expected in EXPECTED.items():
                for edits in entry.get(word, ()):
                    yield Case(f"{stem} {word} {json.dumps(edits)}", edited(data, edits), expected)


def edited(data: dict[str, Any], edits: dict[str, Any]) -> dict[str, Any]:
    """A copy of `data` with JSON pointers set to new values."""
    result = copy.deepcopy(data)
    for pointer, value in edits.items():
        *parents, last = (part.replace("~1", "/") for part in pointer[1:].split("/"))
        place: Any = result
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        key: Any = int(last) if isinstance(place, list) else last
        if value == DELETE:
            del place[key]
        else:
            place[key] = copy.deepcopy(value)
    return result


def mutations(case: Case) -> Iterator[Case]:
    """Plant one mistake at a time: bad name, bad word, out of range, item twice, value missing."""
    for path, value in _places(case.data, ()):
        for word, changed in _mistakes(value):
            data = _with(case.data, path, changed)
            yield Case(f"{case.name} {word} {'/'.join(map(str, path))}", data, (None, None))


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    pairs: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in pairs:
        if path or key not in ("apiVersion", "kind"):
            yield (*path, key), inner
            yield from _places(inner, (*path, key))


def _mistakes(value: Any) -> Iterator[tuple[str, Any]]:
    yield "missing", DELETE
    match value:
        case bool():
            yield "flipped", not value
        case int():
            yield from (("negative", -7), ("zero", 0), ("huge", 99_999_999))
        case str():
            yield from (("odd", "Not a_Name/!"), ("empty", ""), ("long", "a" * 300), ("upper", value.upper()))
        case list() if value:
            yield "twice", [*value, copy.deepcopy(value[0])]
            yield "emptied", []
        case dict():
            yield "emptied", {}


def _with(data: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(data)
    place: Any = result
    for part in path[:-1]:
        place = place[part]
    if value == DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


def ours(data: dict[str, Any], mode: str) -> list[Refusal]:
    """Our verdict."""
    return list(refusals(data, apply=mode == "apply"))


class Server:
    """Dry runs against a control plane, over one connection."""

    def __init__(self, plane: ControlPlane) -> None:
        host, port = plane.server.removeprefix("https://").split(":")
        pki = plane.directory / "pki"
        tls = ssl.create_default_context(cafile=pki / "ca.crt")
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._connection = http.client.HTTPSConnection(host, int(port), context=tls, timeout=30)
        self._plurals: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def judge(self, data: dict[str, Any], mode: str) -> Verdict:
        """Send `data` as a dry run with strict field validation."""
        query = "dryRun=All&fieldValidation=Strict"
        url = self._collection(data)
        if mode == "create":
            return _verdict(*self._send("POST", f"{url}?{query}", data, "application/json"))
        name = data.get("metadata", {}).get("name", "")
        if not name:
            return Verdict("refused", "no name")
        path = f"{url}/{http_quote(name)}?{query}&fieldManager=test&force=true"
        return _verdict(*self._send("PATCH", path, data, "application/apply-patch+yaml"))

    def _collection(self, data: dict[str, Any]) -> str:
        version, kind = data["apiVersion"], data["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            listed = self._send("GET", root, None, "application/json")[1]
            for item in listed["resources"]:
                if "/" not in item["name"]:
                    self._plurals[version, item["kind"]] = item["name"]
        group = version.rpartition("/")[0]
        namespace = data.get("metadata", {}).get("namespace")
        # A namespace that nothing can have is the body's mistake: the request has to arrive first.
        if not isinstance(namespace, str) or label(namespace):
            namespace = "default"
        place = f"/namespaces/{namespace}" if builtin_scope(group, kind) else ""
        return f"{root}{place}/{self._plurals[version, kind]}"

    def _send(self, method: str, path: str, body: object, kind: str) -> tuple[int, Any]:
        # A server that is sent YAML takes no halves of surrogates.
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace")
        headers = {"Content-Type": kind}
        try:
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
        except ConnectionError:  # the server ends connections that nobody used for a while
            self._connection.close()
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"message": text.decode("utf-8", "replace")}


def http_quote(name: str) -> str:
    """One segment of a URL."""
    return quote(name, safe="")


def _verdict(status: int, answer: Any) -> Verdict:
    message = str(answer.get("message", ""))[:300]
    if status < 300:
        return Verdict("accepted", "")
    if status == 422 or "duplicate entries for key" in message or "duplicate key" in message:
        return Verdict("refused", message)
    # 400 and failed typed patches: the body does not decode; 403 and 404: admission and other objects.
    return Verdict("elsewhere", message)
