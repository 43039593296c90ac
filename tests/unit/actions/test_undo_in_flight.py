"""`u` pressed while something is still being written takes that back, not what was done before it."""

from __future__ import annotations

import asyncio

import pytest

from opsconsole.actions.writing import moment
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.unit.actions.conftest import Console

LIMIT = 30.0


def draft(console: Console, name: str) -> Silence:
    now = console.clock.now()
    return Silence(
        matchers=(Matcher("alertname", name),),
        starts_at=moment(now),
        ends_at=moment(now + 7200),
        created_by=safe(""),
        comment=safe("deploying"),
        cluster="main",
    )


class Held:
    """Holds the calls of one method of the cluster until `let` is set; `reached` when the first has come."""

    def __init__(self, console: Console, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let, self.reached = asyncio.Event(), asyncio.Event()
        passed = getattr(console.cluster, method)

        async def held(*arguments: object) -> object:
            self.reached.set()
            await self.let.wait()
            return await passed(*arguments)

        monkeypatch.setattr(console.cluster, method, held)


async def undone_meanwhile(console: Console, held: Held, doing: asyncio.Task[object]) -> Outcome:
    async with asyncio.timeout(LIMIT):
        await held.reached.wait()
        assert console.runner.writing
        undoing = asyncio.create_task(console.runner.undo())
        done, _ = await asyncio.wait([undoing], timeout=0.05)
        assert not done, "it did not wait for what was being written"
        held.let.set()
        await doing
        outcome = await undoing
    assert not console.runner.writing
    return outcome


async def test_what_is_being_written_is_undone(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    await console.runner.silence(draft(console, "Before"))
    held = Held(console, "post_silence", monkeypatch)
    doing: asyncio.Task[object] = asyncio.create_task(console.runner.silence(draft(console, "Now")))
    outcome = await undone_meanwhile(console, held, doing)
    assert outcome.result is Result.DONE, outcome
    assert [str(s.matchers[0]) for s in console.cluster.standing()] == ['alertname="Before"']


async def test_several_at_once_are_undone_as_a_whole(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("One", "Two", "Three"):
        await console.runner.silence(draft(console, name))
    standing = console.cluster.standing()
    held = Held(console, "expire_silence", monkeypatch)
    doing: asyncio.Task[object] = asyncio.create_task(console.runner.expire_all(standing))
    outcome = await undone_meanwhile(console, held, doing)
    assert (outcome.result, outcome.message) == (Result.DONE, "undid 3 of 3 expiries")
    assert len(console.cluster.standing()) == 3


async def test_an_action_that_is_stopped_holds_no_undo(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    await console.runner.silence(draft(console, "Before"))
    held = Held(console, "post_silence", monkeypatch)
    doing = asyncio.create_task(console.runner.silence(draft(console, "Now")))
    async with asyncio.timeout(LIMIT):
        await held.reached.wait()
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        held.let.set()
        assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_a_recreation_is_journalled_as_such_and_undone(console: Console) -> None:
    outcome = await console.runner.silence(draft(console, "Again"), "old-id")
    assert (outcome.action, "again until" in outcome.message) == ("recreate", True)
    intent, ended = sorted(console.journal.entries(), key=lambda entry: entry.phase.value)
    assert {intent.action, ended.action} == {"recreate"}
    assert intent.detail["recreates"] == "old-id"
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []
