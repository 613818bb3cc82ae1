"""The front matter of a rule file, checked whole: every problem with its line."""

from __future__ import annotations

from dataclasses import field
from posixpath import basename
from typing import TYPE_CHECKING, Any, Literal, cast

from gitops_layout.config import Profile, did_you_mean
from gitops_layout.k8s.makers import makers
from gitops_layout.model import Severity, Tier
from gitops_layout.patterns import regexp
from gitops_layout.rules.model import PRINCIPLES, PROFILES, REACHES, Mend, Producer, Reach, Row, Rule, Scope
from gitops_layout.source.document import Document
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitops_layout.model import Path

__all__ = ["parse"]

KEYS = (
    "id", "name", "principle", "group", "severity", "scope", "assert", "references", "check", "message",
    "help", "fix", "params", "precision", "public",
    "cause", "inline", "covers",
)  # fmt: skip
_ROW = ("from", "path", "to", "where", "given", "producers", "kind", "world")
_TIERS: tuple[Tier, ...] = ("prod", "nonprod")
_WORDS: dict[str, Severity | None] = {**{s.value: s for s in Severity}, "off": None}
_ID = regexp(r"[A-Z]{1,4}[0-9]{3}")
_NAME = regexp(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD = regexp(r"\{([A-Za-z_]\w*)[^{}]*\}")

Severities = dict[Profile, dict[Tier, Severity | None]]


@dataclass(slots=True)
class _Problems:
    """What is wrong with one file, collected; line 1 of the front matter is line 2 of the file."""

    file: str
    document: Document
    found: list[str] = field(default_factory=list)

    def add(self, words: str, *path: str | int, key: bool = False) -> None:
        span = self.document.span(path, key=key)
        self.found.append(f"{self.file}:{span.line + 1}:{span.column}: {words}")

    def mapping(self, value: Any, keys: tuple[str, ...], *path: str | int) -> dict[str, Any]:
        """`value` if it is a mapping, its unknown keys reported; else an empty one."""
        if not isinstance(value, dict):
            self.add(f"{_dotted(path)} must be a mapping", *path)
            return {}
        for name in value:
            if name not in keys:
                self.add(f'unknown key "{name}"{did_you_mean(name, keys)}', *path, name, key=True)
        return value

    def text(self, data: Mapping[str, Any], name: str, *path: str | int, needed: bool = True) -> str:
        value = data.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if value is not None:
            self.add(f"{name} must be a text", *path, name)
        elif needed:
            self.add(f"{_dotted(path) or 'the rule'} lacks `{name}`", *path)
        return ""

    def texts(self, value: Any, *path: str | int) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return tuple(items)
        self.add(f"{_dotted(path)} must be a text or a list of texts", *path)
        return ()

    def choice(self, value: Any, known: tuple[str, ...], *path: str | int) -> str:
        if isinstance(value, str) and value in known:
            return value
        near = did_you_mean(str(value), known)
        self.add(f"{_dotted(path)} is {value!r}{near}; known: {', '.join(known)}", *path)
        return known[0]


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


def parse(text: str, file: str, *, builtin: bool) -> Rule | list[str]:
    """The rule in a file, or everything that is wrong with it as `file:line:column: fact`."""
    front = _front(text)
    if front is None:
        return [f"{file}:1:1: a rule file starts with front matter between two `---` lines"]
    stream = read(front, file, mode="kustomize")  # YAML 1.2: `off` is a severity, not a truth value
    if stream.problems:
        return [f"{file}:{p.line + 1}:{p.column}: {p.message}" for p in stream.problems]
    if len(stream.documents) != 1 or not isinstance(stream.documents[0].data, dict):
        return [f"{file}:2:1: the front matter must be one mapping"]
    problems = _Problems(file, stream.documents[0])
    data = problems.mapping(stream.documents[0].data, KEYS)
    for twice in stream.documents[0].duplicates:
        problems.add(f"{_dotted(twice.path)} stands twice", *twice.path, key=True)
    rule = _rule(problems, data, file, text, builtin)
    return problems.found or rule


def _front(text: str) -> str | None:
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        return None
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    return None if end is None else "".join(lines[1:end])


def _rule(problems: _Problems, data: dict[str, Any], file: str, text: str, builtin: bool) -> Rule:
    identity, name = problems.text(data, "id"), problems.text(data, "name")
    if identity and not _ID.fullmatch(identity):
        problems.add(f'id "{identity}" must be capitals and three digits, such as ACME001', "id")
    if name and not _NAME.fullmatch(name):
        problems.add(f'name "{name}" must be words joined by dashes', "name")
    if identity and name and basename(file) != f"{identity}-{name}.md":
        problems.add(f'the file must be called "{identity}-{name}.md"', "id")
    scope = _scope(problems, data.get("scope", {}))
    params = data.get("params", {})
    if not isinstance(params, dict):
        problems.add("params must be a mapping", "params")
        params = {}
    assertion, rows, check = _claim(problems, data, builtin)
    mend = _mend(problems, data["fix"], own=assertion is None) if "fix" in data else None
    message, advice = problems.text(data, "message"), problems.text(data, "help")
    if assertion:
        _check_fields(problems, message, advice, scope)
    public, inline = (_flag(problems, data, name) for name in ("public", "inline"))
    precision = problems.choice(
        data.get("precision", "high"), ("very-high", "high", "medium", "low"), "precision"
    )
    return Rule(
        id=identity,
        name=name,
        group=_group(problems, data),
        severity=_severity(problems, data.get("severity")),
        message=message,
        help=advice,
        file=file,
        text=text,
        builtin=builtin,
        scope=scope,
        assertion=assertion,
        references=rows,
        check=check,
        params=params,
        precision=cast("Literal['very-high', 'high', 'medium', 'low']", precision),
        mend=mend,
        public=public is True,
        cause=problems.text(data, "cause") if "cause" in data else "",
        inline=inline is not False,
        covers=_covers(problems, data.get("covers", {})),
    )


def _covers(problems: _Problems, value: Any) -> dict[str, Reach]:
    """The rules whose findings are not told beside this one's, each with its reach."""
    data = problems.mapping(value, tuple(value) if isinstance(value, dict) else (), "covers")
    return {
        str(name): cast("Reach", problems.choice(reach, REACHES, "covers", name))
        for name, reach in data.items()
    }


def _flag(problems: _Problems, data: Mapping[str, Any], name: str) -> bool | None:
    """A truth value, None where there is none."""
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        problems.add(f"{name} must be true or false", name)
    return value if isinstance(value, bool) else None


def _mend(problems: _Problems, value: Any, *, own: bool) -> Mend | None:
    """How findings are mended; `own` where the rule's check says of each hit what to change."""
    data = problems.mapping(value, ("safety", "remove", "replace", "rename", "set"), "fix")
    safety = cast(
        "Literal['safe', 'unsafe']", problems.choice(data.get("safety"), ("safe", "unsafe"), "fix", "safety")
    )
    given = [name for name in ("remove", "replace", "rename", "set") if name in data]
    if own:
        if given:
            problems.add("only an assertion's findings are mended by front matter", "fix", given[0], key=True)
        return Mend(safety)
    if len(given) != 1:
        problems.add("fix names exactly one of `remove`, `replace`, `rename` and `set`", "fix")
        return None
    match given[0]:
        case "remove":
            if data["remove"] is not True:
                problems.add("remove is true, or absent", "fix", "remove")
            return Mend(safety, "remove")
        case "set":
            fields = problems.mapping(data["set"], tuple(data["set"] or ()), "fix", "set")
            return Mend(safety, "set", fields=fields)
        case "replace":
            return Mend(safety, "replace", problems.text(data, "replace", "fix"))
        case _:
            return Mend(safety, "rename", problems.text(data, "rename", "fix"))


def _group(problems: _Problems, data: dict[str, Any]) -> str:
    if ("principle" in data) == ("group" in data):
        problems.add("name either a `principle` or a `group`")
        return ""
    if "principle" in data:
        return problems.choice(data["principle"], PRINCIPLES, "principle")
    return problems.text(data, "group")


def _claim(
    problems: _Problems, data: dict[str, Any], builtin: bool
) -> tuple[str | None, tuple[Row, ...], str | None]:
    given = [name for name in ("assert", "references", "check") if name in data]
    if len(given) != 1:
        problems.add("name exactly one of `assert`, `references` and `check`")
        return None, (), None
    match given[0]:
        case "assert":
            return problems.text(data, "assert"), (), None
        case "references":
            return None, _rows(problems, data["references"]), None
        case _:
            if not builtin:
                problems.add(
                    "a repository's rules are CEL or references; `check` would run code", "check", key=True
                )
            return None, (), problems.text(data, "check")


def _check_fields(problems: _Problems, message: str, advice: str, scope: Scope) -> None:
    known = (
        "delivery" if scope.on == "delivery" else "object",
        "facts",
        "params",
        *(("item",) if scope.each else ()),
    )
    for name, text in (("message", message), ("help", advice)):
        for root in _FIELD.findall(text):
            if root not in known:
                near = did_you_mean(root, known)
                problems.add(f"{name} names {{{root}}}{near}; known: {', '.join(known)}", name)


def _severity(problems: _Problems, value: Any) -> Severities:
    """One word; words per profile (each may be per tier); or words per tier. A profile that is not
    named takes the next laxer one's, off if there is none."""
    if value is None:
        problems.add("the rule lacks `severity`")
        return {}
    if isinstance(value, dict) and not any(name in _TIERS for name in value):
        problems.mapping(value, PROFILES, "severity")
        result: Severities = {}
        last: dict[Tier, Severity | None] = {"prod": None, "nonprod": None}
        for profile in PROFILES:
            if profile in value:
                last = _tiers(problems, value[profile], "severity", profile)
            result[profile] = last
        return result
    return dict.fromkeys(PROFILES, _tiers(problems, value, "severity"))


def _tiers(problems: _Problems, value: Any, *path: str | int) -> dict[Tier, Severity | None]:
    words = tuple(_WORDS)
    if isinstance(value, dict):
        problems.mapping(value, _TIERS, *path)
        return {tier: _WORDS[problems.choice(value.get(tier, "off"), words, *path, tier)] for tier in _TIERS}
    word = _WORDS[problems.choice(value, words, *path)]
    return dict.fromkeys(_TIERS, word)


def _scope(problems: _Problems, value: Any) -> Scope:
    data = problems.mapping(value, ("on", "kinds", "each", "at"), "scope")
    on = problems.choice(data.get("on", "rendered"), ("rendered", "source", "delivery"), "scope", "on")
    kinds = problems.texts(data.get("kinds", []), "scope", "kinds")
    each = problems.text(data, "each", "scope", needed=False) or None
    at: Path = tuple(problems.text(data, "at", "scope", needed=False).split(".")) if "at" in data else ()
    return Scope(cast("Literal['source', 'rendered', 'delivery']", on), kinds, each, at)


def _rows(problems: _Problems, value: Any) -> tuple[Row, ...]:
    if not isinstance(value, list) or not value:
        problems.add("references must be a list of rows", "references")
        return ()
    return tuple(_row(problems, item, "references", index) for index, item in enumerate(value))


def _row(problems: _Problems, value: Any, *path: str | int) -> Row:
    data = problems.mapping(value, _ROW, *path)
    many: Callable[[str], tuple[str, ...]] = lambda name: problems.texts(data.get(name, []), *path, name)  # noqa: E731
    for name in ("from", "path", "to"):
        if not data.get(name):
            problems.add(f"{_dotted(path)} lacks `{name}`", *path)
    where = problems.choice(data.get("where", "namespace"), ("namespace", "any", "cluster"), *path, "where")
    to = many("to")
    producers = [Producer(*maker) for maker in makers(to)]
    for index, item in enumerate(data.get("producers", [])):
        here = (*path, "producers", index)
        pair = problems.mapping(item, ("kind", "name"), *here)
        producers.append(Producer(problems.text(pair, "kind", *here), problems.text(pair, "name", *here)))
    return Row(
        start=many("from"),
        paths=many("path"),
        to=to,
        where=cast("Literal['namespace', 'any', 'cluster']", where),
        given=many("given"),
        producers=tuple(producers),
        kind=problems.text(data, "kind", *path, needed=False) or None,
        world=cast(
            "Literal['closed', 'open', 'near']",
            problems.choice(data.get("world", "closed"), ("closed", "open", "near"), *path, "world"),
        ),
    )
