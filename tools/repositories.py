"""The checked-out repositories that a tool of ours is to run over, from its command line."""

from __future__ import annotations

import os
import subprocess
from argparse import ArgumentParser
from pathlib import Path

__all__ = ["chosen", "commit"]


def chosen(module: str, does: str, table: Path) -> tuple[list[Path], bool]:
    """The folders of the repositories that the arguments name, by default all, and whether it is all of them.

    Ends the process, as argparse does, for `--help`, for names that are not there, and without GITOPS_LAYOUT_CORPUS.
    """
    parser = ArgumentParser(
        prog=f"python -m {module}",
        description=f"{does} A run over all repositories writes {table.parent.name}/{table.name}.",
        epilog="GITOPS_LAYOUT_CORPUS is the folder that the repositories are checked out in, each as owner__name.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a repository; all by default (long)")
    names: list[str] = parser.parse_args().names
    folder = os.environ.get("GITOPS_LAYOUT_CORPUS")
    if not folder:
        parser.error("set GITOPS_LAYOUT_CORPUS to a folder of checked-out repositories")
    found = {path.name: path for path in sorted(Path(folder).iterdir()) if path.is_dir()}
    absent = [name for name in names if name.replace("/", "__") not in found]
    if absent:
        parser.error(f"not in {folder}: {', '.join(absent)}")
    return [found[name.replace("/", "__")] for name in names] or list(found.values()), not names


def commit() -> str:
    """The commit of the tool that runs, for the page that says what it found; marked where files differ from it."""
    here = Path(__file__).parent
    asked = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
