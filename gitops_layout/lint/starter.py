"""The first `.gitops-layout.yaml` of a repository: what was detected, each line with its evidence."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from gitops_layout.agents.context import below_clusters, normal_url
from gitops_layout.counts import counted
from gitops_layout.helm.find import NO_HELM
from gitops_layout.model import UncheckedClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Cluster, Graph
    from gitops_layout.lint.report import Report, Seen

__all__ = ["starter"]

_STEPS = (
    frozenset({"dev", "develop", "development", "sandbox", "sbox"}),
    frozenset({"test", "testing", "qa", "int", "integration"}),
    frozenset({"stag", "stage", "staging", "stg", "uat", "preprod", "pre-prod", "pre-production"}),
    frozenset({"prod", "production", "live", "prd"}),
)
"""The way that a change takes, by the usual names; what is called otherwise has no place in it."""

_FOLDERS = 8
"""An environment is described by this many folders at most; its name finds the others."""


def starter(graph: Graph, report: Report, today: date, fetchable: AbstractSet[tuple[str, str]]) -> str:
    """The text of the file. `report` is a run without one: what it left open is declared, but for what is `fetchable`, by
    kind and name: that is not for ever out of sight, and what is declared is left alone by `fetch`.
    """
    sections = [
        [
            f"# Configuration of gitops-layout, written by `lint --init` on {today.isoformat()} from what was seen here.",
            "# Every key is optional, and every line may be wrong: the comments say what it stands on.",
        ],
        [
            "# minimal: what is broken; recommended: what goes wrong sooner or later; strict: everything.",
            "profile: recommended",
        ],
        list(_agent(graph)),
        list(_environments(graph)),
        list(_clusters(graph)),
        list(_sources(graph)),
        list(_external(report, today, fetchable)),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _agent(graph: Graph) -> Iterator[str]:
    kinds = Counter((d.agent, d.kind) for d in graph.deliveries if d.agent in ("flux", "argocd"))
    agents = {agent for agent, _ in kinds}
    counts = ", ".join(counted(number, kind) for (_, kind), number in sorted(kinds.items()))
    if len(agents) == 1:
        yield f"# {counts}"
        yield f"agent: {agents.pop()}"
    elif agents:
        yield f"# agent: both deliver here ({counts})"
    elif any(delivery.live for delivery in graph.deliveries):
        if graph.hidden:
            more = f" and {len(graph.hidden) - 1} more" if len(graph.hidden) > 1 else ""
            yield f"# no agent object was seen, but {graph.hidden[0]}{more} may bring some: until they are seen,"
            yield "# every kustomize root and every manifest counts as delivered"
        else:
            yield "# no agent object pulls a path, so an agent elsewhere does"
        yield "agent: external"


def _environments(graph: Graph) -> Iterator[str]:
    if not graph.environments:
        return
    names = [environment.name for environment in graph.environments]
    yield "environments:"
    for environment in graph.environments:
        before = environment.source or _before(environment.name, names)
        folders = _folders(graph, environment.name)
        pairs = [("name", _quoted(environment.name)), ("tier", environment.tier)]
        if before is not None:
            pairs.append(("from", _quoted(before)))
        if folders:
            pairs.append(("paths", f"[{', '.join(_quoted(f'{folder}/**') for folder in folders)}]"))
        guess = "" if before is None or environment.source else "; `from` by the usual order of the names"
        yield f"  # {_plain(environment.evidence or environment.reason)}{guess}"
        yield f"  - {{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"


def _before(name: str, names: Sequence[str]) -> str | None:
    """The one environment of the last step before this one's that the repository has; None if it is not clear."""
    step = next((index for index, usual in enumerate(_STEPS) if name in usual), None)
    for earlier in reversed(_STEPS[:step] if step is not None else ()):
        found = [other for other in names if other in earlier]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _folders(graph: Graph, environment: str) -> list[str]:
    """The folders called like the environment that its deliveries come from, the most used first."""
    found: Counter[str] = Counter()
    for delivery in graph.deliveries:
        if delivery.environment != environment or not delivery.live:
            continue
        for path in (delivery.source.path or "", delivery.root.file):
            parts = path.split("/")
            if environment in parts[:-1] or parts[-1] == environment:
                found["/".join(parts[: parts.index(environment) + 1])] += 1
    return [folder for folder, _ in found.most_common(_FOLDERS)]


def _clusters(graph: Graph) -> Iterator[str]:
    if not graph.clusters:
        return
    yield "clusters:"
    for cluster in graph.clusters:
        pairs = [("name", _quoted(cluster.name))]
        if len(cluster.environments) == 1:
            pairs.append(("environment", _quoted(cluster.environments[0])))
        folders = _cluster_folders(graph, cluster)
        if folders:
            pairs.append(("paths", f"[{', '.join(_quoted(f'{folder}/**') for folder in folders)}]"))
        server = cluster.server or (cluster.name if "://" in cluster.name else None)
        if server is not None:
            pairs.append(("server", _quoted(server)))
        yield f"  # {_plain(cluster.evidence)}"
        yield f"  - {{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"


def _cluster_folders(graph: Graph, cluster: Cluster) -> list[str]:
    return sorted(folder for folder in graph.repo.folders if below_clusters(folder) == cluster.name)


def _sources(graph: Graph) -> Iterator[str]:
    """The URLs by which this repository is known, and as comments those of others that it asks for."""
    own: dict[str, list[Delivery]] = defaultdict(list)
    other: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in graph.deliveries:
        source = delivery.source
        if source.url is not None and source.chart is None and delivery.live:
            (own if source.local else other)[source.url].append(delivery)
    if not own and not other:
        return
    remotes = {normal_url(url) for url in graph.repo.remotes}
    yield "sources:" if own else "# sources:"
    for url, members in sorted(own.items()):
        why = "a git remote" if normal_url(url) in remotes else "the paths that are asked of it exist here"
        yield f"  # this repository: {why}; {counted(len(members), 'delivery')}"
        yield f"  - {_quoted(url)}"
    known = remotes | set(map(normal_url, own))  # another branch of this one is not another repository
    for url, members in sorted((url, found) for url, found in other.items() if normal_url(url) not in known):
        folder = normal_url(url).rpartition("/")[2]
        yield f"  # another repository, {counted(len(members), 'delivery')}; if it lies beside this one:"
        yield f"  # - {{url: {_quoted(url)}, checkout: {_quoted(f'../{folder}')}}}"


def _external(report: Report, today: date, fetchable: AbstractSet[tuple[str, str]]) -> Iterator[str]:
    """What a run could not look at and a declaration can accept; what it cannot is counted, and what `fetch` can bring is
    written as a comment.
    """
    found: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    rest = 0
    for seen in report.coverage.open:
        if seen.unchecked.kind is not UncheckedClass.EXTERNAL:
            continue
        if seen.unchecked.subject is None:
            rest += 1
        else:
            found[seen.unchecked.subject].append(seen)
    unrendered = {
        subject: found.pop(subject)
        for subject, entries in list(found.items())
        if all(seen.unchecked.why.endswith(NO_HELM) for seen in entries)
    }
    reason = _quoted(f"detected by --init on {today.isoformat()}; say why it may stay")
    later = {subject: entries for subject, entries in found.items() if subject in fetchable}
    broad = {subject: entries for subject, entries in found.items() if _is_too_broad(subject)}
    declared = {key: entries for key, entries in found.items() if key not in fetchable and key not in broad}
    if declared:
        yield "external:"
        yield from _declarations(declared, reason, "")
    if later:
        yield f"# `gitops-layout fetch` brings {_counted(later)}, pinned by a lock; until then they are not looked at."
        yield "# What is to stay outside for good is declared, and then left alone:"
        yield from () if declared else ("# external:",)
        yield from _declarations(later, _quoted("why it is not looked at"), "# ")
    if broad:
        yield "# Only an older version of these kinds has no schema here. Declared, what is not seen of the current one"
        yield "# would be accepted as well, so move the objects to that version instead:"
        yield from () if declared else ("# external:",)
        yield from _declarations(broad, reason, "# ")
    if unrendered:
        yield f"# {counted(len(unrendered), 'chart')} not rendered, as {NO_HELM}: that is"
        yield "# this machine's affair and nothing to declare"
    if rest:
        yield f"# {counted(rest, 'more thing')} could not be looked at and cannot be declared; `lint -v` lists them"


def _is_too_broad(subject: tuple[str, str]) -> bool:
    """Whether it is a kind of Flux: each has a schema, so the object is of a version that has none."""
    kind, pattern = subject
    return kind == "kind" and pattern.partition("/")[0].endswith(".toolkit.fluxcd.io")


def _declarations(found: Mapping[tuple[str, str], Sequence[Seen]], reason: str, mark: str) -> Iterator[str]:
    for (kind, pattern), entries in sorted(found.items()):
        yield f"{mark}  # {_plain(_evidence(entries))}"
        yield f"{mark}  - {{{kind}: {_quoted(pattern)}, reason: {reason}}}"


def _counted(found: Iterable[tuple[str, str]]) -> str:
    numbers = Counter(kind for kind, _ in found)
    words = [counted(numbers[kind], kind) for kind in ("chart", "base", "source") if numbers[kind]]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _evidence(entries: Sequence[Seen]) -> str:
    places = list(dict.fromkeys(_places(entries)))
    first = f"{', '.join(places[:2])}" + (f" and {len(places) - 2} more" if len(places) > 2 else "")
    return f"{entries[0].unchecked.why}: {first}" if first else entries[0].unchecked.why


def _places(entries: Iterable[Seen]) -> Iterator[str]:
    for seen in entries:
        if seen.unchecked.location is not None:
            yield f"{seen.unchecked.location.file}:{seen.line}"


def _quoted(text: str) -> str:
    """Any text as a YAML scalar: bare where it is nothing but a word, else as JSON, which YAML reads the same."""
    plain = text.replace("-", "").isascii() and text.replace("-", "").isalpha()
    if (
        plain
        and not text.startswith("-")
        and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off")
    ):
        return text
    return json.dumps(text)


def _plain(text: str) -> str:
    """Foreign text as a comment of one line."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= 160 else f"{clean[:159]}…"
