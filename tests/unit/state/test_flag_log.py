"""The provider's own log of flag changes: how often it is asked, and what its failures mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsconsole.checks.flags import check_changes
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.clients.sources import Sources
from opsconsole.clock import ManualClock
from opsconsole.errors import FlagError, FlagRateLimited, FlagUnavailable, SourceError
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, Swap
from opsconsole.model.verdicts import Level
from opsconsole.state.polls import Polls
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import trusted


class Provider:
    """A provider with a log; counts what it is asked."""

    name = "scripted"
    source = trusted("scripted")

    def __init__(self, *, change_log: bool = True) -> None:
        self.capabilities = Capabilities(swap=Swap.REREAD, change_log=change_log)
        self.revision = "1"
        self.log: list[FlagChange] = []
        self.asked = 0
        self.fails: FlagError | None = None
        self.read_fails: FlagError | None = None

    async def read(self) -> FlagSet:
        if self.read_fails is not None:
            raise self.read_fails
        return FlagSet(provider=self.name, source=self.source, revision=self.revision, flags=())

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return tuple(c for c in self.log if c.at >= since)


def polls_of(provider: Provider, clock: ManualClock) -> Polls:
    sources = SimpleNamespace(
        flags=cast("FlagProvider", provider),
        prometheus=None,
        clusters={},
        wants_discovery=False,
        context=None,
        guard=lambda: None,
    )
    snapshot = Snapshot(context=ContextInfo(name=trusted("t")), now=clock.now())
    return Polls(snapshot, cast("Sources", sources), clock, refresh=5.0, journal=lambda: (), changed=lambda: None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def change(clock: ManualClock, ago: float = 60.0, **fields: Any) -> FlagChange:
    return FlagChange(key="f", at=clock.now() - ago, summary=trusted("off -> on"), after_hash="1", **fields)


async def test_it_is_asked_seldom_and_at_once_when_the_flags_changed(clock: ManualClock) -> None:
    provider = Provider()
    polls = polls_of(provider, clock)
    for seconds, asked in ((0, 1), (5, 1), (20, 1), (10, 2), (5, 2)):
        clock.advance(seconds)
        await polls.poll_flags()
        assert provider.asked == asked
    provider.revision = "2"
    await polls.poll_flags()
    assert provider.asked == 3


async def test_both_records_are_told_as_one(clock: ManualClock) -> None:
    provider = Provider()
    polls = polls_of(provider, clock)
    provider.log = [change(clock, who=trusted("ann"), exact=True, id="7")]
    polls.changes = lambda: (change(clock, ago=55.0), change(clock, ago=3000.0))
    await polls.poll_flags()
    assert [(c.id, c.who) for c in polls.snapshot.changes] == [("7", "ann"), ("", "")]


async def test_a_log_that_fails_is_named_and_the_flags_stay_known(clock: ManualClock) -> None:
    provider = Provider()
    polls = polls_of(provider, clock)
    provider.fails = FlagUnavailable("no answer", hint="look at it")
    await polls.poll_flags()
    snapshot = polls.snapshot
    assert snapshot.flags is not None
    assert snapshot.flag_log is not None
    assert snapshot.flags.known(clock.now())
    assert snapshot.flag_log.why(clock.now()) == "flags unavailable: no answer"
    (verdict,) = check_changes(snapshot)
    assert (verdict.level, "no answer" in verdict.reason) == (Level.UNKNOWN, True)
    provider.fails = None
    clock.advance(31)
    await polls.poll_flags()
    (verdict,) = check_changes(polls.snapshot)
    assert verdict.level is Level.OK


async def test_a_wait_that_the_provider_asks_for_is_kept(clock: ManualClock) -> None:
    provider = Provider()
    polls = polls_of(provider, clock)
    limited = FlagRateLimited("too many requests")
    limited.retry_after = 90.0
    provider.fails = limited
    await polls.poll_flags()
    provider.revision = "2"
    clock.advance(80)
    await polls.poll_flags()
    assert provider.asked == 1
    clock.advance(11)
    await polls.poll_flags()
    assert provider.asked == 2
    provider.read_fails = limited
    with pytest.raises(SourceError) as failed:
        await polls.poll_flags()
    assert failed.value.retry_after == 90.0, "the poller waits that long"


async def test_a_provider_without_a_log_is_not_asked(clock: ManualClock) -> None:
    provider = Provider(change_log=False)
    polls = polls_of(provider, clock)
    polls.changes = lambda: (change(clock),)
    await polls.poll_flags()
    assert (provider.asked, polls.snapshot.flag_log, len(polls.snapshot.changes)) == (0, None, 1)
