"""Where two renders of one delivery differ, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from gitops_layout.k8s.mask import mask_object, printable
from gitops_layout.render.origins import ABSENT
from gitops_layout.render.rendered import Rendered

__all__ = ["differences"]

_MOST = 50
_WIDTH = 120


def differences(ours: Rendered, exact: Rendered) -> Iterator[str]:
    """One line for each thing in which our builder's render differs from real kustomize's: an object that one
    of them lacks or has elsewhere in the order, or a field's value. Values of Secrets are masked.
    """
    if (ours.failure is None) != (exact.failure is None):
        failed, who = (
            (ours.failure, "our builder") if ours.failure is not None else (exact.failure, "real kustomize")
        )
        yield f"only {who} fails: {failed.why if failed is not None else ''}"
        return
    if ours.failure is not None:
        return  # what a build that fails would make is ours alone to judge, and nobody's result
    lines = list(_objects(ours, exact))
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"… and {len(lines) - _MOST} more differences"


def _objects(ours: Rendered, exact: Rendered) -> Iterator[str]:
    here = {str(item.ref): item.data for item in ours.objects}
    there = {str(item.ref): item.data for item in exact.objects}
    yield from (f"+ {name}: only our builder has it" for name in here if name not in there)
    yield from (f"- {name}: only real kustomize has it" for name in there if name not in here)
    for name, data in here.items():
        if name in there and data != there[name]:
            yield from _hidden(name, data, there[name])
    common = [name for name in here if name in there]
    if common != [name for name in there if name in here]:
        yield f"the order differs: {', '.join(common[:3])} … here, {', '.join(n for n in there if n in here)[:200]} …"
    if len(here) == len(there) and len(ours.objects) != len(exact.objects):
        yield f"{len(ours.objects)} objects here, {len(exact.objects)} from real kustomize"


def _hidden(name: str, ours: dict[str, Any], exact: dict[str, Any]) -> Iterator[str]:
    shown = list(_values(printable(mask_object(ours)), printable(mask_object(exact)), ""))
    yield from (f"~ {name}{line}" for line in shown)
    if not shown:
        yield f"~ {name}: a masked value differs"


def _values(ours: Any, exact: Any, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(exact, dict):
        for key in dict.fromkeys((*ours, *exact)):
            yield from _values(ours.get(key, ABSENT), exact.get(key, ABSENT), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(exact, list):
        for index, (one, other) in enumerate(zip_longest(ours, exact, fillvalue=ABSENT)):
            yield from _values(one, other, f"{path}[{index}]")
    elif type(ours) is not type(exact) or ours != exact:
        yield f"{path}: {_word(ours)} here, {_word(exact)} from real kustomize"


def _word(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
