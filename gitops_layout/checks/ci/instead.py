"""From push to pull: what to declare in place of a command that deploys."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gitops_layout.checks.ci.deploys import flag, positional

__all__ = ["instead"]


def instead(words: Sequence[str], tool: str, agents: Collection[str]) -> str:
    """The act that makes the agent pull what a command pushes; `agents` are those that the repository uses."""
    verbs = [*positional(words), "", "", ""]
    if tool == "helm":
        return _release(words, verbs, agents)
    if tool == "argocd":
        if verbs[1] == "sync":
            return "set `spec.syncPolicy.automated` in the Application; a webhook makes Argo CD look at once"
        return "write the Application's change into Git and let Argo CD pull it"
    if tool == "flux":
        if verbs[0] == "reconcile":
            return "drop it: Flux pulls at its interval, and a Receiver makes it pull at once after a push"
        return "commit what `flux create … --export` prints, `suspend` included, and let Flux pull it"
    if tool == "helmfile":
        return f"declare each release as {_chart(agents)} and let the agent pull it"
    return _objects(words, verbs, agents)


def _unit(agents: Collection[str]) -> str:
    """The agent's object that delivers a folder."""
    flux, argo = "flux" in agents, "argocd" in agents
    if flux == argo:
        return "a Flux Kustomization or an Argo CD Application"
    return "a Flux Kustomization" if flux else "an Argo CD Application"


def _chart(agents: Collection[str]) -> str:
    flux, argo = "flux" in agents, "argocd" in agents
    if flux == argo:
        return "a HelmRelease (Flux) or an Application with a chart (Argo CD)"
    return "a HelmRelease" if flux else "an Application with a chart"


def _release(words: Sequence[str], verbs: list[str], agents: Collection[str]) -> str:
    if verbs[0] not in ("upgrade", "install"):
        return f"revert the commit that changed {_chart(agents)}; the agent then does the same"
    name, chart = _short(verbs[1]), _short(verbs[2])
    version, namespace = flag(words, "--version"), flag(words, "-n", "--namespace")
    what = (
        _chart(agents)
        + (f" `{name}`" if name else "")
        + (f" in namespace {_short(namespace)}" if namespace else "")
    )
    source = f" from {chart}" if chart else ""
    pinned = f" {_short(version)}" if version else " at a fixed version"
    return f"declare {what}{source}{pinned}, the values in Git; the pipeline ends with the commit"


def _objects(words: Sequence[str], verbs: list[str], agents: Collection[str]) -> str:
    unit = _unit(agents)
    match verbs[0], verbs[1]:
        case "set", "image":
            return (
                f"commit the tag: `kustomize edit set image` in the overlay that {unit} pulls, or let image"
                " automation write it"
            )
        case "scale" | "autoscale", _:
            return "write `spec.replicas`, or a HorizontalPodAutoscaler, into the manifest in Git"
        case "rollout", "restart":
            return (
                "change the pod template by commit; the hash of a configMapGenerator restarts pods by itself"
            )
        case "rollout", "undo":
            return "revert the commit; the agent brings back what ran before"
        case "create", "secret":
            return "declare an ExternalSecret, a SealedSecret or a file encrypted with SOPS in the path that the agent pulls"
    path = flag(words, "-k", "--kustomize") or flag(words, "-f", "--filename")
    if verbs[0] in ("apply", "create", "replace") and path not in ("", "-"):
        if "://" in path:
            return f"list the URL, at a fixed revision, in a kustomization that {unit} pulls"
        return f"let {unit} pull `{_short(path)}`; the pipeline ends with the commit"
    if path == "-" or verbs[0] in ("apply", "create"):
        return f"commit what is made here to an overlay that {unit} pulls, instead of applying it"
    return f"write the change into the manifest in Git and let {unit} pull it"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
