"""Where a report goes: to stdout, or to a file as a whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opsconsole.cli.finish import hush_stdout
from opsconsole.errors import OpsError
from opsconsole.text import safe


def show(text: str) -> bool:
    """Write to stdout; False when nobody reads it any more. The verdict is the exit code all the same."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        hush_stdout()
        return False
    return True


def coloured() -> bool:
    """Whether stdout takes colours: a terminal that is not dumb, and nobody objects."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """How wide the terminal is that stdout is; 0 when it is none, so that a file keeps its lines whole."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def save(path: Path, text: str) -> None:
    """Write a file as a whole or not at all, so that a reader (the textfile collector) never sees half of it. Its
    mode stays; a new one gets what the umask leaves. A symlink stays and what it points to is replaced. What is
    no plain file (/dev/stdout, a pipe) is written to. Raises OpsError."""
    import stat
    import tempfile

    target = path.resolve()
    temporary = ""
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return
        # The collector reads *.prom: a name that ends otherwise is never taken for a report.
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(temporary, target)
        temporary = ""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "not a usable path"
        raise OpsError(f"the report cannot be written: {safe(reason)}", where=safe(str(path))) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
