"""The catalogue: every rule there is, ours and the repository's, through one door."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

from gitops_layout import bundle
from gitops_layout.cel import CelError, compile_expression
from gitops_layout.config import did_you_mean
from gitops_layout.errors import UserError
from gitops_layout.rules.frontmatter import parse
from gitops_layout.rules.model import Rule
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitops_layout.repo.model import Repo

__all__ = ["OWN_FOLDER", "Catalogue", "Rule", "builtin", "from_folder", "load", "variables"]

OWN_FOLDER = ".gitops-layout/rules"
"""Where a repository keeps rules of its own."""


@dataclass(frozen=True)
class Catalogue:
    """All rules, sorted by id."""

    rules: tuple[Rule, ...]

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        """Rules by their id."""
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def _words(self) -> dict[str, frozenset[str]]:
        words: dict[str, set[str]] = {"ALL": {rule.id for rule in self.rules}}
        for rule in self.rules:
            prefixes = (rule.id[:end] for end in range(1, len(rule.id) + 1))
            for word in (*prefixes, rule.name, rule.group):
                words.setdefault(word, set()).add(rule.id)
        return {word: frozenset(ids) for word, ids in words.items()}

    def select(self, word: str, where: str) -> frozenset[str]:
        """The ids that an id, id prefix, name, group, principle or `ALL` stands for.

        Raises UserError naming `where` the word was written, with the nearest known one.
        """
        ids = self._words.get(word) or self._words.get(word.upper())
        if ids is None:
            known = [name for rule in self.rules for name in (rule.id.lower(), rule.name, rule.group)]
            near = did_you_mean(word, known)
            raise UserError(f'{where}: no rule is called "{word}"{near}', "see `gitops-layout rules list`")
        return ids


def variables(rule: Rule) -> tuple[str, ...]:
    """What a rule's assertion sees, in the order in which it is bound."""
    subject = "delivery" if rule.scope.on == "delivery" else "object"
    item = ("item",) if rule.scope.each else ()
    return (subject, "facts", "params", *item)


def builtin() -> Catalogue:
    """The rules that come with the tool."""
    return _catalogue(_built_in_rules())


def load(repo: Repo, folders: Iterable[str] = ()) -> Catalogue:
    """Our rules, the repository's own (`.gitops-layout/rules/`) and those of further folders in it.

    Raises UserError that names every problem of every rule file.
    """
    return _catalogue((*_built_in_rules(), *_repository_rules(repo, (OWN_FOLDER, *folders))))


def from_folder(folder: Path) -> Catalogue:
    """The rules below a folder on disk, judged as a repository's own."""
    return _catalogue(
        parse(path.read_text("utf-8"), str(path), builtin=False) for path in sorted(folder.rglob("*.md"))
    )


@cache
def _built_in_rules() -> tuple[Rule | list[str], ...]:
    root = bundle.root() / "rules"
    return tuple(
        parse(path.read_text("utf-8"), f"rules/{path.relative_to(root).as_posix()}", builtin=True)
        for path in sorted(root.glob("*/*.md"))
    )


def _repository_rules(repo: Repo, folders: tuple[str, ...]) -> Iterator[Rule | list[str]]:
    seen: set[str] = set()
    for folder in folders:
        real = repo.resolve(folder)
        if real is None or real not in repo.folders:
            if folder != OWN_FOLDER:
                yield [f"{folder}: the config's `rules` names a folder that is not in the repository"]
            continue
        for path in repo.under(real):
            if path.endswith(".md") and path not in seen and repo.entries[path].target is None:
                seen.add(path)
                yield parse(repo.text(path), path, builtin=False)


def _catalogue(parsed: Iterable[Rule | list[str]]) -> Catalogue:
    problems: list[str] = []
    rules: dict[str, Rule] = {}
    files: dict[str, str] = {}
    for result in parsed:
        if isinstance(result, list):
            problems += result
            continue
        taken = files.get(result.id) or files.get(result.name)
        if taken is not None:
            problems.append(f"{result.file}: {result.id} {result.name} is taken by {taken}")
            continue
        rules[result.id] = result
        files[result.id] = files[result.name] = result.file
        if not result.builtin and result.assertion:
            problems += _uncompilable(result)
    if problems:
        raise UserError(
            "\n".join(problems), "a rule file's form is shown by `gitops-layout explain V001 --source`"
        )
    return Catalogue(tuple(rules[identity] for identity in sorted(rules)))


def _uncompilable(rule: Rule) -> list[str]:
    """Ours compile when their kind is met (a test compiles them all); a stranger's compile here."""
    try:
        compile_expression(rule.assertion or "", variables(rule))
    except CelError as error:
        line = next((n for n, t in enumerate(rule.text.splitlines(), 1) if t.startswith("assert:")), 1)
        return [f"{rule.file}:{line}:1: assert: {error}"]
    return []
