"""The journal's rows: read back as entries, and walked as a hash chain."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec

from opsconsole.errors import JournalError
from opsconsole.journal.schema import COLUMNS, FIRST_HASH, Row, chain_hash
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import safe, safe_block, trusted

SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608 - the columns are constants of this program
_WALK = f"SELECT {', '.join(COLUMNS)}, hash FROM entries ORDER BY seq"  # noqa: S608 - likewise


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk along the hash chain found.

    `entries` is how many could be read, `broken` the number of the first that is not as it was written, None
    when all are; `problems` is empty when the file is whole. `begun` and `ended` are the `at` of the first and
    last entry, `last_hash` is the hash that all entries went into.
    """

    entries: int = 0
    broken: int | None = None
    problems: tuple[str, ...] = ()
    begun: float = 0.0
    ended: float = 0.0
    last_hash: str = FIRST_HASH


def walk(db: sqlite3.Connection) -> Chain:
    """Walk the chain: every entry in turn, then the file. Raises sqlite3.Error when the file cannot be asked."""
    entries, begun, ended = 0, 0.0, 0.0
    expected, previous = 1, FIRST_HASH
    broken: list[tuple[int, str]] = []
    file: list[str] = []
    # One transaction: an entry that is written meanwhile would look like one missing at the end.
    with _one_look(db):
        try:
            for *row, stored in db.execute(_WALK):
                seq = int(row[0])
                if seq > expected:
                    broken.append((expected, f"entries {expected} to {seq - 1} are missing"))
                elif seq < expected:
                    broken.append((seq, f"entry {seq} does not belong here"))
                elif _hash(previous, row) != stored:
                    broken.append((seq, f"entry {seq} was changed, or the one before it"))
                at = row[1] if isinstance(row[1], float) else 0.0
                entries, begun, ended = entries + 1, begun if entries else at, at
                expected, previous = seq + 1, str(stored)
            ever = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
            if ever and int(ever[0]) >= expected:
                broken.append((expected, f"entries {expected} to {ever[0]} are missing at the end"))
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            broken.append((expected, f"entry {expected} cannot be read: {safe(str(error), 200)}"))
        try:
            check = db.execute("PRAGMA quick_check(5)").fetchall()
            file = [f"the file: {safe(str(line[0]), 200)}" for line in check if line[0] != "ok"]
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            file = [f"the file: {safe(str(error), 200)}"]
    return Chain(
        entries=entries,
        broken=broken[0][0] if broken else None,
        problems=(*(words for _, words in broken), *file),
        begun=begun,
        ended=ended,
        last_hash=str(safe(previous, 80)),
    )


def entry_of(row: Row) -> Entry:
    """The entry of a row. Raises JournalError for one that no console wrote."""
    seq, at, op, phase, action, subject, user, context, result, message, detail = row
    try:
        if not isinstance(at, float) or not all(isinstance(text, str) for text in row[2:]):
            raise ValueError("a value is of another type")
        decoded = json.loads(detail)
        return Entry(
            seq=seq,
            at=at,
            op=op,
            phase=Phase(phase),
            action=action,
            # Made safe when written; made safe again because anyone can write to a file.
            subject=safe(subject),
            user=safe(user),
            context=safe(context),
            result=Result(result),
            message=safe_block(message),
            detail=decoded if isinstance(decoded, dict) else {},
        )
    except (ValueError, RecursionError) as error:
        message = f"entry {seq} of the journal cannot be read: {safe(str(error), 200)}"
        hint = "`opsconsole journal verify` says what is broken; a new one is begun once it is moved aside"
        raise JournalError(trusted(message), hint=hint) from error


@contextmanager
def _one_look(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _hash(previous: str, row: list[object]) -> str:
    """The row's hash; none for a row that no console wrote, such as one with bytes in it."""
    try:
        return chain_hash(previous, cast("Row", tuple(row)))
    except (TypeError, ValueError):
        return ""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether the content is at fault: corrupt pages, or text that is no UTF-8 (which has no code)."""
    name = getattr(error, "sqlite_errorname", None)
    return name is None or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
