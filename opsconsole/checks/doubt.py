"""Verdicts on what is not known, and what they follow from: one broken thing is one finding."""

from __future__ import annotations

from typing import Any

import msgspec

from opsconsole.model.reading import Reading
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

REACHABLE = "sources.prometheus.reachable"
READY = "sources.prometheus.ready"
TLS = "sources.prometheus.tls"
CLOCK = "sources.prometheus.clock"

MAX_SKEW = 5.0
"""Seconds by which the clock of Prometheus may be off."""


def unknown(id: str, title: SafeText, reading: Reading[Any], now: float) -> Verdict:
    """The verdict on a reading that may not be believed."""
    failure = reading.failure
    evidence = [reading.failure.where] if reading.failure is not None and reading.failure.where else []
    age = reading.age(now)
    if age is not None:
        evidence.append(trusted(f"last known {round(age)}s ago"))
    return Verdict(
        id=id,
        title=title,
        level=Level.UNKNOWN,
        reason=reading.why(now),
        evidence=tuple(evidence),
        hint=failure.hint if failure is not None else trusted(""),
    )


def follows(
    id: str, title: SafeText, reading: Reading[Any], snapshot: Snapshot, because: str = "", what: str = ""
) -> Verdict:
    """The verdict on something that Prometheus did not say: because Prometheus as a whole does not answer, else
    because of the verdict `because`. `what` names what was asked for, for the reason."""
    verdict = unknown(id, title, reading, snapshot.now)
    reason = trusted(f"{what}: {verdict.reason}") if what else verdict.reason
    return msgspec.structs.replace(verdict, because=cause(snapshot) or because, reason=reason)


def panel_id(key: str) -> str:
    """The id of the verdict on a panel's having data, from its key `system/id`."""
    system, _, panel = key.partition("/")
    return f"metrics.panel.{safe(system, 40)}.{safe(panel, 64)}"


def cause(snapshot: Snapshot) -> str:
    """The id of the verdict that says why nothing is known of Prometheus; "" when it answers, or was not
    asked."""
    failure = snapshot.prometheus.failure if snapshot.prometheus is not None else None
    if failure is None:
        return ""
    if failure.kind == "not ready":
        return READY
    return TLS if failure.kind == "expired certificate" else REACHABLE


def skew_of(snapshot: Snapshot) -> float:
    """Seconds that the clock of Prometheus is ahead, 0 when that is not known."""
    data = snapshot.prometheus.data if snapshot.prometheus is not None else None
    return (data.skew or 0.0) if data is not None else 0.0
