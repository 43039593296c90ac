"""The clients against real Prometheus and Alertmanager processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.errors import BadQuery, TimedOut, Unreachable
from opsconsole.model.alerts import Alert, fingerprint_of
from opsconsole.model.matchers import Matcher, exact_matchers
from opsconsole.model.silences import Silence, ack_comment
from opsconsole.text import safe
from tests.support.servers import Alertmanager, AlertmanagerClusterOf, Prometheus, Server

pytestmark = pytest.mark.live

RULES = """\
groups:
  - name: live
    interval: 1s
    rules:
      - alert: AlwaysPending
        expr: vector(1) > 0
        for: 1h
        labels: {severity: warning}
        annotations: {summary: "value {{ $value }}"}
      - {record: one, expr: vector(1)}
"""


@asynccontextmanager
async def client_of(url: str, timeout: float = 10.0) -> AsyncIterator[PrometheusClient]:
    endpoint = Endpoint(url=url, http=HttpConfig(timeout=timeout))
    client = PrometheusClient(Transport(endpoint, clock=SystemClock()))
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def cluster_of(*urls: str, timeout: float = 10.0) -> AsyncIterator[AlertmanagerCluster]:
    http = HttpConfig(timeout=timeout)
    transports = [Transport(Endpoint(url=u, http=http), clock=SystemClock()) for u in urls]
    cluster = AlertmanagerCluster("live", transports)
    try:
        yield cluster
    finally:
        await cluster.aclose()


async def until(condition: Callable[[], Awaitable[bool]], limit: float = 30.0) -> None:
    async with asyncio.timeout(limit):
        while not await condition():
            await asyncio.sleep(0.05)


def draft(labels: dict[str, str], minutes: float = 15) -> Silence:
    now = datetime.now(UTC)
    return Silence(
        matchers=exact_matchers(labels),
        starts_at=now,
        ends_at=now + timedelta(minutes=minutes),
        created_by=safe("tester"),
        comment=safe(ack_comment("tester", "looking", "op1")),
    )


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory, alertmanager: Alertmanager) -> Iterator[Prometheus]:
    """A Prometheus with a rule that is always pending, sending to the shared Alertmanager."""
    directory = tmp_path_factory.mktemp("ruled")
    with Prometheus(directory, rules=RULES, alertmanagers=[f"127.0.0.1:{alertmanager.port}"]) as server:
        yield server


async def test_prometheus_answers_everything_that_is_asked(ruled: Prometheus, alertmanager: Alertmanager) -> None:
    async with client_of(ruled.url) as client:
        await client.ready()

        async def scraped() -> bool:
            return (await client.query('up{job="prometheus"} == 1')).series != ()

        await until(scraped)
        (one,) = (await client.query("vector(1) / 0")).series
        assert one.last == float("inf")
        assert (await client.query("vector(0) / 0")).series[0].last is None
        assert (await client.query("42")).kind == "scalar"
        now = time.time()
        matrix = await client.query_range("vector(3)", now - 60, now, 15)
        assert matrix.series[0].values == (3.0,) * 5
        assert (await client.targets())[0].job == "prometheus"
        assert (await client.buildinfo()).version
        assert "storageRetention" in await client.runtimeinfo()
        assert (await client.flags())["web.enable-lifecycle"] == "true"
        assert (await client.metadata())["prometheus_build_info"].type == "gauge"
        assert client.skew is not None
        assert abs(client.skew) < 5

        async def named() -> bool:
            return await client.alertmanagers() == (alertmanager.url,)

        await until(named)


async def test_rules_and_pending_alerts(ruled: Prometheus) -> None:
    async with client_of(ruled.url) as client:

        async def pending() -> bool:
            return any(a.state == "pending" for g in await client.rules() for r in g.rules for a in r.alerts)

        await until(pending)
        (group,) = await client.rules()
        (rule,) = group.rules
        assert (rule.name, rule.duration, rule.health) == ("AlwaysPending", 3600.0, "ok")
        (alert,) = await client.alerts()
        assert alert.annotations == {"summary": "value 1"}
        assert abs(alert.active_at.timestamp() - time.time()) < 120


async def test_prometheus_refuses_a_bad_query(prometheus: Prometheus) -> None:
    async with client_of(prometheus.url) as client:
        with pytest.raises(BadQuery, match="parse error"):
            await client.query("sum(")
        with pytest.raises(BadQuery, match="11,000"):
            await client.query_range("vector(1)", 0, 20_000, 1)


async def test_a_stopped_and_a_hanging_prometheus(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    server = started(Prometheus(tmp_path / "prometheus"))
    async with client_of(server.url, timeout=0.5) as client:
        await client.ready()
        server.pause()
        try:
            with pytest.raises(TimedOut):
                await client.query("1")
        finally:
            server.resume()
        await client.query("1")
        server.stop()
        with pytest.raises(Unreachable, match="refused"):
            await client.query("1")
        server.start()
        await client.ready()


async def test_alert_silence_and_expire_on_a_real_cluster(alertmanager_cluster: AlertmanagerClusterOf) -> None:
    first, second = alertmanager_cluster.members
    labels = {"alertname": "Live", "path": 'C:\\x "q"', "word": "é{}"}
    first.post_alerts([{"labels": labels, "annotations": {"summary": "a\nb \x1b[2J"}}])
    second.post_alerts([{"labels": labels}, {"labels": {"alertname": "LiveOther"}}])
    async with cluster_of(first.url, second.url) as cluster:

        async def mine() -> Alert | None:
            found = (await cluster.alerts(exact_matchers(labels))).data
            assert len(found) <= 1, "one alert, whichever member has it"
            return found[0] if found else None

        async def state_is(state: str) -> bool:
            alert = await mine()
            return alert is not None and alert.status.state == state

        await until(lambda: state_is("active"))
        alert = await mine()
        assert alert is not None
        assert alert.labels == labels
        assert alert.fingerprint == fingerprint_of(labels)
        assert alert.cluster == "live"

        id = await cluster.post_silence(draft(labels))
        read_back = await cluster.silence(id)
        assert read_back is not None
        assert read_back.is_ack
        assert (read_back.op, read_back.owner) == ("op1", "tester")
        assert read_back.matchers == exact_matchers(labels)
        await until(lambda: state_is("suppressed"))
        assert (await mine()).status.silenced_by == (id,)  # type: ignore[union-attr]
        assert (await cluster.alerts(exact_matchers(labels), silenced=False)).data == ()
        assert id in {s.id for s in (await cluster.silences()).data}

        await cluster.expire_silence(id)
        await cluster.expire_silence(id)
        assert (await cluster.silence(id)).status.state == "expired"  # type: ignore[union-attr]
        await until(lambda: state_is("active"))

        assert await cluster.silence("00000000-0000-0000-0000-000000000000") is None
        groups = (await cluster.groups()).data
        assert {"Live", "LiveOther"} <= {g.labels["alertname"] for g in groups}
        assert (await cluster.receivers()).data == ("nobody",)


async def test_silences_gossip_and_members_tell_their_status(alertmanager_cluster: AlertmanagerClusterOf) -> None:
    first, second = alertmanager_cluster.members
    async with cluster_of(first.url) as one, cluster_of(second.url) as other:
        id = await one.post_silence(draft({"alertname": "Gossip"}))

        async def arrived() -> bool:
            return await other.silence(id) is not None

        await until(arrived)
        await other.expire_silence(id)
    async with cluster_of(first.url, second.url) as cluster:
        for reply in await cluster.statuses():
            assert reply.status is not None
            assert (reply.status.cluster_status, reply.status.peers) == ("ready", 2)
            assert reply.status.version
            assert "receiver: nobody" in reply.status.config


async def test_a_real_alertmanager_refuses_bad_silences(alertmanager: Alertmanager) -> None:
    async with cluster_of(alertmanager.url) as cluster:
        with pytest.raises(BadQuery, match="end time"):
            await cluster.post_silence(draft({"alertname": "X"}, minutes=-5))
        with pytest.raises(BadQuery):
            await cluster.alerts((Matcher("a", "(", is_regex=True),))


async def test_writing_goes_on_with_one_member_down(tmp_path: Path) -> None:
    real = AlertmanagerClusterOf(tmp_path, 2)
    real.start()
    try:
        first, second = real.members
        async with cluster_of(first.url, second.url) as cluster:
            first.stop()
            id = await cluster.post_silence(draft({"alertname": "Down"}))
            reply = await cluster.silences()
            assert [s.id for s in reply.data] == [id]
            assert [url for url, _ in reply.failures] == [first.url]
    finally:
        real.stop()


async def test_ten_thousand_alerts_cost_little_more_than_the_server_takes(
    tmp_path: Path, started: Callable[[Server], Server]
) -> None:
    server = started(Alertmanager(tmp_path / "big"))
    assert isinstance(server, Alertmanager)
    server.post_alerts([_wide(i) for i in range(10_000)])
    async with cluster_of(server.url) as cluster:
        found = (await cluster.alerts()).data
        assert len(found) == 10_000
        raw, whole = [], []
        transport = Transport(Endpoint(url=server.url), clock=SystemClock())
        for _ in range(5):
            began = time.perf_counter()
            await transport.request("GET", "/api/v2/alerts", limit=1 << 30)
            raw.append(time.perf_counter() - began)
            began = time.perf_counter()
            await cluster.alerts()
            whole.append(time.perf_counter() - began)
        await transport.aclose()
    # The limit leaves room for a busy machine; alone it is below 0.15 s.
    assert min(whole) - min(raw) < 0.5, (raw, whole)
    print(f"reply {min(raw):.3f} s, with decoding {min(whole):.3f} s")


def _wide(i: int) -> dict[str, object]:
    labels = {f"label_{n}": f"value {n} of {i}" for n in range(8)}
    return {
        "labels": {"alertname": f"Big{i % 50}", "severity": "warning", "instance": f"host-{i}", **labels},
        "annotations": {f"note_{n}": f"some <b>text</b> & more of it: {i} {'x' * 60}" for n in range(4)},
        "generatorURL": f"http://prometheus/graph?g0.expr=up+%3D%3D+{i}&g0.tab=1",
    }
