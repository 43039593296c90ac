"""The small files of a guard: written whole or not at all, believed only when nobody else could have made them."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from opsconsole.errors import GuardError
from opsconsole.text import safe

_LARGEST = 65_536


def make_folder(folder: Path) -> None:
    """The folder and those above it. Raises GuardError."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, folder, "cannot be made") from None


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Replace the file; on the disk when this returns, and never seen half written. Raises GuardError.

    Root gives it to whom the folder belongs: the guard that is to read it.
    """
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                _own(stream.fileno(), path.parent, mode)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, path)
        except BaseException:  # ctrl+c too: no half-written file stays
            with suppress(OSError):
                os.unlink(name)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise _explain(error, path, "cannot be written") from None


def remove(path: Path) -> bool:
    """Remove the file for good; whether it was there. Raises GuardError."""
    try:
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _explain(error, path, "cannot be removed") from None
    return True


def read_own(path: Path) -> bytes | None:
    """A file that only its owner, who is us or root, can write; None when it is not there. Raises GuardError for
    one that cannot be read, or that somebody else could have written."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _explain(error, path, "cannot be read") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise GuardError("is not a file", where=safe(str(path)), hint="remove it")
        if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
            hint = f"chmod 600 it, and let it belong to uid {os.geteuid()}"
            raise GuardError("could have been written by others", where=safe(str(path)), hint=hint)
        data = os.read(handle, _LARGEST + 1)
    except OSError as error:
        raise _explain(error, path, "cannot be read") from None
    finally:
        os.close(handle)
    if len(data) > _LARGEST:
        raise GuardError("is too large", where=safe(str(path)), hint="remove it")
    return data


def sync_folder(folder: Path) -> None:
    """Make names in the folder last. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own(handle: int, folder: Path, mode: int) -> None:
    if os.geteuid() == 0:
        whose = folder.stat()
        os.fchown(handle, whose.st_uid, whose.st_gid)
    os.fchmod(handle, mode)


def _explain(error: OSError, path: Path, what: str) -> GuardError:
    hint = "run this as the user that the guard runs as" if isinstance(error, PermissionError) else ""
    return GuardError(f"{what}: {safe(error.strerror or 'no reason given')}", where=safe(str(path)), hint=hint)
