"""A playbook: what to watch, what alerts, and what to do, for one system."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from opsconsole.model.evidence_windows import Evidence
from opsconsole.model.guard import Guard
from opsconsole.model.oncall import EscalationStep, OnCall
from opsconsole.model.runbook import Runbook
from opsconsole.model.silence_templates import SilenceTemplate
from opsconsole.model.verdicts import Level
from opsconsole.text import SafeText, trusted


class PanelKind(Enum):
    LINE = "line"
    NUMBER = "number"
    GAUGE = "gauge"
    TABLE = "table"
    BARS = "bars"


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A bound on a panel's value: the level holds when the value is above `above` or below `below`.

    `hold` (`for:` in the file) is seconds that it must last before `check` reports it.
    """

    level: Level
    above: float | None = None
    below: float | None = None
    hold: float = 0.0

    @property
    def bound(self) -> float:
        return self.above if self.above is not None else self.below or 0.0

    def crossed(self, value: float) -> bool:
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


class PanelQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One PromQL expression. `legend` is a name or a template such as `{{route}}`."""

    expr: str
    legend: SafeText = trusted("")


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One chart, number, gauge, table or set of bars.

    `id` is unique in the playbook. `unit` is one of opsconsole.model.units.UNITS. `headline` names the legend
    whose latest value is the panel's value and is held against the thresholds; "" means the first query.
    `window` is the range shown, seconds. `empty` says what an empty result means: unknown (the default),
    ok, or zero.
    """

    id: str
    title: SafeText
    kind: PanelKind = PanelKind.LINE
    unit: str = "none"
    queries: tuple[PanelQuery, ...]
    thresholds: tuple[Threshold, ...] = ()
    headline: SafeText = trusted("")
    window: float = 3600.0
    minimum: float | None = None
    maximum: float | None = None
    top: int = 10
    empty: str = "unknown"


class PanelGroup(msgspec.Struct, frozen=True, kw_only=True):
    title: SafeText
    panels: tuple[Panel, ...]


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A page of panels; `refresh` is seconds."""

    id: str
    title: SafeText
    refresh: float = 5.0
    groups: tuple[PanelGroup, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for group in self.groups for panel in group.panels)


class AlertGuide(msgspec.Struct, frozen=True, kw_only=True):
    """What the playbook says about one alert: `response` is seconds to the first response (0: by severity),
    `panel` the panel that shows it."""

    name: str
    response: float = 0.0
    panel: str = ""
    distinguish: tuple[str, ...] = ()


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A scrape job that must be up. `interval` is seconds between scrapes, 0 when the playbook does not say."""

    name: str
    instances: int = 1
    interval: float = 0.0


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of `rules.yaml`, raw. `hold` (`for:` in the file) is seconds; `has_runbook` says whether it has
    a `runbook_url` or the playbook has a runbook for its name."""

    name: str
    expr: str
    hold: float = 0.0
    severity: str = ""
    has_runbook: bool = False


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP check: a GET of `url` must be answered with `status` and a body that has `contains` in it.

    After `timeout` seconds it has failed; an answer that takes longer than `latency` seconds (0: any time will do)
    is a warning.
    """

    name: str
    url: str
    status: int = 200
    timeout: float = 5.0
    latency: float = 0.0
    contains: str = ""


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """One system's playbook.

    `response` and `acknowledge` are seconds by severity word. `deadman` is the alert that must always fire, "" for
    none. `flag_panel` is the panel shown on the Flags screen, `evidence` what is counted before and after a change
    there. `runbooks` are keyed by alert name. `reviewed` is an ISO date or "". `severities` are those that its
    rules may have; none when it does not say. `rules` are the alerts of its `rules.yaml`, or `rules_problem` says
    why that cannot be used; `runbook_names` are the files of `runbooks/` without `.md`. `retention` is the seconds
    for which its Prometheus must keep what it has, 0 when it does not say; `strict` that it may have no alerts but
    those of playbooks.
    """

    system: str
    title: SafeText
    folder: str
    dashboards: tuple[Dashboard, ...] = ()
    jobs: tuple[JobSpec, ...] = ()
    response: Mapping[str, float] = {}
    alerts: Mapping[str, AlertGuide] = {}
    runbooks: Mapping[str, Runbook] = {}
    flag_panel: str = ""
    evidence: Evidence | None = None
    owner: SafeText = trusted("")
    reviewed: SafeText = trusted("")
    severities: tuple[str, ...] = ()
    acknowledge: Mapping[str, float] = {}
    probes: tuple[Probe, ...] = ()
    oncall: OnCall | None = None
    escalation: tuple[EscalationStep, ...] = ()
    guard: Guard | None = None
    silences: tuple[SilenceTemplate, ...] = ()
    deadman: str = ""
    rules: tuple[RuleSpec, ...] = ()
    rules_problem: SafeText = trusted("")
    runbook_names: frozenset[str] = frozenset()
    retention: float = 0.0
    strict: bool = False

    @property
    def alert_names(self) -> tuple[str, ...]:
        """The alerts that must be loaded: those of `rules.yaml`, without one those that it has guides for."""
        return tuple(dict.fromkeys(rule.name for rule in self.rules)) or tuple(self.alerts)

    def panel(self, panel_id: str) -> Panel | None:
        """The panel with this id, or None."""
        for dashboard in self.dashboards:
            for panel in dashboard.panels:
                if panel.id == panel_id:
                    return panel
        return None

    @property
    def flag_panels(self) -> tuple[Panel, ...]:
        """The panels beside a flag's change: of errors, and of latency (when the playbook names none, the first
        one of latency that it has)."""
        errors, latency = self._shown_by
        panels = [panel for dashboard in self.dashboards for panel in dashboard.panels]
        guessed = next((p.id for p in panels if "latency" in p.id and p.unit in ("s", "ms")), "")
        wanted = dict.fromkeys((self.flag_panel or errors, latency or guessed))
        found = (self.panel(panel_id) for panel_id in wanted if panel_id)
        return tuple(panel for panel in found if panel is not None)

    @property
    def _shown_by(self) -> tuple[str, str]:
        evidence = self.evidence or Evidence()
        shares = (evidence.errors, evidence.latency)
        errors, latency = (share.panel if share is not None else "" for share in shares)
        return errors, latency

    def response_time(self, alertname: str, severity: str) -> float | None:
        """Seconds to the first response for this alert, or None when the playbook does not say."""
        guide = self.alerts.get(alertname)
        if guide is not None and guide.response:
            return guide.response
        return self.response.get(severity)
