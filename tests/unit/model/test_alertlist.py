"""The alert list: states, order, filter, groups and what tells alerts apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opsconsole.errors import UsageError
from opsconsole.model.alertlist import (
    AlertRow,
    ListOptions,
    build_rows,
    compile_filter,
    distinguishing,
    filter_rows,
    is_filter_valid,
    shared_labels,
    state_of,
    worst_severity,
)
from opsconsole.model.alerts import Alert, AlertStatus, fingerprint_of
from opsconsole.model.matchers import Matcher
from opsconsole.model.severity import AlertState, Severity
from opsconsole.model.silences import Silence
from opsconsole.text import trusted

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def alert(name: str, severity: str = "critical", minutes: int = 0, pending: bool = False, **labels: str) -> Alert:
    return suppressed(AlertStatus(state="active"), name, severity, minutes, pending, **labels)


def suppressed(
    status: AlertStatus,
    name: str,
    severity: str = "critical",
    minutes: int = 0,
    pending: bool = False,
    **labels: str,
) -> Alert:
    every = {"alertname": name, "severity": severity, **labels}
    return Alert(
        fingerprint=fingerprint_of(every),
        labels=every,
        starts_at=START + timedelta(minutes=minutes),
        status=status,
        pending=pending,
    )


def silence(id: str, comment: str = "deploying", minutes: int = 60) -> Silence:
    return Silence(
        id=id,
        matchers=(Matcher("alertname", "A"),),
        ends_at=START + timedelta(minutes=minutes),
        created_by=trusted("alice"),
        comment=trusted(comment),
    )


def rows_of(*alerts: Alert, silences: tuple[Silence, ...] = ()) -> list[AlertRow]:
    return build_rows(alerts, {s.id: s for s in silences}, lambda name, severity: 300.0)


def names(rows: list[AlertRow]) -> list[str]:
    return [row.alert.labels["alertname"] for row in rows]


def test_states() -> None:
    ack, plain = silence("ack", "ACK! bob: looking"), silence("plain")
    known = {s.id: s for s in (ack, plain)}

    def state(pending: bool = False, **reasons: tuple[str, ...]) -> tuple[AlertState, Silence | None]:
        return state_of(suppressed(AlertStatus(state="suppressed", **reasons), "A", pending=pending), known)

    assert state() == (AlertState.ACTIVE, None)
    assert state(pending=True) == (AlertState.PENDING, None)
    assert state(silenced_by=("plain",)) == (AlertState.SILENCED, plain)
    assert state(silenced_by=("plain", "ack")) == (AlertState.ACKED, ack)
    assert state(silenced_by=("gone",)) == (AlertState.SILENCED, None)
    assert state(silenced_by=("plain",), inhibited_by=("x",)) == (AlertState.SILENCED, plain)
    assert state(inhibited_by=("x",), muted_by=("night",)) == (AlertState.INHIBITED, None)
    assert state(muted_by=("night",)) == (AlertState.MUTED, None)


def test_of_two_silences_the_later_end_is_told() -> None:
    short, long = silence("short", minutes=5), silence("long", minutes=50)
    both = suppressed(AlertStatus(state="suppressed", silenced_by=("short", "long")), "A")
    assert state_of(both, {"short": short, "long": long}) == (AlertState.SILENCED, long)


def test_the_most_urgent_is_first() -> None:
    acked = suppressed(AlertStatus(state="suppressed", silenced_by=("ack",)), "Acked", minutes=-60)
    inhibited = suppressed(AlertStatus(state="suppressed", inhibited_by=("x",)), "Inhibited")
    found = rows_of(
        alert("Info", "info"),
        alert("Pending", "critical", pending=True),
        inhibited,
        alert("Odd", "purple"),
        alert("Warning", "warning"),
        acked,
        alert("Newer", minutes=5),
        alert("Older", minutes=1),
        alert("High", "high"),
        silences=(silence("ack", "ACK! bob: looking"),),
    )
    assert names(found) == [
        "Older",
        "Newer",
        "Acked",
        "Inhibited",
        "High",
        "Warning",
        "Odd",
        "Info",
        "Pending",
    ]


def test_the_order_does_not_depend_on_the_order_of_arrival() -> None:
    alerts = [alert("Same", route=f"/r{i}") for i in range(20)]
    assert [r.key for r in rows_of(*alerts)] == [r.key for r in rows_of(*reversed(alerts))]


def test_only_active_alerts_have_a_deadline() -> None:
    active, held = rows_of(
        alert("A"),
        suppressed(AlertStatus(state="suppressed", silenced_by=("s",)), "B"),
        silences=(silence("s"),),
    )
    assert active.deadline == START.timestamp() + 300
    assert active.counts
    assert held.deadline is None
    assert not held.counts
    assert build_rows([alert("A")], {}, lambda name, severity: None)[0].deadline is None


def test_the_worst_severity_counts_only_what_nobody_has() -> None:
    held = suppressed(AlertStatus(state="suppressed", silenced_by=("s",)), "B")
    assert worst_severity(rows_of(held, alert("A", "warning"))) is Severity.WARNING
    assert worst_severity(rows_of(held)) is None


def test_matchers_and_words_filter() -> None:
    found = rows_of(
        alert("HighErrorRate", route="/api/forecast"), alert("HighLatency", "high", route="/api/ledger")
    )

    def shown(text: str) -> list[str]:
        return names(filter_rows(found, ListOptions(filter=text)))

    assert shown("") == ["HighErrorRate", "HighLatency"]
    assert shown("  ") == ["HighErrorRate", "HighLatency"]
    assert shown('severity=~"critical|high",route!="/api/ledger"') == ["HighErrorRate"]
    assert shown("LEDGER high") == ["HighLatency"]
    assert shown("ledger critical") == []
    assert shown('route!~"/api/.*"') == []


def test_a_filter_that_does_not_parse_says_why() -> None:
    assert is_filter_valid("severity=critical") == ""
    assert is_filter_valid("plain words [/var/log]") == ""
    assert "bad regular expression" in is_filter_valid('a=~"("')
    with pytest.raises(UsageError):
        compile_filter("=x")


def test_options_hide_states() -> None:
    found = rows_of(
        alert("Active"),
        suppressed(AlertStatus(state="suppressed", silenced_by=("s",)), "Silenced"),
        suppressed(AlertStatus(state="suppressed", inhibited_by=("x",)), "Inhibited"),
        alert("Pending", pending=True),
    )
    assert names(filter_rows(found, ListOptions())) == ["Active", "Silenced", "Pending"]
    assert names(filter_rows(found, ListOptions(show_inhibited=True))) == [
        "Active",
        "Silenced",
        "Inhibited",
        "Pending",
    ]
    assert names(filter_rows(found, ListOptions(show_suppressed=False, show_pending=False))) == ["Active"]


def test_groups_stay_together_in_the_order_of_their_worst() -> None:
    found = rows_of(
        alert("B", "critical", minutes=0),
        alert("A", "high", minutes=0),
        alert("B", "warning", minutes=0),
        alert("A", "critical", minutes=9),
    )
    grouped = filter_rows(found, ListOptions(group_by="alertname"))
    assert names(grouped) == ["B", "B", "A", "A"]
    assert [r.severity for r in grouped] == [
        Severity.CRITICAL,
        Severity.WARNING,
        Severity.CRITICAL,
        Severity.HIGH,
    ]


def test_what_all_share_does_not_distinguish() -> None:
    one = alert("HighErrorRate", job="accubooks", route="/api/forecast", team="platform")
    two = alert("HighErrorRate", job="accubooks", route="/api/ledger", team="platform")
    lone = alert("SystemDowntime", job="accubooks", zone="b")
    shared = shared_labels([one, two, lone])
    assert distinguishing(one, shared["HighErrorRate"]) == "route=/api/forecast"
    assert distinguishing(lone, shared["SystemDowntime"]) == "job=accubooks zone=b", "alone, all labels tell"
    assert distinguishing(lone, shared["SystemDowntime"], ["zone"]) == "zone=b", "the playbook says which"
    assert distinguishing(one, shared["HighErrorRate"], ("team",)) == "team=platform route=/api/forecast"


def test_distinguishing_labels_are_safe() -> None:
    hostile = alert("A", **{"x\x1b": "\u202e"})
    assert distinguishing(hostile, frozenset()) == r"x\x1b=\u202e"
