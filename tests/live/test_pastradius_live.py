"""What matchers would have hidden, asked of a real Prometheus with a week of backfilled `ALERTS`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint
from opsconsole.model.matchers import Matcher, match_all, parse_matchers
from opsconsole.model.pastradius import Past
from opsconsole.model.severity import Severity
from opsconsole.state.past import ask_past
from tests.support.servers import PROMETHEUS_CONFIG, Prometheus, free_port, require

pytestmark = pytest.mark.live

DAY = 86400.0
STEP = 120.0

ALERTS = [
    ({"alertname": "Down", "severity": "critical", "instance": "a:1"}, 6.5),
    ({"alertname": "Down", "severity": "critical", "instance": "b:1"}, 0.5),
    ({"alertname": "Slow", "severity": "warning", "route": 'q"b\\s\nl'}, 3.0),
    ({"alertname": "Slow", "severity": "warning", "route": "/api/a"}, 3.0),
    ({"alertname": "Slow", "severity": "warning", "route": "/api.b"}, 3.0),
    ({"alertname": "Grüße", "text": "日本 🔥"}, 1.0),
]
"""Each fired for an hour, so many days ago."""

OLD = {"alertname": "Old", "severity": "critical"}
PENDING = {"alertname": "NeverFired", "severity": "critical"}

MATCHERS = [
    'alertname="Down"',
    'alertname="Down",instance=~"a.*"',
    'severity=~"critical|warning"',
    'severity=""',
    'severity!=""',
    'severity!~".+"',
    r'route="q\"b\\s\nl"',
    'route=~"q.*l"',
    'route=~"(?s)q.*l"',
    r'route=~"/api\.b"',
    'route=~"/api.b"',
    'route=~"/api/?.a"',
    'route!="/api/a"',
    'route!~"/api.*",alertname="Slow"',
    'text="日本 🔥"',
    'alertname=~"Gr.+e"',
    'alertname="Nothing"',
    'alertstate=""',
    '__name__!="ALERTS"',
    'alertstate!~"fir.*"',
]


def series_of(name: str, labels: Mapping[str, str], start: float, end: float) -> Iterator[str]:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    inside = ",".join(f'{key}="{quoted(value)}"' for key, value in labels.items())
    for i in range(int((end - start) // STEP) + 1):
        yield f"{name}{{{inside}}} 1 {start + i * STEP:.3f}\n"


def backfill(directory: Path, now: float, days: float) -> None:
    """Write targets that were up for so many days, and the alerts, into the storage of a Prometheus."""
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / "history.om"
    with source.open("w", encoding="utf-8") as out:
        out.writelines(series_of("up", {"job": "api"}, now - days * DAY, now))
        for labels, ago in ALERTS:
            firing = {**labels, "alertstate": "firing"}
            out.writelines(series_of("ALERTS", firing, now - ago * DAY, now - ago * DAY + 3600))
        old = {**OLD, "alertstate": "firing"}
        out.writelines(series_of("ALERTS", old, now - 7.5 * DAY, now - 7.4 * DAY))
        out.writelines(series_of("ALERTS", {**PENDING, "alertstate": "pending"}, now - 3600, now))
        out.write("# EOF\n")
    command = [require("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source)]
    subprocess.run([*command, str(directory / "data")], check=True, capture_output=True, timeout=60)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[PrometheusClient]:
    found = PrometheusClient(Transport(Endpoint(url=url), clock=SystemClock()))
    try:
        yield found
    finally:
        await found.aclose()


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that knows nine days."""
    directory = tmp_path_factory.mktemp("week")
    backfill(directory, time.time(), 9)
    with Prometheus(directory, config=PROMETHEUS_CONFIG) as server:
        yield server


def expected(matchers: tuple[Matcher, ...]) -> int:
    return sum(match_all(matchers, labels) for labels, _ in ALERTS)


@pytest.mark.parametrize("text", MATCHERS)
async def test_the_alerts_of_the_week_are_those_that_the_matchers_hide(week: Prometheus, text: str) -> None:
    matchers = parse_matchers(text)
    async with client(week.url) as found:
        past = await ask_past(found.query, matchers)
    assert past.why == ""
    assert past.total == expected(matchers)


async def test_it_is_counted_by_severity_with_the_critical_names(week: Prometheus) -> None:
    async with client(week.url) as found:
        past = await ask_past(found.query, (Matcher("alertname", ".+", is_regex=True),))
    assert past == Past({Severity.CRITICAL: 2, Severity.WARNING: 3, Severity.UNKNOWN: 1}, ("Down",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('cluster="eu"', "has the label cluster"),
        ('route="no such",cluster=~"eu.+"', "has the label cluster"),
        ('alertstate="firing"', "has the label alertstate"),
        ('route="no such"', ""),
        ('severity="info",route=~"/api.*"', ""),
    ],
)
async def test_none_is_believed_only_of_labels_that_alerts_have(week: Prometheus, text: str, why: str) -> None:
    async with client(week.url) as found:
        past = await ask_past(found.query, parse_matchers(text))
    assert past.total == 0
    assert past.why.endswith(why)
    assert bool(past.why) is bool(why)


async def test_a_name_that_this_prometheus_does_not_read_is_not_zero(week: Prometheus) -> None:
    async with client(week.url) as found:
        past = await ask_past(found.query, (Matcher("with space", "x"),))
    assert past.why
    assert past.total == 0


async def test_a_prometheus_with_two_days_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "short"
    backfill(directory, time.time(), 2.5)
    with Prometheus(directory, config=PROMETHEUS_CONFIG) as server:
        async with client(server.url) as found:
            past = await ask_past(found.query, parse_matchers('alertname="Nothing"'))
            assert past == Past(why=past.why)
            assert past.why == "Prometheus has only the last 2 days"


async def test_no_prometheus_says_why() -> None:
    async with client(f"http://127.0.0.1:{free_port()}") as found:
        past = await ask_past(found.query, parse_matchers('alertname="Down"'))
    assert past.why.startswith("unreachable: ")
    assert past.total == 0
