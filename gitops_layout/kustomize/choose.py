"""Which builder builds: the fast one where it is sure to agree with kustomize, real kustomize otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitops_layout.kustomize import exact, fast
from gitops_layout.kustomize.exact import Build, Built
from gitops_layout.kustomize.fast.forms import refused_forms
from gitops_layout.kustomize.model import BuildClass, Problem
from gitops_layout.repo.model import Repo, UnreadableError
from gitops_layout.values import dataclass

__all__ = ["Chosen", "build_all"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A build's result. `origins` is the fast build that made it, which knows where each value comes from;
    None when real kustomize made it, and `declined` then says why it had to (None: it was asked for).
    """

    built: Built
    origins: fast.Fast | None = None
    declined: fast.Declined | None = None


def build_all(
    repo: Repo, builds: Mapping[str, Build], *, only_exact: bool = False, bases: fast.Bases | None = None
) -> dict[str, Chosen]:
    """Build many; keys are the caller's. With `only_exact`, real kustomize builds everything.

    `bases` keeps what one repository's builds share for the next call.
    """
    done: dict[str, Chosen] = {}
    left: dict[str, fast.Declined | None] = {}
    bases = bases or fast.Bases(repo)
    for key, wanted in builds.items():
        closure = wanted.closure
        if only_exact or closure.problems:
            left[key] = None
            continue
        try:
            result = fast.build(
                repo, closure, restricted=wanted.restricted, overrides=wanted.overrides, bases=bases
            )
        except UnreadableError as error:
            done[key] = Chosen(Built(problem=exact.unreadable(error)))
            continue
        if isinstance(result, fast.Declined):
            if result.certain and result.remedy is not None and not closure.kustomizations[0].is_component:
                why = (
                    f"{result.reason}: {result.remedy} (kustomize: no resource matches strategic merge patch)"
                )
                done[key] = Chosen(Built(problem=Problem(BuildClass.OTHER, why, result.location)))
            else:
                left[key] = result
        else:
            done[key] = Chosen(Built(result.objects), result)
    for key, built in exact.build_all(repo, {key: builds[key] for key in left}).items():
        done[key] = Chosen(_explained(repo, builds[key], built, left[key]), None, left[key])
    return {key: done[key] for key in builds}


def _explained(repo: Repo, wanted: Build, built: Built, declined: fast.Declined | None) -> Built:
    """A refusal of kustomize's with the line that causes it and what to do, where the fast builder knows one for which it
    would say just this.
    """
    if built.problem is None or declined is None or built.problem.kind is BuildClass.COMPONENT:
        return built
    found = next((cause for cause in _causes(repo, wanted, declined) if cause.confirmed(built.said)), None)
    if found is None:
        return built
    why = f"{found.reason}: {found.remedy} (kustomize: {built.problem.why[:200]})"
    return Built(problem=Problem(built.problem.kind, why, found.location))


def _causes(repo: Repo, wanted: Build, declined: fast.Declined) -> Iterator[fast.Declined]:
    yield declined
    for item in wanted.closure.kustomizations:
        yield from filter(None, (refused_forms(item.data, item.location),))
    yield from fast.refusals(repo, wanted.closure, overrides=wanted.overrides)
