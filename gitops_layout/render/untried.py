"""Why a delivery is not even tried."""

from __future__ import annotations

from posixpath import join

from gitops_layout.agents.delivery import Delivery
from gitops_layout.model import Unchecked, UncheckedClass, of_object
from gitops_layout.repo.model import Repo, broken

__all__ = ["cannot", "no_checkout"]


def no_checkout(repo: Repo, delivery: Delivery) -> Unchecked | None:
    """Why Flux cannot check out the source at all: it wants every path of `sparseCheckout` to exist."""
    source = delivery.source
    named = source.sparse if source.local else ()
    lost = [path for path in named if repo.resolve(join(source.top, path)) is None]
    if not lost:
        return None
    why = f"sparseCheckout of its source names {lost[0]}, which is not in the repository: Flux refuses the source"
    return broken(f"delivery {delivery.id}", why, source.defined)


def cannot(delivery: Delivery) -> Unchecked | None:
    """Why a delivery is not even tried."""
    what, source = f"delivery {delivery.id}", delivery.source
    external = UncheckedClass.EXTERNAL
    if (refused := delivery.options.get("refused")) is not None:
        return broken(what, f"Argo CD refuses it: {refused[0]}", refused[1])
    if delivery.renderer == "chart" and source.chart is not None:
        return None  # it may have been fetched
    if not source.local:
        why = source.foreign or "its source is not this repository"
        subject = ("source", source.url) if source.url else None
        return Unchecked(what, external, why, delivery.place("source", "url"), subject, delivery.id)
    if source.path is not None and "${" in source.path:
        why = f"path {source.path} holds a variable"
        return Unchecked(what, external, why, delivery.place("path"), None, delivery.id)
    if delivery.renderer == "none":
        subject = of_object(delivery.kind, delivery.namespace, delivery.name)
        return Unchecked(
            what, external, "a config management plugin renders it", delivery.root, subject, delivery.id
        )
    return None
