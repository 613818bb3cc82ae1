"""gitops.yaml in, Spec out, or every mistake at once with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from gitops_layout.errors import UserError
from gitops_layout.source.reader import read
from gitops_layout.spec.checks import (
    chart_problems,
    delivery_name_problems,
    did_you_mean,
    namespace_problems,
    reference_problems,
    tenancy_problems,
)
from gitops_layout.spec.model import KIND, File, Spec, complete

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gitops_layout.model import Path
    from gitops_layout.spec.checks import Problem

# Words of the design that no template honours yet: naming one must not look like success.
_NOT_YET = frozenset(
    {
        "moved", "approval", "dependsOn", "delivery", "wiring",
        "install", "style", "host", "secrets", "policy", "imageAutomation", "notifications", "previews",
        "promotion", "renovate", "role",
    }
)  # fmt: skip


def load(content: bytes | str, file: str = "gitops.yaml") -> Spec:
    """Read gitops.yaml's bytes; UserError names every mistake with file:line:column, all at once."""
    stream = read(content, file)
    if stream.problems:
        problem = stream.problems[0]
        raise UserError(f"{file}:{problem.line}:{problem.column}: {problem.message}")
    if len(stream.documents) != 1:
        raise UserError(f"{file}:1:1: holds {len(stream.documents)} documents, expected one {KIND}")
    document = stream.documents[0]
    problems = [
        (
            item.second.line,
            item.second.column,
            f"key {_dotted(item.path)} stands twice (first in line {item.first.line})",
        )
        for item in document.duplicates
    ]
    spec, found = _check(document.data)
    for path, key, message in found:
        span = document.span(path, key=key)
        problems.append((span.line, span.column, message))
    if problems:
        raise UserError(
            "\n".join(f"{file}:{line}:{column}: {text}" for line, column, text in sorted(problems))
        )
    assert spec is not None
    return spec


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


def _check(data: object) -> tuple[Spec | None, list[Problem]]:
    """Every mistake: of shape first, and of what names what where the shape allows to look."""
    found: list[Problem] = []
    try:
        file = File.model_validate(data)
    except ValidationError as error:
        found += [_translated(item) for item in error.errors()]
    else:
        found += [*reference_problems(data)] or [
            *chart_problems(file),
            *tenancy_problems(file),
            *namespace_problems(file),
            *delivery_name_problems(file),
        ]
        return (None, found) if found else (complete(file), [])
    return None, [*found, *reference_problems(data)]


def _translated(error: ErrorDetails) -> Problem:
    path = tuple(error["loc"])
    name = str(path[-1]) if path else "gitops.yaml"
    match error["type"]:
        case "extra_forbidden" if name in _NOT_YET:
            return path, True, f"not supported yet: {name}"
        case "extra_forbidden":
            return path, True, f"unknown field {name}{did_you_mean(name, _fields_at(path[:-1]))}"
        case "missing":
            return path, False, f"{_dotted(path)} is missing"
        case "value_error":
            return path, False, str(error["ctx"]["error"])
        case "string_pattern_mismatch":
            return path, False, f"{_dotted(path)}: {error['input']!r} {_expected(path)}"
        case "literal_error":
            words = error["ctx"]["expected"].replace("'", "")
            return path, False, f"{_dotted(path)} is {error['input']!r}, expected {words}"
        case _:
            return path, False, f"{_dotted(path)}: {error['msg'][0].lower()}{error['msg'][1:]}"


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
            return "is not an exact version such as 2.9.4"
        case (*_, "branch"):
            return "is not a branch name"
        case (*_, "labels", _) | (*_, "labels", _, _):
            return "is not a Kubernetes label"
        case (*_, "quota", _):
            return "is not a positive quantity such as 10, 500m or 20Gi"
        case (*_, "groups", _):
            return "is not the name of a group such as acme:payments"
        case _:
            return "is not a DNS label (a lower case letter, then letters, digits, inner dashes)"


def _fields_at(path: Path) -> list[str]:
    """The fields a model has at a path of gitops.yaml; empty where the path leads to none."""
    model: type[BaseModel] | None = File
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
