"""The model's own reading of fingerprints and matchers, held against a real Alertmanager."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest

from opsconsole.model.alerts import fingerprint_of
from opsconsole.model.matchers import parse_matchers
from tests.support.servers import Alertmanager, http, wait_for

pytestmark = pytest.mark.live


def found(server: Alertmanager, *filters: str) -> list[dict[str, Any]]:
    """The alerts that all these matchers find."""
    query = urllib.parse.urlencode([("filter", f) for f in filters])
    answer: list[dict[str, Any]] = json.loads(http("GET", f"{server.url}/api/v2/alerts?{query}"))
    return answer


def post(server: Alertmanager, filter: str, label_sets: list[dict[str, str]]) -> None:
    """Post alerts and wait until the filter finds them all."""
    server.post_alerts([{"labels": labels} for labels in label_sets])
    wait_for(lambda: len(found(server, filter)) == len(label_sets), 10, f"alerts for {filter}")


FINGERPRINTED = [
    {"alertname": "A"},
    {"alertname": "A", "route": "/api/forecast", "instance": "10.0.3.7:3000"},
    {"alertname": "A", "text": 'line\nbreak "quoted" back\\slash'},
    {"alertname": "A", "text": "Grüße 日本語 🔥"},
    {"alertname": "A", "text": "\x1b[31m\u202e\u200b"},
    {"alertname": "A", "a": "bc"},
    {"alertname": "A", "ab": "c"},
]


def test_fingerprints_are_those_of_alertmanager(alertmanager: Alertmanager) -> None:
    post(alertmanager, 'test="fingerprint"', [{**labels, "test": "fingerprint"} for labels in FINGERPRINTED])
    for alert in found(alertmanager, 'test="fingerprint"'):
        assert fingerprint_of(alert["labels"]) == alert["fingerprint"]


@pytest.mark.parametrize(
    "matcher",
    [
        'text="a.b"',
        'text=~"a.b"',
        'text=~"a"',
        'text=~"a.*"',
        r'text=~"a\.b"',
        r'text=~"a\nb"',
        'text!~"a.*"',
        'text=~"(?s)a.b"',
        'text!="a.b"',
        'missing=""',
        'missing=~".*"',
        'missing!="x"',
        'missing=~".+"',
        "text=a.b",
    ],
)
def test_matchers_hide_what_alertmanager_says_they_hide(alertmanager: Alertmanager, matcher: str) -> None:
    name = 'alertname="MatcherReading"'
    labelled = [{"alertname": "MatcherReading", "text": t} for t in ("a.b", "axb", "a\nb", "b", "xa.b")]
    post(alertmanager, name, labelled)
    (ours,) = parse_matchers(matcher)
    theirs = {alert["labels"]["text"] for alert in found(alertmanager, name, matcher)}
    assert {labels["text"] for labels in labelled if ours.matches(labels)} == theirs
