"""The journal: durable, append-only, chained, and shared between threads and processes."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.clock import ManualClock
from opsconsole.errors import JournalError
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import is_safe


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    store = Journal(path, ManualClock(1000.0))
    yield store
    store.close()


def put(journal: Journal, op: str = "aa", phase: Phase = Phase.INTENT, **more: object) -> Entry:
    values: dict[str, object] = {
        "action": "ack",
        "subject": "HighErrorRate",
        "user": "me",
        "context": "prod",
        "result": Result.OPEN,
    }
    return journal.record(op, phase, **(values | more))  # type: ignore[arg-type] # a test's own defaults


def test_entries_come_newest_first_with_all_they_were_given(journal: Journal) -> None:
    first = put(journal, "aa", detail={"labels": {"a": "b"}})
    second = put(journal, "aa", Phase.OUTCOME, result=Result.DONE, message="two\nlines")
    third = put(journal, "bb", action="silence", context="test")
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert journal.entries() == (third, second, first)
    assert journal.entries(op="aa") == (second, first)
    assert journal.entries(1) == (third,)
    assert journal.entries(action="ack", context="prod") == (second, first)
    assert journal.entries(after=1) == (third, second)
    assert first.at == 1000.0
    assert first.detail == {"labels": {"a": "b"}}
    assert second.message == "two\nlines"


def test_open_intents_are_those_without_an_outcome(journal: Journal) -> None:
    put(journal, "aa")
    put(journal, "bb")
    put(journal, "aa", Phase.OUTCOME, result=Result.DONE)
    assert [entry.op for entry in journal.open_intents()] == ["bb"]


def test_file_and_folder_are_for_the_owner_alone(journal: Journal, path: Path) -> None:
    put(journal)
    for name in (path, path.with_name("journal.db-wal")):
        assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_wide_open_file_is_closed(path: Path) -> None:
    Journal(path, ManualClock()).close()
    path.chmod(0o644)
    Journal(path, ManualClock()).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_there_after_a_restart(path: Path) -> None:
    first = Journal(path, ManualClock())
    entry = put(first)
    first.close()
    second = Journal(path, ManualClock())
    assert second.entries() == (entry,)
    assert second.verify() == []
    second.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET message = 'nothing happened'",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT 1, at, op, phase, action, subject, user, context, result, "
        "'no', detail, hash FROM entries WHERE seq = 1",
    ],
)
def test_no_entry_can_be_changed_or_removed(journal: Journal, path: Path, sql: str) -> None:
    entry = put(journal)
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(sql)
    other.close()
    assert journal.entries() == (entry,)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE entries SET message = 'x' WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM entries WHERE seq = 2", "entries 2 to 2 are missing"),
        ("DELETE FROM entries WHERE seq = 3", "entries 3 to 3 are missing at the end"),
    ],
)
def test_tampering_past_the_triggers_is_found(journal: Journal, path: Path, sql: str, problem: str) -> None:
    for op in ("a", "b", "c"):
        put(journal, op)
    assert journal.verify() == []
    other = sqlite3.connect(path)
    other.executescript(f"DROP TRIGGER entries_no_update; DROP TRIGGER entries_no_delete; {sql};")
    other.close()
    assert any(problem in found for found in journal.verify())


@given(st.text(st.characters(blacklist_categories=()), max_size=40))
def test_any_text_is_stored_safe_and_detail_is_kept_exactly(tmp_path_factory: object, text: str) -> None:
    store = _shared(tmp_path_factory)
    entry = put(store, subject=text, user=text, message=text, detail={"raw": text})
    (read,) = store.entries(1)
    assert read == entry
    assert is_safe(read.subject)
    assert all(is_safe(line) for line in read.message.split("\n"))
    assert read.detail == {"raw": text}


_STORES: list[Journal] = []


def _shared(factory: object) -> Journal:
    if not _STORES:
        folder = factory.mktemp("journal")  # type: ignore[attr-defined] # pytest's TempPathFactory
        _STORES.append(Journal(folder / "journal.db", ManualClock()))
    return _STORES[0]


@pytest.fixture(autouse=True, scope="module")
def _close_shared() -> Iterator[None]:
    yield
    for store in _STORES:
        assert store.verify() == []
        store.close()


def test_threads_share_one_journal(journal: Journal) -> None:
    def write(name: str) -> None:
        for i in range(20):
            put(journal, f"{name}-{i}")

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.entries()) == 80
    assert journal.verify() == []


_WRITER = """
import sys
from pathlib import Path
from opsconsole.clock import SystemClock
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Phase, Result
journal = Journal(Path(sys.argv[1]), SystemClock())
for i in range(20):
    journal.record(f"{sys.argv[2]}-{i}", Phase.NOTE, "note", "s", "u", "c", Result.DONE)
journal.close()
"""


def test_processes_that_start_together_share_one_journal(path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(path)]
    running = [subprocess.Popen([*command, str(n)]) for n in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    journal = Journal(path, ManualClock())
    assert len(journal.entries()) == 80
    assert journal.verify() == []
    journal.close()


def test_a_corrupt_file_says_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database at all, not even nearly" * 100)
    with pytest.raises(JournalError, match="corrupt") as caught:
        Journal(path, ManualClock())
    assert "move it aside" in caught.value.hint
    assert caught.value.where == str(path)


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    Journal(path, ManualClock()).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(JournalError, match="schema 99") as caught:
        Journal(path, ManualClock())
    assert "upgrade" in caught.value.hint


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE precious (x)")
    other.close()
    with pytest.raises(JournalError, match="not an opsconsole journal"):
        Journal(path, ManualClock())


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened") as caught:
        Journal(tmp_path / "file" / "journal.db", ManualClock())
    assert "OPSCONSOLE_STATE_DIR" in caught.value.hint


def test_a_folder_in_its_place_says_so(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="cannot be opened: Is a directory"):
        Journal(path, ManualClock())


def test_a_full_disk_says_so_and_keeps_what_was_there(journal: Journal) -> None:
    entry = put(journal)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="disk is full") as caught:
        put(journal, message="x" * 100_000)
    assert "free some space" in caught.value.hint
    assert journal.entries() == (entry,)
    assert journal.verify() == []


def test_a_killed_writer_leaves_whole_rows(path: Path) -> None:
    endless = _WRITER.replace("range(20)", "range(10**9)")
    process = subprocess.Popen([sys.executable, "-c", endless, str(path), "k"])
    wal = path.with_name("journal.db-wal")
    while not wal.exists() or wal.stat().st_size < 50_000:
        assert process.poll() is None
    process.kill()
    process.wait(10)
    journal = Journal(path, ManualClock())
    assert journal.verify() == []
    assert journal.entries(1)
    journal.close()


def test_importing_the_journal_is_cheap() -> None:
    heavy = "{'httpx', 'textual', 'yaml', 're2'}"
    code = f"import sys, opsconsole.journal; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
