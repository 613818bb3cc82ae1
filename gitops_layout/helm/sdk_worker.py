"""A process of its own that renders one chart with helm's library; started by path, imports nothing of ours.

Reads a request from the file that its argument names, and answers as `helm template` does: manifests on
standard output, each under a `# Source:` line, or the reason on standard error and exit code 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath


def main(file: str) -> int:
    """Render what the request asks for: `chart`, `name`, `namespace`, `values`, `crds`, `hooks`."""
    from helm_python.chart import Chart  # type: ignore[import-not-found, unused-ignore]
    from helm_python.errors import HelmError  # type: ignore[import-not-found, unused-ignore]

    asked = json.loads(Path(file).read_bytes())
    try:
        chart = Chart.load(asked["chart"])
        if asked["crds"]:
            for crd in chart.crds:
                _write(crd["filename"], crd["data"])
        rendered = chart.render(asked["values"], name=asked["name"], namespace=asked["namespace"])
    except HelmError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    for name, manifest in sorted(rendered.items()):
        path = PurePosixPath(name)
        if manifest.strip() and path.name != "NOTES.txt" and not path.name.startswith("_"):
            _write(name, manifest)
    return 0


def _write(name: str, manifest: str) -> None:
    sys.stdout.write(f"---\n# Source: {name}\n{manifest}\n")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1]))
