"""What a run deletes, what it never deletes, and what a killed run leaves to the next."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import httpx2
import pytest

from gitops_layout.reconcile.plan import Verb
from tests.reconcile.support import config_map, crd, namespace_of

if TYPE_CHECKING:
    from tests.reconcile.support import Bench

pytestmark = pytest.mark.controlplane


def test_a_removed_object_goes_and_what_was_never_ours_stays(at: Bench) -> None:
    at.run([namespace_of(at.namespace), config_map("kept"), config_map("removed")])
    at.patch(at.core("configmaps", "foreign"), config_map("foreign"), manager="x", content="apply-patch")

    ran = at.run([namespace_of(at.namespace), config_map("kept")])

    assert ran.summary.exit_code == 0
    assert ran.verbs() == {f"ConfigMap/{at.namespace}/removed": Verb.PRUNE}
    assert at.get("v1", "ConfigMap", "removed") is None
    assert at.get("v1", "ConfigMap", "foreign") is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gitops-layout/prune", "disabled"),
        ("kustomize.toolkit.fluxcd.io/prune", "Disabled"),
        ("argocd.argoproj.io/sync-options", "ServerSideApply=true,Prune=false"),
        ("helm.sh/resource-policy", "keep"),
        ("config.kubernetes.io/deletion", "detach"),
    ],
)
def test_a_protected_object_stays_and_is_named(at: Bench, name: str, value: str) -> None:
    at.run([namespace_of(at.namespace), config_map("a"), config_map("precious", annotations={name: value})])

    first = at.run([namespace_of(at.namespace), config_map("a")])
    written = at.writes()
    second = at.run([namespace_of(at.namespace), config_map("a")])

    for ran in (first, second):
        assert ran.summary.exit_code == 0
        assert ran.verbs() == {f"ConfigMap/{at.namespace}/precious": Verb.KEEP}
        assert f"is protected by {name}" in ran.shown
    assert at.writes() == written


def test_a_child_that_inherited_our_label_stays(at: Bench) -> None:
    at.run([namespace_of(at.namespace), config_map("parent")])
    parent = at.get("v1", "ConfigMap", "parent")
    assert parent is not None
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": parent["metadata"]["uid"]}
    labels = parent["metadata"]["labels"]
    child = config_map("child", labels=labels, ownerReferences=[owner])
    at.patch(at.core("configmaps", "child"), child, manager="operator", content="apply-patch")
    # As Endpoints are made of a Service: its labels, but no owner.
    at.patch(
        at.core("configmaps", "copy"),
        config_map("copy", labels=labels),
        manager="operator",
        content="apply-patch",
    )

    ran = at.run([namespace_of(at.namespace), config_map("parent")])

    assert ran.verbs() == {
        f"ConfigMap/{at.namespace}/child": Verb.KEEP,
        f"ConfigMap/{at.namespace}/copy": Verb.KEEP,
    }


def test_an_empty_set_deletes_nothing_unless_confirmed(at: Bench) -> None:
    at.run([namespace_of(at.namespace), config_map("a")])
    before = at.writes()

    refused = at.run([])

    assert refused.summary.exit_code == 3
    assert "nothing is declared any more" in refused.problems[0]
    assert at.writes() == before
    planned = at.run([], dry_run=True)
    assert (planned.summary.exit_code, planned.problems) == (3, refused.problems)
    assert f"- ConfigMap/{at.namespace}/a" in planned.shown

    confirmed = at.run([], confirm_prune=True)

    assert confirmed.verbs() == {
        f"ConfigMap/{at.namespace}/a": Verb.PRUNE,
        f"Namespace/{at.namespace}": Verb.KEEP,
    }


def test_losing_more_than_half_needs_confirmation(at: Bench) -> None:
    many = [config_map(f"c{number}") for number in range(20)]
    at.run([namespace_of(at.namespace), *many])

    refused = at.run([namespace_of(at.namespace), *many[:9]])
    allowed = at.run([namespace_of(at.namespace), *many[:10]])

    assert refused.summary.exit_code == 3
    assert refused.problems == ["11 of 21 objects would be deleted: more than half needs --confirm-prune"]
    assert list(allowed.verbs().values()) == [Verb.PRUNE] * 10


def test_types_and_namespaces_go_only_when_asked(at: Bench) -> None:
    definition = crd("Widget", f"{at.namespace}.example.invalid")
    home = namespace_of(f"{at.namespace}-spare")
    at.run([namespace_of(at.namespace), definition, home])

    kept = at.run([namespace_of(at.namespace)])
    gone = at.run([namespace_of(at.namespace)], prune_critical=True)

    assert set(kept.verbs().values()) == {Verb.KEEP}
    assert set(gone.verbs().values()) == {Verb.PRUNE}
    live = at.get(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", definition["metadata"]["name"], namespace=""
    )
    assert live is None or live["metadata"]["deletionTimestamp"]


def test_a_run_killed_before_it_could_prune_is_finished_by_the_next(at: Bench) -> None:
    """The inventory still names the kind of what the killed run created, though git no longer does."""
    at.run([namespace_of(at.namespace)])
    script = f"""
        import os, signal
        from pathlib import Path
        from gitops_layout.reconcile import apply
        from gitops_layout.reconcile.cluster import Cluster
        from gitops_layout.reconcile.desired import DesiredObject
        apply._Run._prune = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        secret = {{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "orphan"}}}}
        home = {namespace_of(at.namespace)!r}
        options = apply.Options({at.namespace!r}, "here", namespace={at.namespace!r})
        cluster = Cluster({at.cluster.context!r}, Path({str(at.plane.kubeconfig)!r}))
        objects = [DesiredObject(home), DesiredObject(secret)]
        apply.reconcile(cluster, objects, options=options, emit=lambda _: None)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=180)
    assert killed.returncode == -9
    assert at.get("v1", "Secret", "orphan") is not None

    ran = at.run([namespace_of(at.namespace)])

    assert ran.verbs() == {f"Secret/{at.namespace}/orphan": Verb.PRUNE}
    assert at.get("v1", "Secret", "orphan") is None


def test_another_repository_cannot_prune_an_environment_of_the_same_name(at: Bench) -> None:
    at.run([namespace_of(at.namespace), config_map("a")])
    before = at.writes()
    parent = f"/api/v1/namespaces/default/configmaps/gitops-layout-{at.namespace}"
    at.patch(
        parent, {"metadata": {"annotations": {"gitops-layout/source": "elsewhere"}}}, manager="kubectl-edit"
    )

    ran = at.run([namespace_of(at.namespace)])

    assert ran.summary.exit_code == 3
    assert "belongs to the repository elsewhere" in ran.problems[0]
    assert at.writes() == before


def test_a_run_cut_off_before_any_of_its_writes_leaves_nothing_behind_after_a_revert(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every n: the run to the new state ends before its n-th write; the old state then comes back whole."""

    class CutOffError(BaseException):
        pass

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "only-old"}, "data": {"k": "dg=="}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "only-new"}}
    old = [namespace_of(at.namespace), config_map("both", {"a": "old"}), secret]
    new = [namespace_of(at.namespace), config_map("both", {"a": "new"}), config_map("only-new"), account]
    send = at.cluster._send
    for number in range(1, 20):
        at.run(old)
        writes = 0

        def cut(
            method: str, path: str, parameters: dict[str, str], *rest: object, last: int = number
        ) -> object:
            nonlocal writes
            writes += method != "GET" and "dryRun" not in parameters
            if writes >= last:
                raise CutOffError
            return send(method, path, parameters, *rest)

        monkeypatch.setattr(at.cluster, "_send", cut)
        try:
            at.run(new)
            break
        except CutOffError:
            pass
        finally:
            monkeypatch.undo()
        back = at.run(old)

        assert back.summary.exit_code == 0
        assert at.get("v1", "ConfigMap", "only-new") is None, number
        assert at.get("v1", "ServiceAccount", "only-new") is None, number
        assert at.get("v1", "Secret", "only-old") is not None
        live = at.get("v1", "ConfigMap", "both")
        assert live is not None
        assert live["data"] == {"a": "old"}
    assert number == 7  # inventory, three applies, one delete, inventory: all six were cut off


def test_a_run_survives_the_loss_of_any_one_answer(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has done what it was asked for, but the answer never arrives: asking again must do no harm."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "only-old"}, "data": {"k": "dg=="}}
    old = [namespace_of(at.namespace), config_map("both", {"a": "old"}), secret]
    new = [namespace_of(at.namespace), config_map("both", {"a": "new"}), config_map("only-new")]
    send = at.cluster._http.request
    for number in range(1, 40):
        at.run(old)
        sent = 0

        def lossy(method: str, url: str, lose: int = number, **more: object) -> object:
            nonlocal sent
            sent += 1
            answer = send(method, url, **more)
            if sent == lose:
                raise httpx2.ReadError("connection reset by peer")
            return answer

        monkeypatch.setattr(at.cluster._http, "request", lossy)
        ran = at.run(new)
        monkeypatch.undo()

        assert (ran.summary.exit_code, ran.problems) == (0, []), number
        assert at.get("v1", "Secret", "only-old") is None
        assert at.get("v1", "ConfigMap", "only-new") is not None
        if sent < number:
            break
    assert number > 8  # the loop reached the end of the run, and the run was no empty one


def test_what_a_finalizer_holds_back_is_named_and_not_deleted_twice(at: Bench) -> None:
    held = config_map("held", finalizers=["example.invalid/hold"])
    at.run([namespace_of(at.namespace), held, config_map("a")])

    first = at.run([namespace_of(at.namespace), config_map("a")], timeout=0.3, wait=True)
    written = at.writes()
    second = at.run([namespace_of(at.namespace), config_map("a")], timeout=0.3, wait=True)

    assert first.summary.exit_code == 3
    assert "Terminating: waiting for example.invalid/hold" in first.shown
    assert second.verbs() == {f"ConfigMap/{at.namespace}/held": Verb.KEEP}
    assert at.writes() == written
    at.patch(at.core("configmaps", "held"), {"metadata": {"finalizers": None}}, manager="kubectl-edit")
