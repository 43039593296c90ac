"""`opsconsole journal` on what is not whole: changed, damaged, or changing meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.journal import reader
from opsconsole.journal.reader import JournalReader, read_journal
from opsconsole.model.journal import Result
from tests.support.journals import Writer, tampered
from tests.unit.cli.conftest import ROOT, Run, complained


async def test_a_whole_journal(run: Run, told: Writer) -> None:
    ended = await run("journal", "verify")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("whole: 10 entries, ")
    found = json.loads((await run("journal", "verify", "--json")).out)
    assert found["last_hash"] in ended.out
    assert (found["whole"], found["entries"], found["first_broken"], found["problems"]) == (True, 10, None, [])


async def test_a_journal_without_entries_is_whole(run: Run, writer: Writer) -> None:
    ended = await run("journal", "verify")
    assert (ended.code, ended.out) == (0, "whole: the journal has no entries yet\n")


@pytest.mark.parametrize(
    ("sql", "broken", "problem"),
    [
        ("UPDATE entries SET message = 'x' WHERE seq IN (4, 7)", 4, "entry 4 was changed"),
        ("UPDATE entries SET hash = 'x' WHERE seq = 4", 4, "entry 4 was changed"),
        ("UPDATE entries SET subject = x'00ff' WHERE seq = 4", 4, "entry 4 was changed"),
        ("UPDATE entries SET subject = CAST(x'41ff' AS TEXT) WHERE seq = 4", 4, "entry 4 was changed"),
        ("DELETE FROM entries WHERE seq IN (4, 5)", 4, "entries 4 to 5 are missing"),
        ("DELETE FROM entries WHERE seq > 8", 9, "entries 9 to 10 are missing at the end"),
        ("UPDATE entries SET seq = -4 WHERE seq = 4", -4, "entry -4 does not belong here"),
    ],
)
async def test_the_first_broken_entry_is_named(
    run: Run, told: Writer, journal_db: Path, sql: str, broken: int, problem: str
) -> None:
    told.journal.close()
    tampered(journal_db, sql)
    ended = await run("journal", "verify")
    assert ended.code == 1
    first, second, *_ = ended.out.splitlines()
    assert first.startswith(f"broken at entry {broken}; ")
    assert problem in second
    ended = await run("journal", "verify", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["first_broken"] == broken


async def test_an_entry_written_meanwhile_is_not_missing(told: Writer, journal_db: Path) -> None:
    def ask(journal: JournalReader) -> tuple[str, ...]:
        # SQLite calls this in the middle of the walk.
        steps = iter([lambda: told.act("gg", Result.DONE)])
        journal._db.set_trace_callback(lambda sql: next(steps, bool)() if "sqlite_sequence" in sql else None)
        return journal.chain().problems

    assert read_journal(journal_db, ask) == ()
    assert told.journal.entries(op="gg")


@pytest.mark.parametrize("argv", [["list"], ["show", "aa"], ["verify"]])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database, and longer than a header would be\n" * 40),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:4096]),
        lambda path: tampered(path, "DROP TABLE entries;"),
        lambda path: tampered(path, "PRAGMA user_version = 99;"),
        lambda path: tampered(path, "PRAGMA application_id = 7;"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
    ids=["text", "empty", "cut", "no table", "newer", "foreign", "folder", "fifo"],
)
async def test_a_damaged_file_is_an_error_with_a_way_out(
    run: Run, told: Writer, journal_db: Path, argv: list[str], damage: Callable[[Path], object]
) -> None:
    told.journal.close()
    damage(journal_db)
    complained(await run("journal", *argv), str(journal_db))


async def test_pages_that_cannot_be_read_are_told(run: Run, told: Writer, journal_db: Path) -> None:
    told.journal.close()
    whole = journal_db.read_bytes()
    journal_db.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    complained(await run("journal", "list"), str(journal_db), "corrupt")
    complained(await run("journal", "show", "aa"), str(journal_db), "corrupt")
    ended = await run("journal", "verify")
    assert ended.code == 1
    assert ended.out.startswith("broken at entry 1; 0 entries read\n  entry 1 cannot be read: ")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET result = 'splendid' WHERE seq = 2",
        "UPDATE entries SET detail = '{' WHERE seq = 2",
        "UPDATE entries SET subject = x'00ff' WHERE seq = 2",
        "UPDATE entries SET at = 'noon' WHERE seq = 2",
        f"UPDATE entries SET detail = '{'[' * 100_000}' WHERE seq = 2",
    ],
    ids=["result", "detail", "bytes", "time", "brackets"],
)
async def test_an_entry_that_no_console_wrote_is_named(run: Run, told: Writer, journal_db: Path, sql: str) -> None:
    told.journal.close()
    tampered(journal_db, sql)
    for argv in (["list"], ["show", "aa"]):
        complained(await run("journal", *argv), "entry 2 of the journal cannot be read", "journal verify")


@pytest.mark.parametrize("at", ["9e999", "-9e999", "1e300"])
async def test_a_time_that_no_calendar_holds(run: Run, told: Writer, journal_db: Path, at: str) -> None:
    told.journal.close()
    tampered(journal_db, f"UPDATE entries SET at = {at} WHERE op = 'aa'")
    assert "impossible time" in (await run("journal", "list")).out
    assert "impossible time" in (await run("journal", "show", "aa")).out
    assert json.loads((await run("journal", "list", "--json")).out)[-1]["begun"] is None


def test_a_console_that_opens_meanwhile_is_noticed(journal_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read without a lock, a file that changes would look damaged: it is read again, with one."""
    Writer(journal_db).journal.close()
    opened: list[Writer] = []
    hows: list[str] = []
    asked = reader._ask

    def spy(path: Path, where: str, how: str, ask: Callable[[JournalReader], object]) -> object:
        hows.append(how)
        return asked(path, where, how, ask)

    def ask(journal: JournalReader) -> int:
        if not opened:
            opened.append(Writer(journal_db))
            opened[0].act("aa", Result.DONE)
        return len(journal.deeds())

    monkeypatch.setattr(reader, "_ask", spy)
    assert read_journal(journal_db, ask) == 1
    assert hows == ["mode=ro&immutable=1", "mode=ro"]
    opened[0].journal.close()


@pytest.mark.live
async def test_the_verdict_survives_a_reader_that_left(told: Writer, journal_db: Path) -> None:
    """`opsconsole journal verify | true`: quiet, and still broken."""
    told.journal.close()
    tampered(journal_db, "DELETE FROM entries WHERE seq = 4;")
    reading, writing = os.pipe()
    os.close(reading)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opsconsole", "journal", "verify"),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    os.close(writing)
    _, err = await asyncio.wait_for(child.communicate(), 30)
    assert err == b""
    assert child.returncode == 1
