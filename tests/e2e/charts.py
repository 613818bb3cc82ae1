"""A small chart of our own, and a chart repository's view of it."""

from __future__ import annotations

from tests.fetch.support import archive

NAME = "cache"
_TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-chart
data:
  version: {{ .Chart.Version | quote }}
  size: {{ .Values.size | quote }}
"""


def charts(*versions: str, name: str = NAME) -> dict[str, dict[str, bytes]]:
    """Archives by name and version."""
    return {
        name: {
            version: archive(
                {
                    f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
                    f"{name}/values.yaml": "size: 1\n",
                    f"{name}/templates/config.yaml": _TEMPLATE,
                }
            )
            for version in versions
        }
    }
