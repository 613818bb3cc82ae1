"""The user's own credentials, from where helm and docker keep them; read, never written or shown.

Sources of fact: helm's `helm env` (HELM_REPOSITORY_CONFIG, HELM_REGISTRY_CONFIG and their defaults);
docker's config.json (`auths`, `credHelpers`, `credsStore`) and its credential helper protocol.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitops_layout.errors import UserError
from gitops_layout.source.reader import read
from gitops_layout.system import run
from gitops_layout.values import dataclass

__all__ = ["Credential", "basic", "for_chart_repository", "for_registry"]

_HELPER_TIMEOUT = 20.0
_DOCKER_HUB = ("docker.io", "registry-1.docker.io", "index.docker.io")
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A user and a password, or a token to exchange at the registry's token server. Never printed."""

    user: str = ""
    password: str = ""
    identity_token: str = ""


def basic(credential: Credential) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()


def _helm_folder() -> Path:
    if own := os.environ.get("HELM_CONFIG_HOME"):
        return Path(own)
    if base := os.environ.get("XDG_CONFIG_HOME"):
        return Path(base, "helm")
    return Path.home() / ("Library/Preferences/helm" if sys.platform == "darwin" else ".config/helm")


def for_chart_repository(url: str) -> Credential | None:
    """What `helm repo add --username` stored for this URL, or what the URL itself holds."""
    parts = urlsplit(url)
    if parts.username and parts.password:
        return Credential(parts.username, parts.password)
    file = Path(os.environ.get("HELM_REPOSITORY_CONFIG") or _helm_folder() / "repositories.yaml")
    try:
        documents = read(file.read_bytes(), str(file)).documents
    except OSError:
        return None
    rows = (
        documents[0].data.get("repositories") if documents and isinstance(documents[0].data, dict) else None
    )
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and str(row.get("url", "")).rstrip("/") == url.rstrip("/"):
            user, password = row.get("username"), row.get("password")
            if isinstance(user, str) and isinstance(password, str) and user:
                return Credential(user, password)
    return None


def for_registry(host: str) -> Credential | None:
    """What `helm registry login` or `docker login` stored for a registry; helm's comes first.

    Raises UserError when a credential helper is configured and not installed.
    """
    helm = os.environ.get("HELM_REGISTRY_CONFIG") or _helm_folder() / "registry" / "config.json"
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    for file in (Path(helm), docker):
        try:
            config = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        found = _from_config(config, host) if isinstance(config, dict) else None
        if found is not None:
            return found
    return None


def _from_config(config: dict[str, Any], host: str) -> Credential | None:
    keys = (_DOCKER_HUB_KEY, *_DOCKER_HUB) if host in _DOCKER_HUB else (host, f"https://{host}")
    helpers = config.get("credHelpers")
    for key in keys:
        helper = helpers.get(key) if isinstance(helpers, dict) else None
        if isinstance(helper, str):
            return _from_helper(helper, key)
    auths = config.get("auths")
    for key in keys:
        row = auths.get(key) if isinstance(auths, dict) else None
        if isinstance(row, dict) and (found := _from_row(row)) is not None:
            return found
    store = config.get("credsStore")
    return _from_helper(store, keys[0]) if isinstance(store, str) and store else None


def _from_row(row: dict[str, Any]) -> Credential | None:
    token = row.get("identitytoken")
    if isinstance(token, str) and token:
        return Credential(identity_token=token)
    try:
        user, colon, password = base64.b64decode(str(row.get("auth", ""))).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credential(user, password.rstrip("\x00")) if colon else None


def _from_helper(name: str, server: str) -> Credential | None:
    """Ask a credential helper; one that knows no credential exits with an error."""
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
        return None
    done = run([f"docker-credential-{name}", "get"], stdin=server.encode(), timeout=_HELPER_TIMEOUT)
    if done.code is None:
        raise UserError(f"docker-credential-{name} did not answer in {_HELPER_TIMEOUT:.0f} s", exit_code=3)
    if done.code != 0:
        return None
    try:
        row = json.loads(done.stdout)
        user, secret = row["Username"], row["Secret"]
    except (ValueError, KeyError, TypeError):
        return None
    if user == "<token>":
        return Credential(identity_token=secret)
    return Credential(user, secret) if user else None
