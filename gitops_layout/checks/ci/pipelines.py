"""Reads pipelines: which files are, the jobs in them, and the scripts that they call inside the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join, normpath
from typing import Any

from gitops_layout.checks.ci.model import Action, Job, Script, place_in
from gitops_layout.checks.ci.shell import MAX_SCRIPT
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside, is_yaml

__all__ = ["is_pipeline", "jobs"]

_GITHUB = regexp(r"\.github/workflows/[^/]+\.ya?ml")
_AZURE = regexp(r"(.*/)?\.?azure[-_]?pipelines?[^/]*\.ya?ml", re.IGNORECASE)
_JENKINS = regexp(r"(.*/)?(Jenkinsfile([.-][^/]*)?|[^/]+\.jenkinsfile)")
_GITLAB = ".gitlab-ci.yml"
_GITLAB_WORDS = frozenset(
    {"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script",
     "after_script", "pages", "spec"}
)  # fmt: skip
_MAX_DEPTH = 5


def is_pipeline(path: str) -> bool:
    """Whether a file is one that a CI server runs."""
    if _GITHUB.fullmatch(path) or path == _GITLAB:
        return True
    found = _AZURE.fullmatch(path) or _JENKINS.fullmatch(path)
    return bool(found) and not is_aside(path)


def jobs(repo: Repo) -> Iterator[Job]:
    """Every job of every pipeline; those that are switched off left out."""
    for path in repo.files:
        if repo.entries[path].target is not None or not is_pipeline(path):
            continue
        if _GITHUB.fullmatch(path):
            yield from _github(repo, path)
        elif path == _GITLAB:
            yield from _gitlab(repo)
        elif _AZURE.fullmatch(path):
            yield from _azure(repo, path)
        else:
            yield from _jenkins(repo, path)


def _document(repo: Repo, path: str) -> dict[Any, Any]:
    documents = repo.documents(path) if is_yaml(path) else ()
    found: dict[Any, Any] = next((d.data for d in reversed(documents) if isinstance(d.data, dict)), {})
    return found


def _index(repo: Repo, path: str) -> int:
    documents = repo.documents(path)
    return next((d.index for d in reversed(documents) if isinstance(d.data, dict)), 0)


def _script(repo: Repo, file: str, path: Path, folder: str = "") -> Script:
    """The text of a scalar as it stands in the file, its quotes or block header left out."""
    span = repo.span(Location(file, path, _index(repo, file)))
    text = repo.stream(file).text
    start, end = span.start, span.end
    raw = text[start:end]
    if raw[:1] in ("|", ">"):
        start += raw.find("\n") + 1
    elif raw[:1] in ("'", '"') and raw[-1:] == raw[:1] and len(raw) > 1:
        start, end = start + 1, end - 1
    return Script(file, text[start:end], start, folder)


def _texts(value: Any) -> dict[str, str]:
    return {k: str(v) for k, v in value.items() if isinstance(k, str)} if isinstance(value, dict) else {}


def _github(repo: Repo, file: str) -> Iterator[Job]:
    found = _document(repo, file).get("jobs")
    for name, job in found.items() if isinstance(found, dict) else ():
        if isinstance(job, dict) and job.get("if") not in (False, "false", "${{ false }}"):
            place = Location(file, ("jobs", name), _index(repo, file), key=True)
            yield Job(
                file, str(name), place, tuple(_steps(repo, file, ("jobs", name, "steps"), job.get("steps")))
            )


def _steps(repo: Repo, file: str, path: Path, steps: Any, depth: int = 0) -> Iterator[Script | Action]:
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        here = (*path, number)
        if not isinstance(step, dict) or step.get("if") in (False, "false", "${{ false }}"):
            continue
        if isinstance(step.get("run"), str):
            folder = step.get("working-directory")
            yield _script(repo, file, (*here, "run"), folder if isinstance(folder, str) else "")
        uses = step.get("uses")
        if not isinstance(uses, str):
            continue
        name, _, version = uses.partition("@")
        place = Location(file, (*here, "uses"), _index(repo, file))
        yield Action(name, version, place, _texts(step.get("with")))
        if uses.startswith("./") and depth < _MAX_DEPTH:
            for own in ("action.yml", "action.yaml"):
                action = normpath(join(uses, own))
                runs = _document(repo, action).get("runs")
                if isinstance(runs, dict):
                    yield from _steps(repo, action, ("runs", "steps"), runs.get("steps"), depth + 1)


_Known = dict[str, tuple[str, Mapping[str, Any]]]


def _gitlab(repo: Repo) -> Iterator[Job]:
    known: _Known = {}
    globals_: list[tuple[str, Path, Any]] = []
    for file in _included(repo, _GITLAB):
        for name, job in _document(repo, file).items():
            if name == "default" and isinstance(job, dict):
                globals_.append((file, ("default", "before_script"), job.get("before_script")))
            elif name == "before_script":
                globals_.append((file, ("before_script",), job))
            elif isinstance(name, str) and name not in _GITLAB_WORDS and isinstance(job, Mapping):
                known[name] = (file, job)
    for name, (file, job) in known.items():
        if name.startswith(".") or job.get("when") == "never":
            continue
        steps: list[Script | Action] = []
        before = _inherited(known, name, "before_script") or next(
            (found for found in reversed(globals_) if found[2] is not None), None
        )
        for found in (before, _inherited(known, name, "script"), _inherited(known, name, "after_script")):
            if found is not None:
                steps += _lines(repo, *found)
        yield Job(file, name, Location(file, (name,), _index(repo, file), key=True), tuple(steps))


def _inherited(known: _Known, name: str, field: str, depth: int = 0) -> tuple[str, Path, Any] | None:
    """A job's field, its own or that of the last job that it extends."""
    if name not in known or depth > _MAX_DEPTH:
        return None
    file, job = known[name]
    if field in job:
        return file, (name, field), job[field]
    parents = job.get("extends")
    for parent in reversed(parents if isinstance(parents, list) else [parents]):
        found = _inherited(known, str(parent), field, depth + 1)
        if found is not None:
            return found
    return None


def _lines(repo: Repo, file: str, path: Path, value: Any) -> Iterator[Script]:
    if isinstance(value, str):
        yield _script(repo, file, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _lines(repo, file, (*path, number), item)


def _included(repo: Repo, file: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """A GitLab file's own includes first, as later keys win; files of other projects are not here."""
    if file in seen or not repo.is_file(file) or len(seen) > _MAX_DEPTH:
        return
    includes = _document(repo, file).get("include")
    for item in includes if isinstance(includes, list) else [includes]:
        local = item.get("local") if isinstance(item, dict) else item
        if isinstance(local, str) and "://" not in local:
            yield from _included(repo, normpath(local.lstrip("/")), seen | {file})
    yield file


def _azure(repo: Repo, file: str) -> Iterator[Job]:
    data = _document(repo, file)
    found = list(_azure_jobs(repo, file, (), data, 0))
    if not found and "steps" in data:
        place = Location(file, ("steps",), _index(repo, file), key=True)
        found = [Job(file, basename(file), place, tuple(_azure_steps(repo, file, (), data, 0)))]
    yield from found


def _azure_jobs(repo: Repo, file: str, path: Path, value: Any, depth: int) -> Iterator[Job]:
    match value:
        case {"job": name, **rest} | {"deployment": name, **rest}:
            if rest.get("condition") not in (False, "false"):
                place = Location(file, path, _index(repo, file))
                yield Job(file, str(name), place, tuple(_azure_steps(repo, file, path, value, depth)))
        case {"template": str(template)} if (
            there := _azure_template(repo, file, template, depth)
        ) is not None:
            yield from _azure_jobs(repo, there, (), _document(repo, there), depth + 1)
        case dict() | list():
            for key, item in _items(value):
                if key != "steps":
                    yield from _azure_jobs(repo, file, (*path, key), item, depth)


def _azure_steps(repo: Repo, file: str, path: Path, value: Any, depth: int) -> Iterator[Script | Action]:
    match value:
        case {"template": str(template)}:
            there = _azure_template(repo, file, template, depth)
            if there is not None:
                yield from _azure_steps(repo, there, (), _document(repo, there), depth + 1)
        case {"task": str(task)}:
            name, _, version = task.partition("@")
            inputs = value.get("inputs")
            yield Action(name, version, Location(file, (*path, "task"), _index(repo, file)), _texts(inputs))
            for key in ("inlineScript", "script"):
                if isinstance(inputs, dict) and isinstance(inputs.get(key), str):
                    yield _script(repo, file, (*path, "inputs", key))
        case dict():
            for key, item in value.items():
                if key in ("script", "bash", "pwsh", "powershell") and isinstance(item, str):
                    yield _script(repo, file, (*path, key))
                elif isinstance(item, dict | list):
                    yield from _azure_steps(repo, file, (*path, key), item, depth)
        case list():
            for number, item in enumerate(value):
                yield from _azure_steps(repo, file, (*path, number), item, depth)


def _items(value: dict[Any, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _azure_template(repo: Repo, file: str, template: str, depth: int) -> str | None:
    """A template's file: relative to the file that names it, from the root with a leading slash."""
    if "@" in template or depth >= _MAX_DEPTH:
        return None
    path = normpath(template.lstrip("/") if template.startswith("/") else join(dirname(file), template))
    return path if repo.is_file(path) else None


_GROOVY = regexp(
    r"\b(?:sh|bat|powershell|pwsh)\b\s{0,9}\(?\s{0,99}(?:[^'\"\n]{0,99}\bscript\s*:\s*)?"
    r"(?:'''(?P<a>.*?)'''|\"\"\"(?P<b>.*?)\"\"\"|'(?P<c>[^'\n]*)'|\"(?P<d>(?:[^\"\\\n]|\\.)*)\")",
    re.DOTALL,
)
_JENKINS_STEPS = regexp(
    r"\b(withKubeConfig|withKubeCredentials|kubernetesDeploy|kubeconfigContent)\b|\bfile\s?\([^)\n]{0,200}kubeconfig",
    re.IGNORECASE,
)
_GROOVY_COMMENT = regexp(r"^\s*(//|\*|/\*)")


def _jenkins(repo: Repo, file: str) -> Iterator[Job]:
    text = repo.text(file)[:MAX_SCRIPT]
    steps: list[Script | Action] = [
        Action(found[1] or "kubeconfig", "", place_in(file, text, *found.span()))
        for found in _JENKINS_STEPS.finditer(text)
        if not _commented(text, found.start())
    ]
    steps += [
        Script(file, found[found.lastgroup], found.start(found.lastgroup))
        for found in _GROOVY.finditer(text)
        if found.lastgroup and not _commented(text, found.start())
    ]
    yield Job(file, basename(file), place_in(file, text, 0, 0), tuple(steps))


def _commented(text: str, at: int) -> bool:
    line = text[max(text.rfind("\n", 0, at) + 1, at - 500) : at]
    return bool(_GROOVY_COMMENT.match(line)) or " // " in line
