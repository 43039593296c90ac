"""What a guard does not know, it neither acts on nor calls healthy: gaps, restarts, take-overs, broken files."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from opsconsole.guard.candidates import FlagView, Standing, suspects
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.text import trusted
from tests.support.guard_loops import KEY, Bench, is_on, write_flags
from tests.support.guards import GUARD, flag


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
