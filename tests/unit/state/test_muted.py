"""What a time interval mutes."""

from __future__ import annotations

import pytest

from opsconsole.model.alerts import Alert, AlertGroup, AlertStatus, Receiver
from opsconsole.model.rules import MemberStatus
from opsconsole.state.muted import mark_muted, may_mute
from opsconsole.text import trusted


def alert(key: str, *muted_by: str) -> Alert:
    return Alert(fingerprint=key, labels={"alertname": key}, status=AlertStatus("active", muted_by=muted_by))


def group(*alerts: Alert) -> AlertGroup:
    return AlertGroup(labels={}, receiver=Receiver(trusted("r")), alerts=alerts)


def test_an_alert_is_muted_when_every_group_of_it_is() -> None:
    alerts = (alert("a"), alert("b"), alert("c"))
    groups = [
        group(alert("a", "weekend"), alert("b", "weekend")),
        group(alert("b"), alert("c")),
        group(alert("a", "weekend")),
    ]
    found = {a.fingerprint: a.status.muted_by for a in mark_muted(alerts, groups)}
    assert found == {"a": ("weekend",), "b": (), "c": ()}


@pytest.mark.parametrize(
    ("config", "expected"), [("route: {mute_time_intervals: [weekend]}", True), ("route: {}", False)]
)
def test_groups_are_asked_only_where_something_may_mute(config: str, expected: bool) -> None:
    assert may_mute([MemberStatus(url="http://a", config=trusted(config))]) is expected
