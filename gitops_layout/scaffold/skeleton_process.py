"""Draw one skeleton: a process of its own, since a template that nobody trusts may loop for ever or eat all memory.

`python -m gitops_layout.scaffold.skeleton_process` reads `{engine, folder, answers, trusted, url, version}` as JSON
and prints `{files: {path: [content in base64, executable]}, notes: [text]}` or `{error: text, answer: name}`, the
answer that is at fault or nothing. Whoever starts it sets the limits.

Without trust nothing of a template runs but Jinja in a sandbox: no hook, no task, no extension, no migration.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import Environment

MAX_FILES = 2_000
MAX_BYTES = 32 * 2**20
"""Of all files of a skeleton together."""

_QUESTIONS = "cookiecutter.json"
_COPIER_QUESTIONS = ("copier.yml", "copier.yaml")
# What cookiecutter always has; that of them which does not give something else every time is done here, too.
_OWN_EXTENSIONS = re.compile(r"cookiecutter\.extensions\.\w+|jinja2_time\.TimeExtension")
_JINJA_OPTIONS = frozenset(
    f"{kind}_{end}_string" for kind in ("block", "variable", "comment") for end in ("start", "end")
) | {"line_statement_prefix", "line_comment_prefix", "trim_blocks", "lstrip_blocks", "keep_trailing_newline"}
# These filters of Copier tell of the machine that it runs on.
_OF_THE_MACHINE = ("fileglob", "expandvars", "expanduser", "realpath")

Files = dict[str, tuple[bytes, bool]]
"""Path to content, and whether it is executable."""


class SkeletonError(Exception):
    """What is wrong with the template, or with one `answer`."""

    def __init__(self, message: str, *, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of it; `notes` say what was left out."""

    files: Files
    notes: tuple[str, ...] = ()


def engine_of(folder: Path) -> str:
    """`cookiecutter` or `copier`, by the file with a template's questions. Raises SkeletonError."""
    if (folder / _QUESTIONS).is_file():
        return "cookiecutter"
    if any((folder / name).is_file() for name in _COPIER_QUESTIONS):
        return "copier"
    raise SkeletonError(
        "neither a cookiecutter.json nor a copier.yml is there: it is no template; where it lies in a folder, directory says so"
    )


def draw(
    folder: Path, answers: Mapping[str, Any], *, trusted: bool, url: str = "", version: str = ""
) -> Drawn:
    """The files of the project that the template in `folder` makes, below their own root.

    `answers` go in the place of defaults, nothing is asked. Raises SkeletonError.
    """
    match engine_of(folder), trusted:
        case "cookiecutter", False:
            return cookiecutter(folder, answers, given={"_template": url, "_checkout": version})
        case "cookiecutter", True:
            return _by_cookiecutter(folder, answers)
        case _:
            return _by_copier(folder, answers, trusted=trusted, url=url, version=version)


def cookiecutter(folder: Path, answers: Mapping[str, Any], *, given: Mapping[str, Any]) -> Drawn:
    """What cookiecutter makes of its template, without its hooks and in a sandbox of ours; `given` is what it adds
    to the answers.
    """
    from jinja2 import TemplateError

    try:
        questions = json.loads((folder / _QUESTIONS).read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise SkeletonError(f"{_QUESTIONS}: {error}") from None
    if not isinstance(questions, dict):
        raise SkeletonError(f"{_QUESTIONS} is no mapping of questions")
    if "templates" in questions or isinstance(questions.get("template"), list):
        raise SkeletonError("several templates lie here: name one with skeleton.directory")
    foreign = [str(item) for item in questions.get("_extensions") or () if not _own(item)]
    if foreign:
        raise SkeletonError(f"it brings code into Jinja ({', '.join(foreign)}): only with --trust-hooks")
    options = {
        name: value
        for name, value in (questions.get("_jinja2_env_vars") or {}).items()
        if name in _JINJA_OPTIONS
    }
    top = _top(folder, options.get("variable_start_string", "{{"), options.get("variable_end_string", "}}"))
    jinja = _sandbox((top, folder / "templates"), options)
    try:
        context = {"cookiecutter": {**_answered(questions, answers, jinja), **given}}
        files, links = _project(top, jinja, context)
    except (TemplateError, RecursionError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        at = (getattr(error, "name", None), getattr(error, "lineno", None))
        raise SkeletonError(f"{at[0]}:{at[1]}: {error}" if all(at) else str(error)) from None
    notes = [f"{link} is a symbolic link: left out" for link in links]
    if _holds_files(folder / "hooks"):
        notes.append("its hooks were not run: --trust-hooks runs them, with all that they can do here")
    return Drawn(files, tuple(notes))


def _own(extension: object) -> bool:
    return isinstance(extension, str) and _OWN_EXTENSIONS.fullmatch(extension) is not None


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.iterdir())


def _top(folder: Path, start: str, end: str) -> Path:
    """The folder whose name is the project's, such as `{{cookiecutter.project_slug}}`."""
    for path in sorted(folder.iterdir()):
        name = path.name
        if (
            path.is_dir()
            and not path.is_symlink()
            and "cookiecutter" in name
            and start in name
            and end in name
        ):
            return path
    raise SkeletonError("it has no folder that is called like {{cookiecutter.project_slug}}")


def _sandbox(folders: tuple[Path, ...], options: Mapping[str, Any]) -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    jinja = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        **{"keep_trailing_newline": True, **options},
    )
    jinja.filters["jsonify"] = lambda value: json.dumps(value, sort_keys=True, indent=4)
    jinja.filters["slugify"] = _slug
    return jinja


def _slug(text: object, separator: str = "-") -> str:
    import unicodedata

    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)


def _answered(questions: Mapping[str, Any], answers: Mapping[str, Any], jinja: Environment) -> dict[str, Any]:
    """Every question with its answer, else its default; a default may speak of the answers before it."""
    _refuse_unknown(answers, [name for name in questions if not name.startswith("_")])
    known: dict[str, Any] = {}
    for name, default in questions.items():
        if name == "__prompts__":
            continue
        if name.startswith("_") and not name.startswith("__"):
            known[name] = default
            continue
        value = _rendered(default, jinja, known)
        choices = value if isinstance(value, list) else None
        if name not in answers:
            known[name] = value if choices is None else choices[0] if choices else ""
        elif choices is not None and answers[name] not in choices:
            words = ", ".join(map(str, choices))
            raise SkeletonError(f"{name} is {answers[name]}, and may be {words}", answer=name)
        else:
            known[name] = _of_kind(default, name, answers[name])
    return known


def _refuse_unknown(answers: Mapping[str, Any], asked: list[str]) -> None:
    for name in answers:
        if name not in asked:
            near = get_close_matches(name, asked, 1, 0.6)
            perhaps = f", did you mean {near[0]}?" if near else ""
            text = f"it does not ask for {name}, only for {', '.join(asked) or 'nothing'}{perhaps}"
            raise SkeletonError(text, answer=name)


def _of_kind(default: object, name: str, answer: object) -> object:
    """An answer as cookiecutter holds one to a question with such a default."""
    if isinstance(default, bool) and not isinstance(answer, bool):
        word = str(answer).lower()
        if word not in ("1", "true", "yes", "y", "on", "0", "false", "no", "n", "off"):
            raise SkeletonError(f"{name} is {answer}, and may be true or false", answer=name)
        return word in ("1", "true", "yes", "y", "on")
    return answer if isinstance(default, list | bool) else str(answer)


def _rendered(value: Any, jinja: Environment, known: Mapping[str, Any]) -> Any:
    match value:
        case None | bool():
            return value
        case dict():
            return {
                _rendered(key, jinja, known): _rendered(item, jinja, known) for key, item in value.items()
            }
        case list():
            return [_rendered(item, jinja, known) for item in value]
        case _:
            return jinja.from_string(str(value)).render({"cookiecutter": known})


def _project(top: Path, jinja: Environment, context: Mapping[str, Any]) -> tuple[Files, list[str]]:
    """The files below the project's folder, and the links that were left out."""
    raw = context["cookiecutter"].get("_copy_without_render") or ()
    patterns = [jinja.from_string(str(pattern)).render(context) for pattern in raw]
    ending = context["cookiecutter"].get("_new_lines")
    files: Files = {}
    links: list[str] = []
    size = 0
    for path in _files(top):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            links.append(name)
            continue
        target = _target(name, patterns, jinja, context)
        if target is None:
            continue
        content = path.read_bytes()
        if not _as_it_is(name, content, patterns):
            text = jinja.get_template(name).render(context)
            newline = ending or ("\r\n" if content.partition(b"\n")[0].endswith(b"\r") else "\n")
            content = text.replace("\n", newline).encode()
        size += len(content)
        if len(files) >= MAX_FILES or size > MAX_BYTES:
            raise SkeletonError(f"it makes more than {MAX_FILES:,} files or {MAX_BYTES // 2**20} MiB")
        if target in files:
            raise SkeletonError(f"two of its files become {target}")
        files[target] = content, os.access(path, os.X_OK)
    return files, links


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        here = Path(folder)
        folders.sort()
        yield from (
            here / name for name in sorted([*names, *folders]) if (here / name).is_symlink() or name in names
        )


def _matched(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _as_it_is(name: str, content: bytes, patterns: list[str]) -> bool:
    """Whether a file is copied: it is no text, or the template says so of it or of a folder above."""
    parts = name.split("/")
    if any(_matched("/".join(parts[:end]), patterns) for end in range(1, len(parts) + 1)):
        return True
    try:
        return "\0" in content.decode()
    except UnicodeDecodeError:
        return True


def _target(name: str, patterns: list[str], jinja: Environment, context: Mapping[str, Any]) -> str | None:
    """Where a file goes; None where a part of its path comes to nothing. Raises SkeletonError where it leads out."""
    parts = []
    copied = False  # below a folder that is copied names are what they are
    source = name.split("/")
    for index, part in enumerate(source):
        made = part if copied else jinja.from_string(part).render(context)
        if not made.strip():
            return None
        parts += made.split("/")
        copied = copied or _matched("/".join(source[: index + 1]), patterns)
    return inside("/".join(parts))


def inside(path: str) -> str:
    """A path below the project; SkeletonError where it is none."""
    if not {"", ".", "..", ".git"}.isdisjoint(path.split("/")) or re.search(r"[\x00-\x1f\\]", path):
        raise SkeletonError(f"{path!r} is no place inside the project")
    return path


def _by_cookiecutter(folder: Path, answers: Mapping[str, Any]) -> Drawn:
    """The real one, hooks and extensions included."""
    try:
        from cookiecutter.exceptions import (  # type: ignore[import-untyped,unused-ignore]
            CookiecutterException,
        )
        from cookiecutter.main import cookiecutter as make  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        text = "cookiecutter is not installed: pipx install 'gitops-layout[cookiecutter]'"
        raise SkeletonError(text) from None
    with tempfile.TemporaryDirectory() as scratch:
        try:
            made = make(
                str(folder),
                no_input=True,
                extra_context=dict(answers),
                output_dir=scratch,
                default_config=True,
            )
        except CookiecutterException as error:
            raise SkeletonError(str(error)) from None
        return _read(Path(made))


def _by_copier(folder: Path, answers: Mapping[str, Any], *, trusted: bool, url: str, version: str) -> Drawn:
    """Copier, whose own sandbox refuses what is unsafe unless it is told to trust; tasks are left out."""
    try:
        from copier import Settings, run_copy
        from copier.errors import CopierError
        from jinja2 import TemplateError
        from jinja2_ansible_filters import core_filters  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise SkeletonError("Copier is not installed: pipx install 'gitops-layout[copier]'") from None
    if (asked := _copier_asks(folder)) is not None:  # Copier itself takes any answer, and forgets it
        _refuse_unknown(answers, asked)
    if not trusted:
        every = core_filters.FilterModule.filters
        core_filters.FilterModule.filters = lambda self: {
            name: function for name, function in every(self).items() if name not in _OF_THE_MACHINE
        }
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "project")
        try:
            run_copy(
                str(folder),
                target,
                data=dict(answers),
                defaults=True,
                overwrite=True,
                quiet=True,
                unsafe=trusted,
                skip_tasks=not trusted,
                settings=Settings(),
            )
        except (CopierError, TemplateError, OSError, TypeError, ValueError, LookupError) as error:
            text = f"{error}".strip() or type(error).__name__
            raise SkeletonError(text.replace(str(folder), ".")) from None
        drawn = _read(target)
    notes = list(drawn.notes)
    if not trusted and _has_tasks(folder):
        notes.append("its tasks were not run: --trust-hooks runs them, with all that they can do here")
    files = {
        path: (_from_where(content, str(folder), url, version), executable)
        for path, (content, executable) in drawn.files.items()
    }
    return Drawn(files, tuple(notes))


def _copier_asks(folder: Path) -> list[str] | None:
    """The names of a Copier template's questions; None where they stand in other files, too, or cannot be read."""
    import yaml

    text = next(folder / name for name in _COPIER_QUESTIONS if (folder / name).is_file()).read_text("utf-8")
    try:
        documents = list(yaml.safe_load_all(text))  # which knows no !include
    except (yaml.YAMLError, ValueError):
        return None
    if not all(isinstance(document, dict) for document in documents):
        return None
    return [str(name) for document in documents for name in document if not str(name).startswith("_")]


def _has_tasks(folder: Path) -> bool:
    texts = ((folder / name).read_text("utf-8") for name in _COPIER_QUESTIONS if (folder / name).is_file())
    return any(re.search(r"(?m)^_tasks\s*:", text) for text in texts)


def _from_where(content: bytes, folder: str, url: str, version: str) -> bytes:
    """An answers file that names the template by its URL, not by the folder in our cache."""
    source = f"_src_path: {folder}\n".encode()
    return content.replace(source, f"_commit: {version}\n_src_path: {url}\n".encode())


def _read(top: Path) -> Drawn:
    files: Files = {}
    links = []
    size = 0
    for path in _files(top):
        name = inside(path.relative_to(top).as_posix())
        if path.is_symlink():
            links.append(f"{name} is a symbolic link: left out")
            continue
        size += path.stat().st_size
        if len(files) >= MAX_FILES or size > MAX_BYTES:
            raise SkeletonError(f"it makes more than {MAX_FILES:,} files or {MAX_BYTES // 2**20} MiB")
        files[name] = path.read_bytes(), os.access(path, os.X_OK)
    return Drawn(files, tuple(links))


def main() -> None:
    """Read what is asked, print what comes of it; what a template's own programs print goes nowhere."""
    asked = json.load(sys.stdin)
    answer: dict[str, Any]
    with contextlib.redirect_stdout(sys.stderr):
        try:
            drawn = draw(
                Path(asked["folder"]),
                asked["answers"],
                trusted=asked["trusted"],
                url=asked["url"],
                version=asked["version"],
            )
        except SkeletonError as error:
            answer = {"error": str(error)[:1000], "answer": error.answer}
        else:
            files = {
                path: [base64.b64encode(content).decode(), executable]
                for path, (content, executable) in drawn.files.items()
            }
            answer = {"files": files, "notes": drawn.notes}
    print(json.dumps(answer))  # noqa: T201 - to the process that started this one


if __name__ == "__main__":
    main()
