"""The functions that Argo CD gives its ApplicationSet templates (v3.6.1: applicationset/utils).

Sprig's generic functions without `env`, `expandenv` and `getHostByName`, and six of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.gotemplate.builtins import BUILTINS
from gitops_layout.agents.gotemplate.encoding import read_yaml, yaml_text
from gitops_layout.agents.gotemplate.errors import FunctionError, LimitError, TemplateError, UnsupportedError
from gitops_layout.agents.gotemplate.signature import Function
from gitops_layout.agents.gotemplate.sprig_data import DATA, UNSUPPORTED
from gitops_layout.agents.gotemplate.sprig_numbers import NUMBERS
from gitops_layout.agents.gotemplate.sprig_text import TEXT, lower
from gitops_layout.agents.gotemplate.values import NilList, type_name

if TYPE_CHECKING:
    from gitops_layout.agents.gotemplate.evaluate import State

__all__ = ["FUNCTIONS", "NAMES", "normalize", "slugify"]

_MAX_NAME = 253
_MAX_TPL_DEPTH = 3


def normalize(text: str) -> str:
    """A name that Kubernetes takes: lower case, other characters as `-`, at most 253, no `-` or `.` at the ends."""
    return re.sub(r"[^-a-z0-9.]", "-", lower(text))[:_MAX_NAME].strip("-.")


def slugify(*arguments: Any) -> str:
    """`slugify [size [smart]] name`: a normalised name without dots, cut to `size` (50) at a dash if `smart`."""
    size, smart, name = 50, True, ""
    for index, argument in enumerate(arguments):
        if index == len(arguments) - 1:
            name = _of_type(argument, str)
        elif index == 0:
            size = _of_type(argument, int)
        elif index == 1:
            smart = _of_type(argument, bool)
    text = normalize(name).strip()
    if not smart and len(text) >= size:
        if size < 0:
            raise FunctionError("slice bounds out of range")
        text = text[:size]
    text = re.sub(r"-+", "-", re.sub(r"[^a-zA-Z0-9_-]", "-", text)).strip("-_")
    if size <= 0 or not smart or len(text) <= size:
        return text
    dash = text.rfind("-", 0, size + 1)
    return text[: dash if dash >= 0 else size]


def _of_type(value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        names = {str: "string", int: "int", bool: "bool"}
        raise FunctionError(
            f"interface conversion: interface {{}} is {type_name(value)}, not {names[wanted]}"
        )
    return value


def _from_yaml(text: str) -> dict[str, Any]:
    value = read_yaml(text)
    if value is not None and not isinstance(value, dict):
        raise FunctionError("the YAML is no mapping")
    return value or {}


def _from_yaml_array(text: str) -> list[Any]:
    value = read_yaml(text)
    if value is not None and not isinstance(value, list):
        raise FunctionError("the YAML is no list")
    return NilList() if value is None else value


def _tpl(state: State, text: str, values: Any) -> str:
    from gitops_layout.agents.gotemplate.evaluate import State, run
    from gitops_layout.agents.gotemplate.parse import parse

    if state.tpl_depth >= _MAX_TPL_DEPTH:
        raise FunctionError(f"maximum recursion depth {_MAX_TPL_DEPTH} exceeded in tpl function")
    try:
        program = parse(text, NAMES)
        inner = State(
            program,
            FUNCTIONS,
            state.missing_key,
            {**state.defined, **program.defined},
            budget=state.budget,
            depth=state.depth,
            tpl_depth=state.tpl_depth + 1,
        )
        run(inner, values)
    except (UnsupportedError, LimitError):
        raise
    except TemplateError as error:
        raise FunctionError(f"error during tpl function execution: {error}") from error
    state.budget = inner.budget
    return "".join(inner.output).replace("<no value>", "")


FUNCTIONS: dict[str, Function] = {
    **BUILTINS,
    **TEXT,
    **NUMBERS,
    **DATA,
    **UNSUPPORTED,
    "normalize": Function("s", normalize),
    "slugify": Function("a*", slugify),
    "toYaml": Function("a", yaml_text),
    "fromYaml": Function("s", _from_yaml),
    "fromYamlArray": Function("s", _from_yaml_array),
    "tpl": Function("sa", _tpl, stateful=True),
}
NAMES = frozenset(FUNCTIONS)
