"""Consoles on a cluster that is being killed: each a user with a journal, that can be started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock, SystemClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.support.killable import KillableCluster, Step, Trap

T = TypeVar("T")

HASTE = 0.1
"""What the pauses between a console's looks are multiplied by: these members gossip within 50 ms."""


class LaterClock(SystemClock):
    """The machine's clock, so many seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return super().now() + self._ahead


class Died(BaseException):
    """The process of a console is no more."""


class WatchedJournal(Journal):
    """A journal that calls `before_outcome` before each outcome of an action, in the thread that writes it, and
    that nothing is written to once its process is `dead`."""

    def __init__(self, path: Path, clock: SystemClock) -> None:
        super().__init__(path, clock)
        self.before_outcome: Callable[[], None] | None = None
        self.dead = False

    def record(
        self,
        op: str,
        phase: Phase,
        action: str,
        subject: str,
        user: str,
        context: str,
        result: Result,
        message: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> Entry:
        if phase is Phase.OUTCOME and self.before_outcome is not None:
            self.before_outcome()
        if self.dead:
            raise Died
        process = (detail or {}).get("process")
        if isinstance(process, dict):
            # All consoles live in this process, which goes on when one of them is killed.
            detail = {**(detail or {}), "process": {**process, "started": "before"}}
        return super().record(op, phase, action, subject, user, context, result, message, detail)


class WatchedCluster(AlertmanagerCluster):
    """A cluster that calls `before_write` before each write."""

    before_write: Callable[[], None] | None = None

    async def post_silence(self, silence: Silence) -> str:
        if self.before_write is not None:
            self.before_write()
        return await super().post_silence(silence)

    async def expire_silence(self, id: str) -> None:
        if self.before_write is not None:
            self.before_write()
        await super().expire_silence(id)


class Console:
    """One user's console. `restart` is a new process on the same journal."""

    def __init__(self, user: str, path: Path, cluster: KillableCluster, *, timeout: float = 10.0) -> None:
        self.user = user
        self._path = path
        self._members = cluster
        self._timeout = timeout
        self._acting: asyncio.Task[Any] | None = None
        self._open(SystemClock())

    def _open(self, clock: Clock) -> None:
        http = HttpConfig(timeout=self._timeout)
        self.cluster = WatchedCluster(
            "main",
            [Transport(Endpoint(url=url, http=http), clock=SystemClock()) for url in self._members.urls],
        )
        self.journal = WatchedJournal(self._path, SystemClock())
        self.runner = Runner(
            clusters={"main": self.cluster},
            flags=None,
            journal=self.journal,
            clock=clock,
            user=self.user,
            host="bastion",
            context="live",
            read_only=False,
            refresh=lambda: None,
            sleep=lambda seconds: asyncio.sleep(seconds * HASTE),
        )

    def set(self, trap: Trap | None) -> None:
        """Watch for where the trap springs; None watches no more."""
        self._members.watch = trap
        self.cluster.before_write = self.journal.before_outcome = None
        if trap is not None and trap.step is Step.WRITE:
            self.cluster.before_write = lambda: self._before_write(trap)
        if trap is not None and trap.step is Step.OUTCOME:
            loop = asyncio.get_running_loop()

            async def spring() -> None:
                trap.spring()

            # The journal is written in a thread, and connections are cut in the loop.
            self.journal.before_outcome = lambda: asyncio.run_coroutine_threadsafe(spring(), loop).result(30)

    def _before_write(self, trap: Trap) -> None:
        trap.spring()
        if self.journal.dead:
            raise Died

    async def act(self, action: Coroutine[Any, Any, T]) -> T | None:
        """Carry an action out; None when the console is killed before it ends."""
        self._acting = asyncio.create_task(action)
        try:
            return await self._acting
        except (Died, asyncio.CancelledError):
            if not self.journal.dead:
                raise
            return None

    def kill(self) -> None:
        """End it as SIGKILL would: no more requests, and nothing more in its journal."""
        self.journal.dead = True
        if self._acting is not None:
            self._acting.cancel()

    async def restart(self, *, later: float = 0.0) -> tuple[Outcome, ...]:
        """End this console, unless it is dead, and start the next one on its journal, `later` seconds from now by
        its clock; gives what became of that which was cut off."""
        await self.aclose()
        self._open(LaterClock(later))
        return await self.runner.settle()

    async def aclose(self) -> None:
        await self.cluster.aclose()
        self.journal.close()

    def entries(self) -> list[Entry]:
        """The whole journal, oldest first."""
        return list(reversed(self.journal.entries(1_000_000)))

    async def alerts(self, name: str) -> list[Alert]:
        """The alerts of that name, as this console sees them, in the order of their labels."""
        found = (await self.cluster.alerts((Matcher("alertname", name),))).data
        return sorted(found, key=lambda alert: sorted(alert.labels.items()))

    async def silence(self, id: str) -> Silence:
        """A silence as this console sees it."""
        found = await self.cluster.silence(id)
        assert found is not None, f"{self.user} sees no silence {id}"
        return found


def draft(*matchers: Matcher, seconds: float = 3600.0, comment: str = "deploy") -> Silence:
    """A silence that starts now, for the cluster `main`."""
    now = SystemClock().now()
    return Silence(
        matchers=matchers,
        starts_at=moment(now),
        ends_at=moment(now + seconds),
        created_by=safe(""),
        comment=safe(comment),
        cluster="main",
    )
