"""Alerts that a time interval mutes: only the groups of Alertmanager say so."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from opsconsole.model.alerts import Alert, AlertGroup
from opsconsole.model.rules import MemberStatus


def may_mute(statuses: Iterable[MemberStatus]) -> bool:
    """Whether a member's configuration has routes with time intervals, so that alerts may be muted."""
    return any("time_intervals" in status.config for status in statuses)


def mark_muted(alerts: tuple[Alert, ...], groups: Iterable[AlertGroup]) -> tuple[Alert, ...]:
    """The alerts with `mutedBy` filled from the groups that they are in. An alert that some group still
    notifies about is not muted."""
    muted: dict[str, tuple[str, ...]] = {}
    notified: set[str] = set()
    for group in groups:
        for alert in group.alerts:
            if alert.status.muted_by:
                muted.setdefault(alert.fingerprint, alert.status.muted_by)
            else:
                notified.add(alert.fingerprint)
    wanted = {key: by for key, by in muted.items() if key not in notified}
    if not wanted:
        return alerts
    return tuple(_muted(alert, wanted.get(alert.fingerprint)) for alert in alerts)


def _muted(alert: Alert, by: tuple[str, ...] | None) -> Alert:
    if by is None:
        return alert
    return msgspec.structs.replace(alert, status=msgspec.structs.replace(alert.status, muted_by=by))
