"""Evaluate an expression that may cost too much in a process of its own, with bounded time and memory."""

from __future__ import annotations

import json
import pickle
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from gitops_layout import system

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["evaluate", "main"]

_SECONDS = 5
_BYTES = 1_000_000_000
_TRIES = 3
"""Times that one expression may come to no end before it is not asked again."""
_failed: Counter[str] = Counter()


def evaluate(text: str, data: Mapping[str, Any], *, words: bool) -> bool | str:
    """What the expression makes of the data. Raises ValueError with the engine's words, or where it comes to no end."""
    if _failed[text] < _TRIES:
        request = pickle.dumps((text, dict(data), words))
        # Started without the working directory on its path: a repository may have a package of any name.
        command = (sys.executable, "-P", "-m", "gitops_layout.cel.apart")
        done = system.run(command, stdin=request, timeout=_SECONDS, memory=_BYTES)
        if done.code == 0:
            made: bool | str | None
            made, error = json.loads(done.stdout)
            if made is None:
                raise ValueError(error)
            return made
        _failed[text] += 1
    raise ValueError(f"it takes more than {_SECONDS} seconds or {_BYTES // 10**6} MB")


def main() -> None:
    """Answer the one request that standard input holds, which our own process wrote."""
    from gitops_layout.cel import CelError, bind, compile_expression

    text, data, words = pickle.loads(sys.stdin.buffer.read())
    try:
        expression = compile_expression(text, tuple(data), words=words, bounded=False)
        made: Any = expression.words(bind(data)) if words else expression.holds(bind(data))
        answer = (made, "")
    except CelError as error:
        answer = (None, str(error))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
