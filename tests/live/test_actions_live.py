"""The actions on a real Alertmanager, read by amtool."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsconsole.actions.base import Sleep
from opsconsole.actions.runner import Runner
from opsconsole.actions.silence import draft_of
from opsconsole.actions.writing import moment
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.support.servers import Alertmanager, AlertmanagerClusterOf, require

pytestmark = pytest.mark.live

HOSTILE = 'a "b" \\ $(x) {}=~,\n\u202e é'


def cluster_of(*servers: Alertmanager) -> AlertmanagerCluster:
    transports = [Transport(Endpoint(url=server.url), clock=SystemClock()) for server in servers]
    return AlertmanagerCluster("main", transports)


def runner_of(cluster: AlertmanagerCluster, journal: Journal, sleep: Sleep = asyncio.sleep) -> Runner:
    return Runner(
        clusters={"main": cluster},
        flags=None,
        journal=journal,
        clock=SystemClock(),
        user="me",
        host="bastion",
        context="live",
        read_only=False,
        refresh=lambda: None,
        sleep=sleep,
    )


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(tmp_path / "journal.db", SystemClock())
    yield made
    assert made.open_intents() == ()
    assert made.verify() == []
    made.close()


@pytest.fixture
async def cluster(alertmanager: Alertmanager) -> AsyncIterator[AlertmanagerCluster]:
    made = cluster_of(alertmanager)
    yield made
    await made.aclose()


def amtool(server: Alertmanager, *args: str) -> list[dict[str, object]]:
    command = [require("amtool"), f"--alertmanager.url={server.url}", "-o", "json", "silence", "query", *args]
    found: list[dict[str, object]] = json.loads(subprocess.check_output(command))
    return found


async def fire(server: Alertmanager, cluster: AlertmanagerCluster, **labels: str) -> Alert:
    server.post_alerts([{"labels": labels}])
    wanted = Matcher("alertname", labels["alertname"])
    return next(a for a in (await cluster.alerts((wanted,))).data if a.labels == labels)


async def test_ack_is_seen_by_amtool_and_undo_expires_it(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    runner = runner_of(cluster, journal)
    alert = await fire(alertmanager, cluster, alertname="ActionsAck", route="/api", note=HOSTILE)
    outcome = await runner.ack(alert, "looking into it")
    assert outcome.result is Result.DONE, outcome
    (seen,) = amtool(alertmanager, "alertname=ActionsAck")
    assert (seen["id"], seen["createdBy"]) == (outcome.silence_id, "me")
    assert seen["comment"] == f"ACK! me: looking into it [op={outcome.op}]"
    (now,) = (await cluster.alerts((Matcher("alertname", "ActionsAck"),))).data
    assert now.status.silenced_by == (outcome.silence_id,)
    again = await runner.ack(alert, "me too")
    assert (again.result, "first by you" in again.message) == (Result.REFUSED, True)
    undone = await runner.undo()
    assert undone.result is Result.DONE, undone
    assert amtool(alertmanager, "alertname=ActionsAck") == []
    assert len(amtool(alertmanager, "--expired", "alertname=ActionsAck")) == 1


async def test_silence_extend_expire_and_recreate(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    runner = runner_of(cluster, journal)
    now = SystemClock().now()
    draft = Silence(
        matchers=(Matcher("alertname", "Actions(Sil|x).*", is_regex=True), Matcher("env", "dev", is_equal=False)),
        starts_at=moment(now),
        ends_at=moment(now + 600),
        created_by=safe(""),
        comment=safe("deploy\n1.4"),
        cluster="main",
    )
    made = await runner.silence(draft)
    assert made.result is Result.DONE, made
    silence = await cluster.silence(made.silence_id)
    assert silence is not None
    extended = await runner.extend(silence, now + 3600)
    assert (extended.result, extended.silence_id) == (Result.DONE, made.silence_id)
    current = await cluster.silence(made.silence_id)
    assert current is not None
    assert current.ends_at == datetime.fromtimestamp(round(now + 3600, 3), UTC)
    assert (await runner.expire(current)).result is Result.DONE
    back = await runner.undo()
    assert back.result is Result.DONE, back
    restored = await cluster.silence(back.silence_id)
    assert restored is not None
    assert (restored.matchers, restored.ends_at) == (current.matchers, current.ends_at)
    assert draft_of(restored).id == ""
    await runner.expire(restored)


async def test_a_resolved_alert_cannot_be_acknowledged_and_its_ack_ends(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    runner = runner_of(cluster, journal)
    alert = await fire(alertmanager, cluster, alertname="ActionsResolved")
    made = await runner.ack(alert, "x")
    ended = datetime.fromtimestamp(SystemClock().now() - 1, UTC).isoformat()
    started = datetime.fromtimestamp(SystemClock().now() - 60, UTC).isoformat()
    alertmanager.post_alerts([{"labels": alert.labels, "startsAt": started, "endsAt": ended}])
    assert (await cluster.alerts((Matcher("alertname", "ActionsResolved"),))).data == ()
    silences = (await cluster.silences()).data
    mine = [s for s in silences if s.id == made.silence_id]
    (kept,) = await runner.keep_acks((), mine)
    assert (kept.action, kept.result) == ("expire", Result.DONE)
    refused = await runner.ack(alert, "x")
    assert (refused.result, "gone" in refused.message) == (Result.REFUSED, True)


async def test_what_a_cluster_of_two_was_told_is_read_back(
    alertmanager_cluster: AlertmanagerClusterOf, journal: Journal
) -> None:
    cluster = cluster_of(*alertmanager_cluster.members)
    runner = runner_of(cluster, journal)
    for member in alertmanager_cluster.members:
        member.post_alerts([{"labels": {"alertname": "ActionsTwo"}}])
    (alert,) = (await cluster.alerts((Matcher("alertname", "ActionsTwo"),))).data
    assert (await runner.ack(alert, "x")).result is Result.DONE
    assert (await runner.undo()).result is Result.DONE
    await cluster.aclose()


async def test_a_server_that_is_down_means_failed_and_not_unknown(tmp_path: Path, journal: Journal) -> None:
    with Alertmanager(tmp_path / "am") as server:
        cluster = cluster_of(server)
        alert = await fire(server, cluster, alertname="ActionsDown")
        server.stop()
        down = await runner_of(cluster, journal).ack(alert, "x")
        assert (down.result, "refused" in down.message) == (Result.FAILED, True)
        await cluster.aclose()


async def test_a_write_without_an_answer_is_found_by_its_nonce_and_not_repeated(
    tmp_path: Path, journal: Journal
) -> None:
    with Alertmanager(tmp_path / "am") as server:
        endpoint = Endpoint(url=server.url, http=HttpConfig(timeout=0.5))
        cluster = AlertmanagerCluster("main", [Transport(endpoint, clock=SystemClock())])

        async def wake(seconds: float) -> None:
            server.resume()
            await asyncio.sleep(seconds)

        runner = runner_of(cluster, journal, wake)
        now = SystemClock().now()
        draft = Silence(
            matchers=(Matcher("alertname", "ActionsPaused"),),
            starts_at=moment(now),
            ends_at=moment(now + 600),
            created_by=safe(""),
            comment=safe("x"),
            cluster="main",
        )
        server.pause()
        outcome = await runner.silence(draft)
        server.resume()
        assert outcome.result is Result.DONE, outcome
        (seen,) = amtool(server, "alertname=ActionsPaused")
        assert seen["id"] == outcome.silence_id
        await cluster.aclose()
