"""`python -m tools.controlplane build | agents | path | up DIR | down DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

from gitops_layout.errors import UserError
from tools.controlplane import assets, build, build_agents, start, stop

_USAGE = "usage: python -m tools.controlplane build | agents | path | up DIR | down DIR"


def main(arguments: list[str]) -> int:
    """Run one command and return the process's exit code."""
    match arguments:
        case ["build"]:
            build(lambda line: print(line, flush=True))
        case ["agents"]:
            build_agents(lambda line: print(line, flush=True))
        case ["path"]:
            folder = assets()
            if folder is None:
                print("no control plane is built: run `make controlplane`", file=sys.stderr)
                return 1
            print(folder)
        case ["up", directory]:
            plane = start(Path(directory), controllers=True, detached=True)
            print(f"{plane.server}\nexport KUBECONFIG={plane.kubeconfig}")
        case ["down", directory]:
            stop(Path(directory))
        case _:
            print(_USAGE, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
