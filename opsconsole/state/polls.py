"""What each poller asks and which part of the snapshot it replaces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from opsconsole.clients.alertmanager import AlertmanagerCluster, ClusterReply
from opsconsole.clients.prometheus import RULES, TARGETS
from opsconsole.clients.sources import FOUND, Sources
from opsconsole.clock import Clock
from opsconsole.errors import FlagError, FlagRateLimited, JournalError, SourceError, TimedOut
from opsconsole.model.acks import THIS_CONSOLE
from opsconsole.model.alerts import Alert
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.model.journal import Entry
from opsconsole.model.members import differences
from opsconsole.model.panels import PanelData
from opsconsole.model.reading import Failure, Freshness, Reading
from opsconsole.state.check_polls import EVERY, CheckPolls
from opsconsole.state.failures import failure_of, limit_of, place_of
from opsconsole.state.flaglog import FlagLog
from opsconsole.state.guard_polls import look_for_guard
from opsconsole.state.members import silent, told
from opsconsole.state.muted import mark_muted, may_mute
from opsconsole.state.panel_polls import PanelPolls
from opsconsole.state.rows import rows_of
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.state.told import Told
from opsconsole.state.trash import Trash
from opsconsole.state.watch_polls import WatchPolls, waiting_lints, waiting_probes
from opsconsole.text import SafeText, trusted

T = TypeVar("T")

Poll = Callable[[], Awaitable[None]]

SLOW = 3.0
"""Targets, members and build information are asked this many times less often than alerts."""

ASKS_CLUSTERS = frozenset({"alerts", "silences", "members", "notifications"})
"""The polls that need to know the Alertmanagers."""

ON_REQUEST = frozenset({"found", "guard", "probes", "notifications", "lint"})
"""The polls that a single round leaves out unless it names them."""

FOUND_AGAIN = 86_400.0
"""Seconds after which a Prometheus is asked again what it has; a refresh asks at once."""


class Polls:
    """The poll functions of one context and the snapshot that they replace.

    A failed poll marks its reading and raises, so that the poller backs off. `panels` are the polls of the
    panels; without `builds_rows` the snapshot has no alert rows.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        sources: Sources,
        clock: Clock,
        *,
        refresh: float,
        journal: Callable[[], tuple[Entry, ...]],
        changed: Callable[[], None],
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._refresh = refresh
        self._journal = journal
        self._changed = changed
        self._trash = Trash()
        self._unsorted: set[str] = set()
        self.builds_rows = True
        self.changes: Callable[[], tuple[FlagChange, ...]] = lambda: ()
        self.panels = PanelPolls(
            sources, clock, refresh=refresh, snapshot=lambda: self.snapshot, put=self._set_panel
        )
        self._log = FlagLog(sources.flags, clock) if sources.flags is not None else None
        client = sources.prometheus
        self._checks = CheckPolls(client, clock, lambda: self.snapshot, self._read) if client is not None else None
        limit = limit_of(refresh)
        slow = limit_of(refresh * SLOW)
        has_prometheus = sources.prometheus is not None
        names = list(sources.clusters) or ([FOUND] if sources.wants_discovery else [])
        self._guard = sources.guard()
        self.watch = WatchPolls(sources, clock, snapshot=lambda: self.snapshot, put=self._set)
        self.snapshot = msgspec.structs.replace(
            snapshot,
            prometheus=Reading(limit=slow) if has_prometheus else None,
            rules=Reading(limit=limit) if has_prometheus else None,
            targets=Reading(limit=slow) if has_prometheus else None,
            **{name: Reading(limit=limit_of(EVERY)) for name, _, _ in self.for_checks()},
            found=Reading(limit=2 * FOUND_AGAIN) if has_prometheus and not snapshot.playbooks else None,
            flags=Reading(limit=limit) if sources.flags is not None else None,
            flag_log=self._log.reading if self._log is not None else None,
            guard=Reading(limit=slow) if self._guard is not None else None,
            extender=trusted("nobody") if snapshot.context.read_only else THIS_CONSOLE,
            clusters=tuple(
                ClusterReading(name=n, alerts=Reading(limit=limit), silences=Reading(limit=limit)) for n in names
            ),
            journal=journal(),
            probes=waiting_probes(snapshot.playbooks),
            linted=waiting_lints(snapshot.playbooks),
            notified={name: Reading(limit=limit_of(EVERY)) for name in names},
        )

    def all(self) -> Iterator[tuple[str, float, Poll]]:
        """Name, interval in seconds and poll of each source that the context has."""
        if self._sources.prometheus is not None:
            yield "prometheus", self._refresh * SLOW, self.poll_prometheus
            yield "rules", self._refresh, self.poll_rules
            yield "targets", self._refresh * SLOW, self.poll_targets
            yield "extender", self._refresh * 12, self.poll_extender
        if self.snapshot.found is not None:
            yield "found", FOUND_AGAIN, self.poll_found
        if self._sources.wants_discovery:
            yield "discovery", self._refresh, self.poll_discovery
        if self._sources.clusters or self._sources.wants_discovery:
            yield "alerts", self._refresh, self.poll_alerts
            yield "silences", self._refresh, self.poll_silences
            yield "members", self._refresh * SLOW, self.poll_members
        if self._sources.flags is not None:
            yield "flags", self._refresh, self.poll_flags
        if self._guard is not None:
            yield "guard", self._refresh * SLOW, self.poll_guard
        yield from self.watch.all()

    def for_checks(self) -> Iterator[tuple[str, float, Poll]]:
        """As `all`, what only the checks need: not to be asked all the time."""
        return self._checks.all() if self._checks is not None else iter(())

    def tick(self) -> Snapshot:
        """The snapshot at the time of now, with the newest journal."""
        try:
            ours = self.changes()
            changes = self._log.with_journal(ours) if self._log is not None else ours
            self._set(journal=self._journal(), changes=changes)
        except JournalError as error:
            self.broken("journal", error)
        return self.snapshot

    def took(self, seconds: Mapping[str, float]) -> None:
        """Record how long the pollers of a single round took."""
        self._set(took={**self.snapshot.took, **seconds})

    def overdue(self, seconds: float, panels: Iterable[str] = ()) -> Snapshot:
        """The snapshot when the `seconds` for a single round are over: every source, and each of these
        panels, that has not been heard of has timed out."""
        late = Failure(
            kind=TimedOut.kind,
            message=trusted(f"no answer within the {seconds:g} s for everything"),
            hint=trusted("allow more time, or look at the network"),
        )
        now = self._clock.now()

        def judged(reading: Reading[T]) -> Reading[T]:
            return reading.failed(late, now) if reading.freshness(now) is Freshness.WAITING else reading

        old = self.snapshot
        self._set(
            prometheus=judged(old.prometheus) if old.prometheus is not None else None,
            **{name: judged(getattr(old, name)) for name, _, _ in self.for_checks()},
            rules=judged(old.rules) if old.rules is not None else None,
            targets=judged(old.targets) if old.targets is not None else None,
            flags=judged(old.flags) if old.flags is not None else None,
            flag_log=judged(old.flag_log) if old.flag_log is not None else None,
            guard=judged(old.guard) if old.guard is not None else None,
            clusters=tuple(
                msgspec.structs.replace(c, alerts=judged(c.alerts), silences=judged(c.silences))
                for c in old.clusters
            ),
            probes={key: judged(reading) for key, reading in old.probes.items()},
            notified={key: judged(reading) for key, reading in old.notified.items()},
            linted={key: judged(reading) for key, reading in old.linted.items()},
            panels={**{key: Reading[PanelData]().failed(late, now) for key in panels}, **old.panels},
        )
        return self.snapshot

    def broken(self, name: str, error: Exception) -> None:
        """Record that the poller `name` met an error that nobody expected."""
        self._set(broken={**self.snapshot.broken, name: place_of(error)})

    async def poll_prometheus(self) -> None:
        assert self._sources.prometheus is not None
        client = self._sources.prometheus

        async def ask() -> object:
            await client.ready()
            info = await client.buildinfo()
            return msgspec.structs.replace(info, skew=client.skew, expires=client.expires)

        await self._read("prometheus", ask)

    async def poll_rules(self) -> None:
        assert self._sources.prometheus is not None
        before = self.snapshot.rules.data if self.snapshot.rules else None
        client = self._sources.prometheus
        await self._read("rules", client.rules, lambda: client.warnings.get(RULES, ()))
        if self.snapshot.rules is not None and self.snapshot.rules.data != before:
            await self._rebuild()

    async def poll_targets(self) -> None:
        assert self._sources.prometheus is not None
        client = self._sources.prometheus
        await self._read("targets", client.targets, lambda: client.warnings.get(TARGETS, ()))

    async def poll_flags(self) -> None:
        provider = self._sources.flags
        assert provider is not None

        async def read() -> FlagSet:
            return msgspec.structs.replace(await provider.read(), capabilities=provider.capabilities)

        await self._read("flags", read)
        flags = self.snapshot.flags
        if self._log is not None and flags is not None and flags.data is not None:
            await self._log.poll(flags.data.revision)
            self._set(flag_log=self._log.reading)
        self.tick()

    async def poll_guard(self) -> None:
        assert self._guard is not None
        files, prometheus = self._guard, self._sources.prometheus
        await self._read("guard", lambda: look_for_guard(files, prometheus, self._clock.now()))

    async def poll_extender(self) -> None:
        assert self._sources.prometheus is not None
        # Not known is as if it did not run: both may extend an ack, nobody may not.
        here = trusted("nobody") if self.snapshot.context.read_only else THIS_CONSOLE
        try:
            result = await self._sources.prometheus.query("kthxbye_last_cycle_success")
        except SourceError:
            self._set(extender=here)
            raise
        runs = any(series.last == 1 for series in result.series)
        self._set(extender=trusted("kthxbye") if runs else here)

    async def poll_found(self) -> None:
        """Recognise what Prometheus has, for a context without a playbook."""
        from opsconsole.state.found import find_playbook_in  # not loaded by commands that show no panels

        assert self._sources.prometheus is not None
        client = self._sources.prometheus
        await self._read("found", lambda: find_playbook_in(client))
        if self.snapshot.found is not None and self.snapshot.found.data is not None:
            self._set(playbooks=(self.snapshot.found.data,))

    async def poll_discovery(self) -> None:
        """Find the Alertmanagers through Prometheus, until some are found."""
        if self._sources.clusters:
            return
        try:
            found = await self._sources.discover()
            if not found:
                raise SourceError("Prometheus sends to no Alertmanager", hint="name one with --alertmanager URL")
        except SourceError as error:
            failure, now = failure_of(error), self._clock.now()
            self._set(
                clusters=tuple(
                    msgspec.structs.replace(c, alerts=c.alerts.failed(failure, now))
                    for c in self.snapshot.clusters
                )
            )
            raise

    async def poll_alerts(self) -> None:
        failed = await self._each_cluster("alerts", self._alerts_of)
        await self._rebuild()
        if failed is not None:
            raise failed

    def mutes_unseen(self) -> bool:
        """Whether alerts were read before their cluster had told its configuration, which may mute them."""
        unsorted = [c for c in self.snapshot.clusters if c.name in self._unsorted]
        return may_mute(m.status.data for c in unsorted for m in c.members if m.status.data is not None)

    async def poll_silences(self) -> None:
        before = self.snapshot.silences()
        failed = await self._each_cluster("silences", lambda c: c.silences())
        if self.snapshot.silences() != before:
            await self._rebuild()
        if failed is not None:
            raise failed

    async def poll_members(self) -> None:
        failed: list[SourceError] = []
        for cluster in tuple(self._sources.clusters.values()):
            asked = self._clock.now()
            replies = await cluster.statuses()
            failed += [reply.error for reply in replies if reply.error is not None]
            limit = limit_of(self._refresh * SLOW)
            members = told(self._cluster(cluster.name), replies, asked, self._clock.now(), limit)
            self._set_cluster(cluster.name, members=members, skew=cluster.skew)
        if failed:
            raise failed[0]

    async def _read(
        self,
        field: str,
        ask: Callable[[], Awaitable[object]],
        warnings: Callable[[], tuple[SafeText, ...]] = lambda: (),
    ) -> None:
        """Put what is asked for, or why there is none, into a field. `warnings` are those of the answer, if it is
        not a Told."""
        asked = self._clock.now()
        try:
            data = await ask()
        except (SourceError, FlagError) as error:
            reading: Reading[object] = getattr(self.snapshot, field)
            self._set(**{field: reading.failed(failure_of(error), self._clock.now())})
            if isinstance(error, SourceError):
                raise
            failed = SourceError(error.message, where=error.where, hint=error.hint)
            failed.retry_after = error.retry_after if isinstance(error, FlagRateLimited) else None
            raise failed from error
        reading = getattr(self.snapshot, field)
        told = data if isinstance(data, Told) else Told(data, warnings())
        self._set(**{field: reading.good(told.data, asked, told.warnings)})

    async def _each_cluster(
        self, field: str, ask: Callable[[AlertmanagerCluster], Awaitable[object]]
    ) -> SourceError | None:
        """Ask every cluster and record each answer; the first failure, so that it can be raised once what
        the others said has been used."""
        clusters = tuple(self._sources.clusters.values())
        results = await asyncio.gather(*(self._one_cluster(field, c, ask) for c in clusters))
        return next((error for error in results if error is not None), None)

    async def _one_cluster(
        self,
        field: str,
        cluster: AlertmanagerCluster,
        ask: Callable[[AlertmanagerCluster], Awaitable[object]],
    ) -> SourceError | None:
        asked = self._clock.now()
        try:
            reply = await ask(cluster)
        except SourceError as error:
            old = self._cluster_reading(cluster.name, field)
            self._set_cluster(cluster.name, **{field: old.failed(failure_of(error), self._clock.now())})
            return error
        assert isinstance(reply, ClusterReply)
        old = self._cluster_reading(cluster.name, field)
        more: dict[str, object] = {"skew": cluster.skew}
        if field == "silences":
            more["differences"] = differences(reply.members, asked + cluster.skew)
        if reply.failures:
            more["members"] = silent(self._cluster(cluster.name), reply.failures, self._clock.now())
        self._set_cluster(cluster.name, **{field: old.good(reply.data, asked)}, **more)
        return None

    def _cluster(self, name: str) -> ClusterReading:
        return next(c for c in self.snapshot.clusters if c.name == name)

    def _cluster_reading(self, name: str, field: str) -> Reading[object]:
        reading: Reading[object] = getattr(self._cluster(name), field)
        return reading

    async def _alerts_of(self, cluster: AlertmanagerCluster) -> ClusterReply[tuple[Alert, ...]]:
        reply = await cluster.alerts()
        members = self._cluster(cluster.name).members
        told = [m.status.data for m in members if m.status.data is not None]
        (self._unsorted.discard if told else self._unsorted.add)(cluster.name)
        if not may_mute(told):
            return reply
        groups = await cluster.groups()
        data = await asyncio.to_thread(mark_muted, reply.data, groups.data)
        return ClusterReply(data, reply.failures)

    async def _rebuild(self) -> None:
        if not self.builds_rows:
            return
        built = await rows_of(self.snapshot)
        self._set(rows=built.rows, shared=built.shared, counts=built.counts)

    def _set_panel(self, key: str, reading: Reading[PanelData]) -> None:
        self._set(panels={**self.snapshot.panels, key: reading})

    def _set_cluster(self, name: str, **fields: object) -> None:
        self._set(
            clusters=tuple(
                msgspec.structs.replace(c, **fields) if c.name == name else c for c in self.snapshot.clusters
            )
        )

    def _set(self, **fields: object) -> None:
        self.snapshot = msgspec.structs.replace(self.snapshot, now=self._clock.now(), **fields)
        self._changed()
