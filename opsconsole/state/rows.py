"""The alert rows of a snapshot, built off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from opsconsole.model.alertlist import AlertRow, build_rows, shared_labels
from opsconsole.model.alerts import Alert, fingerprint_of
from opsconsole.model.rules import RuleGroup
from opsconsole.model.severity import Severity
from opsconsole.state.snapshot import Snapshot
from opsconsole.turns import in_turns

_INLINE = 500
"""Alerts up to this many are sorted at once: a thread costs more than it saves."""


class Rows(msgspec.Struct, frozen=True):
    """What `Snapshot.rows`, `shared` and `counts` hold."""

    rows: tuple[AlertRow, ...]
    shared: Mapping[str, frozenset[tuple[str, str]]]
    counts: Mapping[Severity, int]


def pending_alerts(groups: Iterable[RuleGroup]) -> tuple[Alert, ...]:
    """The alerts that Prometheus has pending, in the shape of Alertmanager's."""
    return tuple(
        Alert(
            fingerprint=fingerprint_of(alert.labels),
            labels=alert.labels,
            annotations=alert.annotations,
            starts_at=alert.active_at,
            pending=True,
        )
        for group in groups
        for rule in group.rules
        for alert in rule.alerts
        if alert.state == "pending"
    )


async def rows_of(snapshot: Snapshot) -> Rows:
    """The rows for a snapshot's alerts, silences and pending alerts."""
    if len(snapshot.alerts()) <= _INLINE:
        return _rows(snapshot)
    return await asyncio.to_thread(_rows, snapshot)


def _rows(snapshot: Snapshot) -> Rows:
    groups = snapshot.rules.data if snapshot.rules is not None else None
    known = snapshot.alerts()
    firing = {alert.fingerprint for alert in known}
    pending = [alert for alert in pending_alerts(groups or ()) if alert.fingerprint not in firing]
    alerts = (*known, *pending)
    turns = in_turns if len(alerts) > _INLINE else iter
    rows = build_rows(turns(alerts), snapshot.silences(), snapshot.response)
    counts: dict[Severity, int] = {}
    for row in turns(rows):
        if row.counts:
            counts[row.severity] = counts.get(row.severity, 0) + 1
    return Rows(tuple(rows), shared_labels(turns(alerts)), counts)
