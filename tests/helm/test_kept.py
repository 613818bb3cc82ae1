"""What helm said before is said again only where helm would be given the same."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.helm.chart import walk
from gitops_layout.helm.find import Helm
from gitops_layout.helm.template import Release, template
from gitops_layout.repo.load import from_files

CHART: dict[str, str | bytes] = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "a: 1\n",
    "web/templates/a.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {drawn: "{{ randAlphaNum 30 }}"}\n',
}


class Kept(dict[bytes, bytes]):
    put = dict.__setitem__


def drawn(helm: Helm, kept: Kept | None, files: dict[str, str | bytes], **release: Any) -> str:
    """What the chart drew lots for: another text each time that helm is really asked."""
    repo = from_files(files)
    given = Release(**{"name": "web", "namespace": "shop", **release})
    result = template(helm, repo, walk(repo, "web"), given, kept)
    assert result.problem is None, result.problem
    found: str = result.objects[0].data["data"]["drawn"]
    return found


def test_the_same_chart_and_release_are_answered_without_helm(helm: Helm) -> None:
    kept = Kept()
    first = drawn(helm, kept, CHART)
    assert drawn(helm, kept, CHART) == first
    assert drawn(helm, None, CHART) != first


@pytest.mark.parametrize(
    ("files", "release"),
    [
        ({"web/values.yaml": "a: 2\n"}, {}),
        ({"web/templates/b.yaml": "# nothing\n"}, {}),
        ({}, {"name": "other"}),
        ({}, {"namespace": "other"}),
        ({}, {"values": (b"a: 3\n",)}),
        ({}, {"set": ("a=3",)}),
        ({}, {"flags": ("--kube-version=1.31",)}),
        ({}, {"defaults": b"a: 4\n"}),
    ],
)
def test_whatever_helm_is_given_otherwise_it_is_asked_again(
    helm: Helm, files: dict[str, str | bytes], release: dict[str, Any]
) -> None:
    kept = Kept()
    assert drawn(helm, kept, CHART | files, **release) != drawn(helm, kept, CHART)


def test_a_refusal_is_kept_with_its_place(helm: Helm) -> None:
    kept = Kept()
    repo = from_files(CHART | {"web/templates/a.yaml": "a: 1\nb: {{ .Values.none.such }}\n"})
    problems = [
        template(helm, repo, walk(repo, "web"), Release("web", "shop"), kept).problem for _ in range(2)
    ]
    assert len(kept) == 1
    assert problems[0] is not None
    assert problems[0] == problems[1]
