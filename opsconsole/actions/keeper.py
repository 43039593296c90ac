"""Keeps our own acks alive while their alerts fire, and journals the flag changes that are seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from opsconsole.actions.runner import Runner
from opsconsole.errors import JournalError, OpsError
from opsconsole.model.acks import THIS_CONSOLE
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.reading import Freshness
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ClusterReading, Snapshot

KEEP_EVERY = 20.0
"""Seconds between looks at our acks: several within the five minutes before an ack ends."""


class Keeper:
    """Follows an engine's snapshots."""

    def __init__(
        self, engine: Engine, runner: Runner, *, told: Callable[[Outcome], None] = lambda outcome: None
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._told = told
        self._revision = ""
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._open: set[str] | None = None
        self._told_settled = told

    def follow(self, told: Callable[[Outcome], None]) -> None:
        """Whom to tell what became of the actions that were cut off before this start."""
        self._told_settled = told

    def start(self) -> Callable[[], None]:
        """Begin to follow; returns what ends it."""
        return self._engine.subscribe(self._look)

    def _look(self) -> None:
        snapshot = self._engine.snapshot
        flags = snapshot.flags
        if flags is not None and flags.data is not None and flags.data.revision != self._revision:
            self._revision = flags.data.revision
            self._runner.observe_flags(flags.data)
            # The changes just journalled belong on the screen now, not at the next tick.
            self._engine.polls.tick()
            snapshot = self._engine.snapshot
        if snapshot.context.read_only or snapshot.now < self._due:
            return
        if self._task is None or self._task.done():
            self._due = snapshot.now + KEEP_EVERY
            self._task = asyncio.create_task(self._keep(), name="keep acks")

    async def _settle(self) -> None:
        """Settle what was cut off, once every source has been asked; again while something is still open."""
        if self._open is not None and not self._open:
            return
        now = self._engine.snapshot.now
        if any(c.silences.freshness(now) is Freshness.WAITING for c in self._engine.snapshot.clusters):
            return
        known, still = self._open or set(), set()
        for outcome in await self._runner.settle():
            if outcome.result is Result.OPEN:
                still.add(outcome.op)
            if outcome.op not in known or outcome.result is not Result.OPEN:
                self._told_settled(outcome)
        self._open = still

    async def _keep(self) -> None:
        with suppress(JournalError):  # the screens say of themselves that it cannot be read
            await self._settle()
        snapshot = self._engine.snapshot
        for cluster in snapshot.clusters:
            try:
                outcomes = await keep_cluster(self._runner, cluster, snapshot)
            except OpsError:
                continue
            for outcome in outcomes:
                self._told(outcome)
            if outcomes:
                self._engine.refresh()


async def keep_cluster(runner: Runner, cluster: ClusterReading, snapshot: Snapshot) -> tuple[Outcome, ...]:
    """One look at this user's acks in a cluster. An alert that a part of the cluster tells of is firing; that one
    is gone only the whole of it can say. Raises JournalError."""
    now = snapshot.now
    readings = (cluster.alerts, cluster.silences)
    if not all(reading.freshness(now) is Freshness.FRESH for reading in readings):
        return ()
    return await runner.keep_acks(
        cluster.alerts.data or (),
        cluster.silences.data or (),
        whole=all(reading.known(now) for reading in readings),
        extends=snapshot.extender == THIS_CONSOLE,
    )
