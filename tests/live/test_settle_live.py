"""A command is killed with -9 between its intent and its outcome; the next one finds out what became of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_process import Cli
from tests.support.fault_proxy import Fault, FaultProxy, How, Point
from tests.support.servers import Alertmanager, http

pytestmark = pytest.mark.live


@pytest.fixture
async def proxy(alertmanager: Alertmanager) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(alertmanager.port) as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path, proxy: FaultProxy) -> Cli:
    return Cli(tmp_path, proxy)


async def standing(server: Alertmanager, name: str) -> list[dict[str, Any]]:
    url = f"{server.url}/api/v2/silences?filter=alertname%3D{name}"
    found: list[dict[str, Any]] = json.loads(await asyncio.to_thread(http, "GET", url))
    return [silence for silence in found if silence["status"]["state"] == "active"]


async def test_an_ack_that_reached_the_server_is_adopted(
    alertmanager: Alertmanager, proxy: FaultProxy, cli: Cli
) -> None:
    alertmanager.post_alerts([{"labels": {"alertname": "SettleKilled"}}])
    await cli.killed(Fault(Point.ANSWER, How.HOLD), "ack", "alertname=SettleKilled", "--reason=looking")
    assert await cli.states() == [("ack", "open")]
    (made,) = await standing(alertmanager, "SettleKilled")
    code, out, err = await cli.ack("SettleKilled")
    assert "ack SettleKilled, cut off at" in err
    assert "it is on the server" in err
    assert "adopted" in err
    assert (code, out) == (1, ""), "it is silenced: nothing matches that nobody has"
    assert await cli.states() == [("ack", "done")]
    assert [silence["id"] for silence in await standing(alertmanager, "SettleKilled")] == [made["id"]]
    alertmanager.post_alerts([{"labels": {"alertname": "SettleAfter"}}])
    code, out, err = await cli.ack("SettleAfter")
    assert (code, "cut off" in err) == (0, False), "it is told once"
    (after,) = await standing(alertmanager, "SettleAfter")
    assert out.split() == [after["id"]]


async def test_an_ack_that_never_reached_it_is_reported_and_not_repeated(
    alertmanager: Alertmanager, proxy: FaultProxy, cli: Cli
) -> None:
    alertmanager.post_alerts([{"labels": {"alertname": "SettleLost"}}, {"labels": {"alertname": "SettleNext"}}])
    await cli.killed(Fault(Point.CONNECT, How.DROP), "ack", "alertname=SettleLost", "--reason=looking")
    code, _, err = await cli.ack("SettleNext")
    assert code == 0, err
    assert "ack SettleLost, cut off at" in err
    assert "may still arrive" in err
    assert await cli.states() == [("ack", "done"), ("ack", "open")]
    assert await standing(alertmanager, "SettleLost") == []
