"""Several alerts acknowledged at once: by one silence only when that hides exactly them."""

from __future__ import annotations

import pytest

from opsconsole.errors import TimedOut, Unreachable
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost


@pytest.fixture
def three(console: Console) -> list[Alert]:
    return [console.cluster.fire(alertname="HighLatency", job="api", route=f"/r.{i}") for i in range(3)]


async def keep(console: Console) -> list[tuple[str, Result]]:
    alerts = (await console.cluster.alerts()).data
    silences = (await console.cluster.silences()).data
    return [(o.action, o.result) for o in await console.runner.keep_acks(alerts, silences)]


def results(outcomes: tuple[Outcome, ...]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


async def test_one_silence_hides_exactly_the_group(console: Console, three: list[Alert]) -> None:
    console.cluster.fire(alertname="HighLatency", job="web", route="/r.0")
    plan = await console.runner.plan_ack(three)
    assert plan.is_one
    assert "exactly these 3 alerts" in plan.why
    (outcome,) = await console.runner.ack_all(three, "looking")
    assert outcome.result is Result.DONE
    assert "3 alerts (HighLatency) by one silence" in outcome.message
    (made,) = console.cluster.standing()
    assert set(made.matchers) == {
        Matcher("alertname", "HighLatency"),
        Matcher("job", "api"),
        Matcher("route", r"/r\.0|/r\.1|/r\.2", is_regex=True),
    }
    assert made.comment == f"ACK! me: looking [op={outcome.op}]"
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_one_each_when_one_silence_would_hide_something_else(console: Console, three: list[Alert]) -> None:
    other = console.cluster.fire(alertname="HighLatency", job="api", route="/r.1", pod="x")
    plan = await console.runner.plan_ack(three)
    assert not plan.is_one
    assert "would also hide HighLatency pod=x" in plan.why
    outcomes = await console.runner.ack_all(three[:1] + three[2:], "looking")
    assert results(outcomes) == [Result.DONE]
    await console.runner.undo()
    outcomes = await console.runner.ack_all([*three[1:2], other], "x")
    assert results(outcomes) == [Result.DONE], "both carry the route, and nothing else does"


async def test_one_each_is_undone_as_a_whole_and_survives_a_restart(console: Console, three: list[Alert]) -> None:
    console.cluster.fire(alertname="HighLatency", job="api", route="/r.1", pod="x")
    outcomes = await console.runner.ack_all(three, "looking")
    assert results(outcomes) == [Result.DONE] * 3
    assert len(console.cluster.standing()) == 3
    runner = console.again()
    undone = await runner.undo()
    assert (undone.result, "3 acks" in undone.message) == (Result.DONE, True)
    assert console.cluster.standing() == []
    assert runner.last_undoable() is None


async def test_an_undo_that_is_cut_off_can_be_finished(console: Console, three: list[Alert]) -> None:
    console.cluster.fire(alertname="HighLatency", job="api", route="/r.1", pod="x")
    await console.runner.ack_all(three, "looking")
    ones = [lost(Unreachable, sent=False)]
    expire = console.cluster.expire_silence
    calls: list[str] = []

    async def second_fails(id: str) -> None:
        calls.append(id)
        if len(calls) == 2:
            raise ones[0]
        await expire(id)

    console.cluster.expire_silence = second_fails  # type: ignore[method-assign]  # a fault
    undone = await console.runner.undo()
    assert (undone.result, "undid 2 of 3 acks" in undone.message) == (Result.FAILED, True)
    assert len(console.cluster.standing()) == 1
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_one_each_with_a_member_down_or_no_answer(console: Console, three: list[Alert]) -> None:
    console.cluster.failures = ("a member is down",)
    plan = await console.runner.plan_ack(three)
    assert (plan.is_one, "did not answer" in plan.why) == (False, True)
    assert results(await console.runner.ack_all(three, "x")) == [Result.DONE] * 3
    console.cluster.failures = ()
    console.cluster.before["alerts"] = [lost(TimedOut)]
    plan = await console.runner.plan_ack(three)
    assert (plan.is_one, "cannot say" in plan.why) == (False, True)


async def test_what_changes_after_the_plan_is_seen_before_the_write(
    console: Console, three: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = console.cluster.silences

    async def meanwhile() -> object:
        console.cluster.fire(alertname="HighLatency", job="api", route="/r.2", pod="new")
        return await ask()

    monkeypatch.setattr(console.cluster, "silences", meanwhile)
    (outcome,) = await console.runner.ack_all(three, "x")
    assert (outcome.result, "just changed" in outcome.message) == (Result.REFUSED, True)
    assert console.cluster.standing() == []


async def test_a_group_of_which_someone_has_one_is_not_acknowledged_by_one(
    console: Console, three: list[Alert]
) -> None:
    await console.make("bob").ack(three[1], "mine")
    (outcome,) = await console.runner.ack_all(three, "x")
    assert (outcome.result, "first by bob" in outcome.message) == (Result.REFUSED, True)


async def test_alerts_without_a_common_label_get_one_each(console: Console) -> None:
    alerts = [console.cluster.fire(a="1"), console.cluster.fire(b="2")]
    plan = await console.runner.plan_ack(alerts)
    assert (plan.is_one, "no label in common" in plan.why) == (False, True)


async def test_different_names_need_the_same_labels(console: Console) -> None:
    alerts = [console.cluster.fire(alertname=name, job="a") for name in ("Slow", "Down")]
    assert (await console.runner.plan_ack(alerts)).is_one
    alerts.append(console.cluster.fire(alertname="Full", job="a", mount="/"))
    plan = await console.runner.plan_ack(alerts)
    assert (plan.is_one, "different names, and not all of them mount" in plan.why) == (False, True)


async def test_labels_that_some_lack_are_named(console: Console) -> None:
    alerts = [console.cluster.fire(alertname="A", pod="1"), console.cluster.fire(alertname="A")]
    plan = await console.runner.plan_ack(alerts)
    assert plan.matchers == (Matcher("alertname", "A"),)
    assert "whatever their pod" in plan.why


async def test_a_group_ack_ends_with_its_last_alert_though_it_hides_a_new_one(
    console: Console, three: list[Alert]
) -> None:
    await console.runner.ack_all(three, "x")
    console.cluster.resolve(three[0])
    console.cluster.resolve(three[2])
    assert await keep(console) == []
    console.clock.advance(11 * 60)
    assert await keep(console) == [("extend", Result.DONE)]
    console.clock.advance(61)
    console.cluster.resolve(three[1])
    console.cluster.fire(alertname="HighLatency", job="api", route="/r.1", pod="new")
    console.again()
    assert await keep(console) == [("expire", Result.DONE)]
    assert console.cluster.standing() == []


async def test_the_intent_of_a_group_is_written_first(console: Console, three: list[Alert]) -> None:
    console.cluster.before["post_silence"] = [lost(TimedOut)]
    (outcome,) = await console.runner.ack_all(three, "x")
    assert outcome.result is Result.AMBIGUOUS
    done, intent = console.journal.entries(op=outcome.op)
    assert (intent.phase, done.phase) == (Phase.INTENT, Phase.OUTCOME)
    assert intent.detail["fingerprints"] == [alert.fingerprint for alert in three]
