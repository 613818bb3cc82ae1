"""Templates over an ApplicationSet's own structure: every string and every key, with the right engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from gitops_layout.agents.applicationset.model import Problem, ProblemKind, StopError
from gitops_layout.agents.fasttemplate import UnclosedTagError, substitute
from gitops_layout.agents.gotemplate import (
    LimitError,
    TemplateError,
    UnsupportedError,
    missing_key,
    render,
)
from gitops_layout.agents.gotemplate.evaluate import MissingKey
from gitops_layout.model import Path
from gitops_layout.values import dataclass

__all__ = ["Renderer"]

_MAX_STEPS = 2_000_000
_MAX_PROBLEMS = 100
_VALUES_OF = frozenset("clusters git scmProvider clusterDecisionResource pullRequest plugin oci".split())


@dataclass(slots=True)
class Renderer:
    """The template engine that the ApplicationSet asks for, and the problems met so far."""

    go: bool
    missing: MissingKey = "default"
    problems: dict[Problem, None] = field(default_factory=dict)
    steps: int = 0

    @classmethod
    def of(cls, go: bool, options: Sequence[str], path: Path) -> Renderer:
        """The engine with its options. Raises StopError for an option that Go does not know (it panics)."""
        try:
            return cls(go, missing_key(options) if go else "default")
        except ValueError as error:
            raise StopError(ProblemKind.INVALID, str(error), path) from None

    def note(self, kind: ProblemKind, why: str, path: Path) -> None:
        """Remember a problem, once."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.setdefault(Problem(kind, why, path))

    def spend(self, steps: int, path: Path) -> None:
        """Pay for work from what all of the ApplicationSet may cost. Raises StopError beyond it."""
        self.steps += steps
        if self.steps > _MAX_STEPS:
            raise StopError(ProblemKind.LIMIT, f"it takes more than {_MAX_STEPS} steps to expand", path)

    def text(self, text: str, params: Mapping[str, Any], path: Path) -> str:
        """One rendered string. Raises StopError where the engine fails; missing keys are noted."""
        self.spend(1 + len(text) // 64, path)
        if self.go:
            return self._go(text, params, path, self.missing)
        try:
            done = substitute(text, params)
        except UnclosedTagError as error:
            raise StopError(ProblemKind.TEMPLATE, str(error), path) from None
        for tag in done.unknown:
            self.note(
                ProblemKind.MISSING_KEY, f"no parameter is called {tag!r}: the tag stays as it is", path
            )
        return done.text

    def _go(self, text: str, params: Mapping[str, Any], path: Path, missing: MissingKey) -> str:
        try:
            done = render(text, params, missing=missing)
        except UnsupportedError as error:
            raise StopError(ProblemKind.UNSUPPORTED, str(error), path) from error
        except LimitError as error:
            raise StopError(ProblemKind.LIMIT, str(error), path) from error
        except TemplateError as error:
            raise StopError(ProblemKind.TEMPLATE, str(error), path) from error
        self.spend(done.steps + len(done.text) // 64, path)
        for miss in done.misses:
            self.note(ProblemKind.MISSING_KEY, f"nothing is called .{miss.name}: it becomes <no value>", path)
        return done.text

    def deep(self, value: Any, params: Mapping[str, Any], path: Path) -> Any:
        """Every string and key of a value rendered; nulls in mappings fall out, as they do in Argo CD."""
        match value:
            case str():
                return self.text(value, params, path)
            case list():
                return [self.deep(item, params, (*path, index)) for index, item in enumerate(value)]
            case dict():
                return {
                    self.text(key, params, (*path, key)): self.deep(item, params, (*path, key))
                    for key, item in value.items()
                    if item is not None
                }
            case _:
                self.spend(1, path)
                return value

    def generator(self, generator: dict[str, Any], params: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """A nested generator with the outer parameters filled in.

        A generator's own `values` may also refer to its own parameters, which are not known yet: one
        that misses a key stays as it is.
        """
        done: dict[str, Any] = {}
        for name, spec in generator.items():
            if name in ("matrix", "merge") and isinstance(spec, dict):
                children = spec.get("generators")
                done[name] = {
                    key: self.deep(item, params, (*path, name, key))
                    for key, item in spec.items()
                    if key != "generators"
                }
                if isinstance(children, list):
                    done[name]["generators"] = [
                        self.generator(child, params, (*path, name, "generators", index))
                        if isinstance(child, dict)
                        else child
                        for index, child in enumerate(children)
                    ]
            elif name in _VALUES_OF and isinstance(spec, dict) and isinstance(spec.get("values"), dict):
                done[name] = self.deep(
                    {k: v for k, v in spec.items() if k != "values"}, params, (*path, name)
                )
                done[name]["values"] = {
                    key: self._early(value, params, (*path, name, "values", key))
                    for key, value in spec["values"].items()
                }
            else:
                done[name] = self.deep(spec, params, (*path, name))
        return done

    def _early(self, value: Any, params: Mapping[str, Any], path: Path) -> Any:
        if not isinstance(value, str):
            return value
        if not self.go:
            try:
                return substitute(value, params).text
            except UnclosedTagError as error:
                raise StopError(ProblemKind.TEMPLATE, str(error), path) from None
        try:
            return self._go(value, params, path, "error")
        except StopError as error:
            why = error.problem.why
            if "map has no entry for key" in why or "can't evaluate field" in why:
                return value
            raise
