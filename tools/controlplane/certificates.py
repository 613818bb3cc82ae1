"""Throw-away certificates for a control plane on loopback, made by the openssl program."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make"]

_KEY = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
_SERVER = (
    "extendedKeyUsage=serverAuth\n"
    "subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc\n"
)


def make(folder: Path) -> None:
    """Write ca, server and admin (`.crt` and `.key`) and sa (`.key` and `.pub`) into `folder`.

    admin is in the group system:masters. Raises UserError when openssl is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ca", "server", "admin", "sa"):
        _openssl(folder, "genpkey", *_KEY, "-out", f"{name}.key")
    _openssl(folder, "pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    _openssl(
        folder,
        "req",
        "-x509",
        "-new",
        "-key",
        "ca.key",
        "-subj",
        "/CN=loopback",
        "-days",
        "365",
        "-out",
        "ca.crt",
    )
    _sign(folder, "server", "/CN=kube-apiserver", _SERVER)
    _sign(folder, "admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n")


def _sign(folder: Path, name: str, subject: str, extensions: str) -> None:
    (folder / f"{name}.ext").write_text(extensions)
    _openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    _openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "365", "-extfile", f"{name}.ext", "-out", f"{name}.crt",
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise UserError("openssl is not installed", "install openssl and put it on PATH") from None
    if done.returncode:
        raise UserError(f"openssl {arguments[0]} failed: {done.stderr.strip()}", exit_code=3)
