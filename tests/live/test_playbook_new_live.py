"""`opsconsole playbook new --from-prometheus` on a real Prometheus: what it writes loads and has no finding."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

import pytest

from opsconsole.cli.main import main
from opsconsole.config.playbook_starter import MODELINE
from opsconsole.config.playbooks import load_playbook
from tests.support.servers import Prometheus

pytestmark = pytest.mark.live

LIMIT = 30.0


def scraped(server: Prometheus) -> bool:
    with urllib.request.urlopen(f"{server.url}/api/v1/query?query=prometheus_build_info") as reply:
        return bool(json.load(reply)["data"]["result"])


def wait_for_metrics(server: Prometheus) -> None:
    end = time.monotonic() + LIMIT
    while not scraped(server):
        assert time.monotonic() < end, "Prometheus has not scraped itself"


def test_what_is_written_loads_and_has_no_finding(
    prometheus: Prometheus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wait_for_metrics(prometheus)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["playbook", "new", "found", "--dir", str(tmp_path / "mine"), "--from-prometheus"]
    assert main([*words, "--prometheus", prometheus.url]) == 0
    ended = capsys.readouterr()
    assert ended.out.startswith(f"wrote {tmp_path}/mine/found\n")
    assert ended.err.startswith("recognised ")
    folder = tmp_path / "mine" / "found"
    assert sorted(path.name for path in folder.iterdir()) == ["playbook.schema.json", "playbook.yaml"]
    assert (folder / "playbook.yaml").read_text().startswith(MODELINE)
    playbook = load_playbook(folder)
    assert playbook.system == "found"
    assert playbook.dashboards
    assert main(["playbook", "lint", str(folder)]) == 0
    assert capsys.readouterr().out == ""
    assert main([*words, "--prometheus", prometheus.url]) == 2
    assert "is already there" in capsys.readouterr().err


def test_nothing_is_left_when_prometheus_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    target = tmp_path / "mine"
    words = ["--prometheus", "http://127.0.0.1:9", "playbook", "new", "found", "--dir", str(target)]
    assert main([*words, "--from-prometheus"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert list(target.iterdir()) == []
