"""Two people change one silence between each other's reading and writing: one of both stands, and one is told."""

from __future__ import annotations

import msgspec
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.errors import Unreachable
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.unit.actions.conftest import Console
from tests.unit.actions.fake_cluster import lost

OTHER = (Matcher("alertname", "Else"),)
THIRD = (Matcher("alertname", "Third"),)


class Between:
    """Does `meanwhile` once, between a reading and the write that follows it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.meanwhile: list[tuple[Runner, str, Silence]] = []
        self.outcomes: list[Outcome] = []
        self._post = console.cluster.post_silence
        console.cluster.post_silence = self._first  # type: ignore[method-assign]

    async def _first(self, silence: Silence) -> str:
        while self.meanwhile:
            runner, action, subject = self.meanwhile.pop()
            if action == "expire":
                self.outcomes.append(await runner.expire(subject))
            else:
                wanted = msgspec.structs.replace(subject, matchers=THIRD)
                self.outcomes.append(await runner.edit(subject, wanted))
            self.console.clock.advance(0.01)
        if silence.id:
            kept = self.console.cluster.kept[silence.id]
            self.console.cluster.new_id_on_update = kept.matchers != silence.matchers
        return await self._post(silence)


@pytest.fixture
async def silence(console: Console) -> Silence:
    now = console.clock.now()
    draft = Silence(
        matchers=(Matcher("alertname", "Other"),),
        starts_at=moment(now),
        ends_at=moment(now + 3600),
        created_by=safe(""),
        comment=safe("deploying"),
        cluster="main",
    )
    found = await console.cluster.silence((await console.runner.silence(draft)).silence_id)
    assert found is not None
    return found


async def test_of_two_edits_at_once_the_first_stands_and_the_second_is_told(
    console: Console, silence: Silence
) -> None:
    between = Between(console)
    between.meanwhile.append((console.make("bob"), "edit", silence))
    second = await console.runner.edit(silence, msgspec.structs.replace(silence, matchers=OTHER))
    assert [o.result for o in between.outcomes] == [Result.DONE]
    assert (second.result, "bob changed silence" in second.message) == (Result.REFUSED, True), second
    (stands,) = console.cluster.standing()
    assert (stands.matchers, stands.created_by) == (THIRD, "bob")


async def test_an_extension_does_not_bring_back_what_was_expired_at_that_moment(
    console: Console, silence: Silence
) -> None:
    between = Between(console)
    between.meanwhile.append((console.make("bob"), "expire", silence))
    outcome = await console.runner.extend(silence, silence.ends + 600)
    assert (outcome.result, "ended at the same moment" in outcome.message) == (Result.REFUSED, True), outcome
    assert console.cluster.standing() == []


async def test_what_cannot_be_taken_back_is_said_aloud(console: Console, silence: Silence) -> None:
    between = Between(console)
    between.meanwhile.append((console.make("bob"), "edit", silence))
    console.cluster.before["expire_silence"] = [lost(Unreachable, sent=False)]
    outcome = await console.runner.edit(silence, msgspec.structs.replace(silence, matchers=OTHER))
    assert (outcome.result, "BOTH ARE IN FORCE" in outcome.message) == (Result.FAILED, True), outcome
    assert len(console.cluster.standing()) == 2


async def test_undoing_an_expiry_does_not_acknowledge_what_someone_else_has_by_now(console: Console) -> None:
    alert = console.cluster.fire(alertname="HighErrorRate")
    made = await console.runner.ack(alert, "x")
    mine = await console.cluster.silence(made.silence_id)
    assert mine is not None
    assert (await console.runner.expire(mine)).result is Result.DONE
    theirs = await console.make("bob").ack(alert, "mine now")
    assert theirs.result is Result.DONE
    undone = await console.runner.undo()
    assert (undone.result, "first by bob" in undone.message) == (Result.REFUSED, True), undone
    assert [s.id for s in console.cluster.standing()] == [theirs.silence_id]
