"""JSON, YAML and base encodings as Go's libraries write and read them."""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from functools import cmp_to_key, lru_cache
from typing import Any

import yaml

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.quoting import from_bytes, to_bytes
from gitops_layout.agents.gotemplate.values import NilList, float_text, from_json
from gitops_layout.patterns import regexp
from gitops_layout.source.reader import read
from gitops_layout.source.typing import NotJsonError, plain

__all__ = [
    "base32_decode",
    "base32_encode",
    "base64_decode",
    "base64_encode",
    "json_text",
    "read_json",
    "read_yaml",
    "yaml_text",
]

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SPECIAL = regexp(r'[\x00-\x1f"\\<>&\u2028\u2029\ud800-\udfff]')


def json_text(value: Any, *, indent: str = "", escape: bool = True, margin: str = "") -> str:
    """`encoding/json`: keys sorted; `<`, `>` and `&` escaped unless told otherwise."""
    match value:
        case None | NilList():
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return _json_number(value)
        case str():
            return _json_string(value, escape=escape)
        case list():
            items = [json_text(i, indent=indent, escape=escape, margin=margin + indent) for i in value]
            return _joined(items, "[]", indent, margin)
        case dict():
            colon = ": " if indent else ":"
            items = [
                _json_string(key, escape=escape)
                + colon
                + json_text(value[key], indent=indent, escape=escape, margin=margin + indent)
                for key in sorted(value)
            ]
            return _joined(items, "{}", indent, margin)
        case _:
            raise FunctionError("the value is no JSON")


def _joined(items: list[str], marks: str, indent: str, margin: str) -> str:
    if not indent or not items:
        return f"{marks[0]}{','.join(items)}{marks[1]}"
    inner = f",\n{margin}{indent}".join(items)
    return f"{marks[0]}\n{margin}{indent}{inner}\n{margin}{marks[1]}"


def _json_number(value: float) -> str:
    text = float_text(value, limit=21)
    if value and not 1e-6 <= abs(value) < 1e21:
        return re.sub(r"e-0(\d)$", r"e-\1", text)
    return f"{Decimal(repr(value)):f}" if "e" in text else text


def _json_string(text: str, *, escape: bool) -> str:
    def escaped(found: re.Match[str]) -> str:
        char = found[0]
        if char in _NAMED:
            return _NAMED[char]
        if char in _HTML:
            return _HTML[char] if escape or char > "\xff" else char
        return "\\ufffd" if char > "\xff" else f"\\u{ord(char):04x}"

    return f'"{_SPECIAL.sub(escaped, text)}"'


def read_json(text: str) -> Any:
    """A JSON document as Go decodes it into an empty interface. Raises ValueError."""

    def refuse(word: str) -> Any:
        raise ValueError(word)

    try:
        return from_json(json.loads(text, parse_constant=refuse))
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_yaml(text: str) -> Any:
    """The first document of a YAML text as sigs.k8s.io/yaml reads it. Raises FunctionError."""
    stream = read(text, "template")
    if stream.problems and (not stream.documents or stream.problems[0].line <= 1):
        raise FunctionError(f"error converting YAML to JSON: {stream.problems[0].message}")
    return from_json(stream.documents[0].data) if stream.documents else None


@lru_cache(maxsize=1)
def _dumper() -> Any:
    class Dumper(yaml.CSafeDumper):
        """libyaml's emitter with go-yaml's choice of styles: what stays plain is decided here alone."""

        def ignore_aliases(self, _: Any) -> bool:
            return True

    def scalar(dumper: Any, text: str, style: str | None = None) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def string(dumper: Any, text: str) -> Any:
        return scalar(dumper, text, "|" if "\n" in text else '"' if _ambiguous(text) else None)

    def number(dumper: Any, value: float) -> Any:
        text = _json_number(value)
        whole = text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**64
        return scalar(dumper, text if whole else float_text(value))

    Dumper.yaml_implicit_resolvers = {}
    Dumper.add_representer(str, string)
    Dumper.add_representer(float, number)
    Dumper.add_representer(bool, lambda dumper, value: scalar(dumper, "true" if value else "false"))
    Dumper.add_representer(type(None), lambda dumper, _: scalar(dumper, "null"))
    return Dumper


_DIGITS = "0123456789"
_CONTROL = regexp("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_MERGE_KEY = '"\\u003c\\u003c":'
_SEXAGESIMAL = regexp(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")
_DATE = regexp(r"\d{4}-\d\d?-\d\d?([Tt ].*)?\Z")


def _ambiguous(text: str) -> bool:
    """Whether go-yaml quotes a string because it would read as something else."""
    try:
        typed = plain(text, "kubectl") if text else None
    except NotJsonError:
        return True
    return not isinstance(typed, str) or bool(_SEXAGESIMAL.match(text) or _DATE.match(text)) or text == "<<"


def _in_order(value: Any) -> Any:
    """The value with float numbers and with keys in go-yaml's order."""
    match value:
        case dict():
            return {key: _in_order(value[key]) for key in sorted(value, key=cmp_to_key(_compare_keys))}
        case list():
            return [_in_order(item) for item in value]
        case bool():
            return value
        case int():
            return float(value)
        case _:
            return value


def _compare_keys(one: str, other: str) -> int:
    """go-yaml's order: letters after everything else, runs of digits by their number."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return len(one) - len(other)
    a, b = one[at], other[at]
    if a.isalpha() or b.isalpha():
        return a.isalpha() - b.isalpha() or ord(a) - ord(b)
    # A zero inside of a longer number counts as a digit of it, not as padding.
    before = one[:at][len(one[:at].rstrip(_DIGITS)) :] if "0" in (a, b) else ""
    lead = "1" if before.strip("0") else ""
    runs = [text[at : at + len(text[at:]) - len(text[at:].lstrip(_DIGITS))] for text in (one, other)]
    first, second = (int(f"{lead}{run}" or "0") for run in runs)
    return first - second or len(runs[0]) - len(runs[1]) or ord(a) - ord(b)


def yaml_text(value: Any) -> str:
    """sigs.k8s.io/yaml's Marshal without its last newline: keys sorted, lists not indented."""
    text = json_text(value)
    if _CONTROL.search(text):
        raise FunctionError("yaml: control characters are not allowed")
    if "\x85" in text or _MERGE_KEY in text:
        what = "a next-line character (U+0085)" if "\x85" in text else "a key <<"
        raise FunctionError(f"the value has {what}", unsupported=f"toYaml of {what}")
    plain_data = json.loads(text)
    dumped: str = yaml.dump(
        _in_order(plain_data),
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        width=80,
        default_flow_style=False,
    )
    return dumped.removesuffix("...\n").removesuffix("\n")


def base64_encode(text: str) -> str:
    """Standard base64."""
    return base64.b64encode(to_bytes(text)).decode()


def base64_decode(text: str) -> str:
    """The decoded text, or Go's error message as a text: sprig swallows the error."""
    compact = text.replace("\r", "").replace("\n", "")
    try:
        return from_bytes(base64.b64decode(compact, validate=True))
    except ValueError:
        bad = next(
            (i for i, c in enumerate(text) if not (c.isascii() and (c.isalnum() or c in "+/=\r\n"))), None
        )
        if bad is None:
            raise FunctionError("illegal base64 data", unsupported="b64dec of what is no base64") from None
        return f"illegal base64 data at input byte {len(to_bytes(text[:bad]))}"


def base32_encode(text: str) -> str:
    """Standard base32."""
    return base64.b32encode(to_bytes(text)).decode()


def base32_decode(text: str) -> str:
    """The decoded text. Raises FunctionError where Go would return its error message."""
    try:
        return from_bytes(base64.b32decode(text))
    except ValueError:
        raise FunctionError("illegal base32 data", unsupported="b32dec of what is no base32") from None
