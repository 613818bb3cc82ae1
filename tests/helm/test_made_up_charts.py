"""In charts that nobody wrote: what a value's origin names is its cause, with real helm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gitops_layout.graph.link import link
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from tests.helm.charts import make
from tests.helm.test_origins import Key, Place, leaves, of_chart

pytestmark = pytest.mark.usefixtures("helm")

WORD = re.compile(r"[a-z]+")
SCALAR = re.compile(
    r"(?:- )*+(?:[\w.]+: )?+(?![\[>|]|\{[^{]|\{\{.*(?:toYaml|toJson|nindent|[a-z] \"shop\.h))\S.*"
)
IDENTITY = re.compile(r"kind:|apiVersion:|name: thing|\{\{-? \$?\w")


def rendered(files: Mapping[str, str]) -> tuple[dict[Key, Any], dict[Key, list[Place]]] | None:
    """The leaves by their object's name, and the lines and values that wrote each; None if helm refuses the chart."""
    repo = from_files(dict(files))
    (release,) = link(repo, render=Renders(repo)).rendered.values()
    if release.failure is not None:
        return None
    values: dict[Key, Any] = {}
    places: dict[Key, list[Place]] = {}
    for item in release.objects:
        for path, value in leaves(item.data):
            if path == ("metadata", "namespace"):
                continue  # the agent's
            found = [place for place in (item.origin(path), *item.earlier(path)) if place.span or place.path]
            values[item.ref.name, path] = value
            places[item.ref.name, path] = [
                (place.file, repo.span(place).start, repo.span(place).end) for place in found
            ]
    return values, places


def in_template(place: Place) -> bool:
    return "/templates/" in place[0]


def signs(files: Mapping[str, str], places: set[Place]) -> dict[Place, tuple[str, str]]:
    """For each place whose text can be another one: a sign that is nowhere else, and the text with it."""
    found = {}
    for number, place in enumerate(sorted(places)):
        text, sign = files[place[0]][place[1] : place[2]], f"zq{number}z"
        if not in_template(place):
            word = WORD.search(text)
            assert word is not None, f"{place} is no scalar: {text}"
            found[place] = sign, text.replace(word[0], sign)
        elif SCALAR.fullmatch(text) and not IDENTITY.match(text):
            key = re.match(r"(?:- )*(?:[\w.]+: )?", text)
            found[place] = sign, f"{key[0] if key is not None else ''}{sign}"
    return found


def changed(files: Mapping[str, str], signed: Mapping[Place, tuple[str, str]]) -> dict[str, str]:
    new = dict(files)
    for file, start, end in sorted(signed, reverse=True):
        new[file] = new[file][:start] + signed[file, start, end][1] + new[file][end:]
    return new


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_every_place_that_is_claimed_is_a_cause(seed: int):
    template, helpers, values, over = make(Random(seed))
    files = of_chart(template, values, helpers)
    if over:
        files["app.yaml"] += f"    helm:\n      {'values: |' if seed % 2 else 'valuesObject:'}\n"
        files["app.yaml"] += "".join(f"        {key}: {value}\n" for key, value in over.items())
    before = rendered(files)
    assume(before is not None)
    assert before is not None
    claims = {place for places in before[1].values() for place in places}
    for part in (
        {place for place in claims if in_template(place)},
        {p for p in claims if not in_template(p)},
    ):
        signed = signs(files, part)
        after = rendered(changed(files, signed))
        assert after is not None
        for key, places in before[1].items():
            text = str(after[0].get(key, "")).lower()
            for place in signed.keys() & set(places):
                assert signed[place][0] in text or (key not in after[0] and in_template(place)), (place, key)
            if places and not in_template(places[0]):
                others = [place for place in signed.keys() - set(places) if signed[place][0] in text]
                assert not others, (key, places, others)
