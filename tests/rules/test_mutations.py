"""Recall: each mistake planted in a clean scaffold is found on its line, and nothing else is said.

A mutant replaces one text of one file. The finding has to stand on the line that the mutant wrote; what the mistake
brings about elsewhere is named with it, everything else is noise. Edits that change nothing must add nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache

import pytest
import yaml

from gitops_layout import rules
from gitops_layout.cli.loading import declared
from gitops_layout.config import Config
from gitops_layout.graph.link import link
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.scaffold.render import render
from tests.rules.mutants import MUTANTS, SERVICE, WEB, Mutant
from tests.scaffold.specs import spec

Files = dict[str, str]
Found = tuple[str, str, int, str]
"""Rule, file, line, fingerprint."""

CONFIG = Config(sources=("https://github.com/acme/platform.git",))
CASES = [(agent, mutant) for mutant in MUTANTS for agent in mutant.agents]


@cache
def _clean(agent: str) -> tuple[tuple[str, str], ...]:
    made = render(spec(agent, layout="monorepo"))
    return tuple((path, file.content.decode()) for path, file in sorted(made.items()))


def _found(files: Files) -> Iterator[Found]:
    repo = from_files(files)
    graph = link(repo, render=Renders(repo), declared=declared(repo, CONFIG))
    catalogue = rules.builtin()
    report = lint(
        graph, catalogue, policy=policy(catalogue, CONFIG, profile="strict"), today=date(2026, 1, 1)
    )
    assert report.crashes == ()
    for finding in report.findings:
        yield finding.rule.id, finding.file, finding.span.line, finding.fingerprint


@cache
def _before(agent: str) -> frozenset[str]:
    return frozenset(fingerprint for *_, fingerprint in _found(dict(_clean(agent))))


def _delivered(files: Files) -> str:
    """What agents' objects say and bring, and where they fail: a mutant that changes none of it is no mistake."""
    repo = from_files(files)
    graph = link(repo, render=Renders(repo), declared=declared(repo, CONFIG))
    state = {
        delivery.id: (
            delivery.object,
            [item.data for item in graph.rendered[delivery.id].objects],
            graph.rendered[delivery.id].failure is not None,
            [str(unset) for unset in graph.rendered[delivery.id].unset],
        )
        for delivery in graph.deliveries
    }
    return json.dumps(state, sort_keys=True, default=str)


@cache
def _delivered_before(agent: str) -> str:
    return _delivered(dict(_clean(agent)))


def planted(files: Files, mutant: Mutant) -> Files:
    """The files with the mistake."""
    changed = dict(files)
    for file, old, new in ((mutant.file, mutant.old, mutant.new), *mutant.also):
        if old:
            assert old in changed[file], f"nothing to break in {file}"
            changed[file] = changed[file].replace(old, new, 1)
        else:
            assert file not in changed
            changed[file] = new
    return changed


def line_of(files: Files, mutant: Mutant) -> int:
    """The line that is to be reported."""
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
    files = planted(dict(_clean(agent)), mutant)
    new = [found for found in _found(files) if found[3] not in _before(agent)]
    there = {(rule, file, where) for rule, file, where, _ in new}
    assert (mutant.rule, mutant.where or mutant.file, line_of(files, mutant)) in there, sorted(there)
    noise = {found for found in there if found[0] not in (mutant.rule, *mutant.beside)}
    assert not noise, sorted(noise)
    assert mutant.inert == (_delivered(files) == _delivered_before(agent)), "inert, or not"


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
    before = {rule for rule, *_ in _found(dict(_clean(agent)))}
    after = list(_found(files))
    if edit in ("reformatted", "commented"):
        assert {fingerprint for *_, fingerprint in after} == _before(agent)
    assert {rule for rule, *_ in after} == before
