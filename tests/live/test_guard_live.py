"""The guard before a live ruleIQ, nothing mocked: the flag goes to everybody, errors step to 20 %, and it is
turned off, verified, told and seen to have helped without a person.

`pytest -m nightly -k with_the_shipped_rules -s` prints the times of five runs with the rules as they are shipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.support.guard_scene import QUICK, GuardScene, MakeScene
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

DECIDE_WITHIN = 60.0
"""Seconds from the first observable breach to the decision."""


@dataclass(frozen=True)
class Times:
    """Wall times of one run; `breach` is the first second at which the rule's own expression is over its bound,
    `written` when Unleash says that the flag was turned off."""

    released: float
    breach: float
    decided: float
    written: float
    verified: float
    recovered: float

    def __str__(self) -> str:
        after = {
            "decided": self.decided - self.breach,
            "written": self.written - self.breach,
            "verified": self.verified - self.breach,
            "recovered": self.recovered - self.breach,
        }
        told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in after.items())
        return f"breach {self.breach - self.released:.1f} s after the release; after the breach: {told}"


def one_run(scene: GuardScene, limit: float) -> Times:
    """The flag goes to everybody under an armed guard; what happened when."""
    scene.arm()
    scene.guard()
    wait_for(lambda: scene.phase() == "ok", 60, "guard that sees")
    released = scene.release(100)
    told = scene.receiver.events
    wait_for(lambda: bool(told("recovered")), limit, f"recovery told; until now {[e['kind'] for e in told()]}")
    (decided,), (rolled_back,), (recovered,) = told("decided"), told("rolled-back"), told("recovered")
    assert {event["flag"] for event in (decided, rolled_back)} == {scene.flag}
    assert not scene.unleash.is_on(scene.flag)
    written = scene.unleash.events(scene.flag)[0]
    assert written["type"] == "feature-environment-disabled"
    breach = scene.first_breach(released, decided["at"])
    assert breach is not None, "the guard decided on what nobody can see"
    at = datetime.fromisoformat(written["createdAt"]).timestamp()
    return Times(released, breach, decided["at"], at, rolled_back["at"], recovered["at"])


def explained(scene: GuardScene) -> None:
    """What the journal has of it."""
    entries = json.loads(scene.run("journal", "list", "--json").stdout)
    deed = next(entry for entry in entries if entry["action"] == "rollback")
    assert deed["state"] == "done", deed
    assert scene.flag in json.dumps(deed)


def test_a_flag_that_breaks_ruleiq_is_turned_off_without_a_person(make_scene: MakeScene) -> None:
    scene = make_scene(compress=10.0, guard=QUICK)
    times = one_run(scene, 120)
    print(times)
    assert times.decided - times.breach <= DECIDE_WITHIN
    assert times.breach <= times.decided <= times.written <= times.verified <= times.recovered
    wait_for(lambda: scene.error_rate() == 0.0, 60, "application without errors")
    explained(scene)


@pytest.mark.nightly
@pytest.mark.parametrize("run", range(5))
def test_decided_within_a_minute_with_the_shipped_rules(make_scene: MakeScene, run: int) -> None:
    scene = make_scene()
    times = one_run(scene, 400)
    print(f"run {run + 1}: {times}")
    assert times.decided - times.breach <= DECIDE_WITHIN
    wait_for(lambda: scene.error_rate() == 0.0, 120, "application without errors")
    explained(scene)
