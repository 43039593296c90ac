"""How a guard looks at flags: never more often than the provider takes, and never blind for one failure."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from opsconsole.clock import ManualClock
from opsconsole.errors import FlagRateLimited, FlagUnavailable, OpsError
from opsconsole.guard.decisions import Watched
from opsconsole.guard.eyes import FlagEyes, sample
from opsconsole.guard.state import RuleState, State
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, Swap
from opsconsole.model.guard import RulePhase
from opsconsole.model.series import QueryResult
from opsconsole.text import SafeText, trusted
from tests.support.guards import GUARD, RULE, flag

WATCHED = (Watched(system="shop", guard=replace(GUARD, interval=5.0), rule=RULE),)
CALM = State(rules={"shop/errors": RuleState(phase=RulePhase.OK)})
BREACH = State(rules={"shop/errors": RuleState(phase=RulePhase.PENDING, run=1, onset=1_767_225_600.0)})


class Provider:
    """A provider and the log of its changes, both counted; `failure` is raised instead of an answer."""

    def __init__(self, limit: float | None = None) -> None:
        self.capabilities = Capabilities(swap=Swap.REREAD, propagation=20.0, rate_limit=limit)
        self.reads = self.logs = 0
        self.since = 0.0
        self.failure: Exception | None = None
        self.log_failure: Exception | None = None
        self.observing_problem: SafeText = trusted("")
        self.observing_since = 0.0

    async def read(self) -> FlagSet:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return FlagSet(provider="test", source=trusted("test"), revision="", flags=(flag("release"),))

    def observe_flags(self, flagset: FlagSet) -> None: ...

    async def flag_changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        self.logs += 1
        self.since = since
        if self.log_failure is not None:
            raise self.log_failure
        return (FlagChange(key="release", at=since, summary=trusted("on")),)


def eyes(provider: Provider) -> tuple[FlagEyes, ManualClock]:
    clock = ManualClock()
    return FlagEyes(provider, provider, clock, WATCHED), clock


async def looks(seen: FlagEyes, clock: ManualClock, state: State, count: int) -> None:
    for _ in range(count):
        await seen.look(state)
        clock.advance(5.0)


async def test_the_log_is_asked_only_while_something_may_be_decided() -> None:
    provider = Provider()
    seen, clock = eyes(provider)
    await looks(seen, clock, CALM, 10)
    assert (provider.reads, provider.logs) == (10, 0)
    view = await seen.look(BREACH)
    assert provider.logs == 1
    assert [change.key for change in view.changes] == ["release"]
    assert provider.since <= BREACH.rules["shop/errors"].onset - GUARD.look_back
    assert view.propagation == 20.0


async def test_a_provider_with_a_limit_is_not_asked_more_often_than_it_takes() -> None:
    provider = Provider(limit=15.0)
    seen, clock = eyes(provider)
    await looks(seen, clock, BREACH, 120)  # ten minutes
    assert (provider.reads + provider.logs) / 10 <= 13.0
    assert provider.reads >= 50


async def test_a_change_that_is_in_the_log_is_in_the_flags_that_were_read() -> None:
    """Else a flag that was just changed would look as if someone had changed it again."""
    provider = Provider(limit=15.0)
    seen, clock = eyes(provider)
    await seen.look(CALM)
    clock.advance(5.0)
    view = await seen.look(BREACH)
    assert (provider.reads, provider.logs) == (2, 1), "read again, though it was read 5 s ago"
    assert view.flags is not None


async def test_what_was_seen_a_moment_ago_will_do() -> None:
    for failure in (FlagUnavailable("timed out"), FlagRateLimited("too many")):
        provider = Provider()
        seen, clock = eyes(provider)
        await looks(seen, clock, BREACH, 2)
        provider.failure = provider.log_failure = failure
        await looks(seen, clock, BREACH, 8)
        view = await seen.look(BREACH)
        assert view.problem == "", "not a minute ago"
        assert view.flags is not None
        await looks(seen, clock, BREACH, 10)
        assert (await seen.look(BREACH)).problem == failure.message


async def test_flags_without_their_log_are_not_enough() -> None:
    provider = Provider()
    provider.log_failure = OpsError("the log cannot be read")
    seen, _ = eyes(provider)
    view = await seen.look(BREACH)
    assert (view.flags, view.problem) == (None, "the log cannot be read")


async def test_a_fault_and_a_journal_that_is_not_written_are_problems() -> None:
    provider = Provider()
    seen, clock = eyes(provider)
    provider.observing_problem = trusted("flag changes are not journalled")
    assert (await seen.look(BREACH)).problem == "flag changes are not journalled"
    provider.failure = ValueError("a fault")
    clock.advance(5.0)
    assert "unexpected ValueError" in (await seen.look(BREACH)).problem


async def test_without_a_provider_nothing_is_known() -> None:
    seen = FlagEyes(None, Provider(), ManualClock(), WATCHED)
    assert (await seen.look(BREACH)).problem == "this context has no flag provider"


async def test_a_provider_that_hangs_keeps_no_rule_waiting() -> None:
    provider = Provider()
    seen, clock = eyes(provider)
    await looks(seen, clock, BREACH, 2)
    never = asyncio.Event()

    async def read() -> FlagSet:
        await never.wait()
        raise AssertionError("it never answers")

    provider.read = read  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        view = await seen.look(BREACH)
    assert (view.problem, view.flags is not None) == ("", True), "what was seen a moment ago will do"
    clock.advance(61)
    assert (await seen.look(BREACH)).problem == "the provider does not answer"
    await seen.aclose()


async def test_flags_whose_log_hangs_do_not_look_like_flags_that_nobody_changed() -> None:
    provider = Provider()
    seen, clock = eyes(provider)
    await looks(seen, clock, CALM, 2)

    async def flag_changes(since: float, key: str = "") -> tuple[FlagChange, ...]:
        await asyncio.Event().wait()
        raise AssertionError("it never answers")

    provider.flag_changes = flag_changes  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        assert (await seen.look(BREACH)).problem == "the provider does not answer"
    await seen.aclose()


async def test_what_was_seen_before_a_write_will_not_do_after_it() -> None:
    provider = Provider()
    seen, clock = eyes(provider)
    await looks(seen, clock, BREACH, 2)
    await seen.forget()
    provider.failure = FlagUnavailable("it is down")
    assert (await seen.look(BREACH)).problem == "it is down"
    provider.failure = None
    clock.advance(5.0)
    assert (await seen.look(BREACH)).problem == ""


async def test_an_answer_that_comes_too_late_to_be_in_a_row_is_none() -> None:
    async def query(expr: str) -> QueryResult:
        await asyncio.Event().wait()
        raise AssertionError("it never answers")

    quick = Watched(system="shop", guard=replace(GUARD, interval=0.0), rule=RULE)
    found = await sample(quick, query, 5.0)
    assert (found.value, found.problem) == (None, "no answer within 2s")
