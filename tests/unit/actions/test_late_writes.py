"""Writes that arrive after they were given up, and what the journal advises meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from opsconsole.errors import TimedOut
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.silences import Silence
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost


async def keep(console: Console) -> tuple[Outcome, ...]:
    return await console.runner.keep_acks(tuple(console.cluster.firing.values()), console.cluster.standing())


async def test_an_ack_that_came_after_the_second_press_is_ended(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = console.cluster.fire(alertname="HighErrorRate", route="/api")
    post, held = console.cluster.post_silence, list[Silence]()

    async def unanswered(silence: Silence) -> str:
        held.append(silence)
        raise lost(TimedOut)

    with monkeypatch.context() as patched:
        patched.setattr(console.cluster, "post_silence", unanswered)
        assert (await console.runner.ack(alert, "x")).result is Result.AMBIGUOUS
    again = await console.runner.ack(alert, "x")
    assert again.result is Result.DONE
    await post(held[0])
    assert await console.make("bob").keep_acks((alert,), console.cluster.standing()) == ()
    (ended,) = await keep(console)
    assert (ended.action, ended.result, "it came late" in ended.message) == ("expire", Result.DONE, True)
    assert [s.op for s in console.cluster.standing()] == [again.op]
    assert await keep(console) == ()
    last = console.runner.last_undoable()
    assert last is not None
    assert last.op == again.op


async def test_an_action_that_was_stopped_says_in_the_journal_what_to_do(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = console.cluster.fire(alertname="HighErrorRate")
    posting = asyncio.Event()

    async def hanging(silence: Silence) -> str:
        posting.set()
        await asyncio.Event().wait()
        return silence.id

    monkeypatch.setattr(console.cluster, "post_silence", hanging)
    task = asyncio.create_task(console.runner.ack(alert, "x"))
    await asyncio.wait_for(posting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = console.journal.entries()[0]
    assert said.result is Result.AMBIGUOUS
    assert "before you try again" in str(said.detail["hint"])
