"""The embedded demo: Prometheus and Alertmanager APIs on loopback ports of this process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from opsconsole.clock import Clock
from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.am_api import AlertmanagerApi
from opsconsole.demo.compress import embedded_copy
from opsconsole.demo.httpd import LoopbackServer
from opsconsole.demo.probes import on_loopback, well
from opsconsole.demo.prom_api import PrometheusApi
from opsconsole.demo.release import FILE_NAME
from opsconsole.demo.rulebook import load_routing, load_rules
from opsconsole.demo.scenario import COMPRESS, Scenario
from opsconsole.demo.silences import DemoSilence, SilenceStore
from opsconsole.model.matchers import Matcher

LABEL = "DEMO (10x faster)"
"""What the console shows on every screen while the demo runs."""

NOTE = "alert delays and rate windows are divided by ten, so that the incident fits into four minutes"
"""What the label means."""

PLAYBOOK = "accubooks"


class DemoEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where a demo can be reached. `playbook` is a shipped playbook's name or a folder; `label` is shown on
    every screen, `note` says what it means. `control_url` is where faults are turned on (`/faults` below it),
    "" for the embedded demo."""

    prometheus_url: str
    alertmanager_url: str
    flags_file: Path
    directory: Path
    playbook: str = PLAYBOOK
    label: str = LABEL
    note: str = NOTE
    control_url: str = ""


class EmbeddedDemo:
    """The demo's servers. The scenario starts with `start` and is moved by `clock` alone; the flag file and
    a copy of the playbook are written into `directory`, which must exist. `speed` shortens the incident by that
    factor."""

    def __init__(
        self,
        *,
        clock: Clock,
        directory: Path,
        seed: int = 7,
        speed: float = 1.0,
        playbook: Path | None = None,
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._seed = seed
        self._speed = speed
        self._playbook = playbook
        self._servers: list[LoopbackServer] = []
        self._alertmanager_url = ""
        self.scenario: Scenario | None = None

    async def start(self) -> DemoEndpoints:
        """Begin the scenario and serve it. Raises ConfigError when the playbook cannot be read."""
        folder = self._playbook or find_playbook(PLAYBOOK)
        groups = load_rules(folder / "rules.yaml", COMPRESS * self._speed)
        routing = load_routing(folder / "alertmanager.yaml")
        flags_file = self._directory / FILE_NAME
        scenario = Scenario(
            clock=self._clock, flags_file=flags_file, groups=groups, seed=self._seed, speed=self._speed
        )
        self.scenario = scenario
        silences = _old_silences(SilenceStore(self._seed), scenario.start)
        prometheus = LoopbackServer(PrometheusApi(scenario, lambda: self._alertmanager_url), self._clock.now)
        alertmanager = LoopbackServer(AlertmanagerApi(scenario, routing, silences), self._clock.now)
        application = LoopbackServer(well, self._clock.now)
        self._servers = [alertmanager, prometheus, application]
        self._alertmanager_url = await alertmanager.start()
        address = await application.start()
        own = embedded_copy(folder, self._directory / PLAYBOOK, COMPRESS * self._speed)
        on_loopback(own, lambda host: address)
        return DemoEndpoints(
            prometheus_url=await prometheus.start(),
            alertmanager_url=self._alertmanager_url,
            flags_file=flags_file,
            directory=self._directory,
            playbook=str(own),
        )

    def tick(self) -> None:
        """Bring the scenario up to the clock without a request."""
        if self.scenario is not None:
            self.scenario.tick()

    async def stop(self) -> None:
        """End the servers; the flag file stays."""
        servers, self._servers = self._servers, []
        for server in servers:
            await server.stop()


def _old_silences(store: SilenceStore, start: float) -> SilenceStore:
    """One silence of each state from before the start; the active one hides DiskFillingUp."""
    hour = 3600.0
    store.seed(
        DemoSilence(
            matchers=(Matcher("alertname", "DiskFillingUp"), Matcher("instance", "db-replica-2:9100")),
            starts=start - 3.5 * hour,
            ends=start + 2.5 * hour,
            created_by="dba-b",
            comment="the replica's disk is being resized, CHG-1042",
        )
    )
    store.seed(
        DemoSilence(
            matchers=(Matcher("alertname", "QueueDepthHigh"), Matcher("job", "accubooks")),
            starts=start + 3 * hour,
            ends=start + 4 * hour,
            created_by="release-bot",
            comment="the nightly forecast run fills the queue",
        )
    )
    store.seed(
        DemoSilence(
            matchers=(Matcher("alertname", "HighLatency|HighErrorRate", is_regex=True),),
            starts=start - 5 * hour,
            ends=start - 4.5 * hour,
            created_by="primary-a",
            comment="deploying 1.4.1",
        )
    )
    return store
