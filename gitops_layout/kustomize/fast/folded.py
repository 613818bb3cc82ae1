"""Folded texts (`>`) as kustomize writes them: its YAML library adds a line in front of each that stands further right.

It writes an object and reads it again once, on its way to JSON, wherever that is; so a text that nobody looks at before
may be taken at once for what it becomes. In sigs.k8s.io/kustomize these are `RNode.MarshalJSON` and, in its
go.yaml.in/yaml/v3, `yaml_emitter_write_folded_scalar`.
"""

from __future__ import annotations

from gitops_layout.patterns import regexp
from gitops_layout.source.reader import read

__all__ = ["refolded"]

# What is written in block style, by the simplest header: nothing that is not printable, no blanks at the ends of lines.
_USUAL = regexp(r"[!-~][ -~]*(\n+[ -~]+)*\n?\Z")
_BLANKS = regexp(r" (\n|\Z)")
_HEADER = regexp(r">-?[ ]*\r?\n")


def refolded(value: object, source: str, start: int) -> str | None:
    """What kustomize makes of a folded text that stands at `start` of its file's source; None where that is not known."""
    if not isinstance(value, str) or not _HEADER.match(source, start):
        return None
    if not _USUAL.match(value) or _BLANKS.search(value):
        return None
    body = []
    breaks = further = True
    for character in value:
        if character == "\n":
            body.append("\n" if breaks or further else "\n\n")
            breaks = True
            continue
        if breaks:
            further = character == " "
            body.append("  ")
        body.append(character)
        breaks = False
    written = read(f"k: >{'' if value.endswith(chr(10)) else '-'}\n{''.join(body)}\n", "", mode="kustomize")
    text = written.documents[0].data["k"]
    return text if isinstance(text, str) else None
