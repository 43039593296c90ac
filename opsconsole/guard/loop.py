"""The guard's loop: looks, lets the machine decide, saves, acts, tells, and beats.

The order is what makes a kill harmless: the decision is on the disk before anything is written, and what became of
it before anything else is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from opsconsole.clock import Clock
from opsconsole.errors import JournalError, OpsError
from opsconsole.guard.choosing import report
from opsconsole.guard.decisions import Decision, Look, Report, Tell, Would, watched_of
from opsconsole.guard.events import EventMaker
from opsconsole.guard.eyes import Changes, FlagEyes, Flags, Query, sample
from opsconsole.guard.gate import Gate
from opsconsole.guard.hand import Hand, Rollbacks
from opsconsole.guard.incident import IncidentLog
from opsconsole.guard.machine import step
from opsconsole.guard.ports import Arming, Heartbeat, KillSwitch, Lease, Outbox
from opsconsole.guard.samples import Sample
from opsconsole.guard.state import Act, Moment, State, taken_over
from opsconsole.guard.status import blinded, status_of
from opsconsole.guard.store import StateStore
from opsconsole.guard.telling import Page, Teller
from opsconsole.journal.store import Journal
from opsconsole.model.guard import Guard, GuardEvent, GuardStatus
from opsconsole.text import SafeText, safe, trusted

Sleep = Callable[[float], Awaitable[None]]


class Runner(Rollbacks, Changes, Protocol):
    """What the loop needs of opsconsole.actions.runner.Runner."""


class GuardLoop:
    """The guards of one context, each a system and its playbook's `guard:` section.

    `query` asks Prometheus, `flags` is the provider that `runner` writes to, None when the context has none. `at`
    is told of each step by its name, for tests that kill. `read_only` says that the context may not be written to.
    """

    def __init__(
        self,
        *,
        context: str,
        host: str,
        pid: int,
        guards: Sequence[tuple[str, Guard]],
        query: Query,
        flags: Flags | None,
        runner: Runner,
        journal: Journal,
        user: str,
        store: StateStore,
        arming: Arming,
        kill_switch: KillSwitch,
        lease: Lease,
        outbox: Outbox,
        heartbeat: Heartbeat,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        read_only: bool = False,
        page: Page | None = None,
        at: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.watched = watched_of(guards)
        self.state = State()
        self._guards = dict(guards)
        self._query = query
        self._runner = runner
        self._store = store
        self._gate = Gate(arming, kill_switch, lease, self._problem, read_only=read_only)
        self._heartbeat = heartbeat
        self._clock, self._sleep = clock, sleep
        self._at = at
        written = str(safe(context, 40))  # as every console writes it into the journal
        log = IncidentLog(journal, user=user, context=written)
        self._teller = Teller(log, outbox, store, page, self._problem)
        self._eyes = FlagEyes(flags, runner, clock, self.watched)
        self._hand = Hand(runner, journal, clock, written, self._gate.refusal, at)
        self._maker = EventMaker(context, self.watched)
        self._due = dict.fromkeys(self._guards, float("-inf"))
        self._loaded = False
        self._status = GuardStatus(
            context=context,
            host=safe(host, 200),
            pid=pid,
            at=clock.now(),
            started=clock.now(),
            interval=min((guard.interval for _, guard in guards), default=10.0),
        )
        self._problems: dict[str, SafeText] = {}
        self._failed: SafeText = trusted("")
        self._failing_since: float | None = None

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Rounds until `stop` is set or the task is cancelled. A rollback that is under way is finished first."""
        stop = stop or asyncio.Event()
        try:
            while not stop.is_set():
                await self.tick()
                wait = min(self._due.values(), default=0.0) - self._clock.monotonic()
                await _first(self._sleep(max(0.05, wait)), stop.wait())
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Say goodbye: the lease is free at once. Never raises an OpsError."""
        await self._eyes.aclose()
        await self._teller.aclose()
        self._heartbeat.beat(replace(self._told(), stopped=True))
        self._gate.release()

    async def tick(self) -> None:
        """One round. Whatever goes wrong in it is a problem of the status, and nothing is written."""
        self._problems.clear()
        began, failed = self._clock.now(), trusted("")
        try:
            await self._round()
        except OpsError as error:
            failed = safe(error.message, 300)
            self._problem("round", failed)
        except Exception as error:  # noqa: BLE001  a fault must not end the guard, and must be seen
            failed = safe(f"unexpected {type(error).__name__}; this is a fault of opsconsole")
            self._teller.fault(error)
        finally:
            self._failed = failed
            self._failing_since = (self._failing_since or began) if failed else None
            self._heartbeat.beat(self._told())

    async def delivered(self) -> None:
        """When the delivery that is under way has ended."""
        await self._teller.delivered()

    async def _round(self) -> None:
        await self._take_over()
        if self._gate.leads:
            await self._settle()
        look = await self._look()
        self._at("looked")
        state, decisions = step(self.state, self.watched, look)
        self._at("decided")
        self._lead()  # looking may have taken so long that another acts by now
        if not (self._gate.leads and self._loaded):
            self.state = state  # a follower looks on, and tells nothing
            return
        events: list[GuardEvent] = []
        for decision in decisions:
            state, event = await self._event(state, decision)
            events.append(event)
        self._store.save(state, events)
        self.state = state
        self._at("saved")
        self._teller.journalled(events)
        self._at("journalled")
        for act in [decision for decision in decisions if isinstance(decision, Act)]:
            await self._carry_out(act)
        await self._teller.hand_on()
        self._teller.deliver()

    async def _take_over(self) -> None:
        """A guard that begins to act takes over what the one before it knew."""
        self._lead()
        if self._gate.leads and not self._loaded:
            self.state = taken_over(self._store.load(self._now), self.state)
            self._loaded = True
            await self._teller.hand_on()

    def _lead(self) -> None:
        """Take or renew the lease."""
        if self._gate.lead():
            self._loaded = False

    async def _settle(self) -> None:
        """What became of an act that an earlier process began."""
        act = self.state.pending
        if act is None:
            return
        try:
            outcome = await self._hand.settle(act)
        except JournalError as error:
            self._problem("settle", error.message)
            return
        if outcome is None:
            self._problem("settle", f"it is not known yet whether {safe(act.flag, 80)} was rolled back")
            return
        self._at("settled")
        await self._reported(outcome)

    async def _look(self) -> Look:
        samples, view = await asyncio.gather(self._samples(), self._eyes.look(self.state))
        if view.problem and self._eyes.provided:  # said while all is well, not only once it has to write
            self._problem("flags", f"the flags cannot be looked at: {view.problem}")
        return Look(now=self._now, samples=samples, view=view, permission=self._gate.permission())

    async def _samples(self) -> dict[str, Sample]:
        now = self._clock.monotonic()
        due = {system for system, at in self._due.items() if now >= at - 0.001}
        for system in due:
            every = self._guards[system].interval
            late = now - self._due[system]
            self._due[system] = now + every if late > every else self._due[system] + every
        asked = [each for each in self.watched if each.system in due]
        found = await asyncio.gather(*(sample(each, self._query, self._clock.now()) for each in asked))
        return {each.key: one for each, one in zip(asked, found, strict=True)}

    async def _carry_out(self, act: Act) -> None:
        """Do it, while the heart goes on beating; a guard that is being stopped finishes it first."""
        task = asyncio.ensure_future(self._hand.act(act))
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await _first(asyncio.shield(task), self._sleep(self._status.interval))
            except asyncio.CancelledError as error:
                cancelled = error
            self._lead()  # the lease must not end while it is being written
            self._heartbeat.beat(self._told())
        self._at("acted")
        await self._eyes.forget()
        await self._reported(task.result())
        if cancelled is not None:
            raise cancelled

    async def _reported(self, outcome: Report) -> None:
        if not self._gate.leads or not self._loaded:
            return  # the state is another's now, who finds in the journal what became of it
        state, decisions = report(self.state, outcome, self._eyes.propagation)
        events: list[GuardEvent] = []
        for decision in decisions:
            state, event = await self._event(state, decision)
            events.append(event)
        self.state = state  # kept even when it cannot be saved: this process must not forget it
        self._store.save(state, events)
        self._at("reported")
        await self._teller.hand_on()
        self._at("reported and told")

    async def _event(self, state: State, decision: Decision) -> tuple[State, GuardEvent]:
        if isinstance(decision, Act):
            state, event = self._maker.decided(state, decision)
        elif isinstance(decision, Would):
            state, event = self._maker.would(state, decision, await self._hand.plan(decision.act))
        else:
            written = isinstance(decision, Tell) and decision.kind == "rolled-back"
            diff, verified = (self._hand.diff, self._hand.verified) if written else (trusted(""), trusted(""))
            state, event = self._maker.told(state, decision, diff, verified)
        return state, event

    def _told(self) -> GuardStatus:
        status = status_of(self._status, self.state, self.watched, self._now)
        if self._failing_since is not None:
            status = blinded(status, self._failing_since, self._failed)
        return replace(
            status,
            armed=self._gate.armed,
            killed=self._gate.killed,
            leader=self._gate.leads,
            holder=self._gate.holder(),
            undelivered=self._gate.safely("outbox", self._teller.waiting, 0),
            events=dict(self._teller.counts),
            last=self._teller.last[0],
            last_at=self._teller.last[1],
            problem=safe("; ".join(self._problems.values()), 500),
        )

    @property
    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def _problem(self, what: str, words: str) -> None:
        self._problems[what] = safe(words, 300)


async def _first(*these: Awaitable[object]) -> None:
    """When the first of these is done; the others are cancelled, but for what is shielded."""
    tasks = [asyncio.ensure_future(one) for one in these]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
