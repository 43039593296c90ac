"""`opsconsole guard`: the process that rolls flags back without a person."""

from __future__ import annotations

from typing import Annotated

import typer

from opsconsole.cli import guard_simulate
from opsconsole.cli.guard_notify import add_to
from opsconsole.cli.options import connected
from opsconsole.config.discover import Options

app = typer.Typer(help="The guard, which rolls flags back by itself: arm it, watch it.", no_args_is_help=True)


@app.command("run")
@connected
def run(
    options: Options,
    once: Annotated[bool, typer.Option("--once", help="Make one round and end.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write nothing and tell nobody, armed or not, beside a guard that may."),
    ] = False,
    log: Annotated[str, typer.Option(metavar="text|json", help="How standard error is written.")] = "text",
) -> None:
    """Guard: watch the rules of the context's playbooks, and roll flags back when they say so.

    Only while it is armed (`guard arm`) and no kill switch is pulled; else it says what it would do. Of several
    guards with one state folder one acts. It runs until SIGTERM or ctrl+c, and tells on standard error each event
    and each change. With --once it fails when something was not known or went wrong.
    """
    from opsconsole.errors import UsageError

    if log not in ("text", "json"):
        raise UsageError("--log is text or json", hint="--log json")
    from opsconsole.cli.guard_run import run_guard

    code = run_guard(options, once=once, dry_run=dry_run, as_json=log == "json")
    if code:
        raise typer.Exit(code)


@app.command("arm")
@connected
def arm_(
    options: Options,
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 1m to 7d.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is journalled.")],
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Do not ask. In production it counts only together with --context."),
    ] = False,
) -> None:
    """Let the guard write, for a time.

    Until then, and after that, it only says what it would do. In production the name of the context is typed.
    Arming again replaces what was. The kill switch and `guard disarm` end it at once.
    """
    from opsconsole.cli.guard_arm import arm
    from opsconsole.render.times import parse_duration

    arm(options, parse_duration(lasts), reason, yes=yes)


@app.command("disarm")
@connected
def disarm_(options: Options) -> None:
    """Let the guard write no more, at once. Never asks."""
    from opsconsole.cli.guard_arm import disarm

    disarm(options)


@app.command("status")
@connected
def status(
    options: Options,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show whether the guard does its work, and where each of its rules is.

    From its file on this machine, else from its metrics in Prometheus. The word on the first line is that of
    `check --only flags.guard`.

    Exit code 0 OK, 1 WARNING (not armed though expected, kill switch, undelivered), 3 CRITICAL (it has stopped) or
    UNKNOWN (it is blind, or not known); as of `systemctl status`, where `check` has 2 for CRITICAL.
    """
    from opsconsole.cli.guard_status import show_status

    code = show_status(options, as_json=as_json)
    if code:
        raise typer.Exit(code)


@app.command("rules")
def rules() -> None:
    """Print the alert rules about the guard itself, for Prometheus' `rule_files`."""
    _print("rules.yaml")


@app.command("unit")
def unit() -> None:
    """Print a systemd unit that runs the guard."""
    _print("opsconsole-guard.service")


def _print(name: str) -> None:
    from importlib.resources import files

    from opsconsole.cli.tables import write_text

    write_text((files("opsconsole.guard") / name).read_text(encoding="utf-8"))


add_to(app)
guard_simulate.add_to(app)
