"""The files of a chart that `fetch` brought, for the values that a release takes from them."""

from __future__ import annotations

from pathlib import Path

from gitops_layout.repo.model import Entry, Repo
from gitops_layout.repo.unpacked import from_unpacked
from gitops_layout.store.archive import RefusedError, files

__all__ = ["files_of"]

_LIMIT = 64 * 2**20


def files_of(chart: Path) -> Repo:
    """The files of an archive, or of a folder, by their paths in the chart; none of an archive that is refused."""
    if chart.is_dir():
        return from_unpacked(chart)
    contents: dict[str, bytes] = {}
    try:
        with chart.open("rb") as source:
            contents = {name.partition("/")[2]: content for name, content in files(source, limit=_LIMIT)}
    except (OSError, RefusedError):
        pass  # helm says what is wrong with it
    entries = {name: Entry(len(content)) for name, content in contents.items() if name}
    return Repo(str(chart), None, entries, contents.__getitem__)
