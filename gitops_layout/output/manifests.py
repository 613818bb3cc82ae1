"""Objects as YAML or JSON that every Kubernetes reader types alike."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from gitops_layout.source.typing import NotJsonError, plain

__all__ = ["to_json", "to_yaml"]


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.Dumper, text: str) -> yaml.Node:
    """Quote what kubectl or kustomize would read as something else than this string."""
    if "\n" in text and not text.startswith((" ", "\n", "\t")) and all(c >= " " or c == "\n" for c in text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = '"' if _ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _ambiguous(text: str) -> bool:
    try:
        return not isinstance(plain(text, "kubectl"), str) or not isinstance(plain(text, "kustomize"), str)
    except NotJsonError:
        return True


_Dumper.add_representer(str, _string)  # type: ignore[arg-type]


def to_yaml(objects: Iterable[dict[str, Any]]) -> str:
    """A multi-document YAML stream, keys in their own order."""
    return "---\n".join(
        yaml.dump(
            data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=False
        )
        for data in objects
    )


def to_json(value: Any) -> str:
    """Indented JSON with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
