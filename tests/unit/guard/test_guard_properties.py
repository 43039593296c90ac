"""Whatever happens in whatever order: what a guard must never do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from opsconsole.guard.decisions import Permission, Tell
from opsconsole.guard.state import LEFT_ALONE, UNSEEN, Act, rebase
from opsconsole.text import trusted
from tests.support.guards import ARMED, GUARD, RULE, World

SETTINGS = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a life of hours takes too long
    suppress_health_check=[HealthCheck.too_slow],
)
RULES = (RULE, replace(RULE, id="latency", title=trusted("Latency"), hold=0.0))
KEYS = ("one", "two", "three", "banner", "switch")
BAD = (0.2, 0.06, 1.0)
GOOD = (0.0, 0.04, 0.05)
UNKNOWN = (None, math.nan, math.inf, "partial: a store", "stale")
WHYS = ("not armed", "the kill switch is there", "another guard has the lease")


@dataclass(frozen=True)
class Seen:
    mono: float
    at: float
    bad: bool
    good: bool


class Guarded(RuleBasedStateMachine):
    """Two worlds that live the same life; the state of one is written out and read back at every step."""

    @initialize(
        max_flags=st.integers(1, 3), max_actions=st.integers(1, 4), cooldown=st.sampled_from([60.0, 900.0])
    )
    def begin(self, max_flags: int, max_actions: int, cooldown: float) -> None:
        guard = replace(
            GUARD, rules=RULES, never=("banner",), max_flags=max_flags, max_actions=max_actions, cooldown=cooldown
        )
        self.worlds = [World(guard=guard, restarts=restarts) for restarts in (False, True)]
        self.seen: dict[str, list[Seen]] = {each.id: [] for each in RULES}
        self.checked = 0
        self.written: list[tuple[float, str]] = []
        self.touched: dict[str, float] = {}
        self.changed: dict[str, float] = {}
        self.jumped = -math.inf
        self.repeat = False
        for world in self.worlds:
            world.values = {each.id: 0.0 for each in RULES}
            for key in KEYS:
                world.change(key, ago=7200.0, type="kill-switch" if key == "switch" else "release")

    @property
    def world(self) -> World:
        return self.worlds[0]

    @rule(which=st.sampled_from([each.id for each in RULES]), value=st.sampled_from([*BAD, *GOOD, *UNKNOWN]))
    def value(self, which: str, value: object) -> None:
        for world in self.worlds:
            world.values[which] = value

    @rule(
        which=st.sampled_from([each.id for each in RULES]),
        keys=st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
        off=st.sampled_from([False, False, False, True]),
        looks=st.integers(1, 20),
        value=st.sampled_from(BAD),
    )
    def incident(self, which: str, keys: list[str], off: bool, looks: int, value: float) -> None:
        """Flags change, and then something is wrong."""
        for key in keys:
            self.person(key, off, exact=True)
        for world in self.worlds:
            world.values = {each.id: 0.0 for each in RULES}
            world.values[which] = value
        self.time(looks, 0.0)

    @rule(key=st.sampled_from(KEYS))
    def incident_at_a_good_time(self, key: str) -> None:
        """The same when nothing keeps the guard from acting."""
        for world in self.worlds:
            world.permission, world.problem, world.answer = ARMED, "", "done"
        self.incident("errors", [key], False, 8, 0.2)

    @rule(key=st.sampled_from(KEYS), why=st.sampled_from(WHYS))
    def incident_without_permission(self, key: str, why: str) -> None:
        for world in self.worlds:
            world.problem = ""
        self.permission(False, why)
        self.incident("latency", [key], False, 8, 0.2)

    @rule(looks=st.integers(1, 8), late=st.floats(-1.0, 1.0))
    def time(self, looks: int, late: float) -> None:
        for _ in range(looks):
            for world in self.worlds:
                world.time += 10.0 + late
            self.round()

    @rule(minutes=st.sampled_from([5, 31, 120]))
    def healthy_for(self, minutes: int) -> None:
        for world in self.worlds:
            world.values = {each.id: 0.0 for each in RULES}
        for _ in range(minutes * 2):
            for world in self.worlds:
                world.time += 20.0
            self.round()

    @rule(seconds=st.floats(20, 4000))
    def pause(self, seconds: float) -> None:
        for world in self.worlds:
            world.time += seconds
        self.round()

    @rule(jump=st.sampled_from([-7200.0, -60.0, 60.0, 7200.0]))
    def wall_clock(self, jump: float) -> None:
        for world in self.worlds:
            world.wall_shift += jump
        self.jumped = self.world.now.mono

    @rule(passed=st.floats(0, 100))
    def restart(self, passed: float) -> None:
        for world in self.worlds:
            world.time += passed
            world.state = rebase(world.state, world.now, same_boot=True)

    @rule(key=st.sampled_from(KEYS), off=st.booleans(), exact=st.booleans())
    def person(self, key: str, off: bool, exact: bool) -> None:
        type = "kill-switch" if key == "switch" else "release"
        for world in self.worlds:
            world.change(key, off=off, exact=exact, type=type)
        self.changed[key] = self.world.now.mono
        if any(flag == key for _, flag in self.written):
            self.touched[key] = self.world.time

    @rule(granted=st.sampled_from([True, True, False]), why=st.sampled_from(WHYS))
    def permission(self, granted: bool, why: str) -> None:
        for world in self.worlds:
            words = trusted("" if granted else why)
            world.permission = Permission(granted=granted, why=words, follower="lease" in why and not granted)

    @rule(answer=st.sampled_from(["done", "done", "failed", "refused", "stopped", "unknown"]), lands=st.booleans())
    def answer(self, answer: str, lands: bool) -> None:
        for world in self.worlds:
            world.answer, world.lands = answer, lands

    @rule(problem=st.sampled_from(["", "", "the provider does not answer"]))
    def provider(self, problem: str) -> None:
        for world in self.worlds:
            world.problem = problem

    def round(self) -> None:
        for each in RULES:
            sample = self.world.sample(each)
            usable = not sample.problem and sample.value is not None and math.isfinite(sample.value)
            bad = usable and each.crossed(sample.value or 0.0)
            self.seen[each.id].append(Seen(self.world.now.mono, sample.at, bad, usable and not bad))
        for act in [d for d in self.world.round() if isinstance(d, Act)]:
            self.check(act)
        self.worlds[1].round()

    def check(self, act: Act) -> None:
        world, guard = self.world, self.world.guard
        each = next(r for r in RULES if r.id == act.rule.partition("/")[2])
        seen = self.seen[each.id]
        row = []
        for one in reversed(seen):
            if not one.bad or (row and row[-1].mono - one.mono > 2.5 * guard.interval):
                break
            row.append(one)
        assert len(row) >= guard.samples, f"acted on {len(row)} samples in a row"
        assert row[0].mono - row[-1].mono >= each.hold, "acted before the hold was over"
        assert len({one.at for one in row}) == len(row), "one sample counted twice"
        self.began(act, seen)
        assert world.permission.granted, "acted without permission"
        assert not world.problem, "acted without knowing the flags"
        assert act.flag not in ("banner", "switch"), "acted on an excluded flag"
        history = [change for change in world.happened if change.key == act.flag]
        done = 1 if world.answer in ("done", "unknown") else 0
        changed = 1 if world.answer == "done" or (done and world.lands) else 0
        assert not history[changed].ours, "acted on a flag that was changed by us"
        assert not history[changed].off, "turned off what was turned off"
        wrote = [(at, flag) for at, flag in self.written]
        lately = [at for at, _ in wrote if world.time - at < 3600]
        assert len(lately) < guard.max_actions, "more actions in an hour than allowed"
        assert all(world.time - at >= guard.cooldown for at, flag in wrote if flag == act.flag), "in its cool-down"
        last = max((at for at, _ in wrote), default=-math.inf)
        assert world.time - last >= 10 + 30 + 30, "the last action had no time to show"
        touched = self.touched.get(act.flag)
        assert touched is None or world.time - touched >= LEFT_ALONE, "undid what a person did"
        if done:
            self.written.append((world.time, act.flag))

    def began(self, act: Act, seen: list[Seen]) -> None:
        """The flag was not changed between the last value within the bound and the first beyond it, unless these
        are close."""
        number, good = max(((n, one.mono) for n, one in enumerate(seen) if one.good), default=(-1, -math.inf))
        bad = next(one.mono for one in seen[number + 1 :] if one.bad)
        if bad - good > UNSEEN and self.jumped < good:
            changed = self.changed.get(act.flag, -math.inf)
            assert not good < changed <= bad, "acted on a flag that was changed while nobody saw the breach begin"

    @invariant()
    def a_restart_makes_no_difference(self) -> None:
        if hasattr(self, "worlds"):
            assert self.worlds[0].decisions == self.worlds[1].decisions
            assert self.worlds[0].state == self.worlds[1].state

    @invariant()
    def nothing_is_said_twice(self) -> None:
        if not hasattr(self, "worlds"):
            return
        told = [d.id for d in self.world.decisions if isinstance(d, Tell)]
        assert len(told) == len(set(told))

    @invariant()
    def unknown_is_never_called_healthy(self) -> None:
        if not hasattr(self, "worlds") or not self.world.state.rules:
            return
        for each in RULES:
            rule = self.world.state.rules[f"shop/{each.id}"]
            assert (rule.value is None) == (rule.phase.value == "unknown"), rule


Guarded.TestCase.settings = SETTINGS
TestGuarded = pytest.mark.timeout(120)(Guarded.TestCase)
