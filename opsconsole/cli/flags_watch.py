"""`opsconsole flags rollback --watch`: does the alert's condition hold no longer?"""

from __future__ import annotations

import asyncio

import msgspec

from opsconsole.cli.acting import Acting, tell
from opsconsole.cli.finish import Finished
from opsconsole.cli.flags_common import Look
from opsconsole.clock import LocalZone
from opsconsole.errors import UsageError
from opsconsole.model.alertrule import rule_of
from opsconsole.model.recovery import Recovery, State
from opsconsole.render.times import exact, parse_duration
from opsconsole.state.recovery import ask_recovery
from opsconsole.text import SafeText, safe

NOT_RECOVERED = 3
CANNOT_TELL = 4
"""Exit codes of a rollback that was done and watched."""

STEP = 2.0
HOLD = 10.0
"""Seconds between two looks, and for which the condition must not hold before it counts as recovered."""


class Recovering(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: the worst alert of a look, for at most so many seconds."""

    look: Look
    seconds: float


def parse_within(text: str) -> float:
    """Seconds of --within. Raises UsageError."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(f"--within: {error.message}", hint=error.hint) from None


def watch_recovery(acting: Acting, asked: Recovering) -> None:
    """Follow it from now on, and say how it ends. Raises Finished with 3 or 4 unless it recovers."""
    row = asked.look.worst
    prometheus = acting.sources.prometheus
    if row is None or prometheus is None:
        why = "no alert fires" if prometheus is not None else "this context has no Prometheus"
        tell(f"cannot tell whether it recovers: {why}")
        raise Finished(CANNOT_TELL)
    rules = asked.look.snapshot.rules
    found = rule_of(row.alert, rules.data if rules is not None and rules.data is not None else ())
    if found is None:
        tell(f"cannot tell whether it recovers: the rule of {row.alert.name} is not known")
        raise Finished(CANNOT_TELL)
    rule = found.rule

    def now() -> float:
        return acting.clock.now() + (prometheus.skew or 0.0)

    since = now()

    async def follow() -> Recovery:
        end, said = acting.clock.monotonic() + asked.seconds, ""
        while True:
            told = await ask_recovery(
                prometheus.query_range,
                str(rule.query),
                row.alert.labels,
                rule.labels,
                since=since,
                now=now(),
                step=STEP,
                hold=HOLD,
            )
            if told.state is State.RECOVERED or acting.clock.monotonic() >= end:
                return told
            words = _words(told, row.alert.name)
            if told.state.value != said:
                tell(words)
                said = told.state.value
            await asyncio.sleep(STEP)

    tell(f"watching {row.alert.name}: {safe(rule.query, 300)}")
    last = acting.run(follow())
    tell(_words(last, row.alert.name, ended=True))
    if last.state is not State.RECOVERED:
        raise Finished(NOT_RECOVERED if last.state is State.NOT_YET else CANNOT_TELL)


def _words(told: Recovery, name: SafeText, *, ended: bool = False) -> SafeText:
    if told.at is not None:
        return safe(f"{name} recovered at {exact(told.at, LocalZone())}", 400)
    if told.state is State.NOT_YET:
        return safe(f"{name} has not recovered{'' if ended else ' yet'}: {told.reason}", 400)
    return safe(f"cannot tell whether {name} recovers: {told.reason}", 400)
