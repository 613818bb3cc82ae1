"""Our schemas in kubeconform's hands: it is given each as a file in its own layout, and judges objects by them.

kubeconform passes over a schema that it cannot compile and says that it found none; so every object here must be
`valid` or `invalid`. It judges the object as it is written, while we judge what a create stores.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gitops_layout.model import ObjectRef
from gitops_layout.validation.schemas import expand
from tests.agents.gooracle import program
from tests.validation.agreement.cases import mutations
from tests.validation.support import KUBERNETES, SCHEMAS, built_in_objects, custom_objects, verdict

LIMITS = (
    # Ours, theirs: formats that it does not judge, and nulls, which a create drops from custom objects.
    ("expected a time as in", ""),
    ("padded base64", ""),
    ("", "got null"),
)


DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
"""Without it kubeconform reads draft 4, in which our schemas are wrong."""


def export(objects: Iterable[dict[str, Any]], location: str) -> None:
    """Write the schemas of these objects' kinds where kubeconform looks for them in `location`."""
    for data in objects:
        group, _, version = data["apiVersion"].rpartition("/")
        known, *_ = SCHEMAS.find(ObjectRef(data["apiVersion"], data["kind"], "", ""), kubernetes=KUBERNETES)
        place = Path(expand(location, (group, version, data["kind"]), kubernetes=KUBERNETES))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(DRAFT | known.document))


def test_kubeconform_refuses_what_our_schemas_refuse(tmp_path: Path) -> None:
    judge = program("kubeconform")
    built_in, custom = built_in_objects(), custom_objects()
    sound = [*built_in, *custom]
    locations = (
        str(tmp_path / "core"),
        str(tmp_path / "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"),
    )
    export(built_in, locations[0])
    export(custom, locations[1])
    objects = []
    for data in sound:
        first, *others = mutations(data)
        some = random.Random(7).sample(others, min(6, len(others)))
        objects += [first.data, *(case.data for case in some)]
    lines = "".join(f"{json.dumps(data)}\n" for data in objects)
    done = subprocess.run(
        [judge, f"{KUBERNETES}.0", *locations], input=lines, capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    different = []
    for data, answer in zip(objects, answers, strict=True):
        assert answer["status"] in ("valid", "invalid"), (data["kind"], answer)
        mine = "; ".join(v.message for v in verdict(data).violations if v.kind != "cel")
        theirs = answer["error"]
        limit = any((own and own in mine) or (other and other in theirs) for own, other in LIMITS)
        if bool(mine) != (answer["status"] == "invalid") and not limit:
            different.append(f"{data['kind']}: we say {mine!r}, it says {theirs!r}")

    assert len({(data["apiVersion"], data["kind"]) for data in sound}) >= 80
    assert len(objects) >= 500
    assert not different, "\n".join(different)
