"""What was not looked at, and whether somebody accepted that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_layout.checks.files import discreet, is_live
from gitops_layout.lint.policy import glob_matches
from gitops_layout.lint.report import Seen
from gitops_layout.model import Hit, Unchecked, UncheckedClass
from gitops_layout.repo.model import broken, is_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.baseline import Baseline
    from gitops_layout.lint.policy import Policy
    from gitops_layout.validation.judged import Judged

__all__ = ["judge"]


def judge(
    graph: Graph,
    policy: Policy,
    baseline: Baseline | None,
    paths: Sequence[str],
    *,
    verdicts: Judged | None = None,
) -> tuple[tuple[Seen, ...], list[tuple[str, Hit]]]:
    """Everything unchecked below `paths`, and hits for declarations that match nothing.

    `verdicts` are what schemas said, None where nobody asked them.
    """
    everything = [*_everything(graph), *(verdicts.unchecked if verdicts is not None else ())]
    # A chart that was fetched is looked at, and still lies outside.
    outside = [item.subject for item in everything if item.subject is not None]
    outside += [("chart", d.source.chart) for d in graph.deliveries if d.source.chart is not None]
    if any(
        entry.kind == "kind" for entry in policy.external
    ):  # one whose schema came with a later release of ours
        objects = (item.ref for rendered in graph.rendered.values() for item in rendered.objects)
        refs = {(ref.api_version, ref.kind) for ref in (*objects, *(r.ref for r in graph.repo.resources))}
        outside += [("kind", f"{version}/{kind}") for version, kind in refs]
        outside += [("kind", f"{version.partition('/')[0]}/{kind}") for version, kind in refs]
    used = {id(entry) for subject in outside for entry in policy.external if entry.declares(*subject)}
    unused = [
        (
            "C005",
            Hit(entry.location, {"kind": entry.kind, "pattern": entry.pattern, "subject": entry.pattern}),
        )
        for entry in policy.external
        if id(entry) not in used and (entry.kind != "kind" or verdicts is not None)
    ]
    shown = [item for item in everything if _below(item, paths)]
    shown += [
        broken(f"path {path}", "holds no YAML file")
        for path in paths
        if not any(is_yaml(file) for file in _files(graph, path))
    ]
    seen = (_seen(graph, policy, baseline, item) for item in shown)
    return tuple(sorted(seen, key=_order)), [] if policy.partial else unused


def _order(seen: Seen) -> tuple[bool, bool, str, int, str]:
    item = seen.unchecked
    file = item.location.file if item.location is not None else ""
    return seen.accepted is not None, item.kind is not UncheckedClass.BROKEN, file, seen.line or 0, item.what


def _files(graph: Graph, path: str) -> Iterator[str]:
    real = graph.repo.resolve(path)
    if real is not None and real in graph.repo.entries:
        yield real
    elif real is not None:
        yield from graph.repo.under(real)


def _below(item: Unchecked, paths: Sequence[str]) -> bool:
    if not paths or item.location is None:
        return True
    file = item.location.file
    return any(not path or file == path or file.startswith(f"{path}/") for path in paths)


def _everything(graph: Graph) -> Iterator[Unchecked]:
    """Each thing once."""
    found: dict[tuple[str, str, str], Unchecked] = {}
    for seen in graph.unchecked:
        item = seen
        file = item.location.file if item.location is not None else ""
        if file in graph.repo.entries and is_yaml(file) and graph.repo.stream(file).problems:
            item = replace(item, why=discreet(graph.repo, file, item.why))
        found.setdefault((item.what, item.kind.value, file), item)
    yield from found.values()
    if not graph.deliveries and not graph.repo.resources and not found:
        yield broken("repository", "no Kubernetes object was found in it")


def _seen(graph: Graph, policy: Policy, baseline: Baseline | None, item: Unchecked) -> Seen:
    place = item.location
    line = graph.repo.span(place).line if place is not None else None
    return Seen(item, line, _accepted(graph, policy, baseline, item))


def _accepted(graph: Graph, policy: Policy, baseline: Baseline | None, item: Unchecked) -> str | None:
    file = item.location.file if item.location is not None else ""
    if not _is_live(graph, item):
        return "no agent reaches it"
    if file and glob_matches(file, policy.exclude):
        return "excluded by the config"
    subject = item.subject
    declared = next((e for e in policy.external if subject is not None and e.declares(*subject)), None)
    if declared is not None and item.kind is UncheckedClass.EXTERNAL:
        return f"declared external: {declared.reason}"
    if baseline is not None and (item.what, item.kind.value, file) in baseline.unchecked:
        return "in the baseline"
    if item.kind.value in policy.allow_unchecked:
        return "allowed by --allow-unchecked"
    return None


def _is_live(graph: Graph, item: Unchecked) -> bool:
    if item.delivery is not None:
        return any(d.live for d in graph.deliveries if d.id == item.delivery)
    if item.subject is not None and item.subject[0] == "chart":
        return True  # nobody installs it here, so somebody elsewhere does
    return item.location is None or is_live(graph, item.location.file)
