"""The journal's tables, its hash chain, and what SQLite's errors mean to a person."""

from __future__ import annotations

import hashlib
import json
import sqlite3

from opsconsole.errors import JournalError
from opsconsole.text import safe

APPLICATION_ID = 0x6F707363
"""`opsc`: tells a journal from any other SQLite file."""

SCHEMA_VERSION = 1

FIRST_HASH = "0" * 64
"""What the first row's hash covers in place of a previous one."""

COLUMNS = ("seq", "at", "op", "phase", "action", "subject", "user", "context", "result", "message", "detail")

Row = tuple[int, float, str, str, str, str, str, str, str, str, str]

CREATE = """
CREATE TABLE entries(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  op TEXT NOT NULL,
  phase TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  user TEXT NOT NULL,
  context TEXT NOT NULL,
  result TEXT NOT NULL,
  message TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX entries_op ON entries(op);
CREATE INDEX entries_action ON entries(action, context);
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
  WHEN EXISTS (SELECT 1 FROM entries WHERE seq = NEW.seq)
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
PRAGMA application_id = 1869640547;
PRAGMA user_version = 1;
"""
"""Its last two lines are APPLICATION_ID and SCHEMA_VERSION."""


def chain_hash(previous: str, row: Row) -> str:
    """SHA-256, in hex, of the previous row's hash and this row as canonical JSON."""
    canonical = json.dumps(row, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode("ascii")).hexdigest()


_HINTS = (
    ("SQLITE_FULL", "the disk is full", "free some space: without a journal nothing is changed"),
    ("SQLITE_READONLY", "it cannot be written", "check the owner and mode of the file and its folder"),
    ("SQLITE_CANTOPEN", "it cannot be opened", "check the folder, or name another in OPSCONSOLE_STATE_DIR"),
    ("SQLITE_PERM", "it cannot be written", "check the owner and mode of the file and its folder"),
    ("SQLITE_AUTH", "it cannot be written", "check the owner and mode of the file and its folder"),
    ("SQLITE_NOTADB", "the file is corrupt", "move it aside; a new journal is begun in its place"),
    ("SQLITE_CORRUPT", "the file is corrupt", "move it aside; a new journal is begun in its place"),
    ("SQLITE_BUSY", "another process holds it", "look for a stuck opsconsole process"),
    ("SQLITE_LOCKED", "another process holds it", "look for a stuck opsconsole process"),
    ("SQLITE_IOERR", "the disk gave an error", "check free space, quota and the disk's health"),
)


def explain(error: sqlite3.Error, path: str) -> JournalError:
    """The JournalError that says what an SQLite error means and what to do."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, words, hint in _HINTS:
        if name.startswith(prefix):
            return JournalError(f"the journal: {words} ({safe(str(error), 200)})", where=path, hint=hint)
    return JournalError(f"the journal: {safe(str(error), 200)}", where=path)


def explain_os(error: OSError, path: str) -> JournalError:
    """The same for an error of the operating system."""
    return JournalError(
        f"the journal cannot be opened: {safe(error.strerror or str(error), 200)}",
        where=path,
        hint="check the owner and mode of the folder, or name another in OPSCONSOLE_STATE_DIR",
    )


def foreign(path: str) -> JournalError:
    """The error of an SQLite file that another program made."""
    return JournalError(
        "this SQLite file is not an opsconsole journal",
        where=path,
        hint="move it aside, or name another folder in OPSCONSOLE_STATE_DIR",
    )


def schema_of(db: sqlite3.Connection, path: str) -> int:
    """The version of a journal's schema, 0 for a file that has none yet. Raises JournalError for another
    program's file and for a schema newer than this program."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    if (version or application) and application != APPLICATION_ID:
        raise foreign(path)
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"the journal has schema {version}, this opsconsole knows {SCHEMA_VERSION}",
            where=path,
            hint="upgrade opsconsole, or name another folder in OPSCONSOLE_STATE_DIR",
        )
    return version
