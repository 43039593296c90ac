"""The kill switch: while a file is there, a guard writes nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from opsconsole.text import SafeText, safe, trusted

_READ = 400


class KillSwitchFile:
    """Pulled by `touch PATH`, or `echo why > PATH`; anything of that name counts, a folder or a dangling link too.
    What cannot be looked at counts as pulled. It is looked at anew at each call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pulled(self) -> SafeText:
        """Why nothing may be written, "" when it may."""
        where = safe(str(self.path))
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return trusted("")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
            return safe(f"the kill switch {where} cannot be looked at: {why}", 400)
        reason = self._reason() if stat.S_ISREG(found.st_mode) else ""
        return safe(f"the kill switch {where} is pulled{reason and f': {reason}'}", 900)

    def _reason(self) -> str:
        """The first line of the file; that it cannot be read changes nothing."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                raw = os.read(handle, _READ)
            finally:
                os.close(handle)
        except OSError:
            return ""
        return raw.decode("utf-8", "replace").strip().partition("\n")[0].strip()
