"""A journal that cannot be opened keeps nobody from looking."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.cli.prepare import prepare_console
from opsconsole.config.schema import Context
from opsconsole.errors import JournalError
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    path.write_text("this is not a database, and longer than a header would be\n" * 4)
    return path


async def test_read_only_opens_without_a_journal(foreign: Path) -> None:
    opened = prepare_console(Context(name="x", read_only=True), DARK, UNICODE, journal_file=foreign)
    assert opened.services.engine.snapshot.journal == ()
    await opened.aclose()
    assert foreign.read_text().startswith("this is not"), "the file was touched"


def test_otherwise_the_error_names_the_file_and_the_way_out(foreign: Path) -> None:
    with pytest.raises(JournalError) as caught:
        prepare_console(Context(name="x"), DARK, UNICODE, journal_file=foreign)
    assert caught.value.where == str(foreign)
    assert "--read-only" in caught.value.hint
