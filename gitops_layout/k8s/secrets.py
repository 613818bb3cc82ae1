"""What a value that is meant to be secret is by its looks: in clear, encrypted, or filled in later."""

from __future__ import annotations

import base64
import re
from typing import Literal

from gitops_layout.patterns import regexp

__all__ = ["Form", "likeness", "secret_form"]

Form = Literal["empty", "sops", "placeholder", "setting", "plain"]

# References into a password store, and templates that something fills in before the API server sees them.
_PLACEHOLDER = regexp(
    r"""
    (?:op|vault|awssm|awssecrets|awsparamstore|azurekeyvault|gcpsecretmanager|gcpsecrets|doppler|bws|infisical)://
    | (?:vault|secretref|ref\+\w+):
    | ref\+
    | <[^<>\n]+>$
    | .*(?:\$\{[^}]+\}|\$\([^)]+\)|\{\{.+\}\}|<path:[^>]+>)
    | __?[A-Z0-9_]+__?$
    | .*(?:change|replace)[-_ ]?me
    | your[-_ ][\w -]+$
    | [\w -]+[-_ ]here$
    | fake[-_ ]\w+$
    | (?-i:(?:UPDATE|REPLACE|INSERT|ENTER|YOUR)_[A-Z0-9_]+$)
    | (?:\*{3,}|x{3,}|\.{3,}|todo|tbd|dummy|hoge|fuga|placeholder|redacted|example|unused|not[-_ ]?used|not[-_ ]?set|ignored)$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SETTING = regexp(
    r"""
    (?:true|false|yes|no|on|off|null|none)$
    | -?\d{1,5}(?:\.\d+)?[a-z]{0,2}$
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+$
    | https?://[^\s:@/]+(?::\d+)?(?:/[^\s?]*)?$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONFIG_KEY = regexp(r"\.(?:ya?ml|json|toml|ini|conf|config|cfg|properties|xml|env|txt|crt|pem)$")
_LISTS_CREDENTIALS = regexp(r"(?:^|[._-])users\.\w+$|passw|credential|secret|token", re.IGNORECASE)
"""Files whose every line is a name and its password."""
_ASSIGNED = regexp(r"[\w.\[\]\"'-]+\s*[=:]\s*(\S.*)$")
_REMARK = regexp(r"\s*(?:#|;|//|/\*|\*)")
_WHERE_OR_WHO = regexp(
    r"(?:^|[-_./]|(?<=[a-z])(?=[A-Z]))"
    r"(?i:host|hostname|port|user|username|login|database|db|dbname|region|endpoint|url|uri|address|email|bucket"
    r"|namespace|type|name|scheme|protocol|sslmode|issuer|domain|path|clientid|client-id|client_id"
    r"|env|environment|mode|level|stage|version|timezone|tz|timeout|driver|engine"
    r"|provider|cipher|algorithm|pbkdf|ip|cidr|subnet|volume[-_]?handle)$"
)
_ID_KEY = regexp(r"(?:[-_.]|^)(?i:id|uuid)$|(?<=[a-z])I[Dd]$")
_SECRET_ID = regexp(r"secret|token|passw|session|key", re.IGNORECASE)
_ID = regexp(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|\d+$", re.IGNORECASE)
_USER_IN_URL = regexp(r"://[^/\s@]*:[^/\s@]+@")
_CREDENTIAL = regexp(
    r"passw|token|secret|credential|api[-_]?key|private[-_ ]key|auth(?!enticat)", re.IGNORECASE
)
_CREDENTIAL_KEY = regexp(
    r"pass|pwd|token|secret|cred|key|auth|salt|hash|cert|dsn|login|phrase|pin|code|cookie", re.IGNORECASE
)
_WORDS = regexp(r"[a-z]+(?:[-_./][a-z]+)*$")
"""What is written in words (`generic-openai`) is a choice, unless its key says that it is a credential."""
_HOST = regexp(
    r"(?:(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?)(?::\d{1,5})?$"
)
_IMAGE_KEY = regexp(r"(?:^|[-_./])(?i:image)(?:$|[-_./]|(?=[A-Z]))|(?<=[a-z])Image(?![a-z])")
_IMAGE = regexp(
    r"(?=[^\s/]*[/:.]|[^\s]*@)(?:[a-z0-9.-]+(?::\d{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)
"""A reference to an image, that has a registry, a path, a tag or a digest: a bare word may be anything."""
_ALGORITHM = regexp(
    r"(?:sha-?(?:1|224|256|384|512)|md5|aes(?:-?[a-z0-9]+)+|argon2(?:i|d|id)?|bcrypt|pbkdf2)$", re.IGNORECASE
)
_SWITCH = regexp(r"[\s\w.\"'-]+[:=]\s*[\"']?(?:true|false|yes|no|on|off)[\"']?,?\s*$", re.IGNORECASE)
_CERTIFICATE = regexp(r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY|TRUSTED CERTIFICATE)-----")


_LOOKED_AT = 2_000
"""Characters of a first line that are searched for placeholders: longer ones are no references."""


def secret_form(key: str, value: object, *, encoded: bool = False) -> Form:
    """The form of one value; `encoded` ones (a Secret's `data`) are judged by their base64 content.

    `setting` is what is no credential: switches, small numbers, addresses, what its key calls a host, a
    user or another name, numbers and UUIDs that it calls an id (of a tenant, a subscription, an account),
    public certificates, hosts, ciphers, images that its key calls so, and configuration files in which nothing is
    called a password, token or key.
    """
    if value is None or value == "":
        return "empty"
    text = str(value).strip()
    first = text[:_LOOKED_AT].split("\n", 1)[0]
    if text.startswith("ENC["):
        return "sops"
    if not text:
        return "empty"
    if _PLACEHOLDER.match(first):
        return "placeholder"
    inner = _decoded(text)
    if inner is not None and encoded:
        return secret_form(key, inner)
    if inner is not None and _PLACEHOLDER.match(inner[:_LOOKED_AT]):
        return "placeholder"
    if not isinstance(value, str) or _SETTING.match(text) or _is_public(key, text):
        return "setting"
    return "plain"


def _is_public(key: str, text: str) -> bool:
    if "PRIVATE KEY" in text or _USER_IN_URL.search(text):
        return False
    if "\n" not in text and _WHERE_OR_WHO.search(key):
        return True
    if (_WORDS.match(text) or _HOST.match(text)) and not _CREDENTIAL_KEY.search(key):
        return True
    if _ALGORITHM.match(text):
        return True
    if _IMAGE_KEY.search(key) and _IMAGE.match(text) and not _CREDENTIAL_KEY.search(key):
        return True
    if _ID_KEY.search(key) and not _SECRET_ID.search(key) and _ID.match(text):
        return True
    if _CERTIFICATE.match(text):
        return True
    if _LISTS_CREDENTIALS.search(key):
        return False
    settings = "\n" in text or _ASSIGNED.match(text) is not None or _REMARK.match(text) is not None
    return settings and _CONFIG_KEY.search(key) is not None and not _holds_credential(text)


def _holds_credential(text: str) -> bool:
    """Whether a line of a configuration is about a credential, and is more than a switch (`auth_enabled: false`), a remark,
    or a place to fill in.
    """
    return any(
        _CREDENTIAL.search(line)
        and not _SWITCH.match(line)
        and not _REMARK.match(line)
        and not ((found := _ASSIGNED.match(line.strip())) and _PLACEHOLDER.match(found[1].strip("\"'")))
        for line in text.splitlines()
    )


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:  # no base64, no text, or no ASCII
        return None


_LIKE = (
    regexp(r"(?:^|[._-]|(?<=[a-z])(?=[A-Z]))(?i:passw(?:or)?d|passphrase|token|(?:api|secret|access|private)[-_]?key|secret)$"),
    regexp(r"passw|passphrase|token|secret|credential|private|api[-_]?key", re.IGNORECASE),
    regexp(r"(?:^|[._-]|(?<=[a-z])(?=[A-Z]))(?i:pass|pwd|key|dsn|salt|hash|cookie|cert|config|conf|data|json)", re.IGNORECASE),
)  # fmt: skip


def likeness(key: str) -> int:
    """How little a key looks like a credential's: 0 is one whose last word says so (`clientSecret`)."""
    return next((rank for rank, pattern in enumerate(_LIKE) if pattern.search(key)), len(_LIKE))
