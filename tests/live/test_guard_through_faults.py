"""An incident before a real guard, while something fails or someone interferes.

Unleash on PostgreSQL, Prometheus, Alertmanager, ruleIQ and the receiver of webhooks are real. Each test looks at
what Unleash says it was told, at the journal, and at what people were told.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from opsconsole.model.guard import RulePhase
from opsconsole.model.journal import Result
from tests.support.edited import Answer
from tests.support.flag_servers import Unleash
from tests.support.guard_incident import LIMIT, Incident
from tests.support.guard_process import STEPS
from tests.support.guard_scene import GuardScene
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

OFF = "feature-environment-disabled"
NUMBERS = itertools.count()
NAMES = [f"fault-{number}" for number in range(40)]
"""The flags that the application asks for; each test takes new ones."""


@dataclass
class Table:
    """What became of each scenario, printed at the end."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, scenario: str, incident: Incident) -> None:
        events = [entry for entry in incident.journal() if entry.action == "guard"]
        writes = sum(len(incident.writes(flag)) for flag in incident.flags)
        words = events[-1].message.splitlines()[0] if events else "nothing"
        self.lines.append((scenario, " > ".join(str(e.detail["kind"]) for e in events), str(writes), words))

    def text(self) -> str:
        head = ("scenario", "told", "writes in Unleash", "the journal's last words")
        return "\n".join(" | ".join(cells) for cells in (head, *self.lines))


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    table = Table()
    yield table
    print(f"\n{table.text()}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, unleash: Unleash) -> Iterator[GuardScene]:
    """What the incidents share. Its own flag stays off."""
    scene = GuardScene(tmp_path_factory.mktemp("scene"), unleash, "fault-none", compress=12.0)
    scene.app.flags = ("fault-none", *NAMES)
    with scene:
        yield scene


def some_flags(number: int = 1) -> list[str]:
    return [NAMES[next(NUMBERS)] for _ in range(number)]


def assert_consistent(incident: Incident) -> None:
    """Nothing is left open in the journal, it is whole, and it says why of whatever was decided."""
    assert incident.journal_problems() == []
    entries = incident.journal()
    begun = {entry.op for entry in entries if entry.result is Result.OPEN}
    ended = {entry.op for entry in entries if entry.result is not Result.OPEN}
    assert not begun - ended, incident.story()
    for entry in entries:
        if entry.action == "guard":
            assert entry.detail["incident"], entry
            assert entry.message, entry


@pytest.mark.nightly
def test_not_armed_it_says_what_it_would_do_and_writes_nothing(
    scene: GuardScene, tmp_path: Path, table: Table
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.guard()
        incident.release()
        told = incident.wait_until_told("would-roll-back")
        incident.rounds()
        assert told["flag"] == incident.flag
        assert "not armed" in told["summary"]
        assert '-  "enabled": true' in told["diff"]
        assert '+  "enabled": false' in told["diff"]
        assert incident.is_on()
        assert incident.writes() == []
        (entry,) = incident.journal("would-roll-back")
        assert entry.detail["incident"] == told["incident"]
        assert "writes nothing: not armed" in entry.message
        assert f"{incident.flag} was changed" in entry.message
        assert incident.kinds() == ["would-roll-back"], "said once"
        assert not [entry for entry in incident.journal() if entry.action == "rollback"]
        table.add("dry run", incident)


@pytest.mark.nightly
def test_a_dry_run_writes_nothing_though_it_is_armed(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        guard = incident.guard("--dry-run")
        incident.release()
        wait_for(lambda: "would-roll-back" in incident.noted(), LIMIT, "word of what it would have done")
        wait_for(lambda: "confirmed" in guard.log(), LIMIT, "phase in the log")
        assert f"would roll back {incident.flag}" in guard.log()
        assert incident.is_on()
        assert incident.writes() == []
        assert incident.told() == [], "a dry run calls nobody"
        (entry,) = incident.journal("would-roll-back")
        assert "writes nothing" in entry.message
        table.add("guard run --dry-run, armed", incident)


def test_kill_switch_between_decision_and_write(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        incident.guard("--touch", "planned", str(incident.places.kill_switch))
        incident.release()
        told = incident.wait_until_told("not-rolled-back")
        incident.rounds()
        assert incident.noted()[:2] == ["decided", "not-rolled-back"]
        assert "kill switch" in told["summary"]
        assert told["page"], "somebody has to look"
        assert incident.is_on()
        assert incident.writes() == []
        (entry,) = incident.journal("not-rolled-back")
        assert "stopped before the write: the kill switch" in entry.message
        assert_consistent(incident)
        table.add("kill switch between decision and write", incident)


PARTIAL = json.dumps({"status": "success", "warnings": ["one of two stores did not answer"]})[:-1]


def not_a_number(answer: Answer) -> Answer:
    """To the question for the error ratio itself."""
    if "5.." not in answer.asked or "timestamp" in answer.asked:
        return answer
    return replace(answer, body=re.sub(rb'"value":\[([0-9.]+),"[^"]*"\]', rb'"value":[\1,"NaN"]', answer.body))


def partial(answer: Answer) -> Answer:
    return answer.replaced('{"status":"success"', PARTIAL)


@pytest.mark.nightly
@pytest.mark.parametrize("fault", ["dies", "NaN", "partial"])
def test_prometheus_fails_while_a_breach_is_being_confirmed(
    scene: GuardScene, tmp_path: Path, table: Table, fault: str
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        incident.guard()
        incident.release()
        wait_for(lambda: incident.rule().run >= 1, LIMIT, "first value beyond the bound")
        if fault == "dies":
            scene.prometheus.kill()
        else:
            incident.prometheus.edit = not_a_number if fault == "NaN" else partial
        try:
            told = incident.wait_until_told("blind")
            assert incident.rule().phase is RulePhase.UNKNOWN
            assert incident.noted() == ["blind"], "nothing is decided on what is not known"
            assert incident.writes() == []
            assert incident.is_on()
        finally:
            incident.prometheus.edit = lambda answer: answer
            if fault == "dies":
                scene.prometheus.start()
        why = {"dies": "", "NaN": "finite", "partial": "one of two stores did not answer"}[fault]
        assert why in told["summary"], told["summary"]
        (entry,) = incident.journal("blind")
        assert "no usable value of Error ratio" in entry.message
        incident.wait_until_told("seeing-again")
        incident.wait_until_told("rolled-back")
        assert incident.writes() == [OFF]
        assert_consistent(incident)
        table.add(f"Prometheus: {fault}", incident)


def test_unleash_does_not_answer_but_has_done_it(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        incident.unleash.lose_answers_to_writes = True
        incident.guard()
        incident.release()
        told = incident.wait_until_told("rolled-back")
        incident.wait_until_told("recovered")
        assert told["verified"]
        assert not incident.is_on()
        assert incident.writes() == [OFF]
        assert incident.unleash.writes == 1, "never repeated"
        (entry,) = incident.journal("rolled-back")
        assert "read back as wanted" in entry.message
        assert incident.noted() == ["decided", "rolled-back", "recovered"]
        assert_consistent(incident)
        table.add("Unleash answers nothing after applying", incident)


@pytest.mark.nightly
@pytest.mark.parametrize("after", ["rolled-back", "recovered"])
def test_person_who_turns_it_back_on_is_never_fought(
    scene: GuardScene, tmp_path: Path, table: Table, after: str
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        incident.guard()
        incident.release()
        incident.wait_until_told(after)
        scene.unleash.turn_on(incident.flag)
        told = incident.wait_until_told("disarmed")
        wait_for(lambda: (scene.error_rate() or 0.0) > 0.1, LIMIT, "errors of the flag that is on again")
        incident.rounds(8)
        assert incident.is_on()
        assert incident.writes() == [OFF]
        assert "was changed after the guard rolled it back" in told["summary"]
        (entry,) = incident.journal("disarmed")
        assert "leaves it alone for a day" in entry.message
        assert incident.noted().count("decided") == 1
        assert_consistent(incident)
        table.add(f"a person turns it on again ({after})", incident)


@pytest.mark.nightly
def test_one_of_two_guards_acts(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        incident.guard()
        incident.guard()
        incident.release()
        incident.wait_until_told("recovered")
        assert incident.writes() == [OFF]
        assert incident.unleash.writes == 1
        assert incident.noted() == ["decided", "rolled-back", "recovered"]
        assert incident.kinds() == ["rolled-back", "recovered"]
        assert_consistent(incident)
        table.add("two guards", incident)


@pytest.mark.nightly
def test_the_other_guard_takes_over_when_the_one_that_acts_is_killed(
    scene: GuardScene, tmp_path: Path, table: Table
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        holder = incident.guard("--die", "planned")
        incident.rounds(1)
        incident.guard()
        incident.release()
        assert holder.wait_until_dead() == -9
        assert incident.writes() == []
        incident.wait_until_told("recovered")
        assert incident.writes() == [OFF]
        assert incident.unleash.writes == 1
        assert "the guard was stopped before it began" in incident.journal("not-rolled-back")[0].message
        assert_consistent(incident)
        table.add("two guards, the holder is killed", incident)


@pytest.mark.nightly
def test_a_guard_that_is_frozen_before_its_write_is_told_of_and_then_stands_by(
    scene: GuardScene, tmp_path: Path, table: Table
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        holder = incident.guard("--freeze", "intended")
        incident.rounds(1)
        incident.guard()
        incident.release()
        told = incident.wait_until_told("ask-human")
        assert told["page"]
        assert f"whether it rolled back {incident.flag}" in told["summary"]
        assert incident.writes() == [], "the frozen one may still write"
        holder.resume()
        incident.wait_until_told("recovered")
        assert "stands by" in holder.log()
        assert incident.writes() == [OFF]
        assert incident.unleash.writes == 1
        assert "another guard has the lease" in incident.journal("not-rolled-back")[0].message
        wanted = ["decided", "ask-human", "not-rolled-back", "decided", "rolled-back", "recovered"]
        assert incident.noted() == wanted
        assert_consistent(incident)
        table.add("two guards, the holder is frozen", incident)


@pytest.mark.parametrize(
    "step", [step if step == "applied" else pytest.param(step, marks=pytest.mark.nightly) for step in STEPS]
)
def test_killed_at_a_step_it_neither_writes_twice_nor_forgets(
    scene: GuardScene, tmp_path: Path, table: Table, step: str
) -> None:
    with Incident(scene, tmp_path, *some_flags()) as incident:
        incident.arm()
        killed = incident.guard("--die", step)
        incident.release()
        assert killed.wait_until_dead() == -9, incident.story()
        done = STEPS.index(step) >= STEPS.index("applied")
        assert incident.writes() == ([OFF] if done else [])
        incident.guard()
        incident.wait_until_told("recovered")
        assert incident.writes() == [OFF]
        assert incident.unleash.writes == 1
        assert not incident.is_on()
        (entry,) = incident.journal("rolled-back")
        assert incident.flag in entry.message
        assert len({event["id"] for event in incident.told("rolled-back")}) == 1
        assert incident.noted()[0] == "decided"
        assert incident.noted()[-1] == "recovered"
        assert_consistent(incident)
        table.add(f"killed: {step}", incident)


@pytest.mark.nightly
def test_excluded_flag_is_told_and_not_touched(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    flags = some_flags()
    with Incident(scene, tmp_path, *flags, guard={"never": flags}) as incident:
        incident.arm()
        incident.guard()
        incident.release()
        told = incident.wait_until_told("no-candidate")
        incident.rounds()
        assert told["page"]
        assert f"{incident.flag}: the playbook says never" in told["summary"]
        assert incident.is_on()
        assert incident.writes() == []
        assert incident.noted() == ["no-candidate"]
        table.add("a flag on the exclusion list", incident)


@pytest.mark.nightly
def test_three_suspects_are_for_a_person(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, *some_flags(3)) as incident:
        incident.arm()
        incident.guard()
        incident.release()
        told = incident.wait_until_told("ask-human")
        incident.rounds()
        assert told["page"]
        assert "3 flags may be the cause, at most 2 may be rolled back" in told["summary"]
        for flag in incident.flags:
            assert flag in incident.journal("ask-human")[0].message
            assert incident.is_on(flag)
            assert incident.writes(flag) == []
        assert incident.noted() == ["ask-human"]
        table.add("three suspects", incident)


@pytest.mark.nightly
def test_of_two_suspects_the_newest_comes_first(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    older, newer = flags = some_flags(2)
    with Incident(scene, tmp_path, *flags) as incident:
        incident.arm()
        incident.guard()
        incident.release(older, newer)
        first = incident.wait_until_told("rolled-back")
        assert first["flag"] == newer
        assert incident.is_on(older), "one at a time: it is looked again first"
        incident.wait_until_told("recovered")
        assert [event["flag"] for event in incident.told("rolled-back")] == [newer, older]
        assert incident.writes(newer) == incident.writes(older) == [OFF]
        wanted = ["decided", "rolled-back", "not-recovered", "decided", "rolled-back", "recovered"]
        assert incident.noted() == wanted
        assert_consistent(incident)
        table.add("two suspects", incident)


@pytest.mark.nightly
def test_what_no_flag_explains_is_told_once(scene: GuardScene, tmp_path: Path, table: Table) -> None:
    with Incident(scene, tmp_path, guard={"only": ["there-is-no-such-flag"]}) as incident:
        incident.arm()
        incident.guard()
        scene.app.fails(0.2)
        try:
            told = incident.wait_until_told("no-candidate")
            incident.rounds(8)
            assert incident.kinds() == ["no-candidate"]
        finally:
            scene.app.fails(0.0)
        assert told["page"]
        assert "no flag that may be rolled back was changed" in told["summary"]
        assert incident.unleash.writes == 0
        incident.wait_until_told("recovered")
        assert incident.noted() == ["no-candidate", "recovered"]
        table.add("no flag explains it", incident)
