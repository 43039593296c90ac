"""`opsconsole guard simulate`: when the guard would have acted, and what other bounds would have found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsconsole.cli.acting import Acting, tell
from opsconsole.cli.options import connected
from opsconsole.cli.tables import table_width, write_json, write_table, write_text
from opsconsole.cli.wiring import load_playbooks
from opsconsole.clock import LocalZone
from opsconsole.config.discover import Options
from opsconsole.errors import UsageError
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.render.times import exact, parse_duration, parse_until
from opsconsole.text import SafeText, safe, trusted

if TYPE_CHECKING:
    from opsconsole.guard.simulate import Found, History, Score
    from opsconsole.model.guardhistory import Known

_WIDE = 110
"""Cells of a line from which both times fit."""

_MOST_LOOKS = 200_000
"""Looks at each rule: at 10 s this is three weeks."""


def add_to(app: typer.Typer) -> None:
    """Make it a command of the group `guard`."""
    app.command("simulate")(simulate)


@connected
def simulate(
    options: Options,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when: 6h, 05:12 or a time.")] = "24h",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Until when; now if left out.")] = "",
    sweep: Annotated[
        str,
        typer.Option(
            metavar="FACTORS", help="Also try every bound times these: 0.5,0.75,1.5,2.", show_default=False
        ),
    ] = "",
    incidents: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Known incidents, to count what is missed and what is false: "
            "`incidents: [{from: 2026-01-02T05:12:00Z, to: …, name: …}]`.",
        ),
    ] = None,
    changes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Flag changes, in place of those that are known: "
            "`changes: [{flag: new_parser, at: 2026-01-02T05:12:00Z, off: no}]`.",
        ),
    ] = None,
    any_flag: Annotated[
        bool, typer.Option("--any-flag", help="Take for granted that some flag changed right before each onset.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say when the guard would have acted, from what Prometheus has kept, so that bounds are tuned before arming.

    The playbooks' rules go through the guard's own machine, armed; nothing is written. What it would have done
    does not heal the past: of each incident the first decision is told. Without a flag provider it is as with
    --any-flag.
    """
    from opsconsole.config.guard_history import read_changes, read_incidents
    from opsconsole.guard.simulate import score

    factors = _factors(sweep)
    known = read_incidents(incidents) if incidents is not None else ()
    given = read_changes(changes) if changes is not None else None
    with Acting(options, writes=False, for_flags=True) as acting:
        now = acting.clock.now()
        since, until = _past(start, "--from", now), _past(end, "--to", now) if end else now
        histories = _ask(acting, since, until)
        if any_flag:
            flags, log = None, None
        else:
            flags, log = _flags(acting, since, given)
        scores = [score(histories, log, flags, known, factor) for factor in (1.0, *factors)]
    if as_json:
        write_json(_data(scores, known, since, until))
        return
    _print(scores, known, log, now)


def _factors(text: str) -> list[float]:
    try:
        found = sorted({float(part) for part in text.split(",") if part.strip()} - {1.0})
    except ValueError:
        found = [math.nan]
    if not all(0 < factor < math.inf for factor in found):
        raise UsageError("--sweep takes numbers above 0", hint="for instance --sweep 0.5,0.75,1.5,2")
    return found


def _past(text: str, option: str, now: float) -> float:
    """Seconds since the epoch of a time, or of so long ago."""
    try:
        return now - parse_duration(text)
    except UsageError:
        pass
    try:  # the last time that the clock showed it; a date may be any
        return parse_until(text, 0.0 if "-" in text[:5] else now - 86_400.0, LocalZone())
    except UsageError as error:
        hint = "write 6h, 05:12 or 2026-01-02T05:12:00+01:00"
        raise UsageError(f"{option}: {error.message}", hint=hint) from None


def _ask(acting: Acting, since: float, until: float) -> list[History]:
    """Everything that the rules of the context's playbooks would have seen. Raises UsageError or SourceError."""
    from opsconsole.guard.decisions import watched_of
    from opsconsole.guard.simulate import ask

    guards = [(book.system, book.guard) for book in load_playbooks(acting.context, runbooks=False) if book.guard]
    prometheus = acting.sources.prometheus
    if not guards:
        raise UsageError("no playbook of this context has a guard", hint="name one with --playbook")
    if prometheus is None:
        raise UsageError("this context has no Prometheus", hint="use --prometheus URL")
    if until <= since:
        raise UsageError("--to is not after --from", hint="give a --from that is longer ago")
    watched = watched_of(guards)
    looks = max((until - since) / each.guard.interval for each in watched)
    if looks > _MOST_LOOKS:
        raise UsageError(f"that would be {looks:,.0f} looks at each rule", hint="give a shorter time")
    query = prometheus.query_range

    async def all_of_them() -> list[History]:
        return [await ask(each, query, since, until) for each in watched]

    return acting.run(all_of_them())


def _flags(
    acting: Acting, since: float, given: Sequence[FlagChange] | None
) -> tuple[FlagSet | None, Sequence[FlagChange] | None]:
    """The flags as they are, and their changes; None for changes that nobody knows. Raises FlagError."""
    provider = acting.sources.flags
    if given is not None:
        return None, given
    if provider is None:
        tell("no flag provider: it is taken for granted that some flag changed right before each onset")
        return None, None
    flags, runner = acting.run(provider.read()), acting.planner
    runner.observe_flags(flags)
    day = 86_400.0
    return flags, acting.run(runner.flag_changes(since - day))


def _data(scores: Sequence[Score], known: Sequence[Known], since: float, until: float) -> dict[str, Any]:
    return {"from": since, "to": until, "known": list(known), "scores": list(scores)}


def _print(scores: Sequence[Score], known: Sequence[Known], log: Sequence[FlagChange] | None, now: float) -> None:
    first = scores[0]
    headers = ["first breach", "decided", "after", "rule", "what", "flag"]
    rows = [_row(one, now) for one in first.found]
    if table_width() < _WIDE:  # the two columns beside it tell the same
        headers, rows = ["first breach", *headers[2:]], [[row[0], *row[2:]] for row in rows]
    write_table(headers, rows, whole=headers[:-1])
    if log is not None:
        tell(f"{len(log)} flag changes are known")
    if first.blind > 0:
        tell(f"UNKNOWN for {first.blind * 100:.1f} % of the looks: without a value the guard decides nothing")
    for one in first.found:
        if one.unseen:
            when = exact(one.breach, LocalZone(), now)
            tell(f"{one.system}/{one.rule} at {when}: the breach began before, while nobody looked")
    if known:
        tell(f"{first.hits} of {len(known)} known incidents found, {first.false} false decisions")
        for name in first.missed:
            tell(f"missed: {name or 'an incident without a name'}")
    if len(scores) > 1:
        write_text("\n")
        ordered = sorted(scores, key=lambda one: one.factor)
        scored = ["found", "missed", "false"] if known else []
        write_table(
            ["bounds times", "decisions", "longest", *scored], [_swept(one, known=bool(known)) for one in ordered]
        )


_WORDS = {
    "roll-back": "roll back",
    "ask-human": "ask a person",
    "no-candidate": "no flag explains it",
}


def _row(found: Found, now: float) -> list[SafeText]:
    return [
        safe(exact(found.breach, LocalZone(), now)),
        safe(exact(found.decided, LocalZone(), now)),
        trusted(f"{found.took:.0f}s"),
        safe(f"{found.system}/{found.rule}"),
        trusted(_WORDS[found.what]),
        found.flag,
    ]


def _swept(one: Score, *, known: bool) -> list[SafeText]:
    longest = max((found.took for found in one.found), default=None)
    cells = [f"{one.factor:g}", str(len(one.found)), "-" if longest is None else f"{longest:.0f}s"]
    if known:
        cells += [str(one.hits), str(len(one.missed)), str(one.false)]
    return [trusted(cell) for cell in cells]
