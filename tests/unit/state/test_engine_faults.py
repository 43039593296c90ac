"""Sources that fail: what the snapshot says of them, what the checks make of it, and how it heals."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.run import overall, run_checks
from opsconsole.clients.sources import Sources
from opsconsole.config.schema import ClusterConfig, Endpoint
from opsconsole.model.reading import Freshness, Reading
from opsconsole.model.verdicts import Level
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import trusted
from tests.support.backends import ERRORS, FAULTS, LATENCY, Backend, Backends, api_alert, back, until
from tests.support.scripted import Say, cut_short, json_reply, text_reply

REACHABLE, READY = "sources.prometheus.reachable", "sources.prometheus.ready"
ON_QUERIES = {"targets.asked", "metrics.read", "sources.prometheus.config", "thresholds.books.errors"}
ON_ALERTMANAGER = {"sources.alertmanager.ready.main"}
WELL = {
    *(REACHABLE, READY, *ON_QUERIES),
    *(
        f"sources.prometheus.{name}"
        for name in ("clock", "latency", "wal", "rules", "notifications", "alertmanagers")
    ),
    *("targets.read", "targets.up.accubooks", "targets.samples.accubooks", "targets.flapping.accubooks"),
    *("metrics.exists.books", "metrics.fresh.books", "metrics.labels.books", "metrics.panel.books.latency"),
    *("rules.read", "rules.health", "rules.evaluated", "thresholds.books.latency"),
    "sources.alertmanager.ready.main",
    "alertmanager.settled.main",
    "alertmanager.notifications.main",
    "alerts.active",
}


@pytest.fixture
async def backends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backends]:
    # Alert lists get 15 s because they may be long; a test of a list that never ends does not wait for that.
    monkeypatch.setattr("opsconsole.clients.alertmanager.ALERTS_DEADLINE", 0.1)
    async with Backends() as both:
        yield both


@pytest.fixture
async def engine(backends: Backends) -> AsyncIterator[Engine]:
    made = backends.engine()
    yield made
    await made.aclose()


async def asked(engine: Engine, backends: Backends) -> Snapshot:
    """One round of every poller that `opsconsole check` runs."""
    names = frozenset[str]().union(*(check.needs for check in CATALOG))
    return await engine.collect(names, panels=backends.panels)


def levels(snapshot: Snapshot) -> dict[str, Level]:
    return {verdict.id: verdict.level for verdict in run_checks(snapshot)}


def answering(fault: str) -> set[str]:
    """Why nothing is known of a Prometheus that is ill in this way: one that replays its log does answer."""
    return {READY if fault == "503 while replaying" else REACHABLE}


def unknown(snapshot: Snapshot) -> set[str]:
    """What is not known, without what merely follows from it."""
    return {v.id for v in run_checks(snapshot) if v.level is Level.UNKNOWN and not v.because}


def assert_well(snapshot: Snapshot) -> None:
    found = levels(snapshot)
    assert found.keys() >= WELL
    assert set(found.values()) == {Level.OK}, found


def prometheus_readings(snapshot: Snapshot) -> list[Reading[Any]]:
    found = [snapshot.prometheus, snapshot.rules, snapshot.targets, *snapshot.panels.values()]
    return [reading for reading in found if reading is not None]


def alertmanager_readings(snapshot: Snapshot) -> list[Reading[Any]]:
    found: list[Reading[Any]] = [reading for c in snapshot.clusters for reading in (c.alerts, c.silences)]
    return [*found, *(m.status for c in snapshot.clusters for m in c.members)]


async def test_all_is_known_of_healthy_sources(engine: Engine, backends: Backends) -> None:
    snapshot = await asked(engine, backends)
    assert_well(snapshot)
    assert snapshot.panels.keys() == set(backends.panels)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("ill", ["prometheus", "alertmanager", "both"])
async def test_a_source_that_fails_is_unknown_until_it_is_back(
    engine: Engine, backends: Backends, ill: str, fault: str
) -> None:
    backends.alerts = [api_alert(at=backends.clock.now() - 60)]
    before = await asked(engine, backends)
    assert levels(before)["alerts.active"] is Level.CRITICAL
    sick = struck(backends, ill)
    for server in sick:
        await FAULTS[fault].strike(server)

    backends.clock.advance(5)
    began = backends.clock.now()
    await asked(engine, backends)
    backends.clock.advance(5)
    snapshot = await asked(engine, backends)

    broken = prometheus_readings(snapshot) if backends.prometheus in sick else []
    broken += alertmanager_readings(snapshot) if backends.alertmanager in sick else []
    for reading in broken:
        assert reading.freshness(snapshot.now) is Freshness.FAILED
        assert reading.failure is not None
        assert reading.failure.kind == FAULTS[fault].kind
        assert reading.failure.hint
        assert reading.failure.where.startswith("http://127.0.0.1:")
        assert began <= reading.failing_since < began + 1, "the first failure in the row counts"
        assert reading.data is not None, "what was known stays, marked"
    depends = (answering(fault) if backends.prometheus in sick else set()) | (
        ON_ALERTMANAGER if backends.alertmanager in sick else set()
    )
    assert unknown(snapshot) == depends
    assert [row.alert.name for row in snapshot.rows] == ["HighErrorRate"]

    backends.alerts = []
    for server in sick:
        await back(backends, server)
    assert_well(await asked(engine, backends))


@pytest.mark.parametrize("fault", ["down", "401", "503 while replaying", "a reply that drips for ever"])
async def test_sources_that_never_answered_are_unknown(engine: Engine, backends: Backends, fault: str) -> None:
    for server in struck(backends, "both"):
        await FAULTS[fault].strike(server)
    snapshot = await asked(engine, backends)
    assert unknown(snapshot) == answering(fault) | ON_ALERTMANAGER
    assert all(level is Level.UNKNOWN for id, level in levels(snapshot).items() if id != REACHABLE)
    assert all(reading.data is None for reading in prometheus_readings(snapshot))


@pytest.mark.parametrize(
    ("server", "path", "depends"),
    [
        ("prometheus", "/-/ready", {REACHABLE}),
        ("prometheus", "/api/v1/rules", {"rules.read"}),
        ("prometheus", "/api/v1/targets", {"targets.read"}),
        ("prometheus", "/api/v1/query", ON_QUERIES),
        ("prometheus", "/api/v1/query_range", {"thresholds.books.latency"}),
        ("prometheus", "/api/v1/alertmanagers", {"sources.prometheus.alertmanagers"}),
        ("alertmanager", "/api/v2/alerts", ON_ALERTMANAGER),
        ("alertmanager", "/api/v2/silences", ON_ALERTMANAGER),
    ],
)
async def test_only_what_rests_on_the_failing_part_is_unknown(
    engine: Engine, backends: Backends, server: str, path: str, depends: set[str]
) -> None:
    which: Backend = getattr(backends, server)
    which.on(path, cut_short({"status": "success", "data": {}}))
    snapshot = await asked(engine, backends)
    assert unknown(snapshot) == depends
    assert Level.OK in levels(snapshot).values()


async def test_time_alone_makes_everything_unknown(engine: Engine, backends: Backends) -> None:
    assert set(levels(await asked(engine, backends)).values()) == {Level.OK}
    backends.clock.advance(181)  # what is asked every minute may be three old, the rest less
    snapshot = engine.polls.tick()
    assert set(levels(snapshot).values()) == {Level.UNKNOWN}
    assert all(
        reading.freshness(snapshot.now) is Freshness.STALE
        for reading in prometheus_readings(snapshot) + alertmanager_readings(snapshot)
    )


async def test_nothing_is_ok_beyond_its_own_limit(engine: Engine, backends: Backends) -> None:
    await asked(engine, backends)
    for _ in range(181):
        backends.clock.advance(1)
        snapshot = engine.polls.tick()
        for reading in prometheus_readings(snapshot) + alertmanager_readings(snapshot):
            age = reading.age(snapshot.now)
            assert age is not None
            assert reading.known(snapshot.now) is (age <= reading.limit)
    assert Level.OK not in levels(snapshot).values()


async def test_the_age_counts_from_the_question(engine: Engine, backends: Backends) -> None:
    """An answer that took ten seconds describes the world of ten seconds ago."""

    def late(received: object) -> Say:
        backends.clock.advance(10)
        return json_reply([])

    backends.alertmanager.on("/api/v2/alerts", late)
    start = backends.clock.now()
    snapshot = await engine.collect({"alerts"})
    assert snapshot.clusters[0].alerts.at == start
    assert snapshot.clusters[0].alerts.age(snapshot.now) == 10


@pytest.mark.parametrize("expr", [ERRORS, LATENCY])
async def test_a_partial_answer_is_never_ok(engine: Engine, backends: Backends, expr: str) -> None:
    backends.warnings = {expr: ["not every store answered"]}
    snapshot = await asked(engine, backends)
    id = "thresholds.books.errors" if expr == ERRORS else "thresholds.books.latency"
    assert unknown(snapshot) == {id}
    verdict = next(v for v in run_checks(snapshot) if v.id == id)
    assert "partial: not every store answered" in verdict.reason


@pytest.mark.parametrize("expr", [ERRORS, LATENCY])
@pytest.mark.parametrize("value", ["NaN", None])
async def test_not_a_number_and_no_series_are_unknown(
    engine: Engine, backends: Backends, expr: str, value: str | None
) -> None:
    if value is None:
        del backends.values[expr]
    else:
        backends.values[expr] = value
    snapshot = await asked(engine, backends)
    panel = "books.errors" if expr == ERRORS else "books.latency"
    both = {f"thresholds.{panel}", f"metrics.panel.{panel}"}
    assert unknown(snapshot) == {f"thresholds.{panel}" if value else f"metrics.panel.{panel}"}
    assert {id for id, level in levels(snapshot).items() if level is Level.UNKNOWN} <= both


@pytest.mark.parametrize(
    ("value", "level"), [("+Inf", Level.CRITICAL), ("-Inf", Level.OK), ("5.01", Level.CRITICAL)]
)
async def test_infinity_is_a_value(engine: Engine, backends: Backends, value: str, level: Level) -> None:
    backends.values[ERRORS] = value
    assert levels(await asked(engine, backends))["thresholds.books.errors"] is level


async def test_a_server_that_is_not_the_right_one_is_no_good_news(engine: Engine, backends: Backends) -> None:
    backends.alertmanager.on("/api/v2/alerts", json_reply({"alerts": []}))
    backends.prometheus.on("/api/v1/rules", json_reply({"status": "error", "error": "no"}))
    snapshot = await asked(engine, backends)
    assert unknown(snapshot) == ON_ALERTMANAGER | {"rules.read"}


async def test_a_wait_that_the_server_asks_for_is_kept(engine: Engine, backends: Backends) -> None:
    busy = text_reply("rate limited", status=429)
    backends.alertmanager.on("/api/v2/alerts", Say(429, b"Slow", (("Retry-After", "7"),), busy.body))
    snapshot = await engine.collect({"alerts"})
    failure = snapshot.clusters[0].alerts.failure
    assert failure is not None
    assert failure.kind == "overloaded"
    assert "7 s" in failure.hint


async def test_the_running_engine_recovers_by_itself(backends: Backends) -> None:
    """The pollers themselves: Alertmanager goes away and comes back while they run."""
    engine = backends.engine()
    for poller in engine._pollers.values():
        poller.interval, poller._rng = 0.02, random.Random(1)
    running = asyncio.create_task(engine.run())
    try:

        def reading() -> Reading[Any]:
            return engine.snapshot.clusters[0].alerts

        await until(lambda: reading().known(engine.snapshot.now), what="first answer")
        await backends.alertmanager.stop()
        await until(lambda: reading().failure is not None)
        assert engine.snapshot.rules is not None
        assert engine.snapshot.rules.known(engine.snapshot.now)
        await back(backends, backends.alertmanager)
        backends.alerts = [api_alert(at=backends.clock.now())]
        await until(lambda: len(engine.snapshot.rows) == 1)
        assert reading().failure is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await engine.aclose()


class TestClusterOfTwo:
    """One gossip cluster of two members."""

    @pytest.fixture
    async def backends(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backends]:
        monkeypatch.setattr("opsconsole.clients.alertmanager.ALERTS_DEADLINE", 0.1)
        async with Backends(members=2) as both:
            yield both

    @pytest.mark.parametrize("fault", ["down", "401", "503 while replaying", "a reply that drips for ever"])
    async def test_one_member_that_fails_is_a_warning_not_an_unknown(
        self, engine: Engine, backends: Backends, fault: str
    ) -> None:
        backends.alerts = [api_alert(at=backends.clock.now() - 60)]
        await asked(engine, backends)
        await FAULTS[fault].strike(backends.members[1])
        snapshot = await asked(engine, backends)
        verdicts = {v.id: v for v in run_checks(snapshot)}
        assert verdicts["alerts.active"].level is Level.CRITICAL
        badge = verdicts["sources.alertmanager.ready.main"]
        assert badge.level is Level.WARNING
        assert badge.reason == f"1 of 2 members unknown: {backends.members[1].url}"
        assert backends.members[1].url in badge.evidence[0]
        assert FAULTS[fault].kind in badge.evidence[0]
        assert not unknown(snapshot)

    async def test_both_members_down_is_unknown(self, engine: Engine, backends: Backends) -> None:
        await asked(engine, backends)
        for member in backends.members:
            await member.stop()
        assert unknown(await asked(engine, backends)) == ON_ALERTMANAGER


async def test_of_two_clusters_the_one_that_answers_is_used(backends: Backends) -> None:
    """One cluster is down from the start; what the other says is shown and judged."""
    good = backends.context()
    down = ClusterConfig(name="far", members=(Endpoint(url="http://127.0.0.1:9"),))
    context = msgspec.structs.replace(good, alertmanager=(down, *good.alertmanager))
    info = ContextInfo(name=trusted("test"))
    engine = Engine(info, Sources(context, backends.clock), (), backends.clock)
    backends.alerts = [api_alert(at=backends.clock.now())]
    try:
        snapshot = await engine.collect({"alerts", "silences", "members"})
        found = {v.id: v.level for v in run_checks(snapshot)}
        assert [row.alert.name for row in snapshot.rows] == ["HighErrorRate"]
        assert found["alerts.active.far"] is Level.UNKNOWN
        assert found["alerts.active"] is Level.CRITICAL
        backends.alerts = []
        assert overall(run_checks(await engine.collect({"alerts", "silences", "members"}))) is Level.UNKNOWN
    finally:
        await engine.aclose()


def struck(backends: Backends, ill: str) -> list[Backend]:
    both = [backends.prometheus, backends.alertmanager]
    return both if ill == "both" else [getattr(backends, ill)]


def test_no_source_at_all_is_unknown() -> None:
    nothing = Snapshot(context=ContextInfo(name=trusted("test")), now=1.0)
    assert overall(run_checks(nothing)) is Level.UNKNOWN
