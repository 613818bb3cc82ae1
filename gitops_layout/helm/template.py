"""Render with real helm (`helm template`) on a private copy of the chart, offline.

Nothing starts before `chart.walk` has proved that everything helm reads is a file inside the repository.
The process sees only those files and the values, an empty HOME, an empty PATH and no plugins, no
kubeconfig and no name server (helm resolves names only when told to); its time and memory are bounded.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from posixpath import join
from typing import Any

from gitops_layout.helm.assign import assign
from gitops_layout.helm.chart import Chart, Problem
from gitops_layout.helm.find import Helm, Library
from gitops_layout.helm.kept import Store, keep, key, recalled
from gitops_layout.helm.schemas import outside
from gitops_layout.helm.values import merge, parse
from gitops_layout.model import Location, Span, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.source.document import Document, Stream
from gitops_layout.source.reader import read
from gitops_layout.store.archive import RefusedError, unpack
from gitops_layout.system import Completed, run, write_atomic
from gitops_layout.values import dataclass

__all__ = ["Again", "Printed", "Release", "Template", "Templated", "template"]

TIME_LIMIT = 60.0
"""Seconds for one chart; the slowest of 103 templates took 0.1."""
MEMORY_LIMIT = 2**30
OUTPUT_LIMIT = 64 * 2**20
_MESSAGE_LIMIT = 8000


@dataclass(frozen=True, slots=True)
class Release:
    """What helm is asked for. `values` are files' contents, later ones over earlier ones, then `set` and
    `set_string` (`path=value` as on helm's command line), then `set_file` (path, content).

    `flags` are further flags of `helm template`, complete as written; `defaults` stands in for the
    chart's own values.yaml. A `guess` is there to be judged, so that little depends on what the cluster serves.
    """

    name: str
    namespace: str
    values: tuple[bytes, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    set_file: tuple[tuple[str, bytes], ...] = ()
    flags: tuple[str, ...] = ()
    defaults: bytes | None = None
    guess: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """One object, and the template that wrote it as helm names it (`web/templates/service.yaml`).

    `kind` is the kind written there: that of a list, where the object stands in one, at `within`. `doubled` are paths of
    keys that it has twice.
    """

    data: dict[str, Any]
    source: str
    kind: str
    within: tuple[str | int, ...] = ()
    doubled: tuple[tuple[str | int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Printed:
    """What helm printed, read: each object with the document that it stands in; or why helm failed."""

    objects: tuple[tuple[Template, Document], ...] = ()
    problem: Problem | None = None


Again = Callable[[Mapping[str, bytes]], Printed]
"""The same release with other texts at some of the chart's places; the definitions in its `crds/` are left out."""


def _never(_texts: Mapping[str, bytes]) -> Printed:
    return Printed()


@dataclass(frozen=True, slots=True)
class Templated:
    """The objects in helm's order (hooks last), or the problem that kept the chart from rendering.

    `invalid` are paths into the values that the chart's schema refuses, each with what is wrong there;
    the problem then stands at the schema. `again` renders them once more.
    """

    objects: tuple[Template, ...] = ()
    problem: Problem | None = None
    invalid: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    again: Again = field(default=_never, repr=False, compare=False)


def template(
    helm: Helm | Library, repo: Repo, chart: Chart, release: Release, kept: Store | None = None
) -> Templated:
    """Render one release; a chart with problems is not started, nor one whose output is `kept`."""
    if chart.problems:
        return Templated(problem=chart.problems[0])
    for path, _ in release.set_file:
        if "," in path or "=" in path:  # helm would read the rest as another path=FILE, of any file
            return Templated(problem=Problem(f"{path} is no path of one value", chart.definition))
    if "--skip-schema-validation" not in release.flags and (problem := outside(repo, chart)) is not None:
        return Templated(problem=problem)
    done = _known(helm, repo, chart, release, kept)
    if isinstance(done, Templated):
        return done
    printed = _read(repo, chart, done)
    if printed.problem is not None:
        return Templated(problem=printed.problem)

    def again(texts: Mapping[str, bytes]) -> Printed:
        other = replace(chart, texts={**chart.texts, **texts})
        flags = tuple(flag for flag in release.flags if flag != "--include-crds")
        done = _known(helm, repo, other, replace(release, flags=flags), kept)
        return Printed(problem=done.problem) if isinstance(done, Templated) else _read(repo, chart, done)

    return Templated(tuple(item for item, _ in printed.objects), again=again)


def _known(
    helm: Helm | Library, repo: Repo, chart: Chart, release: Release, kept: Store | None
) -> Stream | Templated:
    """What helm prints, or how it failed."""
    name = key(helm, repo, chart, repr(release)) if kept is not None else b""
    known = recalled(kept, name) if kept is not None else None
    done = known or _asked(helm, repo, chart, release)
    if isinstance(done, Problem):
        return Templated(problem=done)
    if kept is not None and known is None and not _out_of_memory(done.stderr):
        keep(kept, name, done)
    if done.code is None:
        return Templated(problem=Problem(f"not rendered within {TIME_LIMIT:.0f} s", chart.definition))
    if done.code != 0:
        return _failed(repo, chart, done.stderr)
    if len(done.stdout) > OUTPUT_LIMIT:
        why = f"the chart renders more than {OUTPUT_LIMIT // 2**20} MiB"
        return Templated(problem=Problem(why, chart.definition))
    return read(done.stdout, "output of helm")


def _asked(helm: Helm | Library, repo: Repo, chart: Chart, release: Release) -> Completed | Problem:
    with tempfile.TemporaryDirectory(prefix="gitops-layout-") as temporary:
        folder = Path(temporary)
        try:
            if isinstance(helm, Library):
                done = rendered(helm, repo, chart, release, folder)
            else:
                done = _run(helm, repo, chart, release, folder)
        except (ValueError, OSError) as error:  # a NUL in a name, a parameter longer than any argument
            return Problem(f"helm cannot be started: {error}", chart.definition)
    if isinstance(done, Problem):
        return done
    return replace(done, stderr=done.stderr.replace(temporary, "."))


def _run(helm: Helm, repo: Repo, chart: Chart, release: Release, folder: Path) -> Completed:
    _prepare(repo, chart, release, folder)
    return run(
        [helm.program, "template", *_arguments(release, folder), "--", release.name, _target(chart, release)],
        cwd=folder,
        env=_environment(folder),
        timeout=TIME_LIMIT,
        memory=MEMORY_LIMIT,
    )


def rendered(helm: Library, repo: Repo, chart: Chart, release: Release, folder: Path) -> Completed | Problem:
    """The same by helm's library, in a process as bounded; or why it cannot be trusted with this chart."""
    from gitops_layout.helm.capabilities import reads_cluster

    _prepare(repo, chart, release, folder)
    target = folder / _target(chart, release)
    given = [*release.values, *(text.encode() for text in (*release.set, *release.set_string))]
    why = reads_cluster(
        target, [*given, *(content for _, content in release.set_file)], outright=release.guess
    )
    if why is None and not set(release.flags) <= {"--include-crds"} | {
        flag for flag in release.flags if flag.startswith(("--api-versions=", "--kube-version="))
    }:
        why = f"it is asked for {' '.join(sorted(release.flags))}"
    if why is None and _has_integers([_assigned(release)]):
        why = "a single value is set to a number"  # which reaches templates as another type
    if why is not None:
        reason = f"{why}; helm's library cannot be told about that, the helm program can"
        return Problem(f"chart not rendered: {reason}", chart.definition, UncheckedClass.EXTERNAL)
    asked = {
        "chart": str(target),
        "name": release.name,
        "namespace": release.namespace,
        "values": _values(release),
        "crds": "--include-crds" in release.flags,
    }
    write_atomic(folder / "request.json", json.dumps(asked))
    worker = Path(__file__).with_name("sdk_worker.py")
    return run(
        [helm.interpreter, "-I", worker, folder / "request.json"],
        cwd=folder,
        env=_environment(folder),
        timeout=TIME_LIMIT,
        memory=MEMORY_LIMIT,
    )


def _assigned(release: Release) -> dict[str, Any]:
    """The values that are set one by one, numbers as numbers."""
    values: dict[str, Any] = {}
    for text in release.set:
        assign(values, text)
    return values


def _has_integers(items: Iterable[Any]) -> bool:
    return any(
        _has_integers(item.values())
        if isinstance(item, dict)
        else _has_integers(item)
        if isinstance(item, list)
        else isinstance(item, int) and not isinstance(item, bool)
        for item in items
    )


def _values(release: Release) -> dict[str, Any]:
    """Everything that gives the release values, merged in helm's order. Raises ValueError where helm refuses it."""
    values: dict[str, Any] = {}
    for content in release.values:
        values = merge(values, parse(content, "values"))
    for text in release.set:
        assign(values, text)
    for text in release.set_string:
        assign(values, text, strings=True)
    for path, content in release.set_file:
        escaped = content.decode().replace("\\", "\\\\").replace(",", "\\,")
        assign(values, f"{path}={escaped}", strings=True)
    return values


def _prepare(repo: Repo, chart: Chart, release: Release, folder: Path) -> None:
    (folder / "home").mkdir()
    if chart.own is None:
        _copy(repo, chart, folder / "chart")
    elif release.defaults is not None:
        _unpack(chart.own, folder)
    if release.defaults is not None:
        write_atomic(folder / "chart" / "values.yaml", release.defaults)


def _unpack(brought: Path, folder: Path) -> None:
    """A chart that was brought, as `chart` in the folder. Raises ValueError for what is none."""
    if brought.is_dir():
        shutil.copytree(brought, folder / "chart")
        return
    try:
        with brought.open("rb") as source:
            unpack(source, folder / "own")
    except RefusedError as error:
        raise ValueError(f"its archive is refused: {error}") from None
    inner = [place for place in (folder / "own").iterdir() if place.is_dir()]
    if len(inner) != 1:
        raise ValueError("its archive holds no chart")
    inner[0].rename(folder / "chart")


def _copy(repo: Repo, chart: Chart, target: Path) -> None:
    for place, path in chart.files.items():
        write_atomic(target / place, chart.texts.get(place) or repo.content(path))
    for place, brought in chart.fetched.items():
        if brought.is_dir():
            shutil.copytree(brought, target / place)
        else:
            write_atomic(target / place, brought.read_bytes())


def _target(chart: Chart, release: Release) -> str:
    if chart.own is not None and release.defaults is None:
        return str(chart.own.absolute())
    return "./chart/chart.tgz" if chart.is_archive else "./chart"


def _arguments(release: Release, folder: Path) -> list[str]:
    """The flags; values go through files of our own, so that no name in them can be a URL or an option."""
    arguments = ["--namespace", release.namespace]
    for index, content in enumerate(release.values):
        write_atomic(folder / f"values-{index}.yaml", content)
        arguments += ["--values", f"values-{index}.yaml"]
    for pair in release.set:
        arguments += ["--set", pair]
    for pair in release.set_string:
        arguments += ["--set-string", pair]
    for index, (path, content) in enumerate(release.set_file):
        write_atomic(folder / f"file-{index}", content)
        arguments += ["--set-file", f"{path}=file-{index}"]
    return [*arguments, *release.flags]


def _environment(folder: Path) -> Mapping[str, str]:
    home = folder / "home"
    return {
        "HOME": str(home),
        "PATH": "",
        "TMPDIR": str(folder),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
        "HELM_NO_PLUGINS": "1",
        "KUBECONFIG": str(home / "kubeconfig"),
    }


def _read(repo: Repo, chart: Chart, stream: Stream) -> Printed:
    starts, sources = _sources(stream.text)

    def source(line: int) -> str:
        index = bisect_right(starts, line)
        return sources[index - 1] if index else ""

    def refused(why: str, line: int) -> Printed:
        file = _file(repo, chart, source(line))
        return Printed(problem=Problem(why, chart.definition if file is None else Location(file)))

    # The helm program looks at each manifest before it prints any; its library leaves that to us.
    if stream.problems:
        problem = stream.problems[0]
        return refused(f"{source(problem.line)} renders to unreadable YAML: {problem.message}", problem.line)
    objects: list[tuple[Template, Document]] = []
    for document in stream.documents:
        line = document.span(()).line
        if isinstance(document.data, dict):
            twice = tuple(key.path for key in document.duplicates)
            objects += (
                (replace(item, doubled=_inside(twice, item.within)), document)
                for item in _opened(document.data, source(line))
            )
        elif document.data is not None:
            return refused(f"{source(line)} renders to something that is no object", line)
    return Printed(tuple(objects))


def _inside(
    paths: Iterable[tuple[str | int, ...]], within: tuple[str | int, ...]
) -> tuple[tuple[str | int, ...], ...]:
    return tuple(path[len(within) :] for path in paths if path[: len(within)] == within)


def _opened(data: dict[str, Any], source: str) -> Iterator[Template]:
    """An object, or those in a list: both agents apply the items of a list and not the list."""
    kind, items = str(data.get("kind")), data.get("items")
    if not kind.endswith("List") or not isinstance(items, list):
        yield Template(data, source, kind)
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield Template(item, source, kind, ("items", index))


def _sources(text: str) -> tuple[list[int], list[str]]:
    """The lines at which helm says from which template the documents below come, and which."""
    starts, sources, before = [], [], ""
    for number, line in enumerate(text.split("\n"), 1):
        if before == "---" and line.startswith("# Source: "):
            starts.append(number)
            sources.append(line.removeprefix("# Source: "))
        before = line
    return starts, sources


_SEARCHED = 10_000
_AT = regexp(r"(?P<file>[^\s:()\"]+/[^\s:()\"]+):(?P<line>\d+)(?::(?P<column>\d+))?")
_ON = regexp(r"(?:parse error on|YAML parse error on) (?P<file>[^\s:]+)")
_SCHEMA = regexp(r"^- at '(?P<path>[^']*)': (?P<what>.+)$", re.MULTILINE)
_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "C malloc failed", "MemoryError")
_NOISE = ("Use --debug flag", "level=", "WARNING:", "walk.go", "coalesce.go")


def _out_of_memory(stderr: str) -> bool:
    return any(word in stderr for word in _OUT_OF_MEMORY)


def _failed(repo: Repo, chart: Chart, stderr: str) -> Templated:
    """helm's own words, at the line that they name."""
    if _out_of_memory(stderr):
        why = f"rendering takes more than {MEMORY_LIMIT // 2**20} MiB of memory"
        return Templated(problem=Problem(why, chart.definition))
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith(_NOISE)]
    text = _short("\n".join(lines).removeprefix("Error: "), _MESSAGE_LIMIT)
    invalid = tuple(
        (_steps(match["path"]), match["what"])
        for match in (_SCHEMA.finditer(text) if "specifications of the schema" in text else ())
    )
    if invalid:
        why = "the values do not fit the chart's schema: " + "; ".join(
            f"/{'/'.join(map(str, path))}: {what}" for path, what in invalid
        )
        where = Location(join(chart.folder, "values.schema.json"))
        return Templated(problem=Problem(_short(why), where), invalid=invalid)
    why = _short(" ".join(text.split()))
    return Templated(
        problem=Problem(why or "helm failed without a word", _place(repo, chart, _short(text, _SEARCHED)))
    )


def _steps(pointer: str) -> tuple[str | int, ...]:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.strip("/").split("/") if step]
    return tuple(int(step) if step.isdigit() else step for step in steps)


def _short(text: str, limit: int = 500) -> str:
    """Both ends of a long message: helm says first where it was, and last what went wrong there."""
    return text if len(text) <= limit else f"{text[: limit // 2]} … {text[-limit // 2 :]}"


def _place(repo: Repo, chart: Chart, text: str) -> Location:
    """The innermost template line that the message names, else the chart."""
    found: Location | None = None
    for match in _AT.finditer(text):
        file = _file(repo, chart, match["file"])
        if file is not None:
            found = _line(repo, file, int(match["line"]), int(match["column"] or 0))
    if found is None and (on := _ON.search(text)) is not None:
        file = _file(repo, chart, on["file"])
        found = Location(file) if file is not None else None
    return found or chart.definition


def _file(repo: Repo, chart: Chart, named: str) -> str | None:
    """The repository's file behind a template's name; the archive where it stands in one."""
    found = chart.source(named)
    if found is None:
        return None
    source, inside = found
    if source.place in repo.entries:
        return source.place
    return repo.resolve(join(source.place, inside))


def _line(repo: Repo, file: str, line: int, column: int) -> Location:
    """A line of a template; helm counts columns from 0."""
    lines = repo.text(file).split("\n")
    if not 1 <= line <= len(lines):
        return Location(file)
    start = sum(len(text) + 1 for text in lines[: line - 1])
    text = lines[line - 1]
    first = min(column, len(text)) if column else len(text) - len(text.lstrip())
    end = len(text.rstrip())
    span = Span(line, first + 1, line, max(end, first) + 1, start + first, start + max(end, first))
    return Location(file, span=span)
