"""What the clusters run, from the options of a command: Kubernetes versions, CRDs and schema locations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitops_layout.config import did_you_mean
from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import MAX_BYTES, is_yaml
from gitops_layout.validation.bundle import VERSIONS

if TYPE_CHECKING:
    from gitops_layout.agents.context import DeclaredCluster
    from gitops_layout.graph.model import Target

__all__ = ["options", "target"]

_Command = TypeVar("_Command", bound=Callable[..., object])
_VERSION = regexp(r"v?(\d+\.\d+)(\.\d+)?")


def options(command: _Command) -> _Command:
    """The options of every command that validates."""
    for option in (
        click.option(
            "--crds",
            multiple=True,
            metavar="DIR",
            type=click.Path(exists=True, path_type=Path),
            help="CustomResourceDefinitions that the clusters have besides (repeatable).",
        ),
        click.option(
            "--schema-location",
            "locations",
            multiple=True,
            metavar="LOCATION",
            help="Folder or path template of JSON Schemas, as kubeconform has them; asked before ours (repeatable).",
        ),
        click.option(
            "--kubernetes-version",
            "versions",
            multiple=True,
            metavar="V",
            help=f"Kubernetes of the clusters, {VERSIONS[0]} to {VERSIONS[-1]} (repeatable); by default what the"
            " declared clusters run, else the newest.",
        ),
    ):
        command = option(command)
    return command


def target(
    versions: Sequence[str],
    locations: Sequence[str],
    crds: Sequence[Path],
    *,
    clusters: Sequence[DeclaredCluster] = (),
) -> Target:
    """What to judge by; `clusters` are the declared ones, whose versions hold where the options name none.

    Raises UserError for versions that we have no schemas of, and for locations that nobody can read.
    """
    from gitops_layout.graph.model import Target

    wanted = [part for text in versions for part in text.split(",") if part]
    for location in locations:
        _local(location)
    return Target(
        tuple(dict.fromkeys(_version(text, f"--kubernetes-version {text}") for text in wanted)),
        tuple(definition for path in crds for definition in _definitions(path)),
        tuple(location for location in locations if location != "default"),
        _read,
        {
            cluster.name: _version(
                cluster.kubernetes, f"cluster {cluster.name}: kubernetes {cluster.kubernetes}"
            )
            for cluster in clusters
            if cluster.kubernetes and not wanted
        },
    )


def _local(location: str) -> None:
    """Raises UserError for what can never hold a schema: a slip of the pen must not look like kinds that pass."""
    from gitops_layout.validation.schemas import FIELDS

    said = f"--schema-location {location}"
    if "://" in location:
        raise UserError(f"{said}: only local paths", "download the schemas first")
    known = tuple(f".{field}" for field in FIELDS)
    for name in re.findall(r"\{\{(.*?)\}\}", location):
        if name.strip() not in known:
            near = did_you_mean(name.strip(), known)
            raise UserError(f"{said}: there is no {{{{{name}}}}}{near}", f"known: {', '.join(known)}")
    fixed, braces, _ = location.partition("{{")
    folder = (
        Path(fixed).parent if (braces and not fixed.endswith("/")) or fixed.endswith("json") else Path(fixed)
    )
    if location != "default" and not folder.is_dir():
        raise UserError(f"{said}: there is no folder {folder}", "relative paths start in the current folder")


def _version(text: str, words: str) -> str:
    match = _VERSION.fullmatch(text)
    if match is None or match[1] not in VERSIONS:
        near = did_you_mean(text, VERSIONS)
        raise UserError(f"{words}: no schemas of that version{near}", f"known: {', '.join(VERSIONS)}")
    return match[1]


def _definitions(path: Path) -> Iterator[dict[str, Any]]:
    """The CRDs in a file, or in the YAML files below a folder, in lists of them, too.

    Raises UserError for what cannot be read, and where there is none.
    """
    from gitops_layout.k8s.scope import is_crd
    from gitops_layout.source.reader import read

    files = (
        [path] if path.is_file() else sorted(f for f in path.rglob("*") if is_yaml(f.name) and f.is_file())
    )
    found = 0
    for file in files:
        content = _read(str(file))
        if content is None:
            raise UserError(f"--crds {file}: cannot be read, or is larger than {MAX_BYTES >> 20} MiB")
        stream = read(content, str(file))
        if stream.problems:
            problem = stream.problems[0]
            raise UserError(f"--crds {file}:{problem.line}:{problem.column}: {problem.message}")
        for document in stream.documents:
            for data in _listed(document.data):
                if is_crd(data):
                    found += 1
                    yield data
    if not found:
        raise UserError(
            f"--crds {path}: holds no CustomResourceDefinition", "name the folder that holds them"
        )


def _listed(data: Any) -> Iterator[dict[str, Any]]:
    """An object, or those of a list as `kubectl get crd -o yaml` writes it."""
    match data:
        case {"kind": str(kind), "items": list(items)} if kind.endswith("List"):
            for item in items:
                yield from _listed(item)
        case dict():
            yield data


def _read(path: str) -> bytes | None:
    """A regular file's content; None where there is none, or too much of it."""
    file = Path(path)
    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return None
        return file.read_bytes()
    except OSError:
        return None
