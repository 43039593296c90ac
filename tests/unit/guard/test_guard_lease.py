"""Rule 10, one writer: of several guards the one that holds the lease acts, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from opsconsole.clock import ManualClock
from opsconsole.guard.lease import LeaseFile
from tests.support.lease_process import LeaseProcess

LIMIT = 30.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def lease(tmp_path: Path, clock: ManualClock, name: str, *, ttl: float = 30.0) -> LeaseFile:
    return LeaseFile(
        tmp_path / "guard" / "lease.db", host=f"host-{name}", ttl=ttl, elapsed=clock.monotonic, owner=name
    )


def test_one_of_two_holds_it_and_both_know_who(tmp_path: Path, clock: ManualClock) -> None:
    one, two = lease(tmp_path, clock, "one"), lease(tmp_path, clock, "two")
    assert one.hold()
    assert not two.hold()
    assert one.hold()
    here = f"(process {os.getpid()})"
    assert (one.holder(), two.holder()) == (f"host-one {here}", f"host-one {here}")
    assert one.path.stat().st_mode & 0o777 == 0o600


def test_it_is_taken_over_only_after_it_has_stood_unchanged_for_the_whole_time(
    tmp_path: Path, clock: ManualClock
) -> None:
    one, two = lease(tmp_path, clock, "one"), lease(tmp_path, clock, "two")
    one.hold()
    clock.advance(100.0)
    assert not two.hold(), "how old the row is when it is first seen is not known"
    clock.advance(29.0)
    assert not two.hold()
    assert one.hold()
    clock.advance(29.0)
    assert not two.hold(), "it was renewed meanwhile"
    clock.advance(29.9)
    assert not two.hold()
    clock.advance(0.2)
    assert two.hold()
    assert not one.hold(), "the old holder must find out before it writes"
    assert one.holder().startswith("host-two")


def test_released_it_is_free_at_once_and_only_the_holder_can_release(tmp_path: Path, clock: ManualClock) -> None:
    one, two = lease(tmp_path, clock, "one"), lease(tmp_path, clock, "two")
    one.release()
    one.hold()
    two.release()
    assert not two.hold()
    one.release()
    assert two.hold()


def test_a_renewal_that_took_too_long_does_not_count(tmp_path: Path) -> None:
    ticks = iter([0.0, 26.0, 26.0, 27.0])
    slow = LeaseFile(tmp_path / "lease.db", host="h", ttl=30.0, margin=5.0, elapsed=lambda: next(ticks))
    assert not slow.hold(), "less than the time of one write is left of it"
    assert slow.hold()


def test_a_file_that_vanishes_lets_two_not_both_believe_that_they_hold_it(
    tmp_path: Path, clock: ManualClock
) -> None:
    one, two = lease(tmp_path, clock, "one"), lease(tmp_path, clock, "two")
    one.hold()
    one.path.unlink()
    assert two.hold()
    assert not one.hold()


@pytest.mark.parametrize("broken", ["text", "folder", "foreign", "damaged", "unwritable"])
def test_any_doubt_is_no(tmp_path: Path, clock: ManualClock, broken: str) -> None:
    one = lease(tmp_path, clock, "one")
    assert one.hold()
    one.path.unlink()
    if broken == "text":
        one.path.write_text("this is not a database, but is long enough to be looked at\n" * 40)
    elif broken == "folder":
        one.path.mkdir()
    elif broken == "foreign":
        with sqlite3.connect(one.path) as db:
            db.execute("CREATE TABLE other (x)")
        db.close()
    elif broken == "damaged":
        one.hold()
        with sqlite3.connect(one.path) as db:
            db.execute("UPDATE lease SET owner = 'two', renewed = 'often'")
        db.close()
    else:
        one.path.parent.rmdir()
        one.path.parent.write_text("a file where the folder should be")
    assert not one.hold()
    assert str(one.path.parent) in one.problem
    assert one.holder() == ""
    one.release()


def test_a_lease_that_another_process_is_writing_for_too_long_is_no(tmp_path: Path, clock: ManualClock) -> None:
    one = lease(tmp_path, clock, "one")
    one.hold()
    other = sqlite3.connect(one.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert not one.hold()
        assert "locked" in one.problem
    finally:
        other.close()
    assert one.hold()


def test_a_killed_process_is_followed_by_another_after_the_time(tmp_path: Path) -> None:
    path = tmp_path / "lease.db"
    with LeaseProcess(path) as one, LeaseProcess(path) as two:
        assert one.hold()
        assert not two.hold()
        began = time.monotonic()
        one.process.kill()
        one.process.wait()
        while not two.hold():
            assert time.monotonic() - began < LIMIT, "the lease of a killed process was never taken over"
        assert time.monotonic() - began >= 0.9, "taken over before it had expired"


def test_a_process_that_was_stopped_finds_out_when_it_wakes_up(tmp_path: Path) -> None:
    path = tmp_path / "lease.db"
    with LeaseProcess(path) as one, LeaseProcess(path) as two:
        assert one.hold()
        os.kill(one.pid, signal.SIGSTOP)
        began = time.monotonic()
        while not two.hold():
            assert time.monotonic() - began < LIMIT, "the lease of a stopped process was never taken over"
        one.ask("hold")
        os.kill(one.pid, signal.SIGCONT)
        assert one.answer() == "False", "it would have written beside the new holder"
        assert two.hold()
        two.release()
        assert one.hold()


def test_of_processes_that_try_at_once_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "lease.db"
    with (
        LeaseProcess(path, ttl=60.0) as one,
        LeaseProcess(path, ttl=60.0) as two,
        LeaseProcess(path, ttl=60.0) as three,
    ):
        for _ in range(5):
            for process in (one, two, three):
                process.ask("hold")
            said = [process.answer() for process in (one, two, three)]
            assert said.count("True") == 1, said
            (one, two, three)[said.index("True")].release()
