"""Edit, extend, bulk expire and their undo on a real cluster of two Alertmanagers, held against amtool."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.support.servers import Alertmanager, AlertmanagerClusterOf, require

pytestmark = pytest.mark.live


@pytest.fixture
async def both(alertmanager_cluster: AlertmanagerClusterOf) -> AsyncIterator[AlertmanagerCluster]:
    transports = [Transport(Endpoint(url=m.url), clock=SystemClock()) for m in alertmanager_cluster.members]
    made = AlertmanagerCluster("main", transports)
    yield made
    await made.aclose()


@pytest.fixture
async def runner(both: AlertmanagerCluster, tmp_path: Path) -> AsyncIterator[Runner]:
    journal = Journal(tmp_path / "journal.db", SystemClock())
    yield Runner(
        clusters={"main": both},
        flags=None,
        journal=journal,
        clock=SystemClock(),
        user="me",
        host="bastion",
        context="live",
        read_only=False,
        refresh=lambda: None,
    )
    assert journal.open_intents() == ()
    assert journal.verify() == []
    journal.close()


async def made(runner: Runner, both: AlertmanagerCluster, name: str, *, starts: float = 0.0) -> Silence:
    now = SystemClock().now()
    draft = Silence(
        matchers=(Matcher("alertname", name), Matcher("env", "dev|qa", is_regex=True)),
        starts_at=moment(now + starts),
        ends_at=moment(now + starts + 3600),
        created_by=safe(""),
        comment=safe("first\nsecond"),
        cluster="main",
    )
    outcome = await runner.silence(draft)
    assert outcome.result is Result.DONE, outcome
    found = await both.silence(outcome.silence_id)
    assert found is not None
    return found


async def on_every(cluster: AlertmanagerClusterOf, id: str, state: str) -> None:
    """Wait until gossip has brought a silence in a state to every member."""
    for member in cluster.members:
        for _ in range(300):
            found = [s for s in silences(member) if s["id"] == id]
            if found and found[0]["status"]["state"] == state:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"{member.url} does not have {id} as {state}: {found}")


def silences(member: Alertmanager, *args: str) -> list[dict[str, Any]]:
    amtool = [require("amtool"), f"--alertmanager.url={member.url}", "-o", "json", "silence", "query"]
    found: list[dict[str, Any]] = []
    for state in ((), ("--expired",)):
        found += json.loads(subprocess.check_output([*amtool, *state, *args]))
    return found


async def test_edited_matchers_are_adopted_on_every_member_and_undone(
    runner: Runner, both: AlertmanagerCluster, alertmanager_cluster: AlertmanagerClusterOf
) -> None:
    before = await made(runner, both, "EditAdopt")
    wanted = msgspec.structs.replace(before, matchers=(Matcher("alertname", "EditAdopt"), Matcher("env", "dev")))
    outcome = await runner.edit(before, wanted)
    assert outcome.result is Result.DONE, outcome
    assert outcome.silence_id != before.id
    assert f"the old one, {before.id}, is expired" in outcome.message
    await on_every(alertmanager_cluster, before.id, "expired")
    await on_every(alertmanager_cluster, outcome.silence_id, "active")
    undone = await runner.undo()
    assert undone.result is Result.DONE, undone
    back = await both.silence(undone.silence_id)
    assert back is not None
    assert (frozenset(back.matchers), back.ends_at, back.comment) == (
        frozenset(before.matchers),
        before.ends_at,
        before.comment,
    )
    await on_every(alertmanager_cluster, outcome.silence_id, "expired")
    assert (await runner.undo()).result is Result.DONE
    await on_every(alertmanager_cluster, undone.silence_id, "expired")


async def test_an_edit_of_the_end_and_comment_keeps_the_id(runner: Runner, both: AlertmanagerCluster) -> None:
    before = await made(runner, both, "EditKeeps")
    wanted = msgspec.structs.replace(before, comment=safe("third"), ends_at=moment(before.ends + 60.5))
    outcome = await runner.edit(before, wanted)
    assert (outcome.result, outcome.silence_id) == (Result.DONE, before.id), outcome
    now = await both.silence(before.id)
    assert now is not None
    assert (now.comment, now.ends) == (f"third [op={before.op}]", before.ends + 60.5)


async def test_a_pending_silence_is_edited_and_its_start_kept(runner: Runner, both: AlertmanagerCluster) -> None:
    before = await made(runner, both, "EditPending", starts=3600)
    assert before.status.state == "pending"
    outcome = await runner.edit(before, msgspec.structs.replace(before, comment=safe("x")))
    assert outcome.result is Result.DONE, outcome
    now = await both.silence(outcome.silence_id)
    assert now is not None
    assert (now.status.state, now.starts_at) == ("pending", before.starts_at)


async def test_what_amtool_changed_meanwhile_stays_and_is_told(
    runner: Runner, both: AlertmanagerCluster, alertmanager_cluster: AlertmanagerClusterOf
) -> None:
    before = await made(runner, both, "EditConflict")
    member = alertmanager_cluster.members[1]
    update = [require("amtool"), f"--alertmanager.url={member.url}", "silence", "update", "-q"]
    await on_every(alertmanager_cluster, before.id, "active")
    subprocess.run([*update, "-c", "by amtool", "-d", "2h", before.id], check=True, capture_output=True)
    for outcome in (
        await runner.edit(before, msgspec.structs.replace(before, comment=safe("mine"))),
        await runner.extend(before, before.ends + 60),
    ):
        assert outcome.result is Result.REFUSED, outcome
        assert "comment: first" in outcome.message
        assert "-> by amtool" in outcome.message
        assert "end: " in outcome.message
    now = await both.silence(before.id)
    assert now is not None
    assert now.comment == "by amtool"


async def test_what_took_its_place_is_found_when_someone_changed_the_matchers(
    runner: Runner, both: AlertmanagerCluster
) -> None:
    before = await made(runner, both, "EditSuccessor")
    other = msgspec.structs.replace(
        before, matchers=(Matcher("alertname", "EditSuccessor2"),), created_by=safe("carol")
    )
    new_id = await both.post_silence(other)
    assert new_id != before.id
    outcome = await runner.edit(before, msgspec.structs.replace(before, comment=safe("mine")))
    assert outcome.result is Result.REFUSED, outcome
    assert f"{new_id} took its place" in outcome.message
    assert "by carol" in outcome.message
    ended = await both.silence(before.id)
    assert ended is not None
    found = await runner.successor(ended)
    assert found is not None
    assert found.id == new_id


async def test_extend_and_a_bulk_expiry_are_undone(runner: Runner, both: AlertmanagerCluster) -> None:
    one, two = await made(runner, both, "EditBulk1"), await made(runner, both, "EditBulk2")
    extended = await runner.extend(one, one.ends + 600)
    assert (extended.result, extended.silence_id) == (Result.DONE, one.id), extended
    assert (await runner.undo()).result is Result.DONE
    now = await both.silence(one.id)
    assert now is not None
    assert now.ends_at == one.ends_at
    outcomes = await runner.expire_all([now, two])
    assert [o.result for o in outcomes] == [Result.DONE] * 2, outcomes
    undone = await runner.undo()
    assert (undone.result, undone.message) == (Result.DONE, "undid 2 of 2 expiries; visible on 2 of 2 members")
    every = [s for s in (await both.silences()).data if s.status.state == "active"]
    back = {m.value for s in every for m in s.matchers}
    assert {"EditBulk1", "EditBulk2"} <= back
