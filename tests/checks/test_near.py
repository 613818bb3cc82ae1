"""Words that checks put into their messages."""

from __future__ import annotations

import pytest

from gitops_layout.checks.near import with_article


@pytest.mark.parametrize(
    ("kind", "spoken"),
    [
        ("ConfigMap", "a ConfigMap"),
        ("ExternalSecret", "an ExternalSecret"),
        ("Ingress", "an Ingress"),
        ("User", "a User"),
        ("HTTPRoute", "an HTTPRoute"),
        ("TLSRoute", "a TLSRoute"),
        ("L2Advertisement", "an L2Advertisement"),
        ("Helm", "a Helm"),
    ],
)
def test_a_kind_has_the_article_with_which_it_is_spoken(kind: str, spoken: str) -> None:
    assert with_article(kind) == spoken
