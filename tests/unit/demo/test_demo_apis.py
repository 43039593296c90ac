"""What the demo's servers say to right and wrong requests."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from demo_driver import Demo


async def test_an_unknown_metric_comes_back_empty_with_a_warning(demo: Demo) -> None:
    reply = await demo.prom("query", query="sum(rate(node_cpu_seconds_total[5m]))")
    assert reply["status"] == "success"
    assert reply["data"]["result"] == []
    assert "the demo has no data for" in reply["warnings"][0]


async def test_a_metric_known_to_be_absent_is_empty_without_a_warning(demo: Demo) -> None:
    reply = await demo.prom("query", query="kthxbye_last_cycle_success")
    assert reply == {"status": "success", "data": {"resultType": "vector", "result": []}}


@pytest.mark.parametrize("query", ["", "sum(", "up{", "up ==", "1 +", 'up{job=~"("}', "rate(up)", "sum(1)"])
async def test_malformed_queries_are_bad_data(demo: Demo, query: str) -> None:
    url = f"{demo.endpoints.prometheus_url}/api/v1/query"
    reply = await demo.http.post(url, data={"query": query})
    assert reply.status_code == 400
    assert reply.json()["errorType"] == "bad_data"


@pytest.mark.parametrize(
    ("start", "end", "step"), [("1", "0", "5"), ("0", "100000", "1"), ("x", "1", "1"), ("0", "1", "0")]
)
async def test_bad_ranges(demo: Demo, start: str, end: str, step: str) -> None:
    url = f"{demo.endpoints.prometheus_url}/api/v1/query_range"
    reply = await demo.http.get(url, params={"query": "up", "start": start, "end": end, "step": step})
    assert reply.status_code == 400


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("-(2 ^ 3)", -8.0),
        ("scalar(max(up))", 1.0),
        ("count(up)", 3.0),
        ("sum(up) by (job) == bool 1 and on() vector(1)", 1.0),
        ("max(up) or vector(0)", 1.0),
        ("vector(5) > 6 or vector(4)", 4.0),
        ('absent(up{job="nope"})', 1.0),
        ("avg_over_time(cache_memory_max_bytes[10m]) / 1024 ^ 3", 2.0),
        ("round(cache_memory_max_bytes / 1e9)", 2.0),
    ],
)
async def test_expressions(demo: Demo, query: str, value: float) -> None:
    data = (await demo.prom("query", query=query))["data"]
    found = data["result"] if data["resultType"] == "scalar" else data["result"][0]["value"]
    assert float(found[1]) == value


async def test_there_is_no_data_before_the_history_and_in_the_future(demo: Demo) -> None:
    for at in (demo.start - 7 * 3600, demo.start + 3600):
        assert (await demo.prom("query", query="up", time=at))["data"]["result"] == []


@pytest.mark.parametrize(
    "path",
    ["targets", "alertmanagers", "metadata", "status/buildinfo", "status/runtimeinfo", "status/flags"],
)
async def test_the_rest_of_the_api_answers(demo: Demo, path: str) -> None:
    reply = await demo.http.get(f"{demo.endpoints.prometheus_url}/api/v1/{path}")
    assert reply.json()["status"] == "success"


async def test_alertmanagers_names_the_demos_own(demo: Demo) -> None:
    found = (await demo.prom("alertmanagers"))["data"]["activeAlertmanagers"]
    assert found == [{"url": f"{demo.endpoints.alertmanager_url}/api/v2/alerts"}]


async def test_alert_filters_and_groups(demo: Demo) -> None:
    await demo.to(120)
    assert set(await demo.alerts(filter='severity=~"crit.*"')) == {"HighErrorRate"}
    assert "DiskFillingUp" not in await demo.alerts(silenced="false")
    assert set(await demo.alerts(receiver="on-call-pager-.*")) == {"HighErrorRate"}
    reply = await demo.http.get(f"{demo.endpoints.alertmanager_url}/api/v2/alerts/groups")
    group = next(g for g in reply.json() if g["labels"]["alertname"] == "HighErrorRate")
    assert group["receiver"] == {"name": "on-call-pager-chat-mail"}
    assert group["labels"] == {"alertname": "HighErrorRate", "job": "accubooks"}


async def _raw(demo: Demo, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(demo.endpoints.prometheus_url).port)
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"POST /api/v1/query HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_request(demo: Demo, sent: bytes) -> None:
    assert (await _raw(demo, sent)).startswith(b"HTTP/1.1 400 ")


async def test_several_requests_on_one_connection(demo: Demo) -> None:
    one = b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nope HTTP/1.1\r\nConnection: close\r\n\r\n"
    received = await _raw(demo, one * 3 + last)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.count(b"HTTP/1.1 404 ") == 1
