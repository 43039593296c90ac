"""Edit, extend and bulk expire: bound to what was shown, adopted, never both in force, and undone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opsconsole.actions.writing import moment
from opsconsole.errors import TimedOut, Unreachable
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost

OTHER = (Matcher("alertname", "Else"),)


async def made(console: Console, name: str = "Other", seconds: float = 3600) -> Silence:
    now = console.clock.now()
    draft = Silence(
        matchers=(Matcher("alertname", name),),
        starts_at=moment(now),
        ends_at=moment(now + seconds),
        created_by=safe(""),
        comment=safe("deploying"),
        cluster="main",
    )
    outcome = await console.runner.silence(draft)
    found = await console.cluster.silence(outcome.silence_id)
    assert found is not None, outcome
    return found


def changed(silence: Silence, **more: Any) -> Silence:
    return msgspec.structs.replace(silence, **more)


def only(console: Console) -> Silence:
    (found,) = console.cluster.standing()
    return found


async def test_an_edit_of_end_and_comment_keeps_the_id_and_the_nonce(console: Console) -> None:
    before = await made(console)
    runner = console.make("bob")
    wanted = changed(before, comment=safe("deploying 1.5"), ends_at=moment(before.ends + 600))
    outcome = await runner.edit(before, wanted)
    assert (outcome.result, outcome.silence_id) == (Result.DONE, before.id), outcome
    now = only(console)
    assert now.comment == f"deploying 1.5 [op={before.op}]"
    assert (now.ends, now.created_by) == (before.ends + 600, "bob")
    assert (await runner.undo()).result is Result.DONE
    assert (only(console).comment, only(console).ends, only(console).created_by) == (
        before.comment,
        before.ends,
        "me",
    )
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_edited_matchers_give_a_new_id_and_the_old_state_is_told(console: Console) -> None:
    before = await made(console)
    console.cluster.new_id_on_update = True
    outcome = await console.runner.edit(before, changed(before, matchers=OTHER))
    now = only(console)
    assert outcome.result is Result.DONE, outcome
    assert (outcome.silence_id, now.matchers) == (now.id, OTHER)
    assert f"the old one, {before.id}, is expired" in outcome.message
    assert (await console.runner.undo()).result is Result.DONE
    back = only(console)
    assert back.matchers == before.matchers
    assert back.id not in (before.id, now.id)
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_an_older_edit_is_undone_under_the_id_that_it_has_by_then(console: Console) -> None:
    first = await made(console)
    await console.runner.extend(first, first.ends + 60)
    console.cluster.new_id_on_update = True
    await console.runner.edit(only(console), changed(only(console), matchers=OTHER))
    assert (await console.runner.undo()).result is Result.DONE
    outcome = await console.runner.undo()
    assert outcome.result is Result.DONE, outcome
    assert (only(console).matchers, only(console).ends) == (first.matchers, first.ends)


async def test_never_both_in_force(console: Console) -> None:
    before = await made(console)
    cluster = console.cluster
    end = cluster._end
    cluster.new_id_on_update = True
    cluster._end = lambda id: None  # type: ignore[method-assign] # a server that leaves the old one
    wanted = changed(before, matchers=OTHER)
    loud = await console.runner.edit(before, wanted)
    assert (loud.result, "BOTH ARE IN FORCE" in loud.message) == (Result.FAILED, True)
    assert before.id in loud.hint
    cluster._end = end  # type: ignore[method-assign]
    newest = next(s for s in cluster.standing() if s.id != before.id)
    await console.runner.expire(newest)

    expiring: list[str] = []

    async def expire_silence(id: str) -> None:
        expiring.append(id)
        end(id)

    cluster._end = lambda id: None  # type: ignore[method-assign]
    cluster.expire_silence = expire_silence  # type: ignore[method-assign]
    healed = await console.runner.edit(before, wanted)
    assert (healed.result, expiring) == (Result.DONE, [before.id]), healed
    assert [s.matchers for s in cluster.standing()] == [OTHER]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"comment": safe("alice was here")}, "comment: deploying"),
        ({"created_by": safe("alice")}, "by alice"),
        ({"ends_at": moment(2_000_000_000)}, "end: "),
        ({"matchers": OTHER}, 'matchers: {alertname="Other"} -> {alertname="Else"}'),
    ],
)
async def test_what_another_editor_changed_is_told_and_nothing_is_written(
    console: Console, change: dict[str, Any], says: str
) -> None:
    before = await made(console)
    console.cluster.kept[before.id] = changed(before, **change)
    posts = console.cluster.calls.count("post_silence")
    for outcome in (
        await console.runner.edit(before, changed(before, comment=safe("mine"))),
        await console.runner.extend(before, before.ends + 60),
    ):
        assert (outcome.result, says in outcome.message) == (Result.REFUSED, True), outcome
        assert "nothing was written" in outcome.message
    assert console.cluster.calls.count("post_silence") == posts


async def test_the_journal_says_who_changed_it(console: Console) -> None:
    before = await made(console)
    await console.make("carol").extend(before, before.ends + 60)
    outcome = await console.runner.edit(before, changed(before, comment=safe("mine")))
    assert "by carol with opsconsole at" in outcome.message


async def test_an_undo_does_not_take_ones_own_edit_for_the_change_that_is_in_its_way(console: Console) -> None:
    before = await made(console)
    await console.runner.edit(before, changed(before, comment=safe("mine")))
    (mine,) = console.cluster.standing()
    console.cluster.kept[mine.id] = changed(mine, comment=safe("hers"), created_by=safe("carol"))
    outcome = await console.runner.undo()
    assert outcome.result is Result.REFUSED
    assert "was changed since, by carol\n" in outcome.message
    assert "with opsconsole" not in outcome.message
    console.cluster.kept[mine.id] = changed(mine, ends_at=moment(mine.ends + 600))
    again = await console.runner.edit(mine, changed(mine, comment=safe("mine again")))
    assert "by someone: Alertmanager does not say who" in again.message


async def test_what_took_its_place_is_named(console: Console) -> None:
    before = await made(console)
    console.cluster.new_id_on_update = True
    console.cluster.kept[before.id] = changed(before, updated_at=moment(console.clock.now()))
    await console.make("carol").edit(before, changed(before, matchers=OTHER))
    new = only(console)
    console.cluster.kept[new.id] = changed(new, updated_at=moment(console.clock.now()))
    outcome = await console.runner.edit(before, changed(before, comment=safe("mine")))
    assert outcome.result is Result.REFUSED
    assert f'{new.id} took its place: {{alertname="Else"}}' in outcome.message
    assert "state: active -> expired" in outcome.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "nothing was changed"),
        ({"comment": safe("  ")}, "needs a comment"),
        ({"matchers": (Matcher("a", ".*", is_regex=True),)}, "every alert"),
        ({"ends_at": moment(1)}, "already have ended"),
    ],
)
async def test_edits_that_are_refused(console: Console, change: dict[str, Any], says: str) -> None:
    before = await made(console)
    outcome = await console.runner.edit(before, changed(before, **change))
    assert (outcome.result, says in outcome.message) == (Result.REFUSED, True), outcome
    assert only(console) == before


async def test_an_edit_of_what_ended_or_is_gone_is_refused(console: Console) -> None:
    before = await made(console, seconds=60)
    console.clock.advance(61)
    ended = await console.cluster.silence(before.id)
    assert ended is not None
    assert "ended at" in (await console.runner.edit(ended, changed(ended, comment=safe("x")))).message
    del console.cluster.kept[before.id]
    assert "is gone" in (await console.runner.extend(before, console.clock.now() + 60)).message


@pytest.mark.parametrize("new_id", [False, True])
async def test_an_edit_without_an_answer_is_found_and_not_written_twice(console: Console, new_id: bool) -> None:
    before = await made(console)
    console.cluster.new_id_on_update = new_id
    console.cluster.after["post_silence"] = [lost(TimedOut)]
    posts = console.cluster.calls.count("post_silence")
    wanted = changed(before, comment=safe("second"), matchers=OTHER if new_id else before.matchers)
    outcome = await console.runner.edit(before, wanted)
    assert outcome.result is Result.DONE, outcome
    assert only(console).id == outcome.silence_id
    assert console.cluster.calls.count("post_silence") == posts + 1


async def test_an_edit_that_was_lost_is_not_known_and_not_repeated(console: Console) -> None:
    before = await made(console)
    console.cluster.before["post_silence"] = [lost(TimedOut)]
    outcome = await console.runner.edit(before, changed(before, comment=safe("second")))
    assert outcome.result is Result.AMBIGUOUS
    assert only(console).comment == before.comment


async def test_undo_moves_the_end_back_unless_it_was_moved_again(console: Console) -> None:
    before = await made(console)
    await console.runner.extend(before, before.ends + 600)
    assert (await console.runner.undo()).result is Result.DONE
    assert only(console).ends == before.ends

    await console.runner.extend(before, before.ends + 600)
    now = only(console)
    await console.make("bob").extend(now, now.ends + 60)
    refused = await console.runner.undo()
    assert (refused.result, "extend of" in refused.message) == (Result.REFUSED, True), refused
    assert "by bob" in refused.message
    assert "the next undo goes on" in refused.hint
    last = console.again().last_undoable()
    assert last is not None
    assert last.action == "silence"
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_what_would_have_ended_before_an_edit_is_expired_by_its_undo(console: Console) -> None:
    before = await made(console, seconds=60)
    await console.runner.edit(before, changed(before, ends_at=moment(before.ends + 600), comment=safe("longer")))
    console.clock.advance(61)
    outcome = await console.runner.undo()
    assert (outcome.result, "would have ended" in outcome.message) == (Result.DONE, True)
    assert console.cluster.standing() == []


async def test_an_undo_that_failed_is_tried_again(console: Console) -> None:
    await made(console)
    console.cluster.before["silences"] = [lost(Unreachable, sent=False)]
    assert (await console.runner.undo()).result is Result.FAILED
    assert (await console.runner.undo()).result is Result.DONE
    assert console.cluster.standing() == []


async def test_one_undo_brings_all_of_a_bulk_expiry_back(console: Console) -> None:
    silences = [await made(console, name) for name in ("One", "Two", "Three")]
    outcomes = await console.runner.expire_all(silences)
    assert [o.result for o in outcomes] == [Result.DONE] * 3
    assert console.cluster.standing() == []
    undone = await console.again().undo()
    assert (undone.result, undone.message) == (Result.DONE, "undid 3 of 3 expiries")
    back = {m.value for s in console.cluster.standing() for m in s.matchers}
    assert back == {"One", "Two", "Three"}


async def test_a_bulk_undo_that_fails_half_way_says_so_and_goes_on_with_the_rest(console: Console) -> None:
    silences = [await made(console, name) for name in ("One", "Two")]
    await console.runner.expire_all(silences)
    console.cluster.before["post_silence"] = [lost(Unreachable, sent=False)]
    half: Outcome = await console.runner.undo()
    assert (half.result, "undid 1 of 2" in half.message) == (Result.FAILED, True)
    assert (await console.runner.undo()).result is Result.DONE
    assert len(console.cluster.standing()) == 2


async def test_undoing_the_expiry_of_a_pending_silence_does_not_start_it(console: Console) -> None:
    now = console.clock.now()
    draft = Silence(
        matchers=OTHER,
        starts_at=moment(now + 1000),
        ends_at=moment(now + 2000),
        created_by=safe(""),
        comment=safe("later"),
        cluster="main",
    )
    outcome = await console.runner.silence(draft)
    pending = await console.cluster.silence(outcome.silence_id)
    assert pending is not None
    await console.runner.expire(pending)
    assert (await console.runner.undo()).result is Result.DONE
    (back,) = console.cluster.standing("pending")
    assert back.starts_at == draft.starts_at
