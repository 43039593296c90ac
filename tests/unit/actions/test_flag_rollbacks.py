"""Which rollback it is, and what becomes of a write that fails on the way: with a real file and journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from opsconsole.clients.flags.flagd import FlagdProvider
from opsconsole.errors import (
    ApprovalRequired,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnavailable,
    FlagUnsupported,
    Refused,
)
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, RollbackKind, RollbackPlan, Swap
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import safe
from tests.unit.actions.conftest import FLAGS, Console

HALF = {"if": [{"<": [{"var": "n"}, 50]}, "on", "off"]}


def change(console: Console, key: str = "new_pricing", **fields: object) -> None:
    data = json.loads(console.flags_file.read_text())
    data["flags"][key] |= fields
    console.flags_file.write_text(json.dumps(data))


def serves(console: Console, key: str = "new_pricing") -> tuple[str, bool]:
    flag: dict[str, Any] = json.loads(console.flags_file.read_text())["flags"][key]
    return flag["defaultVariant"], bool(flag.get("targeting"))


async def observe(console: Console) -> None:
    console.runner.observe_flags(await console.flags.read())
    console.clock.advance(60)


def intent(console: Console, op: str) -> Entry:
    return next(e for e in console.journal.entries(op=op) if e.phase is Phase.INTENT)


class Scripted(FlagdProvider):
    """A file behind a provider that keeps a log and fails when told to: `fails` before or after it has written,
    `unread` for so many readings after that, each of which takes `slow` seconds."""

    def __init__(self, console: Console, **can: Any) -> None:
        super().__init__(console.flags_file)
        self.capabilities = Capabilities(swap=Swap.ATOMIC, **can)
        self.log: tuple[FlagChange, ...] = ()
        self.log_fails = False
        self.reasons: list[str] = []
        self.fails: FlagError | None = None
        self.writes = True
        self.unread = 0
        self.slow = 0.0
        self.before_failing: Callable[[], None] = lambda: None
        self._clock = console.clock
        self._written = False

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        if self.log_fails:
            raise FlagUnavailable("no answer")
        return tuple(c for c in self.log if c.at >= since)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        self.reasons.append(reason)
        revision = await super().apply(plan, reason) if self.writes else ""
        self._written = True
        if self.fails is not None:
            self.before_failing()
            raise self.fails
        return revision

    async def read(self) -> FlagSet:
        if self._written and self.unread > 0:
            self._clock.advance(self.slow)
            self.unread -= 1
            raise FlagUnavailable("no answer")
        return await super().read()


def scripted(console: Console, **can: Any) -> Scripted:
    provider = Scripted(console, **can)
    console.flags = provider
    console.runner = console.make()
    return provider


def sent(error: FlagError) -> FlagError:
    error.sent = True
    return error


async def test_the_last_change_is_undone_from_our_own_journal_after_a_restart(console: Console) -> None:
    change(console, targeting=HALF)
    await observe(console)
    before = console.flags_file.read_text()
    change(console, targeting={})
    await observe(console)
    runner = console.again()
    proposal = await runner.proposal("new_pricing")
    assert proposal.words == "undo the last change: on -> on, with targeting"
    plan = await runner.plan_rollback("new_pricing")
    assert (plan.kind, plan.words) == (RollbackKind.UNDO, f"new_pricing: {proposal.words}")
    outcome = await runner.rollback(plan, "errors rose")
    assert outcome.result is Result.DONE, outcome.message
    assert json.loads(console.flags_file.read_text()) == json.loads(before)
    detail = intent(console, outcome.op).detail
    assert (detail["kind"], detail["reason"]) == ("undo", "errors rose")
    assert (await console.again().undo()).result is Result.DONE, "the undo of an undo is a restore"
    assert serves(console) == ("on", False)


async def test_a_turn_off_is_undone(console: Console) -> None:
    await observe(console)
    change(console, defaultVariant="off", targeting={})
    plan = await console.runner.plan_rollback("new_pricing")
    assert plan.kind is RollbackKind.UNDO
    await console.runner.rollback(plan)
    assert serves(console) == ("on", True)


async def test_what_was_off_before_is_turned_off(console: Console) -> None:
    await observe(console)
    change(console, "dark_mode", defaultVariant="on")
    plan = await console.runner.plan_rollback("dark_mode")
    assert plan.kind is RollbackKind.OFF
    undo = await console.runner.plan_rollback("dark_mode", RollbackKind.UNDO)
    assert undo.words == "dark_mode: undo the last change: on -> off"


async def test_an_unknown_last_change_is_not_undone(console: Console) -> None:
    with pytest.raises(Refused, match="no change of it is known"):
        await console.runner.plan_rollback("new_pricing", RollbackKind.UNDO)
    with pytest.raises(FlagNotFound):
        await console.runner.plan_rollback("nothing")


async def test_long_definitions_are_not_journalled(console: Console) -> None:
    await observe(console)
    change(console, metadata={"x": "y" * 40_000})
    await observe(console)
    change(console, metadata={"x": "z"})
    await observe(console)
    runner = console.again()
    await observe(console)
    (last, first) = (c for c in runner.changes() if c.key == "new_pricing")
    assert (first.before != "", first.after, last.before) == (True, "", "")
    with pytest.raises(Refused, match="what stood before its last change is not known"):
        await runner.plan_rollback("new_pricing", RollbackKind.UNDO)
    assert (await runner.proposal("new_pricing")).kind is RollbackKind.OFF


async def test_a_version_of_the_providers_log_is_brought_back(console: Console) -> None:
    provider = scripted(console, change_log=True, revert=True)
    former = '{"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}'
    provider.log = (
        FlagChange(key="new_pricing", at=console.clock.now() - 90, summary=safe("x"), after=former, version="7"),
    )
    plan = await console.runner.plan_rollback("new_pricing", version="7")
    assert (plan.kind, plan.version, plan.words) == (
        RollbackKind.REVERT,
        "7",
        "new_pricing: revert to version 7",
    )
    outcome = await console.runner.rollback(plan)
    assert (serves(console), intent(console, outcome.op).detail["version"]) == (("off", False), "7")
    with pytest.raises(Refused, match="version 8 of new_pricing is not in its log") as refused:
        await console.runner.plan_rollback("new_pricing", version="8")
    assert refused.value.hint == "versions: 7"


async def test_the_providers_own_log_says_what_stood_before(console: Console) -> None:
    provider = scripted(console, change_log=True)
    provider.log = (
        FlagChange(
            key="new_pricing",
            at=console.clock.now() - 90,
            summary=safe("targeting"),
            who=safe("ann"),
            before=json.dumps({**json.loads(FLAGS)["flags"]["new_pricing"], "targeting": HALF}),
            before_off=False,
        ),
    )
    plan = await console.runner.plan_rollback("new_pricing")
    assert plan.kind is RollbackKind.UNDO


async def test_a_log_that_cannot_be_read_keeps_nobody_from_rolling_back(console: Console) -> None:
    provider = scripted(console, change_log=True)
    provider.log_fails = True
    proposal = await console.runner.proposal("new_pricing")
    assert proposal.kind is RollbackKind.OFF
    assert "the provider's log cannot be read: no answer" in proposal.why
    assert (await console.runner.plan_rollback("new_pricing")).kind is RollbackKind.OFF
    with pytest.raises(Refused, match="log cannot be read"):
        await console.runner.plan_rollback("new_pricing", RollbackKind.UNDO)


@pytest.mark.parametrize(
    ("can", "kind", "words"),
    [
        ({"off": False}, RollbackKind.OFF, "cannot turn a flag off"),
        ({"undo": False}, RollbackKind.UNDO, "cannot write a former definition back"),
        ({}, RollbackKind.REVERT, "cannot revert to a version"),
    ],
)
async def test_what_a_provider_cannot_do_is_refused(
    console: Console, can: dict[str, Any], kind: RollbackKind, words: str
) -> None:
    scripted(console, **can)
    with pytest.raises(FlagUnsupported, match=words):
        await console.runner.plan_rollback("new_pricing", kind, "7")


async def rolled_back(console: Console, **how: Any) -> Any:
    plan = await console.runner.plan_rollback("new_pricing", RollbackKind.OFF)
    return await console.runner.rollback(plan, **how)


async def test_the_provider_is_given_the_reason_and_who_and_the_op(console: Console) -> None:
    provider = scripted(console)
    outcome = await rolled_back(console, reason="errors rose")
    await console.runner.restore("new_pricing")
    assert provider.reasons[0] == f"errors rose, by me [opsconsole {outcome.op}]"
    assert provider.reasons[1].startswith("restore, by me [opsconsole ")


async def test_the_reason_is_told_with_the_change(console: Console) -> None:
    await observe(console)
    await rolled_back(console, reason="errors\x1b[2J rose")
    await console.runner.restore("new_pricing")
    restored, back = console.runner.changes()
    assert back.summary.startswith("rolled back: ")
    assert back.summary.endswith(" (errors\\x1b[2J rose)"), back.summary
    assert "errors" not in restored.summary


async def test_what_half_a_write_did_is_told(console: Console) -> None:
    provider = scripted(console)
    words = "done: turn off; then remove default failed: 500; it now is off"
    provider.fails = sent(FlagUnavailable(words, where="http://unleash"))
    provider.writes = False
    plan = await console.runner.plan_rollback("new_pricing", RollbackKind.OFF)

    def half_done() -> None:
        change(console, defaultVariant="off")

    begun = console.clock.now()
    provider.before_failing = half_done
    outcome = await console.runner.rollback(plan)
    assert outcome.result is Result.FAILED
    assert words in outcome.message
    assert "someone else" not in outcome.hint
    assert console.clock.now() == begun, "there is nothing to wait for"


async def test_a_provider_that_answers_slowly_is_not_asked_for_longer(console: Console) -> None:
    provider = scripted(console)
    provider.fails, provider.unread = sent(FlagUnavailable("timed out")), 1000
    provider.slow = 10.0
    begun = console.clock.now()
    outcome = await rolled_back(console)
    assert outcome.result is Result.AMBIGUOUS
    assert console.clock.now() - begun <= 30.0


async def test_a_restore_does_what_was_shown_or_nothing(console: Console) -> None:
    await rolled_back(console)
    shown = await console.runner.plan_restore("new_pricing")
    await console.make("bob").restore("new_pricing")
    change(console, targeting=HALF)
    other = console.make("bob")
    await other.rollback(await other.plan_rollback("new_pricing", RollbackKind.OFF))
    for restore in (console.runner.restore("new_pricing", shown), console.runner.rollback(shown)):
        outcome = await restore
        assert (outcome.result, "another rollback" in outcome.message) == (Result.REFUSED, True), outcome
    assert serves(console) == ("off", False)
    shown = await console.runner.plan_restore("new_pricing")
    assert (await console.runner.restore("new_pricing", shown)).result is Result.DONE


async def test_a_write_that_failed_after_it_was_sent_is_looked_for(console: Console) -> None:
    provider = scripted(console)
    provider.fails = sent(FlagUnavailable("timed out"))
    provider.unread = 2
    begun = console.clock.now()
    outcome = await rolled_back(console)
    assert (outcome.result, serves(console)) == (Result.DONE, ("off", False))
    assert (len(provider.reasons), console.clock.now() - begun) == (1, 1.5)


async def test_a_write_that_did_not_arrive_is_not_repeated(console: Console) -> None:
    provider = scripted(console, propagation=8.0)
    provider.fails, provider.writes = sent(FlagUnavailable("timed out")), False
    begun = console.clock.now()
    outcome = await rolled_back(console)
    assert (outcome.result, outcome.message) == (Result.FAILED, "timed out")
    assert (len(provider.reasons), console.clock.now() - begun) == (1, 8.0)
    assert serves(console) == ("on", True)


async def test_what_cannot_be_read_back_is_not_known(console: Console) -> None:
    provider = scripted(console)
    provider.fails, provider.unread = sent(FlagUnavailable("timed out")), 1000
    outcome = await rolled_back(console)
    assert outcome.result is Result.AMBIGUOUS
    assert "not known whether flag new_pricing was written: timed out" in outcome.message
    assert "not tried again" in outcome.hint
    assert len(provider.reasons) == 1
    provider.fails = None
    console.flags_file.write_text(FLAGS)
    provider.unread = 0
    plan = await console.runner.plan_rollback("new_pricing", RollbackKind.OFF)
    provider.unread = 1000
    provider._written = False
    again = await console.runner.rollback(plan)
    assert again.result is Result.AMBIGUOUS, "a write that said it worked is not believed either"


async def test_a_slow_provider_is_waited_for_no_longer_than_it_may_take(console: Console) -> None:
    provider = scripted(console, propagation=600.0)
    provider.writes = False
    begun = console.clock.now()
    outcome = await rolled_back(console)
    assert (outcome.result, "still reads back as it was" in outcome.message) == (Result.FAILED, True)
    assert console.clock.now() - begun == 30.0


@pytest.mark.parametrize("error", [ApprovalRequired("needs approval"), FlagRateLimited("too many requests")])
async def test_what_was_refused_is_told_at_once_and_never_counts_as_done(
    console: Console, error: FlagError
) -> None:
    provider = scripted(console)
    provider.fails, provider.writes = error, False
    begun = console.clock.now()
    outcome = await rolled_back(console)
    assert outcome.result in (Result.REFUSED, Result.FAILED)
    assert (outcome.message, console.clock.now()) == (error.message, begun)
    assert console.runner.last_undoable() is None
    restored = await console.runner.restore("new_pricing")
    assert "no rollback" in restored.message


async def test_the_last_word_before_the_write_is_the_hooks(console: Console) -> None:
    def stop() -> None:
        raise Refused("the kill switch is pulled")

    provider = scripted(console)
    extra = {"automatic": True, "rule": "errors", "incident": "i-1"}
    outcome = await rolled_back(console, extra=extra, before_write=stop)
    assert (outcome.result, outcome.message) == (Result.REFUSED, "the kill switch is pulled")
    assert (provider.reasons, serves(console)) == ([], ("on", True))
    assert extra.items() <= intent(console, outcome.op).detail.items()
    hooked: list[Callable[[], None]] = []
    done = await rolled_back(console, extra=extra, before_write=lambda: hooked.append(stop))
    assert (done.result, len(hooked)) == (Result.DONE, 1)


async def test_a_restore_by_a_person_is_seen(console: Console) -> None:
    await observe(console)
    outcome = await rolled_back(console, extra={"automatic": True})
    after = str(intent(console, outcome.op).detail["after_hash"])
    assert await console.runner.changed_since("new_pricing", after) is None
    console.clock.advance(60)
    change(console, defaultVariant="on")
    found = await console.runner.changed_since("new_pricing", after)
    assert found is not None
    assert (found.ours, found.summary) == (False, "off -> on")
    data = json.loads(console.flags_file.read_text())
    del data["flags"]["new_pricing"]
    console.flags_file.write_text(json.dumps(data))
    gone = await console.runner.changed_since("new_pricing", after)
    assert gone is not None
    assert gone.summary == "removed"


@pytest.mark.parametrize("kind", [RollbackKind.OFF, RollbackKind.UNDO])
async def test_a_cut_off_rollback_of_any_kind_is_settled(console: Console, kind: RollbackKind) -> None:
    change(console, targeting=HALF)
    await observe(console)
    change(console, targeting={})
    await observe(console)
    plan = await console.runner.plan_rollback("new_pricing", kind)
    after = console.flags.content_hash(plan.replacement)
    detail = {
        "key": plan.key,
        "source": console.flags.source,
        "kind": kind.name.lower(),
        "original": plan.original,
        "before_hash": plan.revision,
        "after_hash": after,
        "process": {"host": "bastion", "pid": 2**22 + 1, "started": "x"},
    }
    console.journal.record("op1", Phase.INTENT, "rollback", plan.key, "me", "prod", Result.OPEN, "", detail)
    await console.flags.apply(plan)
    (settled,) = await console.again().settle()
    assert (settled.result, "rolled back: adopted" in settled.message) == (Result.DONE, True)
    assert (await console.runner.restore("new_pricing")).result is Result.DONE
    assert serves(console) == ("on", False)
