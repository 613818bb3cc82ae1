"""What a job runs in the end: the commands of its scripts, and of those that they call inside the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath

from gitops_layout.checks.ci.model import Action, Job, Ran, Script, place_in
from gitops_layout.checks.ci.pipelines import jobs
from gitops_layout.checks.ci.shell import Command, commands
from gitops_layout.checks.once import once
from gitops_layout.model import Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.values import dataclass

__all__ = ["Work", "works"]

_MAX_DEPTH = 4
_SHELLS = frozenset({"bash", "sh", "zsh", "source", "."})
_LONGEST_PATH = 4096
_SCRIPT = regexp(r"[\w./-]*[\w-]+\.(sh|bash)$|\.{0,2}/?[\w./-]+/[\w.-]+$")


@dataclass(frozen=True, slots=True)
class Work:
    """A job and all that it does, in order: `commands` with those of called scripts, and `actions`."""

    job: Job
    commands: tuple[Ran, ...]
    actions: tuple[Action, ...]


@once
def works(repo: Repo) -> tuple[Work, ...]:
    """Every job of the repository's pipelines; the rules of one run share them."""
    return tuple(_work(repo, job) for job in jobs(repo))


def _work(repo: Repo, job: Job) -> Work:
    ran: list[Ran] = []
    seen: set[tuple[str, str]] = set()
    for step in job.steps:
        if isinstance(step, Script):
            ran += _ran(repo, step, (), seen, 0)
        elif step.inputs.get("scriptPath"):  # Azure's tasks name a script
            ran += _file(repo, step.inputs["scriptPath"], (Related(step.place, "called here"),), seen, 0)
    return Work(job, tuple(ran), tuple(step for step in job.steps if isinstance(step, Action)))


def _ran(
    repo: Repo, script: Script, via: tuple[Related, ...], seen: set[tuple[str, str]], depth: int
) -> Iterator[Ran]:
    text = repo.stream(script.file).text if is_yaml(script.file) else repo.text(script.file)
    for command in commands(script.text, script.start):
        place = place_in(script.file, text, command.start, command.end)
        yield Ran(command.words, command.tool, place, command.writes, via)
        if depth < _MAX_DEPTH:
            here = via or (Related(place, "called here"),)
            for target in _called(command):
                for folder in dict.fromkeys((script.folder, dirname(script.file), "")):
                    path = normpath(join(folder, target))
                    if repo.is_file(path):
                        yield from _file(repo, path, here, seen, depth)
                        break
            if command.tool == "make":
                yield from _made(repo, command, script.folder, here, seen, depth)


def _called(command: Command) -> Iterator[str]:
    """The script that a command may be, or hand to a shell."""
    words = command.words
    first = next((word for word in words[1:] if not word.startswith("-")), "")
    target = first if words[0] in _SHELLS else words[0]
    if (
        len(target) < _LONGEST_PATH
        and _SCRIPT.match(target)
        and "$" not in target
        and not target.startswith("/")
    ):
        yield target.removeprefix("./")


def _file(
    repo: Repo, path: str, via: tuple[Related, ...], seen: set[tuple[str, str]], depth: int
) -> Iterator[Ran]:
    path = normpath(path)
    if (path, "") in seen or not repo.is_file(path):
        return
    seen.add((path, ""))
    yield from _ran(repo, Script(path, repo.text(path), 0), via, seen, depth + 1)


def _made(
    repo: Repo,
    command: Command,
    folder: str,
    via: tuple[Related, ...],
    seen: set[tuple[str, str]],
    depth: int,
) -> Iterator[Ran]:
    """The recipes of the targets that `make` is asked for, and of those that they need."""
    words = list(command.words[1:])
    if "-C" in words[:-1]:
        index = words.index("-C")
        folder = join(folder, words[index + 1])
        del words[index : index + 2]
    file = next(
        (name for name in ("Makefile", "makefile", "GNUmakefile") if repo.is_file(join(folder, name))), None
    )
    if file is None:
        return
    path = normpath(join(folder, file))
    text = repo.text(path)
    waiting = [word for word in words if not word.startswith("-") and "=" not in word]
    while waiting:
        target = waiting.pop(0)
        rule = re.search(rf"^{re.escape(target)}\s*:(?!=)(?P<needs>[^\n]*)\n(?P<recipe>(?:\t[^\n]*\n?|[ \t]*\n)*)", text, re.MULTILINE)  # fmt: skip
        if rule is None or (path, target) in seen:
            continue
        seen.add((path, target))
        waiting += rule["needs"].partition("#")[0].split()
        yield from _ran(
            repo, Script(path, rule["recipe"], rule.start("recipe"), folder), via, seen, depth + 1
        )
