"""Recall: each mistake planted in a clean scaffold is found on its line, and nothing else is said.

A mutant replaces one text of one file. The finding has to stand on the line that the mutant wrote; what the mistake
brings about elsewhere is named with it, everything else is noise. Edits that change nothing must add nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from tests.scaffold.specs import spec

Files = dict[str, str]
Found = tuple[str, str, int, str]
"""Rule, file, line, fingerprint."""

WEB = "apps/web/base/deployment.yaml"
SERVICE = "apps/web/base/service.yaml"
PROD = "apps/web/envs/prod/kustomization.yaml"
UNIT = "clusters/eu/apps/prod/web.yaml"
BUDGET = "apps/web/envs/prod/disruption-budget.yaml"


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands in the file once or more (the first is meant), becomes `new`; `rule` reports it.

    `marker` is the text whose line is right, the whole of `new` where it is empty. `beside` are rules that may say
    what the mistake brings about.
    """

    rule: str
    file: str
    old: str
    new: str
    marker: str = ""
    beside: tuple[str, ...] = ()
    agents: tuple[str, ...] = ("flux", "argocd")


FLUX, ARGO = ("flux",), ("argocd",)
MUTANTS = [
    Mutant("D001", WEB, "  name: web\n", "  name: web: x\n", beside=("K016",)),
    Mutant("D002", WEB, "  name: web\n", "  name: web\n  name: web\n", marker="  name: web", beside=("K016",)),
    Mutant("D005", WEB, "  name: web\n", "  name: web\n  uid: 5c4a5bbd-0000-0000-0000-000000000000\n", marker="  uid:"),
    Mutant("K001", PROD, "  - disruption-budget.yaml\n", "  - disruption-budgets.yaml\n", beside=("K002",)),
    Mutant("K003", PROD, "labels:\n  - pairs:\n      app.kubernetes.io/instance: web-prod\n    includeTemplates: true\n",
           "commonAnnotations:\n  owner: web\nbases:\n  - ../../base\n", marker="bases:", beside=("K016", "L008")),
    Mutant("K005", PROD, "  - name: web\n    newName", "  - name: wob\n    newName", marker="wob", beside=("V001", "M025")),
    Mutant("K016", "apps/web/base/kustomization.yaml", "v1beta1", "v1beta2"),
    Mutant("L001", PROD, "  - ../../base\n", "  - ../staging\n", beside=("K016", "L002", "K001")),
    Mutant("M001", WEB, "containerPort: 3000", "containerPort: web"),
    Mutant("M002", WEB, "containerPort: 3000", "containerPorts: 3000", beside=("M001",)),
    Mutant("M005", BUDGET, "apiVersion: policy/v1", "apiVersion: policy/v1beta1"),
    Mutant("M001", SERVICE, "apiVersion: v1", "apiVersion: apps/v1", beside=("L003",)),
    Mutant("M011", WEB, "name: web-settings", "name: web-setting"),
    Mutant("M019", SERVICE, "  name: web\n", "  name: Web_1\n", beside=("L003",)),
    Mutant("M020", WEB, "memory: 64Mi", "memory: 64m"),
    Mutant("M025", WEB, "            - name: tmp\n              mountPath", "            - name: temp\n              mountPath",
           marker="- name: temp"),
    Mutant("M033", WEB, "              path: /\n", "              path: http://localhost/\n"),
    Mutant("V001", "apps/web/envs/prod/version/kustomization.yaml", "newTag: ", "newTag: latest # ", marker="newTag: latest"),
    Mutant("V019", WEB, "image: web #", "image: ghcr.io/acme/web@sha256:fd96300600f9 #", beside=("K005", "M025")),
    Mutant("R003", UNIT, "prune: true", "prune: false", agents=FLUX),
    Mutant("P005", UNIT, "spec:\n", "spec:\n  suspend: true\n", marker="suspend", agents=FLUX),
    Mutant("F001", UNIT, "name: flux-system\n  path", "name: flux-systems\n  path", marker="flux-systems", agents=FLUX,
           beside=("F002",)),
    Mutant("F002", UNIT, "path: ./apps/web/envs/prod", "path: ./apps/web/env/prod", agents=FLUX, beside=("L003", "R022")),
    Mutant("F003", UNIT, "spec:\n", "spec:\n  dependsOn: [{name: apii-prod}]\n", marker="dependsOn", agents=FLUX),
    Mutant("F004", UNIT, "spec:\n", "spec:\n  dependsOn: [{name: web-prod}]\n", marker="dependsOn", agents=FLUX),
    Mutant("F027", UNIT, "spec:\n", "spec:\n  healthChecks: [{apiVersion: batch/v1, kind: Deployment, name: web, namespace: web}]\n",
           marker="healthChecks", agents=FLUX),
    Mutant("R013", WEB, "  name: web\n", "  name: web\n  annotations: {kustomize.toolkit.fluxcd.io/prun: disabled}\n",
           marker="annotations", agents=FLUX),
    Mutant("A001", UNIT, "project: ", "project: other # ", marker="project: other", agents=ARGO, beside=("A003",)),
    Mutant("A005", UNIT, "path: apps/web/envs/prod", "path: apps/web/env/prod", agents=ARGO, beside=("L003",)),
    Mutant("A010", UNIT, "syncOptions:\n", "syncOptions:\n      - CreateNamespaces=true\n", marker="CreateNamespaces", agents=ARGO),
    Mutant("R001", UNIT, "selfHeal: true", "selfHeal: false", agents=ARGO),
    Mutant("R002", UNIT, "prune: true", "prune: false", agents=ARGO),
    Mutant("A011", WEB, "  name: web\n", "  name: web\n  annotations: {argocd.argoproj.io/hook: PreSyncs}\n",
           marker="annotations", agents=ARGO),
    Mutant("A012", WEB, "  name: web\n", "  name: web\n  annotations: {argocd.argoproj.io/sync-wave: first}\n",
           marker="annotations", agents=ARGO),
    Mutant("P006", UNIT, "  annotations:\n", "  annotations:\n    argocd.argoproj.io/skip-reconcile: 'true'\n", marker="skip", agents=ARGO),
    Mutant("P001", ".github/workflows/release-web.yaml", "    steps:\n",
           "    steps:\n      - run: kubectl apply -f apps/web/base\n", marker="kubectl apply"),
]  # fmt: skip

CASES = [(agent, mutant) for mutant in MUTANTS for agent in mutant.agents]


@cache
def _clean(agent: str) -> tuple[tuple[str, str], ...]:
    made = render(spec(agent, layout="monorepo"))
    return tuple((path, file.content.decode()) for path, file in sorted(made.items()))


def _found(files: Files) -> Iterator[Found]:
    repo = from_files(files)
    config = Config(sources=("https://github.com/acme/platform.git",))
    graph = link(repo, render=Renders(repo), declared=declared(repo, config))
    catalogue = rules.builtin()
    report = lint(
        graph, catalogue, policy=policy(catalogue, config, profile="strict"), today=date(2026, 1, 1)
    )
    assert report.crashes == ()
    for finding in report.findings:
        yield finding.rule.id, finding.file, finding.span.line, finding.fingerprint


@cache
def _before(agent: str) -> frozenset[str]:
    return frozenset(fingerprint for *_, fingerprint in _found(dict(_clean(agent))))


@pytest.mark.parametrize(
    ("agent", "mutant"), CASES, ids=[f"{a}-{m.rule}-{n}" for n, (a, m) in enumerate(CASES)]
)
def test_a_planted_mistake_is_found_on_its_line_and_nothing_else_is_said(agent: str, mutant: Mutant) -> None:
    files = dict(_clean(agent))
    assert mutant.old in files[mutant.file], f"nothing to break in {mutant.file}"
    broken = files[mutant.file].replace(mutant.old, mutant.new, 1)
    start = broken.index(mutant.new) + mutant.new.rindex(
        mutant.marker or mutant.new.strip("\n").split("\n")[0]
    )
    line = broken[:start].count("\n") + 1
    new = [found for found in _found(files | {mutant.file: broken}) if found[3] not in _before(agent)]
    there = {(rule, file, where) for rule, file, where, _ in new}
    assert (mutant.rule, mutant.file, line) in there, sorted(there)
    noise = {found for found in there if found[0] not in (mutant.rule, *mutant.beside)}
    assert not noise, sorted(noise)


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
