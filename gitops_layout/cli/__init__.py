"""The command line: the only place that prints or exits. One module a verb, imported when it is called."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from importlib import import_module
from typing import NoReturn

import click

from gitops_layout import __version__
from gitops_layout.errors import UserError
from gitops_layout.passwords import without_passwords

__all__ = ["main", "root"]

# verb → (module, what --help says). The text stands here so that `--help` imports no verb.
COMMANDS = {
    "init": ("init", "Create a GitOps repository from a declarative spec."),
    "scaffold": ("scaffold", "Converge the repository to gitops.yaml."),
    "add": ("add", "Add an app, environment, cluster or tenant, then converge."),
    "remove": ("remove", "Remove an app, environment, cluster or tenant, then converge."),
    "rename": ("rename", "Rename an app, environment, cluster or tenant; hand edits move along."),
    "list": ("list_", "List the apps, environments, clusters or tenants of gitops.yaml."),
    "promote": ("promote", "Bring a version of an app from one environment into another."),
    "skew": ("skew", "Say which environment is behind which, and by how much."),
    "versions": ("versions", "Show what the templates pin, and what of it is older here."),
    "lint": ("lint", "Check a repository against the OpenGitOps principles."),
    "explain": ("explain", "Explain a rule."),
    "rules": ("rules_", "List the rules, or test your own."),
    "render": ("render", "Print the objects that a delivery or kustomization yields."),
    "diff": ("diff", "Show what a change does in each cluster."),
    "fetch": ("fetch", "Bring what lies outside into the store, pinned by a lock."),
    "graph": ("graph", "Show what is delivered where, by whom, from which files."),
    "cache": ("cache", "Show or remove what is kept of earlier runs."),
    "reconcile": ("reconcile", "Apply an environment to a cluster and keep it so."),
}
EXIT_INTERNAL = 4
EXIT_INTERRUPTED = 130


class _Lazy(click.Group):
    """A group that imports a verb's module only when the verb is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"gitops_layout.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 3)
            hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
            ctx.fail(f"no such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 clean, 1 findings or differences, 2 usage or invalid input, 3 incomplete, 4 internal error.",
)
@click.version_option(__version__, prog_name="gitops-layout")
def root() -> None:
    """Scaffold, lint, render and reconcile GitOps repositories for Flux and Argo CD."""


def main() -> None:
    """Run the command line and exit with the codes of the contract."""
    _leave(_run())


def _run() -> int:
    # Whoever ends us so wants no half-written files, no temporary folders and no processes of ours left, as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # it was closed before we began
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - to the end
    try:
        code = root.main(prog_name="gitops-layout", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        if not error.filename:
            return _internal(error)
        denied = UserError(
            f"{error.filename}: {error.strerror}",
            "give whoever runs this the right to it, or name another place",
        )
        click.echo(f"error: {denied}", err=True)
        return denied.exit_code
    except Exception as error:
        return _internal(error)
    return code if isinstance(code, int) else 0


def _leave(code: int) -> NoReturn:
    """End with what is yet to be said and tidied up, but without taking our memory apart: the system does that at once."""
    if threading.active_count() > 1:
        sys.exit(code)  # somebody is still at work, and is waited for
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to run them and then leave
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # Python says what it could not write
    os._exit(code)


def _internal(error: Exception) -> int:
    if os.environ.get("GITOPS_LAYOUT_DEBUG"):
        raise error
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" at {where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
    click.echo(f"internal error: {type(error).__name__}: {without_passwords(str(error))}{place}", err=True)
    click.echo(
        "  help: this is a bug of gitops-layout; GITOPS_LAYOUT_DEBUG=1 shows the whole trace", err=True
    )
    return EXIT_INTERNAL
