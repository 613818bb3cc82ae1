"""Lint a repository that is a dict of files, through the real pipeline."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from gitops_layout import config, rules
from gitops_layout.cli.loading import declared
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.lint.baseline import Baseline
from gitops_layout.lint.policy import policy
from gitops_layout.lint.report import Report
from gitops_layout.lint.run import lint
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files

TODAY = date(2026, 1, 15)

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: ghcr.io/acme/web:latest
"""


def pod(image: str, name: str = "web") -> str:
    """A Pod with one container."""
    return POD.replace("ghcr.io/acme/web:latest", image).replace("name: web", f"name: {name}")


def linted(
    files: dict[str, str | bytes],
    *,
    baseline: Baseline | None = None,
    paths: tuple[str, ...] = (),
    environment: str | None = None,
    today: date = TODAY,
    **options: Any,
) -> Report:
    """The report on `files`; `options` are those of `policy`."""
    repo = from_files(files)
    text = files.get(config.FILE_NAME)
    settings = config.parse(text) if text is not None else config.Config()
    graph = link(repo, render=Renders(repo), declared=declared(repo, settings))
    catalogue = rules.load(repo, settings.rules)
    decided = policy(catalogue, replace(settings), **options)
    return lint(
        graph,
        catalogue,
        policy=decided,
        today=today,
        baseline=baseline,
        paths=paths,
        environment=environment,
    )


def named(report: Report) -> list[tuple[str, str, int]]:
    """Rule, file and line of each finding, in the report's order."""
    return [(finding.rule.id, finding.file, finding.span.line) for finding in report.findings]


def linted_graph(files: dict[str, str | bytes]) -> tuple[Report, Graph]:
    """The report on `files` under the defaults, and the graph it is about."""
    repo = from_files(files)
    return linted(files), link(repo, render=Renders(repo), declared=declared(repo, config.Config()))
