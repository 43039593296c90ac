"""Child processes that end with their parent, by their own ids."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opsconsole.errors import OpsError
from opsconsole.text import safe

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1
_GRACE = 5.0
"""Seconds between the polite end and the hard one."""


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does before it starts on Linux: ask the kernel for SIGTERM when its parent dies. The kernel
    means the thread that started it, so only the main thread asks."""
    if not sys.platform.startswith("linux") or threading.current_thread() is not threading.main_thread():
        return None
    libc: Any = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask


class Child:
    """One child process; what it prints goes to `log`. It gets its own session, so that a ctrl+c at the
    terminal reaches only the parent, which then ends it."""

    def __init__(self, name: str, command: Sequence[str], log: Path, cwd: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(_PACKAGE_ROOT)},
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - started before any thread holds a lock it needs
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raises OpsError with the last lines it printed when it has ended."""
        code = self._process.poll()
        if code is not None:
            tail = self.log.read_text("utf-8", "replace").splitlines()[-3:]
            raise OpsError(f"{self.name} ended with code {code}: {safe(' | '.join(tail), 600)}")

    def end(self) -> None:
        """End it: politely first, then hard."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
