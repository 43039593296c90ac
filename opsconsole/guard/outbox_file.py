"""The outbox's file: which event is still to be told to whom. Every step is one transaction on the disk."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from opsconsole.errors import GuardError, OutboxError
from opsconsole.guard.files import make_folder
from opsconsole.model.guard import GuardEvent
from opsconsole.text import SafeText, safe

_BUSY_SECONDS = 5.0
_APPLICATION = 0x6F706F62  # "opob"
_CREATE = (
    """
    CREATE TABLE events (
        id TEXT PRIMARY KEY, put_at REAL NOT NULL, body BLOB NOT NULL
    )""",
    # A delivery's number is its place in the order; AUTOINCREMENT never gives one twice.
    """
    CREATE TABLE deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL REFERENCES events(id),
        channel TEXT NOT NULL, incident TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
        tries INTEGER NOT NULL DEFAULT 0, since REAL NOT NULL, tried_at REAL, wait REAL NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '', ended_at REAL, UNIQUE (event, channel)
    )""",
    "CREATE INDEX deliveries_waiting ON deliveries (channel, incident, number) WHERE state = 'waiting'",
)
_COLUMNS = "number, event, channel, incident, state, tries, since, tried_at, wait, reason, ended_at, body"
_SELECT = f"SELECT {_COLUMNS} FROM deliveries JOIN events ON events.id = event"  # noqa: S608 - constants


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one channel. `state` is `waiting`, `sent` or `dead`.

    Times are seconds since the epoch: `since` is when it was put or revived, `tried_at` the last try, None before
    the first; the next is `wait` seconds later. `reason` is why the last try failed.
    """

    number: int
    event: GuardEvent
    channel: str
    incident: str
    state: str
    tries: int
    since: float
    tried_at: float | None
    wait: float
    reason: SafeText
    ended_at: float | None

    def due_in(self, now: float) -> float:
        """Seconds until the next try, never more than its wait: the clock may have been set back."""
        if self.tried_at is None or now < self.tried_at:
            return 0.0
        return max(0.0, self.tried_at + self.wait - now)


class OutboxFile:
    """The file at `path`; made with its folder when it is first written to. Every method raises OutboxError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._where = str(safe(str(path)))

    def put(self, event: GuardEvent, channels: Iterable[str], now: float) -> bool:
        """Keep an event for these channels; whether it was new."""
        try:
            body = msgspec.json.encode(event)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise OutboxError(f"the event cannot be kept: {safe(str(error), 200)}", where=self._where) from None
        with self._transaction() as db:
            added = db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", (event.id, now, body)).rowcount
            if added:
                rows = [(event.id, channel, event.incident, now) for channel in channels]
                db.executemany(
                    "INSERT INTO deliveries (event, channel, incident, since) VALUES (?, ?, ?, ?)", rows
                )
            return added > 0

    def heads(self, channel: str | None = None) -> tuple[Delivery, ...]:
        """Of each channel (or one) and incident the first that is waiting: the only one that may be tried."""
        first = (
            "(SELECT min(number) FROM deliveries WHERE state = 'waiting' AND (? IS NULL OR channel = ?) "
            "GROUP BY channel, incident)"
        )
        return self._read(f"{_SELECT} WHERE number IN {first} ORDER BY number", (channel, channel))

    def listing(self, states: Iterable[str] = ("waiting", "dead")) -> tuple[Delivery, ...]:
        """The deliveries in these states, oldest first."""
        marks = tuple(states)
        return self._read(f"{_SELECT} WHERE state IN ({', '.join('?' * len(marks))}) ORDER BY number", marks)

    def count(self, *states: str, since: float = 0.0) -> int:
        """How many deliveries are in these states, and did not end before `since`."""
        if not self._there():
            return 0
        marks = ", ".join("?" * len(states))
        sql = f"SELECT count(*) FROM deliveries WHERE state IN ({marks}) AND coalesce(ended_at, ?) >= ?"  # noqa: S608 - marks only
        with self._transaction() as db:
            return int(db.execute(sql, (*states, since, since)).fetchone()[0])

    def again(self, number: int, now: float, wait: float, reason: str) -> None:
        """It failed: not before `wait` seconds from now."""
        with self._transaction() as db:
            db.execute(
                "UPDATE deliveries SET tries = tries + 1, tried_at = ?, wait = ?, reason = ? "
                "WHERE number = ? AND state = 'waiting'",
                (now, wait, reason, number),
            )

    def end(self, number: int, now: float, state: str, reason: str = "", *, tried: bool = True) -> bool:
        """It was sent, or is dead for a reason; whether it was still waiting."""
        with self._transaction() as db:
            sql = (
                "UPDATE deliveries SET state = ?, reason = ?, ended_at = ?, tries = tries + ? "
                "WHERE number = ? AND state = 'waiting'"
            )
            return db.execute(sql, (state, reason, now, int(tried), number)).rowcount > 0

    def revive(self, numbers: Iterable[int], now: float) -> int:
        """Let dead ones wait again, to be tried at once; how many there were."""
        with self._transaction() as db:
            sql = (
                "UPDATE deliveries SET state = 'waiting', since = ?, tried_at = NULL, wait = 0, ended_at = NULL "
                "WHERE number = ? AND state = 'dead'"
            )
            return sum(db.execute(sql, (now, number)).rowcount for number in numbers)

    def hurry(self) -> None:
        """Let all that wait be tried at once."""
        if self._there():
            with self._transaction() as db:
                db.execute("UPDATE deliveries SET wait = 0 WHERE state = 'waiting'")

    def forget(self, before: float) -> None:
        """Remove what ended before then. An event that is put again afterwards would be new."""
        with self._transaction() as db:
            db.execute("DELETE FROM deliveries WHERE ended_at < ?", (before,))
            db.execute(
                "DELETE FROM events WHERE put_at < ? AND id NOT IN (SELECT event FROM deliveries)", (before,)
            )

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether this process is the one that delivers now: another one that does, ends its turn when it dies."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            make_folder(lock.parent)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (OSError, GuardError) as error:
            raise self._explained(error) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    def _there(self) -> bool:
        return self.path.exists()

    def _read(self, sql: str, values: tuple[object, ...]) -> tuple[Delivery, ...]:
        if not self._there():
            return ()
        with self._transaction() as db:
            return tuple(self._delivery(row) for row in db.execute(sql, values).fetchall())

    def _delivery(self, row: tuple[object, ...]) -> Delivery:
        *fields, body = row
        names = ("number", "event", *_COLUMNS.split(", ")[2:-1])
        try:
            if not isinstance(body, bytes):
                raise TypeError("it is no JSON")
            event = msgspec.json.decode(body, type=GuardEvent)
            found = dict(zip(names, fields, strict=True)) | {"event": event}
            delivery = msgspec.convert(found, Delivery)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            hint = "move the file aside; a new one is begun in its place"
            message = f"a row of the outbox cannot be read: {safe(str(error), 200)}"
            raise OutboxError(message, where=self._where, hint=hint) from None
        return msgspec.structs.replace(delivery, reason=safe(delivery.reason, 1000))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each: the file may have been replaced. No WAL: guards of several machines
        may share the folder."""
        try:
            make_folder(self.path.parent)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                try:
                    self._claim(db)
                    yield db
                    db.execute("COMMIT")
                except BaseException:  # ctrl+c too: nothing stays half written
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, OSError, GuardError) as error:
            raise self._explained(error) from None

    def _claim(self, db: sqlite3.Connection) -> None:
        mark = db.execute("PRAGMA application_id").fetchone()[0]
        if mark == _APPLICATION:
            return
        if mark or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise OutboxError("the file is not an outbox", where=self._where, hint="move it aside")
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        for statement in _CREATE:
            db.execute(statement)

    def _explained(self, error: sqlite3.Error | OSError | GuardError) -> OutboxError:
        said = error.message if isinstance(error, GuardError) else str(error)
        hint = (
            "check the owner, mode and free space of the folder; the guard and this command must be the same user"
        )
        return OutboxError(f"the outbox: {safe(said, 200)}", where=self._where, hint=hint)
