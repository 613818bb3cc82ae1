"""Go templates as Argo CD runs them on ApplicationSets and the Flux operator on ResourceSets.

text/template with sprig and the agent's own functions; `{{ }}` in the one case, `<< >>` in the other.

A subset in this sense only: functions that depend on the clock, on chance or on the network raise
UnsupportedError, and bounds (output, steps, depth) raise LimitError. What it does evaluate is compared
with the real thing by `tests/agents/test_gotemplate_oracle.py`. Nothing is read and nothing is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitops_layout.agents.gotemplate import argo
from gitops_layout.agents.gotemplate.errors import LimitError, TemplateError, UnsupportedError
from gitops_layout.agents.gotemplate.evaluate import MAX_STEPS, Miss, MissingKey, State, run
from gitops_layout.agents.gotemplate.lex import BRACES, Delimiters
from gitops_layout.agents.gotemplate.parse import parse
from gitops_layout.agents.gotemplate.quoting import from_bytes, to_bytes
from gitops_layout.agents.gotemplate.values import MISSING
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = [
    "LimitError",
    "Miss",
    "Rendering",
    "TemplateError",
    "UnsupportedError",
    "check",
    "missing_key",
    "render",
    "render_inputs",
]

_MAX_TEMPLATE = 1 << 18
_TORN = regexp("[\ud800-\udfff]")


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
    program = parse(text, argo.NAMES, BRACES)
    return _run(State(program, argo.FUNCTIONS, missing, program.defined), data, text)


def check(text: str) -> None:
    """Parse a template of an ApplicationSet without executing it. Raises TemplateError where Go refuses it."""
    if "{{" in text and len(text) <= _MAX_TEMPLATE:
        parse(text, argo.NAMES, BRACES)


_GUILLEMETS = Delimiters("<<", ">>")


def render_inputs(text: str, inputs: Mapping[str, Any]) -> Rendering:
    """Execute a ResourceSet's template over one set of inputs, in Go's types (see `values.from_api`).

    A key that is missing is an error there. Raises as `render` does.
    """
    if "<<" not in text:
        return Rendering(text)
    if len(text) > _MAX_TEMPLATE:
        raise LimitError(f"the template is longer than {_MAX_TEMPLATE} characters", text, 0)
    from gitops_layout.agents.gotemplate import flux

    program = parse(text, flux.NAMES, _GUILLEMETS)
    return _run(State(program, flux.FUNCTIONS, "error", program.defined, inputs=inputs), MISSING, text)


def _run(state: State, data: Any, text: str) -> Rendering:
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
