"""Which process began an action: so that nobody takes one that is still running for one that was cut off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19
"""The place of the start time in /proc/PID/stat, counted behind the name of the program."""


@lru_cache(maxsize=1)
def this_boot() -> str:
    """The identity of this boot, "" where the system has none to tell."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def this_process(host: str) -> dict[str, object]:
    """This process, for the journal. A process id comes again; with its start it does not."""
    pid = os.getpid()
    return {"host": host, "boot": this_boot(), "pid": pid, "started": _started(pid)}


def still_runs(process: Mapping[str, object]) -> bool:
    """Whether a process of this host, as `this_process` told of it, is still there. What cannot be told counts as
    running."""
    if process.get("boot") != this_boot():
        return False
    pid = process.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's: it is there
    return _started(pid) == process.get("started")


def _started(pid: int) -> str:
    """When a process started, in the system's own count; "" where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    behind = stat.rpartition(")")[2].split()
    return behind[_STARTED] if len(behind) > _STARTED else ""
