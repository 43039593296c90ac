"""The pollers of one context and the snapshot that they keep.

Each poller asks its source and replaces a part of the frozen snapshot; listeners are told once per burst of
changes. `collect` runs the same pollers one time, which is what `check` and the listing commands use.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock
from opsconsole.errors import SourceError
from opsconsole.model.journal import Entry
from opsconsole.model.playbook import Playbook
from opsconsole.model.series import QueryResult
from opsconsole.state.poller import Poller
from opsconsole.state.polls import ASKS_CLUSTERS, ON_REQUEST, Poll, Polls
from opsconsole.state.snapshot import ContextInfo, Snapshot

BURST = 0.15
"""Seconds for which changes are gathered before listeners are told."""


class Engine:
    """Polls the sources of a context and holds the newest snapshot.

    `refresh` is the seconds between polls of alerts, silences, rules and panels when no dashboard says
    otherwise; `journal` returns the newest journal entries.
    """

    def __init__(
        self,
        info: ContextInfo,
        sources: Sources,
        playbooks: Sequence[Playbook],
        clock: Clock,
        *,
        refresh: float = 5.0,
        journal: Callable[[], tuple[Entry, ...]] = lambda: (),
        rng: random.Random | None = None,
    ) -> None:
        self.sources = sources
        self._clock = clock
        self._refresh = refresh
        self._rng = rng or random.Random()  # noqa: S311  jitter, not a secret
        self._phase = self._rng.uniform(0, refresh)
        self._listeners: list[Callable[[], object]] = []
        self._running = asyncio.Event()
        self._running.set()
        self._told: asyncio.TimerHandle | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._panels: dict[str, Poller] = {}
        self.polls = Polls(
            Snapshot(context=info, now=clock.now(), playbooks=tuple(playbooks)),
            sources,
            clock,
            refresh=refresh,
            journal=journal,
            changed=self._changed,
        )
        self._pollers = {name: self._poller(name, interval, poll) for name, interval, poll in self.polls.all()}
        self._for_checks = {name: (interval, poll) for name, interval, poll in self.polls.for_checks()}

    @property
    def for_checks(self) -> tuple[str, ...]:
        """The names that `watch` takes beside panels."""
        return tuple(self._for_checks)

    @property
    def snapshot(self) -> Snapshot:
        return self.polls.snapshot

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` after each burst of changes; returns what ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def watch(self, keys: Iterable[str]) -> None:
        """The panels (`system/id`) on screen, and what its checks need (`Polls.for_checks`): only these are
        polled."""
        wanted = [key for key in keys if key in self._for_checks or self.polls.panels.find(key) is not None]
        for gone in set(self._panels) - set(wanted):
            self._panels.pop(gone)
            task = self._tasks.pop(f"panel {gone}", None)
            if task is not None:
                task.cancel()
        for key in wanted:
            if key not in self._panels:
                self._panels[key] = self._panel_poller(key)
                self._start(f"panel {key}", self._panels[key])

    def refresh(self) -> None:
        """Ask every source now."""
        for poller in (*self._pollers.values(), *self._panels.values()):
            poller.kick()

    def pause(self) -> None:
        """Ask nothing until `resume`."""
        self._running.clear()

    def resume(self) -> None:
        """Go on, asking every source at once."""
        self._running.set()
        self.refresh()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for name, poller in self._pollers.items():
                    self._start(name, poller)
                for key, poller in self._panels.items():
                    self._start(f"panel {key}", poller)
                group.create_task(self._tick())
        finally:
            self._group = None
            self._tasks.clear()
            if self._told is not None:
                self._told.cancel()

    async def collect(self, names: Iterable[str] | None = None, panels: Iterable[str] = ()) -> Snapshot:
        """Run pollers one time, all at once, and return the snapshot. `names` limits them to the pollers of
        these names (`prometheus`, `rules`, `targets`, `alerts`, `silences`, `members`, `flags`, `found`); what
        is found in Prometheus, and what only checks need, is only asked for by its name."""
        wanted = set(self._pollers) - ON_REQUEST if names is None else set(names)
        if self.sources.wants_discovery and wanted & ASKS_CLUSTERS:
            await self._pollers["discovery"].once()
        pollers = [p for n, p in self._pollers.items() if n != "discovery" and n in wanted]
        pollers += [self._panel_poller(name) for name in self._for_checks if names is not None and name in wanted]
        pollers += [self._panel_poller(key) for key in panels]
        try:
            await asyncio.gather(*(poller.once() for poller in pollers))
            if "alerts" in wanted and self.polls.mutes_unseen():
                await self._pollers["alerts"].once()
        finally:
            self.polls.took({poller.name: poller.took for poller in pollers})
        return self.polls.tick()

    async def ask(self, expr: str, *, at: float | None = None) -> QueryResult:
        """One instant query. Raises SourceError; without Prometheus, an error that says so."""
        return await self._prometheus().query(expr, at=at)

    async def ask_range(self, expr: str, *, start: float, end: float, step: float) -> QueryResult:
        """One range query; times in seconds since the epoch. Raises SourceError."""
        return await self._prometheus().query_range(expr, start, end, step)

    async def aclose(self) -> None:
        await self.sources.aclose()

    def _prometheus(self) -> PrometheusClient:
        if self.sources.prometheus is None:
            raise SourceError("this context has no Prometheus", hint="add `prometheus: {url: …}` to it")
        return self.sources.prometheus

    def _panel_poller(self, key: str) -> Poller:
        """The poller of something that is watched."""
        if key in self._for_checks:
            return self._poller(key, *self._for_checks[key])
        return self._poller(f"panel {key}", self.polls.panels.refresh_of(key), self.polls.panels.poll(key))

    def _poller(self, name: str, interval: float, poll: Poll) -> Poller:
        return Poller(
            name, interval, poll, self._rng, self.polls.broken, phase=self._phase, clock=self._clock.monotonic
        )

    def _start(self, name: str, poller: Poller) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(poller.run(self._running), name=name)

    async def _tick(self) -> None:
        """Time passes on the screen even while no source answers."""
        while True:
            await asyncio.sleep(self._refresh)
            if self._running.is_set():
                self.polls.tick()
                self._changed()

    def _changed(self) -> None:
        if not self._listeners or self._told is not None:
            return
        self._told = asyncio.get_running_loop().call_later(BURST, self._tell)

    def _tell(self) -> None:
        self._told = None
        for listener in tuple(self._listeners):
            listener()
