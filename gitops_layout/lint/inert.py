"""Which edits change values that no rule compares across deliveries: what runs in a container, and with how much.

Everything else about a repository (names, labels, references, which files and objects there are) stays as it was
then, and with it what rules say of the other deliveries. Whatever is not known to be such an edit is none. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.pods import pod_spec
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.model import Path
    from gitops_layout.render.rendered import Rendered
    from gitops_layout.source.document import Stream

__all__ = ["Edited", "edited", "rendered_alike"]

_PROBES = frozenset({"livenessProbe", "readinessProbe", "startupProbe"})
_TIMES = frozenset(
    {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"}
)
_SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})

_SPEAKS = regexp(
    r"\$\{|\{\{|<|ME|ENC\[|PRIVATE KEY|AGE-SECRET|client-key|gitops-layout|imagepolicy|\$patch|\.ya?ml|/manifests|ha/"
    r"|(?i:argo|flux|gotk)"
)
"""What makes a value more than a value: variables, placeholders, keys, marks of tools, names of agents and files."""

_MOST = 500
"""Values in one edit; beyond, it is no small one."""


class _NotAlikeError(Exception):
    """Something else than values changed."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit did to a file: the stretches (offsets) of its old and its new text that differ, each with its lines
    and the value's, in order; and the texts that went and came.
    """

    stretches: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    lines: frozenset[int]
    texts: tuple[str, ...]
    same_lines: bool


def edited(file: str, before: Stream, after: Stream) -> Edited | None:
    """What changed in a file where that is nothing but inert values: all text around them is the same, comments too."""
    if before.problems or after.problems or len(before.documents) != len(after.documents):
        return None
    stretches, texts = [], []
    lines: set[int] = set()
    same_lines = True
    try:
        for old, new in zip(before.documents, after.documents, strict=True):
            for path, one, other in _leaves(old.data, new.data):
                if not _in_source(file, old.data, path):
                    return None
                texts += [str(one), str(other)]
                here, there = old.span(path), new.span(path)
                stretches.append(((here.start, here.end), (there.start, there.end)))
                texts += [before.text[here.start : here.end], after.text[there.start : there.end]]
                same_lines = same_lines and here.end_line == there.end_line
                lines.update(range(here.line, here.end_line + 1))
    except _NotAlikeError:
        return None
    stretches = sorted(set(stretches))
    rest = _without(before.text, [old for old, _ in stretches])
    if rest is None or rest != _without(after.text, [new for _, new in stretches]):
        return None
    if any(_SPEAKS.search(text) for text in texts):
        return None
    return Edited(tuple(stretches), frozenset(lines), tuple(texts), same_lines)


def rendered_alike(before: Rendered, after: Rendered) -> list[str] | None:
    """The texts of inert values in which two renders of a delivery differ; None where anything else does."""
    if len(before.objects) != len(after.objects) or before.repeated or after.repeated:
        return None
    texts: list[str] = []
    try:
        for old, new in zip(before.objects, after.objects, strict=True):
            if old.ref != new.ref:
                return None
            for path, one, other in _leaves(old.data, new.data):
                if not _in_object(old.data, path):
                    return None
                texts += [str(one), str(other)]
    except _NotAlikeError:
        return None
    return None if any(_SPEAKS.search(text) for text in texts) else texts


def _leaves(before: Any, after: Any) -> list[tuple[Path, Any, Any]]:
    """The scalars that differ between two values of the same shape."""
    found: list[tuple[Path, Any, Any]] = []
    for row in _differing(before, after, ()):
        found.append(row)
        if len(found) > _MOST:
            raise _NotAlikeError
    return found


def _differing(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if before is after:
        return
    if type(before) is not type(after) or len(path) > 60:
        raise _NotAlikeError
    if isinstance(before, dict):
        if list(before) != list(after):
            raise _NotAlikeError
        for key, value in before.items():
            yield from _differing(value, after[key], (*path, key))
    elif isinstance(before, list):
        if len(before) != len(after):
            raise _NotAlikeError
        for index, value in enumerate(before):
            yield from _differing(value, after[index], (*path, index))
    elif before != after:
        yield path, before, after


def _in_source(file: str, data: Any, path: Path) -> bool:
    """Whether a value in a file is inert: in an object or a patch as in what is applied, in a kustomization where it sets
    such values; what the values of JSON patches do is seen in what is rendered.
    """
    if basename(file) in FILE_NAMES:
        match path:
            case ("images", int(), "newTag" | "digest") | ("replicas", int(), "count"):
                return True
            case _:
                return False
    if isinstance(data, list):
        match path:
            case (int(), "value"):
                return True
            case _:
                return False
    return isinstance(data, dict) and _in_object(data, path)


def _in_object(data: Mapping[str, Any], path: Path) -> bool:
    kind, version = data.get("kind"), data.get("apiVersion")
    if kind == "ConfigMap" and version == "v1":
        return len(path) == 2 and path[0] == "data"
    if kind in _SCALED and version == "apps/v1" and path == ("spec", "replicas"):
        return True
    found = pod_spec(dict(data))
    if found is None or path[: len(found[1])] != found[1]:
        return False
    match path[len(found[1]) :]:
        case ("containers" | "initContainers", int(), *rest):
            return _in_container(tuple(rest))
        case _:
            return False


def _in_container(path: Path) -> bool:
    match path:
        case ("image",) | ("args" | "command", int()) | ("env", int(), "value"):
            return True
        case ("resources", "requests" | "limits", str()):
            return True
        case (str(probe), str(field)):
            return probe in _PROBES and field in _TIMES
        case _:
            return False


def _without(text: str, stretches: list[tuple[int, int]]) -> str | None:
    """A text without some stretches, a mark in place of each; None where two overlap."""
    parts, at = [], 0
    for start, end in stretches:
        if start < at:
            return None
        parts.append(text[at:start])
        at = end
    return "\0".join([*parts, text[at:]])
