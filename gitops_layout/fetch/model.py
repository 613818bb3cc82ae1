"""What is wanted from outside, what a source says it has, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from gitops_layout.model import Location
from gitops_layout.passwords import cleaned
from gitops_layout.semver import newest
from gitops_layout.store.lock import Entry, Reference
from gitops_layout.values import dataclass

__all__ = ["Brought", "FetchError", "Found", "Outcome", "Status", "Want", "none_fits"]

Status = Literal["fetched", "kept", "updated", "missing", "moved", "newer", "failed", "external"]
"""What came of a reference.

`kept`: the lock and the store already have it. `updated`: it resolves to something else than the lock
said, which `--update` allows. `missing`: not in the lock, or not in the store. `moved`: what should not
change (a version, a tag, a file) has other content than the lock says. `newer`: a branch or range now
resolves to something else. `external`: the config declares it outside, so it was left alone.
`missing` and `newer` come from `--check` only.
"""


class FetchError(Exception):
    """Why something could not be fetched; the outcome that is made of it holds no password."""


_SHOWN = 3
"""That many versions are named where none fits."""


def none_fits(where: str, versions: Sequence[str], wanted: str) -> FetchError:
    """That no version at `where` is what is wanted; it names the newest, as they are listed where none is a release."""
    left, latest = list(versions), list[str]()
    while len(latest) < _SHOWN and (version := newest(left, "")) is not None:
        left.remove(version)
        latest.append(version)
    named = latest or versions[:_SHOWN]
    shown = ", ".join(named) or "nothing"
    some = (
        f"{len(versions)} versions, such as" if len(versions) > len(named) else "none but" if versions else ""
    )
    return FetchError(" ".join(f"{where} has {some} {shown}, and none is {wanted}".split()))


@dataclass(frozen=True, slots=True)
class Want:
    """Something remote that the repository names, where it first does; `url` may hold a password.

    `paths` are the folders of a source's tree that are delivered: what they name is wanted in turn.
    """

    reference: Reference
    location: Location
    url: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brought:
    """Content that lies in the store now, and the path inside it that the reference means."""

    sha256: str
    path: str | None = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference resolves to at its source. What is not known before the download is empty.

    `floating` says that it may rightly resolve to something else tomorrow: a branch, a range.
    """

    bring: Callable[[], Awaitable[Brought]]
    version: str = ""
    commit: str = ""
    digest: str = ""
    sha256: str = ""
    floating: bool = False

    def entry(self, reference: Reference, brought: Brought) -> Entry:
        """The line of the lock for it."""
        return Entry(reference, brought.sha256, self.version, self.commit, self.digest, brought.path)

    def agrees(self, entry: Entry) -> bool:
        """Whether it is what the lock says, as far as can be told without the content."""
        pairs = (
            (self.commit, entry.commit), (self.digest, entry.digest), (self.sha256, entry.sha256),
        )  # fmt: skip
        known = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        return all(ours == theirs for ours, theirs in known or [(self.version, entry.version)])

    @property
    def identity(self) -> str:
        """What it is at its source, for people."""
        digest = self.digest or (f"sha256:{self.sha256}" if self.sha256 else "")
        return " ".join(text for text in (self.version, self.commit or digest) if text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one want; `entry` is its line of the new lock, if it has one."""

    want: Want
    status: Status
    why: str = ""
    entry: Entry | None = None

    def __post_init__(self) -> None:
        cleaned(self, "why")
