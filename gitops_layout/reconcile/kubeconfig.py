"""Find a context in the user's kubeconfig and make an authenticated HTTP client of it.

Kubeconfig, TLS and tokens are lightkube's; merging several files, exec plugins of the stable version,
proxies and `tls-server-name` are ours because it lacks them.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import yaml
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError

from gitops_layout import __version__
from gitops_layout.errors import UserError
from gitops_layout.system import run

if TYPE_CHECKING:
    from collections.abc import Generator

    from lightkube.config.kubeconfig import SingleConfig
    from lightkube.config.models import User

__all__ = ["USER_AGENT", "http_client"]

USER_AGENT = f"gitops-layout/{__version__}"
_LISTS = ("clusters", "contexts", "users")
_FILE_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_TIMEOUT = httpx2.Timeout(30, connect=5)
_LIMITS = httpx2.Limits(max_connections=16, max_keepalive_connections=16)


def http_client(context: str, kubeconfig: Path | None = None) -> httpx2.Client:
    """An HTTP client for the server of `context`; requests take paths.

    Looks into `kubeconfig`, else the files of `KUBECONFIG`, else `~/.kube/config`, as kubectl does.
    Raises UserError when the context is not there, naming those that are.
    """
    files = _files(kubeconfig)
    merged = _merge(files)
    config = _select(merged, context, files)
    raw = _named(merged, "clusters", config.context.cluster).get("cluster", {})
    if config.user is None:
        raise UserError(f"context {context} names no user")
    try:
        auth = _auth(config.user)
        verify = client_adapter.verify_cluster(config.cluster, config.user, config.abs_file)
    except (ConfigError, OSError) as error:
        raise UserError(f"context {context}: {error}") from error
    client = httpx2.Client(
        base_url=config.cluster.server,
        verify=verify,
        auth=auth,
        proxy=raw.get("proxy-url"),
        timeout=_TIMEOUT,
        limits=_LIMITS,
        headers={"User-Agent": USER_AGENT},
    )
    if name := raw.get("tls-server-name"):

        def expect_name(request: httpx2.Request) -> None:
            request.extensions["sni_hostname"] = name

        client.event_hooks["request"] = [expect_name]
    return client


def _files(kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise UserError(f"{kubeconfig}: no such kubeconfig")
        return [kubeconfig]
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    found = [path for path in named or [Path.home() / ".kube" / "config"] if path.is_file()]
    if not found:
        raise UserError("there is no kubeconfig", "name one with --kubeconfig or KUBECONFIG")
    return found


def _merge(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """The entries of all files, the first of a name winning, as kubectl merges them."""
    merged: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS}
    for path in files:
        try:
            content = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not a kubeconfig: {error}") from error
        for section in _LISTS:
            entries = content.get(section) if isinstance(content, dict) else None
            for entry in entries or ():
                if not _named(merged, section, entry["name"]):
                    merged[section].append(_absolute(entry, path.parent))
    return merged


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    def fix(body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {
            name: str(folder / value) if name in _FILE_FIELDS and isinstance(value, str) and value else value
            for name, value in body.items()
        }

    return {name: fix(value) for name, value in entry.items()}


def _named(merged: dict[str, list[dict[str, Any]]], section: str, name: str) -> dict[str, Any]:
    return next((entry for entry in merged[section] if entry["name"] == name), {})


def _select(merged: dict[str, list[dict[str, Any]]], context: str, files: list[Path]) -> SingleConfig:
    known = [entry["name"] for entry in merged["contexts"]]
    if context not in known:
        where = ", ".join(map(str, files))
        raise UserError(f"no context {context} in {where}", f"there are: {', '.join(known) or 'none'}")
    try:
        config = KubeConfig.from_dict(merged, fname=files[0]).get(context)
    except (ConfigError, KeyError, ValueError) as error:
        raise UserError(f"context {context} is broken: {error}") from error
    assert config is not None  # `get` returns None only for a missing name
    return config


def _auth(user: User) -> httpx2.Auth | None:
    if user.exec is not None and not (user.token or user.token_file):
        environment = {item.name: item.value for item in user.exec.env or ()}
        return _ExecAuth(
            [user.exec.command, *(user.exec.args or ())],
            environment,
            user.exec.apiVersion,
            user.exec.installHint,
        )
    return client_adapter.user_auth(user)


class _ExecAuth(httpx2.Auth):
    """A bearer token from a credential plugin, asked again when it expires or is refused."""

    def __init__(self, command: list[str], env: dict[str, str], version: str, hint: str | None) -> None:
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        self._command, self._hint = command, hint
        self._env = {**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires: datetime | None = None

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        token = self._current(refused=None)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {self._current(refused=token)}"
            yield request

    def _current(self, *, refused: str | None) -> str:
        with self._lock:
            expired = self._expires is not None and datetime.now(UTC) >= self._expires
            if self._token is None or expired or self._token == refused:
                self._ask()
            assert self._token is not None
            return self._token

    def _ask(self) -> None:
        done = run(self._command, env=self._env, timeout=60)
        if done.code != 0:
            how = "took too long" if done.code is None else f"ended with code {done.code}"
            raise UserError(f"credential plugin {self._command[0]} {how}: {done.stderr.strip()}", self._hint)
        try:
            status = json.loads(done.stdout)["status"]
            self._token = status["token"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"credential plugin {self._command[0]} gave no token", self._hint) from None
        expires = status.get("expirationTimestamp")
        self._expires = datetime.fromisoformat(expires) if expires else None
