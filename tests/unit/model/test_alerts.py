"""Alerts: identity, safe text, and one list from a cluster's members."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opsconsole.model.alerts import (
    Alert,
    AlertStatus,
    Receiver,
    fingerprint_of,
    merge_members,
    sanitise,
    shown_labels,
)
from opsconsole.model.severity import Severity, severity_of
from opsconsole.text import is_safe, trusted


def at(second: int) -> datetime:
    return datetime(2026, 11, 21, 3, 0, second, tzinfo=UTC)


def test_fingerprints_are_those_of_prometheus_common() -> None:
    assert fingerprint_of({}) == "cbf29ce484222325"
    assert fingerprint_of({"alertname": "A", "i": "10.0.1", "x": "a\nb"}) == "bb05b78566177e2f"
    assert fingerprint_of({"a": "1", "b": "2"}) == fingerprint_of({"b": "2", "a": "1"})
    assert fingerprint_of({"a": "1b"}) != fingerprint_of({"a1": "b"})


def test_sanitise_changes_everything_but_labels() -> None:
    bad = trusted("\x1b[31m\u202e")
    raw = Alert(
        fingerprint="1",
        labels={"alertname": bad, bad: bad},
        annotations={bad: trusted(f"{bad}\nline")},
        generator_url=bad,
        receivers=(Receiver(bad),),
    )
    clean = sanitise(raw)
    assert clean.labels == raw.labels
    assert all(is_safe(k) and "\x1b" not in v and "\n" in v for k, v in clean.annotations.items())
    assert is_safe(clean.generator_url)
    assert is_safe(clean.receivers[0].name)
    assert is_safe(clean.name)
    assert all(is_safe(k) and is_safe(v) for k, v in shown_labels(clean.labels).items())


def test_members_merge_by_fingerprint_and_active_wins() -> None:
    silenced = Alert(
        fingerprint="1",
        labels={"a": "b"},
        starts_at=at(5),
        updated_at=at(9),
        status=AlertStatus(state="suppressed", silenced_by=("s",)),
    )
    active = Alert(fingerprint="1", labels={"a": "b"}, starts_at=at(3), status=AlertStatus(state="active"))
    other = Alert(fingerprint="2", labels={"a": "c"})
    for members in ([[silenced, other], [active]], [[active], [other, silenced]]):
        merged = {a.fingerprint: a for a in merge_members(members)}
        assert set(merged) == {"1", "2"}
        assert merged["1"].status.state == "active"
        assert merged["1"].starts_at == at(3)
        assert merged["1"].updated_at == at(9)


def test_an_alert_without_a_name_says_so() -> None:
    alert = Alert(fingerprint="1", labels={}, cluster="main")
    assert alert.name == "(no alertname)"
    assert alert.key == "main/1"
    assert alert.severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"severity": "critical"}, Severity.CRITICAL),
        ({"severity": "Page"}, Severity.CRITICAL),
        ({"severity": "high"}, Severity.HIGH),
        ({"severity": "warn"}, Severity.WARNING),
        ({"severity": "none"}, Severity.INFO),
        ({"priority": "P1"}, Severity.HIGH),
        ({"severity": "warning", "priority": "P0"}, Severity.WARNING),
        ({"severity": "purple"}, Severity.UNKNOWN),
        ({}, Severity.UNKNOWN),
    ],
)
def test_severity(labels: dict[str, str], expected: Severity) -> None:
    assert severity_of(labels) is expected


def test_an_unknown_severity_sorts_before_info() -> None:
    assert Severity.WARNING < Severity.UNKNOWN < Severity.INFO
