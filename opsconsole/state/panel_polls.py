"""What is asked for a panel: ranges for a chart, the latest value, or how long it has been over a threshold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock
from opsconsole.errors import SourceError
from opsconsole.model.panels import PanelData, coarse_span, headline_index, hold_span, step_of
from opsconsole.model.playbook import Panel, PanelKind
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult
from opsconsole.state.failures import failure_of, limit_of
from opsconsole.state.range_cache import RangeAsk, RangeCache
from opsconsole.state.snapshot import Snapshot

Put = Callable[[str, Reading[PanelData]], None]


class PanelPolls:
    """The polls of a context's panels, by their keys `system/id`.

    `snapshot` is the newest one, `put` replaces one panel's reading in it. `samples_asked` counts points
    asked of Prometheus per series, `samples_full` what whole windows would have asked. `instant` asks for no
    more of a panel than its verdict needs: the latest value of its headline. `lasting` are then the panels of
    which it matters for how long they have been over a threshold.
    """

    def __init__(
        self, sources: Sources, clock: Clock, *, refresh: float, snapshot: Callable[[], Snapshot], put: Put
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._refresh = refresh
        self._snapshot = snapshot
        self._put = put
        self._caches: dict[tuple[str, int, str], RangeCache] = {}
        self.instant = False
        self.lasting: frozenset[str] = frozenset()
        self.samples_asked = 0
        self.samples_full = 0

    def find(self, key: str) -> Panel | None:
        """The panel of a key."""
        system, _, panel_id = key.partition("/")
        for playbook in self._snapshot().playbooks:
            if playbook.system == system:
                return playbook.panel(panel_id)
        return None

    def refresh_of(self, key: str) -> float:
        """Seconds between polls of a panel: its dashboard's refresh."""
        system, _, panel_id = key.partition("/")
        for playbook in self._snapshot().playbooks:
            for dashboard in playbook.dashboards if playbook.system == system else ():
                if any(panel.id == panel_id for panel in dashboard.panels):
                    return dashboard.refresh
        return self._refresh

    def poll(self, key: str) -> Callable[[], Awaitable[None]]:
        """The poll of one panel: all its queries at once; the panel is unknown when one of them fails. One
        that is not there any more is not asked for."""

        async def poll() -> None:
            panel, asked = self.find(key), self._clock.now()
            if panel is None:
                return
            old = self._snapshot().panels.get(key) or Reading(limit=limit_of(self.refresh_of(key)))
            try:
                results = await self._query_all(key, panel, asked)
            except SourceError as error:
                self._put(key, old.failed(failure_of(error), self._clock.now()))
                raise
            warnings = tuple(w for r in results for w in r.warnings)
            self._put(key, old.good(PanelData(results), asked, warnings))

        return poll

    async def _query_all(self, key: str, panel: Panel, now: float) -> tuple[QueryResult, ...]:
        tasks = [asyncio.ensure_future(self._query(key, panel, i, now)) for i in range(len(panel.queries))]
        try:
            return tuple(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _query(self, key: str, panel: Panel, index: int, now: float) -> QueryResult:
        client = self._sources.prometheus
        if client is None:
            raise SourceError("this context has no Prometheus", hint="add `prometheus: {url: …}` to it")
        expr = panel.queries[index].expr
        if self.instant:
            if index != headline_index(panel):
                return QueryResult("vector", ())
            window, step = coarse_span(panel) if key in self.lasting else (0.0, 0.0)
            return await (client.query_range(expr, now - window, now, step) if window else client.query(expr))
        window, step = self._span_of(key, panel, index)
        if not window:
            return await client.query(expr)
        cache = self._caches.get((key, index, expr))
        if cache is None or cache.window != window:
            cache = self._caches[key, index, expr] = RangeCache(window, step)
        ask = cache.plan(now)
        self._count(ask, cache)
        return cache.merge(ask, await client.query_range(expr, ask.start, ask.end, ask.step))

    def _span_of(self, key: str, panel: Panel, index: int) -> tuple[float, float]:
        """The window and step to ask for, in seconds; (0, 0) when the latest value is enough: for a chart its
        range, for a value that is held against a threshold as long as that must be crossed."""
        held = hold_span(panel) if index == headline_index(panel) else (0.0, 0.0)
        if panel.kind in (PanelKind.LINE, PanelKind.NUMBER):
            return max((panel.window, step_of(panel.window)), held)
        return held if panel.kind is PanelKind.GAUGE else (0.0, 0.0)

    def _count(self, ask: RangeAsk, cache: RangeCache) -> None:
        self.samples_asked += ask.points
        self.samples_full += int(cache.window / cache.step) + 1
