"""The real helm, first on PATH."""

from __future__ import annotations

import os

import pytest

from gitops_layout.helm.find import Helm, find
from tools.controlplane import tool


@pytest.fixture
def helm(monkeypatch: pytest.MonkeyPatch) -> Helm:
    """The helm that `make controlplane` builds, else one on PATH."""
    built = tool("helm")
    if built is not None:
        monkeypatch.setenv("PATH", f"{built.parent}{os.pathsep}{os.environ['PATH']}")
    found = find()
    if isinstance(found, Helm):
        return found
    reason = f"{found.why}: run `make controlplane`, or put helm on PATH"
    if "controlplane" in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
