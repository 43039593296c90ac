"""The clients of one context."""

from __future__ import annotations

import asyncio
import os

from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.clients.guardfile import GuardFiles
from opsconsole.clients.probes import Prober
from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint

MAX_IN_FLIGHT = 8
"""Requests at once to Prometheus, and as many to all Alertmanagers, which answer 503 above max(GOMAXPROCS, 8). A
Prometheus that hangs holds up no Alertmanager."""

FOUND = "main"
"""The name of the cluster that Prometheus names."""


class Sources:
    """Every client of a context. Nothing is connected until it is asked; close with `aclose`.

    `clusters` is by name and shared with whoever acts on them: when the context names no Alertmanager but
    wants Prometheus to be asked, `discover` fills it.
    """

    def __init__(self, context: Context, clock: Clock) -> None:
        self._clock = clock
        self._gates = asyncio.Semaphore(MAX_IN_FLIGHT), asyncio.Semaphore(MAX_IN_FLIGHT)
        self.prometheus = (
            PrometheusClient(self._transport(context.prometheus, self._gates[0]))
            if context.prometheus is not None
            else None
        )
        self.clusters: dict[str, AlertmanagerCluster] = {c.name: self._cluster(c) for c in context.alertmanager}
        self.flags: FlagProvider | None = (
            make_provider(context.flags, clock) if context.flags is not None else None
        )
        self.prober = Prober(clock)
        self._guarded = context if context.flags is not None or context.guard is not None else None
        self.wants_discovery = context.find_alertmanagers and not self.clusters and self.prometheus is not None

    def guard(self) -> GuardFiles | None:
        """Where guards on this machine tell of themselves; None for a context that has nothing to guard."""
        if self._guarded is None:
            return None
        from opsconsole.config.guard import guard_places  # only here: most rounds do not look for one

        folder = guard_places(self._guarded, os.environ).folder
        return GuardFiles(folder, self._guarded.name, expected=self._guarded.guard is not None)

    async def discover(self) -> bool:
        """Ask Prometheus for the Alertmanagers that it sends to; True when there are clusters now. Raises
        SourceError."""
        if self.clusters or self.prometheus is None:
            return bool(self.clusters)
        urls = await self.prometheus.alertmanagers()
        if urls:
            members = tuple(Endpoint(url=url) for url in urls)
            self.clusters[FOUND] = self._cluster(ClusterConfig(name=FOUND, members=members))
        return bool(self.clusters)

    async def aclose(self) -> None:
        if self.prometheus is not None:
            await self.prometheus.aclose()
        for cluster in self.clusters.values():
            await cluster.aclose()
        if self.flags is not None:
            await self.flags.aclose()

    def _transport(self, endpoint: Endpoint, gate: asyncio.Semaphore) -> Transport:
        return Transport(endpoint, clock=self._clock, gate=gate)

    def _cluster(self, config: ClusterConfig) -> AlertmanagerCluster:
        return AlertmanagerCluster(config.name, [self._transport(m, self._gates[1]) for m in config.members])
