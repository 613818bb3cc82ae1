"""The ConfigMaps and Secrets that deliveries bring, for those that read their values from them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitops_layout.render.rendered import RenderedObject

__all__ = ["DEFINITION", "ENCRYPTED", "UNDELIVERED", "Lookup", "nothing", "texts"]

ENCRYPTED = " encrypted"
"""After its kind, an object that SOPS encrypted is looked up: its keys can be read, its values cannot."""

UNDELIVERED = " in a file"
"""After its kind, an object is looked up in the files of the repository, delivered or not."""

DEFINITION = "CustomResourceDefinition"
"""With this kind, what defines a kind is looked up in the files of the repository, by its `group/Kind`."""

Lookup = Callable[[str, str, str, str], RenderedObject | None]
"""(cluster, kind, namespace, name) to the ConfigMap or Secret that some delivery brings there."""


def nothing(_cluster: str, _kind: str, _namespace: str, _name: str) -> None:
    """The look-up where nothing is known yet."""
    return


def texts(kind: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a ConfigMap or Secret by key; what is no text is left out."""
    data, plain = found.get("data"), found.get("stringData")
    for key, value in data.items() if isinstance(data, dict) else ():
        if kind != "Secret":
            yield key, str(value)
            continue
        try:
            yield key, base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    for key, value in plain.items() if isinstance(plain, dict) and kind == "Secret" else ():
        yield key, str(value)
