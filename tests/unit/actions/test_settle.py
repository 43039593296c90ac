"""Actions that were cut off between their intent and their outcome: settled at the next start, never repeated."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from opsconsole.actions.base import as_data
from opsconsole.actions.found import LATE_SECONDS
from opsconsole.actions.process import still_runs, this_process
from opsconsole.actions.runner import Runner
from opsconsole.actions.settle import GIVE_UP_SECONDS
from opsconsole.actions.writing import moment
from opsconsole.errors import Unreachable
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost

DEAD = {"host": "bastion", "boot": "another boot", "pid": 1, "started": "1"}


@pytest.fixture
def alert(console: Console) -> Alert:
    return console.cluster.fire(alertname="HighErrorRate", route="/api")


def cut_off(console: Console, *ops: str, process: dict[str, object] | None = None) -> Runner:
    """The same console after it was killed before these actions' outcomes were written."""
    entries = console.journal.entries()[::-1]
    console.journal.close()
    console.journal = Journal(console.folder / f"killed{len(list(console.folder.iterdir()))}.db", console.clock)
    for e in entries:
        if e.op in ops and e.phase is Phase.OUTCOME:
            continue
        detail = {**e.detail, "process": process or DEAD} if e.phase is Phase.INTENT else e.detail
        args = (e.action, e.subject, e.user, e.context, e.result, e.message, detail)
        console.journal.record(e.op, e.phase, *args)
    console.runner = console.make()
    return console.runner


async def settled(console: Console, *ops: str, after: float = LATE_SECONDS + 1) -> tuple[Outcome, ...]:
    runner = cut_off(console, *ops)
    console.clock.advance(after)
    writes = [c for c in console.cluster.calls if c in ("post_silence", "expire_silence")]
    outcomes = await runner.settle()
    assert [c for c in console.cluster.calls if c in ("post_silence", "expire_silence")] == writes, "it wrote"
    assert console.journal.verify() == []
    return outcomes


def state(console: Console, op: str) -> tuple[Result, dict[str, object]]:
    newest = console.journal.entries(op=op)[0]
    return newest.result, newest.detail


async def test_an_ack_that_was_written_is_adopted_with_its_undo(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    (outcome,) = await settled(console, made.op)
    assert (outcome.result, outcome.op, outcome.silence_id) == (Result.DONE, made.op, made.silence_id)
    assert "adopted" in outcome.message
    result, detail = state(console, made.op)
    assert (result, detail["settled"], detail["silence_id"]) == (Result.DONE, True, made.silence_id)
    assert console.journal.open_intents() == ()
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []
    assert await console.runner.settle() == ()


async def test_an_ack_that_never_arrived_failed_and_is_not_repeated(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    console.cluster.kept.clear()
    (outcome,) = await settled(console, made.op)
    assert (outcome.result, "not repeated" in outcome.message) == (Result.FAILED, True)
    assert console.runner.last_undoable() is None


async def test_an_ack_that_has_ended_since_is_done_and_not_undoable(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    (outcome,) = await settled(console, made.op, after=3600)
    assert (outcome.result, outcome.undo, "ended at" in outcome.message) == (Result.DONE, "", True)


async def test_what_may_still_arrive_stays_open(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    kept = dict(console.cluster.kept)
    console.cluster.kept.clear()
    (outcome,) = await settled(console, made.op, after=5)
    assert (outcome.result, "may still arrive" in outcome.message) == (Result.OPEN, True)
    assert [entry.op for entry in console.journal.open_intents()] == [made.op]
    console.cluster.kept = kept
    assert [o.result for o in await console.runner.settle()] == [Result.DONE]


async def test_what_a_silent_member_may_have_stays_open_for_a_day(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    console.cluster.kept.clear()
    console.cluster.failures = (("http://b:9093", lost(Unreachable, sent=False)),)
    (outcome,) = await settled(console, made.op)
    assert (outcome.result, "http://b:9093 does not answer" in outcome.message) == (Result.OPEN, True)
    console.clock.advance(GIVE_UP_SECONDS)
    (outcome,) = await console.runner.settle()
    assert (outcome.result, outcome.hint != "") == (Result.AMBIGUOUS, True)


async def test_a_server_that_does_not_answer_leaves_it_open(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    console.cluster.before["silences"] = [lost(Unreachable, sent=False)]
    (outcome,) = await settled(console, made.op)
    assert outcome.result is Result.OPEN
    assert [o.result for o in await console.runner.settle()] == [Result.DONE]


async def test_only_what_was_cut_off_here_is_settled(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    cut_off(console, made.op)
    console.clock.advance(LATE_SECONDS + 1)
    assert await console.make("bob").settle() == ()
    assert await console.make(context="test").settle() == ()
    assert await console.make(read_only=True).settle() == ()
    for process in (this_process("bastion"), {**DEAD, "host": "elsewhere"}):
        cut_off(console, made.op, process=process)
        assert await console.runner.settle() == ()


async def test_two_consoles_that_start_together_settle_it_once(console: Console, alert: Alert) -> None:
    made = await console.runner.ack(alert, "x")
    runner = cut_off(console, made.op)
    told = await asyncio.gather(runner.settle(), console.make().settle())
    assert sorted(len(outcomes) for outcomes in told) == [0, 1]
    assert [e.phase for e in console.journal.entries(op=made.op)] == [Phase.OUTCOME, Phase.INTENT]


async def a_silence(console: Console) -> Silence:
    now = console.clock.now()
    draft = Silence(
        matchers=(Matcher("alertname", "Other"),),
        starts_at=moment(now),
        ends_at=moment(now + 7200),
        created_by=safe(""),
        comment=safe("deploying"),
        cluster="main",
    )
    assert (await console.runner.silence(draft)).result is Result.DONE
    return console.cluster.standing()[0]


@pytest.mark.parametrize("arrived", [True, False])
async def test_an_expiry(console: Console, arrived: bool) -> None:
    silence = await a_silence(console)
    stood = dict(console.cluster.kept)
    outcome = await console.runner.expire(silence)
    if not arrived:
        console.cluster.kept = stood
    (told,) = await settled(console, outcome.op)
    assert told.result is (Result.DONE if arrived else Result.FAILED)
    if arrived:
        assert (await console.runner.undo()).result is Result.DONE
        assert [s.reason for s in console.cluster.standing()] == ["deploying"]
    else:
        assert "stands until" in told.message


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("new_id", [True, False])
async def test_a_new_end(console: Console, arrived: bool, new_id: bool) -> None:
    silence = await a_silence(console)
    stood = dict(console.cluster.kept)
    console.cluster.new_id_on_update = new_id
    outcome = await console.runner.extend(silence, silence.ends + 600)
    if not arrived:
        console.cluster.kept = stood
    (told,) = await settled(console, outcome.op)
    assert told.result is (Result.DONE if arrived else Result.FAILED), told
    if arrived:
        assert told.silence_id == console.cluster.standing()[0].id
        assert (await console.runner.undo()).result is Result.DONE
        assert console.cluster.standing()[0].ends == silence.ends


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("new_id", [True, False])
async def test_an_edit(console: Console, arrived: bool, new_id: bool) -> None:
    silence = await a_silence(console)
    stood = dict(console.cluster.kept)
    console.cluster.new_id_on_update = new_id
    wanted = msgspec.structs.replace(
        silence, matchers=(Matcher("alertname", "Another"),), comment=safe("deploying 1.4")
    )
    outcome = await console.runner.edit(silence, wanted)
    assert outcome.result is Result.DONE, outcome
    if not arrived:
        console.cluster.kept = stood
    (told,) = await settled(console, outcome.op)
    assert told.result is (Result.DONE if arrived else Result.FAILED), told
    if arrived:
        assert (await console.runner.undo()).result is Result.DONE
        assert [s.matchers for s in console.cluster.standing()] == [silence.matchers]


async def test_an_edit_that_left_the_old_one_in_force_says_so(console: Console) -> None:
    silence = await a_silence(console)
    stood = dict(console.cluster.kept)
    console.cluster.new_id_on_update = True
    wanted = msgspec.structs.replace(silence, matchers=(Matcher("alertname", "Another"),))
    outcome = await console.runner.edit(silence, wanted)
    console.cluster.kept |= stood
    (told,) = await settled(console, outcome.op)
    assert told.result is not Result.DONE
    assert "BOTH ARE IN FORCE" in told.message
    assert silence.id in told.hint


async def test_a_silence_that_someone_changed_meanwhile_is_not_known(console: Console) -> None:
    silence = await a_silence(console)
    outcome = await console.runner.extend(silence, silence.ends + 600)
    console.cluster.kept[silence.id] = msgspec.structs.replace(
        console.cluster.kept[silence.id], ends_at=moment(silence.ends + 60)
    )
    (told,) = await settled(console, outcome.op)
    assert told.result is Result.AMBIGUOUS


@pytest.mark.parametrize("arrived", [True, False])
async def test_an_undo(console: Console, alert: Alert, arrived: bool) -> None:
    await console.runner.ack(alert, "x")
    stood = dict(console.cluster.kept)
    outcome = await console.runner.undo()
    if not arrived:
        console.cluster.kept = stood
    (told,) = await settled(console, outcome.op)
    assert told.result is (Result.DONE if arrived else Result.FAILED)
    assert (console.runner.last_undoable() is None) is arrived, "what was not undone can be undone"


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_rollback_and_a_restore(console: Console, arrived: bool) -> None:
    before = console.flags_file.read_bytes()
    rolled = await console.runner.rollback(await console.runner.plan_rollback("new_pricing"))
    after = console.flags_file.read_bytes()
    assert after != before
    if not arrived:
        console.flags_file.write_bytes(before)
    (told,) = await settled(console, rolled.op)
    assert told.result is (Result.DONE if arrived else Result.FAILED)
    if not arrived:
        return
    restored = await console.runner.restore("new_pricing")
    (told,) = await settled(console, restored.op)
    assert (told.result, "restored" in told.message) == (Result.DONE, True)
    assert console.runner.last_undoable() is None


async def test_nobody_knows_whether_a_command_ran(console: Console) -> None:
    console.journal.record(
        "c", Phase.INTENT, "command", "restart", "me", "prod", Result.OPEN, detail={"process": DEAD}
    )
    (told,) = await console.runner.settle()
    assert (told.result, "not known whether it ran" in told.message) == (Result.AMBIGUOUS, True)


async def test_an_intent_that_cannot_be_read_is_not_known(console: Console) -> None:
    odd: dict[str, object] = {"process": DEAD, "silence": {"matchers": 5}}
    console.journal.record("c", Phase.INTENT, "expire", "x", "me", "prod", Result.OPEN, detail=odd)
    (told,) = await console.runner.settle()
    assert told.result is Result.AMBIGUOUS


def test_a_process_is_known_by_more_than_its_number() -> None:
    here = this_process("bastion")
    assert still_runs(here)
    assert not still_runs({**here, "started": "1"}), "this number was another's then"
    assert not still_runs({**here, "boot": "another"})
    assert not still_runs({**here, "pid": 2**22 + 1})
    assert not still_runs({**here, "pid": "x"})


async def test_a_late_edit_beside_somebody_else_s_is_said_aloud(console: Console) -> None:
    before = await a_silence(console)
    console.cluster.new_id_on_update = True
    theirs = msgspec.structs.replace(before, matchers=(Matcher("alertname", "Theirs"),))
    assert (await console.make("bob").edit(before, theirs)).result is Result.DONE
    wanted = msgspec.structs.replace(before, matchers=(Matcher("alertname", "Mine"),))
    detail = {"silence": as_data(before), "wanted": as_data(wanted)}
    console.journal.record("late", Phase.INTENT, "edit", "x", "me", "prod", Result.OPEN, "", detail)
    await console.cluster.post_silence(wanted)
    (outcome,) = await settled(console)
    assert (outcome.result, "BOTH ARE IN FORCE" in outcome.message) == (Result.AMBIGUOUS, True), outcome
    assert all(silence.id in outcome.hint for silence in console.cluster.standing()), outcome.hint


async def test_a_late_ack_says_who_was_first(console: Console, alert: Alert) -> None:
    assert (await console.make("bob").ack(alert, "x")).result is Result.DONE
    console.clock.advance(1)
    (theirs,) = console.cluster.standing()
    now = console.clock.now()
    mine = msgspec.structs.replace(
        theirs, id="", created_by=safe("me"), comment=safe("ACK! me: y [op=late]"), starts_at=moment(now)
    )
    console.journal.record("late", Phase.INTENT, "ack", "x", "me", "prod", Result.OPEN, "", {"cluster": "main"})
    await console.cluster.post_silence(mine)
    (outcome,) = await settled(console)
    assert (outcome.result, "bob acknowledged it first" in outcome.message) == (Result.DONE, True), outcome


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_recreation(console: Console, arrived: bool) -> None:
    old = await a_silence(console)
    await console.runner.expire(old)
    again = msgspec.structs.replace(old, id="", ends_at=moment(console.clock.now() + 7200))
    made = await console.runner.silence(again, old.id)
    if not arrived:
        del console.cluster.kept[made.silence_id]
    (outcome,) = await settled(console, made.op)
    assert outcome.action == "recreate"
    assert outcome.result is (Result.DONE if arrived else Result.FAILED), outcome
    assert ("adopted" in outcome.message) is arrived, outcome
