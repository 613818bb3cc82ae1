"""Verdicts by schemas, remembered by the shape of what was judged."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from gitops_layout.validation.check import SOUND, Verdict, validate
from gitops_layout.validation.schemas import closed
from gitops_layout.validation.server import Shaped, shaped
from gitops_layout.validation.server.shape import Shapes, words
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.model import ObjectRef
    from gitops_layout.validation.schemas import Schemas

__all__ = ["Verdicts", "prepare"]

_FEW = 4
"""Objects of a kind that are judged one by one: to learn what a kind knows costs more."""


def prepare() -> None:
    """Import what judges nearly every tree, the engine of schemas and what the server's code says of workloads, before the
    first object is there.
    """
    closed({})
    shaped("apps", "v1", "Deployment")


@dataclass(slots=True)
class _Kind:
    """What is known of the objects of one kind by one set of versions."""

    objects: int = 0
    shaped: Shaped | None = None
    sound: set[tuple[bool, bytes]] = field(default_factory=set)


class Verdicts:
    """Verdicts by schemas, each made once: for an object that is delivered twice, and for all objects of one shape."""

    def __init__(self, schemas: Schemas) -> None:
        """Verdicts by these schemas, for one run."""
        self.schemas = schemas
        self._shapes = Shapes()
        self._kinds: dict[tuple[str, str, tuple[str, ...]], _Kind] = {}
        self._verdicts: dict[tuple[int, bool, tuple[str, ...]], Verdict] = {}

    def __call__(
        self, ref: ObjectRef, data: dict[str, Any], judging: tuple[str, ...], applied: bool
    ) -> tuple[Verdict, bytes | None]:
        """The verdict on one object as `judging` versions have it, and its shape."""
        key = (ref.api_version, ref.kind, judging)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind()
        kind.objects += 1
        if kind.objects == _FEW:
            kind.shaped = self._shaped(ref, judging)
        shape = None
        if kind.shaped is not None:
            shape = self._shapes.of(data, kind.shaped.pod)
            if shape is not None and (applied, shape) in kind.sound:
                return SOUND, shape
        one = (id(data), applied, judging)
        verdict = self._verdicts.get(one)
        if verdict is None:
            verdict = validate(ref, data, schemas=self.schemas, kubernetes=judging, apply=applied)
            self._verdicts[one] = verdict
        if shape is not None and verdict == SOUND:
            kind.sound.add((applied, shape))
        return verdict, shape

    def _shaped(self, ref: ObjectRef, judging: tuple[str, ...]) -> Shaped | None:
        """None unless a kind is judged by Kubernetes' own schemas in all versions: others have patterns for names."""
        found = [self.schemas.find(ref, kubernetes=version) for version in judging]
        if not all(len(several) == 1 and several[0].built_in for several in found):
            return None
        group, _, version = ref.api_version.rpartition("/")
        shaped_kind = shaped(group, version, ref.kind)
        if shaped_kind is not None:
            self._shapes.know(shaped_kind.words.union(*(words(known.document) for (known,) in found)))
        return shaped_kind
