"""`lint --fix`: edits that mend findings, tried on the whole repository before a byte is written."""

from __future__ import annotations

import codecs
import difflib
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from gitops_layout.cli.loading import again
from gitops_layout.cli.remembered import Said
from gitops_layout.lint import fix
from gitops_layout.lint.report import exit_code
from gitops_layout.model import Severity
from gitops_layout.passwords import without_passwords
from gitops_layout.system import write_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitops_layout.cli.loading import Loaded
    from gitops_layout.lint.report import Finding, Report
    from gitops_layout.repo.model import Repo

__all__ = ["fixed"]

_ROUNDS = 10
"""Fixes that overlap wait for the next round; a fix that brings forth another is not followed for ever."""


def fixed(loaded: Loaded, report: Report, options: dict[str, Any], judge: Callable[[Loaded], Report]) -> Said:
    """Mend, judge again, and say what was mended and what is left; with `dry_run` only as a diff.

    A file whose edits would bring a new finding is left as it is, and said to be.
    """
    original = loaded.graph.repo
    files: dict[str, bytes] = {}
    mended: list[Finding] = []
    refused: set[str] = set()
    now = report
    for _ in range(_ROUNDS):
        wanted = [f for f in fix.chosen(now.findings, unsafe=options["unsafe"]) if not _touches(f, refused)]
        if not wanted:
            break
        repo = original.over(files) if files else original
        made = fix.apply(wanted, {edit.file: _text(repo, edit.file) for f in wanted for edit in _edits(f)})
        tried = {
            **files,
            **{name: _encoded(original.content(name), text) for name, text in made.files.items()},
        }
        reloaded = again(loaded, tried, options["config_file"], beside=options["beside"])
        later = judge(reloaded)
        if worse := _worse(now, later, made.findings):
            read = _readers(loaded, reloaded)
            blamed = worse.files | {file for name in worse.deliveries for file in read.get(name, ())}
            refused |= worse.files & made.files.keys() or blamed & made.files.keys() or made.files.keys()
            continue
        files, now = tried, later
        mended += made.findings
    if not options["dry_run"]:
        for name, content in files.items():
            write_named(loaded.root / name, content)
    fail_on = Severity(options["fail_on"]) if options["fail_on"] else loaded.config.fail_on
    return Said(
        [_words(loaded, files, mended, refused, now, options)],
        code=exit_code(report if options["dry_run"] else now, fail_on),
        lasting=False,
    )


def _text(repo: Repo, file: str) -> str:
    """The text that places in a file are counted in: that of JSON may have its escaped characters written out."""
    return repo.stream(file).text if file.endswith(".json") else repo.text(file)


def _edits(finding: Finding) -> tuple[Any, ...]:
    return finding.fix.edits if finding.fix is not None else ()


def _touches(finding: Finding, files: set[str]) -> bool:
    return any(edit.file in files for edit in _edits(finding))


def _encoded(old: bytes, text: str) -> bytes:
    mark = codecs.BOM_UTF8 if old.startswith(codecs.BOM_UTF8) else b""
    return mark + text.encode()


class _Worse(NamedTuple):
    """Where something is worse than before: files, and the deliveries that show it."""

    files: set[str]
    deliveries: set[str]


def _worse(before: Report, after: Report, mended: tuple[Finding, ...]) -> _Worse | None:
    """What has a finding of a kind that it had fewer of, or that is still there, and what can be seen no more; nothing
    in particular where a rule crashed; None where all is well.
    """
    old, new = _counts(before), _counts(after)
    for finding in mended:
        old[finding.file, finding.rule.id] -= 1
    more = {kind for kind, count in new.items() if count > old[kind]}
    seen = {state.unchecked for state in before.coverage.open}
    lost = [state.unchecked for state in after.coverage.open if state.unchecked not in seen]
    if not more and not lost and len(after.crashes) <= len(before.crashes):
        return None
    told = [finding for finding in after.findings if (finding.file, finding.rule.id) in more]
    return _Worse(
        {file for file, _ in more} | {gone.location.file for gone in lost if gone.location is not None},
        {a.delivery for finding in told for a in finding.affected if a.delivery}
        | {gone.delivery for gone in lost if gone.delivery is not None},
    )


def _readers(*loaded: Loaded) -> dict[str, set[str]]:
    """The files that each delivery reads, before the edits or after them."""
    read: dict[str, set[str]] = {}
    for one in loaded:
        for name, rendered in one.graph.rendered.items():
            read.setdefault(name, set()).update(rendered.files)
    return read


def _counts(report: Report) -> Counter[tuple[str, str]]:
    return Counter((finding.file, finding.rule.id) for finding in report.findings)


def _words(
    loaded: Loaded,
    files: Mapping[str, bytes],
    mended: list[Finding],
    refused: set[str],
    left: Report,
    options: dict[str, Any],
) -> str:
    lines: list[str] = []
    if options["dry_run"]:
        for name, content in sorted(files.items()):
            old, new = loaded.graph.repo.text(name), content.decode("utf-8-sig")
            shown = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2
            )
            lines += map(without_passwords, shown)
    for finding in mended:
        lines.append(
            f"{finding.file}:{finding.span.line}: mended[{finding.rule.id} {finding.rule.name}] {finding.message}"
        )
    lines += [f"{name}: left as it is: the edits would bring a new finding" for name in sorted(refused)]
    more = sum(f.fix is not None and f.fix.safety == "unsafe" for f in left.findings)
    verb = "would be mended" if options["dry_run"] else "mended"
    summary = f"{len(mended)} {verb} in {len(files)} file{'s' if len(files) != 1 else ''}, {len(left.findings)} left"
    if more and not options["unsafe"]:
        summary += f"; --unsafe mends {more} more"
    return "\n".join([*lines, summary]) + "\n"
