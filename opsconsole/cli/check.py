"""`opsconsole check`: the Status screen's checks for pipelines, cron and plug-ins."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import msgspec
import typer

from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.run import overall, run_checks
from opsconsole.checks.thresholds import checked_panels, crossed_panels
from opsconsole.cli.finish import Finished, hush_stdout
from opsconsole.cli.options import connected
from opsconsole.cli.wiring import Reading, open_reading
from opsconsole.config.discover import Options
from opsconsole.model.verdicts import Level, Verdict, badness
from opsconsole.state.snapshot import Snapshot

_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.CRITICAL: "31;1", Level.UNKNOWN: "35;1"}


@connected
def check(
    options: Options,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for the whole run; what has not answered by then is UNKNOWN.")
    ] = 30.0,
) -> None:
    """Check sources, targets, rules, alerts and thresholds once.

    Exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also for usage and configuration errors). What is
    missing, stale, partial or failed is UNKNOWN, never OK.
    """
    opened = open_reading(options)
    asyncio.run(_ask(opened, timeout))
    verdicts = run_checks(opened.engine.snapshot)
    level = overall(verdicts)
    try:
        sys.stdout.write(_json(verdicts, level) if as_json else _text(verdicts, level))
        sys.stdout.flush()
    except BrokenPipeError:
        hush_stdout()  # nobody reads the report; the verdict is still the exit code
    raise Finished(int(level))


async def _ask(opened: Reading, timeout: float) -> None:
    engine = opened.engine
    try:
        async with asyncio.timeout(timeout):
            await collect_for_checks(opened)
    except TimeoutError:
        engine.polls.overdue(timeout, [key for key, _ in checked_panels(engine.snapshot)])
    finally:
        await engine.aclose()


async def collect_for_checks(opened: Reading) -> Snapshot:
    """One round of every poller, with the latest value of the panels that have thresholds; then, of those that
    are over one which has to last, for how long they have been."""
    engine = opened.engine
    engine.polls.panels.instant = True
    panels = [key for key, _ in checked_panels(engine.snapshot)]
    snapshot = await engine.collect(names=frozenset().union(*(check.needs for check in CATALOG)), panels=panels)
    crossed = crossed_panels(snapshot)
    if not crossed:
        return snapshot
    engine.polls.panels.lasting = crossed
    return await engine.collect(names=(), panels=crossed)


def _json(verdicts: tuple[Verdict, ...], level: Level) -> str:
    report = {
        "version": 1,
        "verdict": level.name,
        "checks": [
            {
                "id": v.id,
                "group": v.group,
                "title": v.title,
                "verdict": v.level.name,
                "reason": v.reason,
                "evidence": v.evidence,
                "hint": v.hint,
            }
            for v in verdicts
        ],
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def _text(verdicts: tuple[Verdict, ...], level: Level) -> str:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    ordered = sorted(verdicts, key=lambda v: -badness(v.level))
    width = max((len(v.id) for v in ordered), default=0)
    lines = []
    for v in ordered:
        lines.append(f"{_word(v.level, colour)}  {v.id:<{width}}  {v.reason}")
        if v.level is not Level.OK:
            lines += [f"          {e}" for e in v.evidence]
            lines += [f"          hint: {v.hint}"] if v.hint else []
    counts = ", ".join(
        f"{n} {one.name}" for one in sorted(Level, key=lambda x: -badness(x)) if (n := _count(verdicts, one))
    )
    lines.append(f"{_word(level, colour)}  {len(verdicts)} checks: {counts}")
    return "\n".join(lines) + "\n"


def _count(verdicts: tuple[Verdict, ...], level: Level) -> int:
    return sum(v.level is level for v in verdicts)


def _word(level: Level, colour: bool) -> str:
    word = f"{level.name:<8}"
    return f"\x1b[{_COLOURS[level]}m{word}\x1b[0m" if colour else word
