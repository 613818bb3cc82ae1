"""Our schemas of built-in kinds beside the validator of kubernetes-validate, whose data they are made of.

Where it differs from us it is for a limit of its own, which `LIMITS` names by words of the two verdicts.
"""

from __future__ import annotations

import random
from typing import Any

import kubernetes_validate

from tests.validation.agreement.cases import mutations
from tests.validation.support import KUBERNETES, built_in_objects, verdict

LIMITS = (
    # Ours, theirs: the first names what they do not judge, the second what they refuse and the server takes.
    ("padded base64", ""),
    ("a time as in", ""),
    ("expected at most", ""),
    ("expected at least", ""),
    ("stands in the list already", ""),
    ("", "None is valid under each of"),
    ("", "is a required property"),
    ("", "None is not of type"),
    ("got null", ""),
)


def explained(mine: str, theirs: str) -> bool:
    return any((own and own in mine) or (other and other in theirs) for own, other in LIMITS)


def cases(objects: list[dict[str, Any]], each: int) -> list[dict[str, Any]]:
    """Sound objects and some of their mutations, always the same."""
    found = []
    for data in objects:
        sound, *others = mutations(data)
        found += [
            sound.data,
            *(case.data for case in random.Random(7).sample(others, min(each, len(others)))),
        ]
    return found


def ours(data: dict[str, Any]) -> str:
    return "; ".join(violation.message for violation in verdict(data).violations if violation.kind != "cel")


def test_kubernetes_validate_refuses_what_our_schemas_refuse() -> None:
    objects = cases(built_in_objects(), 9)
    different = []
    for data in objects:
        mine, theirs = ours(data), ""
        try:
            kubernetes_validate.validate(data, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            theirs = error.message
        if bool(mine) != bool(theirs) and not explained(mine, theirs):
            different.append(f"{data['kind']}: we say {mine!r}, it says {theirs!r}")

    assert len(objects) >= 500
    assert not different, "\n".join(different)
