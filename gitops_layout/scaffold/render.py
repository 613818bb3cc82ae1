"""Spec and templates in, files out: the same bytes that Copier makes of the same templates.

A path part may loop as Copier's do, `{% yield app from apps %}…{% endyield %}`; a part that renders
to nothing leaves the file out. Nothing is read but the templates.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from gitops_layout import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_layout.spec import Spec

__all__ = [
    "File",
    "Ownership",
    "answers",
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
_YIELD = re.compile(r"\{% yield (\w+) from (.+?) %\}(.*)\{% endyield %\}")
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


@dataclass(frozen=True, slots=True)
class File:
    """A file as the templates make it."""

    content: bytes
    owner: Ownership


def render(spec: Spec) -> dict[str, File]:
    """Every file of the repository that `spec` asks for, by path relative to its root with `/`."""
    return render_answers(answers(spec))


def render_app(spec: Spec, app: str) -> dict[str, File]:
    """The repository of an app whose releases open pull requests on the one that `spec` describes: all seed."""
    values = answers(spec)
    [chosen] = (item for item in values["apps"] if item["name"] == app)
    files = render_answers({**values, "layout": "app", "own_app": chosen})
    return {path: File(file.content, Ownership.SEED) for path, file in files.items()}


def render_answers(values: Mapping[str, Any]) -> dict[str, File]:
    """The same from Copier's answers: what a lock remembers can be rendered again."""
    folder = folder_of(values["layout"])
    root = bundle.root()
    environment = _environment(root)
    files: dict[str, File] = {}
    for template, path, context in _paths(_tree(root, folder), dict(values)):
        name = f"templates/{folder}/{template}"
        if template.endswith(_SUFFIX):
            content = environment.get_template(name).render(context).encode()
        else:
            content = (root / name).read_bytes()
        files[path] = File(content, owner_of(path, folder))
    return dict(sorted(files.items()))


def places(spec: Spec) -> dict[tuple[str, tuple[int, ...]], str]:
    """Every path by the template and the items of its loops that made it: what stays when a name changes."""
    folder = folder_of(spec.layout)
    return {
        (template, context.get(_INDICES, ())): path
        for template, path, context in _paths(_tree(bundle.root(), folder), answers(spec))
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
        "self_managed": spec.agent.self_managed,
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
    }


def folder_of(layout: str) -> str:
    """The folder of templates/ that a layout renders, as copier.yml's `_subdirectory` says."""
    return "app" if layout == "app" else "repository"


def owner_of(path: str, folder: str) -> Ownership:
    """Who owns a generated path, by the first line of templates/ownership.yaml that matches it."""
    for pattern, owner in _ownership(bundle.root())[folder]:
        if pattern.fullmatch(path):
            return owner
    return Ownership.MANAGED


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
def _ownership(root: Path) -> dict[str, tuple[tuple[re.Pattern[str], Ownership], ...]]:
    data = yaml.safe_load((root / "templates" / "ownership.yaml").read_bytes())
    return {
        folder: tuple((_pattern(row["match"]), Ownership(row["owner"])) for row in rows)
        for folder, rows in data.items()
    }


def _pattern(match: str) -> re.Pattern[str]:
    """A path with `*` for any name, or part of one."""
    return re.compile("[^/]*".join(re.escape(part) for part in match.split("*")))


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
    loop = _YIELD.search(part) if "{" in part else None
    if loop is None:
        yield _text(part, context), context
        return
    variable, items, body = loop.groups()
    body = part[: loop.start()] + body + part[loop.end() :]
    for index, item in enumerate(_expression(items)(**context)):
        inner = {**context, variable: item, _INDICES: (*context.get(_INDICES, ()), index)}
        yield _text(body, inner), inner


def _text(source: str, context: Mapping[str, Any]) -> str:
    return _string(source).render(context) if "{" in source else source


# Names and loops of paths import nothing, so they compile alike wherever the templates are.
@cache
def _string(source: str) -> Any:
    return _environment(bundle.root()).from_string(source)


@cache
def _expression(source: str) -> Any:
    return _environment(bundle.root()).compile_expression(source, undefined_to_none=False)
