"""Credentials within longer texts: a password in a URL, settings of a program, arguments of a command, tokens of a known form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_layout.k8s.secrets import secret_form
from gitops_layout.patterns import regexp

__all__ = ["KUBECONFIG", "TOKENS", "argument", "password_in_url", "settings"]

TOKENS = (
    ("a token of GitHub", ("ghp_", "gho_", "ghs_", "ghu_", "ghr_"), regexp(r"\bgh[pousr]_([A-Za-z0-9]{36,})\b")),
    ("a token of GitHub", ("github_pat_",), regexp(r"\bgithub_pat_(\w{60,})\b")),
    ("a token of GitLab", ("glpat-",), regexp(r"\bglpat-([\w-]{20,})")),
    ("a token of Slack", ("xox",), regexp(r"\bxox[abeoprs]-((?:\d{6,}-)+[A-Za-z0-9]{16,})")),
    (
        "the address of a Slack webhook",
        ("hooks.slack.com/",),
        regexp(r"https://hooks\.slack\.com/(?:services|workflows)/T\w{6,}/[AB]\w{6,}/(?:\d+/)?([A-Za-z0-9]{16,})"),
    ),
    (
        "the address of a Discord webhook",
        ("/api/webhooks/",),
        regexp(r"https://discord(?:app)?\.com/api/webhooks/\d{15,}/([\w-]{50,})"),
    ),
    (
        "a bearer token",
        ("earer eyJ",),
        regexp(r"\b[Bb]earer (eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,})"),
    ),
)  # fmt: skip
"""What it is, words that its file must have, and the form, with the part that no two have the same."""

KUBECONFIG = (
    "the token of a kubeconfig",
    (regexp(r"^kind:[ ]*[\"']?Config[\"']?\s*$", re.MULTILINE), regexp(r"^users:", re.MULTILINE)),
    regexp(r"(?<![\w-])token:[ \t]*[\"']?([A-Za-z0-9._:~-]{20,})"),
)

_URL = regexp(r"\b[a-z][a-z0-9+.-]{1,19}://([^\s:/@\"'<>]*):([^\s/@\"'<>]{4,})@[\w.\[]", re.IGNORECASE)
_FILLED_IN = regexp(r"[$%{}*]|^<")
_SAMPLES = frozenset(
    {"password", "passwd", "pass", "secret", "token", "guest", "user", "username", "test", "xxxx"}
)


def password_in_url(text: str) -> int | None:
    """Where in a text the first URL with a password begins; None where it has none, or only one that is to be filled in."""
    if "://" not in text or "@" not in text:
        return None
    for found in _URL.finditer(text):
        user, password = found[1], found[2]
        known = password.lower() in _SAMPLES or password.lower() == user.lower()
        if not known and not _FILLED_IN.search(password) and secret_form("password", password) == "plain":
            return found.start()
    return None


_FILE_OF_SETTINGS = regexp(r".*\.(?:ya?ml|json|toml|ini|conf|config|cfg|properties|env)|(?:.*/)?\.env")
_SETTING = regexp(
    r"[ \t]*(?:-[ ]+)?(?:export[ ]+)?[\"']?([A-Za-z][\w.-]*)[\"']?[ \t]*[:=][ \t]*"
    r"(?:\"([^\"\s]+)\"|'([^'\s]+)'|([^\s\"'#,;]+))[ \t]*[,;]?[ \t]*(?:#.*)?$"
)
_VALUE = regexp(r"[A-Za-z0-9!#%^&*+/=?@~:._$-]{6,}")
_PATH = regexp(r"(?:[a-z_.-]+/)+[\w.-]*")
"""Where a file or a variable (`os.environ/TOKEN`) has it."""


def settings(name: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Offset, key and value of each line of a file of settings that gives a single value; nothing of other files."""
    if not _FILE_OF_SETTINGS.fullmatch(name):
        return
    start = 0
    for line in text.splitlines(keepends=True):
        found = _SETTING.match(line.rstrip("\r\n")) if len(line) < _LONGEST_LINE else None
        if found is not None:
            value = found[2] or found[3] or found[4]
            if _VALUE.fullmatch(value) and not _PATH.fullmatch(value):
                yield start + found.start(1), found[1], value
        start += len(line)


_LONGEST_LINE = 1_000
_ARGUMENT = regexp(r"--?([A-Za-z][\w.-]*)=(\S+)")


def argument(text: str) -> tuple[str, str] | None:
    """Name and value of an argument `--name=value`."""
    found = _ARGUMENT.fullmatch(text)
    return (found[1], found[2]) if found is not None else None
