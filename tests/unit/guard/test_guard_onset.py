"""Rule 5 after a gap: what was changed while nobody looked may be the cause of a breach, or its cure."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from opsconsole.guard.state import Moment, RuleState, State, decode, encode, rebase, taken_over
from opsconsole.model.guard import RulePhase
from tests.support.guards import EPOCH, GUARD, World

UNCERTAIN = "the breach began while nobody looked"


def healthy(seconds: float = 30.0) -> World:
    world = World(values={"errors": 0.0})
    world.run(seconds)
    return world


Gap = Callable[[World, float, str], None]


def blind(world: World, seconds: float, change: str = "") -> None:
    """No value for so long; a flag is changed halfway."""
    world.values["errors"] = None
    world.run(seconds / 2)
    if change:
        world.change(change)
    world.run(seconds / 2)
    world.values["errors"] = 0.2


def down(world: World, seconds: float, change: str = "") -> None:
    """No guard for so long; a flag is changed halfway."""
    world.time += seconds / 2
    if change:
        world.change(change)
    world.time += seconds / 2
    world.state = rebase(decode(encode(world.state)), world.now, same_boot=True)
    world.values["errors"] = 0.2


def test_rule_05_a_guard_that_starts_within_a_breach_asks_about_what_changed_before_it_looked() -> None:
    world = World(values={"errors": 0.2})
    world.change("cure", ago=60.0)
    world.run(600)
    assert (world.writes, world.kinds()) == ([], ["ask-human"])
    (asked,) = world.told()
    assert asked.page
    assert asked.flags == ("cure",)
    assert f"{UNCERTAIN}, before 00:00:10Z; cure changed shortly before that" in asked.summary


def test_rule_05_a_guard_that_starts_within_a_breach_says_so_when_no_flag_changed() -> None:
    world = World(values={"errors": 0.2})
    world.run(600)
    assert world.kinds() == ["no-candidate"]
    assert UNCERTAIN in world.told()[0].summary


@pytest.mark.parametrize("gap", [blind, down])
def test_rule_05_a_change_within_a_gap_in_which_the_breach_began_is_for_a_person(gap: Gap) -> None:
    world = healthy()
    gap(world, 400.0, "cure")
    world.run(600)
    assert world.writes == []
    (asked,) = world.told("ask-human")
    assert f"{UNCERTAIN}, between 00:00:30Z and 00:07:" in asked.summary
    assert "cure changed within that" in asked.summary


def test_rule_05_a_person_is_asked_though_an_older_change_is_certain() -> None:
    world = healthy()
    world.change("release")
    world.run(10)
    blind(world, 300.0, "cure")
    world.run(600)
    assert world.writes == []
    (asked,) = world.told("ask-human")
    assert asked.flags == ("cure", "release")


def test_rule_05_a_change_before_a_gap_in_which_the_breach_began_is_rolled_back() -> None:
    world = healthy()
    world.change("release")
    world.run(10)
    blind(world, 300.0)
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["release"]


def test_rule_05_a_change_that_may_be_older_than_the_look_back_is_for_a_person() -> None:
    world = healthy()
    world.change("release")
    world.run(10)
    down(world, GUARD.look_back + 60.0)
    world.run(60)
    assert (world.writes, world.kinds()) == ([], ["ask-human"])


@pytest.mark.parametrize("seconds", [20.0, 40.0])
def test_rule_05_a_lost_scrape_or_two_at_the_onset_trouble_nobody(seconds: float) -> None:
    world = healthy()
    world.change("release")
    blind(world, seconds)
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["release"]
    assert world.kinds() == ["act", "rolled-back"]


@pytest.mark.parametrize("gap", [blind, down])
@pytest.mark.parametrize("seconds", [20.0, 300.0])
def test_rule_05_the_onset_outlives_a_gap(gap: Gap, seconds: float) -> None:
    world = healthy()
    world.change("release")
    world.values["errors"] = 0.2
    world.run(10)
    onset = world.rule.onset
    gap(world, seconds, "cure")
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["release"], "what changed after the onset is not its cause"
    assert world.writes[0][1].breach == onset == EPOCH + 40


def test_rule_05_a_value_within_the_bound_after_a_gap_ends_the_onset() -> None:
    world = healthy()
    world.values["errors"] = 0.2
    world.run(10)
    blind(world, 300.0)
    world.values["errors"] = 0.0
    world.run(10)
    assert world.rule.onset == 0.0
    world.change("release")
    world.values["errors"] = 0.2
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["release"]


def test_rule_05_an_onset_before_a_gap_longer_than_the_look_back_may_be_another() -> None:
    world = healthy()
    world.change("release")
    world.values["errors"] = 0.2
    world.run(10)
    down(world, 3 * 86_400.0)
    world.run(60)
    assert (world.writes, world.kinds()) == ([], ["ask-human"])


def test_rule_05_a_clock_that_another_boot_finds_set_back_tells_nothing_of_the_gap() -> None:
    world = healthy()
    assert world.rule.good_mono == world.now.mono
    state = rebase(world.state, Moment(world.now.wall - 3600.0, 3.0), same_boot=False)
    assert state.rules["shop/errors"].good_mono is None
    state = rebase(world.state, Moment(world.now.wall + 100.0, 3.0), same_boot=False)
    assert state.rules["shop/errors"].good_mono == -97.0


def test_rule_05_a_state_from_before_there_was_a_last_good_value_loads() -> None:
    world = healthy()
    old = json.loads(encode(world.state))
    for name in ("good_mono", "onset_after"):
        del old["rules"]["shop/errors"][name]
    world.state = decode(json.dumps(old).encode())
    assert world.rule.good_mono is None
    world.change("release")
    world.values["errors"] = 0.2
    world.run(60)
    assert world.kinds() == ["ask-human"]


def test_rule_05_a_guard_that_takes_over_knows_the_onset_that_the_other_saw() -> None:
    theirs = RuleState(phase=RulePhase.PENDING, onset=100.0, last_at=110.0, good_mono=90.0)
    mine = RuleState(phase=RulePhase.PENDING, onset=130.0, onset_after=0.0, last_at=140.0, last_mono=140.0)

    def both(theirs: RuleState, mine: RuleState) -> tuple[float, float | None]:
        known, own = State(rules={"a": theirs}, wall=110.0, now_mono=110.0), State(rules={"a": mine})
        rule = taken_over(known, replace(own, wall=140.0, now_mono=140.0)).rules["a"]
        return rule.onset, rule.onset_after

    assert both(theirs, mine) == (100.0, None)
    assert both(replace(theirs, onset=0.0), mine) == (130.0, None), "good 40 s before"
    assert both(replace(theirs, onset=0.0, good_mono=10.0), mine) == (130.0, 10.0)
    assert both(replace(theirs, onset=0.0, good_mono=None), mine) == (130.0, 0.0)
    assert both(theirs, replace(mine, onset_after=None)) == (130.0, None), "it saw the onset itself"
    assert both(theirs, replace(mine, onset=9130.0)) == (9130.0, 90.0), "too long ago"
