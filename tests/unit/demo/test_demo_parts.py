"""Parts of the demo by themselves: flags, compression, exposition, the application, `--serve`."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsconsole.clock import ManualClock
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.demo.compress import compress_rules, compressed_copy
from opsconsole.demo.exposition import history
from opsconsole.demo.release import initial_flags, release, served_share, write_flags
from opsconsole.demo.rulebook import expand
from opsconsole.demo.shapes import follow, noise
from opsconsole.demo.world import World

START = ManualClock().now()


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ({}, 0.0),
        ({"defaultVariant": "on"}, 1.0),
        ({"defaultVariant": "on", "state": "DISABLED"}, 0.0),
        ({"targeting": {"fractional": [{"var": "x"}, ["on", 30], ["off", 70]]}}, 0.3),
        ({"targeting": {"if": [{"==": [1, 1]}, "on", "off"]}}, 0.5),
        ({"targeting": {"unknown": 1}, "defaultVariant": "on"}, 0.0),
        ({"defaultVariant": "gone"}, 0.0),
    ],
)
def test_what_a_flag_serves(change: dict[str, Any], share: float) -> None:
    content = initial_flags()
    content["flags"]["new_pricing"] |= change
    assert served_share(content) == pytest.approx(share)


def test_the_release_bot_turns_it_on_once(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write_flags(path, initial_flags())
    path.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert release(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert served_share(json.loads(path.read_text())) == 1.0
    assert not release(link)


def test_followers_lag_and_return() -> None:
    switches = [(100.0, 1.0), (200.0, 0.0)]
    assert follow(switches, 99.0, 10.0, 5.0) == 0.0
    assert follow(switches, 110.0, 10.0, 5.0) == pytest.approx(0.632, abs=0.001)
    assert follow(switches, 199.0, 10.0, 5.0) > 0.999
    assert follow(switches, 240.0, 10.0, 5.0) < 0.001


def test_noise_is_smooth_and_bounded() -> None:
    values = [noise(7, "x", t / 2.0) for t in range(2000)]
    assert max(map(abs, values)) <= 1.0
    assert max(abs(a - b) for a, b in itertools.pairwise(values)) < 0.1


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ $labels.route }} is {{ $value | printf "%.1f" }}%', "/x is 12.3%"),
        ("{{ $value }}", "12.35"),
        ("{{$value|humanizePercentage}}", "1234%"),
        ('{{ $labels.gone }}{{ template "x" }}', '{{ template "x" }}'),
    ],
)
def test_annotations_are_expanded(template: str, text: str) -> None:
    assert expand(template, {"route": "/x"}, 12.345) == text


def test_rules_are_compressed() -> None:
    text = "expr: rate(x[5m]) + increase(y[1h])\nfor: 10m\n- {for: 30s}\nfor: 0s"
    assert compress_rules(text, 10) == "expr: rate(x[30s]) + increase(y[360s])\nfor: 60s\n- {for: 3s}\nfor: 0s"


def test_a_compressed_playbook_still_loads(tmp_path: Path) -> None:
    folder = compressed_copy(find_playbook("accubooks"), tmp_path / "p", 10.0)
    playbook = load_playbook(folder)
    assert playbook.runbooks
    rules = yaml.safe_load((folder / "rules.yaml").read_text())["groups"]
    holds = {rule["alert"]: rule.get("for") for group in rules for rule in group["rules"]}
    assert holds["HighErrorRate"] == "30s"
    assert "[5m]" not in (folder / "playbook.yaml").read_text()


def test_counters_never_fall_and_history_ends_with_the_world() -> None:
    world = World(seed=7, start=START)
    for name in world.names():
        for track in world.tracks(name):
            if track.total is not None:
                values = list(track.values)
                assert values == sorted(values), name
    lines = list(history(world))
    assert lines[-1] == "# EOF"
    last = next(line for line in reversed(lines) if line.startswith("forecast_jobs_total{") and "failed" in line)
    assert last.endswith(f" {START:.3f}")


def test_histograms_are_cumulative() -> None:
    world = World(seed=7, start=START)
    by_series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for track in world.tracks("http_request_duration_ms_bucket"):
        labels = {k: v for k, v in track.labels.items() if k != "le"}
        by_series.setdefault(tuple(sorted(labels.items())), []).append(
            (float(track.labels["le"]), track.values[-1])
        )
    for buckets in by_series.values():
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts)


def test_serving_prints_where_it_is_and_ends_with_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "opsconsole", "demo", "--serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert all(lines), lines
        found = dict(line.split() for line in lines)
        assert found["prometheus"].startswith("http://127.0.0.1:")
        assert found["alertmanager"].startswith("http://127.0.0.1:")
        flags = Path(found["flags-file"])
        assert flags.exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not flags.parent.exists()
