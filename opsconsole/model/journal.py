"""What the journal records."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from opsconsole.text import SafeText, safe, trusted


class Phase(Enum):
    """An action writes an INTENT before and an OUTCOME after; NOTE and OBSERVED stand alone."""

    INTENT = "intent"
    OUTCOME = "outcome"
    NOTE = "note"
    OBSERVED = "observed"


class Result(Enum):
    """How an action ended. OPEN: an intent without an outcome yet."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    AMBIGUOUS = "ambiguous"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal. `at` is seconds since the epoch; `op` ties intent and outcome together.

    `action` is the action's id (`ack`, `silence`, `edit`, `expire`, `extend`, `rollback`, `restore`, `command`,
    `undo`, `flag-change`, `guard-arm`, `guard-disarm`); `subject` is what it was done to; `detail` is
    JSON-compatible data of the action.
    """

    seq: int
    at: float
    op: str
    phase: Phase
    action: str
    subject: SafeText
    user: SafeText
    context: SafeText
    result: Result
    message: SafeText = trusted("")
    detail: dict[str, object] = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an action reports. `undo` is the op that `u` would take back, "" when it cannot be undone. `visible`
    says on how many members a write shows, as the message does, "" when there is one member only. `kind` is that
    of the error that it ended with (`conflict`, `refused`, `unverified`, …), "" for none."""

    op: str
    action: str
    result: Result
    message: SafeText
    hint: SafeText = trusted("")
    undo: str = ""
    output: SafeText = trusted("")
    exit_status: int | None = None
    silence_id: str = ""
    visible: SafeText = trusted("")
    kind: str = ""


def shows_on(outcomes: Iterable[Outcome]) -> SafeText:
    """On how many members several writes show, each way of it once, to put behind their sum: `; visible on 2 of 2
    members`, or nothing."""
    words = dict.fromkeys(outcome.visible for outcome in outcomes if outcome.visible)
    return safe("".join(f"; {word}" for word in words), 600)
