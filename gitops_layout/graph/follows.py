"""What agents follow of this repository that may be something else than the tree that is shown."""

from __future__ import annotations

from collections import Counter

from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.graph.sources import TRUNKS
from gitops_layout.semver import is_exact

__all__ = ["follows", "pinned"]


def follows(delivery: Delivery) -> str | None:
    """The revision of this repository that the agent follows where it may hold something else than this tree, which is
    what is shown: a tag, a commit, a range, a branch of its own. Tags of artifacts are mostly names of channels.
    """
    for part in delivery.parts or (delivery,):
        source, revision = part.source, part.source.revision
        if (
            not source.local
            or source.chart is not None
            or revision is None
            or revision.name.removeprefix("refs/heads/") in ("", *TRUNKS)
        ):
            continue
        channel = (source.url or "").startswith("oci://") and not is_exact(revision.name)
        if revision.kind == "digest" or not channel:
            return revision.name
    return None


def pinned(graph: Graph) -> Counter[str]:
    """The revisions that live deliveries follow instead of this tree, each with how many do."""
    live = (delivery for delivery in graph.deliveries if delivery.live)
    return Counter(revision for delivery in live if (revision := follows(delivery)) is not None)
