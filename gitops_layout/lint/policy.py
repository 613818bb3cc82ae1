"""Which rules run, and how bad their findings are: profile, config, command line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from gitops_layout.model import Severity
from gitops_layout.rules.model import PROFILES
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitops_layout.config import Cluster, Config, Environment, External, Ignore, Profile
    from gitops_layout.model import Tier
    from gitops_layout.rules import Catalogue
    from gitops_layout.rules.model import Rule

__all__ = ["Policy", "Tiers", "glob_matches", "policy"]

Tiers = dict["Tier", Severity | None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is decided before any rule runs.

    `rules` maps the rules to run to their severity per tier. `ignores` pairs each of the config's
    ignores with the rule ids it stands for. `environments` and `clusters` are those of the config. `partial` says that the selection was narrowed by hand: then
    nothing is said about ignores and declarations that matched nothing.
    """

    rules: Mapping[str, Tiers]
    ignores: tuple[tuple[Ignore, frozenset[str]], ...]
    exclude: tuple[str, ...]
    external: tuple[External, ...]
    profile: Profile
    partial: bool
    allow_unchecked: frozenset[str] = frozenset()
    environments: tuple[Environment, ...] = ()
    clusters: tuple[Cluster, ...] = ()


def policy(
    catalogue: Catalogue,
    config: Config,
    *,
    profile: Profile | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    allow_unchecked: Iterable[str] = (),
) -> Policy:
    """Join config and command line; the command line's `select` replaces the config's.

    Raises UserError for a word that names no rule.
    """
    chosen = profile or config.profile
    command = tuple(select)
    words: list[tuple[str, str]] = [(word, "--select") for word in command]
    if not command and config.select is not None:
        words = [(word, config.where("select", n)) for n, word in enumerate(config.select)]
    explicit = frozenset().union(*(_meant(catalogue, word, where) for word, where in words))
    wide = frozenset().union(*(catalogue.select(word, where) for word, where in words))
    dropped = frozenset().union(*(catalogue.select(word, "--ignore") for word in ignore))
    severities = {
        rule.id: _tiers(rule, chosen, explicit=rule.id in explicit)
        for rule in catalogue.rules
        if (not words or rule.id in wide) and rule.id not in dropped
    }
    for word, tiers in config.severity.items():
        for identity in _meant(catalogue, word, config.where("severity", word)):
            if identity in severities:
                severities[identity] = dict(tiers)
    ignores = []
    for n, entry in enumerate(config.ignore):
        where = config.where("ignore", n, "rules")
        ids = frozenset().union(*(catalogue.select(word, where) for word in entry.rules))
        ignores.append((entry, ids))
    return Policy(
        rules={identity: tiers for identity, tiers in severities.items() if any(tiers.values())},
        ignores=tuple(ignores),
        exclude=config.exclude,
        external=config.external,
        profile=chosen,
        partial=bool(command) or bool(dropped),
        allow_unchecked=frozenset(allow_unchecked),
        environments=config.environments,
        clusters=config.clusters,
    )


def _meant(catalogue: Catalogue, word: str, where: str) -> frozenset[str]:
    """The rules that a word switches on: of `ALL` or a group not those that belong to the strict profile alone.

    Asking for everything is not asking for every policy that somebody may have; an id or a name is.
    """
    rules = (catalogue.by_id[identity] for identity in catalogue.select(word, where))
    return frozenset(
        rule.id
        for rule in rules
        if word.lower() in (rule.id.lower(), rule.name) or any(rule.severity["recommended"].values())
    )


def _tiers(rule: Rule, profile: Profile, *, explicit: bool) -> Tiers:
    """The profile's severities; where a rule selected by hand is off, those of a stricter profile."""
    tiers = dict(rule.severity[profile])
    if explicit:
        for stricter in PROFILES[PROFILES.index(profile) :]:
            tiers = {tier: word or rule.severity[stricter][tier] for tier, word in tiers.items()}
        tiers = {tier: word or Severity.WARNING for tier, word in tiers.items()}
    return tiers


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    out, at = "", 0
    clean = pattern.removeprefix("./").removeprefix("/").rstrip("/")
    while at < len(clean):
        if clean.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif clean.startswith("**", at):
            out, at = out + ".*", at + 2
        elif clean[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif clean[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(clean[at]), at + 1
    return re.compile(f"{out}(?:/.*)?")


def glob_matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names `path` or a folder above it: `*` within a name, `**` across folders."""
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)
