"""Which alert a guard's event belongs to, so that a page joins the one that Alertmanager has sent already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from opsconsole.guard.incident import page_key
from opsconsole.model.alerts import Alert
from opsconsole.model.guard import GuardRule
from opsconsole.model.playbook import Playbook
from opsconsole.model.uses import metrics_of
from opsconsole.state.snapshot import ClusterReading

Look = Callable[[Sequence[str]], Awaitable[Sequence[ClusterReading]]]
"""The clusters with the active alerts of these names and their members' status. May raise OpsError."""


def alert_names(playbook: Playbook, rule: GuardRule) -> tuple[str, ...]:
    """The alerts about what a guard's rule measures: the one that it names, else those of this playbook that use
    one of its metrics."""
    if rule.alert:
        return (rule.alert,)
    used = metrics_of([rule.expr])
    return tuple(alerting.name for alerting in playbook.rules if metrics_of([alerting.expr]) & used)


def matching_alert(playbook: Playbook, rule: GuardRule, alerts: Sequence[Alert]) -> Alert | None:
    """The active alert about what a guard's rule measures: the most severe, then the one that fires longest; None
    when there is none. What another system calls the same is known by its job."""
    names = alert_names(playbook, rule)
    jobs = {job.name for job in playbook.jobs}

    def fits(labels: Mapping[str, str]) -> bool:
        return labels.get("alertname") in names and (not jobs or labels.get("job") in (None, "", *jobs))

    found = [alert for alert in alerts if fits(alert.labels)]
    return min(found, key=lambda alert: (alert.severity, alert.since, alert.fingerprint), default=None)


class Pager:
    """Gives the loop the labels and the dedup_key of an event."""

    def __init__(self, context: str, playbooks: Sequence[Playbook], look: Look) -> None:
        self._context = context
        self._playbooks = {playbook.system: playbook for playbook in playbooks}
        self._look = look

    async def __call__(self, system: str, rule: str, incident: str) -> tuple[Mapping[str, str], str]:
        """No labels and a key of the incident's own when no such alert is active. Raises OpsError when
        Alertmanager does not tell."""
        own = page_key(None, {}, self._context, incident)
        playbook = self._playbooks.get(system)
        guard = playbook.guard if playbook is not None else None
        found = next((each for each in guard.rules if each.id == rule), None) if guard is not None else None
        if playbook is None or found is None or not (names := alert_names(playbook, found)):
            return {}, own
        clusters = await self._look(names)
        alert = matching_alert(playbook, found, [one for cluster in clusters for one in _alerts(cluster)])
        if alert is None:
            return {}, own
        having = [c for c in clusters if any(one.fingerprint == alert.fingerprint for one in _alerts(c))]
        keys = (page_key(cluster, alert.labels, self._context, incident) for cluster in having)
        return alert.labels, next((key for key in keys if key != own), own)


def _alerts(cluster: ClusterReading) -> Sequence[Alert]:
    return cluster.alerts.data or ()
