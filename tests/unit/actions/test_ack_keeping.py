"""How long an ack is kept, by whom, and what makes it young again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.journal.store import Journal
from opsconsole.model.acks import age
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Result
from opsconsole.model.silences import Silence
from tests.unit.actions.conftest import Console


@pytest.fixture
def alert(console: Console) -> Alert:
    return console.cluster.fire(alertname="HighErrorRate", route="/api")


async def keep(
    console: Console, runner: Runner | None = None, *, whole: bool = True, extends: bool = True
) -> list[tuple[str, Result]]:
    alerts = (await console.cluster.alerts()).data
    silences = (await console.cluster.silences()).data
    found = await (runner or console.runner).keep_acks(alerts, silences, whole=whole, extends=extends)
    return [(outcome.action, outcome.result) for outcome in found]


def standing(console: Console) -> Silence:
    (found,) = console.cluster.standing()
    return found


async def keep_for(console: Console, seconds: float) -> list[tuple[str, Result]]:
    """Look every 20 seconds, as a console does."""
    found = []
    for _ in range(int(seconds / 20)):
        console.clock.advance(20)
        found += await keep(console)
    return found


async def test_an_ack_is_extended_to_its_maximum_age_and_no_further(console: Console, alert: Alert) -> None:
    begun = console.clock.now()
    await console.runner.ack(alert, "x")
    kept = await keep_for(console, 4 * 3600 - 600)
    assert set(kept) == {("extend", Result.DONE)}
    assert 20 <= len(kept) <= 30, "by steps of a quarter of an hour, once in ten minutes"
    assert standing(console).ends <= begun + 4 * 3600 + 1
    assert age(standing(console), console.clock.now()) == pytest.approx(4 * 3600 - 600, abs=90)
    assert len(await keep_for(console, 1200)) <= 1
    assert console.cluster.standing() == []


async def test_acknowledging_again_begins_the_age_anew_and_is_undone(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "looking: db")
    await keep_for(console, 4 * 3600 - 240)
    before = standing(console)
    again = await console.runner.ack_again(before)
    assert again.result is Result.DONE, again
    after = standing(console)
    assert (after.id, after.op, after.reason) == (before.id, made.op, "looking: db")
    assert age(after, console.clock.now()) == 0
    assert after.ends == pytest.approx(console.clock.now() + 900, abs=1)
    assert ("extend", Result.DONE) in await keep_for(console, 660)
    console.again()
    undone = await console.runner.undo()
    assert undone.result is Result.DONE, undone
    assert console.cluster.standing() == [], "without it the ack would have ended by now"


async def test_undoing_it_at_once_gives_the_old_end_and_age_back(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    console.clock.advance(300)
    before = standing(console)
    await console.runner.ack_again(before)
    assert (await console.runner.undo()).result is Result.DONE
    assert msgspec.structs.replace(standing(console), updated_at=before.updated_at) == before
    last = console.runner.last_undoable()
    assert last is not None
    assert last.op == made.op


async def test_only_a_living_ack_of_one_s_own_is_acknowledged_again(console: Console, alert: Alert) -> None:
    await console.make("bob").ack(alert, "x")
    theirs = standing(console)
    refused = await console.runner.ack_again(theirs)
    assert (refused.result, "bob" in refused.message) == (Result.REFUSED, True)
    console.clock.advance(901)
    ended = await console.make("bob").ack_again(theirs)
    assert (ended.result, "ended" in ended.message) == (Result.REFUSED, True)


async def test_what_kthxbye_extends_is_not_extended_twice_and_still_ends(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    console.clock.advance(11 * 60)
    assert await keep(console, extends=False) == []
    console.cluster.resolve(alert)
    assert await keep(console, extends=False) == [("expire", Result.DONE)]


async def test_a_partial_reading_extends_and_never_ends(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    console.cluster.resolve(alert)
    assert await keep(console, whole=False) == []
    console.cluster.firing[alert.fingerprint] = alert
    console.clock.advance(11 * 60)
    assert await keep(console, whole=False) == [("extend", Result.DONE)]


async def test_two_of_one_user_keep_it_once(console: Console, alert: Alert, tmp_path: Path) -> None:
    """As a console and `acks keep` on another machine, whose journal knows nothing of the ack."""
    await console.runner.ack(alert, "x")
    elsewhere = Journal(tmp_path / "elsewhere.db", console.clock)
    other = console.make()
    other._desk.journal = elsewhere
    console.clock.advance(11 * 60)
    alerts = (await console.cluster.alerts()).data
    silences = (await console.cluster.silences()).data
    first = await console.runner.keep_acks(alerts, silences)
    second = await other.keep_acks(alerts, silences)
    assert ([o.action for o in first], second) == (["extend"], ())
    console.clock.advance(61)
    console.cluster.resolve(alert)
    silences = (await console.cluster.silences()).data
    ended = await other.keep_acks((), silences)
    assert [(o.action, o.result) for o in ended] == [("expire", Result.DONE)]
    assert await console.runner.keep_acks((), silences) == ()
    assert [e.action for e in elsewhere.entries()] == ["expire", "expire"]
    elsewhere.close()


async def test_an_ack_ends_with_its_own_alert(console: Console, alert: Alert) -> None:
    """Another one with these labels and more is hidden as well, and does not keep it."""
    await console.runner.ack(alert, "x")
    console.cluster.fire(alertname="HighErrorRate", route="/api", pod="new")
    console.cluster.resolve(alert)
    assert await keep(console) == [("expire", Result.DONE)]


async def test_an_ack_of_karma_is_someone_else_s(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    comment = "ACK! This alert was acknowledged using karma on Sat, 28 Nov 2026 20:00:00 GMT"
    console.cluster.kept = {
        id: msgspec.structs.replace(s, comment=comment) for id, s in console.cluster.kept.items()
    }
    assert standing(console).owner == "me"
    console.clock.advance(11 * 60)
    console.cluster.resolve(alert)
    assert await keep(console) == []


async def test_a_server_that_was_just_started_does_not_know_yet_what_fires(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    console.clock.advance(60)
    console.cluster.started_at = console.clock.now()
    console.cluster.resolve(alert)
    console.clock.advance(100)
    assert await keep(console) == []
    console.clock.advance(21)
    assert await keep(console) == [("expire", Result.DONE)]
