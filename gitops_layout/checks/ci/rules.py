"""Checks of pipelines: do they push to a cluster, and hold its credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.ci.deploys import action_pushes, is_throw_away, loads_credentials, pushes
from gitops_layout.checks.ci.instead import instead
from gitops_layout.checks.ci.runs import Work, works
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Related

__all__ = ["holds_kubeconfig", "push_deploy"]

_Push = tuple[Location, tuple[str, ...], str, tuple[Related, ...]]


def _pushed(work: Work) -> Iterator[_Push]:
    """Each deploy of a job to a cluster that outlives it: place, words, tool and the step that calls it."""
    if is_throw_away(work):
        return
    for ran in work.commands:
        if pushes(ran):
            yield ran.place, ran.words, ran.tool, ran.via
    for action in work.actions:
        words = action_pushes(action)
        if words:
            yield action.place, words, words[0], ()


_PLAIN_FLAGS = frozenset({"-f", "-k", "-n", "-c", "--namespace", "--install", "--filename", "--kustomize"})


def _shown(words: tuple[str, ...]) -> str:
    """A command in one line; the values of flags that might be credentials are left out."""
    shown: list[str] = []
    hide = False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide and not word.startswith("-"):
            shown.append("…")
        elif word.startswith("-") and equals and name not in _PLAIN_FLAGS:
            shown.append(f"{name}=…")
        else:
            shown.append(" ".join(word.split()))
        hide = word.startswith("--") and not equals and word not in _PLAIN_FLAGS
    return " ".join(shown)


def push_deploy(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Commands and actions of pipelines that change a cluster."""
    agents = {delivery.agent for delivery in graph.deliveries if delivery.live}
    for work in works(graph.repo):
        for place, words, tool, via in _pushed(work):
            shown = _shown(words)
            values = {
                "job": work.job.name,
                "command": shown if len(shown) <= 80 else f"{shown[:79]}…",
                "instead": instead(words, tool, agents),
                "subject": f"{work.job.name}: {shown}",
            }
            yield Hit(place, values, via)


def holds_kubeconfig(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Jobs that load a cluster's credentials and deploy with them: one finding a job, at the first that loads, and one for an
    action that several jobs use.
    """
    told = set()
    for work in works(graph.repo):
        first = next(_pushed(work), None)
        if first is None:
            continue
        loaded = [ran.place for ran in work.commands if loads_credentials(ran)]
        loaded = [action.place for action in work.actions if loads_credentials(action)] or loaded
        if loaded and loaded[0] not in told:
            told.add(loaded[0])
            related = (Related(first[0], "used to deploy here"),)
            yield Hit(loaded[0], {"job": work.job.name, "subject": work.job.name}, related)
