"""Mistakes planted in public repositories, one at a time, and whether the rule that means them says so on their line.

`python -m tools.planted` runs over the checkouts below $GITOPS_LAYOUT_CORPUS and writes the table of docs/truth.md. The
places are found by what stands there, so nothing of the repositories is kept here.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import islice
from pathlib import Path

from gitops_layout import rules
from gitops_layout.cli.loading import configured, declared
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import Repo
from gitops_layout.system import write_atomic
from tools.history import PAGE
from tools.precision import between

__all__ = ["MISTAKES", "REPOSITORIES", "Mistake", "Outcome", "outcomes"]

REPOSITORIES = (
    "fluxcd/flux2-kustomize-helm-example",
    "onedr0p/home-ops",
    "SMACAcademy/ArgoCD-Complete-Master-Course",
    "ThorntonCloud/GitOps-Infra",
)
_FLUX = r"^kind: Kustomization\n(?s:.*)^  sourceRef:"
_APP = r"^kind: Application\n"
_OF_GIT = rf"{_FLUX}(?s:.*?)^    kind: GitRepository"
_FREE = rf"\A(?!(?s:.*)^  dependsOn:)(?s:.*){_FLUX}"
_ALL_SEEN = rf"\A(?!(?s:.*)^  ignoreDifferences:)(?s:.*){_APP}"
_BY_SERVER = rf"\A(?!(?s:.*)^    name:)(?s:.*){_APP}"
_RELEASE = r"^kind: HelmRelease\n"
_WORKLOAD = r"^kind: (Deployment|StatefulSet)\n"
_KUSTOMIZATION = r"^kind: Kustomization\n(?!(?s:.*)^  sourceRef:)"
_TRIED = 5
"""Sites of a mistake that are tried until one changes what is delivered."""
_FILLED = r"[^\s#$'\"]+"


@dataclass(frozen=True, slots=True)
class Mistake:
    """In the first live document that has `inside`, what matches `old` becomes `new`; `rule` reports the line of `new`.

    `line` counts on from there, -1 is the last one. `beside` are rules that may say what it brings about. `form` says that what is
    delivered stays as it is.
    """

    rule: str
    inside: str
    old: str
    new: str
    line: int = 0
    beside: tuple[str, ...] = ()
    form: bool = False


MISTAKES = (
    Mistake("D001", _APP, rf"^  name: ({_FILLED})$", r"  name: \1: x", beside=("K016", "R022")),
    Mistake("D001", _FLUX, rf"^  name: ({_FILLED})$", r"  name: \1: x", beside=("K016", "R022", "F003", "R014")),
    Mistake("D002", _FLUX, r"^(  prune: \w+)$", r"\1\n\1", 1, ("K016", "R014"), form=True),
    Mistake("D002", _WORKLOAD, rf"^(  name: {_FILLED})$", r"\1\n\1", 1, ("K016",), form=True),
    Mistake("D005", _WORKLOAD, r"^metadata:\n", "metadata:\n  uid: 5c4a5bbd-0000-0000-0000-000000000000\n", 1),
    Mistake("K001", _KUSTOMIZATION, rf"^  - (\./)?({_FILLED})\.yaml$", r"  - \1\2-gone.yaml", beside=("K002", "K016", "K018", "F003", "F001", "L011", "M011", "R014")),
    Mistake("M001", _FLUX, r"^  prune: \w+$", "  prune: perhaps", beside=("R003",)),
    Mistake("M002", _FLUX, r"^  interval: (\S+)$", r"  intervall: \1", beside=("M001",)),
    Mistake("M002", _RELEASE, r"^  interval: (\S+)$", r"  intervall: \1", beside=("M001", "M025")),
    Mistake("M001", _WORKLOAD, r"^  replicas: \d+$", "  replicas: many"),
    Mistake("M002", _WORKLOAD, r"^  selector:$", "  selectors:", beside=("M001", "M025")),
    Mistake("M002", _APP, r"^  destination:$", "  destinations:", beside=("M001", "A003", "A006")),
    Mistake("R003", _FLUX, r"^  prune: true$", "  prune: false"),
    Mistake("P005", _FLUX, r"^spec:\n", "spec:\n  suspend: true\n", 1),
    Mistake("P005", _RELEASE, r"^spec:\n", "spec:\n  suspend: true\n", 1),
    Mistake("F001", _FLUX, rf"^  sourceRef:\n((?:    .*\n)*?)    name: ({_FILLED})$", r"  sourceRef:\n\g<1>    name: \2-gone", -1, ("F002", "R014")),
    Mistake("F002", _OF_GIT, rf"^  path: ({_FILLED})$", r"  path: \1-gone", beside=("F003", "F001", "R022", "L011", "R014")),
    Mistake("F003", _FREE, r"^spec:\n", "spec:\n  dependsOn: [{name: nobody-of-that-name}]\n", 1),
    Mistake("F004", _FREE, rf"^(  name: ({_FILLED})\n(?s:.*?))^spec:\n", r"\1spec:\n  dependsOn: [{name: \2}]\n", -1),
    Mistake("F027", _FLUX, r"^spec:\n", "spec:\n  healthChecks: [{apiVersion: batch/v1, kind: Deployment, name: web, namespace: web}]\n", 1),
    Mistake("F018", _FLUX, rf"^(  healthChecks:\n    - apiVersion: helm\.toolkit\.fluxcd\.io/v2\n      kind: HelmRelease\n      name: {_FILLED})$", r"\1s", -1),
    Mistake("P007", _FLUX, r"^metadata:\n", "metadata:\n  annotations: {reconcile.fluxcd.io/requestedAt: '2026-01-01'}\n", 1),
    Mistake("P006", _FLUX, r"^metadata:\n", "metadata:\n  annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}\n", 1),
    Mistake("R013", _FLUX, r"^metadata:\n", "metadata:\n  annotations: {kustomize.toolkit.fluxcd.io/prun: disabled}\n", 1),
    Mistake("F001", _RELEASE, rf"^      sourceRef:\n((?:        .*\n)*?)        name: ({_FILLED})$", r"      sourceRef:\n\g<1>        name: \2-gone", -1),
    Mistake("F001", _RELEASE, rf"^  chartRef:\n((?:    .*\n)*?)    name: ({_FILLED})$", r"  chartRef:\n\g<1>    name: \2-gone", -1),
    Mistake("A005", _APP, rf"^    path: ({_FILLED})$", r"    path: \1-gone", beside=("R022", "L011")),
    Mistake("A006", _BY_SERVER, rf"^    server: ({_FILLED})$", r"    server: \1\n    name: in-cluster", beside=("A003",)),
    Mistake("A001", _APP, rf"^  project: ({_FILLED})$", "  project: nobody-of-that-name", beside=("A003",)),
    Mistake("A008", _APP, r"^  project: (?!default)(\S+)$", "  project: default", beside=("A003",)),
    Mistake("A010", _APP, r"^(    syncOptions:\n)(\s+- )", r"\1\2CreateNamespaces=true\n\2", 1),
    Mistake("A026", _APP, r"^(    syncOptions:\n)(\s+- )", r"\1\2Validate=false\n\2", 1),
    Mistake("R001", _APP, r"^      selfHeal: true$", "      selfHeal: false"),
    Mistake("R002", _APP, r"^      prune: true$", "      prune: false"),
    Mistake("R008", _ALL_SEEN, r"^spec:\n", "spec:\n  ignoreDifferences: [{kind: Deployment, jsonPointers: [/spec/paused]}]\n", 1),
    Mistake("R010", _ALL_SEEN, r"^spec:\n", "spec:\n  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [spec/paused]}]\n", 1),
    Mistake("P006", _APP, r"^metadata:\n(?!\s+annotations)", "metadata:\n  annotations: {argocd.argoproj.io/skip-reconcile: 'true'}\n", 1),
    Mistake("P007", _APP, r"^metadata:\n(?!\s+annotations)", "metadata:\n  annotations: {argocd.argoproj.io/refresh: hard}\n", 1),
    Mistake("V001", _WORKLOAD, r"image: ([\w./-]+):(?!latest)[\w.-]+$", r"image: \1:latest"),
    Mistake("V019", _WORKLOAD, r"image: ([\w./-]+):[\w.-]+$", r"image: \1@sha256:fd96300600f9"),
    Mistake("M020", _WORKLOAD, r"memory: \"?(\d+)Mi\"?$", r"memory: \1m", beside=("M025",)),
    Mistake("M033", _WORKLOAD, r"^(\s+)path: /\S*$", r"\1path: http://localhost/"),
    Mistake("A012", _WORKLOAD, r"^metadata:\n(?!\s+annotations)", "metadata:\n  annotations: {argocd.argoproj.io/sync-wave: first}\n", 1),
    Mistake("A011", _WORKLOAD, r"^metadata:\n(?!\s+annotations)", "metadata:\n  annotations: {argocd.argoproj.io/hook: PreSyncs}\n", 1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a planted mistake led to: `found` on the line that is wrong, and what else was said that does not belong."""

    repository: str
    mistake: Mistake
    place: str
    found: bool
    noise: tuple[str, ...]


@cache
def _repo(repository: str, corpus: str) -> Repo:
    return from_work_tree(Path(corpus) / repository.replace("/", "__"))


def _graph(repo: Repo) -> Graph:
    return link(repo, render=Renders(repo), declared=declared(repo, configured(repo, None)))


def _said(graph: Graph) -> dict[str, tuple[str, str, int]]:
    catalogue = rules.builtin()
    config = configured(graph.repo, None)
    report = lint(
        graph, catalogue, policy=policy(catalogue, config, profile="strict"), today=date(2026, 1, 1)
    )
    return {f.fingerprint: (f.rule.id, f.file, f.span.line) for f in report.findings}


def _delivered(graph: Graph) -> str:
    state = {
        d.id: (d.object, [item.data for item in rendered.objects], rendered.failure is not None)
        for d in graph.deliveries
        for rendered in [graph.rendered[d.id]]
    }
    return json.dumps(state, sort_keys=True, default=str)


def _sites(graph: Graph, mistake: Mistake) -> Iterator[tuple[str, str, int]]:
    """File, its text with the mistake, and the line that is wrong."""
    inside, old = re.compile(mistake.inside, re.MULTILINE), re.compile(mistake.old, re.MULTILINE)
    for file in graph.repo.files:
        if not file.endswith((".yaml", ".yml")) or not graph.is_live(file):
            continue
        text = graph.repo.text(file)
        start = 0
        for document in re.split(r"(?m)^---.*$\n?", text):
            start = text.index(document, start)
            match = old.search(document) if inside.search(document) else None
            if match is not None:
                new = match.expand(mistake.new)
                changed = f"{text[: start + match.start()]}{new}{text[start + match.end() :]}"
                before = text[: start + match.start()].count("\n") + 1
                last = new.rstrip("\n").count("\n")
                yield file, changed, before + (mistake.line if mistake.line >= 0 else last)
            start += len(document)


def _planted(
    repo: Repo, graph: Graph, mistake: Mistake, delivered: str
) -> tuple[tuple[str, int], Graph] | None:
    """The first site where the mistake changes what is delivered, and the repository with it: an overlay may write over
    what stands in a base, and there it would be none.
    """
    for file, text, line in islice(_sites(graph, mistake), _TRIED):
        broken = _graph(repo.over({file: text.encode()}))
        if mistake.form or _delivered(broken) != delivered:
            return (file, line), broken
    return None


def outcomes(repository: str, corpus: str) -> Iterator[Outcome]:
    """What became of each mistake that has a site there."""
    repo = _repo(repository, corpus)
    graph = _graph(repo)
    before, delivered = _said(graph), _delivered(graph)
    for mistake in MISTAKES:
        found = _planted(repo, graph, mistake, delivered)
        if found is None:
            continue
        (file, line), broken = found
        new = [place for known, place in _said(broken).items() if known not in before]
        noise = {
            f"{rule} {where}:{n}" for rule, where, n in new if rule not in (mistake.rule, *mistake.beside)
        }
        yield Outcome(
            repository,
            mistake,
            f"{file}:{line}",
            (mistake.rule, file, line) in new,
            tuple(sorted(noise)),
        )


def main() -> int:
    """Write the table; 1 where a mistake was not found, or something else was said."""
    corpus = os.environ.get("GITOPS_LAYOUT_CORPUS")
    if not corpus:
        print("GITOPS_LAYOUT_CORPUS names no folder of repositories", file=sys.stderr)
        return 2
    lines = [f"Made on {datetime.now(UTC).date()} by `GITOPS_LAYOUT_CORPUS=FOLDER python -m tools.planted`, on the commits of the corpus; part of `make corpus`.", "",
        "| repository | planted | found on their line | something else said |", "| --- | --- | --- | --- |"]  # fmt: skip
    bad = 0
    for repository in REPOSITORIES:
        made = list(outcomes(repository, corpus))
        lost = [o for o in made if not o.found or o.noise]
        bad += len(lost)
        lines.append(
            f"| {repository} | {len(made)} | {sum(o.found for o in made)} | {sum(bool(o.noise) for o in made)} |"
        )
        print(lines[-1], flush=True)
        for one in lost:
            words = "found" if one.found else "NOT FOUND"
            print(
                f"{one.mistake.rule} {one.place}: {words}, beside {one.noise}",
                file=sys.stderr,
            )
    page = PAGE.read_text()
    write_atomic(PAGE, between(page, "<!-- planted -->", "<!-- /planted -->", lambda: "\n".join(lines)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
