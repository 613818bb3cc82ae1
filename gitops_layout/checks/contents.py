"""Checks of what declarations hold: objects at all, placeholders, programs that act on the cluster, templates that roll dice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from posixpath import basename
from typing import Any

from gitops_layout.agents.delivery import Delivery, Source
from gitops_layout.checks.applied import Applied, applied
from gitops_layout.checks.ci.deploys import changes
from gitops_layout.checks.ci.shell import commands
from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.graph.tokens import templates
from gitops_layout.k8s.pods import containers
from gitops_layout.kustomize.model import GROUP as KUSTOMIZE
from gitops_layout.kustomize.model import find
from gitops_layout.model import Affected, Hit, Location, Related, Severity, Span
from gitops_layout.patterns import regexp
from gitops_layout.render.artifact import LeavesOut, leaves_out
from gitops_layout.render.directory import passed_over
from gitops_layout.render.overrides import generated
from gitops_layout.repo.model import Repo, is_aside, is_yaml

__all__ = ["agent_undeclared", "not_object", "placeholder", "rolls_dice", "runs_kubectl"]

Params = Mapping[str, Any]


def _affected(delivery: Delivery) -> Affected:
    return Affected(None, delivery.id, delivery.environment, delivery.cluster)


def not_object(graph: Graph, params: Params) -> Iterator[Hit]:
    """Documents without apiVersion and kind, or that are kustomize's own, in folders of which an agent applies every file. Argo CD passes over a file
    that looks like no manifest at all.
    """
    for delivery in graph.deliveries:
        if not delivery.live or delivery.agent not in ("flux", "argocd") or not delivery.source.local:
            continue
        for file in _all_of(graph, delivery):
            if delivery.agent == "argocd" and passed_over(graph.repo, file):
                continue
            for document in graph.repo.documents(file):
                problem = _lacks(document.data)
                if problem is not None:
                    values = {"problem": problem, "delivery": delivery.name, "subject": str(document.index)}
                    yield Hit(Location(file, (), document.index), values, (), _affected(delivery))


def _all_of(graph: Graph, delivery: Delivery) -> Iterator[str]:
    """The files that a delivery takes without a kustomization that lists them."""
    if delivery.renderer == "directory":
        yield from (file for file in sorted(graph.rendered[delivery.id].files) if is_yaml(file))
    elif delivery.agent == "flux" and delivery.renderer == "kustomize" and delivery.source.path is not None:
        folder = graph.repo.resolve(delivery.source.path)
        if folder is None or folder not in graph.repo.folders:
            return
        tree = _artifacts(graph.repo)(delivery.source, folder)
        if folder in tree.folders and find(tree, folder) is None:
            for item in generated(tree, folder).data["resources"]:
                path = tree.resolve(f"{folder}/{item}" if folder else item)
                if path is not None and path in tree.entries:
                    yield path


@once
def _artifacts(repo: Repo) -> Callable[[Source, str], Repo]:
    """What gives the repository as Flux's artifact of a source holds it, where it lacks YAML files of a folder."""
    known: dict[tuple[str | None, tuple[str, ...], str], tuple[LeavesOut, list[Repo]]] = {}

    def held(source: Source, folder: str) -> Repo:
        key = source.ignore, source.sparse, source.top
        if key not in known:
            known[key] = leaves_out(repo, ignore=key[0], sparse=key[1], top=key[2]), []
        leaves, trees = known[key]
        if not any(leaves(path) is not None for path in repo.under(folder) if is_yaml(path)):
            return repo
        if not trees:
            trees.append(repo.without({path for path in repo.entries if leaves(path) is not None}))
        return trees[0]

    return held


def _lacks(data: Any) -> str | None:
    match data:
        case None:
            return None
        case {"apiVersion": str(version), "kind": str(kind)} if version.startswith(KUSTOMIZE):
            return f"is a {kind} of kustomize, which no API server knows"
        case {"apiVersion": str(), "kind": str()}:
            return None
        case {"kind": str()}:
            return "has no `apiVersion`"
        case {"apiVersion": str()}:
            return "has no `kind`"
        case dict():
            return "has neither `apiVersion` nor `kind`"
        case _:
            return "is no mapping"


_TOKEN = regexp(
    r"(?<![\w<])<[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+>|\b(?:CHANGE_?ME|REPLACE_?ME|FILL_?ME_?IN)\b(?!\w)"
)
_MANY = 20


def placeholder(graph: Graph, params: Params) -> Iterator[Hit]:
    """Values that somebody meant to fill in: one remark instead where the whole repository is a template."""
    found: list[tuple[Applied, tuple[str | int, ...], str]] = []
    seen: set[Location] = set()
    for item in _everything(graph):
        for path, value in _strings(item.data, ()):
            match = _TOKEN.search(value)
            if match is not None and "\n" not in value:
                place = item.origin(path)
                if place not in seen:
                    seen.add(place)
                    found.append((item, path, match[0]))
    files = {item.origin(path).file for item, path, _ in found}
    template = len(files) > _MANY
    for item, path, token in found[:1] if template else found:
        what = f"{len(files)} files hold placeholders such as {token}: this looks like a template" if template else f"{token} was never filled in"  # fmt: skip
        yield Hit(item.origin(path), {"what": what, "subject": token}, (), item.affected)
    yield from _templates(graph)


def _templates(graph: Graph) -> Iterator[Hit]:
    """Manifests that something else fills in before it applies them: one remark each, and no mistake."""
    known = templates(graph)
    for delivery in graph.deliveries:
        template = known.get(delivery.id)
        if template is None or template.object.ref.kind.startswith("ENC["):
            continue  # what SOPS encrypted as a whole is no template
        number = len(template.files)
        holds = f"{number} files hold tokens" if number > 1 else "this file holds tokens"
        who = f"which {template.by} fills in: a template" if template.by else "to be filled in: a template"
        values = {"what": f"{holds} such as {template.token}, {who}", "subject": template.token}
        affected = Affected(template.object.ref, delivery.id, delivery.environment, delivery.cluster)
        yield Hit(template.place, values, (), affected, most=Severity.INFO)


def _everything(graph: Graph) -> Iterator[Applied]:
    for delivery in graph.deliveries:
        if delivery.live and delivery.agent in ("flux", "argocd"):
            for item in graph.rendered[delivery.id].objects:
                if item.ref.kind not in ("ConfigMap", "Secret", "CustomResourceDefinition"):
                    yield Applied(item.ref, item.data, delivery, item.origin)


def _strings(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case str():
            if "<" in value or "ME" in value:
                yield path, value
        case dict():
            for key, item in value.items():
                if key not in ("description", "annotations") and len(path) < 40:
                    yield from _strings(item, (*path, key))
        case list():
            for number, item in enumerate(value):
                if len(path) < 40:
                    yield from _strings(item, (*path, number))


_KINDS = (("batch", "Job"), ("batch", "CronJob"), ("", "Pod"))
_TOOLS = ("kubectl", "oc", "helm", "argocd", "flux")


def runs_kubectl(graph: Graph, params: Params) -> Iterator[Hit]:
    """Jobs of one's own that change the cluster by commands; those that charts bring are their authors' matter."""
    for group, kind in _KINDS:
        for item in applied(graph, group, kind):
            labels = item.data.get("metadata", {}).get("labels")
            if isinstance(labels, dict) and "helm.sh/chart" in labels:
                continue
            for container in containers(dict(item.data)):
                command = _command(container.data)
                if command:
                    field = next(name for name in ("args", "command") if container.data.get(name))
                    values = {"kind": kind, "name": item.ref.name, "command": command, "subject": command}
                    yield Hit(item.origin((*container.path, field)), values, (), item.affected)


def _command(container: Mapping[str, Any]) -> str:
    """The first command of a container that changes a cluster; empty where there is none."""
    words: list[str] = []
    for name in ("command", "args"):
        value = container.get(name)
        words += [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
    image = basename(str(container.get("image", "")).partition("@")[0]).partition(":")[0]
    if image in _TOOLS and words and basename(words[0]) not in (*_TOOLS, "sh", "bash", "/bin/sh"):
        words.insert(0, image)
    if not words:
        return ""
    if basename(words[0]) in _TOOLS:
        return _short(" ".join(words)) if _declarable(words, basename(words[0])) else ""
    for script in words[1:]:
        for command in commands(script) if " " in script else ():
            if command.tool in _TOOLS and _declarable(command.words, command.tool):
                return _short(command.shown)
    return ""


def _declarable(words: Sequence[str], tool: str) -> bool:
    """Whether a command brings forth what a manifest could say; to restart is an event and no state."""
    return changes(words, tool) and "rollout" not in words


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def agent_undeclared(graph: Graph, params: Params) -> Iterator[Hit]:
    """Agents' objects in a repository that nowhere says how the agent comes to the cluster."""
    if graph.declared.external_agent:
        return
    for agent, group in (("flux", "toolkit.fluxcd.io"), ("argocd", "argoproj.io")):
        mine = [d for d in graph.deliveries if d.live and d.agent == agent and d.source.local]
        if not mine or _declares(graph.repo, agent):
            continue
        names = Counter(d.cluster for d in mine)
        first = mine[0]
        values = {"agent": "Flux" if agent == "flux" else "Argo CD", "count": len(mine), "group": group, "clusters": len(names), "subject": agent}  # fmt: skip
        yield Hit(first.root, values, (), _affected(first))


_INSTALLS = {
    "flux": re.compile(
        r"gotk-components|gotk-sync|kind:\s*FluxInstance|flux-operator|flux2?-install|fluxcd/flux2|flux bootstrap|flux install"
    ),
    "argocd": re.compile(
        r"argo-?cd[^\n]{0,80}(install\.yaml|/manifests|ha/)|chart:\s*['\"]?argo-?cd\b|name:\s*['\"]?argo-?cd-(server|repo-server|application-controller)|argoproj/argo-cd|kind:\s*ArgoCD\b|argo/argo-cd|argo-helm"
    ),
}
_SAYS = regexp(r"(\.ya?ml|\.sh|\.tf|\.json|Makefile|Taskfile[^/]*|README\.md|justfile)$", re.IGNORECASE)


def _declares(repo: Repo, agent: str) -> bool:
    words = _INSTALLS[agent]
    for path in repo.files:
        if words.search(path):
            return True
    return any(
        words.search(repo.stream(path).text if is_yaml(path) else repo.text(path))
        for path in repo.files
        if _SAYS.search(path) and repo.entries[path].size < 2**20
    )


_DICE = regexp(
    r"\{\{-?[^{}\n]*\b(randAlphaNum|randAlpha|randNumeric|randAscii|randBytes|randInt|uuidv4|genCA|genSelfSignedCert|genSignedCert|"
    r"genPrivateKey|now|htpasswd|bcrypt|derivePassword)\b[^{}\n]*\}\}"
)


def rolls_dice(graph: Graph, params: Params) -> Iterator[Hit]:
    """Templates of the repository's own charts that render something else every time."""
    repo = graph.repo
    argo = {d.source.path for d in graph.deliveries if d.live and d.agent == "argocd" and d.source.local}
    for chart in repo.charts:
        if is_aside(f"{chart}/Chart.yaml"):
            continue
        on_argo = chart in argo
        for path in repo.under(f"{chart}/templates" if chart else "templates"):
            if (
                not path.endswith((".yaml", ".yml", ".tpl", ".txt"))
                or basename(path) == "NOTES.txt"
                or "/tests/" in path
            ):
                continue
            text = repo.stream(path).text if is_yaml(path) else repo.text(path)
            if "{{" not in text or (not on_argo and "lookup" in text):
                continue
            for found in _DICE.finditer(text[: 2**19]):
                if found[1] == "now" and "year" in found[0].lower():
                    continue
                line = text.count("\n", 0, found.start(1)) + 1
                column = found.start(1) - text.rfind("\n", 0, found.start(1))
                span = Span(line, column, line, column + len(found[1]), found.start(1), found.end(1))
                values = {"function": found[1], "subject": found[1]}
                yield Hit(
                    Location(path, span=span),
                    values,
                    (Related(Location(f"{chart}/Chart.yaml".lstrip("/")), "the chart"),),
                )
