"""Alerts as Alertmanager's v2 API gives them.

Labels are kept raw: they are an alert's identity and go into matchers unchanged. Everything else that is
text is SafeText once it has passed `sanitise`. For showing a label use `shown_labels` or `safe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from opsconsole.model.severity import Severity, severity_of
from opsconsole.text import SafeText, safe, safe_block, trusted

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AlertStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`state` is unprocessed, active or suppressed; the tuples hold what suppresses it."""

    state: str = "unprocessed"
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()


class Receiver(msgspec.Struct, frozen=True, gc=False):
    name: SafeText


class Alert(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One alert. `cluster` is the Alertmanager cluster it came from, "" as decoded.

    `pending` is true for alerts that Prometheus has pending and Alertmanager has not seen; their
    fingerprint is computed by `fingerprint_of`.
    """

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, SafeText] = {}
    starts_at: datetime = EPOCH
    ends_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    generator_url: SafeText = msgspec.field(name="generatorURL", default=trusted(""))
    status: AlertStatus = AlertStatus()
    receivers: tuple[Receiver, ...] = ()
    cluster: str = ""
    pending: bool = False

    @property
    def name(self) -> SafeText:
        """The alertname, safe to show."""
        return safe(self.labels.get("alertname", "(no alertname)"), 200)

    @property
    def severity(self) -> Severity:
        return severity_of(self.labels)

    @property
    def since(self) -> float:
        """When it started, seconds since the epoch."""
        return self.starts_at.timestamp()

    @property
    def key(self) -> str:
        """Identity across clusters: cluster and fingerprint."""
        return f"{self.cluster}/{self.fingerprint}"


class AlertGroup(msgspec.Struct, frozen=True):
    """A group as `GET /api/v2/alerts/groups` gives it."""

    labels: dict[str, str]
    receiver: Receiver
    alerts: tuple[Alert, ...]


def shown_labels(labels: Mapping[str, str], limit: int = 200) -> dict[SafeText, SafeText]:
    """The labels made safe, in name order with `alertname` left in; each value cut at `limit`."""
    return {safe(name, 100): safe(value, limit) for name, value in sorted(labels.items())}


def sanitise(alert: Alert) -> Alert:
    """The alert with every text except its labels made safe. Annotations keep their newlines."""
    return msgspec.structs.replace(
        alert,
        annotations={safe(name): safe_block(value) for name, value in alert.annotations.items()},
        generator_url=safe(alert.generator_url),
        receivers=tuple(Receiver(safe(r.name)) for r in alert.receivers),
    )


_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = (1 << 64) - 1


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The fingerprint that Alertmanager gives a label set: 64-bit FNV-1a over the sorted pairs, each name
    and value followed by 0xff, as 16 hex digits (prometheus/common model.LabelSet.Fingerprint)."""
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            digest = ((digest ^ byte) * _FNV_PRIME) & _MASK
    return f"{digest:016x}"


def merge_members(replies: Iterable[Iterable[Alert]]) -> tuple[Alert, ...]:
    """One list from the members of one cluster: by fingerprint, earliest `startsAt`, active before
    suppressed (a member that has not heard of a silence yet is believed)."""
    merged: dict[str, Alert] = {}
    for reply in replies:
        for alert in reply:
            known = merged.get(alert.fingerprint)
            merged[alert.fingerprint] = alert if known is None else _merge(known, alert)
    return tuple(merged.values())


def _merge(first: Alert, second: Alert) -> Alert:
    kept = first if first.status.state == "active" or second.status.state != "active" else second
    return msgspec.structs.replace(
        kept,
        starts_at=min(first.starts_at, second.starts_at),
        ends_at=max(first.ends_at, second.ends_at),
        updated_at=max(first.updated_at, second.updated_at),
    )
