"""A program in a pseudo-terminal of its own: what it writes, when, and what CPU it takes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence


class Terminal:
    """A child process on a pty of `columns` x `rows`. Use as a context manager; it ends the child."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.begun = time.perf_counter()
        self.output = bytearray()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            full = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
            full.pop("NO_COLOR", None)
            os.execvpe(command[0], list(command), full)
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, sign)
            except ProcessLookupError:
                break
            if self._reaped(3.0):
                break
        os.close(self._fd)

    def _reaped(self, limit: float) -> bool:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.read(0.05)
            try:
                done, _ = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return True
            if done:
                return True
        return False

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def read(self, seconds: float) -> bytes:
        """Everything that is written within `seconds`."""
        got = bytearray()
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._fd], [], [], left)
            if not ready:
                break
            try:
                chunk = os.read(self._fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            got += chunk
        self.output += got
        return bytes(got)

    def read_some(self, limit: float) -> bytes:
        """The next bytes that are written, b"" when there are none within `limit` seconds."""
        ready, _, _ = select.select([self._fd], [], [], limit)
        if not ready:
            return b""
        chunk = os.read(self._fd, 65536)
        self.output += chunk
        return chunk

    def wait_for(self, text: bytes, limit: float) -> float:
        """Seconds since the start until `text` has been written. Raises TimeoutError."""
        end = time.perf_counter() + limit
        while text not in self.output:
            left = end - time.perf_counter()
            if left <= 0:
                raise TimeoutError(f"{text!r} was not written within {limit:g} s")
            ready, _, _ = select.select([self._fd], [], [], left)
            if ready:
                self.output += os.read(self._fd, 65536)
        return time.perf_counter() - self.begun

    def cpu(self) -> float:
        """CPU seconds (user and system) that the child has taken so far."""
        with open(f"/proc/{self.pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
