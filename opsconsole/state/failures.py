"""How a failed poll is kept, and for how long what a good one said is known."""

from __future__ import annotations

from opsconsole.errors import FlagError, SourceError
from opsconsole.model.reading import Failure
from opsconsole.text import safe


def failure_of(error: SourceError | FlagError) -> Failure:
    """A failure as a Reading keeps it."""
    return Failure(
        kind=error.kind, message=safe(error.message, 300), hint=safe(error.hint, 300), where=safe(error.where)
    )


def limit_of(interval: float) -> float:
    """Seconds after which data that is polled every `interval` seconds is old."""
    return max(15.0, 3 * interval)
