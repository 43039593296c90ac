"""The journal of a console that changes nothing and has none: a full or foreign disk must not keep anyone from
looking."""

from __future__ import annotations

from collections.abc import Mapping

from opsconsole.errors import JournalError
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Entry, Phase, Result


class NoJournal(Journal):
    """Reads as empty; every attempt to record raises the error that kept the real one from opening."""

    def __init__(self, error: JournalError) -> None:
        self._error = error

    def record(
        self,
        op: str,
        phase: Phase,
        action: str,
        subject: str,
        user: str,
        context: str,
        result: Result,
        message: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> Entry:
        raise self._error

    def close_intent(
        self, intent: Entry, result: Result, message: str, detail: Mapping[str, object]
    ) -> Entry | None:
        raise self._error

    def entries(
        self,
        limit: int = 500,
        op: str | None = None,
        *,
        action: str | None = None,
        context: str | None = None,
        after: int = 0,
    ) -> tuple[Entry, ...]:
        return ()

    def open_intents(self) -> tuple[Entry, ...]:
        return ()

    def verify(self) -> list[str]:
        return [self._error.message]

    def close(self) -> None:
        """Nothing is open."""
