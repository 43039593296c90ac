"""The local append-only record of every action, in one SQLite file.

Durable (WAL, synchronous=FULL), owner-only (0600), safe with several threads and processes. Each row's hash
covers the row before, so that a row changed or taken out afterwards is found by `Journal.verify`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from opsconsole.clock import Clock
from opsconsole.errors import JournalError
from opsconsole.journal.rows import SELECT, entry_of, walk
from opsconsole.journal.schema import (
    COLUMNS,
    CREATE,
    FIRST_HASH,
    Row,
    chain_hash,
    explain,
    explain_os,
    foreign,
    schema_of,
)
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import safe, safe_block

_BUSY_SECONDS = 10.0
_INSERT = (
    f"INSERT INTO entries ({', '.join(COLUMNS)}, hash) "  # noqa: S608 - the columns are constants of this program
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"
)


class Journal:
    """The journal at `path`; created with its folder when missing.

    Every method raises JournalError, with a hint, when the file cannot be read or written.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._where = str(safe(str(path)))
        self._lock = threading.RLock()
        self._prepare_file()
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare_schema()
        except JournalError:
            self._db.close()
            raise

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
        """Append one entry and return it once it is on the disk.

        Texts are made safe; `detail` must be JSON-compatible and is kept exactly (its strings stay raw).
        """
        texts = _texts(op, phase, action, subject, user, context, result, message, detail)
        with self._lock, self._errors(), self._transaction():
            return self._append(texts)

    def close_intent(
        self, intent: Entry, result: Result, message: str, detail: Mapping[str, object]
    ) -> Entry | None:
        """Append the outcome of an intent that was cut off, unless it has one; None when it has. Of several
        processes that try, one succeeds."""
        texts = _texts(
            intent.op,
            Phase.OUTCOME,
            intent.action,
            intent.subject,
            intent.user,
            intent.context,
            result,
            message,
            detail,
        )
        ended = "SELECT 1 FROM entries WHERE op = ? AND phase = ? LIMIT 1"
        with self._lock, self._errors(), self._transaction():
            if self._db.execute(ended, (intent.op, Phase.OUTCOME.value)).fetchone():
                return None
            return self._append(texts)

    def _append(self, texts: tuple[str, ...]) -> Entry:
        """The next row of the chain. Within a transaction."""
        last = self._db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        seq, previous = (last[0] + 1, last[1]) if last else (1, FIRST_HASH)
        row = cast("Row", (seq, float(self._clock.now()), *texts))
        self._db.execute(_INSERT, (*row, chain_hash(previous, row)))
        return entry_of(row)

    def entries(
        self,
        limit: int = 500,
        op: str | None = None,
        *,
        action: str | None = None,
        context: str | None = None,
        after: int = 0,
    ) -> tuple[Entry, ...]:
        """The newest entries, newest first: of one op, action or context when named, with a `seq` greater
        than `after`."""
        wanted = {
            "op": None if op is None else str(safe(op)),
            "action": action,
            "context": None if context is None else str(safe(context, 200)),
        }
        named = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(["seq > ?", *(f"{column} = ?" for column in named)])
        sql = f"{SELECT} WHERE {where} ORDER BY seq DESC LIMIT ?"
        with self._lock, self._errors():
            rows = self._db.execute(sql, (after, *named.values(), limit)).fetchall()
        return tuple(entry_of(row) for row in rows)

    def open_intents(self) -> tuple[Entry, ...]:
        """The intents without an outcome, newest first: still running, or cut off by a crash."""
        sql = (
            f"{SELECT} AS i WHERE phase = 'intent' AND NOT EXISTS "  # noqa: S608 - constants of this program
            "(SELECT 1 FROM entries AS o WHERE o.op = i.op AND o.phase = 'outcome') ORDER BY seq DESC"
        )
        with self._lock, self._errors():
            rows = self._db.execute(sql).fetchall()
        return tuple(entry_of(row) for row in rows)

    def verify(self) -> list[str]:
        """The problems of the hash chain, oldest first; empty when every row is as it was written."""
        with self._lock, self._errors():
            return list(walk(self._db).problems)

    def close(self) -> None:
        """Close the file; the journal cannot be used afterwards."""
        with self._lock, self._errors():
            self._db.close()

    def _prepare_file(self) -> None:
        """Make the file owner-only before SQLite writes a byte; its -wal and -shm take the same mode."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(handle).st_mode & 0o077:
                    os.fchmod(handle, 0o600)
            finally:
                os.close(handle)
        except OSError as error:
            raise explain_os(error, self._where) from error

    def _prepare_schema(self) -> None:
        with self._lock, self._errors():
            self._db.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
            version = schema_of(self._db, self._where)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if version == 0:
                self._create()

    def _create(self) -> None:
        with self._transaction():
            if schema_of(self._db, self._where) != 0:
                return
            if self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise foreign(self._where)
            for statement in _statements(CREATE):
                self._db.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """The write lock from the first statement on, so that two writers never read the same last row."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self._where) from error


def _texts(
    op: str,
    phase: Phase,
    action: str,
    subject: str,
    user: str,
    context: str,
    result: Result,
    message: str,
    detail: Mapping[str, object] | None,
) -> tuple[str, ...]:
    """A row without its place and time."""
    return (
        str(safe(op)),
        phase.value,
        str(safe(action)),
        str(safe(subject, 2000)),
        str(safe(user, 200)),
        str(safe(context, 200)),
        result.value,
        str(safe_block(message)),
        json.dumps(detail or {}, ensure_ascii=True, separators=(",", ":"), default=str),
    )


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
