"""The parts of a text → the text that Flux makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from gitops_layout.render.envsubst.errors import ExpansionError, Reason
from gitops_layout.render.envsubst.functions import apply
from gitops_layout.render.envsubst.parse import Part, Reference, parse
from gitops_layout.values import dataclass

__all__ = ["MAX_INSERTED", "Expanded", "MaySet", "Missing", "expand"]

MAX_INSERTED = 8 * 2**20
"""Characters that variables may bring into one text; an API server refuses objects of 3 MiB."""

Missing = Literal["error", "empty", "keep"]
"""What a variable that is not set and has no default does: it fails (Flux since 2.9), it is empty (before),
or its expression stays as written (ours, where what would set it cannot be seen)."""

MaySet = Callable[[str], bool]
"""Whether something that cannot be seen may set a variable of this name."""


def _nothing(_name: str) -> bool:
    return False


@dataclass(slots=True)
class Expanded:
    """A text after expansion, and the names of variables that were not set and have no default, or one that may not
    be what counts.
    """

    text: str = ""
    unset: dict[str, None] = field(default_factory=dict)


def expand(
    text: str,
    variables: Mapping[str, str],
    *,
    missing: Missing = "error",
    may_set: MaySet = _nothing,
) -> Expanded:
    """Expand every reference of a text; bytes that are no UTF-8 come back as lone surrogates.

    With a default, too, the expression of a variable stays that nothing seen sets and something unseen `may_set`.

    Raises ExpansionError for a text that the agent refuses, for a variable that is not set where `missing`
    says so, and for what would exhaust time or memory.
    """
    if "$" not in text:
        return Expanded(text)
    run = _Run(text, variables, missing, may_set)
    run.done.text = run.parts(parse(text))
    return run.done


@dataclass(slots=True)
class _Run:
    source: str
    variables: Mapping[str, str]
    missing: Missing
    may_set: MaySet
    done: Expanded = field(default_factory=Expanded)
    inserted: int = 0

    def parts(self, parts: Sequence[Part]) -> str:
        return "".join(part if isinstance(part, str) else self.reference(part) for part in parts)

    def reference(self, reference: Reference) -> str:
        # Arguments come first and always: an unset variable in a default that is not needed fails too.
        arguments = [part if isinstance(part, str) else self.reference(part) for part in reference.arguments]
        value = self.variables.get(reference.name)
        if value is None and (not reference.has_default or self.may_set(reference.name)):
            written = self.source[reference.start : reference.end]
            if self.missing == "error":
                raise ExpansionError(Reason.UNSET, written, reference.name)
            self.done.unset[reference.name] = None
            if self.missing == "keep":
                return written
        result = apply(reference.operator, value or "", arguments, MAX_INSERTED)
        self.inserted += len(result)
        if self.inserted > MAX_INSERTED:
            raise ExpansionError(Reason.SIZE)
        return result
