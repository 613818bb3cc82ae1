"""Whether a chart's output may depend on the cluster's version and APIs (`.Capabilities`).

helm's library takes neither, so it renders only charts that look at neither. What cannot be told counts as
looking: the word anywhere in the chart or its values, and templates that take their root as a whole apart,
for `.Capabilities` is in it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gitops_layout.helm.actions import actions
from gitops_layout.patterns import regexp
from gitops_layout.store.archive import RefusedError, unpack

__all__ = ["reads_cluster"]

_WORD = b"Capabilities"
_LIMIT = regexp(rb"^kubeVersion\s*:", re.MULTILINE)
_TEXT = regexp(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_OPENING = regexp(r"(if|with|range|define|block)\b\s*(.*)", re.DOTALL)
_CARRIED = regexp(r'"(\w+)"\s+(?:\$|\.)(?=[\s)}|]|\Z)')
_ALIAS = regexp(r"(\$\w+)\s*:?=\s*(?:\$|\.)\s*\Z")
_CARRIERS = frozenset(
    {"include", "template", "tpl", "dict", "list", "block", "if", "with", "and", "or", "not"}
)
_DEPTH = 10


def reads_cluster(chart: Path, values: Iterable[bytes], *, outright: bool = False) -> str | None:
    """Why the chart in a folder or archive may depend on the cluster; None where it cannot.

    With `outright`, only what says so counts.
    """
    if any(_WORD in content for content in values):
        return "its values speak of .Capabilities"
    for name, content in _files(chart, 0):
        if name is None:
            return "one of its archives cannot be read"
        if _WORD in content and not name.endswith(".md"):
            return f"{name} reads .Capabilities"
        if name.endswith("Chart.yaml") and _LIMIT.search(content):
            return f"{name} limits the version of Kubernetes"
        if not outright and b"{{" in content and _takes_apart(content.decode(errors="replace")):
            return f"{name} takes everything that it is given, .Capabilities among it"
    return None


def _files(chart: Path, depth: int) -> Iterator[tuple[str | None, bytes]]:
    if not chart.is_dir():
        with tempfile.TemporaryDirectory(prefix="gitops-layout-") as temporary:
            target = Path(temporary, "chart")
            try:
                with chart.open("rb") as stream:
                    unpack(stream, target)
            except (RefusedError, OSError):
                yield None, b""
                return
            yield from _files(target, depth + 1)
        return
    for file in sorted(chart.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        if file.suffix == ".tgz":
            yield from _files(file, depth + 1) if depth < _DEPTH else [(None, b"")]
        else:
            yield file.relative_to(chart).as_posix(), file.read_bytes()


def _takes_apart(text: str) -> bool:
    """Whether a template hands its root, or what carries it, to something that looks into it."""
    found = list(actions(text))
    roots = {"$", *(match[1] for action in found if (match := _ALIAS.search(action)))}
    carried = {name for action in found for name in _CARRIED.findall(action)}
    opened: list[bool] = []
    for action in found:
        action = _TEXT.sub('""', action)
        if re.match(r"end\b", action):
            if opened:
                opened.pop()
            continue
        if _looks(action, roots, carried, dot=not any(opened)):
            return True
        body = re.sub(r"^else\s+", "", action)
        if opening := _OPENING.match(body):
            keyword, subject = opening[1], opening[2].strip()
            if body is not action and body != action and opened:
                opened.pop()
            # Inside, the dot is something else; a definition's dot may be the root of whoever includes it.
            opened.append(keyword in ("with", "range") and subject not in (".", *roots))
    return False


def _looks(action: str, roots: set[str], carried: set[str], *, dot: bool) -> bool:
    operands = [re.escape(root) for root in roots] + [rf"[$\w]*\.{name}" for name in carried]
    if dot:
        operands.append(r"\.")
    for match in re.finditer(rf"(?<![\w.$)])(?:{'|'.join(operands)})(?=[\s)|,]|\Z)", action):
        function, assigned = _function(action[: match.start()])
        if function in _CARRIERS or (assigned and not function and not action[match.end() :].strip()):
            continue
        return True
    return False


def _function(before: str) -> tuple[str, bool]:
    """The function that an operand is an argument of, and whether its result is assigned."""
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        char = before[index]
        if char == ")":
            depth += 1
        elif char == "(" and depth:
            depth -= 1
        elif not depth and char in "(|=":
            words = before[index + 1 :].split()
            return (words[0] if words else ""), char == "="
    words = before.split()
    if words[:1] == ["else"]:
        words = words[1:]
    return (words[0] if words else ""), False
