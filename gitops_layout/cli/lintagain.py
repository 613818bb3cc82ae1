"""`lint` after an edit of a few values: only the deliveries that read the edited files are built and judged again.

Beside its words a run keeps its report, what hangs on which file, and the texts of the files that deliveries read.
A later run that differs from it in a few files builds a little graph before and after the edit; `lint.delta` says
whether that is enough. Whatever is not known to be is left to the ordinary way.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_layout.cli.again import Row, decoded, facts, harmless, plain_now, rows_of
from gitops_layout.cli.remembered import OWN
from gitops_layout.graph.model import Environment, Graph
from gitops_layout.lint import kept
from gitops_layout.lint.world import world_of
from gitops_layout.render.build import Renders
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.store.cache import digest
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from gitops_layout.cli.remembered import Memory, Said
    from gitops_layout.lint.report import Report

__all__ = ["linted_again", "noted"]

_MOST = 60
"""Deliveries that are judged again so."""

_CHUNK = 100
"""Files whose texts are kept together."""

_ROOM = 32 * 2**20
"""Bytes of texts that are kept; the notes on a larger repository would crowd out all others."""


def noted(said: Said, report: Report, graph: Graph, first: Sequence[str] | None) -> None:
    """Note on what was said what a later run has to know; `first` begins the short form of a report, if it may have one."""
    known = facts(graph, {})
    if known is None or report.crashes or graph.declared.tenants or _has_policies(graph):
        return
    files = {number for row in rows_of(known) if row.coded is not None for number in row.files}
    if not files:
        return  # no delivery can be built anew from what would be known of it
    texts = _texts(graph.repo, sorted(files))
    if texts is None:
        return
    live = graph.live
    known |= {
        "environments": [[e.name, e.tier, e.reason, e.evidence, e.source] for e in graph.environments],
        "named": sorted({d.environment for d in graph.deliveries if d.environment}),
        "live": [number for number, path in enumerate(graph.repo.entries) if path in live],
        "agents": sorted({d.agent for d in graph.deliveries}),
        "sought": sorted(world_of(graph).sought),
        "first": first,
    }
    said.extra |= {key: value for key, (value, _) in texts.items()}
    content = zlib.compress(json.dumps(known).encode(), 1)
    key = digest(b"graph", content)
    said.extra[key] = content
    chunks = {key.hex(): numbers for key, (_, numbers) in texts.items()}
    said.note = json.dumps({"graph": key.hex(), "texts": chunks, "report": kept.coded(report)})


def _has_policies(graph: Graph) -> bool:
    name = "ValidatingAdmissionPolicyBinding"
    return any(resource.ref.kind == name for resource in graph.repo.resources) or any(
        item.ref.kind == name for rendered in graph.rendered.values() for item in rendered.objects
    )


def _texts(repo: Repo, numbers: Sequence[int]) -> dict[bytes, tuple[bytes, list[int]]] | None:
    """The texts of these files in packed chunks, with what each holds; None where they are too much."""
    paths = list(repo.entries)
    read = [number for number in numbers if is_yaml(paths[number]) and paths[number] in repo.entries]
    if sum(repo.entries[paths[number]].size for number in read) > _ROOM:
        return None
    found: dict[bytes, tuple[bytes, list[int]]] = {}
    for start in range(0, len(read), _CHUNK):
        some = read[start : start + _CHUNK]
        key, packed = _packed({paths[number]: repo.stream(paths[number]).text for number in some})
        found[key] = packed, some
    return found


def _packed(texts: Mapping[str, str]) -> tuple[bytes, bytes]:
    packed = zlib.compress(json.dumps(texts).encode(), 1)
    return digest(b"texts", packed), packed


def linted_again(
    memory: Memory, said: Said, changed: Iterable[str], options: Mapping[str, Any], root: Path
) -> Said | None:
    """The words of an earlier run as they are after an edit of `changed`; None where that may not be all."""
    note = json.loads(said.note or "null")
    packed = memory.cache.get(bytes.fromhex(note["graph"]))
    if packed is None:
        return None
    known = json.loads(zlib.decompress(packed))
    edit = _edit(memory, note, known, frozenset(changed))
    graphs = _graphs(edit, known) if edit is not None else None
    if edit is None or graphs is None:
        return None
    from gitops_layout.cli.lintoptions import asked_again, worded
    from gitops_layout.lint.delta import Earlier, judged_again

    entries = {path: entry for path, entry in edit.whole.entries.items() if path.startswith(OWN)}
    own = replace(edit.whole, entries=entries)  # the rest is not what it asks for, and long
    config, asked, catalogue, target = asked_again(root, own, edit.whole, options)
    before, after = (replace(graph, target=target) for graph in graphs)
    sought, named = frozenset(known["sought"]), frozenset(known["named"])
    earlier = Earlier(kept.decoded(note["report"], catalogue), sought, named)
    report = judged_again(before, after, edit.changed, catalogue, earlier, asked)
    if report is None:
        return None
    done = worded(report, config, options, known["first"])
    done.extra, chunks = _rewritten(edit, note["texts"])
    done.of_commit = said.of_commit
    done.note = json.dumps({"graph": note["graph"], "texts": chunks, "report": kept.coded(report)})
    return done


@dataclass(frozen=True, slots=True)
class _Edit:
    """What was edited, and the little repository around it: all files of the deliveries in `rows`, some of them `live`.

    `before` are the edited files' texts as they were, `chunks` what was kept together with them, by key.
    """

    changed: frozenset[str]
    rows: list[Row]
    whole: Repo
    repo: Repo
    live: frozenset[str]
    before: Mapping[str, str]
    chunks: Mapping[str, dict[str, str]]


def _edit(
    memory: Memory, note: Mapping[str, Any], known: Mapping[str, Any], changed: frozenset[str]
) -> _Edit | None:
    paths = list(memory.listing.entries)
    wanted = {number: path for number, path in enumerate(paths) if path in changed}
    rows = rows_of(known)
    touched = [row for row in rows if not wanted.keys().isdisjoint(row.files)]
    if not touched or not harmless(known, touched, wanted):
        return None
    read = {number for row in touched for number in row.files}
    near = [row for row in rows if row.root in read or not read.isdisjoint(row.files)]
    if len(near) > _MOST or any(row.coded is None for row in near):
        return None
    keys = [key for key, numbers in note["texts"].items() if not wanted.keys().isdisjoint(numbers)]
    packed = memory.cache.many(bytes.fromhex(key) for key in keys)
    chunks = {key.hex(): json.loads(zlib.decompress(value)) for key, value in packed.items()}
    before = {path: text for chunk in chunks.values() for path, text in chunk.items() if path in changed}
    if before.keys() != changed:
        return None
    whole = memory.repo
    inside = {paths[number] for row in near for number in (*row.files, row.root) if number is not None}
    entries = {
        path: whole.entries[path]
        for path in paths
        if path in inside or path.endswith((".sourceignore", ".sops.yaml"))
    }
    repo = replace(whole, entries=entries)
    if not plain_now(repo, known, wanted):
        return None
    live = frozenset(paths[number] for number in known["live"]) & entries.keys()
    return _Edit(changed, near, whole, repo, live, before, chunks)


def _graphs(edit: _Edit, known: Mapping[str, Any]) -> tuple[Graph, Graph] | None:
    """The deliveries that the edit may concern, before it and after; None where they read other files than they did."""
    deliveries = tuple(decoded(row.coded) for row in edit.rows if row.coded is not None)
    agents = {delivery.agent for delivery in deliveries}
    if not agents <= {"flux", "argocd"} and sorted(agents) != known["agents"]:
        return None  # what no agent delivers is judged by which agents there are
    environments = tuple(Environment(*row) for row in known["environments"])
    before = edit.repo.over({path: text.encode() for path, text in edit.before.items()})
    rendered = [Renders(repo)(deliveries) for repo in (before, edit.repo)]
    numbers = {path: number for number, path in enumerate(edit.whole.entries)}
    for row in edit.rows:
        if sorted(numbers[file] for file in rendered[0][row.id].files if file in numbers) != row.files:
            return None
    old, new = (
        Graph(repo, deliveries, done, edit.live, environments=environments)
        for repo, done in zip((before, edit.repo), rendered, strict=True)
    )
    return old, new


def _rewritten(
    edit: _Edit, texts: Mapping[str, list[int]]
) -> tuple[dict[bytes, bytes], dict[str, list[int]]]:
    """The chunks with the edited files as they are now, and which files are in which chunk then."""
    fresh: dict[bytes, bytes] = {}
    names = {}
    for key, chunk in edit.chunks.items():
        now = {
            path: edit.repo.stream(path).text if path in edit.changed else text
            for path, text in chunk.items()
        }
        name, packed = _packed(now)
        fresh[name] = packed
        names[key] = name.hex()
    return fresh, {names.get(key, key): numbers for key, numbers in texts.items()}
