"""Manifests that are somebody's template although they are YAML: a script, a pipeline or an overlay puts names in place
of their tokens (`APP_NAME`, `<app>`) before anybody applies them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename, splitext

from gitops_layout.agents.delivery import BARE, Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find
from gitops_layout.model import Location
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.values import dataclass

__all__ = ["Template", "is_filled_later", "templates"]

_CAPITALS = r"(?<![A-Za-z0-9_$])(?<!\$\{)[A-Z][A-Z0-9_]{3,}(?![A-Za-z0-9_])"
_NAMED = regexp(rf"{_CAPITALS}(?!=)")
_BRACKETS = regexp(r"<[\w .-]+>")
_TOKEN = regexp(rf"<[\w .-]+>|{_CAPITALS}")
_SCRIPTS = frozenset(
    {
        ".sh",
        ".bash",
        ".zsh",
        ".py",
        ".ps1",
        ".rb",
        ".js",
        ".mjs",
        ".ts",
        ".pl",
        ".go",
        ".tf",
        ".mk",
        ".groovy",
    }
)
_LONGEST = 2**20


@dataclass(frozen=True, slots=True)
class Template:
    """A delivery that no agent makes and whose names are `token`s; `by` is the file that fills them in, empty where the
    form alone says so. `files` are those that hold such names.
    """

    token: str
    place: Location
    files: frozenset[str]
    object: RenderedObject
    by: str = ""

    def holds_token(self, text: str) -> bool:
        """Whether a text of the template has something of the kind that is to be replaced."""
        pattern = _BRACKETS if self.token.startswith("<") else _TOKEN
        return pattern.search(text) is not None


_last: list[tuple[Graph, Mapping[str, Template]]] = []


def is_filled_later(graph: Graph, delivery: str | None, text: str) -> bool:
    """Whether something of a text is yet to be filled in, since the delivery that brings it is somebody's template."""
    template = templates(graph).get(delivery or "")
    return template is not None and template.holds_token(text)


def templates(graph: Graph) -> Mapping[str, Template]:
    """The deliveries that are templates, by their id; the rules of one run share them."""
    if not _last or _last[0][0] is not graph:
        _last[:] = [(graph, dict(_found(graph)))]
    return _last[0][1]


def _found(graph: Graph) -> Iterator[tuple[str, Template]]:
    named: Mapping[str, str] | None = None
    for delivery in graph.deliveries:
        if delivery.agent == "helm" or (delivery.live and delivery.agent not in BARE):
            continue
        tokens = list(_tokens(graph, delivery))
        if not tokens:
            continue
        files = frozenset(place.file for _, place, _ in tokens)
        for token, place, item in tokens:
            by = ""
            if not token.startswith("<"):
                named = _replaced(graph.repo) if named is None else named
                by = named.get(token, "")
            if by or token.startswith("<"):
                yield delivery.id, Template(token, place, files, item, by)
                break


def _tokens(graph: Graph, delivery: Delivery) -> Iterator[tuple[str, Location, RenderedObject]]:
    """What stands in the names and namespaces of a delivery's objects and can be none (names of rights may have capitals)."""
    for item in graph.rendered[delivery.id].objects:
        if item.ref.group == "rbac.authorization.k8s.io":
            continue
        for field, value in (("name", item.ref.name), ("namespace", item.ref.namespace)):
            bare = value.islower() and "<" not in value  # nearly every one
            if not bare and (found := _TOKEN.search(value)) is not None:
                yield found[0], item.origin(("metadata", field)), item


def _replaced(repo: Repo) -> Mapping[str, str]:
    """The words in capitals that scripts, pipelines and the patches of overlays name, each with a file that does."""
    found: dict[str, str] = {}
    for path in repo.files:
        entry = repo.entries[path]
        if entry.target is None and entry.size <= _LONGEST:
            for word in _NAMED.findall(_program(repo, path)):
                found.setdefault(word, path)
    return found


def _program(repo: Repo, path: str) -> str:
    """What a file says that may replace something: a script, a YAML file without objects, the targets of patches."""
    name = basename(path)
    if name in FILE_NAMES:
        own = find(repo, path.removesuffix(name).rstrip("/"))
        patches = own.data.get("patches") if isinstance(own, Kustomization) else None
        listed = patches if isinstance(patches, list) else []
        return "\n".join(str(patch.get("target")) for patch in listed if isinstance(patch, dict))
    if is_yaml(path):
        text = repo.stream(path).text
        return "" if path.endswith(".json") or "\napiVersion:" in f"\n{text}" else text
    if splitext(name)[1] in _SCRIPTS or name.startswith(("Makefile", "Jenkinsfile", "justfile")):
        return repo.text(path)
    return ""
