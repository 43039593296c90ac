"""Several members: where a write shows, which member differs and how, whose clock counts, who was first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.checks.run import run_checks
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.sources import Sources
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, HttpConfig
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.model.verdicts import Level
from opsconsole.state.engine import Engine
from opsconsole.state.members import badge, troubles
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import safe, trusted
from tests.support.servers import Alertmanager, AlertmanagerClusterOf

pytestmark = pytest.mark.live


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db", SystemClock())
    yield made
    made.close()


def cluster_of(*servers: Alertmanager, timeout: float = 10.0) -> AlertmanagerCluster:
    http = HttpConfig(timeout=timeout)
    endpoints = [Endpoint(url=server.url, http=http) for server in servers]
    return AlertmanagerCluster("main", [Transport(endpoint, clock=SystemClock()) for endpoint in endpoints])


def runner_of(cluster: AlertmanagerCluster, journal: Journal, user: str = "me") -> Runner:
    return Runner(
        clusters={"main": cluster},
        flags=None,
        journal=journal,
        clock=SystemClock(),
        user=user,
        host="bastion",
        context="live",
        read_only=False,
        refresh=lambda: None,
    )


async def silenced(runner: Runner, name: str) -> Outcome:
    now = SystemClock().now()
    draft = Silence(
        matchers=(Matcher("alertname", name),),
        starts_at=moment(now),
        ends_at=moment(now + 600),
        created_by=safe(""),
        comment=safe("x"),
        cluster="main",
    )
    outcome = await runner.silence(draft)
    assert outcome.result is Result.DONE, outcome
    return outcome


async def looked_at(*servers: Alertmanager) -> Snapshot:
    """What a console sees of these members."""
    members = tuple(Endpoint(url=server.url, http=HttpConfig(timeout=2.0)) for server in servers)
    context = Context(name="live", alertmanager=(ClusterConfig(name="main", members=members),))
    clock = SystemClock()
    engine = Engine(ContextInfo(name=trusted("live")), Sources(context, clock), (), clock)
    try:
        return await engine.collect({"alerts", "silences", "members"})
    finally:
        await engine.aclose()


def said(snapshot: Snapshot) -> tuple[str, tuple[str, ...]]:
    """The badge, and the evidence of the checks that warn of what it stands for."""
    wrong = badge(troubles(snapshot.clusters[0], snapshot.now))
    warns = [v for v in run_checks(snapshot) if v.level is Level.WARNING and "main" in v.id]
    # That those without gossip have no peers is another check's word, and true all the time.
    warns = [v for v in warns if not v.id.startswith("alertmanager.settled")]
    assert bool(warns) is bool(wrong), warns
    return wrong, tuple(line for verdict in warns for line in verdict.evidence)


async def test_where_a_write_shows_and_a_member_that_hangs_is_named(
    alertmanager_cluster: AlertmanagerClusterOf, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsconsole.clients.together.STRAGGLE", 1.0)
    first, second = alertmanager_cluster.members
    cluster = cluster_of(first, second, timeout=1.0)
    runner = runner_of(cluster, journal)
    both = await silenced(runner, "MembersBoth")
    assert both.message.endswith("; visible on 2 of 2 members")
    assert said(await looked_at(first, second)) == ("", ())
    second.pause()
    try:
        one = await silenced(runner, "MembersOne")
        assert one.message.endswith(f"; visible on 1 of 2 members: {second.url} does not answer")
        wrong, evidence = said(await looked_at(first, second))
        assert wrong == "1 down"
        assert f"{second.url}: timed out" in evidence[0]
    finally:
        second.resume()
    await cluster.aclose()


@pytest.fixture
async def strangers(tmp_path: Path) -> AsyncIterator[tuple[Alertmanager, Alertmanager]]:
    """Two that do not gossip: as a cluster that is parted."""
    with Alertmanager(tmp_path / "a") as first, Alertmanager(tmp_path / "b") as second:
        yield first, second


async def test_members_with_different_silences_are_named_with_the_silence(
    strangers: tuple[Alertmanager, Alertmanager], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = strangers
    both, alone = cluster_of(first, second), cluster_of(second)
    monkeypatch.setattr("opsconsole.actions.writing.PAUSES", (0.01,))
    made = await silenced(runner_of(both, journal), "MembersParted")
    assert made.message.endswith(f"; visible on 1 of 2 members: {second.url} does not have it yet")
    assert said(await looked_at(first, second)) == ("", ()), "gossip has its time"
    monkeypatch.setattr("opsconsole.model.members.GOSSIP_SECONDS", 0.0)
    wrong, evidence = said(await looked_at(first, second))
    assert wrong == "lists differ"
    assert evidence == (f'silence {made.silence_id} {{alertname="MembersParted"}} is missing on {second.url}',)
    silence = await both.silence(made.silence_id)
    assert silence is not None
    assert (await runner_of(both, journal).expire(silence)).result is Result.DONE
    assert said(await looked_at(first, second)) == ("", ()), "what is over everywhere does not differ"
    for one in (both, alone):
        await one.aclose()


class OtherClock(httpx.AsyncHTTPTransport):
    """A network whose servers' clocks are `ahead` seconds ahead, as far as their replies tell."""

    ahead = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        told = parsedate_to_datetime(response.headers["date"]).timestamp()
        response.headers["date"] = formatdate(told + self.ahead, usegmt=True)
        return response


@pytest.mark.parametrize("ahead", [40.0, -40.0])
async def test_ends_are_counted_by_the_servers_clock(
    alertmanager: Alertmanager, journal: Journal, ahead: float
) -> None:
    name = f"MembersClock{'Ahead' if ahead > 0 else 'Behind'}"
    network = OtherClock()
    network.ahead = ahead
    endpoint = Endpoint(url=alertmanager.url)
    cluster = AlertmanagerCluster("main", [Transport(endpoint, clock=SystemClock(), inner=network)])
    alertmanager.post_alerts([{"labels": {"alertname": name}}])
    (alert,) = (await cluster.alerts((Matcher("alertname", name),))).data
    assert cluster.skew == pytest.approx(ahead, abs=3)
    before = SystemClock().now()
    made = await runner_of(cluster, journal).ack(alert, "x")
    assert made.result is Result.DONE, made
    silence = await cluster.silence(made.silence_id)
    assert silence is not None
    assert silence.status.state == "active"
    elapsed = SystemClock().now() - before
    assert before + ahead + 900 - 3 <= silence.ends <= before + ahead + 900 + elapsed + 3
    await cluster.aclose()


async def test_of_two_consoles_on_two_members_one_has_the_alert(
    alertmanager_cluster: AlertmanagerClusterOf, tmp_path: Path
) -> None:
    members = alertmanager_cluster.members
    for number in range(5):
        name = f"MembersRace{number}"
        for member in members:
            member.post_alerts([{"labels": {"alertname": name}}])
        clusters = [cluster_of(*members), cluster_of(*members[::-1])]
        journals = [Journal(tmp_path / f"{user}{number}.db", SystemClock()) for user in ("ana", "bob")]
        runners = [runner_of(c, j, u) for c, j, u in zip(clusters, journals, ("ana", "bob"), strict=True)]
        (alert,) = (await clusters[0].alerts((Matcher("alertname", name),))).data
        ends = await asyncio.gather(*(runner.ack(alert, "mine") for runner in runners))
        standing = [
            silence
            for silence in (await clusters[0].silences()).data
            if silence.status.state == "active" and silence.matchers[0].value == name
        ]
        assert sorted(o.result.value for o in ends) == ["done", "refused"], ends
        assert len(standing) == 1, standing
        (told,) = [o.message for o in ends if o.result is Result.REFUSED]
        assert f"{name} was acknowledged first by {standing[0].owner}" in told
        for cluster, opened in zip(clusters, journals, strict=True):
            await cluster.aclose()
            opened.close()
