"""The commands, put together. Only the named command's module is imported: start-up is most of a short run."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import click
import typer

from opsconsole import __version__
from opsconsole.cli.options import ScreenOption, connected
from opsconsole.config.discover import Options
from opsconsole.errors import ExitCode, UsageError
from opsconsole.text import safe


class ConsoleWanted(Exception):
    """The command line asks for the console, with these options."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.options = options


_COMMANDS = {
    "check": "check",
    "alerts": "listing",
    "silences": "listing",
    "ack": "ack",
    "demo": "demo_command",
    "drill": "drill",
}
"""Command -> the module of this package that has a function of its name."""

_GROUPS = ("config", "playbook", "journal", "silence", "acks", "flags", "guard")
"""Modules of this package whose `app` is a group of commands."""


def make_app(command: str | None = None) -> typer.Typer:
    """The application with one command, or with all of them when `command` is None or not known."""
    app = typer.Typer(
        name="opsconsole",
        help="The terminal console for the engineer on call: panels, alerts with their runbooks inline, "
        "acknowledge, silence, and flag rollback on Prometheus and Alertmanager.",
        no_args_is_help=False,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(console)
    only = command if command in _COMMANDS or command in _GROUPS else None
    for name, module in _COMMANDS.items():
        if only in (None, name):
            app.command(name)(getattr(importlib.import_module(f"opsconsole.cli.{module}"), name))
    for name in _GROUPS:
        if only in (None, name):
            app.add_typer(importlib.import_module(f"opsconsole.cli.{name}").app, name=name)
    return app


def run_command(command: str, argv: list[str]) -> int:
    """Run a command line; the exit code. What is wrong with it is told on stderr."""
    try:
        ended = make_app(command)(args=argv, prog_name="opsconsole", standalone_mode=False)
    except click.ClickException as error:
        _tell_usage(error)
        return error.exit_code
    except click.Abort:
        return 130
    return ended if isinstance(ended, int) else ExitCode.OK


def _tell_usage(error: click.ClickException) -> None:
    """What click has to say of a command line, which may hold anything, made safe."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        sys.stderr.write(error.format_message() + "\n")
        return
    lines = []
    if isinstance(error, click.UsageError) and error.ctx is not None:
        lines = [error.ctx.get_usage(), f"Try '{error.ctx.command_path} --help' for help.", ""]
    lines.append(f"Error: {safe(error.format_message(), 500)}")
    sys.stderr.write("\n".join(lines) + "\n")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opsconsole {__version__}")
        raise typer.Exit


@connected
def console(
    options: Options,
    run: typer.Context,
    screen: ScreenOption = "overview",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Without a command: open the console."""
    run.obj = options
    if run.invoked_subcommand is None:
        raise ConsoleWanted(options)


def console_options(argv: list[str]) -> Options:
    """The options of a command line that opens the console. Raises UsageError."""
    try:
        make_app("demo")(args=argv, prog_name="opsconsole", standalone_mode=False)
    except ConsoleWanted as wanted:
        return wanted.options
    except click.ClickException as error:
        raise UsageError(safe(error.format_message()), hint="opsconsole --help") from None
    raise UsageError("this command line does not open the console", hint="opsconsole --help")
