"""Whether a config agrees with itself about its environments and clusters, and with the spec's environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.config import did_you_mean
from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitops_layout.config import Config

__all__ = ["agree"]

Problem = tuple[tuple[str | int, ...], str]


def agree(config: Config, spec: Mapping[str, str | None]) -> None:
    """Raises UserError that names every name given twice, every environment that is named and not declared, and every
    circle of `from`. `spec` has the environments of gitops.yaml, each with the one that it is promoted from.
    """
    problems = [
        *_twice("environments", [entry.name for entry in config.environments]),
        *_twice("clusters", [entry.name for entry in config.clusters]),
        *_unknown(config, spec),
        *_circles(config, spec),
    ]
    if problems:
        lines = [f"{config.where(*path)}: {words}" for path, words in problems]
        hint = "correct the names; docs/linting.md tells every key"
        raise UserError("\n".join(dict.fromkeys(lines)), hint)


def _twice(kind: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            first = f"{kind}[{names.index(name)}]"
            yield (kind, index, "name"), f"{kind}[{index}].name: {first} is called {name} as well"


def _unknown(config: Config, spec: Mapping[str, str | None]) -> Iterator[Problem]:
    """What a `from` names has to be declared; what a cluster names only where some environments are."""
    known = {entry.name for entry in config.environments} | spec.keys()
    named = [("environments", "from", [entry.source for entry in config.environments])]
    if known:
        named.append(("clusters", "environment", [entry.environment for entry in config.clusters]))
    for kind, key, names in named:
        for index, name in enumerate(names):
            if name is not None and name not in known:
                words = f"no environment is called {name}{did_you_mean(name, known)}"
                yield (kind, index, key), f"{kind}[{index}].{key}: {words}"


def _circles(config: Config, spec: Mapping[str, str | None]) -> Iterator[Problem]:
    """One problem a circle, at the first of its environments."""
    before = {**spec, **{entry.name: entry.source for entry in config.environments}}
    seen: set[str] = set()
    for index, entry in enumerate(config.environments):
        chain: list[str] = []
        step: str | None = entry.name
        while step is not None and step not in chain:
            chain.append(step)
            step = before.get(step)
        if step == entry.name and seen.isdisjoint(chain):
            seen.update(chain)
            words = f"environments are promoted in a circle: {' from '.join([*chain, entry.name])}"
            yield ("environments", index, "from"), f"environments[{index}].from: {words}"
