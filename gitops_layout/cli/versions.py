"""`versions`: what the templates pin, and what of it is older in this repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.converging import find_root, read_spec
from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.spec.versions import Pins

__all__ = ["command"]

OLDER = 1
_USES = regexp(r"uses:\s*([\w./-]+)@([0-9a-f]{40})(?:\s*#\s*(\S+))?")
_TOOL = regexp(r"gitops-layout(?:\[helm\])?==([\w.]+)")
_IMAGE = regexp(r"(?:image|name): (python|docker):([\d.]+)")
_OPERATOR = regexp(r"--version (\S+) --namespace flux-system")
_KIND = regexp(r"sigs\.k8s\.io/kind@v([\d.]+)")
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Row:
    """A pin: its name, the version here and in which file (None where it is not used), and the templates'."""

    name: str
    ours: str
    here: str | None = None
    file: str | None = None

    @property
    def older(self) -> bool:
        from gitops_layout.semver import parse_version

        here, ours = (parse_version(text) if text else None for text in (self.here, self.ours))
        return here is not None and ours is not None and here < ours


@click.command("versions")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something here is older.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(folder: Path | None, *, exit_code: bool, form: str) -> int:
    """Show the versions that the templates pin, with the day they were looked up, and which are older here."""
    from gitops_layout.spec.versions import pins

    known = pins()
    rows = list(_rows(folder, known))
    click.echo(_json(rows, known) if form == "json" else _text(rows, known), nl=False)
    return OLDER if exit_code and any(row.older for row in rows) else 0


def _rows(folder: Path | None, known: Pins) -> Iterator[_Row]:
    """Every pin once for each file that names it, or once where none does."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, version, file in _here(folder):
        found.setdefault(name, []).append((version, file))
    ours = {
        **known.versions,
        **{name: version for table in (known.actions, known.charts) for name, (_, version) in table.items()},
    }
    for name, version in ours.items():
        places = dict.fromkeys(found.get(name, []))
        if not places:
            yield _Row(name, version)
        for here, file in places:
            yield _Row(name, version, here, file)


def _here(folder: Path | None) -> Iterator[tuple[str, str, str]]:
    """What this repository uses: name, version and file; nothing outside a scaffolded repository."""
    try:
        root = find_root(folder)
    except UserError:
        if folder is not None:
            raise
        return
    _, spec = read_spec(root)
    if spec.agent.version is not None:
        yield spec.agent.name, spec.agent.version, "gitops.yaml"
    yield from ((item.name, item.chart.version, "gitops.yaml") for item in spec.components)
    files = [".gitlab-ci.yml", ".pre-commit-config.yaml", "README.md"]
    files += [
        path.relative_to(root).as_posix() for path in sorted((root / ".github/workflows").glob("*.y*ml"))
    ]
    for file in files:
        text = _read(root, file)
        yield from (("gitops-layout", version, file) for version in _TOOL.findall(text))
        yield from ((f"image {name}", version, file) for name, version in _IMAGE.findall(text))
        yield from (("flux-operator", version, file) for version in _OPERATOR.findall(text))
        yield from (("kind", version, file) for version in _KIND.findall(text))
        yield from ((name, version or commit[:12], file) for name, commit, version in _USES.findall(text))


def _read(root: Path, file: str) -> str:
    from gitops_layout.scaffold.converge import regular

    if not regular(root, file) or (root / file).stat().st_size > _MAX_BYTES:
        return ""
    return (root / file).read_text("utf-8", errors="replace")


def _text(rows: list[_Row], known: Pins) -> str:
    table = [("NAME", "TEMPLATES", "HERE", "")]
    table += [
        (row.name, row.ours, row.here or "-", f"older, in {row.file}" if row.older else row.file or "")
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    lines = (
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3])).rstrip()
        for line in table
    )
    return f"looked up on {known.date}\n" + "".join(f"{line}\n" for line in lines)


def _json(rows: list[_Row], known: Pins) -> str:
    listed = [
        {"name": row.name, "templates": row.ours, "here": row.here, "file": row.file, "older": row.older}
        for row in rows
    ]
    return json.dumps({"version": 1, "date": known.date, "versions": listed}, indent=2) + "\n"
