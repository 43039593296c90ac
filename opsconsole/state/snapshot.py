"""One immutable picture of everything known at one time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from opsconsole.model.acks import AckMark, AckPolicy, extended_by, mark_of
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import Alert
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.model.guardstatus import GuardSeen
from opsconsole.model.journal import Entry
from opsconsole.model.linting import Linted
from opsconsole.model.members import Difference
from opsconsole.model.notifications import Notifications
from opsconsole.model.panels import PanelData
from opsconsole.model.playbook import Playbook
from opsconsole.model.probes import ProbeAnswer
from opsconsole.model.radius import Limits
from opsconsole.model.reading import Reading
from opsconsole.model.rules import BuildInfo, MemberStatus, RuleGroup, Target
from opsconsole.model.serverfacts import Contents, MetricFacts, ScrapeFacts, ServerFacts
from opsconsole.model.severity import Severity
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, trusted


class MemberReading(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an Alertmanager cluster. `skew` is how many seconds its clock is ahead of ours, None when
    that is not known."""

    url: SafeText
    status: Reading[MemberStatus]
    skew: float | None = None


class ClusterReading(msgspec.Struct, frozen=True, kw_only=True):
    """One Alertmanager cluster: its merged alerts and silences, and each member by itself.

    `differences` are the silences that a member has not as the others have them, as of the last answer for
    silences. `skew` is how many seconds the clock that silences are written by is ahead of ours.
    """

    name: str
    alerts: Reading[tuple[Alert, ...]]
    silences: Reading[tuple[Silence, ...]]
    members: tuple[MemberReading, ...] = ()
    differences: tuple[Difference, ...] = ()
    skew: float = 0.0


class ContextInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where the console is connected and as whom. `demo` is the label to show on every screen, or "";
    `limits` say which silences need a number; `guarded` that the configuration has a guard."""

    name: SafeText
    environment: SafeText = trusted("")
    user: SafeText = trusted("")
    read_only: bool = False
    demo: SafeText = trusted("")
    acks: AckPolicy = AckPolicy()
    limits: Limits = Limits()
    guarded: bool = False

    @property
    def production(self) -> bool:
        return self.environment.lower() in {"production", "prod"}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known at `now` (wall seconds since the epoch).

    `panels` are keyed `system/panel-id`. A source that the context does not have is None or an empty tuple.
    `found` is what was recognised in Prometheus, None when the context has playbooks of its own or no
    Prometheus; once there is something, it is the one of `playbooks`.
    `changes` are those of the flags by the provider's log (`flag_log`, None when it keeps none) and the journal,
    newest first.
    `probes` are keyed `system/probe`, `notified` by the cluster's name, `linted` by the system.
    `server`, `senders` (the base URLs of the Alertmanagers that Prometheus sends to), `scrapes`, `metrics` and
    `contents` are asked only for checks.
    `extender` says who extends acks: "this console", "kthxbye" or "nobody". `rows` are the alerts, pending
    ones too, most urgent first; `shared` is what `distinguishing` needs by alertname; `counts` are the alerts
    that are on fire and nobody has, by severity. `broken` are pollers that met an error of this program.
    `took` are the seconds that each poller (a panel's is called `panel <key>`) of a single round took.
    """

    context: ContextInfo
    now: float
    playbooks: tuple[Playbook, ...] = ()
    found: Reading[Playbook] | None = None
    prometheus: Reading[BuildInfo] | None = None
    rules: Reading[tuple[RuleGroup, ...]] | None = None
    targets: Reading[tuple[Target, ...]] | None = None
    clusters: tuple[ClusterReading, ...] = ()
    panels: Mapping[str, Reading[PanelData]] = {}
    server: Reading[ServerFacts] | None = None
    senders: Reading[tuple[str, ...]] | None = None
    scrapes: Reading[ScrapeFacts] | None = None
    metrics: Reading[MetricFacts] | None = None
    contents: Reading[Contents] | None = None
    flags: Reading[FlagSet] | None = None
    flag_log: Reading[tuple[FlagChange, ...]] | None = None
    changes: tuple[FlagChange, ...] = ()
    guard: Reading[GuardSeen] | None = None
    journal: tuple[Entry, ...] = ()
    probes: Mapping[str, Reading[ProbeAnswer]] = {}
    notified: Mapping[str, Reading[Notifications]] = {}
    linted: Mapping[str, Reading[tuple[Linted, ...]]] = {}
    extender: SafeText = trusted("nobody")
    rows: tuple[AlertRow, ...] = ()
    shared: Mapping[str, frozenset[tuple[str, str]]] = {}
    counts: Mapping[Severity, int] = {}
    broken: Mapping[str, SafeText] = {}
    took: Mapping[str, float] = {}

    def alerts(self) -> tuple[Alert, ...]:
        """The last known alerts of all clusters, known or not: ask `ClusterReading.alerts` for the age."""
        if len(self.clusters) == 1:
            return self.clusters[0].alerts.data or ()
        return tuple(alert for cluster in self.clusters for alert in cluster.alerts.data or ())

    def silences(self) -> dict[str, Silence]:
        """The last known silences of all clusters by id."""
        return {s.id: s for cluster in self.clusters for s in cluster.silences.data or ()}

    def now_at(self, cluster: str) -> float:
        """`now` on the clock of the cluster of that name: for times that it gave, and for those that it is to
        be given."""
        return self.now + self.skew_of(cluster)

    def skew_of(self, cluster: str) -> float:
        """Seconds that the clock of the cluster of that name is ahead; 0 when that is not known."""
        return next((c.skew for c in self.clusters if c.name == cluster), 0.0)

    def place(self, cluster: str) -> SafeText:
        """` in cluster NAME` when there are several, else ""."""
        return safe(f" in cluster {safe(cluster, 40)}" if cluster and len(self.clusters) > 1 else "")

    def mark_of(self, silence: Silence | None) -> AckMark:
        """What stands out of an ack; nothing of any other silence, or of none."""
        if silence is None or not silence.is_ack:
            return AckMark.NONE
        who, now = self.context, self.now_at(silence.cluster)
        return mark_of(silence, now, who.acks, user=who.user, extender=self.extender)

    def extended_by(self, silence: Silence | None) -> SafeText:
        """Who extends an ack, "" for nobody that is known of."""
        if silence is None:
            return trusted("")
        return extended_by(silence, user=self.context.user, extender=self.extender)

    def response(self, alertname: str, severity: str) -> float | None:
        """Seconds to the first response: the first playbook that knows the alert, else any by severity."""
        for playbook in self.playbooks:
            if alertname in playbook.alerts:
                return playbook.response_time(alertname, severity)
        found = [r for r in (p.response.get(severity) for p in self.playbooks) if r is not None]
        return min(found, default=None)
