"""gitops.yaml in, Spec out, or every mistake at once with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from gitops_layout.errors import UserError
from gitops_layout.source.reader import read
from gitops_layout.spec.checks import (
    agent_problems,
    chart_problems,
    delivery_name_problems,
    did_you_mean,
    namespace_problems,
    reference_problems,
    skeleton_problems,
    tenancy_problems,
)
from gitops_layout.spec.feature_checks import feature_problems
from gitops_layout.spec.model import KIND, TENANT_KIND, File, Metadata, Repository, Spec, TenantFile, complete
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from gitops_layout.model import Path
    from gitops_layout.source.document import Document
    from gitops_layout.spec.checks import Problem

INCOMPATIBLE = "found incompatible YAML document"
"""What kubectl and Flux say too of a file that begins with `%YAML 1.2`."""

# Words of the design that no template honours yet: naming one must not look like success.
_NOT_YET = frozenset(
    {
        "moved", "approval", "dependsOn", "delivery",
        "style", "host", "previews",
        "promotion", "renovate", "role",
    }
)  # fmt: skip


PARTS = "gitops.d/"
"""Where files of tenants lie, each `<tenant>.yaml`."""


def is_part(path: str) -> bool:
    """Whether a path is that of a file of `gitops.d/` that counts: a YAML file in it, and in no folder below."""
    return path.startswith(PARTS) and path.count("/") == 1 and path.endswith((".yaml", ".yml"))


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of the spec, and where its apps stand among all: from `first` on."""

    file: str
    document: Document
    first: int


def load(
    content: bytes | str, file: str = "gitops.yaml", *, parts: Mapping[str, bytes] | None = None
) -> Spec:
    """Read gitops.yaml's bytes; UserError names every mistake with file:line:column, all at once.

    `parts` are the files of `gitops.d/`, by path: apps of tenants, each in a file of its tenant.
    """
    main = _document(content, file, KIND)
    data, files = main.data, [_Part(file, main, 0)]
    problems = _duplicates(main, file)
    for part_file, text in sorted((parts or {}).items()):
        document = _document(text, part_file, TENANT_KIND)
        found = [*_part_problems(document, part_file, data), *_duplicates(document, part_file)]
        problems += found
        if not found and isinstance(data["spec"].get("apps") or [], list):
            own = [
                {"tenant": document.data["metadata"]["name"], **app} if isinstance(app, dict) else app
                for app in document.data["spec"].get("apps") or []
            ]
            apps = data["spec"].get("apps") or []
            files.append(_Part(part_file, document, len(apps)))
            data = {**data, "spec": {**data["spec"], "apps": [*apps, *own]}}

    def stands(path: Path) -> str:
        part, inner = _placed(files, path)
        return f"at {part.file}:{part.document.span(inner).line}"

    spec, mistakes = _check(data, stands)
    for path, key, message in mistakes:
        part, inner = _placed(files, path)
        span = part.document.span(inner, key=key)
        problems.append((part.file, span.line, span.column, message))
    if problems:
        raise UserError(
            "\n".join(f"{name}:{line}:{column}: {text}" for name, line, column, text in sorted(problems))
        )
    assert spec is not None
    return spec


def _document(content: bytes | str, file: str, kind: str) -> Document:
    stream = read(content, file)
    if stream.problems:
        problem = stream.problems[0]
        hint = "take the %YAML line out: version 1.1 is read" if problem.message == INCOMPATIBLE else None
        raise UserError(f"{file}:{problem.line}:{problem.column}: {problem.message}", hint)
    if len(stream.documents) != 1:
        raise UserError(f"{file}:1:1: holds {len(stream.documents)} documents, expected one {kind}")
    return stream.documents[0]


def _duplicates(document: Document, file: str) -> list[tuple[str, int, int, str]]:
    return [
        (
            file,
            item.second.line,
            item.second.column,
            f"key {_dotted(item.path)} stands twice (first in line {item.first.line})",
        )
        for item in document.duplicates
    ]


def _part_problems(document: Document, file: str, main: Any) -> Iterator[tuple[str, int, int, str]]:
    """What is wrong with a tenant's file before its apps are looked at."""
    found: list[Problem] = []
    try:
        part = TenantFile.model_validate(document.data)
    except ValidationError as error:
        found += [_translated(item, TenantFile) for item in error.errors()]
    else:
        name, place = part.metadata.name, ("metadata", "name")
        body = main.get("spec") if isinstance(main, dict) else None
        tenants = body.get("tenants") if isinstance(body, dict) else None
        known = [item.get("name") for item in tenants or [] if isinstance(item, dict)]
        if file.rpartition("/")[2] != f"{name}.yaml":
            found.append((place, False, f"file {file} speaks for tenant {name}: call it {PARTS}{name}.yaml"))
        if not isinstance(body, dict) or name not in known:
            found.append((place, False, f"tenant {name} is not under spec.tenants of gitops.yaml"))
        for index, app in enumerate(part.spec.apps):
            if isinstance(app, dict) and app.get("tenant", name) != name:
                text = f"app of tenant {app['tenant']} in the file of tenant {name}"
                found.append((("spec", "apps", index, "tenant"), False, text))
    for path, key, message in found:
        span = document.span(path, key=key)
        yield file, span.line, span.column, message


def _placed(files: Sequence[_Part], path: Path) -> tuple[_Part, Path]:
    """The file that a path of the whole spec comes from, and the path there."""
    match path:
        case ("spec", "apps", int(index), *rest):
            part = next(part for part in reversed(files) if part.first <= index)
            place: Path = ("spec", "apps", index - part.first, *rest)
            if part.document.has(place) or part is files[0]:
                return part, place
            return part, place[:3]
        case _:
            return files[0], path


def name_problem(name: str) -> str | None:
    """Why nothing can be called so; None where it can."""
    try:
        Metadata(name=name)
    except ValidationError as error:
        return _translated(error.errors()[0])[2].removeprefix("name: ")
    return None


def url_problem(url: str) -> str | None:
    """Why no repository can be pulled from there; None where one can."""
    try:
        Repository(url=url)
    except ValidationError as error:
        return _translated(error.errors()[0])[2].removeprefix("url: ")
    return None


def parse(data: object, what: str = "spec") -> Spec:
    """Check plain data of gitops.yaml's shape; UserError names every mistake by its path."""
    spec, found = _check(data)
    if found:
        lines = (
            message if _dotted(path) in message else f"{_dotted(path)}: {message}"
            for path, _, message in found
        )
        raise UserError("\n".join(f"{what}: {line}" for line in lines))
    assert spec is not None
    return spec


def _named(path: Path) -> str:
    return _dotted(path[:-1])


def _check(data: object, stands: Callable[[Path], str] = _named) -> tuple[Spec | None, list[Problem]]:
    """Every mistake: of shape first, and of what names what where the shape allows to look.

    `stands` words where the other of two places is, by its path.
    """
    found: list[Problem] = []
    try:
        file = File.model_validate(data)
    except ValidationError as error:
        found += [_translated(item) for item in error.errors()]
    else:
        if found := [*reference_problems(data, stands)]:
            return None, found
        spec = complete(file)
        found = [
            *agent_problems(file),
            *chart_problems(file),
            *skeleton_problems(file),
            *feature_problems(file),
            *tenancy_problems(file, spec),
            *namespace_problems(file, spec),
            *delivery_name_problems(spec),
        ]
        return (None, found) if found else (spec, [])
    return None, [*found, *reference_problems(data, stands)]


def _translated(error: ErrorDetails, model: type[BaseModel] = File) -> Problem:
    path = tuple(error["loc"])
    name = str(path[-1]) if path else "gitops.yaml"
    match error["type"]:
        case "extra_forbidden" if name in _NOT_YET:
            return path, True, f"not supported yet: {name}"
        case "extra_forbidden":
            return path, True, f"unknown field {name}{did_you_mean(name, _fields_at(path[:-1], model))}"
        case "missing":
            return path, False, f"{_dotted(path)} is missing"
        case "value_error":
            return path, False, str(error["ctx"]["error"])
        case "string_pattern_mismatch":
            return path, False, f"{_dotted(path)}: {_shown(error['input'])} {_expected(path)}"
        case "literal_error":
            words = error["ctx"]["expected"].replace("'", "")
            return path, False, f"{_dotted(path)} is {_shown(error['input'])}, expected {words}"
        case "model_type" | "dict_type":
            return path, False, f"{_dotted(path)} is {_shown(error['input'])}, expected fields"
        case "list_type":
            return path, False, f"{_dotted(path)} is {_shown(error['input'])}, expected a list"
        case "string_type":
            return (
                path,
                False,
                f"{_dotted(path)} is {_shown(error['input'])}, expected text: put it in quotes",
            )
        case _:
            return path, False, f"{_dotted(path)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


_EXPECTED = {
    "branch": "is not a branch name",
    "revision": "is not a tag or the id of a commit",
    "directory": "is not a folder such as templates/python",
    "context": "is not the name of a kubeconfig's context such as kind-dev",
}


def _expected(path: Path) -> str:
    match path:
        case (*_, "url"):
            return "is not a git URL (https://…, ssh://… or user@host:path)"
        case (*_, "owners", _):
            return "is not an owner such as @acme/platform or someone@example.com"
        case (*_, "chart", "version"):
            return "is not an exact version of a chart such as 1.2.3"
        case (*_, "oci"):
            return "is not the URL of a chart such as oci://ghcr.io/acme/charts/web"
        case (*_, "chart", "repo"):
            return "is not the URL of a Helm repository such as https://charts.example.com"
        case (*_, "version"):
            return "is not an exact version such as 2.9.5"
        case (*_, str(field)) if field in _EXPECTED:
            return _EXPECTED[field]
        case (*_, "labels", _) | (*_, "labels", _, _):
            return "is not a Kubernetes label"
        case (*_, "quota", _):
            return "is not a positive quantity such as 10, 500m or 20Gi"
        case (*_, "groups", _):
            return "is not the name of a group such as acme:payments"
        case _:
            return "is not a DNS label (a lower case letter, then letters, digits, inner dashes)"


def _fields_at(path: Path, root: type[BaseModel]) -> list[str]:
    """The fields that a file of the model `root` has at a path; empty where the path leads to none."""
    model: type[BaseModel] | None = root
    for step in path:
        if isinstance(step, int) or model is None:
            continue
        field = next(
            (field for name, field in model.model_fields.items() if (field.alias or name) == step), None
        )
        model = _model_in(field.annotation) if field is not None else None
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _dotted(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "gitops.yaml"
