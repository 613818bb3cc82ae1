from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reconcile.support import Bench, bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.controlplane import ControlPlane


@pytest.fixture
def at(cluster: ControlPlane, namespace: str) -> Iterator[Bench]:
    """The reconciler at work in a namespace that does not exist yet."""
    workbench = bench(cluster, namespace)
    with workbench.cluster, workbench.other:
        yield workbench
