"""What only checks want to know, asked slowly: the probes, how notifications go out, and the playbooks' lint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock
from opsconsole.errors import SourceError
from opsconsole.model.linting import Linted
from opsconsole.model.notifications import METRICS, RELOADED, Notifications, notifications
from opsconsole.model.playbook import Playbook, Probe
from opsconsole.model.probes import ProbeAnswer
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult
from opsconsole.state.failures import failure_of, limit_of
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe

EVERY = 60.0
"""Seconds between two rounds of these questions in a console."""

WINDOW = 900.0
"""Seconds of notifications that Prometheus is asked for."""

_SUMS = {name: f"sum by (integration, instance) (increase({name}[{WINDOW:.0f}s]))" for name in METRICS}

SCRAPED = " or ".join(
    f'label_replace({asked}, "counter", "{name}", "", "")' for name, asked in {RELOADED: RELOADED, **_SUMS}.items()
)
"""The one question for all of Alertmanager's own metrics."""


class Put(Protocol):
    """Replaces fields of the snapshot."""

    def __call__(self, **fields: object) -> None: ...


def waiting_probes(playbooks: Iterable[Playbook]) -> dict[str, Reading[ProbeAnswer]]:
    """A reading for each probe, by `system/probe`."""
    return {f"{b.system}/{p.name}": Reading(limit=limit_of(EVERY)) for b in playbooks for p in b.probes}


def waiting_lints(playbooks: Iterable[Playbook]) -> dict[str, Reading[tuple[Linted, ...]]]:
    """A reading for each playbook that has a folder, by system."""
    return {book.system: Reading(limit=limit_of(EVERY)) for book in playbooks if book.folder}


class WatchPolls:
    """The polls `probes`, `notifications` and `lint`. `put` replaces fields of `snapshot`, the newest."""

    def __init__(self, sources: Sources, clock: Clock, *, snapshot: Callable[[], Snapshot], put: Put) -> None:
        self._sources = sources
        self._clock = clock
        self._snapshot = snapshot
        self._put = put

    def all(self) -> Iterator[tuple[str, float, Callable[[], Awaitable[None]]]]:
        """Name, interval in seconds and poll of what the context has."""
        snapshot = self._snapshot()
        if snapshot.probes:
            yield "probes", EVERY, self.poll_probes
        if snapshot.notified:
            yield "notifications", EVERY, self.poll_notifications
        if snapshot.linted:
            yield "lint", EVERY, self.poll_lint

    async def poll_probes(self) -> None:
        """Ask every probe, all at once; one that cannot be asked leaves the others as they are."""
        wanted = [(f"{b.system}/{p.name}", p) for b in self._snapshot().playbooks for p in b.probes]
        await asyncio.gather(*(self._probe(key, probe) for key, probe in wanted))

    async def poll_notifications(self) -> None:
        """How notifications go out: of late by Prometheus when it scrapes the Alertmanagers, else since they
        started by themselves. Both are asked at once: one after the other would take twice as long."""
        asked = self._clock.now()
        clusters = tuple(self._sources.clusters.values())
        scraped, told = await asyncio.gather(
            self._scraped(), asyncio.gather(*(_told(cluster) for cluster in clusters))
        )
        failed: SourceError | None = None
        for cluster, own in zip(clusters, told, strict=True):
            old = self._snapshot().notified.get(cluster.name) or Reading[Notifications](limit=limit_of(EVERY))
            late = _late(cluster, scraped, alone=len(clusters) == 1)
            if late is not None and scraped is not None:
                reading = old.good(late, asked, scraped.warnings)
            elif isinstance(own, SourceError):
                failed = own
                reading = old.failed(failure_of(own), self._clock.now())
            else:
                reading = old.good(own, asked)
            self._put(notified={**self._snapshot().notified, cluster.name: reading})
        if failed is not None:
            raise failed

    async def poll_lint(self) -> None:
        """Lint the playbooks, which the cache makes quick."""
        from opsconsole.lint.cached import cached_lint  # not loaded by commands that do not lint

        for book in self._snapshot().playbooks:
            if not book.folder:
                continue
            asked = self._clock.now()
            old = self._snapshot().linted.get(book.system) or Reading[tuple[Linted, ...]](limit=limit_of(EVERY))
            try:
                reading = old.good(await asyncio.to_thread(cached_lint, Path(book.folder)), asked)
            except OSError as error:
                why = SourceError(
                    f"the playbook cannot be read: {safe(error.strerror or 'no reason given')}",
                    where=safe(book.folder),
                    hint="is the playbook's folder still there?",
                )
                reading = old.failed(failure_of(why), self._clock.now())
            self._put(linted={**self._snapshot().linted, book.system: reading})

    async def _probe(self, key: str, probe: Probe) -> None:
        asked = self._clock.now()
        old = self._snapshot().probes.get(key) or Reading[ProbeAnswer](limit=limit_of(EVERY))
        try:
            reading = old.good(await self._sources.prober.ask(probe), asked)
        except SourceError as error:
            reading = old.failed(failure_of(error), self._clock.now())
        self._put(probes={**self._snapshot().probes, key: reading})

    async def _scraped(self) -> QueryResult | None:
        """What Prometheus has of it; None when it is not there or cannot say: then they are asked themselves."""
        if self._sources.prometheus is None:
            return None
        try:
            return await self._sources.prometheus.query(SCRAPED)
        except SourceError:
            return None


async def _told(cluster: AlertmanagerCluster) -> Notifications | SourceError:
    """What the members say themselves, or why they do not."""
    try:
        return (await cluster.notifications()).data
    except SourceError as error:
        return error


def _late(cluster: AlertmanagerCluster, scraped: QueryResult | None, *, alone: bool) -> Notifications | None:
    """What Prometheus has of a cluster's members, by their addresses; all that it has when the only cluster is
    reached by other addresses than those that are scraped. None when it has nothing."""
    if scraped is None:
        return None
    samples: list[tuple[Mapping[str, str], float]] = [
        ({**series.labels, "__name__": series.labels.get("counter", "")}, series.last)
        for series in scraped.series
        if series.last is not None
    ]
    addresses = {urlsplit(url).netloc for url in cluster.urls}
    own = [sample for sample in samples if sample[0].get("instance") in addresses]
    found = notifications(own or (samples if alone else []), WINDOW)
    return found if found.integrations else None
