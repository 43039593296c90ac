"""The thirteen rules of a guard that acts without a person, each by its number: the machine's part of them."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from opsconsole.guard.choosing import ATTEMPTS, report
from opsconsole.guard.decisions import Permission, Report, watched_of
from opsconsole.guard.samples import Sample
from opsconsole.guard.state import LEFT_ALONE, Act, Moment, State, decode, encode, rebase
from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import GuardRule, RulePhase
from opsconsole.text import trusted
from tests.support.guards import ARMED, EPOCH, GUARD, RULE, World, breached, flag

DISARMED = Permission(granted=False, why=trusted("not armed"))


def test_rule_01_the_phases_of_an_incident_and_nothing_is_forgotten_over_restarts() -> None:
    seen = []
    for restarts in (False, True):
        world = World(restarts=restarts, values={"errors": 0.0})
        phases: list[RulePhase] = []

        def phased(seconds: float, world: World = world, phases: list[RulePhase] = phases) -> None:
            for _ in range(round(seconds / 10)):
                world.run(10)
                phases.append(world.phase)

        phased(20)
        world.change("release")
        world.values["errors"] = 0.2
        phased(50)
        world.values["errors"] = 0.0
        phased(200)
        world.values["errors"] = None
        phased(20)
        world.values["errors"] = 0.0
        phased(1800)
        seen.append((phases, world.kinds(), world.state))
    assert seen[0] == seen[1]
    phases, kinds, _ = seen[0]
    assert list(dict.fromkeys(phases)) == [
        RulePhase.OK,
        RulePhase.PENDING,
        RulePhase.ACTED,
        RulePhase.COOLDOWN,
        RulePhase.UNKNOWN,
    ]
    assert phases[-1] is RulePhase.OK
    assert kinds == ["act", "rolled-back", "recovered"]


def test_rule_01_a_restart_with_a_decision_pending_does_not_decide_again() -> None:
    world = breached()
    world.carry_out = lambda act: []  # type: ignore[method-assign]  # killed before its report
    world.run(60)
    assert world.kinds() == ["act"]
    world.state = decode(encode(world.state))
    world.run(300)
    assert world.kinds() == ["act", "ask-human"], "a person is told, once, that nobody knows what became of it"
    assert world.state.pending is not None


@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, 3600.0, 86_400.0])
def test_rule_01_a_jump_of_the_wall_clock_neither_fires_nor_forgets(jump: float) -> None:
    world = breached()
    world.run(20)
    world.wall_shift = jump
    assert world.run(10) == [], "30 s by the wall clock are not 30 s"
    world = breached()
    world.run(50)
    world.values["errors"] = 0.0
    world.run(100)
    assert world.phase is RulePhase.COOLDOWN
    world.wall_shift = jump
    world.state = rebase(decode(encode(world.state)), world.now, same_boot=True)
    world.run(1500)
    assert world.phase is RulePhase.COOLDOWN, "the cool-down of 30 minutes is not over"


def test_rule_01_another_boot_takes_the_time_between_from_the_wall_clock() -> None:
    world = breached()
    world.run(50)
    (act,) = world.state.acts
    later = Moment(world.now.wall + 100.0, 3.0)
    (moved,) = rebase(world.state, later, same_boot=False).acts
    assert later.mono - moved.at_mono == pytest.approx(world.now.mono - act.at_mono + 100.0)
    (kept,) = rebase(world.state, Moment(world.now.wall - 9999.0, 3.0), same_boot=False).acts
    assert 3.0 - kept.at_mono == pytest.approx(world.now.mono - act.at_mono), "a clock set back ends no delay"


def test_rule_02_it_decides_within_a_minute_of_the_first_observable_breach_at_every_phase() -> None:
    latest = 0.0
    for tenth in range(100):
        world = World(start=tenth / 10)
        world.values["errors"] = lambda time: 0.2 if time >= 200 else 0.0
        world.run(100)
        world.change("release")
        world.run(200)
        ((at, act),) = world.writes
        assert act.breach - EPOCH >= 200
        latest = max(latest, at - 200)
    assert 30 <= latest <= 60, latest
    print(f"decided at most {latest:.1f} s after the first observable breach")


def test_rule_02_late_looks_still_decide_within_a_minute() -> None:
    for late in (0.0, 0.5, 1.0, 1.9):
        world = breached()
        begun = world.time
        for number in range(6):
            world.time += 10.0 + (late if number % 2 else -late)
            world.round()
        assert [at - begun <= 52 for at, _ in world.writes] == [True], (late, world.writes)


@pytest.mark.parametrize("breach", [10, 20, 30])
def test_rule_02_less_than_the_hold_is_nothing(breach: int) -> None:
    world = breached()
    world.run(breach)
    assert world.phase is RulePhase.PENDING
    world.values["errors"] = 0.0
    world.run(600)
    assert world.kinds() == []
    assert world.phase is RulePhase.OK


def test_rule_02_samples_count_even_when_the_hold_is_short() -> None:
    world = breached(guard=replace(GUARD, rules=(replace(RULE, hold=0.0),), samples=4))
    assert world.run(30) == []
    world.run(10)
    assert len(world.writes) == 1


def test_rule_02_one_sample_within_the_bound_begins_anew() -> None:
    world = breached()
    world.run(30)
    world.values["errors"] = 0.05
    world.run(10)
    world.values["errors"] = 0.2
    assert world.run(30) == []
    world.run(10)
    assert len(world.writes) == 1


def test_rule_02_the_same_answer_never_counts_twice() -> None:
    world = breached()
    old = Sample(at=world.now.wall, value=0.2)
    world.values["errors"] = old
    world.run(300)
    assert world.kinds() == ["blind"]
    assert world.phase is RulePhase.UNKNOWN
    assert "no newer answer" in world.rule.reason


def test_rule_02_one_scrape_is_not_enough_however_often_it_is_asked() -> None:
    world = breached()
    newest = world.now.wall
    world.values["errors"] = lambda time: Sample(at=EPOCH + time, value=0.2, newest=newest)
    world.run(80)
    assert world.writes == []
    world.values["errors"] = lambda time: Sample(at=EPOCH + time, value=0.2, newest=newest + 60)
    world.run(10)
    assert len(world.writes) == 1


def test_rule_02_a_pause_of_the_guard_breaks_the_row() -> None:
    world = breached()
    world.run(20)
    world.time += 100.0
    world.round()
    assert world.writes == []
    assert world.rule.run == 1


def test_rule_02_it_has_a_clear_level_and_a_clear_time_of_its_own() -> None:
    world = breached()
    world.run(50)
    world.values["errors"] = 0.045  # within the bound, above 80 % of it
    world.run(600)
    assert world.phase is RulePhase.ACTED
    world.values["errors"] = 0.04
    world.run(60)
    assert world.phase is RulePhase.ACTED
    world.run(10)
    assert world.phase is RulePhase.COOLDOWN
    assert world.kinds() == ["act", "rolled-back", "recovered"]


def test_rule_02_below_bounds_clear_above() -> None:
    rule = GuardRule(id="errors", title=trusted("Orders"), expr="rate(o[30s])", below=4.0, hold=30.0)
    world = World(guard=replace(GUARD, rules=(rule,)), values={"errors": 10})
    world.change("release")
    world.run(20)
    world.values["errors"] = 3
    world.run(40)
    assert len(world.writes) == 1
    world.values["errors"] = 4.9  # 4 / 0.8 is 5
    world.run(300)
    assert world.phase is RulePhase.ACTED
    world.values["errors"] = 5
    world.run(70)
    assert world.phase is RulePhase.COOLDOWN


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "partial: a store is down", "stale"])
def test_rule_03_what_is_not_known_is_never_acted_on_nor_called_healthy(value: object) -> None:
    world = breached()
    world.values["errors"] = value
    world.run(600)
    assert world.kinds() == ["blind"]
    assert world.phase is RulePhase.UNKNOWN
    assert world.rule.value is None


def test_rule_03_one_unknown_sample_in_between_begins_anew() -> None:
    world = breached()
    world.run(30)
    world.values["errors"] = None
    world.run(10)
    world.values["errors"] = 0.2
    world.run(30)
    assert world.writes == []


def test_rule_03_blind_and_seeing_again_are_said_once_each() -> None:
    world = World(values={"errors": 0.0})
    world.run(20)
    world.values["errors"] = None
    world.run(60)
    assert world.kinds() == []
    world.run(600)
    assert world.kinds() == ["blind"]
    world.values["errors"] = 0.0
    world.run(10)
    world.values["errors"] = None  # it flickers
    world.run(200)
    assert world.kinds() == ["blind"]
    world.values["errors"] = 0.0
    world.run(600)
    assert world.kinds() == ["blind", "seeing-again"]


def test_rule_03_after_an_action_what_is_not_known_is_no_recovery() -> None:
    world = breached()
    world.run(50)
    world.values["errors"] = None
    world.run(3000)
    assert "recovered" not in world.kinds()
    assert (world.phase, world.rule.under) == (RulePhase.UNKNOWN, RulePhase.ACTED)


def test_rule_04_too_little_traffic_is_neither_a_breach_nor_blindness() -> None:
    world = breached()
    quiet = Sample(at=0.0, problem=trusted("too little traffic"), quiet=True)
    world.values["errors"] = quiet
    world.run(3000)
    assert world.kinds() == []
    assert world.phase is RulePhase.UNKNOWN


def test_rule_05_only_flags_changed_within_the_look_back_before_the_onset() -> None:
    world = breached()
    world.changes.clear()
    world.change("old", ago=1900.0)
    world.run(600)
    assert world.kinds() == ["no-candidate"]
    assert world.writes == []


def test_rule_05_what_changed_after_the_onset_did_not_cause_it() -> None:
    world = breached()
    world.changes.clear()
    world.run(20)
    world.change("hotfix")
    world.run(600)
    assert world.kinds() == ["no-candidate"]


def test_rule_05_a_change_seen_only_at_a_look_may_have_come_before() -> None:
    world = breached()
    world.changes.clear()
    world.run(10)
    world.change("release", exact=False)
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["release"]


def test_rule_05_our_own_changes_do_not_count() -> None:
    world = breached()
    world.change("release", ago=10.0, ours=True)
    world.run(600)
    assert world.kinds() == ["no-candidate"]


@pytest.mark.parametrize(
    ("more", "guard"),
    [
        ({"type": "kill-switch"}, GUARD),
        ({"type": "permission"}, GUARD),
        ({}, replace(GUARD, never=("release",))),
        ({}, replace(GUARD, never=("rel*",))),
        ({"tags": ("payments",)}, replace(GUARD, never=("tag:payments",))),
        ({"type": "ops"}, replace(GUARD, never=("type:ops",))),
        ({}, replace(GUARD, only=("other",))),
        ({"type": "kill-switch"}, replace(GUARD, only=("type:kill-switch",))),
        ({"type": "kill-switch"}, replace(GUARD, only=("rel*",))),
    ],
)
def test_rule_06_excluded_flags_are_never_touched(more: dict[str, object], guard: object) -> None:
    world = breached(guard=guard)
    world.changes.clear()
    world.change("release", ago=60.0, **more)
    world.run(600)
    assert world.writes == []
    assert world.kinds() == ["no-candidate"]


def test_rule_06_what_one_playbook_says_never_to_touch_no_other_guard_touches() -> None:
    one, two = replace(GUARD, never=("maintenance",)), replace(GUARD, never=("mfa",), only=("m*",))
    watched = watched_of([("shop", one), ("bank", two)])
    assert [each.key for each in watched] == ["shop/errors", "bank/errors"]
    assert {each.guard.never for each in watched} == {("maintenance", "mfa")}
    assert [each.guard.only for each in watched] == [(), ("m*",)]


@pytest.mark.parametrize(
    ("more", "only"),
    [
        ({}, ("rel*",)),
        ({"tags": ("canary",)}, ("tag:canary",)),
        ({"type": "experiment"}, ("type:experiment",)),
        ({"type": "kill-switch"}, ("release",)),
    ],
)
def test_rule_06_those_that_are_allowed_are(more: dict[str, object], only: tuple[str, ...]) -> None:
    world = breached(guard=replace(GUARD, only=only))
    world.changes.clear()
    world.change("release", ago=60.0, **more)
    world.run(60)
    assert len(world.writes) == 1


def test_rule_07_more_candidates_than_allowed_ask_a_person_once() -> None:
    world = breached()
    world.change("second", ago=100.0)
    world.change("third", ago=200.0)
    world.run(900)
    assert world.kinds() == ["ask-human"]
    (asked,) = world.told()
    assert asked.flags == ("release", "second", "third")
    assert asked.page


def test_rule_07_no_more_actions_in_an_hour_than_allowed() -> None:
    world = World(guard=replace(GUARD, max_actions=2, cooldown=60.0), values={"errors": 0.0})
    for number in range(3):
        world.run(300)
        world.change(f"release{number}", ago=20.0)
        world.values["errors"] = 0.2
        world.run(60)
        world.values["errors"] = 0.0
        world.run(200)
    assert len(world.writes) == 2
    assert world.kinds() == ["act", "rolled-back", "recovered"] * 2 + ["ask-human", "recovered"]


def test_rule_07_a_breach_within_the_cool_down_asks_a_person() -> None:
    world = breached()
    world.run(50)
    world.values["errors"] = 0.0
    world.run(100)
    world.change("another", ago=10.0)
    world.values["errors"] = 0.2
    world.run(400)
    assert len(world.writes) == 1
    assert world.kinds() == ["act", "rolled-back", "recovered", "ask-human"]


def test_rule_07_a_flag_in_its_cool_down_is_no_candidate_of_another_rule() -> None:
    other = replace(RULE, id="latency", title=trusted("Latency"))
    world = breached(guard=replace(GUARD, rules=(RULE, other)))
    world.values["latency"] = 0.0
    world.run(50)
    world.values["errors"] = 0.0
    world.run(200)
    world.values["latency"] = 0.2
    world.run(300)
    assert len(world.writes) == 1


def test_rule_07_a_flag_that_may_have_been_rolled_back_is_in_its_cool_down_too() -> None:
    other = replace(RULE, id="latency", title=trusted("Latency"))
    world = breached(guard=replace(GUARD, rules=(RULE, other)), answer="unknown", lands=False)
    world.values["latency"] = 0.0
    world.run(50)
    world.values["latency"] = 0.2
    world.run(600)
    assert len(world.writes) == 1


def test_rule_08_newest_first_and_the_next_only_after_the_first_had_time_to_help() -> None:
    world = breached()
    world.change("older", ago=300.0)
    world.run(400)
    assert [act.flag for _, act in world.writes] == ["release", "older"]
    (first, _), (second, _) = world.writes
    assert second - first >= 10 + 30 + 30 + 30, "propagation, window, two scrapes and the hold"
    assert world.kinds() == ["act", "rolled-back", "not-recovered", "act", "rolled-back", "not-recovered"]


def test_rule_08_the_second_rule_waits_for_what_the_first_did() -> None:
    other = replace(RULE, id="latency", title=trusted("Latency"))
    world = breached(guard=replace(GUARD, rules=(RULE, other)))
    world.values["latency"] = 0.2
    world.change("older", ago=300.0)
    world.run(60)
    world.values.update(errors=0.0, latency=0.0)
    world.run(600)
    assert [act.flag for _, act in world.writes] == ["release"]


def test_rule_09_not_armed_it_only_says_what_it_would_do_and_once() -> None:
    world = breached(permission=DISARMED)
    world.run(600)
    assert world.kinds() == ["would"]
    assert world.writes == []
    world.permission = ARMED
    world.run(50)
    assert len(world.writes) == 1


def test_rule_09_permission_that_ends_between_decision_and_write_writes_nothing() -> None:
    world = breached(answer="stopped")
    world.run(50)
    assert world.writes == []
    world.permission = Permission(granted=False, why=trusted("the kill switch is there"))
    world.run(600)
    assert world.kinds() == ["act", "not-rolled-back", "would"]
    assert world.writes == []


def test_rule_10_a_follower_writes_nothing_and_takes_over() -> None:
    world = breached(
        permission=Permission(granted=False, why=trusted("another guard has the lease"), follower=True)
    )
    world.run(100)
    assert world.writes == []
    world.permission = ARMED
    world.run(50)
    assert len(world.writes) == 1


def test_rule_10_a_flag_that_a_person_changed_since_the_decision_is_left_alone() -> None:
    world = breached()
    world.before_write = lambda act: world.change(act.flag)
    world.run(900)
    assert world.writes == []
    assert world.kinds() == ["act", "disarmed"]
    assert world.phase is RulePhase.DISARMED


def test_rule_10_a_suspect_that_a_person_changed_since_the_onset_is_left_alone_and_waited_for() -> None:
    world = breached()
    world.change("older", ago=300.0)
    world.run(20)
    world.change("release", off=True)
    world.run(20)
    assert world.kinds() == ["disarmed"]
    world.run(60)
    assert world.writes == [], "what the person did has not had time to show"
    world.run(60)
    assert [act.flag for _, act in world.writes] == ["older"]


@pytest.mark.parametrize("after", [50, 90, 200])
def test_rule_10_a_persons_restore_is_never_undone(after: int) -> None:
    world = breached()
    world.run(50)
    assert len(world.writes) == 1
    world.run(after)
    world.change("release")
    world.run(100)
    assert world.phase is RulePhase.DISARMED
    world.values["errors"] = 0.0
    world.run(2400)
    assert world.phase in (RulePhase.OK, RulePhase.COOLDOWN)
    world.values["errors"] = 0.2
    world.run(600)
    assert len(world.writes) == 1
    assert world.kinds().count("disarmed") == 1


def test_rule_10_a_restore_in_two_steps_is_not_undone() -> None:
    world = breached()
    world.run(50)
    world.values["errors"] = 0.0
    world.run(2400)
    world.change("release")
    world.run(20)
    world.change("release")
    world.run(20)
    world.values["errors"] = 0.2
    world.run(600)
    assert len(world.writes) == 1


def test_rule_10_a_restore_after_the_recovery_is_not_undone_either() -> None:
    world = breached()
    world.run(50)
    world.values["errors"] = 0.0
    world.run(2400)
    assert world.phase is RulePhase.OK
    world.change("release")
    world.run(30)
    world.values["errors"] = 0.2
    world.run(600)
    assert len(world.writes) == 1
    world.values["errors"] = 0.0
    world.run(LEFT_ALONE, 60.0)
    world.change("release")
    world.run(60)
    world.values["errors"] = 0.2
    world.run(60)
    assert len(world.writes) == 2, "a day later it is a release like any other"


def test_rule_10_an_old_reading_right_after_the_write_is_no_restore() -> None:
    world = breached()
    world.run(40)
    before, after = flag("release", "1"), world.flags["release"]
    assert len(world.writes) == 1
    world.flags["release"] = before  # a replica that is behind
    world.run(20)
    world.flags["release"] = after
    world.run(300)
    assert "disarmed" not in world.kinds()


@pytest.mark.parametrize("ours", [False, True])
def test_rule_10_a_change_that_undid_a_rollback_is_no_candidate_without_any_memory(ours: bool) -> None:
    world = breached()
    world.changes.clear()
    world.change("release", ago=900.0, off=True, ours=True)
    world.change("release", ago=60.0, ours=ours)
    world.run(300)
    assert world.writes == []


def test_rule_11_recovered_and_not_recovered_are_said_apart_from_written() -> None:
    world = breached()
    world.run(60)
    assert world.kinds() == ["act", "rolled-back"]
    world.run(200)
    assert world.kinds()[2:] == ["not-recovered"]
    world.values["errors"] = 0.0
    world.run(100)
    assert world.kinds()[3:] == ["recovered"]
    assert world.told()[-1].resolved
    assert len({told.incident for told in world.told()}) == 1
    assert len({told.id for told in world.told()}) == 3


@pytest.mark.parametrize("code", ["failed", "refused"])
def test_rule_11_what_was_certainly_not_written_is_told_once_and_tried_no_more_than_it_may_be(code: str) -> None:
    world = breached(answer=code)
    world.run(900)
    acts = world.kinds().count("act")
    assert acts == (ATTEMPTS if code == "failed" else 1)
    assert world.kinds().count("not-rolled-back") == 1
    assert world.told("not-rolled-back")[0].page
    assert world.state.acts == ()


def test_rule_11_what_may_have_been_written_is_never_repeated() -> None:
    world = breached(answer="unknown")
    world.change("older", ago=300.0)
    world.before_write = lambda act: setattr(world, "problem", "the provider does not answer")
    world.run(900)
    assert world.kinds() == ["act", "ask-human"]
    world.problem = ""
    world.values["errors"] = 0.045
    world.run(10)
    assert world.kinds()[2:] == ["rolled-back"], "it reads back as wanted"


def test_rule_11_a_report_counts_once() -> None:
    world = breached()
    world.run(50)
    ((_, act),) = world.writes
    again = Report(id=act.id, code="done", at=world.now, message=trusted(""), before="", after="")
    assert report(world.state, again, 10.0) == (world.state, ())


def test_rule_12_a_turn_off_is_never_answered_by_turning_on() -> None:
    for kind in (RollbackKind.OFF, RollbackKind.UNDO):
        world = breached(guard=replace(GUARD, kind=kind))
        world.change("release", ago=10.0, off=True)
        world.run(600)
        assert world.writes == []
        assert world.kinds() == ["ask-human"]
        assert "undoing is proposed" in world.told()[0].summary


def test_rule_12_an_undo_may_only_take_something_away() -> None:
    guard = replace(GUARD, kind=RollbackKind.UNDO)
    world = breached(guard=guard)
    world.changes.clear()
    world.change("release", ago=900.0, off=True)
    world.change("release", ago=60.0)
    world.run(50)
    assert [act.kind for _, act in world.writes] == [RollbackKind.UNDO]
    world = breached(guard=guard)  # what was before is not known
    world.run(600)
    assert world.kinds() == ["ask-human"]


def test_rule_13_the_state_tells_how_every_rule_is_and_why() -> None:
    world = breached()
    world.run(10)
    assert "20 %, allowed up to 5 %" in world.rule.reason
    assert "1 of 3 samples" in world.rule.reason
    world.values["errors"] = "partial: a store is down"
    world.run(10)
    assert world.rule.reason == "partial: a store is down"
    assert world.rule.since == world.now.wall


def test_flags_that_cannot_be_read_are_asked_about_once_and_acted_on_when_they_can() -> None:
    world = breached(problem="the provider does not answer")
    world.run(300)
    assert world.kinds() == ["ask-human"]
    world.problem = ""
    world.run(10)
    assert len(world.writes) == 1


def test_a_rule_that_is_gone_from_the_playbook_is_gone_from_the_state() -> None:
    world = breached()
    world.run(50)
    world.guard = replace(GUARD, rules=(replace(RULE, id="other"),))
    world.values["other"] = 0.0
    world.run(10)
    assert set(world.state.rules) == {"shop/other"}
    assert len(world.state.acts) == 1


def test_the_state_is_json() -> None:
    world = breached()
    world.run(50)
    assert decode(encode(world.state)) == world.state
    assert isinstance(world.state, State)
    assert isinstance(world.decisions[0], Act)


def test_rule_12_a_flag_that_was_never_on_is_not_proposed_to_be_turned_on() -> None:
    world = breached()
    world.changes.clear()
    world.flags.clear()
    world.change("fresh", ago=60.0, off=True)  # made new, and off
    world.run(300)
    assert world.kinds() == ["no-candidate"]
