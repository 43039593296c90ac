"""A real terminal to type into: one tmux server of its own for each instance."""

from __future__ import annotations

import os
import shlex
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.servers import require, wait_for


class Tmux:
    """Runs one command in a terminal of `columns` x `rows`. A context manager; the server ends with it."""

    def __init__(
        self, command: Sequence[str], *, columns: int, rows: int, env: Mapping[str, str], cwd: Path
    ) -> None:
        require("tmux")
        self._socket = f"opsconsole-{uuid.uuid4().hex[:8]}"
        self._command = command
        self._size = (columns, rows)
        self._env = {**os.environ, **env}
        # Textual believes COLUMNS and LINES before the terminal.
        for name in ("TMUX", "NO_COLOR", "COLUMNS", "LINES"):
            self._env.pop(name, None)
        self._cwd = cwd

    def __enter__(self) -> Self:
        columns, rows = self._size
        line = f"{shlex.join(self._command)}; echo exit code $?; exec cat"
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), line),
            *(";", "set-option", "-g", "window-size", "manual"),
            *(";", "resize-window", "-x", str(columns), "-y", str(rows)),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the screen was:\n{self.screen()}")
        self._tmux("kill-server")

    def keys(self, *keys: str) -> None:
        """Press keys by tmux' names (`Enter`, `Escape`, `Tab`, `a`)."""
        self._tmux("send-keys", *keys)

    def text(self, text: str) -> None:
        """Type text."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, *texts: str, limit: float = 30.0) -> str:
        """Wait until all texts are on the screen; returns it."""
        wait_for(lambda: all(t in self.screen() for t in texts), limit, f"{texts} on the screen", every=0.1)
        return self.screen()

    def wait_gone(self, text: str, limit: float = 30.0) -> None:
        """Wait until a text is no longer on the screen."""
        wait_for(lambda: text not in self.screen(), limit, f"{text!r} to leave the screen", every=0.1)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments],
            env=self._env,
            cwd=self._cwd,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.stdout
