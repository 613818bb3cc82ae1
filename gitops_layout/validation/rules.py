"""CRD rules in CEL (`x-kubernetes-validations`) on one value, as far as our engine runs them.

The API server's CEL knows functions that ours lacks (`findAll`, `authorizer`, …); a rule that does not compile, or that ends
in an error that may be our engine's own, is reported as not judged and never as a refusal. Transition rules (`oldSelf`)
compare with a live object and say nothing of a create.
"""

from __future__ import annotations

import re
from typing import Any

from gitops_layout.cel import REFUSED, CelError, bind, compile_expression
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["RuleProblem", "judge"]

_TRANSITION = regexp(r"\boldSelf\b")
_ESCAPED = regexp(
    r"__(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var"
    r"|void|while)__"
)
_FAILS = regexp(
    rf"no such key|key not found|{REFUSED}|by zero|greater than <string>|integer overflow|conversion failed|cannot convert"
    r"|dereference|index error|out of u?int64 range",
    re.IGNORECASE,
)
"""What an evaluation ends with that fails in the server, too, and so refuses the value."""
_SYMBOLS = {"__dot__": ".", "__dash__": "-", "__slash__": "/", "__underscores__": "__"}
_NAME = regexp(r"\w*(?:__dot__|__dash__|__slash__|__underscores__)\w*")


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A rule that could not be judged: the kind it belongs to, its text, and the engine's words."""

    kind: str
    rule: str
    why: str


def judge(kind: str, rule: dict[str, Any], value: Any) -> str | RuleProblem | None:
    """None where the rule holds or says nothing, the refusal's words, or why it could not be judged."""
    text = rule.get("rule")
    if not isinstance(text, str) or _TRANSITION.search(text):
        return None
    names = {match[0]: match[1] for match in _ESCAPED.finditer(text)}
    names |= {match[0]: _unescaped(match[0]) for match in _NAME.finditer(text)}
    data = {"self": _renamed(value, {v: k for k, v in names.items()})}
    try:
        holds = compile_expression(text, ("self",)).holds(bind(data))
    except CelError as error:
        if not _FAILS.search(str(error)):
            return RuleProblem(kind, text, str(error))
        holds = False  # the API server refuses the value then, too
    if holds:
        return None
    return _words(rule, data) or f"failed rule: {text}"


def _words(rule: dict[str, Any], data: dict[str, Any]) -> str:
    """What the rule's author says of a value that it refuses; empty where nothing is said."""
    made, message = rule.get("messageExpression"), rule.get("message")
    if isinstance(made, str) and made:
        try:
            if words := compile_expression(made, ("self",), words=True).words(bind(data)).strip():
                return words
        except CelError:
            pass  # the server falls back to `message`, too
    return message if isinstance(message, str) else ""


def _unescaped(name: str) -> str:
    for escaped, plain in _SYMBOLS.items():
        name = name.replace(escaped, plain)
    return name


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """The value with field names escaped as the rule writes them."""
    if not names:
        return value
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value
