"""Charts that nobody wrote: what a template can say, put together at random.

Few values, so that many are alike, and a claim that only looks right is found out when one of them is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import yaml

__all__ = ["Made", "make"]

WORDS = ("same", "same", "other", "third")
KEYS = ("alpha", "beta", "gamma", "delta")


@dataclass
class Made:
    """A chart on its way: the values that its templates ask for, its helpers, and how many keys there are."""

    rnd: Random
    values: dict[str, Any] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    count: int = 0

    def key(self, prefix: str = "k") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def pick(self, *of: Any) -> Any:
        return self.rnd.choice(of)

    def maybe(self, share: float = 0.5) -> bool:
        return self.rnd.random() < share

    def open(self) -> str:
        """The beginning of an action that prints nothing: it mostly eats the blanks before it."""
        return "{{- " if self.maybe(0.8) else "{{ "

    def close(self) -> str:
        return " }}" if self.maybe(0.9) else " -}}"

    def scalar(self) -> str:
        """A new value of the chart, or one that others print too."""
        known = [key for key, value in self.values.items() if isinstance(value, str)]
        if known and self.maybe(0.2):
            return f"$.Values.{self.pick(*known)}"
        key = self.key("v")
        self.values[key] = self.pick(*WORDS)
        return f"{self.pick('$', '$', '')}.Values.{key}" if self.root else f"$.Values.{key}"

    root: bool = True
    """Whether the dot is what the chart is rendered with."""

    def flag(self) -> str:
        key = self.key("b")
        self.values[key] = self.maybe()
        return f"$.Values.{key}"

    def mapping(self) -> str:
        key = self.key("m")
        self.values[key] = {self.key(): self.pick(*WORDS) for _ in range(self.rnd.randint(1, 3))}
        if self.maybe(0.3):
            self.values[key][self.key()] = [self.pick(*WORDS) for _ in range(2)]
        if self.maybe(0.3):
            self.values[key][self.key()] = {self.key(): self.pick(*WORDS)}
        return f"$.Values.{key}"

    def flat(self) -> str:
        key = self.key("f")
        self.values[key] = {name: self.pick(*WORDS) for name in KEYS[: self.rnd.randint(1, 3)]}
        return f"$.Values.{key}"

    def sequence(self) -> str:
        key = self.key("l")
        self.values[key] = [self.pick(*WORDS) for _ in range(self.rnd.randint(0, 3))]
        return f"$.Values.{key}"


def _print(made: Made) -> str:
    """An action that prints a scalar, with its text around."""
    one = made.scalar()
    return str(
        made.pick(
            f"{{{{ {one} }}}}",
            f"{{{{ {one} }}}}",
            f'"{{{{ {one} }}}}"',
            f"{{{{ {one} | quote }}}}",
            f'{{{{- {one} | nindent 0 | trim | printf " %s" }}}}',
            f'{{{{ {one} | default "given" }}}}',
            f"{{{{ default {made.scalar()} {one} }}}}",
            f"{{{{ {one} | default {made.scalar()} }}}}",
            f'{{{{ printf "%s-%s" {one} {made.scalar()} }}}}',
            f'"{{{{ {one} }}}}:{{{{ {made.scalar()} }}}}"',
            f"{{{{ {one} }}}}-{made.pick(*WORDS)}",
            f"{{{{ {one} }}}} # of {made.pick(*WORDS)}",
            f"{{{{ upper {one} }}}}",
            f"{{{{ if {made.flag()} }}}}{{{{ {one} }}}}{{{{ else }}}}{made.pick(*WORDS)}{{{{ end }}}}",
            f'{{{{ tpl "{{{{ {one.replace("$", "")} }}}}" $ }}}}',
            f"{{{{ ternary {one} {made.scalar()} {made.flag()} }}}}",
            f'{{{{ index $.Values "{one.rpartition(".")[2]}" }}}}',
            made.pick(*WORDS),
            f"'{made.pick(*WORDS)}'",
        )
    )


def _entry(made: Made, pad: str) -> list[str]:
    return [f"{pad}{made.key()}: {_print(made)}"]


def _quiet(made: Made, pad: str) -> list[str]:
    one = made.pick(
        f"{pad}# {made.pick(*WORDS)}: {made.pick(*WORDS)}",
        f"{pad}# {{{{ {made.scalar()} }}}}",
        "",
        f"{pad}{{{{- /* {made.key()}: {made.pick(*WORDS)} */}}}}",
    )
    return [one]


def _assigned(made: Made, pad: str) -> list[str]:
    name = f"$x{made.key()}"
    return [f"{pad}{made.open()}{name} := {made.scalar()}{' }}'}", f"{pad}{made.key()}: {{{{ {name} }}}}"]


def _below(made: Made, pad: str, depth: int) -> list[str]:
    return [f"{pad}{made.key()}:", *block(made, pad + "  ", depth - 1)]


def _if(made: Made, pad: str, depth: int) -> list[str]:
    lines = [f"{pad}{made.open()}if {made.flag()}{made.close()}".replace(" -}}", " }}")]
    lines += block(made, pad, depth - 1)
    if made.maybe():
        lines += [
            f"{pad}{made.open()}else{made.pick('', f' if {made.flag()}')} }}}}",
            *block(made, pad, depth - 1),
        ]
    return [*lines, f"{pad}{{{{- end }}}}"]


def _with(made: Made, pad: str, depth: int) -> list[str]:
    over = made.flat()
    inner = f"{{{{ .{KEYS[0]} }}}}"
    body = made.pick(
        [f"{pad}{made.key()}: {inner}"],
        [f"{pad}{made.key()}:", f"{pad}  {{{{- toYaml . | nindent {len(pad) + 2} }}}}"],
        [f'{pad}{{{{- toYaml (dict "{made.key()}" .{KEYS[0]}) | nindent {len(pad)} }}}}'],
        [f"{pad}{made.key()}: {inner}", *_inside(made, pad, depth)],
    )
    return [f"{pad}{{{{- with {over} }}}}", *body, f"{pad}{{{{- end }}}}"]


def _inside(made: Made, pad: str, depth: int) -> list[str]:
    before, made.root = made.root, False
    lines = block(made, pad, depth - 1)
    made.root = before
    return lines


def _range(made: Made, pad: str, depth: int) -> list[str]:
    key = made.key()
    return list(
        made.pick(
            [
                f"{pad}{key}:",
                f"{pad}  x: y",
                f"{pad}  {{{{- range $k, $v := {made.flat()} }}}}",
                f"{pad}  {{{{ $k }}}}: {{{{ $v }}}}",
                f"{pad}  {{{{- end }}}}",
            ],
            [
                f"{pad}{key}:",
                f"{pad}  - first",
                f"{pad}  {{{{- range {made.sequence()} }}}}",
                f"{pad}  - {{{{ . }}}}",
                f"{pad}  {{{{- end }}}}",
                f"{pad}  - {_print(made)}",
            ],
            [
                f"{pad}{key}:",
                f"{pad}{{{{- range $i, $e := {made.sequence()} }}}}",
                f"{pad}- name: {{{{ $e }}}}",
                f"{pad}  at: {{{{ $.Values.{_word(made)} }}}}",
                f"{pad}{{{{- end }}}}",
                f"{pad}- name: {_print(made)}",
            ],
            [f"{pad}{key}:", f'{pad}  - {{{{ join "," {made.sequence()} }}}}z', f"{pad}  - {_print(made)}"],
            [
                f"{pad}{key}: [{{{{ range {made.sequence()} }}}}{{{{ . }}}}, {{{{ end }}}}{_print(made).partition(' #')[0]}]"
            ],
        )
    )


def _word(made: Made) -> str:
    return made.scalar().rpartition(".")[2]


def _yaml(made: Made, pad: str, depth: int) -> list[str]:
    key, over = made.key(), made.mapping()
    deep = len(pad) + 2
    return list(
        made.pick(
            [f"{pad}{key}:", f"{pad}  {{{{- toYaml {over} | nindent {deep} }}}}"],
            [f"{pad}{key}: {{{{- toYaml {over} | nindent {deep} }}}}"],
            [f"{pad}{key}:", f"{{{{ toYaml {over} | indent {deep} }}}}"],
            [
                f"{pad}{key}:",
                f"{pad}  {made.key()}: {_print(made)}",
                f"{pad}  {{{{- toYaml {over} | nindent {deep} }}}}",
                f"{pad}  {made.key()}: {_print(made)}",
            ],
            [f"{pad}{key}: {{{{ toJson {over} }}}}"],
            [
                f"{pad}{key}:",
                f'{pad}  {{{{- toYaml (merge (dict "{made.key()}" {made.scalar()}) {over}) | nindent {deep} }}}}',
            ],
            [f"{pad}{key}: {{{{ {over} | toYaml | quote }}}}"],
            [f"{pad}{key}: {{{{ {over} | toYaml | sha256sum }}}}"],
        )
    )


def _text(made: Made, pad: str, depth: int) -> list[str]:
    key, sign = made.key(), made.pick("|", "|-", ">", ">-")
    inner = [
        *(f"{pad}  {made.key()}: {_print(made)}" for _ in range(made.rnd.randint(1, 2))),
        *(
            (f"{pad}  {{{{- if {made.flag()} }}}}", f"{pad}  - {made.pick(*WORDS)}", f"{pad}  {{{{- end }}}}")
            if made.maybe(0.4)
            else ()
        ),
        *(
            (f"{pad}  {{{{- toYaml {made.mapping()} | nindent {len(pad) + 2} }}}}",)
            if made.maybe(0.3)
            else ()
        ),
    ]
    return [f"{pad}{key}: {sign}", *inner]


def _helper(made: Made, pad: str, depth: int) -> list[str]:
    name = made.pick(*made.names) if made.names and made.maybe(0.4) else ""
    if not name:
        name = f"shop.{made.key('h')}"
        before, made.root = made.root, False
        body = block(made, made.pick("", ""), depth - 1) or [""]
        made.root = before
        start, stop = made.pick(
            ("{{- define", "{{- end }}"), ("{{ define", "{{ end }}"), ("{{- define", "{{- end -}}")
        )
        made.helpers.append("\n".join([f'{start} "{name}"{made.pick(" }}", " -}}")}', *body, stop]))
        made.names.append(name)
    key, deep = made.key(), len(pad) + 2
    call = f'{made.pick("include", "include")} "{name}" $'
    return list(
        made.pick(
            [f"{pad}{key}:", f"{pad}  {{{{- {call} | nindent {deep} }}}}"],
            [f"{pad}{key}:", f"{{{{ {call} | trim | indent {deep} }}}}"],
            [f"{pad}{key}: {{{{- {call} | nindent {deep} }}}}"],
            [
                f"{pad}{key}:",
                f"{pad}  {made.key()}: {_print(made)}",
                f"{pad}  {{{{- {call} | nindent {deep} }}}}",
                f"{pad}  {made.key()}: {_print(made)}",
            ],
            [f"{pad}{key}: {{{{ {call} | sha256sum }}}}"],
            [f"{pad}{key}: {{{{ {call} | quote }}}}"],
            [f"{pad}{key}: |", f"{pad}  {{{{- {call} | nindent {deep} }}}}"],
            [f"{pad}{{{{- if {call} }}}}", f"{pad}{key}: {_print(made)}", f"{pad}{{{{- end }}}}"],
            [f"{pad}{{{{- $t{key} := {call} }}}}", f"{pad}{key}: {{{{ $t{key} | quote }}}}"],
            [f"{pad}{key}:", f"{pad}  {{{{- toYaml (fromYaml ({call})) | nindent {deep} }}}}"],
            [
                f"{pad}{{{{- $o{key} := {call} | fromYaml }}}}",
                f"{pad}{key}:",
                f"{pad}  {{{{- toYaml $o{key} | nindent {deep} }}}}",
            ],
            [f"{pad}{key}:", f"{pad}  {{{{- tpl ({call}) $ | nindent {deep} }}}}"],
        )
    )


def _name(made: Made, pad: str, depth: int) -> list[str]:
    """A helper that prints one word."""
    name = f"shop.h{made.key()}"
    word = _print(made).partition(" #")[0].replace("' '", "")
    made.helpers.append(f'{{{{- define "{name}" -}}}}\n{word}\n{{{{- end -}}}}')
    return [
        f'{pad}{made.key()}: {{{{ {made.pick("include", "template")} "{name}" $ }}}}{made.pick("", "", "-same")}'
    ]


def _set(made: Made, pad: str, depth: int) -> list[str]:
    known = [key for key, value in made.values.items() if isinstance(value, str)] or ["none"]
    return [f'{pad}{{{{- $_ := set $.Values "{made.pick(*known)}" "{made.pick(*WORDS)}" }}}}']


def _flow(made: Made, pad: str, depth: int) -> list[str]:
    parts = [f"{made.key()}: {{{{ {made.scalar()} }}}}" for _ in range(2)]
    return [f"{pad}{made.key()}: {{ {', '.join(parts)} }}"]


def block(made: Made, pad: str, depth: int) -> list[str]:
    """Entries of a mapping at an indentation; at least one that is always there."""
    simple: list[Callable[..., list[str]]] = [_entry, _entry, _quiet, _assigned]
    deep: list[Callable[..., list[str]]] = [
        _below,
        _if,
        _if,
        _with,
        _range,
        _range,
        _yaml,
        _text,
        _helper,
        _helper,
        _name,
        _flow,
    ]
    lines = _entry(made, pad)
    for _ in range(made.rnd.randint(0, 4)):
        if depth > 0 and made.maybe(0.6):
            lines += made.pick(*deep)(made, pad, depth)
        elif depth > 0 and made.maybe(0.04):
            lines += _set(made, pad, depth)
        else:
            lines += made.pick(*simple)(made, pad)
    return lines


def _document(made: Made, name: str) -> list[str]:
    head = ["apiVersion: x.example.com/v1", "kind: Thing", "metadata:", f"  name: {name}"]
    if made.maybe(0.4):
        head += ["  labels:", *block(made, "    ", 1)]
    return [*head, "spec:", *block(made, "  ", 4)]


def make(rnd: Random) -> tuple[str, str, str, dict[str, Any]]:
    """A template, its helpers, the chart's values as text, and those that the release sets over them."""
    made = Made(rnd)
    documents = []
    for number in range(rnd.randint(1, 3)):
        looped = bool(number) and made.maybe(0.2)
        made.root = not looped
        lines = _document(made, f"thing-{number}")
        if number and not looped and made.maybe(0.3):
            lines = [f"{{{{- if {made.flag()} }}}}", "---", *lines, "{{- end }}"]
        elif looped:
            lines = [
                f"{{{{- range {made.sequence()} }}}}",
                "---",
                *(
                    line.replace("thing-", "thing-{{ . }}-") if line.startswith("  name:") else line
                    for line in lines
                ),
                "{{- end }}",
            ]
        elif number:
            lines = ["---", *lines]
        documents.append("\n".join(lines))
    over = {
        key: rnd.choice(WORDS)
        for key, value in made.values.items()
        if isinstance(value, str) and made.maybe(0.2)
    }
    values = yaml.safe_dump(made.values, sort_keys=made.maybe())
    return "\n".join(documents) + "\n", "\n".join(made.helpers) + "\n", values, over
