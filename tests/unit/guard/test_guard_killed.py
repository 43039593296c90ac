"""A guard is killed with -9 at every step of a rollback: the next one neither acts twice nor forgets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.guard_process import STEPS

BEFORE_THE_WRITE = STEPS[: STEPS.index("applied")]


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How all stood in the end, by the step at which the first guard was killed."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.support.guard_process", str(folder), *STEPS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    return dict(zip(STEPS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_it_writes_once_and_tells(after: dict[str, Any], step: str) -> None:
    found = after[step]
    assert found["writes"] == ["new_parser"], found
    assert found["on"] is False
    assert found["open"] == 0, "an intent has no outcome"
    assert found["verify"] == []
    assert found["waiting"] == []
    assert found["pending"] is False
    assert found["problem"] == ""
    assert found["phase"] == "cooldown"
    kinds = found["events"]
    assert kinds.count("rolled-back") == 1, found
    assert kinds[-1] == "recovered"
    assert kinds[0] == "decided"


@pytest.mark.parametrize("step", STEPS)
def test_what_was_decided_before_the_kill_is_told_after_it(after: dict[str, Any], step: str) -> None:
    """What the first guard could not hand on any more, the second does; the outbox of the first is gone here."""
    told = after[step]["told"]
    assert told[-1] == "recovered"
    missing = step == "reported and told"
    assert ("rolled-back" in told) is not missing, after[step]


@pytest.mark.parametrize("step", BEFORE_THE_WRITE)
def test_what_was_not_written_is_settled_and_decided_anew(after: dict[str, Any], step: str) -> None:
    found = after[step]
    begun = step in ("intended", "writing")
    assert found["results"] == [*(["open", "failed"] if begun else []), "open", "done"], found
    saved = STEPS.index(step) >= STEPS.index("saved")
    assert ("not-rolled-back" in found["events"]) is saved


def test_what_was_written_is_adopted(after: dict[str, Any]) -> None:
    for step in STEPS[len(BEFORE_THE_WRITE) :]:
        assert after[step]["results"] == ["open", "done"], step
        assert "not-rolled-back" not in after[step]["events"]
