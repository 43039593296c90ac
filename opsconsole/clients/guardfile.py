"""What the guards of a context on this machine say of themselves: the files that they write at each round."""

from __future__ import annotations

from pathlib import Path

from opsconsole.errors import BadReply, SourceError
from opsconsole.model.guard import GuardStatus
from opsconsole.model.guardstatus import PATTERN, best, decode_status
from opsconsole.text import safe

_LARGEST = 1_000_000


class GuardFiles:
    """The folder of the guards of the context of this name. `expected` says that the configuration has a guard."""

    def __init__(self, folder: Path, context: str, *, expected: bool) -> None:
        self.folder = folder
        self.context = context
        self.expected = expected

    def read(self, now: float) -> GuardStatus | None:
        """The guard that runs and acts, else the one that was heard of last; None when there was none. Raises
        SourceError when there are files and none of them can be read, or the folder cannot."""
        found: list[GuardStatus] = []
        failed: SourceError | None = None
        for path in self._files():
            try:
                with path.open("rb") as stream:
                    status = decode_status(stream.read(_LARGEST))
            except FileNotFoundError:
                continue  # its process has ended, and another has tidied up
            except (OSError, ValueError) as error:
                failed = self._explain(error, path)
                continue
            if status.context == safe(self.context):
                found.append(status)
        if failed is not None and not found:
            raise failed
        return best(found, now)

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob(PATTERN))
        except OSError as error:
            raise self._explain(error, self.folder) from None

    def _explain(self, error: Exception, path: Path) -> SourceError:
        if isinstance(error, OSError):
            why = f"a guard's status cannot be read: {error.strerror or 'no reason given'}"
            hint = "may you read the folder? See `state:` of the context's `guard:`"
        else:
            why = f"a guard's status cannot be understood: {error}"
            hint = "was it written by another version of opsconsole?"
        return BadReply(safe(why, 300), where=safe(str(path)), hint=hint)
