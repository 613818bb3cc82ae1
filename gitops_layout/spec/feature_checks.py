"""What the shape of `spec.features` cannot say: features that an agent, a layout or another feature has no place for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.spec.checks import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.model import Path
    from gitops_layout.spec.checks import Problem
    from gitops_layout.spec.features import Secrets
    from gitops_layout.spec.model import File

__all__ = ["feature_problems"]

_FEATURES: Path = ("spec", "features")


def feature_problems(file: File) -> Iterator[Problem]:
    """Features where they cannot be, each at its own place."""
    features = file.spec.features
    if file.spec.layout == "tenant":
        for name in ("secrets", "policy"):
            if getattr(features, name) is not None:
                text = f"a tenant's repository has no {name} of its own: they are what the platform installs"
                yield (*_FEATURES, name), True, text
        return
    if features.policy == "kyverno" and file.spec.agent.name == "builtin":
        text = "the builtin agent installs no controllers: policy kyverno needs flux or argocd, vap needs neither"
        yield (*_FEATURES, "policy"), False, text
    if features.secrets is not None:
        yield from _secrets(file, features.secrets)


def _secrets(file: File, secrets: Secrets) -> Iterator[Problem]:
    place: Path = (*_FEATURES, "secrets")
    agent, kind = file.spec.agent.name, secrets.kind
    if agent == "builtin":
        yield (
            place,
            True,
            f"the builtin agent installs no controllers and decrypts nothing: {kind} needs flux or argocd",
        )
    elif kind == "sops-age" and agent == "argocd":
        text = "Argo CD decrypts nothing by itself: choose sealed-secrets or external-secrets, or agent flux"
        yield place, True, text
    names = [environment.name for environment in file.spec.environments]
    for field, owner in (("recipients", "sops-age"), ("stores", "external-secrets")):
        seen: set[str] = set()
        for index, item in enumerate(getattr(secrets, field)):
            here: Path = (*place, field, index, "environment")
            if item.environment not in names:
                yield (
                    here,
                    False,
                    unknown(f"features.secrets.{field}", "environment", item.environment, names),
                )
            elif item.environment in seen:
                yield here, False, f"{field} of environment {item.environment} stand twice"
            seen.add(item.environment)
        if seen and kind != owner:
            yield (*place, field), True, f"{field} are for secrets of kind {owner}, these are {kind}"
    missing = [name for name in names if name not in {item.environment for item in secrets.recipients}]
    if kind == "sops-age" and missing:
        text = f"secrets.recipients has nobody for environment {', '.join(missing)}: age-keygen -o {missing[0]}.agekey "
        yield place, True, f"{text}makes a key and prints its public half"
