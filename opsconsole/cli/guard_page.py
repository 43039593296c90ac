"""What the guard asks Alertmanager when it has something to tell: which alert is firing, and how it is routed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from opsconsole.cli.wiring import load_playbooks
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock
from opsconsole.config.schema import Context
from opsconsole.errors import SourceError
from opsconsole.guard.paging import Pager
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matcher
from opsconsole.model.reading import Reading
from opsconsole.state.members import told
from opsconsole.state.snapshot import ClusterReading
from opsconsole.text import safe

_FRESH = 60.0


def make_pager(context: Context, sources: Sources, clock: Clock) -> Pager | None:
    """A pager of the context, which asks when there is something to tell and not before; None without an
    Alertmanager."""
    if not sources.clusters and not sources.wants_discovery:
        return None
    playbooks = load_playbooks(context, runbooks=False)
    return Pager(str(safe(context.name, 40)), playbooks, AlertmanagerLook(sources, clock))


class AlertmanagerLook:
    """Asks every cluster of a context; a opsconsole.guard.paging.Look."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock

    async def __call__(self, names: Sequence[str]) -> Sequence[ClusterReading]:
        """Those of the clusters that answer. Raises SourceError when none of them does. Silenced and inhibited
        alerts are left out: Alertmanager tells PagerDuty neither of them nor that they are over."""
        if self._sources.wants_discovery:
            await self._sources.discover()
        asked = (self._ask(cluster, names) for cluster in tuple(self._sources.clusters.values()))
        answers = await asyncio.gather(*asked)
        found = [one for one in answers if isinstance(one, ClusterReading)]
        failed = next((one for one in answers if isinstance(one, SourceError)), None)
        if failed is not None and not found:
            raise failed
        return found

    async def _ask(self, cluster: AlertmanagerCluster, names: Sequence[str]) -> ClusterReading | SourceError:
        now = self._clock.now()
        alerts, statuses = await asyncio.gather(
            cluster.alerts([_named(names)], silenced=False, inhibited=False),
            cluster.statuses(),
            return_exceptions=True,
        )
        if isinstance(alerts, SourceError):
            return alerts
        if isinstance(alerts, BaseException):
            raise alerts
        if isinstance(statuses, BaseException):
            raise statuses
        reading = ClusterReading(
            name=cluster.name,
            alerts=Reading[tuple[Alert, ...]](limit=_FRESH).good(alerts.data, now),
            silences=Reading(limit=_FRESH),
        )
        members = told(reading, statuses, now, self._clock.now(), _FRESH)
        return ClusterReading(name=cluster.name, alerts=reading.alerts, silences=reading.silences, members=members)


def _named(names: Sequence[str]) -> Matcher:
    if len(names) == 1:
        return Matcher("alertname", names[0])
    return Matcher("alertname", "|".join(map(re.escape, names)), is_regex=True)
