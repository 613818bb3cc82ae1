"""Kustomizations whose files are YAML written in every odd way that their values allow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random

__all__ = ["written"]

PLAIN = (
    "a", "y", "no", "on", "Off", "1", "010", "1.0", "true", "~", "null", "2001-01-01", "2001-1-1", "''", '"a"', "'y'", '"2001-01-01"',
    "!!str y", "!!str 2001-01-01", "!!timestamp 2001-01-01", '!!timestamp "2001-01-01"', "!!int '1'", "! y", "99999999999999999999", "", "",
    r'"a\/b"', r'"\tx\ny"', r'"a\Nb"',
)  # fmt: skip
KEYS = ("a", "b", "y", "n", "on", '"x"', "'q'", '"y"', '"true"')
PLACES = ("resource", "resource", "strategic", "target", "inline", "operation", "plugin", "list")


def written(rnd: Random, name: str) -> Mapping[str, str]:
    """A kustomization of one object; the odd text stands in it or in what patches it."""
    place = rnd.choice(PLACES)
    odd = _Writer(rnd)
    text = odd.block(2, 3)
    head = f"apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: {name}}}\n"
    plain = f"{head}spec: {rnd.choice(['{a: 1, b: {a: 1}}', '{y: [a], n: {}}'])}\n"
    if rnd.random() < 0.5:
        plain = f"{head}spec:\n  a: 1\n  b:\n    a: 1\n  y: {{}}\n"
    spec = f"spec:\n{text}" if rnd.random() < 0.7 else f"spec: {odd.flow(3)}\n"
    whole = f"{head}{spec}"
    if rnd.random() < 0.2:
        whole = whole.rstrip("\n")
    if rnd.random() < 0.05:
        whole = (
            rnd.choice(
                [
                    "%YAML 1.1\n---\n",
                    "# c\n%TAG ! tag:x,2000:\n---\n",
                    "--- # c\n",
                    "---\n---\n",
                    "---\n# c\n---\n",
                ]
            )
            + whole
        )
    fields, files = "resources: [c.yaml]\n", {"c.yaml": plain}
    if place in ("resource", "list"):
        files["c.yaml"] = whole if place == "resource" else _listed(whole)
    elif place == "strategic":
        fields += "patches: [{path: p.yaml}]\n"
    elif place == "target":
        fields += "patches: [{path: p.yaml, target: {kind: Thing}}]\n"
    elif place == "inline":
        fields += f"patches: [{{patch: {json.dumps(whole)}}}]\n"
    elif place == "operation":
        whole = f"- op: add\n  path: /spec/new\n  value:\n{_right(text)}" if rnd.random() < 0.5 else f"- {{op: add, path: /spec/new, value: {odd.flow(2)}}}\n"  # fmt: skip
        fields += "patches: [{path: p.yaml, target: {kind: Thing}}]\n"
    else:
        whole = (
            f"apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {{name: {rnd.choice('yna')}}}\n"
        )
        whole += f"annotations: {odd.flow(1)}\nfieldSpecs: [{{path: metadata/annotations, create: true}}]\n"
        fields += "transformers: [p.yaml]\n"
    if place not in ("resource", "list"):
        files["p.yaml"] = whole
    if rnd.random() < 0.3:
        fields += rnd.choice(["namePrefix: p-\n", "commonLabels: {z: z}\n", "namespace: z\n"])
    if rnd.random() < 0.05:
        fields += "labels: [{pairs: {z: z}, fields: [{path: metadata/annotations}]}]\n"
    if rnd.random() < 0.05:
        fields = rnd.choice(["---\n", "---\n---\n", "# c\n---\n# c\n---\n"]) + fields
    return {f"{name}/{path}": content for path, content in {**files, "kustomization.yaml": fields}.items()}


def _right(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.rstrip("\n").split("\n"))


def _listed(text: str) -> str:
    first, _, rest = text.partition("\n")
    return (
        f"apiVersion: v1\nkind: List\nitems:\n- {first}\n{_right(rest)}" if first[:1] not in "%-#" else text
    )


class _Writer:
    """Writes values; `anchors` are those that may be referred to."""

    def __init__(self, rnd: Random) -> None:
        self.rnd = rnd
        self.anchors = 0

    def scalar(self) -> str:
        rnd = self.rnd
        if self.anchors and rnd.random() < 0.15:
            return f"*a{rnd.randrange(self.anchors)} "
        text = rnd.choice(PLAIN)
        if rnd.random() < 0.15:
            self.anchors += 1
            text = f"&a{self.anchors - 1} {text}"
        return text

    def keys(self) -> list[str]:
        return self.rnd.sample(KEYS, self.rnd.randint(1, 3))

    def flow(self, depth: int) -> str:
        """A mapping or list on one line."""
        rnd = self.rnd
        if rnd.random() < 0.3 and depth < 3:
            items = [self.inner(depth - 1) or "''" for _ in range(rnd.randint(0, 2))]
            items += [rnd.choice(["a: ", "? q", "? y : n", '"x":y'])] if rnd.random() < 0.2 else []
            return "[" + ", ".join(items) + "]"
        pairs = []
        for key in self.keys():
            colon = ":" if key[0] in "\"'" and rnd.random() < 0.5 else ": "
            pairs.append(
                f"{key}{colon}{self.inner(depth - 1)}"
                if rnd.random() < 0.9
                else rnd.choice([key, f"? {key}"])
            )
        return "{" + ", ".join(pairs) + rnd.choice(["", ", ", " "]) + "}"

    def inner(self, depth: int) -> str:
        """What stands in a flow mapping or list."""
        if depth > 0 and self.rnd.random() < 0.4:
            return self.flow(depth)
        text = self.scalar()
        return text if text or self.rnd.random() < 0.3 else "a"

    def block(self, indent: int, depth: int) -> str:
        """A mapping in lines that are indented."""
        rnd, blanks = self.rnd, " " * indent
        if rnd.random() < 0.2 and depth < 3:
            return "".join(f"{blanks}-{self.below(indent, depth)}" for _ in range(rnd.randint(1, 2)))
        lines = ""
        for key in self.keys():
            head = f"? {key}\n{blanks}:" if rnd.random() < 0.1 else f"{key}:"
            lines += f"{blanks}{head}{self.below(indent, depth)}"
        return lines

    def below(self, indent: int, depth: int) -> str:
        """What stands behind a key's colon or a dash, with the end of the line."""
        rnd, blanks = self.rnd, " " * (indent + 2)
        chance = rnd.random()
        if depth > 1 and chance < 0.3:
            return f"\n{self.block(indent + 2, depth - 1)}"
        if chance < 0.5:
            return f" {self.flow(2)}\n"
        if chance < 0.65:
            head = rnd.choice([">", ">-", ">+", "|", "|-", "!!str >"])
            gap = rnd.choice([" ", f"\n{blanks}"])
            inner = f"{blanks}  " if gap != " " else blanks
            body = rnd.choice(["x\n", "x\n{0}y\n", "x\n{0}  y\n{0}z\n", "x\n\n\n{0}y\n", "x\n\n"]).format(
                inner
            )
            return f"{gap}{head}\n{inner}{body}"
        return f" {self.scalar()}\n"
