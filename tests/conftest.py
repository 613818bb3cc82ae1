"""Fixtures for tests that talk to a real API server."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tools.controlplane import assets, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.controlplane import ControlPlane

_numbers = itertools.count(1)
os.environ["GITOPS_LAYOUT_NO_CACHE"] = "1"  # tests of the cache ask for one, in a folder of their own

# The same cases in every run and however slow the machine is: a commit is judged by itself, not by chance.
# `make explore` looks for new cases.
settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane for the whole session, with controllers where their binaries are."""
    required = "controlplane" in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(",")
    if assets() is None:
        reason = "no kube-apiserver and etcd: run `make controlplane` or set KUBEBUILDER_ASSETS"
        if required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with start(tmp_path_factory.mktemp("control-plane"), controllers=True) as plane:
        if required and not plane.controllers:
            pytest.fail("KUBEBUILDER_ASSETS has no controllers: run `make controlplane`", pytrace=False)
        yield plane


@pytest.fixture
def namespace(cluster: ControlPlane) -> str:
    """A name that no other test uses, for a namespace and for an environment; nothing has it yet."""
    return f"test-{next(_numbers)}"
