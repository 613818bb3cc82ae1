"""What a value that is meant to be secret is by its looks: in clear, encrypted, or filled in later."""

from __future__ import annotations

import base64
import json
import re
from typing import Literal

from gitops_layout.k8s.placeholders import is_placeholder
from gitops_layout.patterns import regexp

__all__ = ["Form", "is_public_key", "likeness", "secret_form"]

Form = Literal["empty", "sops", "placeholder", "setting", "plain"]

_SETTING = regexp(
    r"""
    (?:true|false|yes|no|on|off|null|none)$
    | -?\d{1,5}(?:\.\d+)?[a-z]{0,2}$
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+$
    | https?://[^\s:@/]+(?::\d+)?(?:/[^\s?]*)?$
    | \d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LISTS_CREDENTIALS = regexp(r"(?:^|[._-])users\.\w+$|passw|credential|secret|token", re.IGNORECASE)
"""Files whose every line is a name and its password."""
_NAME_AND_PASSWORD = regexp(r"[^\s:=]+[ \t]*[:=][ \t]*(?![\s{\[|>])\S|[^\s<>{}:=]+[ \t]+\S+$", re.MULTILINE)
_MARKUP = regexp(r"\.(?:css|js|html?|md|hcl|xml|sql|sh|lua|tmpl|tpl|svg)$", re.IGNORECASE)
"""Files that no credential stands in but where one is assigned."""
_FILE_KEY = regexp(
    r".*[^.]\.(?!jks|p12|pfx|kdbx|gpg|[a-z]*(?:pass|pwd|token|secret|cred|key|auth|salt|hash))(?:[a-z][a-z0-9]{1,4}|config|properties)$",
    re.IGNORECASE,
)
_ASSIGNED = regexp(r"[\w.\[\]\"'-]+\s*[=:]\s*(\S.*)$")
_REMARK = regexp(r"\s*(?:#|;|//|/\*|\*)")
_HEADING = regexp(r"\[[^\]]*\]$")
_WHERE_OR_WHO = regexp(
    r"(?:^|[-_./]|(?<=[a-z])(?=[A-Z]))"
    r"(?i:host|hostname|port|user|username|login|database|db|dbname|region|endpoint|url|uri|address|email|phone|phone[-_]?number|bucket"
    r"|namespace|type|name|scheme|protocol|sslmode|issuer|domain|path|clientid|client-id|client_id"
    r"|access[-_]?key[-_]?id|site[-_]?key"
    r"|env|environment|mode|level|stage|version|timezone|tz|timeout|driver|engine"
    r"|provider|cipher|algorithm|pbkdf|ip|cidr|subnet|volume[-_]?handle)$"
)
_ID_KEY = regexp(r"(?:[-_.]|^)(?i:id|uuid)$|(?<=[a-z])I[Dd]$")
_SECRET_ID = regexp(r"secret|token|passw|session|key", re.IGNORECASE)
_ID = regexp(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|\d+$", re.IGNORECASE)
_PRIVATE_KEY = regexp(
    r"PRIVATE KEY(?: BLOCK)?-----(?:\\n|\s)*[A-Za-z0-9+/=]{16}|\bAGE-SECRET-KEY-1[0-9A-Z]{40}"
)
"""Not one that a remark tells the form of."""
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
_CERTIFICATE = regexp(
    r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY|TRUSTED CERTIFICATE|PGP PUBLIC KEY BLOCK)-----"
    r"|(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-[\w-]+|sk-[\w@.-]+) AAAA"
)
_KNOWN_HOST = regexp(r"(?:@\S+ )?\S+ (?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-[\w-]+|sk-[\w@.-]+) AAAA")
_HASHED = regexp(r"\$(?:apr1|1|2[abxy]|5|6|y|argon2\w*)\$\S|\{S?SHA\}\S")
"""A password as `htpasswd` and `/etc/shadow` keep it."""
_HEADER = regexp(
    r"authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer)\s+[A-Za-z0-9+/=._-]{8,}", re.IGNORECASE
)
_RANDOM = regexp(
    r"(?!\S*://)(?![/.])(?:(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)\S{8,}|(?=\S*[a-z])(?=\S*\d)[a-z0-9]{20,}|(?=\S*[A-Z])(?=\S*\d)[A-Z0-9]{16,})$"
)
"""What nobody would write by hand."""
_LONG_RANDOM = regexp(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+/_=-]{32,}$")
_PATH_KEY = regexp(r"(?:file|path|dir|directory)s?$", re.IGNORECASE)
_FILE_PATH = regexp(r"(?:/[\w.-]+)+/?$")
_GIVEN = regexp(r"(?:^|[\s{,;(])[\"']?([\w.\[\]-]+)[\"']?\s*[=:]\s*(\S.*)")
_LAST_WORD = regexp(
    r"(?:^|.*[._-]|.*(?<=[a-z])(?=[A-Z]))"
    r"(?i:password|passwd|passphrase|pwd|pass|token|(?:api|access|private|secret|auth)[-_]?key(?:[-_]?id)?|secret|credentials?|auth)"
)
"""A key whose last word says that its value is a credential."""
_SAID = regexp(
    r"(?:password|passwd|identified\s+by)\s+(?:\"([^\"]{4,})\"|'([^']{4,})'|(?=\S*\d)(?!\w+\(\d)(\S{4,}))",
    re.IGNORECASE,
)
"""As SQL and `.netrc` give one."""
_NAMED = regexp(r"[a-z]+(?:[-.][a-z0-9]+)*|[A-Z][A-Z0-9_]*|(?:[a-z]+)(?:[A-Z][a-z]+)*")
"""What names of objects and keys look like: a key called `secret` may say which Secret has it."""
_SENTENCE = frozenset(
    {"a", "an", "are", "be", "for", "is", "of", "should", "that", "the", "this", "to", "used", "with"}
)


_LOOKED_AT = 2_000
"""Characters of a first line that are searched for placeholders: longer ones are no references."""


def secret_form(key: str, value: object, *, encoded: bool = False) -> Form:
    """The form of one value; `encoded` ones (a Secret's `data`) are judged by their base64 content.

    `plain` is what looks like a credential: a private key, a password in a URL, a hash of one, a token's random signs,
    a word whose key calls it so, and a text in which one is assigned or whose key calls it so. `setting` is what does not:
    switches, small numbers, times, addresses, what its key calls a host, a user or another name, numbers and UUIDs that it
    calls an id, public certificates and keys of hosts, ciphers, images, and files in which nothing is called a password,
    token or key.
    """
    return _form(key, value, encoded=encoded, listed=False)


def _form(key: str, value: object, *, encoded: bool, listed: bool) -> Form:
    """`secret_form` of a value; one that is `listed` stands among credentials, whatever its key is called."""
    if value is None or value == "":
        return "empty"
    text = str(value).strip()
    first = text[:_LOOKED_AT].split("\n", 1)[0]
    if text.startswith("ENC["):
        return "sops"
    if not text.strip("-. \n") or all(
        line.startswith("# ") or not line.strip() for line in text.splitlines()
    ):
        return "empty"
    if is_placeholder(first) or ("\n" in text and _is_filled_in(text)):
        return "placeholder"
    inner = _decoded(text)
    if inner is not None and encoded:
        return _form(key, inner, encoded=False, listed=listed)
    if _is_prose(text):
        return "placeholder"
    if text[0] in "{[" and (leaves := _leaves(text)) is not None:
        return _form_of(key, leaves)
    if inner is not None and is_placeholder(inner[:_LOOKED_AT]):
        return "placeholder"
    if not isinstance(value, str) or _SETTING.match(text) or _is_public(key, text):
        return "setting"
    if _is_own_name(key, text):
        return "placeholder"
    return "plain" if listed or _looks_like_credential(key, text) else "setting"


def is_public_key(text: str) -> bool:
    """Whether a text is a certificate or a public key, which everybody may read."""
    return _CERTIFICATE.match(text) is not None


def _is_public(key: str, text: str) -> bool:
    if _PRIVATE_KEY.search(text) or _USER_IN_URL.search(text):
        return False
    if "\n" not in text and _WHERE_OR_WHO.search(key):
        return True
    if _PATH_KEY.search(key) and _FILE_PATH.match(text):
        return True
    if (_WORDS.match(text) or _HOST.match(text)) and not _CREDENTIAL_KEY.search(key):
        return True
    if _ALGORITHM.match(text):
        return True
    if _IMAGE_KEY.search(key) and _IMAGE.match(text) and not _CREDENTIAL_KEY.search(key):
        return True
    if _ID_KEY.search(key) and not _SECRET_ID.search(key) and _ID.match(text):
        return True
    if is_public_key(text) or (text == "changeit" and "trust" in key.lower()):
        return True  # Java's usual password of what holds no key
    lines = [line for line in text.splitlines() if line.strip() and not _REMARK.match(line)]
    return bool(lines) and all(_KNOWN_HOST.match(line) for line in lines)


def _is_own_name(key: str, text: str) -> bool:
    """Whether a place to fill in has the name of its key (`access-key-id=AccessKeyId`); a password may be that."""
    several = _SEVERAL.fullmatch(text) is not None
    return several and _bare(text) == _bare(key) and not _PASSWORD.search(key)


_SEVERAL = regexp(r"[A-Za-z]+(?:[-_.]|(?<=[a-z])(?=[A-Z]))[\w.-]+")


def _looks_like_credential(key: str, text: str) -> bool:
    """Whether a text that is not known to be public is, or gives, a credential."""
    if _PRIVATE_KEY.search(text) or _USER_IN_URL.search(text) or _holds_credential(text):
        return True
    if _MARKUP.search(key):
        return False
    if len(text.split()) > 1 or _FILE_KEY.match(key) or _ASSIGNED.match(text):
        if _LISTS_CREDENTIALS.search(key):
            return "users" not in key.lower() or _NAME_AND_PASSWORD.search(text) is not None
        if _FILE_KEY.match(key):
            return False
        if _CREDENTIAL_KEY.search(key) or _HASHED.search(text):
            return True
        return any(_LONG_RANDOM.match(line.strip()) for line in text.splitlines() if not is_public_key(text))
    return _CREDENTIAL_KEY.search(key) is not None or _RANDOM.match(text) is not None


def _holds_credential(text: str) -> bool:
    """Whether a line of a configuration gives a credential: under a key that is called so, or as SQL does, and not as a
    switch (`auth_enabled: false`), in a remark, by the name of a Secret, or as a place to fill in.
    """
    for line in text.splitlines():
        if _SWITCH.match(line) or _REMARK.match(line):
            continue
        if _HEADER.search(line) or any(_is_given(found[1], found[2]) for found in _GIVEN.finditer(line)):
            return True
        for found in _SAID.finditer(line):
            said = found[1] or found[2] or found[3]
            if not said.startswith("$") and not is_placeholder(said):
                return True
    return False


def _is_given(key: str, written: str) -> bool:
    """Whether what stands behind a key of a configuration is a credential."""
    value = written.strip().rstrip(",;").strip("\"'").strip()
    if not _LAST_WORD.fullmatch(key[-_LONGEST_KEY:]) or len(value) < 4 or value[0] in "/.$%@*&{[|>!":
        return False
    if _NAMED.fullmatch(value) and not _PASSWORD.search(key):
        named = _REFERRING.search(key) or _bare(value) in _bare(key)
        named = named or (value.isalpha() and not _SECRET_KEY.search(key))
        if named:
            return False
    return secret_form(key, value) == "plain"


_LONGEST_KEY = 253
_PASSWORD = regexp(r"pass", re.IGNORECASE)
_SECRET_KEY = regexp(r"secret[-_]access[-_]key$", re.IGNORECASE)
_REFERRING = regexp(r"(?:secret|credentials?|auth)$", re.IGNORECASE)
"""What a key is called that may name a Secret as well as be one."""


def _bare(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


def _is_filled_in(text: str) -> bool:
    """Whether all lines but remarks and headings (`[default]`) give a key what something fills in."""
    for line in text.splitlines():
        found = _ASSIGNED.match(line.strip())
        if found and not is_placeholder(found[1].strip("\"'")):
            return False
        if not found and line.strip() and not _REMARK.match(line) and not _HEADING.match(line):
            return False
    return True


def _is_prose(text: str) -> bool:
    """Whether it is a sentence about what is to stand here."""
    words = text[:_LOOKED_AT].split()
    if len(words) < 8 or not words[0].istitle():
        return False
    plain = [word.strip("\"'`().,:;").lower() for word in words]
    spoken = sum(word.replace("-", "").isalpha() for word in plain)
    return (
        spoken >= 0.7 * len(words) and len(_SENTENCE.intersection(plain)) >= 2 and not _holds_credential(text)
    )


def _leaves(text: str) -> list[tuple[str, object]] | None:
    """Every value in a text of JSON with the key that it stands under; None where it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found: list[tuple[str, object]] = []
    left: list[tuple[str, object]] = [("", data)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
        elif isinstance(value, list):
            left += [(key, item) for item in value]
        else:
            found.append((key, value))
    return found


def _form_of(key: str, leaves: list[tuple[str, object]]) -> Form:
    """The form of a text of JSON: in clear if one of its values is, and its key or the text's own is called like a
    credential's.
    """
    listed = _LISTS_CREDENTIALS.search(key) is not None
    forms = {
        _form(name, value, encoded=False, listed=listed): None
        for name, value in leaves
        if listed or _CREDENTIAL_KEY.search(name)
    }
    urls = any(isinstance(value, str) and _USER_IN_URL.search(value) for _, value in leaves)
    if urls or "plain" in forms:
        return "plain"
    return next((form for form in ("sops", "placeholder") if form in forms), "setting")


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
