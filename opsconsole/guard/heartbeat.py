"""Rule 13: a guard tells at each round that it lives, in a file, on `/metrics` and in a textfile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from opsconsole.errors import GuardError
from opsconsole.guard.files import write_whole
from opsconsole.model.guard import GuardStatus
from opsconsole.model.guardstatus import PATTERN, decode_status, encode_status, status_name
from opsconsole.text import SafeText, safe


class Beat(Protocol):
    """One way of telling. Raises GuardError when it cannot."""

    def beat(self, status: GuardStatus) -> None: ...


class StatusFile:
    """The file of this process in the guards' folder: everybody may read it. Raises GuardError at a beat."""

    def __init__(self, folder: Path, host: str, pid: int) -> None:
        self.path = folder / status_name(host, pid)
        self._host = safe(host, 200)

    def beat(self, status: GuardStatus) -> None:
        write_whole(self.path, encode_status(status), 0o644)

    def tidy(self) -> None:
        """Remove what processes of this host left that are no more: this one follows them."""
        for path in self.path.parent.glob(PATTERN):
            with suppress(OSError, ValueError):
                old = decode_status(path.read_bytes())
                if old.host == self._host and old.pid != os.getpid() and not _lives(old.pid):
                    path.unlink()


class Heartbeats:
    """Tells everywhere. `notes` adds to a status what the loop does not know. A way that fails never stops the
    guard: it is told once to `say`, and again when it works."""

    def __init__(
        self,
        ways: Sequence[Beat],
        say: Callable[[SafeText], object],
        notes: Callable[[GuardStatus], GuardStatus] = lambda status: status,
    ) -> None:
        self.last: GuardStatus | None = None
        self._ways = ways
        self._say = say
        self._notes = notes
        self._failing: dict[int, str] = {}

    def beat(self, status: GuardStatus) -> None:
        """Publish. Never raises."""
        self.last = status = self._notes(status)
        for index, way in enumerate(self._ways):
            try:
                way.beat(status)
            except GuardError as error:
                if self._failing.get(index) != str(error):
                    self._say(safe(f"the heartbeat cannot be told: {error}", 400))
                self._failing[index] = str(error)
            else:
                if self._failing.pop(index, ""):
                    self._say(safe("the heartbeat is told again"))

    def stopped(self, at: float) -> None:
        """The last word, if there was a first."""
        if self.last is not None:
            self.beat(msgspec.structs.replace(self.last, at=at, stopped=True, leader=False))


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
