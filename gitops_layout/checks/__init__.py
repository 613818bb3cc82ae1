"""Python checks: what neither an assertion about one object nor a table of references can say.

A check is a pure function of the graph and its rule's `params` that yields hits. A rule names it as
`check: MODULE.FUNCTION`; it knows places and facts, never lines, severities or output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit

__all__ = ["ENGINE", "Check", "find"]

Check = Callable[[Graph, Mapping[str, Any]], Iterable[Hit]]

ENGINE = "engine"
"""`check: engine`: the engine itself raises the finding, after policy (ignores, baseline, declarations)."""


def _nothing(_graph: Graph, _params: Mapping[str, Any]) -> Iterable[Hit]:
    return ()


def find(name: str) -> Check:
    """The check that a rule names. Raises LookupError when there is none."""
    if name == ENGINE:
        return _nothing
    module, _, function = name.rpartition(".")
    try:
        found: Check = getattr(import_module(f"{__name__}.{module}"), function)
    except (ImportError, AttributeError, ValueError):
        raise LookupError(f"there is no check called {name}") from None
    return found
