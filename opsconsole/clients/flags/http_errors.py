"""From what an HTTP API answered, or did not, to the FlagErrors that every provider raises."""

from __future__ import annotations

from opsconsole.clients.failures import retry_after
from opsconsole.errors import (
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnavailable,
    OpsError,
    SourceError,
    Unauthorised,
)

_NOT_DONE = frozenset({400, 401, 403, 404, 405, 407, 409, 410, 412, 413, 415, 422, 423, 428, 429})
"""Statuses that say that the server understood a write and did not do it."""


def flag_error(error: SourceError, *, write: bool, now: float = 0.0) -> OpsError:
    """The FlagError, or the Conflict, that a SourceError means; raise it `from None`.

    `write` says that the request would have changed something: its `sent` is then true unless it is certain
    that nothing was done. `now` is wall time in seconds, for a Retry-After that is a date.
    """
    made = _made(error, now)
    made.message, made.where, made.hint = error.message, error.where, made.hint or error.hint
    made.args = (made.message,)
    if isinstance(made, FlagError):
        made.sent = write and error.sent and error.status not in _NOT_DONE and not 300 <= error.status < 400
    return made


def _made(error: SourceError, now: float) -> OpsError:
    status = error.status
    if isinstance(error, Unauthorised):
        return FlagUnauthorised("", hint=error.hint.replace("`authorization`", "`token_file`, `authorization`"))
    if status in (404, 410):
        return FlagNotFound("", hint="is the key right, and the project and environment of `flags:`?")
    if status in (409, 412):
        return Conflict("", hint="look again, then decide again")
    if status == 429:
        limited = FlagRateLimited("")
        told = retry_after(error.headers.get("retry-after", ""), now)
        limited.retry_after = error.retry_after if told is None else told
        return limited
    if status and status < 500:
        return FlagError("")
    return FlagUnavailable("")
