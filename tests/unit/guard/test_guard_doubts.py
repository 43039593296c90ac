"""What a guard does not know, it neither acts on nor calls healthy: gaps, restarts, take-overs, broken files."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from opsconsole.clock import ManualClock
from opsconsole.errors import GuardError
from opsconsole.guard.candidates import FlagView, Standing, suspects
from opsconsole.guard.incident import IncidentLog
from opsconsole.journal.store import Journal
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.model.guard import GuardEvent, RulePhase
from opsconsole.text import trusted
from tests.support.guard_loops import KEY, Bench, at_the_breach, is_on, write_flags
from tests.support.guards import GUARD, breached, flag


async def a_guard_that_was_down(folder: Path, seconds: float) -> Bench:
    """A guard that starts `seconds` after another ended; a flag was turned on meanwhile, and nothing is wrong."""
    write_flags(folder / "flags.json", new_parser=False, other=True)
    one = Bench(folder)
    await one.run(30)
    one.clock.advance(seconds)
    write_flags(one.flags, new_parser=True, other=True)
    two = Bench(folder, clock=one.clock, ports=one.ports)
    two.value = lambda: 0.0
    await two.run(60)
    return two


async def test_a_change_made_hours_ago_or_just_now_is_for_a_person(tmp_path: Path) -> None:
    bench = await a_guard_that_was_down(tmp_path, 5 * 3600)
    bench.value = lambda: 0.2
    await bench.run(200)
    assert bench.writes() == []
    assert bench.ports.kinds() == ["ask-human"]
    (asked,) = bench.ports.events.values()
    assert "changed while nobody looked" in asked.summary
    assert asked.flag == KEY


async def test_a_change_made_while_it_was_down_for_minutes_is_within_the_look_back(tmp_path: Path) -> None:
    bench = await a_guard_that_was_down(tmp_path, 300)
    bench.value = lambda: 0.2 if is_on(bench.flags) else 0.0
    await bench.run(60)
    assert bench.writes() == [KEY]


def test_a_change_seen_late_may_have_come_before_however_close_the_looks_are_by_then() -> None:
    seen = FlagChange(
        key=KEY,
        at=1050.0,
        earliest=995.0,
        summary=trusted("on"),
        before_hash="1",
        after_hash=f"{KEY}@2",
        off=False,
    )
    flags = FlagSet(provider="test", source=trusted("test"), revision="", flags=(flag(KEY, "2"),))
    for change, standing in ((seen, Standing.ELIGIBLE), (replace(seen, earliest=1045.0), None)):
        found = suspects(GUARD, FlagView(flags=flags, changes=(change,), looks=20.0), 1000.0)
        assert [suspect.standing for suspect in found] == [s for s in (standing,) if s is not None]


async def test_what_only_a_guard_that_looked_on_noticed_is_told_when_it_takes_over(tmp_path: Path) -> None:
    write_flags(tmp_path / "flags.json", new_parser=True, other=True)
    one = Bench(tmp_path)
    one.value = lambda: 0.0
    two = Bench(tmp_path, clock=one.clock, ports=one.ports, name="two")
    await one.run(30)
    two.value = lambda: 0.2  # nothing has changed: a page without a candidate
    await two.run(60)
    assert (two.ports.kinds(), two.status.leader) == ([], False)
    two.ports.lease = None  # the one that acts has died
    await two.run(20)
    assert two.ports.kinds() == ["no-candidate"]


async def test_the_cool_down_of_the_guard_before_is_kept_when_another_takes_over(tmp_path: Path) -> None:
    one = await at_the_breach(tmp_path)
    two = Bench(tmp_path, clock=one.clock, ports=one.ports, name="two")
    await one.run(200)
    assert one.ports.kinds() == ["decided", "rolled-back", "recovered"]
    two.value = lambda: 0.0
    await two.run(30)
    two.ports.lease = None
    await two.run(20)
    assert two.status.rules[0].phase is RulePhase.COOLDOWN
    write_flags(two.flags, new_parser=False, other=False)
    await two.run(10)
    write_flags(two.flags, new_parser=False, other=True)
    two.value = lambda: 0.2
    await two.run(60)
    assert two.writes() == [KEY]
    assert two.ports.kinds()[3:] == ["ask-human"]


@pytest.mark.parametrize("armed", [True, False])
async def test_a_guard_that_was_stopped_while_it_looked_leaves_the_state_to_the_other(
    tmp_path: Path, armed: bool
) -> None:
    bench = await at_the_breach(tmp_path)
    if not armed:
        bench.ports.arming = None
    await bench.run(30)
    before = bench.store.load(bench.loop._now)

    def another(name: str) -> None:
        if name == "looked":
            bench.ports.lease = "two"

    bench.at = another
    await bench.run(10)
    assert bench.store.load(bench.loop._now) == before
    assert (bench.ports.kinds(), bench.status.leader) == ([], False)


async def test_a_guard_that_was_stopped_while_it_wrote_leaves_the_report_to_the_other(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)
    two = Bench(tmp_path, clock=bench.clock, ports=bench.ports, name="two")

    def another() -> None:
        bench.ports.lease = "two"

    bench.provider.after_apply = another
    await bench.run(40)
    assert bench.store.load(bench.loop._now).pending is not None
    await two.run(200)
    assert two.writes() == [KEY]
    assert two.ports.kinds() == ["decided", "rolled-back", "recovered"]


async def test_a_guard_whose_rounds_fail_is_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_flags(tmp_path / "flags.json", new_parser=True, other=True)
    bench = Bench(tmp_path)
    bench.value = lambda: 0.0
    await bench.run(30)
    assert bench.status.rules[0].phase is RulePhase.OK

    def full(*args: object) -> None:
        raise GuardError("the guard's state cannot be kept: disk full")

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "save", full)
        await bench.run(90)
        (rule,) = bench.status.rules
        assert (rule.phase, rule.value) == (RulePhase.UNKNOWN, None)
        assert "disk full" in rule.reason
        assert bench.status.blind_since is not None
        assert bench.status.at - bench.status.blind_since == 80.0
    await bench.run(10)
    assert [rule.phase for rule in bench.status.rules] == [RulePhase.OK]
    assert bench.status.blind_since is None


@pytest.mark.parametrize("key", ["new\x1b[31m\u202eparser\n", "p" * 3000])
async def test_a_flag_with_a_hostile_name_is_rolled_back_and_told_of_once(tmp_path: Path, key: str) -> None:
    write_flags(tmp_path / "flags.json", **{key: False, "other": True})
    bench = Bench(tmp_path)
    bench.value = lambda: 0.2 if is_on(bench.flags, key) else 0.0
    await bench.run(30)
    write_flags(bench.flags, **{key: True, "other": True})
    await bench.run(200)
    assert bench.status.problem == ""
    assert not is_on(bench.flags, key)
    kinds = ["decided", "rolled-back", "recovered"]
    assert bench.ports.kinds() == kinds
    assert [entry.detail["kind"] for entry in bench.entries("guard")] == kinds
    assert dict(bench.status.events) == dict.fromkeys(kinds, 1)
    told = [str(text) for event in bench.ports.events.values() for text in (event.summary, event.flag, event.undo)]
    assert not any(char in text for text in told for char in "\x1b\u202e\n")


async def test_a_flag_whose_name_cannot_be_written_down_is_left_alone_and_stops_nothing(tmp_path: Path) -> None:
    key = "\ud800parser"
    write_flags(tmp_path / "flags.json", **{key: False, "other": True})
    bench = Bench(tmp_path)
    bench.value = lambda: 0.2 if is_on(bench.flags, key) else 0.0
    await bench.run(30)
    write_flags(bench.flags, **{key: True, "other": True})
    await bench.run(60)
    assert bench.status.problem == ""
    assert (bench.writes(), bench.ports.kinds()) == ([], ["no-candidate"])
    assert "cannot be written down" in next(iter(bench.ports.events.values())).summary


async def test_a_context_with_a_long_name_is_found_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.guard_loops.CONTEXT", "production-" * 6)
    bench = await at_the_breach(tmp_path)
    await bench.run(60)
    write_flags(bench.flags, new_parser=True, other=True)
    await bench.run(400)
    assert bench.writes() == [KEY]
    assert bench.ports.kinds() == ["decided", "rolled-back", "disarmed"]


def test_the_same_event_of_another_context_is_another(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", ManualClock())
    event = GuardEvent(
        id="shop/errors/blind/5",
        at=5.0,
        kind="blind",
        incident="",
        system="shop",
        context="",
        rule="errors",
        title=trusted(""),
        summary=trusted("no value"),
    )
    recorded = [IncidentLog(journal, user="guard", context=name).record(event) for name in ("eu", "us", "us")]
    assert [entry is not None for entry in recorded] == [True, True, False]


def test_flags_that_are_known_a_moment_late_trouble_nobody() -> None:
    world = breached(problem="the provider does not answer")
    world.run(40)
    assert (world.kinds(), world.phase) == ([], RulePhase.CONFIRMED)
    assert "the provider does not answer" in world.rule.reason
    world.problem = ""
    world.run(10)
    assert world.kinds()[0] == "act"
    silent = breached(problem="the provider does not answer")
    silent.run(50)
    assert silent.kinds() == ["ask-human"]


@pytest.mark.parametrize("minutes", [1, 60])
async def test_that_no_flag_changed_is_not_said_of_a_time_when_nobody_looked(tmp_path: Path, minutes: int) -> None:
    write_flags(tmp_path / "flags.json", new_parser=True, other=True)
    bench = Bench(tmp_path)
    bench.value = lambda: 0.0
    await bench.run(60 * minutes)
    bench.value = lambda: 0.2
    await bench.run(60)
    assert bench.ports.kinds() == ["no-candidate"]
    (told,) = bench.ports.events.values()
    assert ("nobody looked before 00:00:10Z" in told.summary) is (minutes == 1)
