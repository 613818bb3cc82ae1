"""`add`: one more app, component, environment, cluster or tenant in gitops.yaml, then the same converging as `scaffold`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout.cli.converging import deciding, edit_and_converge, read_parts, trusting
from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from gitops_layout.cli.converging import Decided
    from gitops_layout.spec import Spec

__all__ = ["command"]

_directory = click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml; found upwards if absent."
)
_plan = click.option("--plan", "only_plan", is_flag=True, help="Show what would change, write nothing.")
_form = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def _names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


@click.group("add")
def command() -> None:
    """Add an app, component, environment, cluster or tenant to gitops.yaml, then converge the tree to it."""


@command.command("app")
@click.argument("name")
@click.option("--tenant", help="Whose it is; it lives in that tenant's namespace.")
@click.option("--image", help="Image with its first version, such as ghcr.io/acme/web:1.2.3.")
@click.option(
    "--chart",
    metavar="URL",
    help="A published chart: oci://REGISTRY/PATH/NAME:VERSION, or REPO/NAME:VERSION.",
)
@click.option("--kind", type=click.Choice(["kustomize", "helm", "chart"]), help="chart: a chart of its own.")
@click.option("--environments", metavar="A,B", callback=_names, help="Where it runs; everywhere if absent.")
@click.option("--namespace", help="Its namespace; its name if absent.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port its container listens on.")
@click.option(
    "--skeleton",
    metavar="URL@REVISION",
    help="The cookiecutter or Copier template that its source starts from, at a tag or commit; in layouts monorepo and split.",
)
@click.option(
    "--skeleton-directory",
    metavar="PATH",
    help="The template's folder in that repository; its top if absent.",
)
@click.option(
    "--answer", "answers", metavar="K=V", multiple=True, help="An answer to the skeleton's questions."
)
@trusting
@deciding
@_directory
@_plan
@_form
def app(
    name: str,
    *,
    tenant: str | None,
    image: str | None,
    chart: str | None,
    kind: str | None,
    environments: list[str] | None,
    namespace: str | None,
    port: int | None,
    skeleton: str | None,
    skeleton_directory: str | None,
    answers: tuple[str, ...],
    trust_hooks: bool,
    decided: Decided,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Add the app NAME; its name alone is enough."""
    fields = {
        "tenant": tenant,
        "kind": kind,
        "chart": None if chart is None else _chart(chart),
        "image": image,
        "port": port,
        "environments": environments,
        "namespace": namespace,
        "skeleton": _skeleton(skeleton, skeleton_directory, answers),
    }
    item = {"name": name, **{key: value for key, value in fields.items() if value is not None}}

    def edit(content: bytes, spec: Spec) -> bytes:
        from gitops_layout.scaffold.edit import append

        _refuse_second("app", name, [other.name for other in spec.apps])
        return append(content, ("spec", "apps"), item)

    def part(root: Path) -> str | None:
        file = f"gitops.d/{tenant}.yaml"
        if tenant is None or file not in read_parts(root):
            return None
        del item["tenant"]
        return file

    code = edit_and_converge(
        folder, edit, only_plan=only_plan, decided=decided, form=form, part=part, trust_hooks=trust_hooks
    )
    if image is None and chart is None and code == 0 and not only_plan:
        from gitops_layout.spec import PLACEHOLDER_IMAGE

        click.echo(
            f"{name} runs a placeholder, {PLACEHOLDER_IMAGE}: replace it by `image:` of app {name} in "
            "gitops.yaml, then gitops-layout scaffold"
        )
    return code


@command.command("component")
@click.argument("name")
@click.option("--chart", metavar="URL", required=True, help="Its chart, with the version, as for an app.")
@click.option("--environments", metavar="A,B", callback=_names, help="Whose clusters get it; all if absent.")
@click.option("--namespace", help="Its namespace; its name if absent.")
@deciding
@_directory
@_plan
@_form
def component(
    name: str,
    *,
    chart: str,
    environments: list[str] | None,
    namespace: str | None,
    decided: Decided,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Add NAME, which clusters need before apps run, such as cert-manager."""
    fields = {"name": name, "chart": _chart(chart), "environments": environments, "namespace": namespace}
    item = {key: value for key, value in fields.items() if value is not None}

    def edit(content: bytes, spec: Spec) -> bytes:
        from gitops_layout.scaffold.edit import append

        _refuse_second("component", name, [other.name for other in spec.components])
        return append(content, ("spec", "components"), item)

    return edit_and_converge(folder, edit, only_plan=only_plan, decided=decided, form=form)


@command.command("env")
@click.argument("name")
@click.option("--from", "source", metavar="ENV", help="The environment whose versions are promoted into it.")
@click.option("--tier", type=click.Choice(["prod", "nonprod"]), help="Told by the name if absent.")
@click.option("--cluster", help="The cluster that holds it; a new one of the same name if absent.")
@deciding
@_directory
@_plan
@_form
def environment(
    name: str,
    *,
    source: str | None,
    tier: str | None,
    cluster: str | None,
    decided: Decided,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Add the environment NAME, for every app that does not name its environments."""
    item = {
        key: value for key, value in {"name": name, "from": source, "tier": tier}.items() if value is not None
    }

    def edit(content: bytes, spec: Spec) -> bytes:
        from gitops_layout.scaffold.edit import append
        from gitops_layout.spec.read import name_problem

        _refuse_second("environment", name, [other.name for other in spec.environments])
        content = append(content, ("spec", "environments"), item)
        if name_problem(name):  # which is said of its place here: once, and not of the cluster's too
            return content
        return _placed(content, spec, name, cluster)

    return edit_and_converge(folder, edit, only_plan=only_plan, decided=decided, form=form)


@command.command("cluster")
@click.argument("name")
@click.option("--environments", metavar="A,B", callback=_names, required=True, help="What it holds.")
@click.option("--context", help="The kubeconfig context that reaches it.")
@deciding
@_directory
@_plan
@_form
def cluster(
    name: str,
    *,
    environments: list[str],
    context: str | None,
    decided: Decided,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Add the cluster NAME, holding existing environments."""
    item: dict[str, Any] = {"name": name, "environments": environments}
    if context:
        item["context"] = context

    def edit(content: bytes, spec: Spec) -> bytes:
        from gitops_layout.scaffold.edit import append

        _refuse_second("cluster", name, [other.name for other in spec.clusters])
        return append(_with_clusters(content, spec), ("spec", "clusters"), item)

    return edit_and_converge(folder, edit, only_plan=only_plan, decided=decided, form=form)


@command.command("tenant")
@click.argument("name")
@click.option("--owner", "owners", metavar="@ORG/TEAM", multiple=True, help="Who reviews its files.")
@click.option("--group", "groups", multiple=True, help="A group of people that may edit its objects.")
@click.option("--environments", metavar="A,B", callback=_names, help="Where it is; everywhere if absent.")
@click.option("--namespaces", metavar="A,B", callback=_names, help="Its namespaces; its name if absent.")
@click.option("--repo-url", help="Its own repository, pulled with its own rights.")
@deciding
@_directory
@_plan
@_form
def tenant(
    name: str,
    *,
    owners: tuple[str, ...],
    groups: tuple[str, ...],
    environments: list[str] | None,
    namespaces: list[str] | None,
    repo_url: str | None,
    decided: Decided,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Add the tenant NAME: namespaces of its own, rights and quota in them, none elsewhere."""
    fields = {
        "owners": list(owners),
        "groups": list(groups),
        "environments": environments,
        "namespaces": namespaces,
        "repo": {"url": repo_url} if repo_url else None,
    }
    item = {"name": name, **{key: value for key, value in fields.items() if value}}

    def edit(content: bytes, spec: Spec) -> bytes:
        from gitops_layout.scaffold.edit import append

        _refuse_second("tenant", name, [other.name for other in spec.tenants])
        return append(content, ("spec", "tenants"), item)

    return edit_and_converge(folder, edit, only_plan=only_plan, decided=decided, form=form)


def _skeleton(text: str | None, directory: str | None, answers: tuple[str, ...]) -> dict[str, Any] | None:
    """`URL@REVISION`, a folder there and `K=V`s as the spec's field."""
    if text is None:
        if directory is not None:
            raise UserError(
                "--skeleton-directory names a folder of a skeleton, and none is given", "add --skeleton"
            )
        if answers:
            raise UserError(
                "--answer answers the questions of a skeleton, and none is given", "add --skeleton"
            )
        return None
    url, at, revision = text.rpartition("@")
    if not at or "/" not in url:
        raise UserError(
            f"--skeleton {text} names no revision", f"add a tag or commit: --skeleton {text}@v1.0.0"
        )
    pairs = dict(answer.split("=", 1) for answer in answers if "=" in answer)
    if len(pairs) < len(answers):
        raise UserError("--answer takes NAME=VALUE, each name once")
    more = {"directory": directory.strip("/") if directory is not None else None, "answers": pairs}
    return {"url": url, "revision": revision, **{key: value for key, value in more.items() if value}}


def _chart(text: str) -> dict[str, str]:
    """`oci://HOST/PATH/NAME:VERSION` or `https://HOST/PATH/NAME:VERSION` as the spec's field."""
    url, colon, version = text.rpartition(":")
    if not colon or "/" in version:
        raise UserError(f"--chart {text} names no version", f"add one: --chart {text}:1.2.3")
    if url.startswith("oci://"):
        return {"oci": url, "version": version}
    repo, _, name = url.rpartition("/")
    return {"repo": repo, "name": name, "version": version}


def _placed(content: bytes, spec: Spec, environment: str, cluster: str | None) -> bytes:
    """gitops.yaml with the environment on a cluster: the one named, else a new one of its name."""
    from gitops_layout.scaffold.edit import append

    if cluster is None and not _has_clusters(content):
        return content
    content = _with_clusters(content, spec)
    names = [item.name for item in spec.clusters]
    if cluster is None:
        return append(content, ("spec", "clusters"), {"name": environment, "environments": [environment]})
    if cluster not in names:
        raise UserError(f"no cluster {cluster} in gitops.yaml", f"it has {', '.join(names)}")
    return append(content, ("spec", "clusters", names.index(cluster), "environments"), environment)


def _with_clusters(content: bytes, spec: Spec) -> bytes:
    """gitops.yaml with the clusters that it leaves to the default spelt out."""
    from gitops_layout.scaffold.edit import append

    if not _has_clusters(content):
        for item in spec.clusters:
            new = {"name": item.name, "environments": list(item.environments)}
            content = append(content, ("spec", "clusters"), new)
    return content


def _has_clusters(content: bytes) -> bool:
    from gitops_layout.source.reader import read

    return read(content, "gitops.yaml").documents[0].has(("spec", "clusters"))


def _refuse_second(kind: str, name: str, known: list[str]) -> None:
    if name in known:
        raise UserError(f"{kind} {name} is already in gitops.yaml")
