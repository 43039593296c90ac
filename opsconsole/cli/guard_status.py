"""The work of `opsconsole guard status`."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from collections.abc import Sequence

import msgspec

from opsconsole.checks.guard import judge_guard
from opsconsole.cli.tables import table_width, write_json, write_text
from opsconsole.cli.wiring import resolve
from opsconsole.clients.guardfile import GuardFiles
from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.discover import Options
from opsconsole.config.guard import guard_places
from opsconsole.config.schema import Context
from opsconsole.errors import SourceError
from opsconsole.guard.arming import ArmingFile, armed_words
from opsconsole.guard.killswitch import KillSwitchFile
from opsconsole.model.guard import GuardStatus, RuleStatus
from opsconsole.model.guardstatus import GuardSeen, is_over
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render.row import fit, width_of
from opsconsole.render.times import ago
from opsconsole.state.guard_polls import look_for_guard
from opsconsole.text import SafeText, safe, trusted

NOT_KNOWN = 3
"""The exit code for a guard that does not run, or is not known to do its work; as `systemctl status` has it."""


class GuardShown(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `verdict` is that of the check flags.guard; `arming` and `kill_switch` are as they are
    now, on this machine; `status` is the guard's own last word, null when there is none."""

    verdict: str
    reason: SafeText
    evidence: tuple[SafeText, ...]
    hint: SafeText
    running: bool
    where: SafeText
    arming: SafeText
    kill_switch: SafeText
    folder: SafeText
    status: GuardStatus | None


def show_status(options: Options, *, as_json: bool) -> int:
    """Print it; the exit code: 0 when it does its work, 1 when something is wrong, 3 when it is not known to."""
    context, clock = resolve(options), SystemClock()
    now = clock.now()
    try:
        seen, warnings = asyncio.run(_look(context, clock))
        verdict = judge_guard(seen, now)
    except SourceError as error:
        seen, warnings = GuardSeen(where=trusted("nowhere")), ()
        verdict = _not_known(error)
    if warnings and verdict.level is Level.OK:
        verdict = msgspec.structs.replace(
            verdict, level=Level.UNKNOWN, reason=safe(f"partial: {warnings[0]}", 300)
        )
    shown = _shown(context, seen, verdict, clock)
    if as_json:
        write_json(shown)
    else:
        _print(shown, now)
    return {Level.OK: 0, Level.WARNING: 1}.get(verdict.level, NOT_KNOWN)


def _not_known(error: SourceError) -> Verdict:
    why = safe(f"not known whether a guard runs elsewhere, and none is known here: {error}", 400)
    return Verdict(
        id="flags.guard", title=trusted("The guard"), level=Level.UNKNOWN, reason=why, hint=safe(error.hint, 200)
    )


async def _look(context: Context, clock: SystemClock) -> tuple[GuardSeen, tuple[SafeText, ...]]:
    sources = Sources(context, clock)
    try:
        files = GuardFiles(guard_places(context, os.environ).folder, context.name, expected=True)
        told = await look_for_guard(files, sources.prometheus, clock.now())
    finally:
        await sources.aclose()
    assert isinstance(told.data, GuardSeen)
    return told.data, told.warnings


def _shown(context: Context, seen: GuardSeen, verdict: Verdict, clock: SystemClock) -> GuardShown:
    places = guard_places(context, os.environ)
    arming = ArmingFile(places.arming, context.name, clock)
    armed = arming.armed()
    return GuardShown(
        verdict=verdict.level.name,
        reason=verdict.reason,
        evidence=verdict.evidence,
        hint=safe(verdict.hint.removesuffix("opsconsole guard status").strip()),
        running=seen.status is not None and not is_over(seen.status, clock.now()),
        where=seen.where,
        arming=arming.problem or armed_words(armed, clock.now()),
        kill_switch=KillSwitchFile(places.kill_switch).pulled(),
        folder=safe(str(places.folder)),
        status=seen.status,
    )


def _print(shown: GuardShown, now: float) -> None:
    lines = [f"{shown.verdict}  {shown.reason}", *(f"  {said}" for said in shown.evidence)]
    lines += [f"  hint: {shown.hint}"] if shown.hint else []
    lines += [f"  this machine: {shown.arming}", f"  {shown.kill_switch}" if shown.kill_switch else ""]
    status = shown.status
    if status is not None and status.last:
        at = f" {ago(now - status.last_at)} ago" if status.last_at is not None else ""
        lines.append(f"  last: {status.last}{at}")
    sys.stdout.write("\n".join(line for line in lines if line) + "\n")
    if status is None or not status.rules:
        return
    sys.stdout.write("\n")
    _print_rules(status.rules, now, was="" if shown.running else "was ")


def _print_rules(rules: Sequence[RuleStatus], now: float, *, was: str) -> None:
    """A line for each, and its reason below it: that may be long."""
    rows = [
        (
            safe(f"{rule.system}/{rule.rule}", 80),
            safe(f"{was}{rule.phase.value}"),
            f"{ago(now - rule.since)} ago" if rule.since else "",
            "" if rule.value is None else f"{rule.value:.4g}",
            rule.title,
        )
        for rule in rules
    ]
    headers = ("rule", "phase", "since", "value", "title")
    widths = [max(map(width_of, column)) for column in zip(headers, *rows, strict=True)]
    reasons = [trusted(""), *(rule.reason for rule in rules)]
    for row, reason in zip((headers, *rows), reasons, strict=True):
        write_text("  ".join(fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")
        if reason:
            room = max(30, table_width() - 5)
            lines = textwrap.wrap(reason, room, break_on_hyphens=False)
            write_text("".join(f"    {line}\n" for line in lines))
