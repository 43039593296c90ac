"""`guard simulate` on the history of a real Prometheus: the incidents are found, the spikes are not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.guard_history import CALM, INCIDENTS, LENGTH, SPIKES, Episode, write_history
from tests.support.servers import Prometheus

pytestmark = pytest.mark.live

RELEASES = ["release_1", "release_2", "release_3"]
FACTORS = "0.5,0.75,1.5,2.5,5"


@pytest.fixture(scope="module")
def start() -> float:
    return float(round(time.time()) - LENGTH - 900)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, start: float) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("history")
    server = Prometheus(folder, config="global: {scrape_interval: 1h}\n")
    write_history(folder, folder / "data", start)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def run(server: Prometheus, start: float, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    known = [{"from": iso(start + e.start), "to": iso(start + e.end), "name": n} for n, e in INCIDENTS.items()]
    (folder / "incidents.yaml").write_text(json.dumps({"incidents": known}))
    changes = [
        {"flag": flag, "at": iso(start + e.start - 60), "off": False}
        for flag, e in zip(RELEASES, INCIDENTS.values(), strict=True)
    ]
    changes += [{"flag": f"spike_{e.start}", "at": iso(start + e.start - 60)} for e in (*SPIKES.values(), *CALM)]
    (folder / "changes.yaml").write_text(json.dumps({"changes": changes}))
    command = [
        *(sys.executable, "-m", "opsconsole", "guard", "simulate"),
        *("--prometheus", server.url, "--playbook", "ruleiq"),
        *("--from", iso(start + 300), "--to", iso(start + LENGTH - 60)),
        *("--incidents", str(folder / "incidents.yaml"), *more),
    ]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "OPSCONSOLE_STATE_DIR": str(folder), "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)


def test_the_shipped_bounds_find_the_three_incidents_and_only_those(
    server: Prometheus, start: float, tmp_path: Path
) -> None:
    done = run(server, start, tmp_path, "--changes", str(tmp_path / "changes.yaml"), "--sweep", FACTORS, "--json")
    assert done.returncode == 0, done.stderr
    scores: list[dict[str, Any]] = json.loads(done.stdout)["scores"]
    shipped = scores[0]
    assert shipped["factor"] == 1.0
    assert (shipped["hits"], shipped["missed"], shipped["false"]) == (3, [], 0), shipped["found"]
    assert shipped["blind"] == 0.0
    found = shipped["found"]
    assert [one["rule"] for one in found] == ["error_rate", "p95_latency", "db_pool"]
    assert [one["what"] for one in found] == ["roll-back"] * 3
    assert [one["flag"] for one in found] == RELEASES
    assert all(one["decided"] - one["breach"] <= 60 for one in found), found
    assert all(_during(one, list(INCIDENTS.values())[at], start) for at, one in enumerate(found))
    by_factor = {one["factor"]: one for one in scores}
    assert by_factor[0.5]["false"] >= 1, "3 % of errors are above half of the bound"
    assert by_factor[0.5]["hits"] == 3
    assert len(by_factor[5.0]["missed"]) >= 2
    assert by_factor[2.5]["hits"] < 3


def _during(found: dict[str, Any], episode: Episode, start: float) -> bool:
    return bool(start + episode.start <= found["breach"] <= found["decided"] <= start + episode.end)


def test_what_a_person_reads(server: Prometheus, start: float, tmp_path: Path) -> None:
    done = run(server, start, tmp_path, "--any-flag", "--sweep", FACTORS)
    print(done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 known incidents found, 0 false decisions" in done.stderr
    assert done.stdout.count("roll back") == 3
    assert "any flag" in done.stdout
    for head in ("bounds times", "missed", "false", "longest"):
        assert head in done.stdout
