"""Which of several guards acts: one row in a small SQLite file that they share."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from opsconsole.errors import GuardError
from opsconsole.guard.files import make_folder
from opsconsole.text import SafeText, safe, trusted

_BUSY_SECONDS = 2.0
_APPLICATION = 0x6F70676C  # "opgl"
_CREATE = """
CREATE TABLE IF NOT EXISTS lease (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    owner TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, renewed INTEGER NOT NULL
)
"""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    owner: str
    host: str
    pid: int
    renewed: int


def _elapsed() -> float:
    """Seconds that go on while the machine sleeps: what an operator's clock says does not count."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseFile:
    """A lease of `ttl` seconds, in the file at `path`, of the process `owner`, a nonce of this start.

    Nobody's wall clock matters: whoever waits takes over when the row has not changed for `ttl` seconds of its
    own time, and the holder does not believe itself for longer than that, less `margin`, which is the time of one
    write. Each `hold` reads the file anew under SQLite's lock, so that a holder who was stopped for a while finds
    out. The file may be on a file system of several machines if its locks work (NFSv4).
    `problem` says why the last call could not tell, "" when it could.
    """

    def __init__(
        self,
        path: Path,
        *,
        host: str,
        ttl: float = 30.0,
        margin: float = 5.0,
        elapsed: Callable[[], float] = _elapsed,
        owner: str = "",
    ) -> None:
        self.path = path
        self.ttl = ttl
        self.problem = trusted("")
        self._host = host
        self._margin = margin
        self._elapsed = elapsed
        self._owner = owner or secrets.token_hex(16)
        self._seen: _Row | None = None
        self._seen_at = 0.0
        self._holder = trusted("")

    def hold(self) -> bool:
        """Take or renew it; whether it is ours, for at least the time of one write. False on any doubt."""
        began = self._elapsed()
        self.problem = trusted("")
        try:
            with self._transaction() as db:
                row = _read(db)
                if row is not None and row.owner != self._owner and not self._expired(row):
                    self._holder = _name(row.host, row.pid)
                    return False
                renewed = 0 if row is None else row.renewed + 1
                db.execute(
                    "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?)",
                    (self._owner, self._host, os.getpid(), renewed),
                )
        except (sqlite3.Error, GuardError, OSError) as error:
            self.problem = safe(f"the lease {self.path} cannot be held: {error}", 400)
            return False
        self._holder = _name(self._host, os.getpid())
        return self._elapsed() - began < self.ttl - self._margin

    def holder(self) -> SafeText:
        """Who had it when it was last looked at, "" when nobody or not known."""
        return trusted("") if self.problem else self._holder

    def release(self) -> None:
        """Let another have it at once. Never raises."""
        try:
            if not self.path.exists():
                return
            with self._transaction() as db:
                db.execute("DELETE FROM lease WHERE owner = ?", (self._owner,))
        except (sqlite3.Error, GuardError, OSError) as error:
            self.problem = safe(f"the lease {self.path} is not released: {error}", 400)

    def _expired(self, row: _Row) -> bool:
        """Whether the row of another has stood unchanged for the whole time, while we were looking."""
        now = self._elapsed()
        if row != self._seen:
            self._seen, self._seen_at = row, now
        return now - self._seen_at >= self.ttl

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each: the file may have been replaced. The write lock is held throughout."""
        make_folder(self.path.parent)
        with suppress(
            FileExistsError
        ):  # opening and closing one that is there would drop this process' locks on it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            try:
                _claim(db)
                yield db
                db.execute("COMMIT")
            except BaseException:  # ctrl+c too: nothing stays half written
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


def _claim(db: sqlite3.Connection) -> None:
    """Make the table in a new file. Raises GuardError for a file that is something else's."""
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    if mark == _APPLICATION:
        return
    if mark or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise GuardError("the file is not a lease", hint="name another with `lease:`")
    db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute(_CREATE)


def _read(db: sqlite3.Connection) -> _Row | None:
    found = db.execute("SELECT owner, host, pid, renewed FROM lease WHERE one = 1").fetchone()
    try:
        return None if found is None else msgspec.convert(found, _Row)
    except msgspec.ValidationError as error:
        raise GuardError(
            f"the file is damaged: {safe(str(error), 100)}", hint="stop the guards, remove it"
        ) from None


def _name(host: str, pid: int) -> SafeText:
    return safe(f"{host} (process {pid})", 200)
