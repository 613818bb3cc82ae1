"""`rules`: what rules there are, and running the examples that are their tests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout import bundle, config, rules
from gitops_layout.cel import CelError, compile_expression
from gitops_layout.cli.loading import declared, find_root
from gitops_layout.errors import UserError
from gitops_layout.graph.link import link
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.output.text import finding_text
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files, from_work_tree
from gitops_layout.rules.examples import Example, examples, with_console
from gitops_layout.system import write_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.lint.report import Report
    from gitops_layout.rules import Catalogue
    from gitops_layout.rules.model import Rule

__all__ = ["command", "console", "judge", "problems", "severity_words"]

EXAMPLES_DAY = date(2026, 1, 15)
"""The day on which examples are judged: ignores in them may be past their date or not."""


@click.group("rules")
def command() -> None:
    """List the rules, or test your own."""


def judge(rule: Rule, example: Example, catalogue: Catalogue) -> Report:
    """Lint an example's files, as a repository of their own, with nothing but its rule."""
    repo = from_files(dict(example.files), example.links, example.tags)
    text = example.files.get(config.FILE_NAME)
    settings = config.parse(text) if text is not None else config.Config()
    graph = link(repo, render=Renders(repo), declared=declared(repo, settings))
    if example.was:
        earlier = from_files({**example.files, **example.was})
        before = link(earlier, render=Renders(earlier), declared=declared(earlier, settings))
        graph = replace(graph, before=before)
    # Ignores can only be judged where the rules that they name run too.
    chosen = ["ALL"] if rule.check == "engine" else [rule.id]
    decided = policy(catalogue, replace(settings, select=tuple(chosen), severity={}), profile="strict")
    return lint(graph, catalogue, policy=decided, today=EXAMPLES_DAY)


def console(report: Report, rule: Rule) -> str:
    """The rule's findings as `lint` prints them."""
    return "\n".join(finding_text(f) for f in report.findings if f.rule.id == rule.id)


def problems(rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    """What is wrong with a rule's examples, as `file:line: fact`; nothing when each does what it says."""
    if rule.assertion is not None:
        try:
            compile_expression(rule.assertion, rules.variables(rule))
        except CelError as error:
            yield f"{rule.file}: assert: {error}"
            return
    for example in examples(rule):
        where = f"{rule.file}:{example.line}"
        report = judge(rule, example, catalogue)
        yield from (f"{where}: rule {c.rule} failed: {c.error}" for c in report.crashes)
        found = {(f.file, f.span.line, f.rule.id) for f in report.findings if f.rule.id == rule.id}
        if example.bad and not example.expected:
            yield f"{where}: marks no line with `# expect: {rule.id}`"
        for file, line, _ in sorted(found - example.expected):
            yield f"{where}: {file}:{line} is reported but not marked with `# expect: {rule.id}`"
        for file, line, identity in sorted(example.expected - found):
            yield f"{where}: {file}:{line} is marked `# expect: {identity}` but not reported"
        if example.bad and found == example.expected and console(report, rule) != (example.console or ""):
            change = unified_diff(
                (example.console or "").splitlines(), console(report, rule).splitlines(), lineterm=""
            )
            shown = "".join(f"\n    {line}" for line in list(change)[2:])
            yield f"{where}: the ```console fence is not what is printed{shown}"


def _updated(rule: Rule, catalogue: Catalogue) -> str:
    outputs = {
        index: console(judge(rule, example, catalogue), rule)
        for index, example in enumerate(examples(rule))
        if example.bad
    }
    return with_console(rule, outputs)


@command.command("test")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Write the printed output into the ```console fences.")
def test(folder: Path | None, *, update: bool) -> int:
    """Run every example of the rules in FOLDER (by default ours, and those of this repository)."""
    catalogue, tested, base = _tested(folder)
    if update and any(rule.builtin for rule in tested) and base != bundle.root():
        raise UserError("there are no rules of your own here", f"put them into {rules.OWN_FOLDER}/")
    failures = 0
    for rule in tested:
        if update:
            path = base / rule.file if not Path(rule.file).is_absolute() else Path(rule.file)
            fresh = _updated(rule, catalogue)
            if fresh != rule.text:
                write_named(path, fresh)
                click.echo(f"updated {rule.file}")
            continue
        for problem in problems(rule, catalogue):
            failures += 1
            click.echo(problem, err=True)
    if not update:
        click.echo(f"{len(tested)} rules tested, {failures} problems")
    return 1 if failures else 0


def _tested(folder: Path | None) -> tuple[Catalogue, tuple[Rule, ...], Path]:
    if folder is not None:
        own = rules.from_folder(folder)
        if not own.rules:
            raise UserError(f"{folder}: holds no rule file", "a rule file is called ACME001-some-name.md")
        taken = rules.builtin()
        clash = [r for r in own.rules if r.id in taken.by_id and taken.by_id[r.id].text != r.text]
        if clash:
            raise UserError(f"{clash[0].file}: {clash[0].id} is taken by {taken.by_id[clash[0].id].file}")
        both = {**taken.by_id, **own.by_id}
        return rules.Catalogue(tuple(both[i] for i in sorted(both))), own.rules, Path()
    root = find_root(Path())
    if root == bundle.root():
        catalogue = rules.builtin()
        return catalogue, catalogue.rules, root
    catalogue = rules.load(from_work_tree(root))
    own_rules = tuple(rule for rule in catalogue.rules if not rule.builtin)
    return catalogue, own_rules or catalogue.rules, root


@command.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(*, form: str) -> int:
    """List every rule with its severity per profile: ours, and those of this repository."""
    catalogue = rules.load(from_work_tree(find_root(Path())))
    if form == "json":
        click.echo(json.dumps([_data(rule) for rule in catalogue.rules], indent=2))
        return 0
    group = ""
    for rule in sorted(catalogue.rules, key=lambda rule: (rule.group, rule.id)):
        if rule.group != group:
            click.echo(f"{'' if not group else chr(10)}{rule.group}")
            group = rule.group
        click.echo(f"  {rule.id}  {rule.name:<28} {severity_words(rule)}")
    return 0


def severity_words(rule: Rule) -> str:
    """A rule's severities in a line, profile by profile."""
    return ", ".join(f"{profile}: {_word(rule, profile)}" for profile in rule.severity)


def _word(rule: Rule, profile: config.Profile) -> str:
    tiers = rule.severity[profile]
    words = [str(tiers[tier] or "off") for tier in ("prod", "nonprod")]
    return words[0] if words[0] == words[1] else f"{words[0]} in prod else {words[1]}"


def _data(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "principle": rule.principle,
        "group": rule.group,
        "severity": {
            profile: {tier: str(word) if word else "off" for tier, word in tiers.items()}
            for profile, tiers in rule.severity.items()
        },
        "message": rule.message,
        "help": rule.help,
        "builtin": rule.builtin,
        "file": rule.file,
    }
