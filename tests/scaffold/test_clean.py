"""With images by digest, what is scaffolded is clean under every rule there is, without exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scaffold.command import run
from tests.scaffold.specs import LAYOUTS, spec
from tests.scaffold.trees import write

DIGEST = "@sha256:" + "b" * 64
MADE = [
    ("flux", "platform"),
    ("argocd", "platform"),
    ("flux", "monorepo"),
    ("argocd", "tenant"),
    ("builtin", "config"),
]


@pytest.mark.parametrize(("agent", "layout"), MADE)
def test_a_repository_that_pins_its_images_has_no_finding_at_all(
    agent: str, layout: str, tmp_path: Path
) -> None:
    apps = [
        {**app, "image": image if "@" in image else f"{image}{DIGEST}"}
        for app in spec(agent, **LAYOUTS[layout]).model_dump(exclude_none=True)["apps"]
        for image in [app["image"]]
    ]
    changes = {
        **LAYOUTS[layout],
        "apps": [
            {key: app[key] for key in ("name", "image", "environments", "tenant") if key in app}
            for app in apps
        ],
    }
    write(spec(agent, **changes), tmp_path)
    done = run(tmp_path, "lint", "--select", "ALL", "--fail-on", "info")
    assert done.returncode == 0, done.stdout + done.stderr
