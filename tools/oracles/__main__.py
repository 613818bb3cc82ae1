"""`python -m tools.oracles build`."""

from __future__ import annotations

import sys

from gitops_layout.errors import UserError
from tools.oracles import BUILD, build


def main(arguments: list[str]) -> int:
    """Run one command and return the process's exit code."""
    if arguments != ["build"]:
        print(f"usage: {BUILD}", file=sys.stderr)
        return 2
    build(lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
