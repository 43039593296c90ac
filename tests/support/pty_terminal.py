"""A process on a terminal of its own: every byte that it writes, and what a person would see.

    with PtyTerminal([sys.executable, "-m", "opsconsole", "--alertmanager", url]) as terminal:
        terminal.wait_for_text("No alerts firing")
        terminal.send("q")
        assert terminal.wait_for_exit() == 0
        assert terminal.modes() == Modes()            # as it was before

The process leads a session of its own and the pty is its controlling terminal, so that job control and
hang-ups are the real thing. `raw` are the bytes as written, `screen` is pyte's.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30.0


@dataclass(frozen=True)
class Modes:
    """What a full-screen application changes and has to change back. The defaults are a shell's."""

    alternate_screen: bool = False
    mouse: bool = False
    cursor_shown: bool = True
    bracketed_paste: bool = False
    focus_reports: bool = False
    echo: bool = True
    line_mode: bool = True
    signals: bool = True


class PtyTerminal:
    """`argv` on a new pty of `size` (columns, rows). `env` is added to a small environment of our own."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> None:
        self._argv = list(argv)
        self._env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        self._cwd = cwd
        self._size = size
        self.raw = b""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._fed = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.master = -1

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def text(self) -> str:
        """What stands on the screen."""
        self._feed()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def start(self) -> Self:
        self.master, slave = pty.openpty()
        columns, rows = self._size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            self._argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self._env,
            cwd=self._cwd,
            start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509  one ioctl, and no thread holds a lock that it needs
        )
        os.close(slave)
        return self

    def close(self) -> None:
        """End whatever is left of the process and drop the terminal."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the master side: the terminal is gone."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def read(self, seconds: float = 0.05) -> bytes:
        """Take what has been written, waiting at most `seconds` for something."""
        if self.master < 0 or not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            found = os.read(self.master, 65536)
        except OSError:  # EIO: the last process has closed the other side
            found = b""
        if not found:
            time.sleep(min(seconds, 0.02))
        self.raw += found
        return found

    def wait_until(self, condition: Callable[[], object], what: str, limit: float = LIMIT) -> None:
        """Read until the condition holds; fails after `limit` seconds with what stands on the screen."""
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"no {what} within {limit:g} s; the screen is:\n{self.text}")
            self.read()

    def wait_for_text(self, *words: str, limit: float = LIMIT) -> None:
        self.wait_until(lambda: all(word in self.text for word in words), f"{words}", limit)

    def wait_for_raw(self, pattern: bytes, *, after: int = 0, limit: float = LIMIT) -> None:
        """Until bytes that match were written after the first `after` ones."""
        self.wait_until(lambda: re.search(pattern, self.raw[after:]), f"{pattern!r}", limit)

    def wait_for_exit(self, limit: float = LIMIT) -> int:
        """The exit code, minus n for the signal n; everything written is read before."""
        process = self.process
        assert process is not None
        self.wait_until(lambda: process.poll() is not None, "exit", limit)
        while self.read(0.05):
            pass
        assert process.returncode is not None
        return process.returncode

    def modes(self) -> Modes:
        """The modes that the terminal is left in."""
        return Modes(
            alternate_screen=self._on("1049"),
            mouse=any(self._on(mode) for mode in ("1000", "1002", "1003", "1006", "1015", "1016")),
            cursor_shown=self._on("25", default=True),
            bracketed_paste=self._on("2004"),
            focus_reports=self._on("1004"),
            **self.line_discipline(),
        )

    def line_discipline(self) -> dict[str, bool]:
        """The kernel's side of the modes."""
        flags = termios.tcgetattr(self.master)[3]
        return {
            "echo": bool(flags & termios.ECHO),
            "line_mode": bool(flags & termios.ICANON),
            "signals": bool(flags & termios.ISIG),
        }

    def _on(self, mode: str, *, default: bool = False) -> bool:
        """Whether the last that was said of a private mode was to set it."""
        found = re.findall(rb"\x1b\[\?([0-9;]*)([hl])", self.raw)
        said = [final == b"h" for modes, final in found if mode.encode() in modes.split(b";")]
        return said[-1] if said else default

    def _feed(self) -> None:
        fresh, self._fed = self.raw[self._fed :], len(self.raw)
        # pyte prints the end of queries that it does not know, and has no alternate screen: entering and
        # leaving it is told as clearing.
        fresh = re.sub(rb"\x1b\[[<>=?][0-9;]*(?:\$p|u)", b"", fresh)
        self._stream.feed(re.sub(rb"\x1b\[\?1049[hl]", b"\x1b[2J\x1b[H", fresh))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
