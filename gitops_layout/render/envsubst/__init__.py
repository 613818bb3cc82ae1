"""`${VAR}` and its operators, as Flux expands them in a text.

The syntax looks like a shell's and is not one: every other `${` in a text is an error (`${VAR-default}` too),
arguments are expanded even where they are not needed, and lengths and positions count bytes.
Source: github.com/fluxcd/pkg/envsubst v1.9.0, and `tests/render/test_envsubst_oracle.py` against it.
"""

from gitops_layout.render.envsubst.errors import ExpansionError, Reason
from gitops_layout.render.envsubst.evaluate import Expanded, MaySet, Missing, expand
from gitops_layout.render.envsubst.parse import Part, Reference, parse

__all__ = [
    "Expanded",
    "ExpansionError",
    "MaySet",
    "Missing",
    "Part",
    "Reason",
    "Reference",
    "expand",
    "parse",
]
