"""Spec and templates in, files out: the same bytes that Copier makes of the same templates.

A path part may loop as Copier's do, `{% yield app from apps %}…{% endyield %}`; a part that renders
to nothing leaves the file out. Nothing is read but the templates.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from gitops_layout import bundle
from gitops_layout.patterns import regexp
from gitops_layout.scaffold.inputs import Digests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitops_layout.spec import Spec

__all__ = [
    "File",
    "Known",
    "Ownership",
    "answers",
    "blob_id",
    "layouts",
    "owner_of",
    "places",
    "render",
    "render_answers",
    "render_app",
    "template_digest",
]

LAYOUTS = ("config", "monorepo", "split", "platform", "tenant")
_SUFFIX = ".jinja"
_INDICES = "_indices"  # in a path's context: which item of each loop it was made from
_NAMES = "_names"  # and the names that were made so far
_BETWEEN = "\x1f"
_TERM = regexp(r"(?<![\w.])([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?")
_REFERENCE = regexp(r"(\w+)(?:\.(\w+))?")
_PRINTED = regexp(r"\{\{ ([\w.]+) \}\}")
_YIELD = regexp(r"\{% yield (\w+) from (.+?) %\}(.*)\{% endyield %\}")
# Copier alone writes its answers file; we keep a lock instead.
_COPIER_ONLY = "{{ _copier_conf.answers_file }}"


_Tree = dict[str, "_Tree | str"]
"""Parts of paths to what lies below them: more parts, or the template that the last one is of."""


class Ownership(StrEnum):
    """Who may change a file once it is written, and what converging does to it then.

    `MANAGED` is regenerated and merged; `SEED` is the user's once edited; `FRAGMENT` shares the file
    with the user item by item; `ROBOT` is written by bots and promotion and never reverted.
    """

    MANAGED = "managed"
    SEED = "seed"
    FRAGMENT = "fragment"
    ROBOT = "robot"


class File:
    """A file as the templates make it, rendered when somebody asks for its content.

    `inputs` is a digest of all that it is made of: its template, and the answers that this one speaks of. `blob` is
    the git blob id of the content, known without it where the last run made the same file of the same inputs.
    """

    __slots__ = ("_blob", "_content", "_make", "inputs", "owner")

    def __init__(
        self, make: Callable[[], bytes], owner: Ownership, inputs: str = "", *, blob: str | None = None
    ) -> None:
        self.owner = owner
        self.inputs = inputs
        self._make = make
        self._blob = blob
        self._content: bytes | None = None

    @property
    def content(self) -> bytes:
        if self._content is None:
            self._content = self._make()
        return self._content

    @property
    def blob(self) -> str:
        if self._blob is None:
            self._blob = blob_id(self.content)
        return self._blob


class Known(Protocol):
    """What is remembered of a generated file: `gitops_layout.scaffold.lock.Entry`."""

    @property
    def inputs(self) -> str: ...
    @property
    def blob(self) -> str: ...


def blob_id(content: bytes) -> str:
    """The id git gives these bytes, in repositories of its default (SHA-1) object format."""
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def render(spec: Spec, known: Mapping[str, Known] | None = None) -> dict[str, File]:
    """Every file of the repository that `spec` asks for, by path relative to its root with `/`.

    `known` is what the last run made, by path: a file of the same inputs is the same, and need not be rendered.
    """
    return render_answers(answers(spec), known)


def render_app(spec: Spec, app: str) -> dict[str, File]:
    """The repository of an app whose releases open pull requests on the one that `spec` describes: all seed."""
    values = answers(spec)
    [chosen] = (item for item in values["apps"] if item["name"] == app)
    files = render_answers({**values, "layout": "app", "own_app": chosen})
    for file in files.values():
        file.owner = Ownership.SEED
    return files


def render_answers(values: Mapping[str, Any], known: Mapping[str, Known] | None = None) -> dict[str, File]:
    """The same from Copier's answers: what a lock remembers can be rendered again."""
    folder = folder_of(values["layout"])
    root = bundle.root()
    digests = Digests(root, values)
    files: dict[str, File] = {}
    for template, path, context in _paths(_tree(root, folder), {**values, _NAMES: {}}):
        name = f"templates/{folder}/{template}"
        inputs = digests.of(name, context)
        entry = known.get(path) if known is not None else None
        blob = entry.blob if entry is not None and entry.inputs == inputs else None
        files[path] = File(partial(_content, root, name, context), owner_of(path, folder), inputs, blob=blob)
    return dict(sorted(files.items()))


def _content(root: Path, name: str, context: Mapping[str, Any]) -> bytes:
    if name.endswith(_SUFFIX):
        return _environment(root).get_template(name).render(context).encode()
    return (root / name).read_bytes()


def places(spec: Spec) -> dict[tuple[str, tuple[int, ...]], str]:
    """Every path by the template and the items of its loops that made it: what stays when a name changes."""
    folder = folder_of(spec.layout)
    return {
        (template, context.get(_INDICES, ())): path
        for template, path, context in _paths(_tree(bundle.root(), folder), {**answers(spec), _NAMES: {}})
    }


def answers(spec: Spec) -> dict[str, Any]:
    """The spec as answers to copier.yml's questions: plain data, every default filled in."""
    secrets, told = spec.features.secrets, spec.features.notifications
    return {
        "layout": spec.layout,
        "name": spec.name,
        "agent": spec.agent.name,
        "agent_version": spec.agent.version or "",
        "wiring": spec.agent.wiring or "",
        "install": spec.agent.install or "",
        "artifacts": spec.agent.artifacts,
        "self_managed": spec.agent.self_managed is not False,
        "vendored": spec.agent.self_managed == "vendored",
        "repo_url": spec.repo.url,
        "repo_branch": spec.repo.branch,
        "repo_owners": list(spec.repo.owners),
        "ci": spec.features.ci,
        "image_automation": spec.features.image_automation is not None,
        "notifications": told.model_dump(by_alias=True) if told else {},
        "policy": spec.features.policy or "none",
        "secrets": secrets.kind if secrets else "none",
        "recipients": [item.model_dump() for item in secrets.recipients] if secrets else [],
        "stores": [item.model_dump() for item in secrets.stores] if secrets else [],
        "environments": [item.model_dump(by_alias=True) for item in spec.environments],
        "clusters": [item.model_dump() for item in spec.clusters],
        "tenants": [item.model_dump() for item in spec.tenants],
        "tenancy": spec.tenancy.model_dump(by_alias=True) if spec.tenancy else {},
        "components": [item.model_dump() for item in spec.components],
        "apps": [item.model_dump() for item in spec.apps],
        "app_tenants": sorted({item.tenant for item in spec.apps if item.tenant}),
    }


def folder_of(layout: str) -> str:
    """The folder of templates/ that a layout renders, as copier.yml's `_subdirectory` says."""
    return "app" if layout == "app" else "repository"


def owner_of(path: str, folder: str) -> Ownership:
    """Who owns a generated path, by the first line of templates/ownership.yaml that matches it."""
    pattern, owners = _ownership(bundle.root())[folder]
    match = pattern.fullmatch(path)
    return owners[match.lastindex - 1] if match is not None and match.lastindex else Ownership.MANAGED


def layouts() -> frozenset[str]:
    """The layouts that have templates."""
    return frozenset(layout for layout in LAYOUTS if folder_of(layout) in _ownership(bundle.root()))


def template_digest(layout: str) -> str:
    """`sha256:…` over everything that decides what a layout renders to."""
    root = bundle.root() / "templates"
    digest = hashlib.sha256()
    folder = folder_of(layout)
    names = [f"{folder}/{name}" for name in _templates(bundle.root(), folder)]
    names += [f"shared/{path.name}" for path in sorted((root / "shared").iterdir())]
    for name in [*names, "ownership.yaml"]:
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"sha256:{digest.hexdigest()}"


@cache
def _environment(root: Path) -> SandboxedEnvironment:
    # The options are those of copier.yml's _envops; a test compares the bytes.
    return SandboxedEnvironment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
    )


@cache
def _templates(root: Path, folder: str) -> tuple[str, ...]:
    top = root / "templates" / folder
    found = (path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file())
    return tuple(sorted(name for name in found if not name.startswith(_COPIER_ONLY)))


@cache
def _ownership(root: Path) -> dict[str, tuple[re.Pattern[str], tuple[Ownership, ...]]]:
    """By folder: one pattern with a group a line of ownership.yaml, and the owner that each group means."""
    data = yaml.safe_load((root / "templates" / "ownership.yaml").read_bytes())
    return {
        folder: (
            re.compile("|".join(f"({_pattern(row['match'])})" for row in rows)),
            tuple(Ownership(row["owner"]) for row in rows),
        )
        for folder, rows in data.items()
    }


def _pattern(match: str) -> str:
    """A path with `*` for any name, or part of one."""
    return "[^/]*".join(re.escape(part) for part in match.split("*"))


def _paths(
    tree: _Tree, context: dict[str, Any], above: str = ""
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each template, each path that it stands for, and the loop variables that made it; a folder's name is rendered
    once for all that is in it.
    """
    for part, below in tree.items():
        for name, inner in _part(part, context):
            if not name:
                continue
            if isinstance(below, str):
                yield below, f"{above}{name}", inner
            else:
                yield from _paths(below, inner, f"{above}{name}/")


@cache
def _tree(root: Path, folder: str) -> _Tree:
    """The templates of a folder by the parts of their paths."""
    tree: _Tree = {}
    for template in _templates(root, folder):
        *folders, last = template.removesuffix(_SUFFIX).split("/")
        here = tree
        for part in folders:
            below = here.setdefault(part, {})
            assert isinstance(below, dict)
            here = below
        here[last] = template
    return tree


def _part(part: str, context: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    loop = _loop(part)
    if loop is None:
        yield _text(part, context), context
        return
    variable, items, body = loop.groups()
    body = part[: loop.start()] + body + part[loop.end() :]
    found = _looked_up(items, context)
    found = _expression(items)(**context) if found is None else found
    for index, (item, name) in enumerate(zip(found, _names(variable, items, body, context), strict=True)):
        yield name, {**context, variable: item, _INDICES: (*context.get(_INDICES, ()), index)}


@cache
def _loop(part: str) -> re.Match[str] | None:
    return _YIELD.search(part)


def _names(variable: str, items: str, body: str, context: dict[str, Any]) -> list[str]:
    """What the body of a loop comes to for each item, all in one go: starting a template costs more than what it does."""
    simple = _PRINTED.fullmatch(body)
    found = _looked_up(items, context)
    if simple is not None and found is not None:
        values = [_looked_up(simple[1], {**context, variable: item}) for item in found]
        names = [value for value in values if isinstance(value, str)]
        if len(names) == len(values):
            return names
    text: str = _string(f"{{% for {variable} in {items} %}}{body}{_BETWEEN}{{% endfor %}}").render(context)
    return text.split(_BETWEEN)[:-1]


def _looked_up(source: str, context: Mapping[str, Any]) -> Any:
    """The value of `name` or `name.field`, which need no compiler; None for all else."""
    match = _REFERENCE.fullmatch(source)
    if match is None:
        return None
    value = context.get(match[1])
    if match[2] is None:
        return value
    return value.get(match[2]) if isinstance(value, dict) and not hasattr(dict, match[2]) else None


def _text(source: str, context: dict[str, Any]) -> str:
    """The name that a part of a path comes to, remembered by what it speaks of: of 300 apps, most are of one kind."""
    if "{" not in source:
        return source
    known = context[_NAMES]
    key = (source, *[_told(context[word], field) for word, field in _terms(source) if word in context])
    if key not in known:
        known[key] = _string(source).render(context)
    name: str = known[key]
    return name


def _told(value: Any, field: str | None) -> str | int:
    """What tells one value, or one field of it, from another: a text itself, all else by its identity."""
    if field is not None and isinstance(value, dict):
        value = value.get(field, value)
    # The answers hold on to every item for as long as the names are remembered.
    return value if isinstance(value, str) else id(value)


@cache
def _terms(source: str) -> tuple[tuple[str, str | None], ...]:
    """The names that a part of a path speaks of, each with its field; without, where all of it may count."""
    found = {*_TERM.findall(source)}
    return tuple((name, None if not field or hasattr(dict, field) else field) for name, field in found)


# Names and loops of paths import nothing, so they compile alike wherever the templates are.
@cache
def _string(source: str) -> Any:
    return _environment(bundle.root()).from_string(source)


@cache
def _expression(source: str) -> Any:
    return _environment(bundle.root()).compile_expression(source, undefined_to_none=False)
