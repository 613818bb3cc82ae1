"""Tells commands and actions that change a cluster, and what to declare in their place.

Agents are not judged: what installs them, or hands them their first object, cannot be pulled by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from gitops_layout.checks.ci.model import Action, Ran
from gitops_layout.checks.ci.runs import Work
from gitops_layout.checks.ci.shell import commands
from gitops_layout.patterns import regexp

__all__ = ["action_pushes", "changes", "is_throw_away", "loads_credentials", "pushes"]

Agents = Collection[str]

_DRY = regexp(r"--dry-run(=(?!none)\S*)?$|--server-dry-run$|--local(=true)?$|--debug-only$")
_AGENT = regexp(
    r"(^|[^a-z0-9])(argo-?cd|flux-system|flux-operator|flux-instance|flux2?|fluxcd|gotk[\w-]*|bootstrap)([^a-z0-9]|$)",
    re.IGNORECASE,
)
_KUBECTL = frozenset({"kubectl", "oc", "kubecolor"})
_KUBECTL_VERBS = frozenset({"apply", "create", "replace", "patch", "set", "scale", "autoscale", "expose", "run", "delete"})  # fmt: skip
_OTHERS = {
    "helmfile": {"apply", "sync", "destroy"},
    "kapp": {"deploy", "delete"},
    "skaffold": {"run", "deploy"},
    "werf": {"converge"},
    "kluctl": {"deploy"},
    "tk": {"apply"},
    "devspace": {"deploy"},
    "okteto": {"deploy"},
    "kubecfg": {"update"},
    "cdk8s": {"deploy"},
}
_VALUED = frozenset(
    {"-n", "--namespace", "--context", "--kube-context", "--kubeconfig", "--cluster", "-f", "--filename", "-k",
     "--kustomize", "--values", "--set", "--set-string", "--version", "--repo", "--timeout", "-l", "--selector", "-o",
     "--output", "--set-file", "--server", "-s", "--token", "--user", "--field-manager", "-e", "--environment", "-c"}
)  # fmt: skip
_LOCAL_CONTEXT = regexp(r"(kind-|k3d-|minikube|docker-desktop|rancher-desktop|orbstack)")


def positional(words: Sequence[str]) -> list[str]:
    """The words of a command that are neither flags nor their values, its name left out."""
    found: list[str] = []
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            skip = word in _VALUED
        else:
            found.append(word)
    return found


def flag(words: Sequence[str], *names: str) -> str:
    """The value of a flag, as `--name value`, `--name=value` or `-n value`; empty where it is absent."""
    for index, word in enumerate(words):
        if word in names:
            return words[index + 1] if index + 1 < len(words) else ""
        for name in names:
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return ""


def changes(words: Sequence[str], tool: str) -> bool:
    """Whether a command changes what a cluster runs."""
    if any(_DRY.match(word) for word in words):
        return False
    verbs = positional(words)
    first, second = [*verbs, "", ""][:2]
    if tool in ("microk8s", "k3s", "minikube") and first == "kubectl":
        first, second = [*verbs[1:], "", ""][:2]
        tool = "kubectl"
    if tool.startswith("microk8s.kubectl") or tool in _KUBECTL:
        if first == "delete":
            return bool(flag(words, "-f", "--filename", "-k", "--kustomize"))
        if first == "create" and second == "token":
            return False
        return first in _KUBECTL_VERBS or (first == "rollout" and second in ("restart", "undo"))
    if tool == "helm" or tool == "helm3":
        return first in ("upgrade", "install", "rollback", "uninstall", "delete")
    if tool == "argocd":
        return (first, second) in {("app", v) for v in ("sync", "set", "create", "rollback", "delete", "patch", "unset")}  # fmt: skip
    if tool == "flux":
        return first in ("reconcile", "resume", "suspend") or (
            first in ("create", "delete") and "--export" not in words
        )
    return first in _OTHERS.get(tool, ())


def pushes(ran: Ran) -> bool:
    """Whether a command deploys to a cluster that stands; what concerns the agent itself is left out."""
    if not changes(ran.words, ran.tool):
        return False
    if _LOCAL_CONTEXT.match(flag(ran.words, "--context", "--kube-context")):
        return False
    rest = ran.words[1:]
    return ran.tool in ("argocd", "flux") or not any(_AGENT.search(word) for word in rest if len(word) < 300)


_THROW_AWAY = {
    "kind": {"create"},
    "k3d": {"cluster", "create"},
    "minikube": {"start"},
    "ctlptl": {"create", "apply"},
    "vcluster": {"create"},
    "kwokctl": {"create"},
    "talosctl": {"cluster"},
    "k0sctl": {"apply"},
    "ct": {"install", "lint-and-install"},
    "microk8s": {"install", "start"},
    "colima": {"start"},
    "kubectl-kuttl": {"test"},
    "chainsaw": {"test"},
}
_LOCAL_WORD = regexp(
    r"(^|[^a-zA-Z])(kind|k3d|k3s|minikube|microk8s|vcluster|kwok)([^a-zA-Z]|$)|KinD|get\.k3s\.io"
)
_TEST_NAME = regexp(r"(^|[^a-z])(e2e|end-to-end|kind|k3d|minikube|integration|drill|restore|smoke|bootstrap)([^a-z]|$)", re.IGNORECASE)  # fmt: skip


def is_throw_away(work: Work) -> bool:
    """Whether a job's cluster lives no longer than the job: it makes one, or is by name a test of that kind.

    A job that bootstraps a cluster is not meant either: its agent does not pull yet.
    """
    if _TEST_NAME.search(work.job.name) or _TEST_NAME.search(work.job.file.rpartition("/")[2]):
        return True
    if any(_LOCAL_WORD.search(action.name) for action in work.actions):
        return True
    for ran in work.commands:
        if _THROW_AWAY.get(ran.tool, set()).intersection(positional(ran.words)[:1]):
            return True
        runner = (
            ran.tool in ("make", "task", "just", "mage", "curl", "npm")
            or "/" in ran.words[0]
            or ran.tool.endswith(".sh")
        )
        if runner and any(_LOCAL_WORD.search(word) for word in ran.words):
            return True
    return False


_DEPLOY_ACTIONS = {
    "azure/k8s-deploy": "manifests",
    "azure/k8s-create-secret": "secret",
    "kubernetesmanifest": "manifests",
    "helmdeploy": "helm",
    "kubernetes": "kubectl",
    "kubernetesdeploy": "manifests",
    "steebchen/kubectl": "kubectl",
    "actions-hub/kubectl": "kubectl",
    "kodermax/kubectl-aws-eks": "kubectl",
    "deliverybot/helm": "helm",
    "koslib/helm-eks-action": "kubectl",
    "bitovi/github-actions-deploy-eks-helm": "helm",
    "clowdhaus/argo-cd-action": "argocd",
    "google-github-actions/deploy-gke": "manifests",
}
_READING = frozenset({"lint", "template", "bake", "package", "save", "ls", "get", "login", "logout", "dryrun", "createsecret"})  # fmt: skip


def action_pushes(action: Action) -> tuple[str, ...]:
    """The words of the command that an action amounts to, where that changes a cluster; else none."""
    form = _DEPLOY_ACTIONS.get(action.name.lower())
    inputs = {key.lower(): value for key, value in action.inputs.items()}
    if form is None or inputs.get("action", "deploy").lower() in _READING:
        return ()
    if form in ("kubectl", "argocd"):
        text = " ".join(inputs.get(key, "") for key in ("command", "args", "arguments"))
        for command in commands(text):
            words = command.words if command.words[0] == form else (form, *command.words)
            if changes(words, form):
                return words
        return ()
    if form == "helm":
        verb = inputs.get("command", "upgrade").lower()
        if verb in _READING:
            return ()
        return ("helm", verb, inputs.get("releasename", inputs.get("release", "")), inputs.get("chartname", inputs.get("chart", inputs.get("chartpath", ""))))  # fmt: skip
    return ("kubectl", "apply", "-f", " ".join(inputs.get("manifests", "").split()) or "-")


_LOADERS: dict[str, Callable[[list[str]], bool]] = {
    "aws": lambda v: v[:2] == ["eks", "update-kubeconfig"],
    "gcloud": lambda v: "get-credentials" in v and "clusters" in v,
    "az": lambda v: v[:2] == ["aks", "get-credentials"],
    "doctl": lambda v: "kubeconfig" in v,
    "civo": lambda v: "config" in v and "--save" in v,
    "oc": lambda v: v[:1] == ["login"],
    "argocd": lambda v: v[:1] == ["login"],
    "tsh": lambda v: v[:2] == ["kube", "login"],
    "kubectl": lambda v: v[:1] == ["config"] and v[1:2] in (["set-credentials"], ["set-cluster"]),
}  # fmt: skip
_CREDENTIAL_ACTIONS = regexp(
    r"(azure/(aks|k8s)-set-context|google-github-actions/get-gke-credentials|redhat-actions/oc-login|"
    r"withkubeconfig|withkubecredentials|kubeconfig|kubeconfigcontent)$"
)
_KUBECONFIG = regexp(r"(^|/)\.kube/|kube-?config", re.IGNORECASE)


def loads_credentials(thing: Ran | Action) -> bool:
    """Whether a command or action gives the job the credentials of a cluster."""
    if isinstance(thing, Action):
        return bool(_CREDENTIAL_ACTIONS.search(thing.name.lower()))
    loader = _LOADERS.get(thing.tool)
    return bool(loader and loader(positional(thing.words))) or bool(_KUBECONFIG.search(thing.writes))
