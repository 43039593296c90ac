"""Rule 9: not armed unless somebody said so, for a time; whatever cannot be believed is not armed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opsconsole.clock import ManualClock
from opsconsole.errors import GuardError, UsageError
from opsconsole.guard.arming import ArmingFile, Uptime, armed_words, uptime
from opsconsole.model.guard import Armed

HOUR = 3600.0


class Machine:
    """A wall clock that an operator can set, and a machine that can be started anew."""

    def __init__(self) -> None:
        self.wall = ManualClock()
        self.offset = 0.0
        self.boot = "first"

    def now(self) -> float:
        return self.wall.now() + self.offset

    def monotonic(self) -> float:
        return self.wall.monotonic()

    def uptime(self) -> Uptime:
        return Uptime(self.boot, self.wall.monotonic())


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def arming(tmp_path: Path, machine: Machine) -> ArmingFile:
    return ArmingFile(tmp_path / "guard" / "armed.json", "prod", machine, uptime=machine.uptime)


def test_nobody_has_armed_it(arming: ArmingFile) -> None:
    assert (arming.armed(), arming.problem) == (None, "")
    assert not arming.disarm()


def test_armed_for_a_time_by_somebody_and_then_no_more(arming: ArmingFile, machine: Machine) -> None:
    at = machine.now()
    arming.arm(8 * HOUR, "ann", "release night")
    assert arming.armed() == Armed(until=at + 8 * HOUR, at=at, by="ann", reason="release night")
    assert arming.path.stat().st_mode & 0o777 == 0o600
    machine.wall.advance(8 * HOUR - 1)
    assert arming.armed() is not None
    machine.wall.advance(1)
    assert (arming.armed(), arming.problem) == (None, "")


def test_disarmed_counts_at_once_for_every_process(arming: ArmingFile, machine: Machine) -> None:
    guard = ArmingFile(arming.path, "prod", machine, uptime=machine.uptime)
    arming.arm(HOUR, "ann", "x")
    assert guard.armed() is not None
    assert arming.disarm()
    assert guard.armed() is None


def test_arming_again_replaces_what_was(arming: ArmingFile) -> None:
    arming.arm(8 * HOUR, "ann", "x")
    shorter = arming.arm(HOUR, "bob", "y")
    assert arming.armed() == shorter
    assert [p.name for p in arming.path.parent.iterdir()] == ["armed.json"]


@pytest.mark.parametrize("seconds", [0.0, 59.0, 7 * 24 * HOUR + 1, -5.0, float("nan"), float("inf")])
def test_not_for_ever_and_not_for_nothing(arming: ArmingFile, seconds: float) -> None:
    with pytest.raises(UsageError, match="1m to 7d"):
        arming.arm(seconds, "ann", "x")
    assert arming.armed() is None


def test_a_clock_that_goes_back_grants_no_more_than_was_granted(arming: ArmingFile, machine: Machine) -> None:
    arming.arm(HOUR, "ann", "x")
    machine.wall.advance(0.75 * HOUR)
    machine.offset = -0.5 * HOUR
    assert arming.armed() is not None
    machine.wall.advance(0.25 * HOUR)
    assert arming.armed() is None, "an hour has passed, whatever the clock says"


def test_a_clock_before_the_arming_is_not_believed(arming: ArmingFile, machine: Machine) -> None:
    arming.arm(HOUR, "ann", "x")
    machine.offset = -1.0
    assert arming.armed() is None
    assert "the clock is before the time" in arming.problem


def test_after_a_start_of_the_machine_the_wall_clock_counts(arming: ArmingFile, machine: Machine) -> None:
    arming.arm(HOUR, "ann", "x")
    machine.boot = "second"
    machine.wall.advance(0.5 * HOUR)
    assert arming.armed() is not None
    machine.offset = 0.5 * HOUR
    assert arming.armed() is None


def _changed(arming: ArmingFile, **changes: object) -> None:
    written = json.loads(arming.path.read_text())
    arming.path.write_text(json.dumps(written | changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"context": "staging"}, "is of the context staging"),
        ({"version": 2}, "written by another version"),
        ({"until": 9e9}, "grants a time that nobody may grant"),
        ({"until": 0.0}, "grants a time that nobody may grant"),
        ({"until": "tomorrow"}, "cannot be understood"),
        ({"extra": 1}, "cannot be understood"),
    ],
)
def test_a_file_that_says_something_else_is_not_armed(
    arming: ArmingFile, changes: dict[str, object], why: str
) -> None:
    arming.arm(HOUR, "ann", "x")
    _changed(arming, **changes)
    assert arming.armed() is None
    assert why in arming.problem


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"x" * 70_000, b'{"version": 1}'])
def test_a_damaged_file_is_not_armed_and_says_so(arming: ArmingFile, raw: bytes) -> None:
    arming.arm(HOUR, "ann", "x")
    arming.path.write_bytes(raw)
    assert arming.armed() is None
    assert arming.problem.startswith(f"not armed: {arming.path}: ")
    arming.arm(HOUR, "ann", "x")
    assert arming.armed() is not None


def test_a_file_that_others_can_write_is_not_armed(arming: ArmingFile) -> None:
    arming.arm(HOUR, "ann", "x")
    arming.path.chmod(0o622)
    assert arming.armed() is None
    assert "could have been written by others" in arming.problem


def test_a_link_or_a_folder_is_not_armed(arming: ArmingFile, tmp_path: Path) -> None:
    arming.arm(HOUR, "ann", "x")
    arming.path.rename(tmp_path / "elsewhere")
    arming.path.symlink_to(tmp_path / "elsewhere")
    assert arming.armed() is None
    assert arming.problem
    arming.path.unlink()
    arming.path.mkdir()
    assert arming.armed() is None
    assert arming.problem
    with pytest.raises(GuardError):
        arming.arm(HOUR, "ann", "x")
    with pytest.raises(GuardError):
        arming.disarm()


def test_what_is_written_in_it_is_made_safe(arming: ArmingFile) -> None:
    arming.arm(HOUR, "ann\x1b[2J", "a\nb")
    armed = arming.armed()
    assert armed is not None
    assert (armed.by, armed.reason) == ("ann\\x1b[2J", "a\\nb")


def test_words_and_the_machine_itself(arming: ArmingFile, machine: Machine) -> None:
    assert armed_words(arming.armed(), machine.now()) == "not armed: it only says what it would do"
    arming.arm(8 * HOUR, "ann", "x")
    assert armed_words(arming.armed(), machine.now()) == "armed by ann for another 8h"
    machine.wall.advance(7.5 * HOUR)
    assert armed_words(arming.armed(), machine.now()) == "armed by ann for another 30m"
    assert uptime().boot
    assert uptime().seconds > 0
