"""One running oracle process a session: requests and answers are JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.oracles import command, oracle

__all__ = ["Oracle", "program", "start"]


class Oracle:
    """A program that answers one question at a time (see `tools/oracles`)."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer: `text`, `value` or `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        """End the process and close its pipes."""
        self._process.communicate()


def program(name: str) -> Path:
    """The compiled oracle; without it, skip the test and name the command that builds it."""
    found = oracle(name)
    if found is None:
        reason = f"the oracle is not built: run `{command(name)}`"
        if f"oracle-{name}" in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(","):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def start(name: str) -> Oracle:
    """Start one, or skip the test."""
    return Oracle(program(name))
