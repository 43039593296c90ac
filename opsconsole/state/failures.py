"""How a failed poll is kept, and for how long what a good one said is known."""

from __future__ import annotations

import traceback
from pathlib import Path

from opsconsole.errors import FlagError, SourceError
from opsconsole.model.reading import Failure
from opsconsole.text import SafeText, safe, trusted


def failure_of(error: SourceError | FlagError) -> Failure:
    """A failure as a Reading keeps it."""
    return Failure(
        kind=error.kind, message=safe(error.message, 300), hint=safe(error.hint, 300), where=safe(error.where)
    )


def place_of(error: Exception) -> SafeText:
    """What to tell of an error that nobody expected: its kind and the line that raised it, none of the data."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    return trusted(f"{type(error).__name__}{place}")


def limit_of(interval: float) -> float:
    """Seconds after which data that is polled every `interval` seconds is old."""
    return max(15.0, 3 * interval)
