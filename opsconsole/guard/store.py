"""Where a guard keeps its state: saved before each side effect, and on the disk when a save returns.

What it has to tell is kept with the state in one transaction, until it was handed on: a guard that is killed in
between tells it at its next start, and whoever hears of it twice knows it by its id.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from opsconsole.actions.process import this_boot
from opsconsole.errors import GuardError
from opsconsole.guard.state import Moment, State, decode, encode, rebase
from opsconsole.model.guard import GuardEvent
from opsconsole.text import safe

_BUSY_SECONDS = 5.0
_APPLICATION = 0x6F706773  # "opgs"
_VERSION = 1
_CREATE = (
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, body BLOB NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)


class StateStore:
    """The state file at `path`, made with its folder when it is first written to; owner-only. Every method raises
    GuardError. Only the guard that holds the lease may save."""

    def __init__(self, path: Path, *, boot: str | None = None) -> None:
        self.path = path
        self._where = str(safe(str(path)))
        self._boot = this_boot() if boot is None else boot

    def load(self, now: Moment) -> State:
        """The state that was saved last, on the clock of this process; a new one when there is none. What cannot
        be read is no new beginning: a guard that forgets acts twice."""
        if not self.path.exists():
            return State()
        with self._open() as db:
            row = db.execute("SELECT boot, body FROM state").fetchone()
        if row is None:
            return State()
        boot, body = row
        try:
            state = decode(body)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise GuardError(
                f"the guard's state cannot be read: {safe(str(error), 200)}",
                where=self._where,
                hint="look at the flags and the journal, then move the file aside: a new one is begun",
            ) from None
        return rebase(state, now, same_boot=bool(boot) and boot == self._boot)

    def save(self, state: State, events: Sequence[GuardEvent] = ()) -> None:
        """Keep the state, and events until `handed_on`; all of it is on the disk when this returns, or nothing."""
        with self._open() as db, _transaction(db):
            db.execute(
                "INSERT INTO state VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, "
                "body = excluded.body",
                (self._boot, encode(state)),
            )
            rows = [(event.id, msgspec.json.encode(event)) for event in events]
            db.executemany("INSERT OR IGNORE INTO events (id, body) VALUES (?, ?)", rows)

    def waiting(self) -> tuple[GuardEvent, ...]:
        """The events that were not handed on, the oldest first."""
        if not self.path.exists():
            return ()
        with self._open() as db:
            rows = db.execute("SELECT body FROM events ORDER BY number").fetchall()
        return tuple(msgspec.json.decode(row[0], type=GuardEvent) for row in rows)

    def handed_on(self, id: str) -> None:
        """Forget an event: others have it now."""
        with self._open() as db, _transaction(db):
            db.execute("DELETE FROM events WHERE id = ?", (id,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._prepare()
            with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                self._schema(db)
                yield db
        except OSError as error:
            raise self._error(safe(error.strerror or str(error), 200)) from error
        except sqlite3.Error as error:
            raise self._error(safe(str(error), 200)) from error

    def _error(self, why: str) -> GuardError:
        hint = "check the file, its folder and free space; without its state the guard writes nothing"
        return GuardError(f"the guard's state cannot be kept: {why}", where=self._where, hint=hint)

    def _prepare(self) -> None:
        """Owner-only before SQLite writes a byte; its -wal and -shm take the same mode."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_mode & 0o077:
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)

    def _schema(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == _VERSION and db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION:
            return
        if version or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise GuardError(
                "this is not the state of a guard, or of a newer one",
                where=self._where,
                hint="upgrade opsconsole, or name another folder in OPSCONSOLE_STATE_DIR",
            )
        with _transaction(db):
            if not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                for statement in _CREATE:
                    db.execute(statement)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:  # ctrl+c too: nothing stays half written
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
