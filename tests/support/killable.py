"""A gossip cluster whose members are killed and come back, behind proxies that tell how far each request is.

    async with KillableCluster(directory) as cluster:
        trap = Trap(cluster, Step.COMMITTED, victim=0)
        cluster.watch = trap
        ... ask cluster.urls: member 0 is killed once it has carried a write out, and its answer never comes ...
        await cluster.revive(0)
        await cluster.agreed()

A killed member refuses connections, as it would without a proxy: the proxy stops listening with it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pytest

from opsconsole.model.silences import Silence
from tests.support.ledger import Kill
from tests.support.member_proxy import MemberProxy, Passage, Watch
from tests.support.servers import Alertmanager, AlertmanagerClusterOf
from tests.support.servers import http as ask

LIMIT = 30.0
"""Seconds for members to agree, or for a member to come back."""


class Step(Enum):
    """Where in an action a member dies. GOSSIPED: as the one before, once the other member has it too."""

    READS = "before the action's reads"
    WRITE = "after the reads, before the write is sent"
    FLIGHT = "while the write is in flight"
    COMMITTED = "after the commit, before the reply"
    GOSSIPED = "after the commit and its gossip, before the reply"
    READ_BACK = "after the reply, before the read-back"
    OUTCOME = "after the read-back, before the outcome is journalled"


class KillableCluster:
    """Real members, each behind a proxy. `urls` are the proxies'; `watch` is told of every request's passages.
    `kills` are those so far, and `alerts` those that fire: a member that comes back is told of them."""

    def __init__(self, directory: Path, size: int = 2) -> None:
        self.real = AlertmanagerClusterOf(directory, size)
        self.proxies = tuple(MemberProxy(member.port, self._passing) for member in self.real.members)
        self.watch: Watch | None = None
        self.kills: list[Kill] = []
        self.alive = [False] * size
        self.alerts: list[object] = []

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"http://127.0.0.1:{proxy.port}" for proxy in self.proxies)

    async def start(self) -> None:
        await asyncio.to_thread(self.real.start)
        for number, proxy in enumerate(self.proxies):
            proxy.up()
            self.alive[number] = True

    async def stop(self) -> None:
        for proxy in self.proxies:
            await proxy.aclose()
        for member in self.real.members:
            member.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def kill(self, number: int) -> None:
        """SIGKILL a member: its connections are cut and new ones refused. Nothing when it is dead already."""
        if self.alive[number]:
            self.real.members[number].kill()
            self.proxies[number].down()
            self.alive[number] = False
            self.kills.append(Kill(time.time(), self.urls[number], last=not any(self.alive)))

    async def revive(self, number: int) -> None:
        """Start a killed member with the folder and ports it had; it is ready and has its alerts again, as
        Prometheus would have sent them within a minute."""
        if not self.alive[number]:
            member = self.real.members[number]
            await asyncio.to_thread(member.start)
            if self.alerts:
                await asyncio.to_thread(member.post_alerts, self.alerts)
            self.proxies[number].up()
            self.alive[number] = True

    async def fire(self, *alerts: object) -> None:
        """Post alerts to every living member, and to the others once they are back."""
        self.alerts.extend(alerts)
        for member in self.living():
            with suppress(OSError):  # it may be killed meanwhile
                await asyncio.to_thread(member.post_alerts, list(alerts))

    def living(self) -> list[Alertmanager]:
        return [member for member, alive in zip(self.real.members, self.alive, strict=True) if alive]

    async def listed(self) -> list[dict[str, Silence]]:
        """Every living member's silences by id, expired ones too: asked of itself, not through its proxy."""
        return await asyncio.gather(*(asyncio.to_thread(silences_of, member) for member in self.living()))

    async def agreed(self) -> dict[str, Silence]:
        """The silences once all living members list the same. Fails when they never do."""
        end = asyncio.get_running_loop().time() + LIMIT
        while True:
            lists = await self.listed()
            if all(known == lists[0] for known in lists):
                return lists[0]
            if asyncio.get_running_loop().time() > end:
                pytest.fail(f"the members did not agree within {LIMIT:g} s: {unlike(lists)}")
            await asyncio.sleep(0.02)

    async def _passing(self, passage: Passage, request: bytes) -> None:
        if self.watch is not None:
            await self.watch(passage, request)


def silences_of(member: Alertmanager) -> dict[str, Silence]:
    """One member's silences by id, expired ones too."""
    found = msgspec.convert(json.loads(ask("GET", f"{member.url}/api/v2/silences")), list[Silence])
    return {silence.id: silence for silence in found}


def unlike(lists: Sequence[dict[str, Silence]]) -> str:
    """In what members' lists differ."""
    ids = {id for known in lists for id in known}
    return "; ".join(
        f"{id}: {[known.get(id) and known[id].ends_at for known in lists]}"
        for id in sorted(ids)
        if any(known.get(id) != lists[0].get(id) for known in lists)
    )


class Trap:
    """Strikes once, when what is watched comes to a step: kills the member `victim`, or does what `strike` does.
    `sprung` tells whether it has. The steps WRITE and OUTCOME are no request's: there the console calls `spring`.
    """

    def __init__(
        self,
        cluster: KillableCluster,
        step: Step,
        victim: int | None = None,
        *,
        strike: Callable[[], None] = lambda: None,
    ) -> None:
        self.step = step
        self.sprung = False
        self._cluster = cluster
        self._victim = victim
        self._strike = strike
        self._written = False

    async def __call__(self, passage: Passage, request: bytes) -> None:
        write = not request.startswith(b"GET ")
        here = {
            Step.READS: passage is Passage.ARRIVED and not write,
            Step.FLIGHT: passage is Passage.HALF and write,
            Step.COMMITTED: passage is Passage.ANSWERED and write,
            Step.GOSSIPED: passage is Passage.ANSWERED and write,
            Step.READ_BACK: passage is Passage.ARRIVED and not write and self._written,
        }
        if here.get(self.step, False) and not self.sprung:
            if self.step is Step.GOSSIPED:
                with suppress(OSError, http.client.HTTPException):  # the other member is dying too
                    await self._cluster.agreed()
            self.spring()
        self._written = self._written or (write and passage is Passage.ANSWERED)

    def spring(self) -> None:
        if self.sprung:
            return
        self.sprung = True
        if self._victim is not None:
            self._cluster.kill(self._victim)
        self._strike()
