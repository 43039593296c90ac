"""Which alert a guard's event belongs to, so that a page joins the one that Alertmanager has sent already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from opsconsole.guard.incident import page_key
from opsconsole.model.alerts import Alert
from opsconsole.model.guard import GuardRule
from opsconsole.model.playbook import Playbook
from opsconsole.model.uses import metrics_of
from opsconsole.state.snapshot import ClusterReading

Look = Callable[[], Awaitable[tuple[Sequence[Alert], ClusterReading | None]]]
"""The active alerts now, and the cluster that tells PagerDuty of them; None when that is not known. May raise
OpsError."""


def matching_alert(playbook: Playbook, rule: GuardRule, alerts: Sequence[Alert]) -> Alert | None:
    """The active alert about what a guard's rule measures: of a rule of this playbook that uses one of its metrics
    in the same job. The most severe, then the oldest; None when there is none."""
    used = metrics_of([rule.expr])
    names = {alerting.name for alerting in playbook.rules if metrics_of([alerting.expr]) & used}
    found = [alert for alert in alerts if alert.labels.get("alertname") in names]
    return min(found, key=lambda alert: (alert.severity, alert.since, alert.fingerprint), default=None)


class Pager:
    """Gives the loop the labels and the dedup_key of an event."""

    def __init__(self, context: str, playbooks: Sequence[Playbook], look: Look) -> None:
        self._context = context
        self._playbooks = {playbook.system: playbook for playbook in playbooks}
        self._look = look

    async def __call__(self, system: str, rule: str, incident: str) -> tuple[Mapping[str, str], str]:
        """Raises OpsError when Alertmanager does not tell."""
        playbook = self._playbooks.get(system)
        guard = playbook.guard if playbook is not None else None
        found = next((each for each in guard.rules if each.id == rule), None) if guard is not None else None
        if playbook is None or found is None:
            return {}, page_key(None, {}, self._context, incident)
        alerts, cluster = await self._look()
        alert = matching_alert(playbook, found, alerts)
        labels = alert.labels if alert is not None else {}
        return labels, page_key(cluster, labels, self._context, incident)
