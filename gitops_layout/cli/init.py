"""`init`: a new repository out of a spec, or of a few answers."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout import system
from gitops_layout.cli.converging import changing, show_and_apply
from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from gitops_layout.scaffold.plan import Plan
    from gitops_layout.spec import Spec

__all__ = ["command"]

_LAYOUTS = ("config", "monorepo", "split", "platform", "tenant")
_AGENTS = ("flux", "argocd", "builtin")
_ENVIRONMENTS = ("dev", "staging", "prod")
_NOBODY = "https://github.com/example/"
_NOBODYS_IMAGE = "ghcr.io/example/"


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--spec", "spec_file", type=click.Path(path_type=Path), help="Start from this gitops.yaml.")
@click.option(
    "--layout",
    type=click.Choice(_LAYOUTS),
    default="config",
    show_default=True,
    help="Shape of the repository.",
)
@click.option(
    "--platform",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="For layout tenant: the folder of the platform's repository.",
)
@click.option("--tenant", help="For layout tenant: which of the platform's tenants this is.")
@click.option("--agent", type=click.Choice(_AGENTS), help="Who pulls it into the clusters; flux if absent.")
@click.option(
    "--env", "environments", metavar="NAME", multiple=True, help="An environment, in order of promotion."
)
@click.option("--repo-url", help="The URL clusters pull from; the git remote origin if absent.")
@click.option(
    "--set", "settings", metavar="K=V", multiple=True, help="Set a field of the spec: repo.branch=trunk."
)
@click.option("--defaults", is_flag=True, help="Ask nothing: take the default of what is not given.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be created, write nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    folder: Path,
    *,
    spec_file: Path | None,
    layout: str,
    platform: Path | None,
    tenant: str | None,
    agent: str | None,
    environments: tuple[str, ...],
    repo_url: str | None,
    settings: tuple[str, ...],
    defaults: bool,
    only_plan: bool,
    form: str,
) -> int:
    """Create a GitOps repository in DIR (here if absent): gitops.yaml and the tree it asks for."""
    from gitops_layout.scaffold import converge
    from gitops_layout.spec import load

    top = folder
    if layout == "split":
        folder = top / "config"
    if not (
        folder / ".gitops-layout/pending"
    ).exists():  # of an init that was interrupted: it is finished below
        _refuse_second(folder)
    if spec_file is not None:
        if agent or environments or repo_url or layout != "config":
            raise UserError(
                "--spec already says layout, agent, environments and URL", "change single fields with --set"
            )
        content = _from_file(spec_file, settings)
        spec = load(content, "gitops.yaml" if settings else str(spec_file))
    elif layout == "tenant" or platform is not None or tenant is not None:
        content = _from_platform(
            folder, layout, platform, tenant, agent or "", environments, repo_url, settings
        )
        spec = load(content)
    else:
        if not defaults and not settings and sys.stdin.isatty():
            layout, agent, environments, repo_url, settings = _ask(
                folder, layout, agent, environments, repo_url
            )
            folder = top / "config" if layout == "split" else folder
        content = _from_options(folder, layout, agent or "flux", environments, repo_url, settings)
        spec = load(content)
    if spec.layout == "split":  # as an option, the file, a setting or an answer says
        folder = top / "config"
    with contextlib.ExitStack() as stack:
        stack.enter_context(changing(folder, only_plan=only_plan))
        _refuse_second(folder)  # another run may have made it meanwhile, or finished it just now
        plan = converge.plan(folder, spec, spec_file=content)
        if spec.layout == "split" and not plan.conflicts:
            stack.enter_context(changing(top / "app", only_plan=only_plan))
            plan = _with_app(plan, top / "app", spec)
        hint = "move what is in the way, or try an empty folder"
        code = show_and_apply(folder, plan, only_plan=only_plan, hint=hint, form=form)
    if not plan.conflicts and not only_plan and form == "text":
        click.echo(_next_steps(folder, spec, plan.missing), nl=False)
    return code


def _from_file(file: Path, settings: tuple[str, ...]) -> bytes:
    from gitops_layout.scaffold.edit import assign

    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    return assign(content, _settings(settings)) if settings else content


def _from_options(
    folder: Path,
    layout: str,
    agent: str,
    environments: tuple[str, ...],
    repo_url: str | None,
    settings: tuple[str, ...],
) -> bytes:
    from gitops_layout.spec import API_VERSION, KIND

    name = _slug(folder.resolve().name if layout != "split" else folder.resolve().parent.name)
    chosen = environments or _ENVIRONMENTS
    data: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "layout": layout,
            "agent": {"name": agent},
            "repo": {"url": repo_url or _origin(folder) or f"{_NOBODY}{name}.git"},
            "environments": [
                {"name": item, **({"from": before} if before else {})}
                for before, item in zip((None, *chosen), chosen, strict=False)
            ],
        },
    }
    if layout == "split":
        data["spec"]["apps"] = [{"name": name, "image": f"{_NOBODYS_IMAGE}{name}:0.1.0", "port": 8080}]
    return _rendered(data, settings)


def _from_platform(
    folder: Path,
    layout: str,
    platform: Path | None,
    tenant: str | None,
    agent: str,
    environments: tuple[str, ...],
    repo_url: str | None,
    settings: tuple[str, ...],
) -> bytes:
    """The spec of a tenant's repository out of its platform's."""
    from gitops_layout.cli.converging import read_spec
    from gitops_layout.spec import API_VERSION, KIND, in_environment
    from gitops_layout.spec.checks import did_you_mean

    if layout not in ("config", "tenant") or platform is None or tenant is None or agent or environments:
        raise UserError(
            "layout tenant takes --platform PATH and --tenant NAME, and agent and environments from there",
            "gitops-layout init DIR --layout tenant --platform ../platform --tenant payments",
        )
    _, given = read_spec(platform)
    known = {item.name: item for item in given.tenants}
    if tenant not in known:
        raise UserError(f"{platform}/gitops.yaml has no tenant {tenant}{did_you_mean(tenant, list(known))}")
    found = known[tenant]
    runs_in = found.environments or []
    url = repo_url or (found.repo.url if found.repo else None) or _origin(folder)
    return _rendered(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": _slug(folder.resolve().name)},
            "spec": {
                "layout": "tenant",
                "agent": given.agent.model_dump(exclude_none=True, include={"name", "version"}),
                "repo": {
                    "url": url or f"{_NOBODY}{tenant}.git",
                    "branch": found.repo.branch if found.repo else "main",
                    "owners": list(found.owners),
                },
                "environments": [
                    {
                        "name": item.name,
                        "tier": item.tier,
                        **({"from": item.from_} if item.from_ in runs_in else {}),
                    }
                    for item in given.environments
                    if item.name in runs_in
                ],
                "tenancy": {
                    "tenant": tenant,
                    "platform": given.repo.url,
                    "namespaces": {
                        base: {name: in_environment(base, name, given.clusters) for name in runs_in}
                        for base in found.namespaces or []
                    },
                    "quota": found.quota.model_dump(),
                },
            },
        },
        settings,
    )


def _rendered(data: dict[str, Any], settings: tuple[str, ...]) -> bytes:
    """gitops.yaml of the data with the settings in it."""
    from gitops_layout.scaffold.render import render
    from gitops_layout.spec import parse

    for path, value in _settings(settings).items():
        target = data
        for step in path[:-1]:
            below = target.setdefault(str(step), {})
            if not isinstance(below, dict):
                raise UserError(f"--set {'.'.join(map(str, path))}: {step} holds no fields")
            target = below
        target[str(path[-1])] = value
    return render(parse(data, "init")).pop("gitops.yaml").content


def _settings(settings: tuple[str, ...]) -> dict[tuple[str | int, ...], object]:
    """`repo.branch=trunk` as path and value; paths start at `spec` unless they name it or `metadata`."""
    from gitops_layout.source.reader import read

    found: dict[tuple[str | int, ...], object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        path: tuple[str | int, ...] = tuple(key.strip().split("."))
        if not equals or "" in path:
            raise UserError(f"--set {setting}: expected FIELD=VALUE, such as repo.branch=trunk")
        stream = read(text, "--set")
        if stream.problems:
            raise UserError(f"--set {setting}: {stream.problems[0].message}")
        value = stream.documents[0].data if stream.documents else None
        found[path if path[0] in ("spec", "metadata") else ("spec", *path)] = value
    return found


def _ask(
    folder: Path, layout: str, agent: str | None, environments: tuple[str, ...], repo_url: str | None
) -> tuple[str, str, tuple[str, ...], str, tuple[str, ...]]:
    """Layout, agent, environments, URL and settings, asked for where they are not given; enter takes the default."""
    from click.core import ParameterSource

    _environments(" ".join(environments))
    if repo_url is not None:
        _url(repo_url)
    source = click.get_current_context().get_parameter_source("layout")
    if source is ParameterSource.DEFAULT:
        layout = _choose("Layout", [*_LAYOUTS[:-1]], layout)
    agent = agent or _choose("Agent", [*_AGENTS], "flux")
    if not environments:
        environments = click.prompt(
            "Environments, in order of promotion", default=" ".join(_ENVIRONMENTS), value_proc=_environments
        )
    default = _origin(folder) or f"{_NOBODY}{_slug(folder.resolve().name)}.git"
    repo_url = repo_url or str(click.prompt("URL the clusters pull from", default=default, value_proc=_url))
    features = {"policy": _choose("Policy against unsafe objects", ["none", "vap"], "vap")}
    if agent != "builtin":
        features["secrets"] = _choose("Secrets", ["none", "sealed-secrets", "external-secrets"], "none")
    chosen = (f"features.{name}={value}" for name, value in features.items() if value != "none")
    return layout, agent, environments, repo_url, tuple(chosen)


def _environments(answer: str) -> tuple[str, ...]:
    """The names in an answer; click asks again where one cannot be."""
    from gitops_layout.spec import name_problem

    names = tuple(answer.replace(",", " ").split())
    for name in names:
        if problem := name_problem(name):
            raise click.BadParameter(problem)
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} stands twice")
    return names


def _url(answer: str) -> str:
    from gitops_layout.spec import url_problem

    if problem := url_problem(answer):
        raise click.BadParameter(problem)
    return answer


def _choose(what: str, choices: list[str], default: str) -> str:
    return str(click.prompt(what, type=click.Choice(choices), default=default))


def _refuse_second(folder: Path) -> None:
    if (folder / "gitops.yaml").exists():
        raise UserError(f"{folder / 'gitops.yaml'} exists", "converge to it: gitops-layout scaffold")


def _with_app(plan: Plan, folder: Path, spec: Spec) -> Plan:
    """The plan that also writes the app's own repository, once; UserError where others are in the way."""
    from dataclasses import replace

    from gitops_layout.scaffold.plan import Action, Do
    from gitops_layout.scaffold.render import Ownership, render_app
    from gitops_layout.scaffold.writing import regular

    files = render_app(spec, spec.apps[0].name) if spec.apps else {}
    for path, file in files.items():
        if regular(folder, path) and (folder / path).read_bytes() != file.content:
            raise UserError(f"{folder / path} exists", "move it away: an app's repository is written once")
    # What is there already, of a run that was ended, is written again: that tidies up behind it, too.
    made = (Action(path, Do.CREATE, Ownership.SEED, "", file.content) for path, file in files.items())
    return replace(plan, apart=tuple(made), apart_in=folder.as_posix())


def _slug(text: str) -> str:
    from gitops_layout.spec import name_problem

    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return "gitops" if name_problem(slug) else slug


def _origin(folder: Path) -> str | None:
    """The remote `origin` of a git repository rooted in `folder`, without any user or password."""
    if not (folder / ".git").exists():
        return None
    done = system.git(folder, "remote", "get-url", "origin")
    if done.code != 0:
        return None
    url = done.stdout.decode(errors="replace").strip()
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url) if "://" in url or "@" in url else None


def _next_steps(folder: Path, spec: Spec, missing: tuple[str, ...]) -> str:
    steps = []
    if folder.resolve() != Path.cwd():
        steps.append(f"cd {shlex.quote(str(folder))}")
    if missing:
        command = "gitops-layout scaffold" + (" --app ../app" if spec.layout == "split" else "")
        steps.append(f"gitops-layout fetch, then {command}: the source of an app that starts from a skeleton")
    if spec.repo.url.startswith(_NOBODY):
        steps.append("gitops.yaml: set repo.url to where the clusters pull from, then gitops-layout scaffold")
    if spec.layout == "platform" and not spec.repo.owners:
        steps.append(
            "gitops.yaml: set repo.owners to the platform's team (@ORG/TEAM), then gitops-layout scaffold: nobody reviews "
            "tenants/ and clusters/ for it yet"
        )
    if spec.layout == "split" and spec.apps and str(spec.apps[0].image).startswith(_NOBODYS_IMAGE):
        steps.append(
            f"name the image that the app's workflow pushes, now {spec.apps[0].image}: in gitops.yaml, then gitops-layout "
            "scaffold, and in the release workflow of ../app, which is yours from here on"
        )
    if not spec.apps:
        steps.append("gitops-layout add app NAME --image REGISTRY/NAME:VERSION")
    start = (
        "git add -A && git commit" if (folder / ".git").exists() else "git init && git add -A && git commit"
    )
    steps += ["gitops-layout lint", f"{start}, then push; README.md says how a cluster starts"]
    if spec.layout == "split" and spec.apps:
        steps.append(f"{start} in ../app, too, the repository of {spec.apps[0].name}")
    return "\nnext:\n" + "".join(f"  {number}. {step}\n" for number, step in enumerate(steps, 1))
