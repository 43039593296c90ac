"""Reading Prometheus' API, the odd corners of it included."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import BadQuery, BadReply, NotReady
from opsconsole.model.alerts import EPOCH
from opsconsole.text import is_safe
from tests.support.scripted import ScriptedServer, json_reply, prometheus_reply, text_reply

HOSTILE = "\x1b[2J\x9b\u202e[/]\x00"


@pytest.fixture
async def client(scripted: ScriptedServer) -> AsyncIterator[PrometheusClient]:
    made = PrometheusClient(Transport(Endpoint(url=scripted.url), clock=ManualClock()))
    yield made
    await made.aclose()


def success(data: object) -> object:
    return json_reply({"status": "success", "data": data})


async def test_query_is_posted_as_a_form(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("/api/v1/query", prometheus_reply([{"metric": {"job": "a"}, "value": [1.5, "2"]}]))
    result = await client.query('up{job="a&b"} + 1', at=1_767_225_600.25)
    asked = scripted.requests[0]
    assert asked.method == "POST"
    assert asked.form == {"query": 'up{job="a&b"} + 1', "time": "1767225600.250", "timeout": "10000ms"}
    assert result.kind == "vector"
    assert (result.series[0].labels, result.series[0].times, result.series[0].values) == (
        {"job": "a"},
        (1.5,),
        (2.0,),
    )


async def test_query_range(scripted: ScriptedServer, client: PrometheusClient) -> None:
    values = [[1, "1"], [2, "NaN"], [3.5, "-Inf"]]
    scripted.on("/api/v1/query_range", prometheus_reply([{"metric": {}, "values": values}], "matrix"))
    result = await client.query_range("x", 1, 3.5, 1.25)
    assert {k: scripted.requests[0].form[k] for k in ("start", "end", "step")} == {
        "start": "1.000",
        "end": "3.500",
        "step": "1.250",
    }
    series = result.series[0]
    assert series.times == (1.0, 2.0, 3.5)
    assert series.values[0] == 1
    assert math.isnan(series.values[1])
    assert series.values[2] == -math.inf


@pytest.mark.parametrize(
    ("text", "value"), [("+Inf", math.inf), ("-Inf", -math.inf), ("1e308", 1e308), ("5e-324", 5e-324)]
)
async def test_values_at_the_edges(
    scripted: ScriptedServer, client: PrometheusClient, text: str, value: float
) -> None:
    scripted.on("*", prometheus_reply([{"metric": {}, "value": [1, text]}]))
    assert (await client.query("x")).series[0].values == (value,)
    scripted.on("*", prometheus_reply([{"metric": {}, "values": [[1, "0"], [2, text]]}], "matrix"))
    assert (await client.query_range("x", 0, 2, 1)).series[0].values == (0.0, value)


async def test_scalar_and_string(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("*", prometheus_reply([7, "+Inf"], "scalar"), prometheus_reply([7, "hello"], "string"))
    scalar = await client.query("1/0")
    assert (scalar.kind, scalar.series[0].values) == ("scalar", (math.inf,))
    string = await client.query('"hello"')
    assert (string.kind, string.series[0].labels, string.series[0].last) == ("string", {"value": "hello"}, None)


async def test_native_histograms_have_no_points(scripted: ScriptedServer, client: PrometheusClient) -> None:
    histogram = {"count": "2", "sum": "3", "buckets": [[0, "1", "2", "1"]]}
    scripted.on(
        "*",
        prometheus_reply([{"metric": {"a": "b"}, "histogram": [1, histogram]}]),
        prometheus_reply([{"metric": {"a": "b"}, "histograms": [[1, histogram]]}], "matrix"),
    )
    for _ in range(2):
        series = (await client.query("h")).series[0]
        assert (series.labels, series.values, series.last) == ({"a": "b"}, (), None)


async def test_warnings_make_a_result_partial_and_are_safe(
    scripted: ScriptedServer, client: PrometheusClient
) -> None:
    scripted.on("*", prometheus_reply([], warnings=[HOSTILE], infos=["i"]), prometheus_reply([], warnings=None))
    result = await client.query("x")
    assert len(result.warnings) == 1
    assert is_safe(result.warnings[0])
    assert result.infos == ("i",)
    assert (await client.query("x")).warnings == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>login</html>",
        b"not json",
        b"[1]",
        b'{"status": "success"}',
        b'{"status": "success", "data": {"resultType": "vector", "result": 5}}',
        b'{"status": "success", "data": {"resultType": "cube", "result": []}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "x"]}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": [1'
        + b"1" * 5000
        + b', "1"]}]}}',
        b'{"status": "success", "data": ' + b"[" * 100_000,
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": "\xff"}}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": "\\ud800"}}]}}',
        b'{"status": "error", "error": "\\u001b[2J odd"}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [',
    ],
)
async def test_damaged_replies_are_bad_replies(
    scripted: ScriptedServer, client: PrometheusClient, body: bytes
) -> None:
    scripted.on("*", text_reply(body))
    with pytest.raises(BadReply) as caught:
        await client.query("x")
    assert caught.value.hint
    assert is_safe(str(caught.value))
    assert caught.value.where == f"{scripted.url}/api/v1/query"


async def test_huge_integers_where_nobody_looks_are_ignored(
    scripted: ScriptedServer, client: PrometheusClient
) -> None:
    huge = b"9" * 5000
    scripted.on(
        "*", text_reply(b'{"status":"success","huge":' + huge + b',"data":{"version":"1","x":' + huge + b"}}")
    )
    assert (await client.buildinfo()).version == "1"


async def test_bad_query_tells_prometheus_words(scripted: ScriptedServer, client: PrometheusClient) -> None:
    error = {"status": "error", "errorType": "bad_data", "error": f"1:5: parse error {HOSTILE}"}
    scripted.on("*", json_reply(error, status=400))
    with pytest.raises(BadQuery, match="parse error") as caught:
        await client.query("sum(")
    assert is_safe(caught.value.message)
    assert caught.value.status == 400


async def test_rules(scripted: ScriptedServer, client: PrometheusClient) -> None:
    rule = {
        "type": "alerting",
        "state": "pending",
        "name": "High\x1b",
        "query": "a >\n 1",
        "duration": 300,
        "keepFiringFor": 60,
        "labels": {"severity": "critical"},
        "annotations": {"summary": "it\nis\x1b high"},
        "alerts": [
            {
                "labels": {"a": "\x1b"},
                "annotations": {},
                "state": "pending",
                "activeAt": "2026-01-01T00:00:00.123456789Z",
                "value": "1e+00",
                "partialResponseStrategy": "ABORT",
            }
        ],
        "health": "err",
        "lastError": HOSTILE,
        "evaluationTime": 0.25,
        "lastEvaluation": "0001-01-01T00:00:00Z",
        "unknown": {"field": [1]},
    }
    recording = {"type": "recording", "name": "r", "query": "x", "health": "ok"}
    group = {"name": "g", "file": "f", "interval": 15, "lastEvaluation": "0001-01-01T00:00:00Z"}
    groups = [{**group, "rules": [rule, recording]}, {**group, "rules": []}]
    scripted.on("/api/v1/rules", success({"groups": groups}), success({"groups": None}))
    (found,) = await client.rules()
    assert scripted.requests[0].query == (("type", "alert"),)
    assert found.last_evaluation == EPOCH
    (one,) = found.rules
    assert (one.name, one.query, one.duration, one.keep_firing_for) == ("High\\x1b", "a >\n 1", 300, 60)
    assert one.annotations == {"summary": "it\nis\\x1b high"}
    assert is_safe(one.last_error)
    assert one.last_evaluation == EPOCH
    assert one.alerts[0].labels == {"a": "\x1b"}
    assert one.alerts[0].active_at.microsecond == 123457
    assert await client.rules() == ()


async def test_targets(scripted: ScriptedServer, client: PrometheusClient) -> None:
    target = {
        "labels": {"job": "j", "instance": "i"},
        "scrapePool": "p",
        "scrapeUrl": "http://i/metrics",
        "health": "down",
        "lastError": HOSTILE,
        "lastScrape": "2026-01-01T00:00:00Z",
        "lastScrapeDuration": 0.5,
        "scrapeInterval": "15s",
    }
    scripted.on("*", success({"activeTargets": [target], "droppedTargets": []}))
    (found,) = await client.targets()
    assert (found.job, found.instance, found.health) == ("j", "i", "down")
    assert is_safe(found.last_error)


async def test_alertmanagers_are_base_urls(scripted: ScriptedServer, client: PrometheusClient) -> None:
    urls = [
        "http://a:9093/api/v2/alerts",
        "http://a:9093/api/v2/alerts",
        "https://me:secret@b/prefix/api/v1/alerts",
        "nonsense",
        "http://[bad/api/v2/alerts",
        "http://c\x1b/api/v2/alerts",
    ]
    scripted.on("*", success({"activeAlertmanagers": [{"url": u} for u in urls]}))
    assert await client.alertmanagers() == ("http://a:9093", "https://b/prefix")


async def test_servers_that_do_not_say_their_version(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("*", success({}), success(None), text_reply("no", status=404), success({"version": "2.42.0"}))
    assert [(await client.buildinfo()).version for _ in range(4)] == ["", "", "", "2.42.0"]


async def test_facts_and_metadata(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("/api/v1/status/runtimeinfo", success({"a": True, "n": 3, "s": HOSTILE, "z": None}))
    scripted.on("/api/v1/status/flags", success({"web.enable-lifecycle": "true"}))
    metric = {"type": "counter", "help": "a\nb", "unit": ""}
    scripted.on("/api/v1/metadata", success({"up": [metric], "none": []}))
    facts = await client.runtimeinfo()
    assert (facts["a"], facts["n"], facts["z"]) == ("True", "3", "")
    assert is_safe(facts["s"])
    assert await client.flags() == {"web.enable-lifecycle": "true"}
    found = await client.metadata()
    assert list(found) == ["up"]
    assert (found["up"].type, found["up"].help) == ("counter", "a\nb")


async def test_ready_and_not_ready(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("/-/ready", text_reply("Service Unavailable", status=503), text_reply("Prometheus is Ready."))
    with pytest.raises(NotReady):
        await client.ready()
    await client.ready()


async def test_ready_without_that_path_is_a_query(scripted: ScriptedServer, client: PrometheusClient) -> None:
    scripted.on("/api/v1/query", prometheus_reply([{"metric": {}, "value": [1, "1"]}]))
    await client.ready()
    assert scripted.requests[-1].form["query"] == "vector(1)"
