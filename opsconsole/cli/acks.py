"""`opsconsole acks`: who has what for how long, and keeping one's own without the screens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from opsconsole.cli.acting import Acting, ClusterOption, report
from opsconsole.cli.options import connected
from opsconsole.cli.tables import CELL, write_json, write_table
from opsconsole.config.discover import Options
from opsconsole.errors import ExitCode, Refused, UsageError
from opsconsole.model.acks import AckMark, age, extended_by, is_mine, mark_of
from opsconsole.model.matchers import Matcher, format_matchers
from opsconsole.model.silences import Silence
from opsconsole.render.times import left, parse_duration, span
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe

app = typer.Typer(help="List the acknowledgements, and keep your own.", no_args_is_help=True)

LONGEST_INTERVAL = 60.0
"""Seconds: an ack ends within a minute of its alert."""


class AckShown(msgspec.Struct, frozen=True, kw_only=True):
    """One active ack, as `acks list --json` prints it. `age` and `left` are seconds; `mark` is "", `stale` or
    `asks again`; `alerts` are the fingerprints that it hides now."""

    id: str
    cluster: str
    by: SafeText
    reason: SafeText
    since: datetime
    ends: datetime
    age: float
    left: float
    mark: str
    mine: bool
    extended_by: SafeText
    matchers: tuple[Matcher, ...]
    alerts: tuple[str, ...]


@app.command("list")
@connected
def list_(
    options: Options,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    stale: Annotated[bool, typer.Option("--stale", help="Only those that are stale or ask again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the active acks, whoever made them and with what, the oldest on top.

    An ack is a silence whose comment begins with ACK!, as those of kthxbye and karma do.
    """
    from opsconsole.cli.listing import collect, need
    from opsconsole.cli.wiring import open_reading, os_user

    opened = open_reading(options)
    user = os_user(opened.context)
    snapshot = collect(opened, {"alerts", "silences", "extender"}, rows=False)
    need(snapshot, lambda s: [c.silences for c in s.clusters], "Alertmanager")
    need(snapshot, lambda s: [c.alerts for c in s.clusters], "Alertmanager")
    shown = [one for one in _shown(snapshot, user) if (one.mine or not mine) and (one.mark or not stale)]
    if as_json:
        write_json(shown)
        return
    where = ["cluster"] if len(snapshot.clusters) > 1 else []
    write_table(
        ["id", *where, "by", "on", "alerts", "age", "ends in", "state", "reason"],
        [
            [
                safe(one.id),
                *(safe(one.cluster, 40) for _ in where),
                one.by,
                safe(format_matchers(one.matchers), CELL),
                safe(str(len(one.alerts))),
                span(one.age),
                left(one.left),
                safe(one.mark or (f"extended by {one.extended_by}" if one.extended_by else "not extended")),
                safe(one.reason, CELL),
            ]
            for one in shown
        ],
    )


def _shown(snapshot: Snapshot, user: str) -> list[AckShown]:
    hidden: dict[str, list[str]] = {}
    for alert in snapshot.alerts():
        for id in alert.status.silenced_by:
            hidden.setdefault(id, []).append(alert.fingerprint)
    acks = [s for s in snapshot.silences().values() if s.is_ack and s.status.state == "active"]
    acks.sort(key=lambda s: (-age(s, snapshot.now_at(s.cluster)), s.id))
    return [_ack(s, snapshot, user, tuple(sorted(hidden.get(s.id, ())))) for s in acks]


def _ack(silence: Silence, snapshot: Snapshot, user: str, alerts: tuple[str, ...]) -> AckShown:
    now, policy, extender = snapshot.now_at(silence.cluster), snapshot.context.acks, snapshot.extender
    mark = mark_of(silence, now, policy, user=user, extender=extender)
    by = "" if mark is AckMark.ASKS else extended_by(silence, user=user, extender=extender)
    return AckShown(
        id=silence.id,
        cluster=silence.cluster,
        by=silence.owner,
        reason=silence.reason,
        since=silence.starts_at,
        ends=silence.ends_at,
        age=round(age(silence, now), 3),
        left=round(max(0.0, silence.ends - now), 3),
        mark=mark.value,
        mine=is_mine(silence, user),
        extended_by=safe("your open console or `acks keep`") if by and by == "this console" else safe(by),
        matchers=silence.matchers,
        alerts=alerts,
    )


@app.command("again")
@connected
def again(
    options: Options,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `acks list` prints them.")],
    cluster: ClusterOption = "",
) -> None:
    """Acknowledge again: your acks begin their age anew and are kept for another maximum age."""
    with Acting(options) as acting:
        known = {s.id: s for s in acting.silences(acting.chosen(cluster))}
        for id in ids:
            if id not in known or not known[id].is_ack:
                raise Refused(f"there is no ack {safe(id, 60)}; nothing was done", hint="opsconsole acks list")
        outcomes = [acting.run(acting.runner.ack_again(known[id])) for id in dict.fromkeys(ids)]
    report(outcomes)


@app.command("keep")
@connected
def keep(
    options: Options,
    once: Annotated[bool, typer.Option("--once", help="Look one time and end.")] = False,
    interval: Annotated[
        str, typer.Option(metavar="DURATION", help="How often to look: 1s to 1m.", show_default=True)
    ] = "20s",
) -> None:
    """Do for your acks what an open console does: extend them while their alert fires, end them with it.

    It runs until ctrl+c or SIGTERM and tells on standard error what it does. Several may run, also beside a
    console. With --once it fails when something was not known or did not work.
    """
    from opsconsole.cli.acks_keep import run_keep  # only here: asking for help needs no database
    from opsconsole.cli.finish import Finished

    seconds = parse_duration(interval)
    if not 1.0 <= seconds <= LONGEST_INTERVAL:
        raise UsageError(f"--interval {safe(interval, 40)} is not between 1s and 1m", hint="--interval 20s")
    if not run_keep(options, seconds, once=once):
        raise Finished(ExitCode.FAILED)
