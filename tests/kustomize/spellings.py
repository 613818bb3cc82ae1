"""Kustomizations that copy, merge or compare a value which is written in some odd way."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

__all__ = ["spelled_oddly"]

SPELLINGS = (
    "1", "-1", "0", "-0", "+1", "00", "08", "017", "0o17", "0644", "0x1F", "0b11", "1_000", "1.", ".5", "1.0", "2.0", "0.0", "1.50",
    "1e3", "1E5", "1.0e+2", "3.0000000000000001", "999999", "1000000", "123456789012", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "99999999999999999999", "true", "True", "FALSE", "yes", "Off", "null", "~", "''",
    "2020-01-01", "2020-1-1", "2020-01-01T00:00:00Z", '"2020-01-01T00:00:00Z"', '"2020-01-01"', "!!timestamp 2020-01-01",
    "!!binary aGk=", "!!str 1.0", "!!int '1'", "!!int 1", "!!float 1", "!!bool true", "! 5", "! y", "!", "! ''", "!x 5", "&a 1.0", "&a ! 5",
    '"1.0"', "'0x1F'", "a:b/c", "1:30", "x", "plain text", "|-\n{0}  1.0", ">-\n{0}  a\n{0}  b", "1.2.3", "v1", "1Gi", "5m",
)  # fmt: skip
USES = (
    "source",
    "source",
    "source",
    "target",
    "target",
    "part",
    "create",
    "variable",
    "merge",
    "generated",
    "selector",
    "element",
    "ports",
    "ports",
)

PORTS = ("80", "81", "443", "0x50", "80.0", "0120", "8e1", "+80", "8_0", "'80'", "!!int 80", "0o120")
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports:\n  - port: {port}\n    protocol: TCP\n"


def spelled_oddly(rnd: Random, name: str) -> Mapping[str, str]:
    """A kustomization with an odd value, which stands in an object, a patch of it or what is generated."""
    odd, other = rnd.choice(SPELLINGS), rnd.choice(SPELLINGS)
    place = rnd.choice(["spec", "labels", "annotations"])
    above = "" if place == "spec" else "  "
    value = odd.format(above + "  ")
    held = f"{above}{place}:\n{above}  v: {value}\n"
    label, spec = ("", held) if place == "spec" else (held, "spec: {a: b}\n")
    if place != "labels" and rnd.random() < 0.3:
        label = f"{label}  labels:\n    day: {other.format('    ')}\n"
    thing = f"apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: {name}\n{label}{spec}"
    thing += f"list:\n- name: {other.format('  ')}\n  w: 1\n- name: x\n"
    texts = f"apiVersion: v1\nkind: {{}}\nmetadata:\n  name: {name}\n{label}data:\n  v: {odd.format('  ')}\n  t: a/b\n"
    kind = rnd.choice(["ConfigMap", "Secret"])
    field = f"{'metadata.' if place != 'spec' else ''}{place}.v"
    service = SERVICE.format(name=name, port=rnd.choice(PORTS))
    files = {"c.yaml": f"{thing}---\n{service}---\n{texts.replace('{}', kind)}"}
    fields = "resources: [c.yaml]\n" + _patched(rnd, name, files, place, odd)
    return {
        f"{name}/{path}": text
        for path, text in {**files, "kustomization.yaml": fields + _use(rnd, name, field, kind, odd)}.items()
    }


def _patched(rnd: Random, name: str, files: dict[str, str], place: str, odd: str) -> str:
    """Perhaps a patch that writes the value again or makes JSON of the object."""
    kind = rnd.choice(["", "", "", "strategic", "json", "inline", "operation"])
    head = f"apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: {name}\n"
    above = "" if place == "spec" else "  "
    merge = f"{head}{above}{place}:\n{above}  v: {odd.format(above + '  ')}\n"
    pointer = f"/{'metadata/' if place != 'spec' else ''}{place}"
    if kind == "":
        return ""
    if kind == "inline":
        return "patches:\n- patch: |\n" + "".join(f"    {line}\n" for line in merge.splitlines())
    files["p.yaml"] = merge
    if kind == "json":
        files["p.yaml"] = "- {op: add, path: /more, value: 1}\n"
    elif kind == "operation":
        files["p.yaml"] = f"- op: add\n  path: {pointer}/v\n  value: {odd.format('  ')}\n"
    return "patches: [{path: p.yaml, target: {kind: Thing}}]\n"


def _use(rnd: Random, name: str, field: str, kind: str, odd: str) -> str:
    use = rnd.choice(USES)
    source = f"{{kind: Thing, fieldPath: {field}}}"
    into = f"select: {{kind: {kind}}}, fieldPaths: [data."
    part = rnd.choice(["", ", options: {delimiter: /, index: 1}", ", options: {delimiter: '.', index: 0}"])
    if use == "source":
        return f"replacements:\n- source: {source}\n  targets: [{{{into}{rnd.choice('tv')}]{part}}}]\n"
    if use == "target":
        wanted = rnd.choice(["w", "5", "1.0", "true", "2020-01-01", "1e3", "0x10", "''"])
        given = rnd.choice(
            [f"sourceValue: '{wanted.strip(chr(39))}'", f"source: {{kind: {kind}, fieldPath: data.v}}"]
        )
        return f"replacements:\n- {given}\n  targets: [{{select: {{kind: Thing}}, fieldPaths: [{field}]{part}}}]\n"
    if use == "part":
        cut = f"{{kind: Thing, fieldPath: {field}, options: {{delimiter: '{rnd.choice('.-x')}', index: 0}}}}"
        return f"replacements:\n- source: {cut}\n  targets: [{{{into}t]}}]\n"
    if use == "create":
        where = rnd.choice(["spec.new", "metadata.labels.new", "metadata.annotations.new"])
        made = f"select: {{kind: Thing}}, fieldPaths: [{where}], options: {{create: true}}"
        return f"replacements:\n- source: {source}\n  targets: [{{{made}}}]\n"
    if use == "variable":
        reference = f"{{apiVersion: example.com/v1, kind: Thing, name: {name}}}"
        variable = f"{{name: V{name}, objref: {reference}, fieldref: {{fieldPath: {field}}}}}"
        return f"vars: [{variable}]\ncommonAnnotations: {{q: $(V{name}), r: p-$(V{name})}}\n"
    generator = f"{kind.lower().replace('map', 'Map')}Generator"
    if use in ("merge", "generated"):
        behavior = rnd.choice(["merge", "replace"])
        literal = "z=1" if rnd.random() < 0.7 else f"t={'' if '{' in odd else odd}"
        text = f'{generator}: [{{name: {name}, behavior: {behavior}, literals: ["{literal.replace(chr(34), "")}"]}}]\n'
        return text + ("namePrefix: p-\n" if use == "generated" else "")
    if use == "selector":
        wanted = rnd.choice(["v", "v=2020-01-01", "v=1", "v=1.0", "v!=2020-01-01", "day in (2020-01-01,x)"])
        chosen = f"select: {{kind: Thing, labelSelector: '{wanted}'}}, fieldPaths: [spec.q], options: {{create: true}}"
        return f"replacements:\n- sourceValue: w\n  targets: [{{{chosen}}}]\n"
    if use == "ports":
        merge = SERVICE.format(name=name, port=rnd.choice(PORTS)).replace("\n", "\n  ")
        return f"patchesStrategicMerge:\n- |\n  {merge.rstrip()}\n      name: new\n"
    path = f"list.[name={rnd.choice(['x', '1', '1.0', '2020-01-01', 'v1'])}].w"
    return f"replacements:\n- sourceValue: '7'\n  targets: [{{select: {{kind: Thing}}, fieldPaths: ['{path}']}}]\n"
