"""A journal written as a console would, and changed as a console never would."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from opsconsole.clock import ManualClock
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Phase, Result


class Writer:
    """A console's journal, open, with a clock that moves a second with every entry."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(time.time() - 7200)
        self.journal = Journal(path, self.clock)

    def put(self, op: str, phase: Phase, result: Result, **more: object) -> None:
        values: dict[str, object] = {"action": "ack", "subject": "HighErrorRate", "user": "ana", "context": "prod"}
        self.journal.record(op, phase, result=result, **(values | more))  # type: ignore[arg-type] # a test's defaults
        self.clock.advance(1)

    def act(self, op: str, result: Result, **more: object) -> None:
        self.put(op, Phase.INTENT, Result.OPEN, **more)
        self.put(op, Phase.OUTCOME, result, **more)


def one_of_each(writer: Writer) -> None:
    """An action of every state: ten entries, the last one is open."""
    writer.act("aa", Result.DONE)
    writer.act("bb", Result.FAILED, action="silence", subject='job="api"')
    writer.act("cc", Result.REFUSED)
    writer.act("dd", Result.AMBIGUOUS)
    writer.put("ee", Phase.NOTE, Result.DONE, action="note", subject="", message="paged the vendor")
    writer.put("ff", Phase.INTENT, Result.OPEN, action="expire")


def tampered(path: Path, sql: str) -> None:
    """Change a journal that nobody has open, past its triggers."""
    other = sqlite3.connect(path)
    other.executescript(f"DROP TRIGGER entries_no_update; DROP TRIGGER entries_no_delete; {sql}")
    other.close()


def files(path: Path) -> dict[str, bytes]:
    """The files beside a journal; not SQLite's index of its log, in which readers leave their marks."""
    return {found.name: found.read_bytes() for found in path.parent.iterdir() if not found.name.endswith("-shm")}
