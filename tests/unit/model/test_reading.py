"""A source's state from poll to poll, and the clocks."""

from __future__ import annotations

import time

from opsconsole.clock import ManualClock, SystemClock
from opsconsole.model.reading import Failure, Freshness, Reading
from opsconsole.text import trusted

DOWN = Failure(kind="unreachable", message=trusted("connection refused"))


def test_nothing_asked_is_waiting() -> None:
    reading = Reading[int]()
    assert reading.freshness(0) is Freshness.WAITING
    assert not reading.known(0)
    assert reading.age(0) is None
    assert reading.why(0) == "not asked yet"


def test_a_good_answer_is_fresh_until_its_limit() -> None:
    reading = Reading[int](limit=10).good(7, 100)
    assert reading.freshness(110) is Freshness.FRESH
    assert reading.known(110)
    assert reading.why(110) == ""
    assert reading.freshness(110.1) is Freshness.STALE
    assert not reading.known(110.1)
    assert reading.age(142) == 42
    assert reading.why(142) == "no answer for 42s"


def test_a_failure_keeps_the_data_and_when_it_began() -> None:
    reading = Reading[int](limit=10).good(7, 100).failed(DOWN, 105).failed(DOWN, 110)
    assert (reading.data, reading.at, reading.failing_since) == (7, 100, 105)
    assert reading.freshness(110) is Freshness.FAILED
    assert not reading.known(110)
    assert reading.why(110) == "unreachable: connection refused"


def test_a_failure_before_any_answer_has_no_data() -> None:
    reading = Reading[int]().failed(DOWN, 5)
    assert (reading.data, reading.failing_since) == (None, 5)
    assert reading.freshness(5) is Freshness.FAILED


def test_an_answer_after_failures_clears_them() -> None:
    reading = Reading[int](limit=10).good(7, 100).failed(DOWN, 105).good(8, 120)
    assert (reading.data, reading.failure, reading.limit) == (8, None, 10)
    assert reading.known(121)
    assert reading.failed(DOWN, 130).failing_since == 130


def test_warnings_make_it_partial() -> None:
    reading = Reading[int]().good(7, 100, (trusted("half"),))
    assert reading.freshness(100) is Freshness.FRESH
    assert not reading.known(100)
    assert reading.why(100) == "partial: half"
    assert reading.good(8, 101).known(101)


def test_a_falsy_answer_is_an_answer() -> None:
    assert Reading[tuple[int, ...]]().good((), 1).known(1)
    assert Reading[int]().good(0, 1).known(1)


def test_the_manual_clock_moves_both_times_only_when_told() -> None:
    clock = ManualClock(now=50.0)
    before = clock.monotonic()
    assert clock.now() == 50.0
    clock.advance(2.5)
    assert clock.now() == 52.5
    assert clock.monotonic() - before == 2.5


def test_the_system_clock_is_the_machine_s() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
