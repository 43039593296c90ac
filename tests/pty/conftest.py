"""The console as a process on a terminal, beside a real Alertmanager."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.pty_terminal import PtyTerminal
from tests.support.servers import Alertmanager

Open = Callable[..., PtyTerminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    """Start a command line on a terminal, with a home of its own; ended after the test."""
    opened: list[PtyTerminal] = []

    def start(*argv: str, **more: object) -> PtyTerminal:
        env = {
            "HOME": str(tmp_path),
            "OPSCONSOLE_STATE_DIR": str(tmp_path / "state"),
            **dict(more.pop("env", {})),  # type: ignore[call-overload]  # a mapping of texts
        }
        terminal = PtyTerminal(argv, env=env, **more)  # type: ignore[arg-type]  # size
        opened.append(terminal)
        return terminal.start()

    yield start
    for terminal in opened:
        terminal.close()


@pytest.fixture
def console(open_terminal: Open, alertmanager: Alertmanager) -> Callable[..., PtyTerminal]:
    """Open the console on the shared Alertmanager and wait until it knows it."""

    def start(*options: str, **more: object) -> PtyTerminal:
        terminal = open_terminal(
            sys.executable, "-m", "opsconsole", f"--alertmanager={alertmanager.url}", *options, **more
        )
        terminal.wait_for_text("AM ✔", "Firing now")
        return terminal

    return start
