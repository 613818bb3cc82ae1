"""`spec.features` of gitops.yaml: what comes with the repository beside apps and clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from gitops_layout.patterns import regexp
from gitops_layout.spec.words import Model, Name, word

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Features", "Notifications", "Recipient", "Secrets", "Store", "strings"]

_AGE = regexp(r"age1[a-z0-9]{50,4000}")
_FIELD = regexp(r"[A-Za-z0-9][\w./-]*")
_DEPTH = 12


def _age(value: object) -> object:
    if isinstance(value, str) and value.upper().startswith("AGE-SECRET-KEY"):
        raise ValueError(
            "is the private key: keep it out of every repository, and name its public half (age1…)"
        )
    if not isinstance(value, str) or not _AGE.fullmatch(value):
        raise ValueError("is not the public key of an age identity (age1…): age-keygen prints it")
    return value


def _provider(value: object) -> object:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("a store has one provider, as in `vault: {server: …}`")
    for name in _keys(value, _DEPTH):
        if not isinstance(name, str) or not _FIELD.fullmatch(name):
            raise ValueError(f"{name!r} is no field of a provider")
        word(name)
    return value


def _keys(value: object, depth: int) -> Iterator[object]:
    if depth == 0:
        raise ValueError("is nested too deeply")
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(item, depth - 1)


def strings(value: object) -> Iterator[str]:
    """Every string in plain data, keys aside."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)


class Recipient(Model):
    """Who can decrypt the secrets of an environment: holders of the private halves of these keys."""

    environment: Name
    keys: list[Annotated[str, BeforeValidator(_age)]] = Field(
        min_length=1, description="Public keys of age identities (age1…): the cluster's first, then people's."
    )


class Store(Model):
    """Where the secrets of an environment lie."""

    environment: Name
    provider: Annotated[dict[str, Any], BeforeValidator(_provider)] = Field(
        description="One provider of External Secrets with its settings, as in its ClusterSecretStore."
    )


class Secrets(Model):
    """How secrets come into the clusters; they never stand in the repository in clear text."""

    kind: Literal["sops-age", "sealed-secrets", "external-secrets"]
    recipients: list[Recipient] = Field([], description="For sops-age: one of each environment.")
    stores: list[Store] = Field([], description="For external-secrets: at most one of each environment.")


def _named(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


class Notifications(Model):
    """What clusters tell people and the repository's host, and what tells them."""

    chat: Literal["slack", "discord", "googlechat"] | None = Field(
        None,
        description="A webhook that hears of failures; slack is understood by Mattermost and Rocket.Chat too.",
    )
    channel: Annotated[str, StringConstraints(pattern=r"^[#@\w][\w .-]*$", max_length=80)] | None = Field(
        None, description="Where the chat shows it, if the webhook lets that be said."
    )
    commit_status: bool = Field(
        False, alias="commitStatus", description="Show at each commit what became of it in each cluster."
    )
    receiver: bool = Field(False, description="Be told of a push instead of asking for it every minute.")


def _chat(value: object) -> object:
    return {"chat": value} if isinstance(value, str) else value


class Features(Model):
    """What comes with the repository."""

    ci: Literal["github", "gitlab", "none"] | None = Field(
        None,
        description="Who checks changes: github or gitlab where the repository's URL names it, else none.",
    )
    image_automation: Literal["pr"] | None = Field(
        None,
        alias="imageAutomation",
        description="pr: new versions of images come as pull requests for the first environment, opened by Flux's "
        "image automation, or by Renovate under another agent.",
    )
    notifications: Annotated[Notifications, BeforeValidator(_chat)] | None = Field(
        None, description="What clusters tell; the kind of chat alone is enough."
    )
    policy: Literal["vap", "kyverno"] | None = Field(
        None,
        description="What refuses objects that break the rules: vap (ValidatingAdmissionPolicies, no controller) "
        "or kyverno.",
    )
    secrets: Annotated[Secrets, BeforeValidator(_named)] | None = Field(
        None, description="How secrets come into the clusters; the kind alone is enough for sealed-secrets."
    )
