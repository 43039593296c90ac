"""Reading a journal without touching it: no file is made or changed, and a console may have it open."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from opsconsole.errors import JournalError
from opsconsole.journal.rows import SELECT, Chain, entry_of, walk
from opsconsole.journal.schema import explain, explain_os, schema_of
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import safe

T = TypeVar("T")

_BUSY_SECONDS = 10.0
_DIGITS = 19
"""So many digits may be more than SQLite's largest number."""
_DAMAGED = "name another file, or restore this one; a console begins a new journal once it is moved aside"
_FIRST = (
    f"{SELECT} AS first WHERE NOT EXISTS "  # noqa: S608 - constants of this program
    "(SELECT 1 FROM entries AS e WHERE e.op = first.op AND e.seq < first.seq) AND at >= ?"
)


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the journal has of one action: its entries, oldest first, never none."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return self.entries[0]

    @property
    def outcome(self) -> Entry | None:
        """The last outcome: what was not known may have been settled later."""
        return next((e for e in reversed(self.entries) if e.phase is Phase.OUTCOME), None)

    @property
    def state(self) -> str:
        """`done`, `failed`, `refused`, `unknown`, or `open` for an intent without an outcome."""
        if self.outcome is not None:
            result = self.outcome.result
        elif any(e.phase is Phase.INTENT for e in self.entries):
            result = Result.OPEN
        else:
            result = self.entries[-1].result
        return state_word(result)


def state_word(result: Result) -> str:
    """A result as people read it: what is ambiguous is `unknown`."""
    return "unknown" if result is Result.AMBIGUOUS else result.value


class JournalReader:
    """An open journal that can only be read. Every method raises JournalError, with a hint."""

    def __init__(self, db: sqlite3.Connection, where: str) -> None:
        self._db = db
        self._where = where
        # Text that is no UTF-8 must be readable to be called damaged.
        db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        with self._errors():
            if schema_of(db, where) == 0:
                raise JournalError("there is no journal in this file", where=where, hint=_DAMAGED)

    def deeds(self, limit: int = -1, *, since: float = -math.inf, action: str = "") -> tuple[Deed, ...]:
        """The actions that began at or after `since`, newest first; all of them with a negative limit."""
        sql = f"{_FIRST}{' AND action = ?' if action else ''} ORDER BY seq DESC LIMIT ?"
        with self._errors():
            rows = self._db.execute(sql, (since, *([action] if action else []), limit)).fetchall()
            return tuple(self._deed(entry_of(row).op) for row in rows)

    def deed(self, op: str) -> Deed | None:
        """The action of that id, else the one to which the entry of that number belongs."""
        with self._errors():
            found = self._deed(op)
            if not found.entries and op.isascii() and op.isdigit() and len(op) < _DIGITS:
                row = self._db.execute(f"{SELECT} WHERE seq = ?", (int(op),)).fetchone()
                found = self._deed(entry_of(row).op) if row is not None else found
            return found if found.entries else None

    def actions(self) -> tuple[str, ...]:
        """The names of all actions that the journal has entries of."""
        with self._errors():
            rows = self._db.execute("SELECT DISTINCT action FROM entries ORDER BY action").fetchall()
            return tuple(safe(str(name), 80) for (name,) in rows)

    def chain(self) -> Chain:
        """Walk the whole hash chain."""
        with self._errors():
            return walk(self._db)

    def _deed(self, op: str) -> Deed:
        raw = op.encode("utf-8", "surrogateescape")
        rows = self._db.execute(f"{SELECT} WHERE op = CAST(? AS TEXT) ORDER BY seq", (raw,)).fetchall()
        return Deed(entries=tuple(map(entry_of, rows)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            told = explain(error, self._where)
            name = getattr(error, "sqlite_errorname", None) or ""
            damaged = not told.hint or name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))
            raise JournalError(told.message, where=told.where, hint=_DAMAGED if damaged else told.hint) from error
        except JournalError as error:
            raise JournalError(error.message, where=self._where, hint=error.hint) from error


def read_journal(path: Path, ask: Callable[[JournalReader], T]) -> T | None:
    """What `ask` finds in the journal at `path`; None when there is no file. Raises JournalError.

    `ask` may be called twice: when nobody has the file open it is read without a lock, because taking one would
    leave files beside it, and once more when somebody came and changed it meanwhile.
    """
    where = str(safe(str(path)))
    try:
        path = Path(os.path.realpath(path))  # SQLite's own files are beside the file that a link names
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain_os(error, where) from error
    if not stat.S_ISREG(mode):
        raise JournalError(
            "the journal cannot be opened: it is not a file", where=where, hint="name the file itself"
        )
    if not os.access(path, os.R_OK):
        raise JournalError(
            "the journal cannot be opened: Permission denied",
            where=where,
            hint="only its owner can read it: check the owner and mode of the file",
        )
    if _wal(path).exists():
        return _ask(path, where, "mode=ro", ask)
    before = _state(path)
    try:
        found = _ask(path, where, "mode=ro&immutable=1", ask)
    except JournalError:
        if _state(path) == before:
            raise
    else:
        if _state(path) == before:
            return found
    return _ask(path, where, "mode=ro", ask)


def _ask(path: Path, where: str, how: str, ask: Callable[[JournalReader], T]) -> T:
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
    except sqlite3.Error as error:
        raise explain(error, where) from error
    with closing(db):
        return ask(JournalReader(db, where))


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _state(path: Path) -> tuple[bool, int, int, int]:
    """What differs once a console has opened the file or written to it."""
    try:
        found = path.stat()
    except OSError:
        return (False, 0, 0, 0)
    return (_wal(path).exists(), found.st_ino, found.st_mtime_ns, found.st_size)
