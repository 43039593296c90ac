"""`opsconsole flags` before a live ruleIQ that asks a real Unleash: rolled back it heals, restored it breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.flag_servers import Unleash
from tests.support.guard_scene import GuardScene
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

FLAG = "cli-new-scoring"


@pytest.fixture
def scene(tmp_path: Path, unleash: Unleash) -> Iterator[GuardScene]:
    with GuardScene(tmp_path, unleash, FLAG, compress=12.0) as scene:
        yield scene


def test_rolled_back_and_restored_from_the_command_line(scene: GuardScene, unleash: Unleash) -> None:
    scene.release(100)
    wait_for(lambda: (scene.error_rate() or 0.0) > 0.1, 60, "errors of the released flag")
    listed = json.loads(scene.run("flags", "list", "--json").stdout)
    flag = next(one for one in listed if one["key"] == FLAG)
    assert (flag["serves"], flag["last_change"]["who"]) == ("on 100 %", unleash.someone)
    told = scene.run("flags", "plan", FLAG)
    assert "turn off (on 100 % -> off)" in told.stdout + told.stderr
    refused = scene.run("flags", "rollback", FLAG, "--yes")
    assert refused.returncode == 2, refused.stderr
    assert unleash.is_on(FLAG), "production asks for the name"
    done = scene.run("flags", "rollback", FLAG, "--yes", "--name", FLAG, "--reason", "errors")
    assert done.returncode == 0, done.stderr
    assert not unleash.is_on(FLAG)
    wait_for(lambda: scene.error_rate() == 0.0, 60, "recovery of the application")
    back = scene.run("flags", "restore", FLAG, "--yes", "--name", FLAG)
    assert back.returncode == 0, back.stderr
    assert unleash.share(FLAG) == 100
    wait_for(lambda: (scene.error_rate() or 0.0) > 0.1, 60, "errors of the restored flag")
