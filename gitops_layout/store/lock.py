"""`.gitops-layout/fetch.lock.yaml`: what lies outside the repository, and which content of it was brought.

The file is committed, so the same revision is the same everywhere: each entry names a reference as the
repository has it, what it resolved to, and the digest of the content. It is untrusted like any file of
a repository: an entry that could lead out of the store is refused.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import yaml

from gitops_layout.errors import UserError
from gitops_layout.passwords import cleaned
from gitops_layout.source import reader
from gitops_layout.store.content import is_sha256
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitops_layout.model import Path
    from gitops_layout.source.document import Document

__all__ = [
    "LOCK",
    "Asked",
    "Entry",
    "Kind",
    "Lock",
    "Reference",
    "dump",
    "read",
]

LOCK = ".gitops-layout/fetch.lock.yaml"

Kind = Literal["helm-chart", "oci-artifact", "kustomize-base", "git-source"]
Asked = Literal["", "version", "tag", "semver", "digest", "branch", "commit"]
"""What a reference asks its source for; "" is the source's own default: newest chart, HEAD, `latest`."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_ASKED: tuple[Asked, ...] = get_args(Asked)[1:]
_NARROWED = {"filter": "semverFilter", "layer": "mediaType"}
"""What narrows a reference, and what Flux and the lock call it."""
_RESOLVED = ("version", "commit", "digest")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """Something outside, as the repository names it.

    `url` is a chart repository, a registry repository (`oci://…`), a git URL, or for a kustomize base the
    whole text. `name` is a chart's name, empty where the URL is the chart's own. `value` belongs to
    `asked`: a version or range, a tag, a branch, …, as written. `filter` and `layer` are as in `Revision`. A password
    in the URL is left out.
    """

    kind: Kind
    url: str
    name: str = ""
    asked: Asked = ""
    value: str = ""
    filter: str = ""
    layer: str = ""

    def __post_init__(self) -> None:
        cleaned(self, "url")

    def __str__(self) -> str:
        what = f"{self.kind} {self.name} of {self.url}" if self.name else f"{self.kind} {self.url}"
        # Argo CD asks for a branch, a tag or a commit by one and the same field.
        asked = "revision" if self.asked == "branch" else self.asked
        if not asked:
            return what
        tags = f" among tags like {self.filter}" if self.filter else ""
        layer = f", layer {self.layer}" if self.layer else ""
        return f"{what} ({asked} {self.value}{tags}{layer})"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the lock: `sha256` is the content's, the rest says what the reference resolved to.

    `version` is a chart's version or a tag, `commit` a git commit, `digest` an OCI manifest's. `path`
    leads inside the unpacked archive to what the reference means ("" is its top); None where the
    content is no archive but that file itself.
    """

    reference: Reference
    sha256: str
    version: str = ""
    commit: str = ""
    digest: str = ""
    path: str | None = ""

    @property
    def resolved(self) -> str:
        """What identifies the content at its source, for people: a version, commit or digest."""
        return self.version or self.commit or self.digest or f"sha256:{self.sha256}"


@dataclass(frozen=True)
class Lock:
    """All entries; a reference has at most one."""

    entries: tuple[Entry, ...] = ()

    @cached_property
    def by_reference(self) -> Mapping[Reference, Entry]:
        """The entries by what they are for."""
        return {entry.reference: entry for entry in self.entries}


def dump(entries: Iterable[Entry]) -> bytes:
    """The lock file's bytes, sorted, so that equal entries are equal bytes."""
    lines = ["# Written by `gitops-layout fetch`: commit it.", "version: 1", "entries:"]
    for entry in sorted(entries, key=lambda entry: entry.reference):
        reference = entry.reference
        named = {"url": reference.url, "name": reference.name, reference.asked: reference.value}
        named |= {word: getattr(reference, field) for field, word in _NARROWED.items()}
        resolved = {name: getattr(entry, name) for name in _RESOLVED}
        lines.append(f"  - kind: {reference.kind}")
        lines.append(f"    reference: {_flow(named)}")
        lines.append(f"    resolved: {_flow(resolved)}")
        if entry.path is not None:
            lines.append(f"    path: {_quoted(entry.path)}")
        lines.append(f"    sha256: {_quoted(entry.sha256)}")
    if len(lines) == 3:
        lines[2] = "entries: []"
    return ("\n".join(lines) + "\n").encode()


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {_quoted(text)}" for name, text in values.items() if name and text) + "}"


def _quoted(text: str) -> str:
    """Double-quoted on one line, whatever the text holds: a version like 1.20 stays a text."""
    return str(yaml.dump(text, Dumper=yaml.CSafeDumper, default_style='"', width=2**30)).rstrip("\n")


def read(content: bytes, file: str = LOCK) -> Lock:
    """The lock in these bytes. Raises UserError that names file, line and column of what is wrong."""
    stream = reader.read(content, file)
    if stream.problems:
        problem = stream.problems[0]
        raise _refused(f"{file}:{problem.line}:{problem.column}: {problem.message}")
    if len(stream.documents) != 1:
        raise _refused(f"{file}: holds {len(stream.documents)} documents instead of one")
    document = stream.documents[0]
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("entries"), list):
        raise _wrong(document, (), "a mapping with `version` and a list of `entries` is expected")
    if data.get("version") != 1:
        raise UserError(
            f"{_at(document, ('version',))}: version {data.get('version')!r}, this gitops-layout knows 1",
            "install a newer one",
        )
    entries = tuple(_entry(document, index, row) for index, row in enumerate(data["entries"]))
    seen: set[Reference] = set()
    for index, entry in enumerate(entries):
        if entry.reference in seen:
            raise _wrong(document, ("entries", index), f"a second entry for {entry.reference}")
        seen.add(entry.reference)
    return Lock(entries)


def _entry(document: Document, index: int, row: Any) -> Entry:
    here: Path = ("entries", index)
    if not isinstance(row, dict):
        raise _wrong(document, here, "an entry is a mapping")
    kind = row.get("kind")
    if kind not in _KINDS:
        raise _wrong(document, (*here, "kind"), f"the kind is one of {', '.join(_KINDS)}")
    named = _texts(
        document, (*here, "reference"), row.get("reference"), ("url", "name", *_ASKED, *_NARROWED.values())
    )
    resolved = _texts(document, (*here, "resolved"), row.get("resolved"), _RESOLVED)
    asked = [name for name in _ASKED if name in named]
    if "url" not in named or len(asked) > 1:
        raise _wrong(document, (*here, "reference"), "a reference has a `url` and asks for one thing at most")
    sha256, path = row.get("sha256"), row.get("path")
    if not isinstance(sha256, str) or not is_sha256(sha256):
        raise _wrong(document, (*here, "sha256"), "a SHA-256 has 64 lower-case hexadecimal digits")
    if path is not None and (not isinstance(path, str) or path.startswith("/") or ".." in path.split("/")):
        raise _wrong(document, (*here, "path"), "the path leads inside the content, without `..`")
    value = named[asked[0]] if asked else ""
    narrowed = {field: named.get(word, "") for field, word in _NARROWED.items()}
    reference = Reference(
        kind, named["url"], named.get("name", ""), asked[0] if asked else "", value, **narrowed
    )
    return Entry(reference, sha256, path=path, **resolved)


def _texts(document: Document, here: Path, value: Any, known: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong(document, here, "a mapping is expected")
    for name, text in value.items():
        if name not in known or not isinstance(text, str):
            raise _wrong(document, (*here, name), f"texts under {', '.join(known)} are expected")
    return value


def _at(document: Document, path: Path) -> str:
    span = document.span(path)
    return f"{document.file}:{span.line}:{span.column}"


def _wrong(document: Document, path: Path, words: str) -> UserError:
    return _refused(f"{_at(document, path)}: {words}")


def _refused(message: str) -> UserError:
    return UserError(
        message, "restore it from git, or delete it and run `gitops-layout fetch`, which writes it anew"
    )
