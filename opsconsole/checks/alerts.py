"""Is something on fire that nobody has?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.sources import unknown
from opsconsole.model.alertlist import AlertRow, distinguishing
from opsconsole.model.severity import Severity
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

_EVIDENCE = 20


def check_alerts(snapshot: Snapshot) -> Iterator[Verdict]:
    """Firing alerts that are not silenced, acknowledged or inhibited: critical ones are CRITICAL, high and
    warning ones and those of unknown severity WARNING. A cluster that is not known has a verdict of its own,
    and the others are judged without it."""
    id, title = "alerts.active", trusted("No unattended alert fires")
    known: set[str] = set()
    for cluster in snapshot.clusters:
        doubt = next((r for r in (cluster.alerts, cluster.silences) if not r.known(snapshot.now)), None)
        if doubt is None:
            known.add(cluster.name)
        else:
            yield unknown(f"{id}.{safe(cluster.name, 40)}", title, doubt, snapshot.now)
    if not known:
        return
    rows = [
        row
        for row in snapshot.rows
        if row.counts and row.severity is not Severity.INFO and row.alert.cluster in known
    ]
    critical = [row for row in rows if row.severity is Severity.CRITICAL]
    level = Level.CRITICAL if critical else Level.WARNING if rows else Level.OK
    yield Verdict(
        id=id,
        title=title,
        level=level,
        reason=_reason(rows),
        evidence=tuple(_line(row, snapshot) for row in rows[:_EVIDENCE]),
    )


def _reason(rows: list[AlertRow]) -> SafeText:
    if not rows:
        return trusted("none")
    counts: dict[Severity, int] = {}
    for row in rows:
        counts[row.severity] = counts.get(row.severity, 0) + 1
    words = ", ".join(f"{n} {severity.word}" for severity, n in sorted(counts.items()))
    return trusted(f"{words}: {rows[0].alert.name}")


def _line(row: AlertRow, snapshot: Snapshot) -> SafeText:
    shared = snapshot.shared.get(row.alert.labels.get("alertname", ""), frozenset())
    what = distinguishing(row.alert, shared)
    return trusted(f"{row.severity.word} {row.alert.name} {what}".rstrip())


CHECKS = (
    Check(
        id="alerts.active",
        group="alerts",
        title=trusted("No unattended alert fires"),
        explains="No alert fires that is neither silenced, acknowledged, inhibited nor muted. CRITICAL for "
        "critical ones, WARNING for the others above info.",
        needs=frozenset({"alerts", "silences", "members"}),
        run=check_alerts,
    ),
)
