"""On which members a write shows, and what is said while one that may have taken it is silent."""

from __future__ import annotations

import pytest

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe, trusted
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import FakeCluster

A, B = trusted("http://a:9093"), trusted("http://b:9093")


@pytest.fixture
def alert(console: Console) -> Alert:
    console.cluster.members = (A, B)
    return console.cluster.fire(alertname="HighErrorRate", route="/api")


async def acked(console: Console, alert: Alert) -> tuple[Outcome, Silence]:
    outcome = await console.runner.ack(alert, "x")
    assert outcome.result is Result.DONE, outcome
    (made,) = console.cluster.standing()
    return outcome, made


async def test_a_write_says_on_how_many_members_it_shows(console: Console, alert: Alert) -> None:
    outcome, _ = await acked(console, alert)
    assert outcome.message.endswith("; visible on 2 of 2 members")
    detail = console.journal.entries(op=outcome.op)[0].detail
    assert (detail["visible_on"], detail["not_visible_on"]) == ([A, B], {})


async def test_a_single_alertmanager_has_no_members_to_speak_of(console: Console) -> None:
    alert = console.cluster.fire(alertname="HighErrorRate")
    outcome, _ = await acked(console, alert)
    assert "visible" not in outcome.message


async def test_a_member_that_is_down_is_named_and_not_waited_for(console: Console, alert: Alert) -> None:
    console.cluster.silent = {B}
    began = console.clock.now()
    outcome, _ = await acked(console, alert)
    assert outcome.message.endswith(f"visible on 1 of 2 members: {B} does not answer")
    assert console.clock.now() == began


async def test_a_member_that_gossip_does_not_reach_is_waited_for_and_named(console: Console, alert: Alert) -> None:
    console.cluster.behind = {B: {"id-1": None}}
    outcome, made = await acked(console, alert)
    assert made.id == "id-1"
    assert outcome.message.endswith(f"visible on 1 of 2 members: {B} does not have it yet")
    assert console.cluster.calls.count("silence_members") == 6


async def test_an_expiry_that_one_member_has_not_heard_of_is_named(console: Console, alert: Alert) -> None:
    _, made = await acked(console, alert)
    console.cluster.behind = {B: {made.id: made}}
    outcome = await console.runner.expire(made)
    assert (outcome.result, made.id) == (Result.DONE, outcome.silence_id)
    assert f"visible on 1 of 2 members: {B} does not have it yet" in outcome.message


async def test_an_expiry_is_not_called_failed_while_a_member_is_silent(console: Console, alert: Alert) -> None:
    """The member that took it died before it told the other, which still shows it active."""
    _, made = await acked(console, alert)
    console.cluster.silent, console.cluster.behind = {A}, {B: {made.id: made}}
    outcome = await console.runner.expire(made)
    assert outcome.result is Result.AMBIGUOUS
    assert "not known whether" in outcome.message
    assert f"{A} does not answer" in outcome.message


async def test_an_expiry_that_only_members_without_it_confirm_is_not_known(console: Console, alert: Alert) -> None:
    _, made = await acked(console, alert)
    console.cluster.silent, console.cluster.behind = {A}, {B: {made.id: None}}
    assert (await console.runner.expire(made)).result is Result.AMBIGUOUS


async def test_a_new_end_that_only_a_dead_member_took_is_not_known(console: Console, alert: Alert) -> None:
    _, made = await acked(console, alert)
    console.cluster.silent, console.cluster.behind = {A}, {B: {made.id: made}}
    outcome = await console.runner.extend(made, console.clock.now() + 7200)
    assert (outcome.result, f"{A} does not answer" in outcome.message) == (Result.AMBIGUOUS, True)


async def test_an_ack_that_no_member_shows_is_not_known(console: Console, alert: Alert) -> None:
    console.cluster.silent, console.cluster.behind = {A}, {B: {"id-1": None}}
    outcome = await console.runner.ack(alert, "x")
    assert (outcome.result, "cannot be read back" in outcome.message) == (Result.AMBIGUOUS, True)


def two_clusters(console: Console) -> Runner:
    other = FakeCluster(console.clock, "west")
    return Runner(
        clusters={"main": console.cluster, "west": other},
        flags=None,
        journal=console.journal,
        clock=console.clock,
        user="me",
        host="bastion",
        context="prod",
        read_only=False,
        refresh=lambda: None,
    )


async def test_of_several_clusters_every_outcome_names_its_own(console: Console, alert: Alert) -> None:
    runner = two_clusters(console)
    said = [await runner.ack(alert, "x"), await runner.ack(alert, "x")]
    (made,) = console.cluster.standing()
    said += [await runner.extend(made, made.ends + 600), await runner.expire(made), await runner.undo()]
    assert [o.result for o in said] == [Result.DONE, Result.REFUSED, Result.DONE, Result.DONE, Result.DONE]
    assert all(outcome.message.startswith("cluster main: ") for outcome in said), said


async def test_starts_and_ends_are_those_of_the_servers_clock(console: Console, alert: Alert) -> None:
    console.cluster.skew = 3600.0
    _, ack = await acked(console, alert)
    assert ack.ends - console.clock.now() == pytest.approx(3600 + 900, abs=1)
    draft = Silence(
        matchers=(Matcher("alertname", "Other"),),
        starts_at=moment(console.clock.now()),
        ends_at=moment(console.clock.now() + 1800),
        created_by=safe(""),
        comment=safe("x"),
        cluster="main",
    )
    over = await console.runner.silence(draft)
    assert (over.result, "already have ended" in over.message) == (Result.REFUSED, True)
