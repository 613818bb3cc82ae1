"""What `render` does when nobody has asked the same before: load, build, put into words."""

from __future__ import annotations

from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitops_layout import system
from gitops_layout.agents import builtin
from gitops_layout.agents.context import Context
from gitops_layout.cli.loading import load
from gitops_layout.cli.remembered import Said
from gitops_layout.errors import UserError
from gitops_layout.graph.follows import follows
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import UncheckedClass
from gitops_layout.output.manifests import to_json, to_yaml
from gitops_layout.render.build import Renders
from gitops_layout.render.lookup import Lookup, nothing
from gitops_layout.render.verify import differences
from gitops_layout.repo.model import Repo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.cli.remembered import Memory
    from gitops_layout.model import Location, Unchecked
    from gitops_layout.render.rendered import Rendered, RenderedObject

__all__ = ["run"]

_Chosen = list[tuple["Delivery", "Rendered"]]


def run(
    root: Path, path: Path | None, options: dict[str, Any], memory: Memory, *, note: Callable[[str], None]
) -> Said:
    """Render what is asked for and say it; `options` are the command's, by name."""
    note("rendering …")
    graph, chosen = _choose(root, path, options, memory)
    repo = graph if isinstance(graph, Repo) else graph.repo
    if options["verify"] or (options["exact"] and options["target"] is not None and path is None):
        exact = _exactly(graph, chosen)
        if options["verify"]:
            note("")
            return _verified(chosen, exact)
        chosen = exact
    note("")
    said = Said()
    if options["explain"]:
        said.err += "".join(f"{line}\n" for line in _explained(repo, chosen, exact=options["exact"]))
    if options["output"] is None:
        said.out = _pieces(repo, chosen, options)
        if (
            isinstance(graph, Graph)
            and options["form"] == "yaml"
            and not (options["exact"] or options["explain"] or options["origins"])
        ):
            said.note = _noted(graph, chosen, memory)
    else:
        for name, delivery, item in _named(chosen):
            file = str(Path(options["output"]) / f"{name}.{options['form']}")
            said.files[file] = _pieces(repo, [(delivery, item)], options)
        said.err += _read_again(root, Path(options["output"]))
    if memory.cache.usable and isinstance(graph, Graph):
        from gitops_layout.cli.again import hangs_on_commit

        said.of_commit = hangs_on_commit(graph)
    said.err += "".join(_told(repo, "not rendered", item.failure) for _, item in chosen if item.failure)
    # What refers to it stays as it is written, in what is printed.
    said.err += "".join(_told(repo, "not seen", entry) for _, item in chosen for entry in item.unseen)
    said.err += "".join(
        f"not seen: delivery {delivery.id}: the agent follows {revision}, and what is shown is this tree\n"
        for delivery, _ in chosen
        if (revision := follows(delivery)) is not None
    )
    unread = [e for e in repo.unchecked if options["everything"] and e.kind is UncheckedClass.BROKEN]
    unread += _left_out(graph, chosen)
    said.err += "".join(f"not read: {entry.what}: {entry.why}\n" for entry in unread)
    said.code = 3 if unread or any(item.failure is not None for _, item in chosen) else 0
    return said


def _left_out(graph: Graph | Repo, chosen: _Chosen) -> Iterator[Unchecked]:
    """The files that could not be read, in folders of manifests that no agent delivers: what is printed lacks them."""
    folders = {delivery.source.path or "" for delivery, _ in chosen if delivery.agent == "plain"}
    for entry in graph.unchecked if isinstance(graph, Graph) and folders else ():
        where = entry.location
        if (
            where is not None
            and entry.what == f"file {where.file}"
            and where.file.rpartition("/")[0] in folders
        ):
            yield entry


def _noted(graph: Graph, chosen: _Chosen, memory: Memory) -> str | None:
    if not memory.cache.usable:
        return None
    from gitops_layout.cli.again import note

    printed = [delivery.id for delivery, item in chosen if item.objects and item.failure is None]
    pieces = {delivery.id: -1 for delivery, _ in chosen}
    return note(graph, pieces | {identity: number for number, identity in enumerate(printed)})


def _read_again(root: Path, output: Path) -> str:
    """A word where the next run would read what this one writes, as sources like others."""
    folder, top = output.resolve(), root.resolve()
    if not folder.is_relative_to(top) or system.git(top, "check-ignore", "-q", str(folder / "x")).code == 0:
        return ""
    return f"note: {output} is in the repository, so the next run reads it too: have .gitignore name it, or write elsewhere\n"


def _told(repo: Repo, state: str, entry: Unchecked) -> str:
    where = entry.location
    place = ""
    if where is not None and where.file and not entry.why.startswith(f"{where.file}:"):
        span = repo.span(where)
        spot = f":{span.line}" if where.file in repo.entries else ""
        spot += f":{span.column}" if where.span is not None else ""
        place = f"{where.file}{spot}: "
    return f"{state}: {entry.what}: {place}{entry.why}\n"


def _explained(repo: Repo, chosen: _Chosen, *, exact: bool) -> Iterator[str]:
    for delivery, item in chosen:
        if item.declined is not None:
            where = item.declined.location
            line = repo.span(where).line if where.file in repo.entries else 1
            why = f"{where.file}:{line}: {item.declined.reason}"
            yield f"real kustomize builds {item.delivery}: {why}"
        elif item.failure is None:
            yield f"{_builder(delivery, exact=exact)} {item.delivery}"


def _builder(delivery: Delivery, *, exact: bool) -> str:
    match delivery.renderer:
        case "chart":
            return "helm renders"
        case "directory":
            return "the files themselves are"
        case _ if exact:
            return "real kustomize builds, as --exact asks,"
        case _:
            return "our own builder builds"


def _exactly(graph: Graph | Repo, chosen: _Chosen) -> _Chosen:
    """The same deliveries by real kustomize; only these, so that one delivery of thousands is not waited for."""
    repo = graph if isinstance(graph, Repo) else graph.repo
    found = nothing if isinstance(graph, Repo) else _brought(graph)
    rendered = Renders(repo, exact=True)([delivery for delivery, _ in chosen], found)
    return [(delivery, rendered[delivery.id]) for delivery, _ in chosen]


def _brought(graph: Graph) -> Lookup:
    """What live deliveries bring to clusters, as the agents' own steps ask for it."""
    brought = {
        (delivery.cluster, item.ref.kind, item.ref.namespace, item.ref.name): item
        for delivery in graph.deliveries
        if delivery.live
        for item in graph.rendered[delivery.id].objects
        if item.ref.kind in ("ConfigMap", "Secret") and "sops" not in item.data
    }
    return lambda cluster, kind, namespace, name: brought.get((cluster, kind, namespace, name))


def _verified(ours: _Chosen, exact: _Chosen) -> Said:
    """What both builders made of each delivery, side by side; exit code 1 for any difference."""
    said = Said(lasting=False)
    there = {delivery.id: item for delivery, item in exact}
    differing = 0
    for delivery, item in ours:
        lines = list(differences(item, there[delivery.id]))
        differing += bool(lines)
        said.out += [f"{delivery.id}\n", *(f"  {line}\n" for line in lines)] if lines else []
    failed = [item.failure for _, item in ours if item.failure is not None]
    declined = sum(item.declined is not None and item.failure is None for _, item in ours)
    said.err = "".join(f"not rendered: {failure.what}: {failure.why}\n" for failure in failed)
    said.err += f"{len(ours) - len(failed) - declined} deliveries built both ways, {differing} differ"
    said.err += f"; {declined} by real kustomize alone (--explain says why)\n" if declined else "\n"
    said.code = 1 if differing else 3 if failed else 0
    return said


def _choose(
    root: Path, path: Path | None, options: dict[str, Any], memory: Memory
) -> tuple[Graph | Repo, _Chosen]:
    exact, target, environment = options["exact"], options["target"], options["environment"]
    if path is not None:
        repo = memory.repo
        return repo, [_plain(repo, root, path, exact=exact)]
    graph = load(root, exact=exact and target is None, memory=memory).graph
    wanted = [
        delivery
        for delivery in graph.deliveries
        if (environment is None or delivery.environment == environment)
        and (target is None or target in (delivery.id, delivery.id.partition("@")[0], delivery.name))
    ]
    if not wanted:
        raise UserError(
            _nothing(target, environment), "`gitops-layout graph` lists deliveries and environments"
        )
    return graph, [(delivery, graph.rendered[delivery.id]) for delivery in wanted]


def _nothing(target: str | None, environment: str | None) -> str:
    where = f" in environment {environment!r}" if environment else ""
    if target and Path(target).is_dir():
        return f"{target} has no kustomization.yaml, and no delivery{where} is called so"
    return f"no delivery or folder {target!r}{where}" if target else f"no delivery{where}"


def _plain(repo: Repo, root: Path, path: Path, *, exact: bool) -> tuple[Delivery, Rendered]:
    """A folder as `kustomize build` sees it, without any agent's steps and without load restriction."""
    root, real = root.resolve(), path.resolve()
    if not real.is_relative_to(root):
        raise UserError(f"{path} leads out of the repository {root}", "name a folder inside it")
    folder = real.relative_to(root).as_posix()
    folder = "" if folder == "." else folder
    names = repo.folders.get(folder, ())
    if not any(name in names for name in FILE_NAMES):
        unread = next(
            (why for name in FILE_NAMES if (why := repo.unread(f"{folder}/{name}".lstrip("/")))), None
        )
        if unread is not None:
            raise UserError(unread, "give whoever runs this the right to read it")
        raise UserError(f"{path} has no kustomization.yaml", "name a folder that has one, or a delivery")
    delivery = builtin.kustomize_root(
        folder, f"{folder}/kustomization.yaml".lstrip("/"), Context(repo), live=True
    )
    return delivery, Renders(repo, exact=exact)([delivery])[delivery.id]


def _pieces(repo: Repo, chosen: _Chosen, options: dict[str, Any]) -> list[str]:
    """The text, for YAML a piece a delivery."""
    whole = [(delivery, item) for delivery, item in chosen if item.failure is None]
    if options["form"] == "yaml":
        write = partial(_with_places, repo) if options["origins"] else _without
        texts = [write(item) for _, item in whole]
        texts = [text for text in texts if text]
        return [text if n == 0 else f"---\n{text}" for n, text in enumerate(texts)]
    objects = [found for _, item in whole for found in item.objects]
    if not options["origins"]:
        return [to_json([found.data for found in objects])]
    return [to_json([{"object": found.data, "origins": _origins(repo, found)} for found in objects])]


def _without(item: Rendered) -> str:
    return to_yaml(found.data for found in item.objects)


def _with_places(repo: Repo, item: Rendered) -> str:
    from gitops_layout.output.annotated import annotated

    return annotated((found.data, partial(_said_place, repo, found)) for found in item.objects)


def _said_place(repo: Repo, found: RenderedObject, path: tuple[str | int, ...]) -> str:
    """`file:line` of the last writer; who wrote before it is for `--format json`."""
    location = found.origin(path)
    guess = " (approximate)" if found.approximate(path) else ""
    return f"{location.file}:{repo.span(location).line}{guess}"


def _origins(repo: Repo, found: RenderedObject) -> dict[str, Any]:
    places = {}
    for path in _leaves(found.data):
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        earlier = [_place(repo, location) for location in found.earlier(path)]
        guess = {"approximate": True} if found.approximate(path) else {}
        places[pointer] = {**_place(repo, found.origin(path)), **guess, "earlier": earlier}
    return places


def _place(repo: Repo, location: Location) -> dict[str, Any]:
    span = repo.span(location)
    return {"file": location.file, "line": span.line, "column": span.column, "path": list(location.path)}


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(data, dict) and data:
        return [leaf for key, value in data.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(data, list) and data:
        return [leaf for index, value in enumerate(data) for leaf in _leaves(value, (*path, index))]
    return [path]


_LONGEST = 180
"""Of a file's name: file systems allow 255 bytes, and the temporary name is longer than the final one."""


def _named(chosen: _Chosen) -> Iterator[tuple[str, Delivery, Rendered]]:
    """What could be rendered, each with the name of its file: the id, escaped so that it leads nowhere else.

    Where two names would be one file, on a file system that does not tell capitals apart, both get a digest.
    """
    made = [(quote(d.id, safe="@:").replace(":", "_", 1), d, item) for d, item in chosen if not item.failure]
    taken = Counter(name.lower() for name, _, _ in made)
    for name, delivery, item in made:
        if len(name) > _LONGEST or taken[name.lower()] > 1:
            yield f"{name[:_LONGEST]}-{sha256(delivery.id.encode()).hexdigest()[:16]}", delivery, item
        else:
            yield name, delivery, item
