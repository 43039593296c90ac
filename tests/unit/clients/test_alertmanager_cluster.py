"""A cluster of Alertmanagers: read all, write one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.errors import BadQuery, BadReply, Overloaded, TimedOut, Unauthorised, Unreachable
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import is_safe, safe
from tests.support.scripted import (
    Say,
    ScriptedServer,
    hang,
    json_reply,
    raw,
    refusing_url,
    text_reply,
)

ALERTS = "/api/v2/alerts"
SILENCES = "/api/v2/silences"


def alert(
    fingerprint: str, *, starts: str = "2026-01-01T00:00:00Z", state: str = "active", **more: object
) -> object:
    return {
        "fingerprint": fingerprint,
        "labels": {"alertname": "A", "id": fingerprint},
        "annotations": {"summary": "s"},
        "startsAt": starts,
        "endsAt": "2026-01-01T01:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "generatorURL": "http://p/graph?g0.expr=a&g0.tab=1",
        "status": {"state": state, "silencedBy": [], "inhibitedBy": []},
        "receivers": [{"name": "r"}],
        **more,
    }


def silence(
    id: str, *, updated: str = "2026-01-01T00:00:00Z", comment: str = "c", state: str = "active"
) -> object:
    return {
        "id": id,
        "matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2026-01-01T01:00:00Z",
        "updatedAt": updated,
        "createdBy": "me",
        "comment": comment,
        "status": {"state": state},
    }


DRAFT = Silence(
    matchers=(Matcher("a", 'b"c'), Matcher("d", "e.*", is_regex=True, is_equal=False)),
    starts_at=datetime(2026, 1, 1, tzinfo=UTC),
    ends_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
    created_by=safe("me"),
    comment=safe("ACK! me: x [op=1]"),
)


@asynccontextmanager
async def cluster_of(*urls: str, timeout: float = 5.0) -> AsyncIterator[AlertmanagerCluster]:
    clock = ManualClock()
    http = HttpConfig(timeout=timeout)
    cluster = AlertmanagerCluster("main", [Transport(Endpoint(url=u, http=http), clock=clock) for u in urls])
    try:
        yield cluster
    finally:
        await cluster.aclose()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[ScriptedServer, ScriptedServer]]:
    async with ScriptedServer() as first, ScriptedServer() as second:
        yield first, second


Pair = tuple[ScriptedServer, ScriptedServer]


async def test_alerts_merge_by_fingerprint(pair: Pair) -> None:
    pair[0].on(ALERTS, json_reply([alert("1", state="suppressed"), alert("2")]))
    pair[1].on(ALERTS, json_reply([alert("3"), alert("1", starts="2025-12-31T23:00:00Z")]))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        reply = await cluster.alerts()
    by_id = {a.fingerprint: a for a in reply.data}
    assert sorted(by_id) == ["1", "2", "3"]
    assert by_id["1"].status.state == "active"
    assert by_id["1"].starts_at == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert {a.cluster for a in reply.data} == {"main"}
    assert reply.failures == ()


async def test_filters_are_one_quoted_matcher_each(scripted: ScriptedServer) -> None:
    scripted.on(ALERTS, json_reply([]))
    async with cluster_of(scripted.url) as cluster:
        await cluster.alerts(DRAFT.matchers, silenced=False, inhibited=False)
    assert scripted.requests[0].query == (
        ("silenced", "false"),
        ("inhibited", "false"),
        ("filter", 'a="b\\"c"'),
        ("filter", 'd!~"e.*"'),
    )


async def test_one_member_down_is_a_failure_beside_the_data(scripted: ScriptedServer) -> None:
    scripted.on(ALERTS, json_reply([alert("1")]))
    with refusing_url() as refused:
        async with cluster_of(refused, scripted.url) as cluster:
            reply = await cluster.alerts()
    assert [a.fingerprint for a in reply.data] == ["1"]
    ((url, error),) = reply.failures
    assert url == refused
    assert isinstance(error, Unreachable)


async def test_all_members_down_raises_what_says_most(scripted: ScriptedServer) -> None:
    scripted.on(ALERTS, text_reply("no", status=401))
    with refusing_url() as refused:
        async with cluster_of(refused, scripted.url) as cluster:
            with pytest.raises(Unauthorised):
                await cluster.alerts()


@pytest.mark.parametrize(
    ("where", "value", "shown"),
    [
        ("annotation", "a\x1b[2Jb", "a\\x1b[2Jb"),
        ("annotation", "a\x7fb", "a\\x7fb"),
        ("annotation", "a\u202eb", "a\\u202eb"),
        ("annotation", "a\x9bb", "a\\x9bb"),
        ("annotation", "line\nline", "line\nline"),
        ("annotation", 'plain "quoted" <b> & \\n', 'plain "quoted" <b> & \\n'),
        ("annotation", "e" + "\u0301" * 9, "e" + "\u0301" * 4 + "\\u0301" * 5),
        ("url", "http://x/\n", "http://x/\\n"),
        ("receiver", "r\x00", "r\\x00"),
        ("name", "n\x1b", "n\\x1b"),
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
async def test_texts_of_alerts_are_safe_and_labels_raw(
    scripted: ScriptedServer, where: str, value: str, shown: str, escaped: bool
) -> None:
    odd = {
        "annotation": {"annotations": {"summary": value}},
        "url": {"generatorURL": value},
        "receiver": {"receivers": [{"name": value}]},
        "name": {"annotations": {value: "v"}},
    }[where]
    body = json.dumps([alert("0"), alert("1", labels={"x": value}, **odd)], ensure_ascii=escaped)
    scripted.on(ALERTS, text_reply(body.encode()))
    async with cluster_of(scripted.url) as cluster:
        found = (await cluster.alerts()).data[1]
    assert found.labels == {"x": value}
    assert {
        "annotation": found.annotations.get("summary"),  # type: ignore[call-overload]
        "url": found.generator_url,
        "receiver": found.receivers[0].name,
        "name": next(iter(found.annotations)),
    }[where] == shown


async def test_groups_fill_muted_by_and_merge(pair: Pair) -> None:
    muted = {"state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["nights"]}
    group = {"labels": {"alertname": "A"}, "receiver": {"name": "r\x1b"}}
    pair[0].on("/api/v2/alerts/groups", json_reply([{**group, "alerts": [alert("1", status=muted)]}]))
    pair[1].on("/api/v2/alerts/groups", json_reply([{**group, "alerts": [alert("2")]}]))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        (found,) = (await cluster.groups()).data
    assert found.receiver.name == "r\\x1b"
    assert {a.fingerprint: a.status.muted_by for a in found.alerts} == {"1": ("nights",), "2": ()}
    assert {a.cluster for a in found.alerts} == {"main"}


async def test_silences_merge_by_id_the_newest_wins(pair: Pair) -> None:
    pair[0].on(SILENCES, json_reply([silence("1"), silence("2", comment="\x1bx\ny")]))
    pair[1].on(SILENCES, json_reply([silence("1", updated="2026-01-01T00:00:09Z", state="expired")]))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        found = {s.id: s for s in (await cluster.silences()).data}
    assert found["1"].status.state == "expired"
    assert found["2"].comment == "\\x1bx\ny"
    assert found["2"].cluster == "main"


async def test_silence_by_id(pair: Pair) -> None:
    path = "/api/v2/silence/a%2Fb"
    pair[0].on(path, text_reply("", status=404))
    pair[1].on(path, json_reply(silence("a/b")), text_reply("", status=404), hang())
    async with cluster_of(pair[0].url, pair[1].url, timeout=0.5) as cluster:
        found = await cluster.silence("a/b")
        assert found is not None
        assert found.id == "a/b"
        assert await cluster.silence("a/b") is None
        with pytest.raises(TimedOut):  # who does not answer may know it
            await cluster.silence("a/b")


async def test_statuses_of_each_member(pair: Pair) -> None:
    status = {
        "cluster": {"name": "x", "status": "ready", "peers": [{"name": "a", "address": "b"}] * 2},
        "config": {"original": "route:\n  receiver: \x1b"},
        "uptime": "2026-01-01T00:00:00Z",
        "versionInfo": {"version": "0.25.0", "goVersion": "x"},
    }
    pair[0].on("/api/v2/status", json_reply(status))
    pair[1].on("/api/v2/status", text_reply("Limit reached", status=503))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        first, second = await cluster.statuses()
    assert first.status is not None
    assert (first.url, first.status.version, first.status.peers) == (pair[0].url, "0.25.0", 2)
    assert first.status.config == "route:\n  receiver: \\x1b"
    assert isinstance(second.error, Overloaded)
    assert second.status is None


async def test_receivers(pair: Pair) -> None:
    pair[0].on("/api/v2/receivers", json_reply([{"name": "b"}, {"name": "a\x1b"}]))
    pair[1].on("/api/v2/receivers", json_reply([{"name": "b"}]))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        assert (await cluster.receivers()).data == ("a\\x1b", "b")


async def test_post_writes_once_and_always_sends_is_equal(pair: Pair) -> None:
    for server in pair:
        server.on(SILENCES, json_reply({"silenceID": "new"}))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        assert await cluster.post_silence(DRAFT) == "new"
    assert [len(server.requests) for server in pair] == [1, 0]
    assert json.loads(pair[0].requests[0].body) == {
        "matchers": [
            {"name": "a", "value": 'b"c', "isRegex": False, "isEqual": True},
            {"name": "d", "value": "e.*", "isRegex": True, "isEqual": False},
        ],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2026-01-01T01:00:00Z",
        "createdBy": "me",
        "comment": "ACK! me: x [op=1]",
    }


async def test_post_fails_over_when_refused(scripted: ScriptedServer) -> None:
    scripted.on(SILENCES, json_reply({"silenceID": "new"}))
    with refusing_url() as refused:
        async with cluster_of(refused, scripted.url) as cluster:
            assert await cluster.post_silence(DRAFT) == "new"
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("say", "kind"),
    [
        (hang(), TimedOut),
        (raw(b""), BadReply),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), BadReply),
        (text_reply("not json"), BadReply),
        (text_reply("oops", status=500), BadReply),
        (text_reply("busy", status=503), Overloaded),
        (json_reply("bad matcher", status=400), BadQuery),
    ],
)
async def test_post_never_fails_over_once_it_was_sent(pair: Pair, say: Say, kind: type[Exception]) -> None:
    pair[0].on(SILENCES, say)
    pair[1].on(SILENCES, json_reply({"silenceID": "twice"}))
    async with cluster_of(pair[0].url, pair[1].url, timeout=0.5) as cluster:
        with pytest.raises(kind):
            await cluster.post_silence(DRAFT)
    assert pair[1].requests == []


async def test_a_refused_cluster_raises_unreachable_unsent() -> None:
    with refusing_url() as first, refusing_url() as second:
        async with cluster_of(first, second) as cluster:
            with pytest.raises(Unreachable) as caught:
                await cluster.post_silence(DRAFT)
    assert not caught.value.sent


async def test_an_update_goes_to_the_member_that_knows_the_id(pair: Pair) -> None:
    pair[0].on(SILENCES, json_reply("silence not found", status=404))
    pair[1].on(SILENCES, json_reply({"silenceID": "x"}))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        assert await cluster.post_silence(DRAFT) == "x"


async def test_writes_prefer_a_member_that_answered_the_last_read(pair: Pair) -> None:
    pair[0].on(SILENCES, text_reply("oops", status=500))
    pair[1].on(SILENCES, json_reply([]), json_reply({"silenceID": "new"}))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        await cluster.silences()
        assert await cluster.post_silence(DRAFT) == "new"
    assert [r.method for r in pair[0].requests] == ["GET"]


async def test_a_member_that_hangs_does_not_hold_the_answer_of_the_other(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsconsole.clients.together.STRAGGLE", 0.2)
    pair[0].on(ALERTS, hang())
    pair[1].on(ALERTS, json_reply([alert("1")]))
    async with cluster_of(pair[0].url, pair[1].url, timeout=60.0) as cluster:
        async with asyncio.timeout(30):
            reply = await cluster.alerts()
        assert [a.fingerprint for a in reply.data] == ["1"]
        ((url, error),) = reply.failures
        assert (url, type(error)) == (pair[0].url, TimedOut)
        assert is_safe(str(error))


async def test_one_that_answers_late_is_heard(pair: Pair) -> None:
    pair[0].on(ALERTS, replace(json_reply([alert("1")]), delay=0.3))
    pair[1].on(ALERTS, json_reply([alert("2")]))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        reply = await cluster.alerts()
    assert (len(reply.data), reply.failures) == (2, ())


async def test_expire(pair: Pair) -> None:
    pair[0].on("/api/v2/silence/x", text_reply(""))
    async with cluster_of(pair[0].url, pair[1].url) as cluster:
        await cluster.expire_silence("x")
    assert [(r.method, r.path) for r in pair[0].requests] == [("DELETE", "/api/v2/silence/x")]
    assert pair[1].requests == []


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[{}]", b"[1]", b'[{"fingerprint": "1", "labels": {"a": 5}}]', b"[" * 99_999, b'["\xff"]', b"["],
)
async def test_damaged_alert_lists_are_bad_replies(scripted: ScriptedServer, body: bytes) -> None:
    scripted.on(ALERTS, text_reply(body))
    async with cluster_of(scripted.url) as cluster:
        with pytest.raises(BadReply) as caught:
            await cluster.alerts()
    assert caught.value.hint
    assert is_safe(str(caught.value))
