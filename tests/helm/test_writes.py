"""Which keys of the values a chart's templates write over."""

from __future__ import annotations

import pytest

from gitops_layout.helm.actions import actions
from gitops_layout.helm.writes import written_keys


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{ $_ := set .Values "a" "q" }}{{ $_ := set $x.y "b" 1 }}{{ unset (index .Values.l 0) "c" }}', {"a", "b", "c"}),
        ('{{ $_ := set (dict "a" 1) "b" 2 }}{{ fail "set .Values a" }}', set()),
        ('{{ $d := dict "a" .Values.a }}{{ range $k, $v := .Values.m }}{{ $_ := set $d $k $v }}{{ end }}', set()),
        ('{{ $p := include "p" . | fromYaml | default dict }}{{ range $k, $v := mergeOverwrite $p $c }}{{ end }}', set()),
        ('{{ $d := dict }}{{ range .l }}{{ $d = include "r" . | fromYaml | mergeOverwrite $d }}{{ end }}', set()),
        ("{{ toYaml (mergeOverwrite (deepCopy .Values.a) .Values.b) }}", set()),
        # A key, or a mapping, that is not known.
        ("{{ $_ := set .Values $k 1 }}", None),
        ("{{ $_ := mergeOverwrite .Values.a .Values.b }}", None),
        ("{{ $_ := mergeOverwrite (dict) .Values.a .Values.b }}", None),
        ("{{ $_ := .Values.b | mergeOverwrite (dict) .Values.a }}", None),
        ('{{ $d := dict "a" .Values.a }}{{ $_ := mergeOverwrite $d .Values.b }}', None),
        ('{{ $d := dict }}{{ $_ := set $d "a" .Values.a }}{{ $_ := mergeOverwrite $d .Values.b }}', None),
        ("{{ $d := dict }}{{ range .Values.l }}{{ $_ := mergeOverwrite $d . }}{{ end }}", None),
        ("{{ $d := dict }}{{ $_ := mergeOverwrite $d .Values.a }}{{ $_ := mergeOverwrite $d .Values.b }}", None),
        ("{{ $d := dict }}{{ if .x }}{{ $d = .Values.a }}{{ end }}{{ $_ := set $d $k 1 }}", None),
        ('{{ $ = dict "Values" .Values.a }}', None),
    ],
)  # fmt: skip
def test_what_templates_write(template: str, expected: set[str] | None):
    assert written_keys([list(actions(template))]) == expected
