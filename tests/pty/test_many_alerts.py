"""10,000 real alerts in a real Alertmanager: the list opens, filters and scrolls."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.load import alerts, post
from tests.support.servers import Alertmanager
from tests.support.tmux import Tmux

pytestmark = pytest.mark.live

COUNT = 10_000


def test_the_list_opens_filters_and_scrolls(tmp_path: Path) -> None:
    with Alertmanager(tmp_path / "alertmanager") as server:
        post(server.url, alerts(COUNT))
        command = [sys.executable, "-m", "opsconsole", "--alertmanager", server.url, "--screen", "alerts"]
        env = {"HOME": str(tmp_path), "OPSCONSOLE_STATE_DIR": str(tmp_path), "LANG": "C.UTF-8"}
        with Tmux(command, columns=120, rows=40, env=env, cwd=Path(__file__).parents[2]) as terminal:
            terminal.wait_for("10,000 of 10,000", "✖ CRIT", limit=60)

            terminal.keys("G")
            screen = terminal.wait_for("· INFO", limit=30)
            assert "✖ CRIT" not in _list(screen), "the last page shows the first rows"
            terminal.keys("g")
            terminal.wait_for("✖ CRIT", limit=30)

            terminal.keys("/")
            terminal.text('pod=~"pod-77.*",severity="high"')
            terminal.keys("Enter")
            # 77, 770-779 and 7700-7799: those of them whose number leaves 1 when divided by 4.
            expected = sum(str(i).startswith("77") and i % 4 == 1 for i in range(COUNT))
            terminal.wait_for(f"{expected} of 10,000", "▲ HIGH", limit=30)
            assert "✖ CRIT" not in _list(terminal.screen())

            terminal.keys("Escape")
            terminal.wait_for("10,000 of 10,000", limit=30)
            terminal.keys("q")
            terminal.wait_for("exit code 0", limit=30)


def _list(screen: str) -> str:
    """The rows of the list, without the status lines, the headings and the detail beside it."""
    return "\n".join(line[:64] for line in screen.splitlines()[4:])
