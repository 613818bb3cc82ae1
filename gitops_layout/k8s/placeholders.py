"""What stands where a secret is to be, until a program or a person puts one there: words and forms, each in one place."""

from __future__ import annotations

import re

from gitops_layout.patterns import regexp

__all__ = ["is_placeholder"]

_CREDENTIAL = "secret|password|token"
_SHAM = "fake|dummy"
_ALONE = r"todo|tbd|dummy|hoge|fuga|placeholder(?:[-_ ][\w -]*)?|redacted|example|unused|ignored|(?:sk-)?mock|not[-_ ]?(?:used|set|needed|required)|\*{3,}|x{3,}|\.{3,}"
_STORES = (
    "op|vault|awssm|awssecrets|awsparamstore|azurekeyvault|gcpsecretmanager|gcpsecrets|doppler|bws|infisical"
)
_TO_DO = "update|replace|insert|enter|your|my"

_STARTS = (
    rf"(?:{_STORES})://",
    r"(?:vault|secretref):",
    r"ref\+",
)
"""How references into a store of passwords begin."""
_INSIDE = (
    r"\$\{[^}]+\}",
    r"\$\([^)]+\)",
    r"\{\{.+\}\}",
    r"<path:[^>]+>",
    rf"<(?:{_CREDENTIAL})>",
    r"(?:change|replace)[-_ ]?me",
)
"""What is enough anywhere in the line: what a template, a shell or a plugin replaces, and who is asked to."""
_WHOLE = (
    _ALONE,
    rf"(?:{_SHAM})[-_ ][\w -]+",
    rf"(?-i:(?:{_SHAM})(?:[A-Z][a-z]+)+)",
    r"<[^<>\n]+>",
    r"\$[a-z][\w.-]*:[\w.-]+",
    r"__?[A-Z0-9_]+__?",
    r"(?:[a-z]+_){0,2}your[-_ ][\w -]+",
    r"[\w -]+[-_ ]here",
    r"my[-_](?:access|secret|api)[-_]key",
    rf"(?-i:(?:{_TO_DO.upper()})_[A-Z0-9_]+)",
    rf"(?-i:{_CREDENTIAL.upper()})",
    r"(?-i:[a-z0-9+]+://[A-Z_]+:[A-Z_]+@[A-Z0-9_]+(?:[:/][A-Z0-9_]+)*)",
)
"""What is one as the whole of the value alone."""
_FORM = regexp(f"{'|'.join(_STARTS)}|.*(?:{'|'.join(_INSIDE)})|(?:{'|'.join(_WHOLE)})$", re.IGNORECASE)


def is_placeholder(line: str) -> bool:
    """Whether a line only stands for a secret: a reference into a store, a template, or words to be replaced."""
    return _FORM.match(line) is not None
