"""Is something on fire that nobody has?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.clusters import any_known, doubt, doubts
from opsconsole.checks.words import age_words
from opsconsole.model.alertlist import AlertRow, distinguishing
from opsconsole.model.severity import Severity
from opsconsole.model.verdicts import Level, Verdict, badness
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, trusted

_ACTIVE, _RESPONSE = "alerts.active", "alerts.response"
_EVIDENCE = 20
_RESPOND = "was to be responded to"


def burning(snapshot: Snapshot) -> list[AlertRow]:
    """The alerts on fire that nobody has, the most urgent first: no info, no dead-man alert, and only of clusters
    that are known."""
    known = {cluster.name for cluster in snapshot.clusters if doubt(cluster, snapshot.now) is None}
    deadmen = {book.deadman for book in snapshot.playbooks if book.deadman}
    return [
        row
        for row in snapshot.rows
        if row.counts
        and row.severity is not Severity.INFO
        and row.alert.cluster in known
        and row.alert.labels.get("alertname") not in deadmen
    ]


def check_alerts(snapshot: Snapshot) -> Iterator[Verdict]:
    """Firing alerts that are not silenced, acknowledged or inhibited: critical ones are CRITICAL, high and
    warning ones and those of unknown severity WARNING. A cluster that is not known has a verdict of its own,
    and the others are judged without it."""
    title = trusted("No unattended alert fires")
    yield from doubts(_ACTIVE, title, snapshot)
    if not any_known(snapshot):
        return
    rows = burning(snapshot)
    critical = [row for row in rows if row.severity is Severity.CRITICAL]
    yield Verdict(
        id=_ACTIVE,
        title=title,
        level=Level.CRITICAL if critical else Level.WARNING if rows else Level.OK,
        reason=_reason(rows),
        evidence=tuple(_line(row, snapshot) for row in rows[:_EVIDENCE]),
    )


def check_response(snapshot: Snapshot) -> Iterator[Verdict]:
    """Unattended alerts beyond the time that the playbook gives to acknowledge them (WARNING) or to respond
    (CRITICAL for critical ones)."""
    title = trusted("Alerts are answered in time")
    yield from doubts(_RESPONSE, title, snapshot)
    if not any_known(snapshot):
        return
    late = [(row, seconds, what) for row in burning(snapshot) for seconds, what in _overdue(row, snapshot)]
    level = max((_lateness(row, what) for row, _, what in late), key=badness, default=Level.OK)
    lines = [
        trusted(f"{row.alert.name} {_what(row, snapshot)}: {what} {age_words(seconds)} ago".replace(" :", ":"))
        for row, seconds, what in late
    ]
    yield Verdict(
        id=_RESPONSE,
        title=title,
        level=level,
        reason=lines[0] if lines else trusted("nothing waits too long"),
        evidence=tuple(lines[:_EVIDENCE]),
        hint=trusted("acknowledge it: opsconsole ack, or `a` in the console" if lines else ""),
    )


def _overdue(row: AlertRow, snapshot: Snapshot) -> list[tuple[float, str]]:
    """For how many seconds which time has passed: that to respond, else that to acknowledge; [] for none."""
    now = snapshot.now
    if row.deadline is not None and now > row.deadline:
        return [(now - row.deadline, _RESPOND)]
    within = _acknowledge_time(row, snapshot)
    if within is not None and now > row.alert.since + within:
        return [(now - row.alert.since - within, "was to be acknowledged")]
    return []


def _acknowledge_time(row: AlertRow, snapshot: Snapshot) -> float | None:
    """Seconds to the acknowledgement: of the playbook that knows the alert, else the least by severity."""
    name, word = row.alert.labels.get("alertname", ""), row.severity.word
    books = [book for book in snapshot.playbooks if name in book.alerts] or list(snapshot.playbooks)
    return min((book.acknowledge[word] for book in books if word in book.acknowledge), default=None)


def _lateness(row: AlertRow, what: str) -> Level:
    return Level.CRITICAL if what == _RESPOND and row.severity is Severity.CRITICAL else Level.WARNING


def _reason(rows: list[AlertRow]) -> SafeText:
    if not rows:
        return trusted("none")
    counts: dict[Severity, int] = {}
    for row in rows:
        counts[row.severity] = counts.get(row.severity, 0) + 1
    words = ", ".join(f"{n} {severity.word}" for severity, n in sorted(counts.items()))
    return trusted(f"{words}: {rows[0].alert.name}")


def _line(row: AlertRow, snapshot: Snapshot) -> SafeText:
    return trusted(f"{row.severity.word} {row.alert.name} {_what(row, snapshot)}".rstrip())


def _what(row: AlertRow, snapshot: Snapshot) -> SafeText:
    shared = snapshot.shared.get(row.alert.labels.get("alertname", ""), frozenset())
    return distinguishing(row.alert, shared)


_NEEDS = frozenset({"alerts", "silences", "members"})

CHECKS = (
    Check(
        id=_ACTIVE,
        group="alerts",
        title=trusted("No unattended alert fires"),
        explains="No alert fires that is neither silenced, acknowledged, inhibited nor muted. CRITICAL for "
        "critical ones, WARNING for the others above info.",
        needs=_NEEDS,
        run=check_alerts,
    ),
    Check(
        id=_RESPONSE,
        group="alerts",
        title=trusted("Alerts are answered in time"),
        explains="No unattended alert is beyond the time that a playbook gives to acknowledge it (WARNING) or to "
        "respond to it (CRITICAL for critical ones, else WARNING).",
        needs=_NEEDS,
        run=check_response,
    ),
)
