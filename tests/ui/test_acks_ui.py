"""Acks in the console: groups, their marks, and acknowledging again."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from fakes import (
    NOW,
    ScreenApp,
    make_alert,
    make_services,
    make_silence,
    make_snapshot,
    screen_text,
)

from opsconsole.actions.ack import AckPlan
from opsconsole.model.acks import AckMark
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.text import safe, trusted
from opsconsole.ui.acking import Asking
from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.silences import SilencesScreen

WIDE, NARROW = (120, 40), (80, 24)
ONE = AckPlan(matchers=(Matcher("alertname", "Slow"),), why=trusted("one silence: exactly these 2 alerts"))
KARMA = "ACK! This alert was acknowledged using karma on Sat, 28 Nov 2026 20:00:00 GMT"


def snapshot_of(
    *, ago: float = 300, comment: str = "ACK! primary-a: looking [op=n1]", by: str = "primary-a", left: float = 200
):
    """Three slow routes, of which the last is acknowledged, and a broken pool."""
    silence = make_silence("s-1", {"route": "/c"}, comment=comment, by=by, left=left, ago=ago)
    alerts = [
        make_alert("Slow", "warning", route="/a", ago=100),
        make_alert("Slow", "warning", route="/b", ago=99),
        make_alert("Slow", "warning", route="/c", ago=98, silenced_by=["s-1"]),
        make_alert("Pool", "warning", pool="p", ago=200),
    ]
    return make_snapshot(alerts, [silence])


def build(snapshot, screen=AlertsScreen):
    services, engine, runner = make_services(snapshot)
    shown = screen(services)
    return ScreenApp(shown, services), shown, engine, runner


async def settled(pilot, app, text: str) -> str:
    """The screen's text once it has this in it; at most ten seconds."""
    for _ in range(500):
        if text in screen_text(app):
            return screen_text(app)
        await pilot.pause(0.02)
    raise AssertionError(f"{text!r} never stood on the screen:\n{screen_text(app)}")


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_group_is_acknowledged_by_one_silence_when_the_dialog_says_so(size):
    app, screen, _, runner = build(snapshot_of())
    runner.plan = ONE
    async with app.run_test(size=size) as pilot:
        while screen.current().alert.name != "Slow":
            await pilot.press("j")
        await pilot.press("A")
        text = await settled(pilot, app, "One silence: exactly these 2 alerts.")
        assert "Acknowledge 2 alerts" in text
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        ((acked, reason, one),) = runner.called("ack_all")
        assert [alert.labels["route"] for alert in acked] == ["/a", "/b"]
        assert (reason, one) == ("looking", True)


async def test_the_group_is_what_the_list_shows_under_the_heading():
    app, screen, _, runner = build(snapshot_of())
    async with app.run_test(size=WIDE) as pilot:
        screen.panel.set_options(group_by="job", filter='route!="/a"')
        await pilot.press("A")
        await settled(pilot, app, "Acknowledge 2 alerts")
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        ((acked, _, one),) = runner.called("ack_all")
        assert [alert.name for alert in acked] == ["Pool", "Slow"]
        assert one is False, "the dialog said one each"


async def test_enter_before_alertmanager_has_answered_is_one_each():
    app, _, _, runner = build(snapshot_of())
    answered = asyncio.Event()

    async def slow(alerts: object) -> AckPlan:
        await answered.wait()
        return ONE

    runner.plan_ack = slow
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("j", "A")
        await settled(pilot, app, "asking Alertmanager")
        await pilot.press("enter")
        while not runner.called("ack_all"):
            await pilot.pause(0.02)
        assert runner.called("ack_all")[0][2] is False
        answered.set()


async def test_a_group_without_anything_to_acknowledge_says_so():
    app, _, _, runner = build(make_snapshot([make_alert("Soon", pending=True)]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("A")
        assert app.told == ["ack group: nobody is needed: all of them are pending or acknowledged"]
        assert runner.calls == []


@pytest.mark.parametrize(
    ("ago", "shown"), [(300, "ack you 3m"), (7300, "stale you 3m"), (14_200, "asks again 3m")]
)
async def test_the_list_says_how_old_an_ack_is(ago, shown):
    app, _, _, _ = build(snapshot_of(ago=ago))
    async with app.run_test(size=NARROW) as pilot:
        await settled(pilot, app, shown)


async def test_an_ack_of_karma_or_of_someone_else_is_an_ack_with_its_owner():
    app, screen, engine, _ = build(snapshot_of(comment=KARMA, by="alice", ago=7300))
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot, app, "stale ali. 3m")
        row = next(r for r in engine.snapshot.rows if r.silence is not None)
        assert engine.snapshot.extended_by(row.silence) == ""
        kthxbye = msgspec.structs.replace(engine.snapshot, extender=trusted("kthxbye"))
        engine.push(kthxbye)
        assert kthxbye.extended_by(row.silence) == "kthxbye"
        screen.select(row.key)
        await pilot.press("a")
        assert app.told == ["ack: alice has it already"]


async def test_the_detail_and_the_silences_say_it_too():
    app, screen, engine, _ = build(snapshot_of(ago=7300))
    row = next(r for r in engine.snapshot.rows if r.silence is not None)
    async with app.run_test(size=WIDE) as pilot:
        screen.select(row.key)
        screen.detail.tab = "Silences"
        await pilot.press("tab", "shift+tab")
        await settled(pilot, app, "acknowledged 2h ago: stale, extended by this")
    app, _, _, _ = build(snapshot_of(ago=14_200), SilencesScreen)
    async with app.run_test(size=WIDE) as pilot:
        text = await settled(pilot, app, "again?")
        assert "acknowledged 3h ago: it is not extended any more and asks again" in text


async def test_one_key_acknowledges_again_what_was_under_the_cursor():
    app, screen, engine, runner = build(snapshot_of(ago=14_200))
    row = next(r for r in engine.snapshot.rows if r.silence is not None)
    async with app.run_test(size=WIDE) as pilot:
        screen.select(row.key)
        await pilot.press("a")
        await app.workers.wait_for_complete()
        assert [silence.id for (silence,) in runner.called("ack_again")] == ["s-1"]
        assert [o.result for o in app.reported] == [Result.DONE]


async def test_a_young_ack_of_one_s_own_is_left_alone():
    app, screen, engine, runner = build(snapshot_of())
    row = next(r for r in engine.snapshot.rows if r.silence is not None)
    async with app.run_test(size=WIDE) as pilot:
        screen.select(row.key)
        await pilot.press("a")
        assert (app.told, runner.calls) == (["ack: you have it already"], [])


async def test_what_became_of_several_is_told():
    app, _, _, runner = build(snapshot_of())

    async def some(alerts, reason, *, one=True):
        done = Outcome(op="1", action="ack", result=Result.DONE, message=safe("a"))
        return (done, msgspec.structs.replace(done, result=Result.REFUSED, message=safe("bob was first")))

    runner.ack_all = some
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("j", "A")
        await settled(pilot, app, "One silence each: they differ")
        assert isinstance(app.screen, AckDialog)
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert [str(o.message) for o in app.reported] == ["bob was first"]
        assert app.told == ["1 of 2 acknowledged"]


def test_asking_is_told_once_and_again_after_it_was_answered():
    asking = Asking()
    assert asking.look(snapshot_of()) == ""
    old = snapshot_of(ago=14_200)
    words = asking.look(old)
    assert "Your ack of Slow is 3h56m old and ends in 3m. Press a on it" in words
    assert asking.look(old) == ""
    answered = snapshot_of(ago=14_200, comment=f"ACK! primary-a: looking [again={int(NOW)}] [op=n1]")
    assert answered.mark_of(next(iter(answered.silences().values()))) is AckMark.NONE
    assert asking.look(answered) == ""
    later = snapshot_of(ago=30_000, comment=f"ACK! primary-a: looking [again={int(NOW) - 14_300}] [op=n1]")
    assert "Press a" in asking.look(later)
