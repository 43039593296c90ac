"""The guard's loop: what it does, what it never does, and what it leaves behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from opsconsole.errors import FlagUnavailable, GuardError, JournalError, TimedOut
from opsconsole.guard.state import Moment, encode
from opsconsole.model.flags import RollbackPlan
from opsconsole.model.guard import RulePhase
from opsconsole.model.journal import Phase, Result
from tests.support.guard_loops import KEY, Bench, at_the_breach, is_on, write_flags


async def test_it_rolls_back_verifies_tells_and_sees_the_recovery(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(60)
    assert not is_on(bench.flags)
    assert bench.writes() == [KEY]
    await bench.run(120)
    assert bench.ports.kinds() == ["decided", "rolled-back", "recovered"]
    _, rolled_back, recovered = bench.ports.events.values()
    assert len({event.incident for event in bench.ports.events.values()}) == 1
    assert '-  "defaultVariant": "on"' in rolled_back.diff
    assert "written 00:01:10Z, read back as wanted 00:01:10Z" in rolled_back.verified
    assert rolled_back.undo == f"opsconsole flags restore --context prod {KEY}"
    assert (rolled_back.value, rolled_back.bound) == ("20 %", "allowed up to 5 %")
    assert recovered.resolved
    told = "\n".join(recovered.timeline)
    for words in (f"{KEY} was changed", "the first value beyond the bound", "decided", "rolled back", "is back"):
        assert words in told, told
    assert bench.status.rules[0].phase is RulePhase.COOLDOWN
    assert bench.status.problem == ""
    assert bench.ports.deliveries > 0


async def test_the_journal_has_decided_written_verified_and_recovered_with_their_times(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(200)
    facts = [
        (e.action, e.phase, e.detail.get("kind", ""), e.result)
        for e in bench.entries()
        if e.action in ("guard", "rollback")
    ]
    assert facts == [
        ("guard", Phase.NOTE, "decided", Result.DONE),
        ("rollback", Phase.INTENT, "off", Result.OPEN),
        ("rollback", Phase.OUTCOME, "off", Result.DONE),
        ("guard", Phase.NOTE, "rolled-back", Result.DONE),
        ("guard", Phase.NOTE, "recovered", Result.DONE),
    ]
    incidents = {e.detail["incident"] for e in bench.entries() if e.action in ("guard", "rollback")}
    assert len(incidents) == 1
    intent = bench.entries("rollback")[0]
    assert intent.detail["automatic"] is True
    assert intent.detail["rule"] == "shop/errors"
    times = [e.at for e in bench.entries() if e.action in ("guard", "rollback")]
    assert times == sorted(times)
    assert bench.journal.verify() == []


async def test_a_dry_run_does_all_but_the_write(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    bench.ports.arming = None
    before = bench.flags.read_bytes()
    await bench.run(200)
    assert bench.flags.read_bytes() == before
    assert bench.ports.kinds() == ["would-roll-back"]
    (would,) = bench.ports.events.values()
    assert '+  "defaultVariant": "off"' in would.diff
    assert "not armed" in would.summary
    assert bench.entries("rollback") == []


@pytest.mark.parametrize("step", ["saved", "planned", "intended"])
async def test_the_kill_switch_counts_up_to_the_write(tmp_path: Path, step: str) -> None:
    bench = await at_the_breach(tmp_path)

    def pull(name: str) -> None:
        if name == step and bench.loop.state.pending is not None:
            bench.ports.kill_switch = "pulled by bob"

    bench.at = pull
    await bench.run(200)
    assert is_on(bench.flags)
    assert bench.writes() == []
    assert bench.ports.kinds() == ["decided", "not-rolled-back", "would-roll-back"]
    assert "pulled by bob" in bench.ports.events[list(bench.ports.events)[1]].summary
    assert bench.entries("rollback")[-1].result is Result.REFUSED


@pytest.mark.parametrize("way", ["disarmed", "lease"])
async def test_so_does_everything_else_that_permits(tmp_path: Path, way: str) -> None:
    bench = await at_the_breach(tmp_path)

    def stop(name: str) -> None:
        if name == "intended":
            if way == "disarmed":
                bench.ports.arming = None
            else:
                bench.ports.lease = "two"

    bench.at = stop
    await bench.run(200)
    assert is_on(bench.flags)
    assert bench.writes() == []


@pytest.mark.parametrize("step", ["saved", "planned"])
async def test_a_flag_that_a_person_changed_since_the_decision_is_left_alone(tmp_path: Path, step: str) -> None:
    bench = await at_the_breach(tmp_path)

    def person(name: str) -> None:
        if name == step and bench.loop.state.pending is not None and "theirs" not in bench.flags.read_text():
            write_flags(bench.flags, new_parser=True, other=True, theirs=True)
            text = bench.flags.read_text()
            bench.flags.write_text(text.replace('"metadata"', '"description": "mine", "metadata"'))

    bench.at = person
    bench.value = lambda: 0.2
    await bench.run(200)
    assert bench.writes() == []
    assert bench.ports.kinds()[:2] == ["decided", "disarmed"]
    assert bench.status.rules[0].phase is RulePhase.DISARMED


async def test_a_person_who_turns_it_on_again_is_not_fought(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(60)
    assert bench.writes() == [KEY]
    write_flags(bench.flags, new_parser=True, other=True)
    await bench.run(400)
    assert bench.writes() == [KEY]
    assert bench.ports.kinds() == ["decided", "rolled-back", "disarmed"]


async def test_a_notifier_that_fails_blocks_nothing_and_hears_of_it_later(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    bench.ports.refuses = True
    await bench.run(60)
    assert bench.writes() == [KEY]
    assert "the disk is full" in bench.status.problem
    assert bench.ports.kinds() == []
    bench.ports.refuses = False
    await bench.run(10)
    assert bench.ports.kinds() == ["decided", "rolled-back"]
    assert bench.store.waiting() == ()
    assert len(bench.entries("guard")) == 2


async def test_without_a_journal_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(20)

    def record(*args: object, **more: object) -> object:
        raise JournalError("the journal: the disk is full")

    monkeypatch.setattr(bench.journal, "record", record)
    await bench.run(100)
    assert bench.writes() == []
    assert "the disk is full" in bench.status.problem
    assert "not-rolled-back" in bench.ports.kinds()


async def test_without_its_state_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(20)

    def save(*args: object) -> None:
        raise GuardError("the guard's state cannot be kept: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "save", save)
        await bench.run(100)
        assert bench.writes() == []
        assert "cannot be kept" in bench.status.problem
    await bench.run(60)
    assert bench.writes() == [KEY]


async def test_a_state_that_cannot_be_read_is_no_new_beginning(tmp_path: Path) -> None:
    (tmp_path / "guard.db").write_bytes(b"not a database" * 1000)
    bench = await at_the_breach(tmp_path)
    await bench.run(200)
    assert bench.writes() == []
    assert "the guard's state" in bench.status.problem


async def test_prometheus_that_dies_makes_it_blind_and_no_more(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(20)
    bench.failure = TimedOut("no answer within 5s")
    await bench.run(300)
    assert bench.writes() == []
    assert bench.ports.kinds() == ["blind"]
    assert bench.status.blind_since is not None
    assert "timed out: no answer within 5s" in bench.status.rules[0].reason
    bench.failure = None
    await bench.run(60)
    assert bench.writes() == [KEY]
    assert bench.ports.kinds() == ["blind", "seeing-again", "decided", "rolled-back"]


async def test_a_fault_in_a_round_is_a_problem_and_the_next_round_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await at_the_breach(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("opsconsole.guard.loop.step", lambda *args: 1 / 0)
        await bench.run(40)
        assert "unexpected ZeroDivisionError" in bench.status.problem
        assert bench.writes() == []
    assert sum("ZeroDivisionError" in entry.message for entry in bench.entries("guard")) == 1
    await bench.run(60)
    assert bench.writes() == [KEY]


async def test_a_fault_in_one_question_does_not_stop_the_others(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    bench.failure = ValueError("a fault")
    await bench.run(20)
    assert "unexpected ValueError" in bench.status.rules[0].reason
    assert bench.status.problem == ""


async def test_a_write_whose_answer_is_lost_counts_when_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await at_the_breach(tmp_path)
    apply = bench.provider.apply

    async def lost(plan: RollbackPlan, reason: str = "") -> str:
        await apply(plan, reason)
        error = FlagUnavailable("timed out")
        error.sent = True
        raise error

    monkeypatch.setattr(bench.provider, "apply", lost)
    await bench.run(200)
    assert bench.writes() == [KEY]
    assert bench.ports.kinds() == ["decided", "rolled-back", "recovered"]


async def test_a_write_that_may_have_been_made_is_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await at_the_breach(tmp_path)
    calls: list[str] = []

    async def broken(plan: RollbackPlan, reason: str = "") -> Any:
        calls.append(plan.key)
        raise ValueError("a fault of the provider's code")

    monkeypatch.setattr(bench.provider, "apply", broken)
    await bench.run(200)
    assert calls == [KEY]
    assert bench.ports.kinds() == ["decided", "ask-human"]
    assert list(bench.ports.events.values())[-1].page


async def test_of_two_guards_one_acts_and_the_other_takes_over(tmp_path: Path) -> None:
    one = await at_the_breach(tmp_path)
    two = Bench(tmp_path, clock=one.clock, ports=one.ports, name="two")
    for _ in range(3):
        await one.run(10)
        await two.loop.tick()
    assert two.status.leader is False
    assert two.status.holder == "one"
    one.ports.lease = None  # it is gone
    for _ in range(6):
        await two.run(10)
    assert two.writes() == [KEY]
    assert one.ports.kinds() == ["decided", "rolled-back"]


async def test_a_guard_that_lost_the_lease_before_its_write_saves_nothing_over_the_other(
    tmp_path: Path,
) -> None:
    one = await at_the_breach(tmp_path)
    two = Bench(tmp_path, clock=one.clock, ports=one.ports, name="two")
    saved: list[bytes] = []

    def frozen(name: str) -> None:
        if name == "intended" and not saved:
            one.ports.lease = "two"
            saved.append(encode(one.store.load(Moment(one.clock.now(), one.clock.monotonic()))))

    one.at = frozen
    await one.run(40)
    assert one.status.leader is False
    assert encode(two.store.load(Moment(two.clock.now(), two.clock.monotonic()))) == saved[0]
    for _ in range(8):
        await two.run(10)
        await one.loop.tick()
    assert two.writes() == [KEY]
    assert one.ports.kinds()[:4] == ["decided", "not-rolled-back", "decided", "rolled-back"]


async def test_a_follower_tells_nothing(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    bench.ports.lease = "somebody else"
    await bench.run(300)
    assert bench.ports.kinds() == []
    assert bench.writes() == []


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    one = await at_the_breach(tmp_path)
    await one.run(30)
    two = Bench(tmp_path, clock=one.clock, ports=one.ports)
    await two.run(10)
    assert two.writes() == [KEY], "three samples of the first and one of the second"
    three = Bench(tmp_path, clock=one.clock, ports=one.ports)
    await three.run(200)
    assert three.writes() == [KEY]
    assert one.ports.kinds() == ["decided", "rolled-back", "recovered"]


async def test_the_heart_beats_while_a_slow_provider_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await at_the_breach(tmp_path)
    beats: list[int] = []
    apply = bench.provider.apply

    async def slow(plan: RollbackPlan, reason: str = "") -> str:
        before = len(bench.ports.statuses)
        async with asyncio.timeout(30):
            while len(bench.ports.statuses) < before + 3:
                await asyncio.sleep(0.01)
        beats.append(len(bench.ports.statuses) - before)
        return await apply(plan, reason)

    monkeypatch.setattr(bench.provider, "apply", slow)
    await bench.run(60)
    assert beats[0] >= 3


async def test_a_guard_that_is_stopped_finishes_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(30)
    apply, writing = bench.provider.apply, asyncio.Event()

    async def slow(plan: RollbackPlan, reason: str = "") -> str:
        writing.set()
        await asyncio.sleep(0.05)
        return await apply(plan, reason)

    monkeypatch.setattr(bench.provider, "apply", slow)
    bench.clock.advance(10)
    running = asyncio.ensure_future(bench.loop.run())
    await asyncio.wait_for(writing.wait(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.writes() == [KEY]
    assert bench.ports.kinds() == ["decided", "rolled-back"]
    assert bench.status.stopped
    assert bench.journal.open_intents() == ()


async def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    stop = asyncio.Event()
    bench.at = lambda step: stop.set()
    await asyncio.wait_for(bench.loop.run(stop), 30)
    assert bench.status.stopped


async def test_goodbye_frees_the_lease_and_says_so(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    assert bench.ports.lease == "one"
    await bench.loop.aclose()
    assert bench.ports.lease is None
    assert bench.status.stopped


async def test_the_state_file_is_for_its_owner_only_and_outlives_a_boot(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    await bench.run(60)
    assert (tmp_path / "guard.db").stat().st_mode & 0o777 == 0o600
    (act,) = bench.store.load(Moment(bench.clock.now(), bench.clock.monotonic())).acts
    assert act.flag == KEY


async def test_flags_that_cannot_be_read_are_a_problem_while_all_is_well(tmp_path: Path) -> None:
    write_flags(tmp_path / "flags.json", new_parser=False)
    bench = Bench(tmp_path)
    await bench.run(30)
    assert bench.status.problem == ""
    bench.flags.unlink()
    await bench.run(300)
    assert "the flags cannot be looked at: " in bench.status.problem
    write_flags(bench.flags, new_parser=False)
    await bench.run(20)
    assert bench.status.problem == ""
