"""Runs a drill: faults of a real demo stack one after another, seen and answered as by the console."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from opsconsole.actions.runner import Runner
from opsconsole.clock import Clock
from opsconsole.demo.embedded import DemoEndpoints
from opsconsole.demo.real import RealStack
from opsconsole.demo.release import flag_file, release, write_flags
from opsconsole.demo.systems.base import System
from opsconsole.drill.model import FaultRun, judged, targets_of
from opsconsole.errors import OpsError, SourceError
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.playbook import Playbook
from opsconsole.model.rules import Rule, RuleAlert
from opsconsole.model.severity import AlertState, severity_of
from opsconsole.state.engine import Engine
from opsconsole.text import SafeText, safe, trusted

LOOK_EVERY = 0.1
"""Seconds between looks at what the console shows."""

ASK_EVERY = 0.25
"""Seconds between questions to Prometheus about the rule."""

WAIT = 180.0
"""Seconds for which one step is waited for."""

_SEEN = frozenset({AlertState.ACTIVE, AlertState.INHIBITED, AlertState.MUTED})

Tell = Callable[[str], None]

T = TypeVar("T")


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A running stack and a console's parts on it."""

    stack: RealStack
    endpoints: DemoEndpoints
    system: System
    playbook: Playbook
    engine: Engine
    runner: Runner
    clock: Clock
    wait: float = WAIT


async def drill(scene: Scene, faults: Sequence[str], tell: Tell, done: Callable[[FaultRun], None]) -> None:
    """Run these faults, one after another; each ended fault goes to `done`. Raises OpsError when the stack
    does not come to rest before a fault."""
    polling = asyncio.create_task(scene.engine.run(), name="drill polls")
    try:
        for at, fault in enumerate(faults, 1):
            tell(f"{at} of {len(faults)}: {fault} -> {scene.system.proves[fault]}")
            await _at_rest(scene, scene.system.proves[fault])
            done(await _Run(scene, fault, tell).through())
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling


class _Run:
    """One fault. Times are seconds since it began."""

    def __init__(self, scene: Scene, fault: str, tell: Tell) -> None:
        self._scene = scene
        self._fault = fault
        self._tell = tell
        self._alert = scene.system.proves[fault]
        self._flag = scene.system.release if fault in scene.system.release_faults else ""
        self._seen: dict[str, float | None] = {}
        self._notes: dict[str, SafeText] = {}
        self._began = 0.0
        self._severity = ""

    async def through(self) -> FaultRun:
        """From the fault to the end of its alert; a step that does not come is left open and the fault healed."""
        scene = self._scene
        await asyncio.to_thread(self._begin)
        try:
            row = await self._detected()
            if row is not None:
                await self._acknowledged(row)
            await self._ended()
        finally:
            await asyncio.to_thread(self._heal)
        targets = targets_of(scene.playbook, self._alert, self._severity)
        return FaultRun(
            fault=self._fault,
            alert=self._alert,
            severity=self._severity,
            flag=self._flag,
            steps=judged(self._seen, targets, self._notes),
        )

    def _begin(self) -> None:
        scene = self._scene
        if self._flag:
            # What an earlier fault left of the flag must not keep the release bot from releasing it.
            write_flags(scene.endpoints.flags_file, flag_file(scene.system.flags))
        self._began = scene.clock.now()
        if not self._flag:
            scene.stack.fault(self._fault)
        elif not release(scene.endpoints.flags_file, self._flag, scene.system.flags[self._flag]):
            raise OpsError(f"the release of {self._flag} could not be made")

    def _heal(self) -> None:
        """Leave the stack as it was, whatever happened."""
        if self._flag:
            write_flags(self._scene.endpoints.flags_file, flag_file(self._scene.system.flags))
        else:
            self._scene.stack.heal(self._fault)

    async def _detected(self) -> AlertRow | None:
        """Pending and firing as Prometheus says, visible as the console shows it."""

        async def pending() -> RuleAlert | None:
            rule = await self._rule()
            return next(iter(rule.alerts), None) if rule is not None else None

        async def firing() -> RuleAlert | None:
            rule = await self._rule()
            return next((a for a in rule.alerts if a.state == "firing"), None) if rule is not None else None

        rule = await self._rule()
        self._severity = severity_of(rule.labels).word if rule is not None else ""
        found = await self._until(pending, ASK_EVERY)
        if rule is None or rule.duration > 0:
            self._reach("pending", None if found is None else found.active_at.timestamp())
        fires = await self._until(firing, ASK_EVERY) if found is not None else None
        self._reach("firing", None if fires is None else self._scene.clock.now())
        if fires is None:
            self._reach("visible", None)
            return None

        async def visible() -> AlertRow | None:
            return next((row for row in self._rows() if row.state in _SEEN), None)

        row = await self._until(visible, LOOK_EVERY)
        self._reach("visible", None if row is None else self._scene.clock.now())
        if row is not None and row.state is not AlertState.ACTIVE:
            self._notes["visible"] = trusted(f"shown as {row.state.value}")
        return row

    async def _acknowledged(self, row: AlertRow) -> None:
        outcome = await self._scene.runner.ack(row.alert, "incident drill")
        if not self._well("ack", outcome):
            return

        async def acked() -> bool | None:
            return any(r.key == row.key and r.state is AlertState.ACKED for r in self._rows()) or None

        self._reach("ack", self._scene.clock.now() if await self._until(acked, LOOK_EVERY) else None)

    async def _ended(self) -> None:
        """Roll the release back, or turn the fault off, and wait until the alert has gone everywhere."""
        if self._flag:
            try:
                outcome = await self._scene.runner.rollback(await self._scene.runner.plan_rollback(self._flag))
            except OpsError as error:
                outcome = Outcome(op="", action="rollback", result=Result.FAILED, message=safe(str(error), 200))
            if not self._well("rollback", outcome):
                return
        else:
            await asyncio.to_thread(self._scene.stack.heal, self._fault)
            self._notes["rollback"] = trusted("no flag explains it: the fault was turned off")
        self._reach("rollback", self._scene.clock.now())

        async def gone() -> bool | None:
            rule = await self._rule()
            return (rule is not None and not rule.alerts and not self._rows()) or None

        self._reach("resolved", self._scene.clock.now() if await self._until(gone, ASK_EVERY) else None)

    def _well(self, step: str, outcome: Outcome) -> bool:
        if outcome.result is Result.DONE:
            return True
        self._reach(step, None)
        self._notes[step] = safe(f"{outcome.result.value}: {outcome.message}", 300)
        return False

    def _reach(self, step: str, at: float | None) -> None:
        self._seen[step] = None if at is None else max(0.0, at - self._began)
        self._tell(f"  {step}: {'not seen' if at is None else f'{at - self._began:.1f}s'}")

    async def _rule(self) -> Rule | None:
        return await _rule_of(self._scene.engine, self._alert)

    def _rows(self) -> list[AlertRow]:
        return [
            row for row in self._scene.engine.snapshot.rows if row.alert.labels.get("alertname") == self._alert
        ]

    async def _until(self, look: Callable[[], Awaitable[T | None]], every: float) -> T | None:
        return await _until(self._scene.clock, look, every, self._scene.wait)


async def _until(clock: Clock, look: Callable[[], Awaitable[T | None]], every: float, limit: float) -> T | None:
    """Look until something is found, None after `limit` seconds; a question that fails found nothing."""
    end = clock.monotonic() + limit
    while True:
        try:
            found = await look()
        except SourceError:
            found = None
        if found is not None or clock.monotonic() >= end:
            return found
        await asyncio.sleep(every)


async def _rule_of(engine: Engine, alert: str) -> Rule | None:
    prometheus = engine.sources.prometheus
    assert prometheus is not None
    rules = (rule for group in await prometheus.rules() for rule in group.rules)
    return next((rule for rule in rules if rule.name == alert), None)


def _rows_of(engine: Engine, alert: str) -> list[AlertRow]:
    return [row for row in engine.snapshot.rows if row.alert.labels.get("alertname") == alert]


async def _at_rest(scene: Scene, alert: str) -> None:
    """Wait until the rule is evaluated and its alert neither pending nor firing, anywhere."""

    async def rests() -> bool | None:
        rule = await _rule_of(scene.engine, alert)
        known = all(c.alerts.known(scene.engine.snapshot.now) for c in scene.engine.snapshot.clusters)
        return (
            rule is not None
            and rule.health == "ok"
            and not rule.alerts
            and known
            and not _rows_of(scene.engine, alert)
        ) or None

    if not await _until(scene.clock, rests, ASK_EVERY, scene.wait):
        raise OpsError(
            f"{safe(alert, 80)} was not quiet within {scene.wait:g}s: there is no fault to begin",
            hint="a rule that is not loaded or not healthy cannot be drilled: opsconsole check",
        )
