"""Two consoles that press ack on one alert at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from opsconsole.errors import TimedOut
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.silences import Silence
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost


@pytest.fixture
def alert(console: Console, monkeypatch: pytest.MonkeyPatch) -> Alert:
    """Both have looked, and nobody has the alert, before either writes."""
    post, both, writing = console.cluster.post_silence, asyncio.Event(), list[str]()

    async def together(silence: Silence) -> str:
        writing.append(silence.comment)
        if len(writing) == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 30)
        identity = await post(silence)
        console.clock.advance(0.1)
        return identity

    monkeypatch.setattr(console.cluster, "post_silence", together)
    return console.cluster.fire(alertname="HighErrorRate")


async def press_both(console: Console, alert: Alert) -> tuple[Outcome, Outcome]:
    return await asyncio.gather(console.make("ana").ack(alert, "mine"), console.make("bob").ack(alert, "no, mine"))


async def test_one_has_it_and_the_other_is_told_who(console: Console, alert: Alert) -> None:
    outcomes = await press_both(console, alert)
    (stands,) = console.cluster.standing()
    done = [outcome for outcome in outcomes if outcome.result is Result.DONE]
    refused = [outcome for outcome in outcomes if outcome.result is Result.REFUSED]
    assert (len(done), len(refused)) == (1, 1), outcomes
    assert stands.id == done[0].silence_id
    assert f"acknowledged first by {stands.owner}" in refused[0].message
    assert "yours was taken back" in refused[0].message
    assert refused[0].hint == stands.reason


async def test_an_ack_that_cannot_be_taken_back_is_not_called_refused(console: Console, alert: Alert) -> None:
    console.cluster.before["expire_silence"] = [lost(TimedOut)]
    outcomes = await press_both(console, alert)
    late = next(outcome for outcome in outcomes if outcome.result is not Result.DONE)
    assert (late.result, "could not be taken back" in late.message) == (Result.AMBIGUOUS, True)


async def test_an_ack_of_something_else_is_in_nobodys_way(console: Console) -> None:
    one, other = console.cluster.fire(alertname="A"), console.cluster.fire(alertname="B")
    outcomes = await asyncio.gather(console.runner.ack(one, "x"), console.make("bob").ack(other, "y"))
    assert [outcome.result for outcome in outcomes] == [Result.DONE, Result.DONE]
