"""Recall: each mistake planted in a clean scaffold is found on its line, and nothing else is said.

A mutant replaces one text of one file. The finding has to stand on the line that the mutant wrote; what the mistake
brings about elsewhere is named with it, everything else is noise. Edits that change nothing must add nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache

import pytest
import yaml

from gitops_layout import rules
from gitops_layout.cli.loading import configured, declared
from gitops_layout.config import Config
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import Repo
from gitops_layout.scaffold.render import render
from tests.rules import mutants, mutants_more
from tests.rules.mutants import SERVICE, WEB, Mutant
from tests.scaffold.specs import APPS, FEATURES, OWN_CHART, PLATFORM, spec

Files = dict[str, str]
Found = tuple[str, str, int, str]
"""Rule, file, line, fingerprint."""

MUTANTS = [*mutants.MUTANTS, *mutants_more.MUTANTS]
CASES = [(agent, mutant) for mutant in MUTANTS for agent in mutant.agents]
SCAFFOLDS = {
    "monorepo": {"layout": "monorepo"},
    "platform": PLATFORM,
    "chart": {"layout": "monorepo", "apps": [*APPS, OWN_CHART]},
    "policies": {"layout": "monorepo", **FEATURES["policies"]},
}
SOURCES = ("https://github.com/acme/platform.git", "https://github.com/bakery/platform.git")
Given = tuple[tuple[str, str, str], ...]


@cache
def _clean(agent: str, of: str = "monorepo") -> tuple[tuple[str, str], ...]:
    made = render(spec(agent, **SCAFFOLDS[of]))
    return tuple((path, file.content.decode()) for path, file in sorted(made.items()))


def _config(repo: Repo) -> Config:
    return replace(configured(repo, None), sources=SOURCES)


def _linked(files: Files, mutant: Mutant | None = None) -> Graph:
    repo = from_files(dict(files), dict(mutant.links) if mutant else {}, dict(mutant.tags) if mutant else {})
    return link(repo, render=Renders(repo), declared=declared(repo, _config(repo)))


def _said(graph: Graph) -> Iterator[Found]:
    catalogue = rules.builtin()
    judged = policy(catalogue, _config(graph.repo), profile="strict")
    report = lint(graph, catalogue, policy=judged, today=date(2026, 1, 1))
    assert report.crashes == ()
    for finding in report.findings:
        yield finding.rule.id, finding.file, finding.span.line, finding.fingerprint


@cache
def _before(agent: str, of: str = "monorepo", given: Given = ()) -> tuple[Graph, frozenset[str], str]:
    """The scaffold, with what is given: its graph, the fingerprints of what is said of it, and what it delivers."""
    graph = _linked(edited(dict(_clean(agent, of)), given))
    return graph, frozenset(fingerprint for *_, fingerprint in _said(graph)), _delivered(graph)


def _delivered(graph: Graph) -> str:
    """What agents' objects say and bring, and where they fail: a mutant that changes none of it is no mistake."""
    state = {
        delivery.id: (
            delivery.object,
            [item.data for item in graph.rendered[delivery.id].objects],
            graph.rendered[delivery.id].failure is not None,
            [str(unset) for unset in graph.rendered[delivery.id].unset],
            [unseen.why for unseen in graph.rendered[delivery.id].unseen],
        )
        for delivery in graph.deliveries
    }
    return json.dumps(state, sort_keys=True, default=str)


def edited(files: Files, edits: Given) -> Files:
    """The files with each text replaced once; an empty text stands for a new file."""
    changed = dict(files)
    for file, old, new in edits:
        if old:
            assert old in changed[file], f"nothing to break in {file}"
            changed[file] = changed[file].replace(old, new, 1)
        else:
            assert file not in changed
            changed[file] = new
    return changed


def planted(files: Files, mutant: Mutant) -> Files:
    """The files with the mistake."""
    first = ((mutant.file, mutant.old, mutant.new),) if mutant.file else ()
    return edited(files, (*mutant.given, *first, *mutant.also))


def line_of(files: Files, mutant: Mutant) -> int:
    """The line that is to be reported; a link has one line."""
    if (mutant.where or mutant.file) in dict(mutant.links):
        return 1
    text = files[mutant.where or mutant.file]
    marker = mutant.marker or mutant.new.strip("\n").split("\n")[0]
    start = 0 if mutant.where or not mutant.new else text.index(mutant.new)
    inside = text[start : start + len(mutant.new)] if start or not mutant.where else text
    found = inside.rindex(marker) if marker in inside and not mutant.where else text.index(marker) - start
    return text[: start + found].count("\n") + 1


@pytest.mark.parametrize(
    ("agent", "mutant"), CASES, ids=[f"{a}-{m.rule}-{n}" for n, (a, m) in enumerate(CASES)]
)
def test_a_planted_mistake_is_found_on_its_line_and_nothing_else_is_said(agent: str, mutant: Mutant) -> None:
    clean, known, delivered = _before(agent, mutant.of, mutant.given)
    files = planted(dict(_clean(agent, mutant.of)), mutant)
    graph = _linked(files, mutant)
    new = [
        found
        for found in _said(replace(graph, before=clean) if mutant.since else graph)
        if found[3] not in known
    ]
    there = {(rule, file, where) for rule, file, where, _ in new}
    assert (mutant.rule, mutant.where or mutant.file, line_of(files, mutant)) in there, sorted(there)
    noise = {found for found in there if found[0] not in (mutant.rule, *mutant.beside)}
    assert not noise, sorted(noise)
    assert mutant.inert == (_delivered(graph) == delivered), "inert, or not"


def test_each_rule_has_a_mutant_or_a_reason_why_it_has_none() -> None:
    planted_rules = {mutant.rule for mutant in MUTANTS}
    without = mutants_more.WITHOUT
    assert planted_rules.isdisjoint(without), "a rule that has a mutant needs no reason"
    assert planted_rules | without.keys() == {rule.id for rule in rules.builtin().rules}
    assert all(without.values())


def _written(text: str, *, turned: bool) -> str:
    """The same documents as another program writes them."""
    documents = [document for document in yaml.safe_load_all(text) if document is not None]
    if turned:
        documents = [dict(reversed(document.items())) for document in documents]
    return yaml.safe_dump_all(documents, sort_keys=False, indent=4, default_flow_style=turned)


@pytest.mark.parametrize("agent", ["flux", "argocd"])
@pytest.mark.parametrize("edit", ["reordered", "reformatted", "commented", "moved"])
def test_an_edit_that_changes_nothing_adds_no_finding(agent: str, edit: str) -> None:
    files = dict(_clean(agent))
    manifests = [path for path in files if path.endswith(".yaml") and path.startswith(("apps/", "clusters/"))]
    for path in manifests:
        match edit:
            case "reordered":
                files[path] = _written(files[path], turned=True)
            case "reformatted":
                files[path] = _written(files[path], turned=False)
            case "commented":
                files[path] = f"# a word\n{files[path]}\n# another\n"
    if edit == "moved":
        files["apps/web/base/all.yaml"] = f"{files.pop(SERVICE)}\n---\n{files.pop(WEB)}"
        files["apps/web/base/kustomization.yaml"] = files["apps/web/base/kustomization.yaml"].replace(
            "  - deployment.yaml\n  - service.yaml\n", "  - all.yaml\n"
        )
    before = {rule for rule, *_ in _said(_before(agent)[0])}
    after = list(_said(_linked(files)))
    if edit in ("reformatted", "commented"):
        assert {fingerprint for *_, fingerprint in after} == _before(agent)[1]
    assert {rule for rule, *_ in after} == before
