"""Go templates as Argo CD runs them on ApplicationSets: text/template, sprig, and Argo CD's own functions.

A subset in this sense only: functions that depend on the clock, on chance or on the network raise
UnsupportedError, and bounds (output, steps, depth) raise LimitError. What it does evaluate is compared
with the real thing by `tests/agents/test_gotemplate_oracle.py`. Nothing is read and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_layout.agents.gotemplate.argo import FUNCTIONS, NAMES
from gitops_layout.agents.gotemplate.errors import LimitError, TemplateError, UnsupportedError
from gitops_layout.agents.gotemplate.evaluate import MAX_STEPS, Miss, MissingKey, State, run
from gitops_layout.agents.gotemplate.parse import parse
from gitops_layout.agents.gotemplate.quoting import from_bytes, to_bytes

__all__ = [
    "LimitError",
    "Miss",
    "Rendering",
    "TemplateError",
    "UnsupportedError",
    "missing_key",
    "render",
]

_MAX_TEMPLATE = 1 << 18
_TORN = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a template wrote, the keys it looked for in vain (each printed as `<no value>`), and its cost."""

    text: str
    misses: tuple[Miss, ...] = ()
    steps: int = 0


def missing_key(options: Sequence[str]) -> MissingKey:
    """The policy that `goTemplateOptions` sets, the last one winning. Raises ValueError for what Go refuses."""
    policy: MissingKey = "default"
    for option in options:
        match option:
            case "missingkey=default" | "missingkey=invalid":
                policy = "default"
            case "missingkey=zero":
                policy = "zero"
            case "missingkey=error":
                policy = "error"
            case _:
                raise ValueError(f'unrecognized option "{option}"')
    return policy


def render(text: str, data: Mapping[str, Any], *, missing: MissingKey = "default") -> Rendering:
    """Execute the template over `data`, in Go's types (see `values.from_json`).

    Raises TemplateError where Go fails, UnsupportedError where we lack something, LimitError where
    the template asks for more output, steps or depth than we give.
    """
    if "{{" not in text:
        return Rendering(text)
    if len(text) > _MAX_TEMPLATE:
        raise LimitError(f"the template is longer than {_MAX_TEMPLATE} characters", text, 0)
    program = parse(text, NAMES)
    state = State(program, FUNCTIONS, missing, program.defined)
    try:
        run(state, data)
    except RecursionError:
        raise LimitError("the values nest too deep", text, 0) from None
    steps = MAX_STEPS - state.budget + len(text) // 16
    written = "".join(state.output)
    return Rendering(_mended(written), tuple(state.misses), steps)


def _mended(text: str) -> str:
    """The text with every byte that is no UTF-8 replaced: strings may be cut inside a character."""
    if not _TORN.search(text):
        return text
    return _TORN.sub("\ufffd", from_bytes(to_bytes(text)))
