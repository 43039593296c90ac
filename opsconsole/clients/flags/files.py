"""Reading and atomically replacing one file that others read and write too."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from opsconsole.errors import Conflict, FlagError, FlagUnauthorised, FlagUnavailable
from opsconsole.text import safe

_MAX_BYTES = 16 * 1024 * 1024
_LOCK_SECONDS = 5.0
_MTIME_STEP_NS = 1_000_000


def read_file(path: Path) -> bytes:
    """The whole content. Raises FlagUnavailable when it cannot be read, FlagUnauthorised when that is not allowed,
    FlagError when it is larger than 16 MB."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _failed("cannot be read", path, error) from error
    if len(content) > _MAX_BYTES:
        raise FlagError("the file is larger than 16 MB", where=safe(str(path)))
    return content


def modified(path: Path) -> float:
    """When it was written, seconds since the epoch; 0 when that cannot be told."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@contextmanager
def locked(path: Path) -> Iterator[Path]:
    """Hold the lock of a file: an exclusive flock on `.<name>.lock` next to the real file, which is given.

    Raises FlagError when the lock cannot be had within five seconds.
    """
    try:
        real = path.resolve(strict=True)
        lock = real.with_name(f".{real.name}.lock")
        # Whoever may write the file may lock it; the lock itself holds nothing.
        mode = (stat.S_IMODE(real.stat().st_mode) & 0o666) | 0o600
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(lock, flags, mode)
    except OSError as error:
        raise _failed("cannot be locked", path, error) from error
    try:
        _wait_for(handle, path)
        yield real
    finally:
        os.close(handle)


def _wait_for(handle: int, path: Path) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise FlagError(
                    "another process is changing the file",
                    where=safe(str(path)),
                    hint="nothing was written; try again",
                ) from None
            time.sleep(0.02)


def replace_file(real: Path, expected: bytes, content: bytes) -> None:
    """Replace a file's content, as a whole or not at all; call it while holding `locked`.

    Mode, owner (when permitted) and extended attributes stay; the modification time always rises. Raises
    Conflict, with nothing written, when the content is no longer `expected`; FlagError when it cannot be
    written.
    """
    temporary = ""
    try:
        _remove_leftovers(real)
        before = real.stat()
        handle, temporary = tempfile.mkstemp(dir=real.parent, prefix=_prefix(real), suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            _take_after(real, before, temporary)
            os.fsync(file.fileno())
        if read_file(real) != expected:
            raise Conflict("the file changed a moment ago; nothing was written", where=safe(str(real)))
        os.replace(temporary, real)
        temporary = ""
        _sync_folder(real.parent)
    except OSError as error:
        raise _failed("cannot be written", real, error) from error
    finally:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)


def _take_after(real: Path, before: os.stat_result, temporary: str) -> None:
    written = os.stat(temporary).st_mtime_ns
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.chown(temporary, before.st_uid, before.st_gid)
        except PermissionError:
            with suppress(PermissionError):
                os.chown(temporary, -1, before.st_gid)
    shutil.copystat(real, temporary)
    risen = max(written, before.st_mtime_ns + _MTIME_STEP_NS)
    os.utime(temporary, ns=(risen, risen))


def _prefix(real: Path) -> str:
    return f".{real.name}.opsconsole-"


def _remove_leftovers(real: Path) -> None:
    """What a killed process left behind: under the lock, no other process has such a file in use."""
    with os.scandir(real.parent) as found:
        for item in found:
            if item.name.startswith(_prefix(real)) and item.name.endswith(".tmp"):
                os.unlink(item.path)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(what: str, path: Path, error: OSError) -> FlagError:
    hints: dict[type[OSError], str] = {
        FileNotFoundError: "check `flags: path:` in the configuration, or --flags-file",
        PermissionError: "check owner and mode; the folder must be writable too, files are replaced whole",
    }
    hint = next((text for kind, text in hints.items() if isinstance(error, kind)), "")
    reason = safe(error.strerror or str(error), 200)
    made = FlagUnauthorised if isinstance(error, PermissionError) else FlagUnavailable
    return made(f"the flag file {what}: {reason}", where=safe(str(path)), hint=hint)
