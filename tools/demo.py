"""`make demo`: the main job from an empty folder to a repaired cluster, with every command shown.

The part with a cluster uses a control plane that is built already (`make controlplane`), the one that
KUBEBUILDER_ASSETS names, or a kind cluster of its own where a container engine runs; without any it says
which command brings one. With `--kind` (`make kind`) it is kind or nothing.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_layout.kustomize.exact import kubectl
from tools.controlplane import assets, start
from tools.controlplane.run import CONTEXT

PROGRAM = Path(sys.executable).with_name("gitops-layout")
KIND_CLUSTER = "gitops-layout-demo"
GIT_IDENTITY = ("-c", "user.name=demo", "-c", "user.email=demo@example.test", "-c", "commit.gpgsign=false")


class UnexpectedError(Exception):
    """A step of the demo did not end as it must."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach the demo's API server."""

    name: str
    kubeconfig: Path
    context: str


def say(text: str) -> None:
    """A heading between steps."""
    print(f"\n\033[1m── {text}\033[0m" if sys.stdout.isatty() else f"\n── {text}", flush=True)


def show(
    *command: str | Path,
    cwd: Path,
    code: int = 0,
    lines: int | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command as a user would, print it and what it says (its first `lines`); it must exit with `code`."""
    words = [Path(part).name if index == 0 else str(part) for index, part in enumerate(command)]
    print(f"$ {shlex.join(words)}", flush=True)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    output = (done.stdout + done.stderr).rstrip("\n")
    listed = output.splitlines()
    shown = (
        listed
        if lines is None or len(listed) <= lines
        else [*listed[:lines], f"… {len(listed) - lines} more lines"]
    )
    print("".join(f"  {line}\n" for line in shown), end="", flush=True)
    if done.returncode != code:
        raise UnexpectedError(f"{shlex.join(words)} exited with {done.returncode}, not {code}\n{output}")
    return output


def git(folder: Path, *arguments: str) -> None:
    """Git without the user's identity or settings in the way."""
    subprocess.run(["git", *GIT_IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    """Commit everything."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def replace(file: Path, old: str, new: str) -> None:
    """Edit a file as a person would: one text for another, which must be there."""
    text = file.read_text()
    if old not in text:
        raise UnexpectedError(f"{file} does not contain {old!r}")
    file.write_text(text.replace(old, new))
    print(f"(edit {file.name}: {old} → {new})", flush=True)


def create(folder: Path) -> None:
    """Three environments, two apps."""
    say("Create a repository with three environments and two apps")
    show(PROGRAM, "init", folder, "--defaults", "--agent", "flux", "--env", "dev", "--env", "staging", "--env", "prod", cwd=folder.parent, lines=4)  # fmt: skip
    show(PROGRAM, "add", "app", "web", "--image", "registry.k8s.io/e2e-test-images/agnhost:2.53", "--port", "8080", cwd=folder, lines=4)  # fmt: skip
    show(PROGRAM, "add", "app", "api", cwd=folder, lines=4)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "scaffold")


def check(folder: Path) -> None:
    """Lint clean, plant a mistake, see it on its line, mend it."""
    say("It lints clean, and every environment renders")
    show(PROGRAM, "lint", cwd=folder)
    show(PROGRAM, "render", "web-prod", cwd=folder, lines=12)
    say("A mistake is found on its line")
    version = folder / "apps/web/envs/prod/version/kustomization.yaml"
    replace(version, '"2.53"', "latest")
    found = show(PROGRAM, "lint", cwd=folder, code=1)
    if "apps/web/envs/prod/version/kustomization.yaml:" not in found:
        raise UnexpectedError("the finding does not stand in the version file")
    say("Mended")
    replace(version, "latest", '"2.53"')
    show(PROGRAM, "lint", cwd=folder)


def release(folder: Path) -> None:
    """Change the version in one environment and compare."""
    say("A new version goes to staging first: dev and prod do not change")
    replace(folder / "apps/web/envs/staging/version/kustomization.yaml", '"2.53"', '"2.54"')
    commit(folder, "web 2.54 in staging")
    for environment in ("staging", "prod"):
        print(f"$ gitops-layout render web-{environment} | grep image:", flush=True)
        text = subprocess.run(
            [PROGRAM, "render", f"web-{environment}"], cwd=folder, check=True, capture_output=True, text=True
        ).stdout
        print(
            "".join(f"  {line.strip()}\n" for line in text.splitlines() if "image:" in line),
            end="",
            flush=True,
        )


def heal(folder: Path, cluster: Cluster) -> None:
    """Reconcile, damage by hand, reconcile again."""
    env = {"KUBECONFIG": str(cluster.kubeconfig)}
    reconcile = (PROGRAM, "reconcile", ".", "--env", "dev", "--context", cluster.context, "--once")
    say(f"Reconcile dev to {cluster.name}")
    show(*reconcile, cwd=folder, env=env)
    say("Nothing to do the second time")
    show(*reconcile, "--exit-code", cwd=folder, env=env)
    say("Somebody damages it by hand")
    kube = (kubectl(), "--context", cluster.context, "--namespace", "web")
    show(*kube, "scale", "deployment/web", "--replicas=0", cwd=folder, env=env)
    show(*kube, "delete", "service/web", "--wait=true", cwd=folder, env=env)
    say("The drift is found and repaired")
    show(*reconcile, cwd=folder, env=env)
    show(*kube, "get", "deployment,service", cwd=folder, env=env)


@contextlib.contextmanager
def cluster_at_hand(folder: Path, *, kind: bool) -> Iterator[Cluster | None]:
    """A control plane that is built, else kind where an engine runs, else None; stopped afterwards.

    With `kind` no control plane will do, and UnexpectedError says that there is no engine.
    """
    if assets() is not None and not kind:
        with start(folder, controllers=True) as plane:
            yield Cluster("a local control plane", plane.kubeconfig, CONTEXT)
        return
    if not _kind_works():
        if kind:
            raise UnexpectedError("`kind` is not on PATH, or no container engine answers `docker info`")
        yield None
        return
    folder.mkdir(exist_ok=True)
    kubeconfig = folder / "kubeconfig"
    subprocess.run(
        ["kind", "create", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", kubeconfig, "--wait", "120s"],
        check=True,
    )
    try:
        yield Cluster("a kind cluster", kubeconfig, f"kind-{KIND_CLUSTER}")
    finally:
        subprocess.run(
            ["kind", "delete", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", kubeconfig], check=False
        )


def _kind_works() -> bool:
    if shutil.which("kind") is None or shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Run the whole demo; 1 when a step did not end as it must."""
    with tempfile.TemporaryDirectory(prefix="gitops-layout-demo-") as temporary:
        folder = Path(temporary, "fleet")
        try:
            create(folder)
            check(folder)
            release(folder)
            with cluster_at_hand(Path(temporary, "cluster"), kind="--kind" in arguments) as cluster:
                if cluster is None:
                    say(
                        "No cluster is at hand for the last part: `make controlplane` builds one (once), then `make demo`"
                    )
                else:
                    heal(folder, cluster)
        except UnexpectedError as error:
            print(f"\nthe demo failed: {error}", file=sys.stderr)
            return 1
    say("Done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
