"""Acknowledge, silence, extend, expire and undo: journalled, verified, never repeated blindly."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from opsconsole.actions.writing import moment
from opsconsole.errors import BadQuery, BadReply, TimedOut, Unauthorised, Unreachable
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Phase, Result
from opsconsole.model.matchers import Matcher, exact_matchers
from opsconsole.model.silences import Silence
from opsconsole.text import is_safe, safe
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost


@pytest.fixture
def alert(console: Console) -> Alert:
    console.cluster.fire(alertname="Other", route="/api")
    return console.cluster.fire(alertname="HighErrorRate", route="/api", severity="critical")


def draft(console: Console, *matchers: Matcher, comment: str = "deploying", seconds: float = 7200) -> Silence:
    now = console.clock.now()
    return Silence(
        matchers=matchers or (Matcher("alertname", "Other"),),
        starts_at=moment(now),
        ends_at=moment(now + seconds),
        created_by=safe(""),
        comment=safe(comment),
        cluster="main",
    )


async def test_an_ack_silences_exactly_that_alert_for_fifteen_minutes(console: Console, alert: Alert) -> None:
    outcome = await console.runner.ack(alert, "looking")
    assert outcome.result is Result.DONE
    assert outcome.undo == outcome.op
    (made,) = console.cluster.standing()
    assert made.id == outcome.silence_id
    assert made.matchers == exact_matchers(alert.labels)
    assert made.comment == f"ACK! me: looking [op={outcome.op}]"
    assert (made.owner, made.reason, made.op, made.created_by) == ("me", "looking", outcome.op, "me")
    assert made.ends - console.clock.now() == pytest.approx(900, abs=1)
    done, intent = console.journal.entries(op=outcome.op)
    assert (intent.phase, done.phase, done.result) == (Phase.INTENT, Phase.OUTCOME, Result.DONE)
    assert done.detail["silence_id"] == made.id
    assert console.refreshed == 1


async def test_the_intent_is_written_before_anything_is_asked(console: Console, alert: Alert) -> None:
    console.cluster.before["alerts"] = [lost(Unreachable, sent=False)]
    outcome = await console.runner.ack(alert, "x")
    assert outcome.result is Result.FAILED
    assert "post_silence" not in console.cluster.calls
    assert [e.phase for e in console.journal.entries(op=outcome.op)] == [Phase.OUTCOME, Phase.INTENT]


async def test_an_ack_is_refused_when_the_alert_is_gone_pending_or_taken(console: Console, alert: Alert) -> None:
    pending = msgspec.structs.replace(alert, pending=True)
    assert "pending" in (await console.runner.ack(pending, "x")).message
    console.cluster.resolve(alert)
    gone = await console.runner.ack(alert, "x")
    assert (gone.result, "gone" in gone.message) == (Result.REFUSED, True)
    console.cluster.firing[alert.fingerprint] = alert
    await console.make("bob").ack(alert, "mine")
    taken = await console.runner.ack(alert, "x")
    assert (taken.result, "by bob" in taken.message, taken.hint) == (Result.REFUSED, True, "mine")
    assert len(console.cluster.kept) == 1


async def test_an_ack_says_what_else_it_hides(console: Console, alert: Alert) -> None:
    console.cluster.fire(**alert.labels, pod="a")
    assert "also hides 1 more" in (await console.runner.ack(alert, "x")).message


async def test_read_only_changes_nothing(console: Console, alert: Alert) -> None:
    runner = console.make(read_only=True)
    plan = await runner.plan_rollback("new_pricing")
    before = console.flags_file.read_bytes()
    for outcome in (
        await runner.ack(alert, "x"),
        await runner.silence(draft(console)),
        await runner.rollback(plan),
    ):
        assert (outcome.result, "read-only" in outcome.message) == (Result.REFUSED, True)
    assert await runner.keep_acks((), ()) == ()
    assert console.cluster.kept == {}
    # What it has seen it writes down, like any other console: that is no action.
    assert [entry.action for entry in console.journal.entries()] == ["flag-baseline"]
    assert console.flags_file.read_bytes() == before


@pytest.mark.parametrize("kind", [TimedOut, BadReply, Unreachable])
async def test_a_lost_answer_is_settled_by_the_nonce(console: Console, alert: Alert, kind: type[TimedOut]) -> None:
    console.cluster.after["post_silence"] = [lost(kind)]
    outcome = await console.runner.ack(alert, "x")
    assert outcome.result is Result.DONE
    assert outcome.silence_id == console.cluster.standing()[0].id
    assert console.cluster.calls.count("post_silence") == 1


async def test_a_lost_request_is_never_sent_again(console: Console, alert: Alert) -> None:
    console.cluster.before["post_silence"] = [lost(TimedOut)]
    outcome = await console.runner.ack(alert, "x")
    assert outcome.result is Result.AMBIGUOUS
    assert f"[op={outcome.op}]" in outcome.hint
    assert console.journal.entries(op=outcome.op)[0].detail["hint"] == outcome.hint
    assert console.cluster.calls.count("post_silence") == 1
    assert console.cluster.calls.count("silences") > 3


@pytest.mark.parametrize("error", [lost(Unreachable, sent=False), lost(Unauthorised), lost(BadQuery)])
async def test_a_refused_write_failed_and_is_not_looked_for(
    console: Console, alert: Alert, error: Unreachable
) -> None:
    console.cluster.before["post_silence"] = [error]
    assert (await console.runner.ack(alert, "x")).result is Result.FAILED
    assert console.cluster.calls.count("silences") == 1


async def test_a_silence_that_cannot_be_read_back_is_not_done(console: Console) -> None:
    console.cluster.before["silence"] = [lost(TimedOut)] * 20
    outcome = await console.runner.silence(draft(console))
    assert outcome.result is Result.AMBIGUOUS
    assert "accepted" in outcome.message


async def test_a_silence_that_reads_back_differently_is_not_done(console: Console) -> None:
    wanted = draft(console)
    post = console.cluster.post_silence

    async def shorter(silence: Silence) -> str:
        return await post(msgspec.structs.replace(silence, ends_at=moment(console.clock.now() + 600)))

    console.cluster.post_silence = shorter  # type: ignore[method-assign] # a server that does as it likes
    outcome = await console.runner.silence(wanted)
    assert outcome.result is Result.FAILED
    assert "not what was asked for" in outcome.message


async def test_a_silence_starts_at_once_or_when_it_says(console: Console) -> None:
    now = await console.runner.silence(draft(console, comment="why\x1b[31m"))
    (made,) = console.cluster.standing()
    assert made.comment == f"why\\x1b[31m [op={now.op}]"
    later = msgspec.structs.replace(draft(console), starts_at=moment(console.clock.now() + 3600))
    outcome = await console.runner.silence(later)
    assert outcome.result is Result.DONE
    assert "pending" in outcome.message


@pytest.mark.parametrize(
    ("matchers", "comment", "seconds", "says"),
    [
        ((Matcher("a", "b"),), "  ", 60, "comment"),
        ((Matcher("a", ".*", is_regex=True),), "x", 60, "every alert"),
        ((Matcher("a", ""),), "x", 60, "every alert"),
        ((Matcher("a", "(", is_regex=True),), "x", 60, "bad regular expression"),
        ((Matcher("a", "b"),), "x", -60, "already have ended"),
    ],
)
async def test_silences_that_are_refused(
    console: Console, matchers: tuple[Matcher, ...], comment: str, seconds: float, says: str
) -> None:
    outcome = await console.runner.silence(draft(console, *matchers, comment=comment, seconds=seconds))
    assert outcome.result is Result.REFUSED
    assert says in outcome.message
    assert console.cluster.kept == {}


async def test_preview_asks_alertmanager(console: Console, alert: Alert) -> None:
    found = await console.runner.preview("main", (Matcher("route", "/api"),))
    assert (len(found.alerts), found.known) == (2, True)


async def test_expire_is_read_back_and_undone_by_a_new_silence(console: Console) -> None:
    await console.runner.silence(draft(console, comment="deploy 1.4"))
    (made,) = console.cluster.standing()
    assert (await console.runner.expire(made)).result is Result.DONE
    assert console.cluster.standing() == []
    again = await console.runner.undo()
    assert again.result is Result.DONE
    (back,) = console.cluster.standing()
    assert (back.matchers, back.ends, back.reason) == (made.matchers, made.ends, made.reason)
    assert back.op == again.op


async def test_an_expiry_that_does_not_take_is_not_done(console: Console) -> None:
    await console.runner.silence(draft(console))
    (made,) = console.cluster.standing()
    console.cluster.forgets_expiry = True
    outcome = await console.runner.expire(made)
    assert (outcome.result, "does not read back" in outcome.message) == (Result.FAILED, True)
    console.cluster.before["expire_silence"] = [lost(TimedOut)]
    assert (await console.runner.expire(made)).result is Result.AMBIGUOUS
    console.cluster.forgets_expiry = False
    console.cluster.after["expire_silence"] = [lost(TimedOut)]
    assert (await console.runner.expire(made)).result is Result.DONE
    gone = await console.runner.expire(made)
    assert (gone.result, "ended at" in gone.message) == (Result.REFUSED, True)


@pytest.mark.parametrize("new_id", [False, True])
async def test_extending_adopts_the_id_it_gets(console: Console, new_id: bool) -> None:
    made = await console.runner.silence(draft(console, seconds=600))
    console.cluster.new_id_on_update = new_id
    (current,) = console.cluster.standing()
    until = console.clock.now() + 3600
    outcome = await console.runner.extend(current, until)
    (extended,) = console.cluster.standing()
    assert outcome.silence_id == extended.id
    assert (extended.id == current.id) is not new_id
    assert extended.ends == pytest.approx(until, abs=0.01)
    undone = await console.runner.undo()
    assert undone.result is Result.DONE, undone
    (back,) = console.cluster.standing()
    assert (back.ends, back.comment) == (current.ends, current.comment)
    assert (await console.runner.undo()).result is Result.DONE
    assert (made.undo != "", console.cluster.standing()) == (True, [])


async def test_undoing_an_extension_after_the_former_end_expires_it(console: Console) -> None:
    await console.runner.silence(draft(console, seconds=600))
    (current,) = console.cluster.standing()
    await console.runner.extend(current, console.clock.now() + 3600)
    console.clock.advance(700)
    undone = await console.runner.undo()
    assert (undone.result, "expired it" in undone.message) == (Result.DONE, True)
    assert console.cluster.standing() == []


async def test_undo_survives_a_restart_and_goes_back_one_at_a_time(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    await console.runner.silence(draft(console))
    runner = console.again()
    last = runner.last_undoable()
    assert last is not None
    assert last.action == "silence"
    assert (await runner.undo()).result is Result.DONE
    assert [s.is_ack for s in console.cluster.standing()] == [True]
    assert (await runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []
    assert runner.last_undoable() is None
    assert (await runner.undo()).result is Result.REFUSED


async def test_two_undos_at_once_take_back_two_actions(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    await console.runner.silence(draft(console))
    first, second = await asyncio.gather(console.runner.undo(), console.runner.undo())
    assert (first.result, "expired the silence on" in first.message) == (Result.DONE, True)
    assert (second.result, "expired the ack on HighErrorRate" in second.message) == (Result.DONE, True)
    assert console.cluster.standing() == []


async def test_undo_is_for_this_user_context_and_day(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    assert console.make("bob").last_undoable() is None
    assert console.make(context="test").last_undoable() is None
    console.clock.advance(25 * 3600)
    assert console.runner.last_undoable() is None


async def test_undo_of_what_ended_by_itself_says_so_and_moves_on(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    console.clock.advance(1000)
    outcome = await console.runner.undo()
    assert (outcome.result, "already ended" in outcome.message) == (Result.DONE, True)
    assert console.runner.last_undoable() is None


async def test_expiring_an_ack_by_hand_leaves_the_expiry_to_undo(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    await console.runner.expire(console.cluster.standing()[0])
    last = console.runner.last_undoable()
    assert last is not None
    assert last.action == "expire"


async def keep(console: Console) -> list[tuple[str, Result]]:
    alerts = (await console.cluster.alerts()).data
    silences = (await console.cluster.silences()).data
    return [(o.action, o.result) for o in await console.runner.keep_acks(alerts, silences)]


async def test_our_acks_are_extended_while_they_fire_and_end_with_the_alert(
    console: Console, alert: Alert
) -> None:
    await console.runner.ack(alert, "x")
    assert await keep(console) == []
    console.clock.advance(11 * 60)
    console.again()
    assert await keep(console) == [("extend", Result.DONE)]
    (kept,) = console.cluster.standing()
    assert kept.ends - console.clock.now() == pytest.approx(900, abs=1)
    console.clock.advance(120)
    console.cluster.resolve(alert)
    console.cluster.failures = ("a member is down",)
    assert await keep(console) == []
    console.cluster.failures = ()
    assert await keep(console) == [("expire", Result.DONE)]
    assert console.cluster.standing() == []
    last = console.runner.last_undoable()
    assert last is None


async def test_acks_of_others_and_plain_silences_are_left_alone(console: Console, alert: Alert) -> None:
    await console.make("bob").ack(alert, "x")
    karma = msgspec.structs.replace(draft(console, seconds=120), comment=safe("ACK! me: by karma [op=00000000]"))
    await console.cluster.post_silence(karma)
    await console.runner.silence(draft(console, seconds=120))
    console.clock.advance(60)
    console.cluster.firing.clear()
    assert await keep(console) == []


async def test_a_stale_list_does_not_end_an_ack(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    silences = (await console.cluster.silences()).data
    assert await console.runner.keep_acks((), silences) == ()
    assert len(console.cluster.standing()) == 1


async def test_keeping_that_fails_waits_before_it_tries_again(console: Console, alert: Alert) -> None:
    await console.runner.ack(alert, "x")
    console.clock.advance(11 * 60)
    console.cluster.before["silence"] = [lost(TimedOut), lost(TimedOut)]
    assert await keep(console) == [("extend", Result.FAILED)]
    assert await keep(console) == []
    console.clock.advance(61)
    assert await keep(console) == [("extend", Result.DONE)]


async def test_nothing_is_done_when_the_journal_cannot_be_written(console: Console, alert: Alert) -> None:
    pages = console.journal._db.execute("PRAGMA page_count").fetchone()[0]
    console.journal._db.execute(f"PRAGMA max_page_count = {pages}")
    outcome = await console.runner.ack(alert, "x" * 200_000)
    assert (outcome.result, "disk is full" in outcome.message) == (Result.FAILED, True)
    assert console.cluster.calls == []


async def test_hostile_labels_stay_raw_in_matchers_and_safe_elsewhere(console: Console) -> None:
    labels = {"alertname": '\x1b]52;c;x\x07"\\\n', "we\u202eird": "\u200b", "empty": ""}
    alert = console.cluster.fire(**labels)
    outcome = await console.runner.ack(alert, "a\nb\x1b[2J")
    assert outcome.result is Result.DONE
    assert is_safe(outcome.message)
    (made,) = console.cluster.standing()
    assert {m.name: m.value for m in made.matchers} == {k: v for k, v in labels.items() if v}
    assert made.reason == "a\\nb\\x1b[2J"


async def test_a_note_is_journalled(console: Console) -> None:
    assert (await console.runner.note(" restarted\nthe pool ")).result is Result.DONE
    assert (await console.runner.note("  ")).result is Result.REFUSED
    (entry,) = console.journal.entries()
    assert (entry.phase, entry.message) == (Phase.NOTE, "restarted\nthe pool")


async def test_an_unknown_cluster_is_refused(console: Console, alert: Alert) -> None:
    other = msgspec.structs.replace(alert, cluster="nope")
    outcome = await console.runner.ack(other, "x")
    assert (outcome.result, "nope" in outcome.message) == (Result.REFUSED, True)
