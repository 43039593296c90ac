"""`opsconsole guard test-notify` and `guard outbox`: whether messages of a guard arrive, and which did not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.acting import tell
from opsconsole.cli.options import connected
from opsconsole.cli.tables import CELL, write_json, write_table
from opsconsole.config.discover import Options
from opsconsole.errors import ExitCode
from opsconsole.render.times import ago
from opsconsole.text import SafeText, safe, trusted

if TYPE_CHECKING:
    from opsconsole.cli.guard_telling import Shown, Tried

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def add_to(app: typer.Typer) -> None:
    """Make them commands of the group `guard`."""
    app.command("test-notify")(try_channels)
    app.command("outbox")(outbox)


@connected
def try_channels(
    options: Options,
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="NAME", help="Only this channel; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message to each channel, and say whether it was taken.

    PagerDuty gets an alert of severity info, which is resolved at once, and a change event. Ends with 1 when a
    message was not taken.
    """
    from opsconsole.cli.guard_telling import test_channels

    found = test_channels(options, frozenset(channel or ()))
    if as_json:
        write_json(found)
    else:
        write_table(["channel", "result", "took", "message"], [_tried(one) for one in found])
    if not all(one.delivered for one in found):
        raise typer.Exit(ExitCode.FAILED)


@connected
def outbox(
    options: Options,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were sent in the last 30 days.")
    ] = False,
    retry: Annotated[
        list[int] | None, typer.Option("--retry", metavar="NUMBER", help="Let a dead one wait again.")
    ] = None,
    retry_dead: Annotated[bool, typer.Option("--retry-dead", help="Let all the dead ones wait again.")] = False,
    send: Annotated[
        bool, typer.Option("--send", help="Try all that wait now, from here; a running guard does it by itself.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the notifications that are not delivered: those that wait for the next try, and the dead ones.

    A message is dead when its channel refused it for good, or did not take it for 24 hours. Ends with 1 when there
    is a dead one.
    """
    from opsconsole.cli.guard_telling import deliveries

    found = deliveries(
        options, everything=everything, numbers=tuple(retry or ()), retry_dead=retry_dead, send=send
    )
    if as_json:
        write_json(found)
    else:
        head = ["number", "channel", "state", "what", "since", "tries", "next try", "reason"]
        write_table(head, [_row(one, time.time()) for one in found])
        if not found and not everything:
            tell("nothing waits and nothing is dead; --all lists what was sent")
    if any(one.state == "dead" for one in found):
        raise typer.Exit(ExitCode.FAILED)


def _tried(one: Tried) -> list[SafeText]:
    return [
        safe(one.channel),
        trusted("taken" if one.delivered else "FAILED"),
        trusted(f"{one.seconds:.1f} s"),
        safe(" - ".join(part for part in (one.message, one.hint) if part), CELL),
    ]


def _row(one: Shown, now: float) -> list[SafeText]:
    due = "-" if one.next is None else f"in {ago(one.next.timestamp() - now)}"
    return [
        trusted(f"{one.number}"),
        safe(one.channel),
        trusted("DEAD" if one.state == "dead" else one.state),
        one.what,
        safe(f"{ago(now - one.since.timestamp())} ago"),
        trusted(f"{one.tries}"),
        safe(due),
        safe(one.reason, CELL),
    ]
