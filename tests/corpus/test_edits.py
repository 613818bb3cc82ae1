"""Edits that change nothing add no finding, in public repositories: another indent, another order, a moved document, a renamed anchor."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import yaml

from gitops_layout import rules
from gitops_layout.cli.loading import configured, declared
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files, from_work_tree
from gitops_layout.repo.model import Repo

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")
REPOSITORIES = (
    "fluxcd/flux2-kustomize-helm-example",
    "onedr0p/home-ops",
    "SMACAcademy/ArgoCD-Complete-Master-Course",
    "ThorntonCloud/GitOps-Infra",
    "bokristoffersson/homelab-k12n-gitops",
    "vfarcic/argocd-production",
)
_ANCHOR = re.compile(r"([&*])([A-Za-z][\w-]*)(?=\s|$)", re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)#", re.MULTILINE)
"""What a comment says may count (markers, ignores, what is switched off): files with one keep their text."""


def _entries(repo: Repo) -> tuple[dict[str, str | bytes], dict[str, str]]:
    links = {path: entry.target for path, entry in repo.entries.items() if entry.target is not None}
    return {path: repo.content(path) for path in repo.entries if path not in links}, links


@cache
def _before(repository: str) -> tuple[Graph, Counter[tuple[str, str, str]]]:
    assert CORPUS is not None
    taken = from_work_tree(Path(CORPUS) / repository.replace("/", "__"))
    graph = _linked(*_entries(taken))
    return graph, _said(graph)


def _linked(files: dict[str, str | bytes], links: dict[str, str]) -> Graph:
    repo = from_files(files, links)
    return link(repo, render=Renders(repo), declared=declared(repo, configured(repo, None)))


def _said(graph: Graph) -> Counter[tuple[str, str, str]]:
    """Rule and message, once each; the folder tells equal ones apart."""
    catalogue = rules.builtin()
    judged = policy(catalogue, configured(graph.repo, None), profile="strict")
    report = lint(graph, catalogue, policy=judged, today=date(2026, 1, 1))
    assert report.crashes == ()
    return Counter((f.rule.id, f.message, f.file.rpartition("/")[0]) for f in report.findings)


def _data(files: dict[str, str | bytes], path: str) -> list[object]:
    return [document.data for document in from_files({path: files[path]}).documents(path)]


def _rewritten(text: str, edit: str) -> str | None:
    """The text after an edit that leaves what it says; None where there is nothing to edit."""
    if edit == "renamed":
        names = {name for sign, name in _ANCHOR.findall(text) if sign == "&"}
        changed = _ANCHOR.sub(lambda m: f"{m[1]}{m[2]}0" if m[2] in names else m[0], text)
        return changed if changed != text else None
    if _COMMENT.search(text) or "{{" in text:
        return None
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError:
        return None
    if not documents or not all(isinstance(document, dict) for document in documents):
        return None
    if edit == "reordered":
        documents = [dict(reversed(document.items())) for document in documents]
    return yaml.safe_dump_all(documents, sort_keys=False, indent=6 if edit == "reformatted" else 2)


def _changed(graph: Graph, edit: str) -> Iterator[tuple[str, str]]:
    """The delivered files that the edit may touch: those that our reader reads as before."""
    files, _ = _entries(graph.repo)
    for path in sorted(graph.repo.manifests):
        if not graph.is_live(path) or graph.repo.stream(path).problems or "/templates/" in path:
            continue
        text = _rewritten(graph.repo.text(path), edit)
        if text is not None and _data({path: text}, path) == _data(files, path):
            yield path, text


def _moved(graph: Graph) -> Iterator[dict[str, str | None]]:
    """Edits of one kustomization each: its second file's documents stand behind those of the first, and it is gone."""
    repo = graph.repo
    for folder, names in sorted(repo.folders.items()):
        home = next((f"{folder}/{name}" for name in FILE_NAMES if name in names), None)
        if home is None or not graph.is_live(home) or _COMMENT.search(repo.text(home)):
            continue
        listed = re.findall(r"^\s*- (?:\./)?([\w-]+\.yaml)$", repo.text(home), re.MULTILINE)
        files = [f"{folder}/{name}" for name in listed if name in names]
        whole = [
            f for f in files if repo.text(home).count(f.rpartition("/")[2]) == 1 and len(repo.objects(f)) == 1
        ]
        readers = {f: sum(f in rendered.files for rendered in graph.rendered.values()) for f in whole}
        if (
            len(whole) < 2
            or len({readers[f] for f in whole[:2]}) > 1
            or repo.objects(whole[0])[0].ref == repo.objects(whole[1])[0].ref
        ):
            continue
        first, second = whole[:2]
        text = re.sub(
            rf"^\s*- (?:\./)?{re.escape(second.rpartition('/')[2])}\n",
            "",
            repo.text(home),
            flags=re.MULTILINE,
        )
        if text != repo.text(home):
            yield {
                home: text,
                first: f"{repo.text(first).rstrip()}\n---\n{repo.text(second).removeprefix('---')}",
                second: None,
            }


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize("edit", ["reformatted", "reordered", "renamed", "moved"])
@pytest.mark.parametrize("repository", REPOSITORIES)
def test_an_edit_that_changes_nothing_adds_no_finding(repository: str, edit: str) -> None:
    assert CORPUS is not None
    if not (Path(CORPUS) / repository.replace("/", "__")).is_dir():
        pytest.skip(f"{repository} is not there")
    graph, before = _before(repository)
    files, links = _entries(graph.repo)
    changes: dict[str, str | None] = {}
    for some in _moved(graph) if edit == "moved" else [dict(_changed(graph, edit))]:
        if changes.keys().isdisjoint(some):
            changes |= some
    if not changes:
        pytest.skip("there is nothing to edit so")
    gone = {path for path, text in changes.items() if text is None}
    texts = {path: text for path, text in changes.items() if text is not None}
    after = _said(
        _linked({path: text for path, text in {**files, **texts}.items() if path not in gone}, links)
    )

    assert after - before == Counter(), f"{len(changes)} files were edited"
