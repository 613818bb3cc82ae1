"""Pipelines: which commands run, which of them deploy, and how much time a hostile one may take."""

from __future__ import annotations

import time

import pytest

from gitops_layout.checks.ci.deploys import changes, is_throw_away
from gitops_layout.checks.ci.rules import _shown
from gitops_layout.checks.ci.runs import works
from gitops_layout.checks.ci.shell import MAX_SCRIPT, commands
from gitops_layout.repo.load import from_files
from tests.lint.support import linted, named


def ran(text: str) -> list[str]:
    return [command.shown for command in commands(text)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "if kubectl get ns x; then kubectl apply -f a; fi",
            ["kubectl get ns x", "kubectl apply -f a", "fi"],
        ),
        ("kubectl \\\n  apply -f a # really", ["kubectl apply -f a"]),
        ("kubectl apply -f a 2>/dev/null 1>&2", ["kubectl apply -f a"]),
        ("kubectl scale deploy/a --replicas 2 >log", ["kubectl scale deploy/a --replicas 2"]),
        ("echo 'kubectl apply -f a'", ["echo kubectl apply -f a"]),
        (
            'bash -c "cd x && kubectl apply -f a"',
            ["bash -c cd x && kubectl apply -f a", "cd x", "kubectl apply -f a"],
        ),
        ("X=$(kubectl get po -o name)", ["kubectl get po -o name"]),
        ("cat <<EOF\nkubectl apply\nEOF\nhelm list", ["cat", "helm list"]),
        (
            "cat <<EOF | kubectl apply -f -\nkind: x\nEOF\nhelm list",
            ["cat", "kubectl apply -f -", "helm list"],
        ),
        ("KUBECONFIG=k sudo -E kubectl apply -f a", ["kubectl apply -f a"]),
        ("find . | xargs -n 1 kubectl apply -f", ["find .", "kubectl apply -f"]),
        ("curl ${{ secrets.A && 'b' }}/x; helm ls", ["curl ${{ secrets.A && 'b' }}/x", "helm ls"]),
        ("kubectl apply -f a > out.txt 2>&1", ["kubectl apply -f a"]),
    ],
)
def test_a_script_is_read_as_its_shell_reads_it(script: str, expected: list[str]) -> None:
    assert ran(script) == expected


@pytest.mark.parametrize(
    "line",
    [
        "kubectl --context prod -n shop apply -f a",
        "oc apply -f a",
        "microk8s kubectl apply -f a",
        "$(KUBECTL) apply -f a",
        "helm -n shop upgrade -i web charts/web",
        "kubectl rollout restart deployment/web",
        "flux -n flux-system reconcile kustomization apps",
        "helmfile -e prod sync",
    ],
)
def test_commands_that_change_a_cluster(line: str) -> None:
    (command,) = (c for c in commands(line) if len(c.words) > 1)
    assert changes(command.words, command.tool)


@pytest.mark.parametrize(
    "line",
    [
        "kubectl apply -f a --dry-run=server",
        "kubectl -n shop rollout status deployment/web",
        "kubectl diff -k a",
        "helm upgrade web charts/web --dry-run",
        "helm template web charts/web",
        "kubectl delete pod web-0",
        "kubectl set image --local -f d.yaml web=x -o yaml",
        "flux create source git a --export",
        "argocd app diff web",
    ],
)
def test_commands_that_only_look(line: str) -> None:
    (command,) = commands(line)
    assert not changes(command.words, command.tool)


def test_a_kind_cluster_that_a_called_script_makes_is_thrown_away_too() -> None:
    workflow = "jobs: {t: {steps: [{run: make test}]}}"
    repo = from_files(
        {
            ".github/workflows/t.yaml": workflow,
            "Makefile": "test: cluster\n\tkubectl apply -f a\ncluster:\n\t@./hack/up.sh\n",
            "hack/up.sh": "kind create cluster --name t\n",
        }
    )
    (work,) = works(repo)
    assert [command.words[0] for command in work.commands] == ["make", "kubectl", "./hack/up.sh", "kind"]
    assert is_throw_away(work)


def test_a_script_that_calls_itself_ends() -> None:
    repo = from_files(
        {
            ".github/workflows/t.yaml": "jobs: {t: {steps: [{run: ./a.sh}]}}",
            "a.sh": "./b.sh\n",
            "b.sh": "./a.sh\n",
        }
    )
    (work,) = works(repo)
    assert len(work.commands) == 3


def test_what_might_be_a_credential_is_not_repeated() -> None:
    shown = _shown(
        ("kubectl", "create", "secret", "generic", "x", "--from-literal=key=hunter2", "--token", "abc")
    )
    assert "hunter2" not in shown
    assert "abc" not in shown


@pytest.mark.parametrize("unit", ["$(", "`", "'", '"', "${{", "<<A ", "\\\n", "a;", "bash -c 'x "])
def test_a_hostile_script_takes_little_time(unit: str) -> None:
    begun = time.perf_counter()
    for _ in commands(unit * (MAX_SCRIPT // len(unit))):
        pass
    assert time.perf_counter() - begun < 60


@pytest.mark.parametrize("unit", ["sh '''", 'sh "', "file(", "sh(script: ", "sh (\n", "sh "])
def test_a_hostile_jenkinsfile_takes_little_time(unit: str) -> None:
    begun = time.perf_counter()
    works(from_files({"Jenkinsfile": unit * 40_000}))
    assert time.perf_counter() - begun < 60


def test_credentials_that_an_action_loads_for_several_jobs_are_told_once() -> None:
    job = "    steps:\n      - uses: ./.github/actions/access\n      - run: kubectl apply -f web.yaml\n"
    action = "runs:\n  using: composite\n  steps:\n    - shell: bash\n      run: aws eks update-kubeconfig --name prod\n"
    files: dict[str, str | bytes] = {
        ".github/actions/access/action.yaml": action,
        ".github/workflows/a.yaml": f"on: push\njobs:\n  one:\n{job}  two:\n{job}",
        "web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: web}\n",
    }

    assert named(linted(files, select=["P002"])) == [("P002", ".github/actions/access/action.yaml", 5)]
