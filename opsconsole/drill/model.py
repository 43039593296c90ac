"""What a drill measures, and how it is held against a playbook's own targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from opsconsole.model.playbook import Playbook
from opsconsole.model.verdicts import Level, worst
from opsconsole.text import SafeText, trusted

STEPS = ("pending", "firing", "visible", "ack", "rollback", "resolved")
"""In the order in which they happen; `rollback` is that of the release's flag, or the repair of the fault."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """At most `limit` seconds from the step `since` on, as the playbook says under `source`."""

    step: str
    since: str
    limit: float
    source: SafeText


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a fault. `seconds` is since the fault began, None when it was not seen; `took` is since the
    target's own start, None without a target or a measure."""

    name: str
    level: Level
    seconds: float | None = None
    target: Target | None = None
    took: float | None = None
    note: SafeText = trusted("")


class FaultRun(msgspec.Struct, frozen=True, kw_only=True):
    """One fault from beginning to end. `flag` is the flag that was rolled back, "" when the fault itself was
    turned off."""

    fault: str
    alert: str
    severity: str
    flag: str = ""
    steps: tuple[Step, ...]

    @property
    def level(self) -> Level:
        return worst(step.level for step in self.steps)


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A whole drill. `compress` is the factor by which delays and windows were shorter; `began` is seconds
    since the epoch, `seconds` how long it took; `stopped` says why it did not go on to the end, or ""."""

    system: SafeText
    title: SafeText
    compress: float
    began: float
    seconds: float
    version: str
    operator: SafeText
    runs: tuple[FaultRun, ...]
    stopped: SafeText = trusted("")

    @property
    def level(self) -> Level:
        """UNKNOWN when it was stopped or nothing was run: a drill that was cut short has shown nothing."""
        levels = [run.level for run in self.runs]
        return worst([*levels, Level.UNKNOWN] if self.stopped else levels)


def targets_of(playbook: Playbook, alert: str, severity: str) -> dict[str, Target]:
    """The playbook's targets for one alert, by step.

    From firing on, an alert is acknowledged within `acknowledge` of its severity, and what ends its cause is
    done within its `response`. What depends on delays and range windows has no target: these were shortened.
    """
    found: dict[str, Target] = {}
    response = playbook.response_time(alert, severity)
    acknowledge = playbook.acknowledge.get(severity) or response
    if acknowledge:
        own = "acknowledge" if severity in playbook.acknowledge else "response"
        found["ack"] = Target(step="ack", since="firing", limit=acknowledge, source=trusted(own))
    if response:
        found["rollback"] = Target(step="rollback", since="firing", limit=response, source=trusted("response"))
    return found


def judged(
    seen: dict[str, float | None],
    targets: dict[str, Target],
    notes: dict[str, SafeText] | None = None,
) -> tuple[Step, ...]:
    """The steps of one fault: `seen` has the seconds since its beginning by step, None for what never came; a
    step that is not in it does not apply.

    What was not seen is UNKNOWN, what came too late is CRITICAL.
    """
    steps = []
    for name in STEPS:
        if name not in seen:
            continue
        at, target, note = seen[name], targets.get(name), (notes or {}).get(name, trusted(""))
        if at is None:
            steps.append(Step(name=name, level=Level.UNKNOWN, target=target, note=note or trusted("not seen")))
            continue
        began = seen.get(target.since) if target is not None else None
        if target is None or began is None:
            level = Level.OK if target is None else Level.UNKNOWN
            steps.append(Step(name=name, level=level, seconds=at, target=target, note=note))
            continue
        took = at - began
        level = Level.OK if took <= target.limit else Level.CRITICAL
        steps.append(Step(name=name, level=level, seconds=at, target=target, took=took, note=note))
    return tuple(steps)


def missed(runs: Iterable[FaultRun]) -> int:
    """How many targets were missed or could not be measured."""
    return sum(step.level is not Level.OK for run in runs for step in run.steps)
