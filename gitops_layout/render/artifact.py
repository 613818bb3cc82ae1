"""What a Flux artifact leaves out of a repository: `.sourceignore`, `spec.ignore`, `sparseCheckout`, defaults, links.

The patterns look like git's and are read as Flux reads them: every file by itself, so one below an excluded folder
can be included again, and a `**` stops at the first name that fits. Facts: fluxcd/pkg sourceignore v0.22 and artifact,
source-controller v1.9, go-git v5 (sparse paths are prefixes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from posixpath import basename, dirname

from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["IGNORE_FILE", "LeavesOut", "leaves_out"]

IGNORE_FILE = ".sourceignore"

LeavesOut = Callable[[str], str | None]
"""Why an artifact leaves out a file of the repository; None for one that it holds."""

_VERSIONING = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
_DEFAULTS = (
    "*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip",
    ".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml",
    "codeship-services.yml", "codeship-steps.yml", "**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml",
)  # fmt: skip
"""What is left out where nobody says anything; any pattern of the user's replaces all of these."""

_SUSPECT = regexp(
    r"(^|/)(\.git|\.circleci/|\.travis|\.drone|appveyor|cloudbuild|codeship|\.goreleaser|\.sops|\.flux)"
    r"|\.(jpg|jpeg|gif|png|wmv|flv|tar\.gz|zip)(/|$)"
)
"""Every path that one of our own patterns speaks of has this in it: most have not, and are looked at no further."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern for what lies below the folder `domain`; `why` says who excludes, in words."""

    domain: str
    parts: tuple[str, ...]
    includes: bool
    only_folders: bool
    why: str

    def matches(self, path: str) -> bool:
        """Whether it speaks of the file: by its own name, or by that of a folder above it."""
        if self.domain and not path.startswith(f"{self.domain}/"):
            return False
        names = path[len(self.domain) :].lstrip("/").split("/")
        if len(self.parts) > 1:
            return self._anchored(names)
        first = next((index for index, name in enumerate(names) if _fits(self.parts[0], name)), None)
        return first is not None and not (self.only_folders and first == len(names) - 1)

    def _anchored(self, names: Sequence[str]) -> bool:
        found, roams, position = False, False, 0
        for index, part in enumerate(self.parts):
            if part == "":
                roams = False
            elif part == "**":
                if index == len(self.parts) - 1:
                    break
                roams = True
            elif "**" in part or position >= len(names):
                return False
            elif roams:
                hits = (n for n in range(position, len(names)) if _fits(part, names[n]))
                hit = next(hits, None)
                found, roams = hit is not None, False
                position = len(names) if hit is None else hit + 1
            elif _fits(part, names[position]):
                found, position = True, position + 1
            else:
                return False
        return found and not (self.only_folders and position == len(names))


def _fits(pattern: str, name: str) -> bool:
    matcher = _matcher(pattern)
    return matcher is not None and matcher(name)


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """The test of a name; None for a malformed pattern, which to Flux fits nothing."""
    # Imported when a pattern is tried: most files are looked at no further.
    from gitops_layout.agents.applicationset.globs import PatternError, folder_matcher

    try:
        return folder_matcher(pattern)
    except PatternError:
        return None


def leaves_out(
    repo: Repo, *, ignore: str | None = None, sparse: Sequence[str] = (), own: bool = True, top: str = ""
) -> LeavesOut:
    """What the artifact of a source of this repository leaves out, by its `spec.ignore` and `sparseCheckout`, and with
    `own` by what the tree's `.sourceignore` files say. With `top` the artifact is made of that folder alone.
    """
    below = f"{top}/" if top else ""
    prefixes = tuple(below + path.removeprefix("./") for path in sparse)
    given = list(_given(repo, ignore, prefixes, top)) if own else []
    texts = _VERSIONING if given else (*_VERSIONING, *_DEFAULTS)
    patterns = [*(_parsed(text, top, f"Flux leaves out {text}") for text in texts), *given]
    known: dict[str, str | None] = {}

    def why(path: str) -> str | None:
        entry = repo.entries.get(path)
        if entry is not None and entry.target is not None:
            return "it is a link, and Flux leaves out links"
        if not path.startswith(below):
            return f"the source holds {top} alone"
        if prefixes and not path.startswith(prefixes):
            return "sparseCheckout does not name it"
        if not given and not _SUSPECT.search(path):
            return None
        last = next((pattern for pattern in reversed(patterns) if pattern.matches(path)), None)
        return None if last is None or last.includes else last.why

    def remembered(path: str) -> str | None:
        if path not in known:
            known[path] = why(path)
        return known[path]

    return remembered


def _given(repo: Repo, ignore: str | None, prefixes: tuple[str, ...], top: str) -> Iterator[_Pattern]:
    """The user's patterns, the weakest first: a folder's `.sourceignore` before those below it, then `spec.ignore`."""
    files = [
        path
        for path in (repo.under(top) if top else repo.files)
        if path.endswith(IGNORE_FILE) and basename(path) == IGNORE_FILE and repo.entries[path].target is None
    ]
    for path in sorted(files, key=lambda path: dirname(path).split("/") if dirname(path) else []):
        if not prefixes or path.startswith(prefixes):
            for number, line in enumerate(repo.text(path).split("\n"), 1):
                yield from _line(line, dirname(path), f"{path}:{number} leaves it out")
    for line in (ignore or "").split("\n"):
        yield from _line(line, top, f"spec.ignore of the source leaves it out ({line.strip()})")


def _line(line: str, domain: str, why: str) -> Iterator[_Pattern]:
    line = line.removesuffix("\r")
    if not line.startswith("#") and line.strip():
        yield _parsed(line, domain, why)


def _parsed(text: str, domain: str, why: str) -> _Pattern:
    includes, text = text.startswith("!"), text.removeprefix("!")
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    only_folders, text = text.endswith("/"), text.removesuffix("/")
    return _Pattern(domain, tuple(text.split("/")), includes, only_folders, why)
