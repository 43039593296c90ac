"""Leaving the terminal as it was found: signals, a lost terminal, and crashes that print no secrets."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

HANGUP_EVERY = 1.0
"""Seconds between looks whether the terminal is still there."""


class TerminalWatch:
    """Calls `leave` with the exit code 128 + n on SIGTERM and SIGHUP, and with that of SIGHUP when the
    terminal goes away without a signal (a hang-up that was ignored would spin the event loop)."""

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch, on the running event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._leave, 128 + number)
        if _stdin_is_terminal():
            self._timer = loop.call_later(HANGUP_EVERY, self._look)

    def stop(self) -> None:
        """End the watch."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if terminal_lost():
            self._leave(128 + signal.SIGHUP)
            return
        self._timer = asyncio.get_running_loop().call_later(HANGUP_EVERY, self._look)


def terminal_lost() -> bool:
    """Whether standard input has hung up."""
    poll = select.poll()
    try:
        poll.register(sys.stdin.fileno(), select.POLLHUP)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return True


def _stdin_is_terminal() -> bool:
    try:
        return os.isatty(sys.stdin.fileno())
    except (OSError, ValueError):
        return False


def crash_report(error: BaseException) -> str:
    """What to print of an unexpected error: the places it passed through and its kind, without the values
    of variables (they may hold credentials) and without its text (it may come from outside)."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"  {os.path.basename(f.filename)}:{f.lineno} in {f.name}" for f in frames[-12:]]
    return "\n".join(
        [
            f"opsconsole: internal error: {type(error).__name__}",
            *places,
            "What was being done is in the journal. Please report these lines.",
        ]
    )
