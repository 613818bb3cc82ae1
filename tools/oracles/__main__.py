"""`python -m tools.oracles build [NAME…]`: all of them without names."""

from __future__ import annotations

import sys

from gitops_layout.errors import UserError
from tools.oracles import ALL, build


def main(arguments: list[str]) -> int:
    """Run one command and return the process's exit code."""
    match arguments:
        case ["build", *names] if set(names) <= set(ALL):
            build(names or ALL, lambda line: print(line, flush=True))
            return 0
        case _:
            print(f"usage: python -m tools.oracles build [{' | '.join(ALL)}]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
