"""A guard's loop on a real flag file, journal and state, with a scripted Prometheus and ports that tests turn."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

from opsconsole.actions.runner import Runner
from opsconsole.clients.flags.flagd import FlagdProvider
from opsconsole.clock import ManualClock
from opsconsole.errors import OutboxError
from opsconsole.guard.loop import GuardLoop
from opsconsole.guard.store import StateStore
from opsconsole.journal.store import Journal
from opsconsole.model.flags import RollbackPlan
from opsconsole.model.guard import Armed, Guard, GuardEvent, GuardStatus
from opsconsole.model.journal import Entry
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import SafeText, safe, trusted
from tests.support.guards import GUARD

KEY = "new_parser"
CONTEXT = "prod"


def write_flags(path: Path, **states: bool) -> None:
    """The flag file with these flags on or off."""
    flags = {
        key: {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "on" if on else "off",
            "metadata": {"type": "release"},
        }
        for key, on in states.items()
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"flags": flags}, indent=2))
    os.replace(fresh, path)


def is_on(path: Path, key: str = KEY) -> bool:
    return bool(json.loads(path.read_text())["flags"][key]["defaultVariant"] == "on")


class Ports:
    """All of a guard's ports, and what they heard. `lease` is whose it is; two guards share one Ports."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.arming: Armed | None = Armed(until=2e9, at=clock.now(), by=trusted("alice"))
        self.kill_switch = ""
        self.lease: object = None
        self.refuses = False
        self.events: dict[str, GuardEvent] = {}
        self.deliveries = 0
        self.statuses: list[GuardStatus] = []

    def armed(self) -> Armed | None:
        return self.arming

    def pulled(self) -> SafeText:
        return safe(self.kill_switch)

    def put(self, event: GuardEvent) -> None:
        if self.refuses:
            raise OutboxError("the outbox: the disk is full")
        self.events.setdefault(event.id, event)

    async def deliver(self) -> None:
        self.deliveries += 1

    def waiting(self) -> int:
        return 0

    def beat(self, status: GuardStatus) -> None:
        self.statuses.append(status)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.values()]


class OneLease:
    """A lease among the guards that share some ports."""

    def __init__(self, ports: Ports, name: str) -> None:
        self._ports = ports
        self._name = name

    def hold(self) -> bool:
        self._ports.lease = self._ports.lease or self._name
        return self._ports.lease == self._name

    def holder(self) -> SafeText:
        return safe(str(self._ports.lease or ""))

    def release(self) -> None:
        if self._ports.lease == self._name:
            self._ports.lease = None


class CountingProvider(FlagdProvider):
    """Writes a line into `applied` for each write. `after_apply` is called right behind one."""

    applied: Path
    after_apply: Callable[[], None] = staticmethod(lambda: None)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        revision = await super().apply(plan, reason)
        with self.applied.open("a") as out:
            out.write(f"{plan.key}\n")
        self.after_apply()
        return revision


class Bench:
    """One guard in a folder. `value` gives the error ratio; it is 20 % while the flag is on if nothing else is
    said. Prometheus' and the guard's clock are one."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: ManualClock | None = None,
        ports: Ports | None = None,
        guard: Guard = GUARD,
        name: str = "one",
        at: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.ports = ports or Ports(self.clock)
        self.flags = folder / "flags.json"
        self.applied = folder / "applied"
        self.at = at
        self.journal = Journal(folder / "journal.db", self.clock)
        self.provider = CountingProvider(self.flags)
        self.provider.applied = self.applied
        self.value: Callable[[], float | None] = lambda: 0.2 if is_on(self.flags) else 0.0
        self.failure: BaseException | None = None
        self.runner = Runner(
            clusters={},
            flags=self.provider,
            journal=self.journal,
            clock=self.clock,
            user="guard",
            host="bastion",
            context=str(safe(CONTEXT, 40)),
            read_only=False,
            refresh=lambda: None,
            sleep=self.sleep,
        )
        self.store = StateStore(folder / "guard.db", boot="this boot")
        self.loop = GuardLoop(
            context=CONTEXT,
            host="bastion",
            pid=1,
            guards=[("shop", guard)],
            query=self.query,
            flags=self.provider,
            runner=self.runner,
            journal=self.journal,
            user="guard",
            store=self.store,
            arming=self.ports,
            kill_switch=self.ports,
            lease=OneLease(self.ports, name),
            outbox=self.ports,
            heartbeat=self.ports,
            clock=self.clock,
            sleep=self.moment,
            at=self.passed,
        )

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def moment(self, seconds: float) -> None:
        """What the loop waits while something is under way: the clock is the test's."""
        await asyncio.sleep(0.01)

    def passed(self, step: str) -> None:
        self.at(step)

    async def query(self, expr: str) -> QueryResult:
        if self.failure is not None:
            raise self.failure
        now = self.clock.now()
        value = now - 1.0 if "timestamp(" in expr else self.value()
        series = () if value is None else (Series({}, (now,), (value,)),)
        return QueryResult("vector", series)

    async def run(self, seconds: float) -> None:
        """Rounds for so long, every 10 s."""
        for _ in range(round(seconds / 10)):
            self.clock.advance(10)
            await self.loop.tick()
            await self.loop.delivered()

    def writes(self) -> list[str]:
        return self.applied.read_text().split() if self.applied.exists() else []

    def entries(self, action: str = "") -> list[Entry]:
        """The journal's entries, the oldest first."""
        return [e for e in reversed(self.journal.entries(5000)) if not action or e.action == action]

    @property
    def status(self) -> GuardStatus:
        return self.ports.statuses[-1]


async def at_the_breach(folder: Path, **more: object) -> Bench:
    """A bench whose guard has looked at a healthy system for a while, when a flag is turned on."""
    write_flags(folder / "flags.json", new_parser=False, other=True)
    bench = Bench(folder, **more)  # type: ignore[arg-type]
    await bench.run(30)
    write_flags(bench.flags, new_parser=True, other=True)
    return bench
