"""What the shape of `spec.features` cannot say: features that an agent, a layout or another feature has no place for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.spec.checks import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.model import Path
    from gitops_layout.spec.checks import Problem
    from gitops_layout.spec.features import Notifications, Secrets
    from gitops_layout.spec.model import File

__all__ = ["feature_problems"]

_FEATURES: Path = ("spec", "features")


def feature_problems(file: File) -> Iterator[Problem]:
    """Features where they cannot be, each at its own place."""
    features = file.spec.features
    if file.spec.layout == "tenant":
        for name in ("secrets", "policy", "notifications", "image_automation"):
            if getattr(features, name) is not None:
                field = type(features).model_fields[name].alias or name
                text = f"a tenant's repository has no {field} of its own: they are what the platform installs"
                yield (*_FEATURES, field), True, text
        return
    if features.policy == "kyverno" and file.spec.agent.name == "builtin":
        text = "the builtin agent installs no controllers: policy kyverno needs flux or argocd, vap needs neither"
        yield (*_FEATURES, "policy"), False, text
    if features.image_automation is not None and file.spec.agent.name != "flux" and _ci(file) == "none":
        text = "without Flux it is Renovate that opens them, and features.ci is none: nothing would run it"
        yield (*_FEATURES, "imageAutomation"), True, text
    if features.notifications is not None:
        yield from _notifications(file, features.notifications)
    if features.secrets is not None:
        yield from _secrets(file, features.secrets)


def _ci(file: File) -> str:
    host = file.spec.repo.url
    return file.spec.features.ci or (
        "github" if any(name in host for name in ("github", "gitlab")) else "none"
    )


def _notifications(file: File, told: Notifications) -> Iterator[Problem]:
    place: Path = (*_FEATURES, "notifications")
    host = file.spec.repo.url.lower()
    if file.spec.agent.name == "builtin":
        yield place, True, "the builtin agent tells nobody but who runs it: notifications need flux or argocd"
    elif not (told.chat or told.commit_status or told.receiver):
        yield place, True, "notifications tell nothing: name a chat, or set commitStatus or receiver"
    elif told.channel and (not told.chat or file.spec.agent.name == "argocd"):
        text = "a channel is the chat's" if not told.chat else "under Argo CD the webhook decides its channel"
        yield (*place, "channel"), True, text
    elif told.commit_status and not any(name in host for name in ("github", "gitlab")):
        text = f"commitStatus needs GitHub or GitLab, and {file.spec.repo.url} names neither"
        yield (*place, "commitStatus"), True, text


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
