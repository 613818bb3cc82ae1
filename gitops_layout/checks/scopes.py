"""Charts' templates that ask the wrong thing for the release: inside `range` and `with` the dot is an element."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import join

from gitops_layout.agents.gotemplate.errors import LimitError, TemplateError
from gitops_layout.agents.gotemplate.nodes import (
    Action,
    Block,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Ident,
    Node,
    Number,
    Operand,
    Pipe,
    Program,
    Str,
    Variable,
)
from gitops_layout.agents.gotemplate.parse import parse
from gitops_layout.checks.lines import span_of
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside, is_yaml
from gitops_layout.values import dataclass

__all__ = ["root_lost"]

_LARGEST = 2**19
_WORD = regexp(r"[A-Za-z_]\w*")
_FIELDS: Mapping[str, frozenset[str]] = {
    "Values": frozenset(),
    "Capabilities": frozenset({"APIVersions", "KubeVersion", "HelmVersion"}),
    "Chart": frozenset({"Name", "Version", "AppVersion", "Annotations", "Type", "IsRoot"}),
    "Files": frozenset({"Get", "GetBytes", "Glob", "Lines", "AsConfig", "AsSecrets"}),
    "Release": frozenset({"Name", "Namespace", "Service", "Revision", "IsUpgrade", "IsInstall"}),
    "Template": frozenset({"Name", "BasePath"}),
}
"""What helm gives a template, and the fields that none but these have; all of them where there is none."""
_CHANGING = frozenset({"set", "merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite"})
"""Functions that can give an element the release's fields."""
_PLAIN = frozenset({"until", "untilStep", "splitList", "list", "tuple"})
"""Functions whose results hold no release, given none."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """A use of the release's fields inside a branch where the dot is something else; `name` is the helper that wants it."""

    at: int
    text: str
    branch: Branch
    helper: str = ""


def root_lost(graph: Graph) -> Iterator[Hit]:
    """The first use in each `range` or `with` of a field that its element cannot have, be it in a helper that gets it."""
    repo = graph.repo
    for chart in repo.charts:
        parent, inside, _ = chart.rpartition("/charts/")
        if is_aside(join(chart, "Chart.yaml")) or (inside and parent in repo.charts):
            continue  # a chart that helm unpacked into another is its authors' matter
        programs = dict(_programs(repo, chart))
        wanting = _wanting(programs)
        for file, program in programs.items():
            told: set[int] = set()
            for body in (program.body, *program.defined.values()):
                for lost in _walk(body, None, wanting):
                    if lost.branch.at not in told:
                        told.add(lost.branch.at)
                        yield _hit(file, program.text, lost)


def _programs(repo: Repo, chart: str) -> Iterator[tuple[str, Program]]:
    for file in repo.under(join(chart, "templates")):
        if not file.endswith((".yaml", ".yml", ".tpl", ".txt")) or repo.entries[file].size > _LARGEST:
            continue
        text = repo.stream(file).text if is_yaml(file) else repo.text(file)
        if "{{" not in text:
            continue
        try:
            yield file, parse(text, frozenset(_WORD.findall(text)))
        except (TemplateError, LimitError):
            continue  # whoever renders it says so


def _wanting(programs: Mapping[str, Program]) -> frozenset[str]:
    """The helpers that read the release's fields from what they are given, or give it to one that does."""
    bodies = {name: body for program in programs.values() for name, body in program.defined.items()}
    wanting = {name for name, body in bodies.items() if any(map(_is_root, _on_the_dot(body)))}
    while True:
        more = {
            name
            for name, body in bodies.items()
            if name not in wanting and any(_given_dot(word) in wanting for word in _commands(body))
        }
        if not more:
            return frozenset(wanting)
        wanting |= more


def _on_the_dot(body: Block) -> Iterator[Operand]:
    """Every word of a body where the dot is still what the body was given."""
    for node in body:
        match node:
            case Action(pipe=pipe):
                yield from _words(pipe)
            case Call(pipe=Pipe() as pipe):
                yield from _words(pipe)
            case Branch(kind=kind, pipe=pipe, body=inner, other=other):
                yield from _words(pipe)
                yield from _on_the_dot(inner) if kind == "if" else ()
                yield from _on_the_dot(other or ())


def _commands(body: Block) -> Iterator[Command | Call]:
    """The commands of a body where the dot is still what the body was given."""
    for node in body:
        match node:
            case Action(pipe=pipe):
                yield from _inside(pipe)
            case Call():
                yield node
            case Branch(kind=kind, pipe=pipe, body=inner, other=other):
                yield from _inside(pipe)
                yield from _commands(inner) if kind == "if" else ()
                yield from _commands(other or ())


def _walk(body: Block, branch: Branch | None, wanting: frozenset[str]) -> Iterator[_Lost]:
    """Uses of the release's fields; `branch` is the innermost one that took the dot away."""
    for node in body:
        if branch is not None:
            yield from _uses(node, branch, wanting)
        if isinstance(node, Branch):
            yield from _walk(node.body, _taken(node, branch), wanting)
            yield from _walk(node.other or (), branch, wanting)


def _uses(node: Node, branch: Branch, wanting: frozenset[str]) -> Iterator[_Lost]:
    pipe = node.pipe if isinstance(node, Action | Branch | Call) else None
    for word in _words(pipe) if pipe is not None else ():
        if isinstance(word, Field) and _is_root(word):
            yield _Lost(word.at, "." + ".".join(word.names), branch)
    for command in (node,) if isinstance(node, Call) else _inside(pipe) if pipe is not None else ():
        name = _given_dot(command)
        if name in wanting:
            yield _Lost(command.at, f'"{name}" .', branch, name)


def _taken(node: Branch, branch: Branch | None) -> Branch | None:
    """The branch that takes the dot away from the body of `node`."""
    if node.kind == "if":
        return branch
    return node if _is_data(node.pipe, lost=branch is not None) and not _gives_back(node.body) else None


def _is_data(pipe: Pipe, *, lost: bool) -> bool:
    """Whether a pipeline's result, and each element of it, holds values and never the release itself."""
    if len(pipe.commands) != 1:
        return False
    first, *others = pipe.commands[0].words
    match first:
        case Field(names=("Values", _, *_)) | Variable(name="$", names=("Values", _, *_)):
            return not others
        case Field(names=("Files", "Glob")) | Variable(name="$", names=("Files", "Glob")):
            return True
        case Field():
            return lost and not others
        case Ident(name=name):
            return name in _PLAIN and all(isinstance(word, Str | Number) for word in others)
    return False


def _gives_back(body: Block) -> bool:
    """Whether something in a body may put the release's fields into the element."""
    for node in body:
        pipe = node.pipe if isinstance(node, Action | Branch | Call) else None
        for command in _inside(pipe) if pipe is not None else ():
            match command.words:
                case (Ident(name=name), Dot(), *_) if name in _CHANGING:
                    return True
        if isinstance(node, Branch) and (_gives_back(node.body) or _gives_back(node.other or ())):
            return True
    return False


def _is_root(word: Operand) -> bool:
    if not isinstance(word, Field) or word.names[0] not in _FIELDS:
        return False
    known = _FIELDS[word.names[0]]
    return not known or (len(word.names) > 1 and word.names[1] in known)


def _given_dot(command: Command | Call) -> str:
    """The helper that a command gives the dot as it is; empty where it gives something else."""
    match command:
        case Call(name=name, pipe=Pipe(commands=(Command(words=(Dot(),)),))):
            return name
        case Command(words=(Ident(name="include"), Str(value=name), Dot())):
            return name
    return ""


def _inside(pipe: Pipe) -> Iterator[Command]:
    """A pipeline's commands, those in parentheses too."""
    for command in pipe.commands:
        yield command
        for word in command.words:
            inner = word.start if isinstance(word, Chain) else word
            if isinstance(inner, Pipe):
                yield from _inside(inner)


def _words(pipe: Pipe) -> Iterator[Operand]:
    for command in _inside(pipe):
        yield from command.words


def _hit(file: str, text: str, lost: _Lost) -> Hit:
    what = f"{lost.branch.kind} {_shown(text, lost.branch)}"
    said = (
        f'helper "{lost.helper}" is given the element, of which it asks what only the release has'
        if lost.helper
        else f"{lost.text} is asked of the element, and only the release has it"
    )
    opened = Related(
        Location(file, span=span_of(text, lost.branch.at, lost.branch.at + 1)), "here the dot changes"
    )
    end = lost.at + (1 if lost.helper else len(lost.text))
    place = Location(file, span=span_of(text, lost.at, end))
    return Hit(place, {"branch": what, "said": said, "subject": f"{what}: {lost.text}"}, (opened,))


def _shown(text: str, branch: Branch) -> str:
    """The pipeline of a branch as it is written, on one line."""
    found = re.compile(r"\{\{-?\s*(?:range|with)\s+(?:[^{}]*?:=\s*)?([^{}]{1,60}?)\s*-?\}\}").search(
        text, text.rfind("{{", 0, branch.at + 2)
    )
    return " ".join(found[1].split()) if found is not None else "its list"
