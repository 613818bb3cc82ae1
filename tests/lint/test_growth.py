"""What link, render and lint do grows with the repository and no faster: nothing is asked of everything for each thing."""

from __future__ import annotations

import cProfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

from tests.lint.support import linted
from tools.bench.monorepo import ENVS, as_argocd, write_monorepo

_FEW, _TIMES = 6, 4
"""Apps of the smaller tree, and how many times as many the larger one has."""
_SLACK = 500
"""Calls that a function may make besides: those of a fixed cost, and of tables that grow in steps."""


def _flux(_root: Path) -> None:
    """The generated tree as it is."""


def _argocd(root: Path) -> None:
    as_argocd(root, len(list(root.glob("apps/*"))))


def _unbuildable(root: Path) -> None:
    """Every cluster's own kustomization fails, so that nothing brings the agents' objects in it."""
    for env in ENVS:
        folder = root / "clusters" / env / "apps"
        names = "".join(f"  - {path.name}\n" for path in sorted(folder.glob("*.yaml")))
        (folder / "kustomization.yaml").write_text(f"resources:\n{names}patches:\n  - path: missing.yaml\n")


@pytest.mark.parametrize("change", [_flux, _argocd, _unbuildable])
def test_no_function_is_called_more_than_in_proportion_to_the_repository(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    few, many = (_calls(change, tmp_path / str(apps), apps) for apps in (_FEW, _FEW * _TIMES))
    assert few.total() > 10_000
    grown = {
        f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}": (few[code], number)
        for code, number in many.items()
        if number > 1.25 * _TIMES * few[code] + _SLACK
    }
    assert not grown


def _calls(change: Callable[[Path], None], root: Path, apps: int) -> Counter[CodeType]:
    """How often each function of ours is entered or resumed while the tree is linted."""
    write_monorepo(root, apps)
    change(root)
    files: dict[str, str | bytes] = {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
    watch = cProfile.Profile(builtins=False)
    watch.runcall(linted, files)
    found: Counter[CodeType] = Counter()
    for entry in watch.getstats():
        if isinstance(entry.code, CodeType) and "gitops_layout" in entry.code.co_filename:
            found[entry.code] += entry.callcount
    return found
