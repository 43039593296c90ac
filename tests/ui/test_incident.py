"""The Incident screen: the journal."""

from __future__ import annotations

import msgspec
import pytest
from console_data import entry, full
from driving import HOSTILE, SIZES, driven, fits, painted_lines

from opsconsole.model.journal import Phase, Result
from opsconsole.text import safe, safe_block
from opsconsole.ui.dialogs.prompt import PromptDialog
from opsconsole.ui.screens.incident import IncidentScreen

ENTRIES = (
    entry(1, "ack", Phase.INTENT, Result.OPEN, 90, op="o1", cluster="main"),
    entry(2, "ack", Phase.OUTCOME, Result.FAILED, 89, op="o1", status=503),
    entry(3, "flag-change", Phase.OBSERVED, Result.DONE, 20, key="new_pricing"),
)


@pytest.mark.parametrize("size", SIZES)
async def test_newest_first_with_the_selected_one_in_full(size: tuple[int, int]) -> None:
    async with driven(IncidentScreen, full(journal=ENTRIES), size) as screen:
        assert fits(screen.text, size)
        assert "flag-change" in screen.text.split("\n")[2]
        assert "2025-12-31 23:59:40 UTC" in screen.text
        text = await screen.press("j")
        assert "outcome, failed" in text
        assert "503" in text
        assert "cluster      main" in await screen.press("G")


async def test_enter_shows_and_y_copies_all_of_it() -> None:
    async with driven(IncidentScreen, full(journal=ENTRIES)) as screen:
        assert "op op3, entry 3" in await screen.press("enter")
        await screen.press("escape", "y")
        assert "flag-change new_pricing" in screen.app.clipboard


async def test_n_writes_a_note() -> None:
    async with driven(IncidentScreen, full(journal=ENTRIES)) as screen:
        await screen.press("n")
        await screen.until(lambda: isinstance(screen.app.screen, PromptDialog))
        await screen.press(*"paged", "enter")
        await screen.until(lambda: bool(screen.runner.called("note")))
        assert screen.runner.called("note") == [("paged",)]


@pytest.mark.parametrize("size", SIZES)
async def test_empty_and_read_only(size: tuple[int, int]) -> None:
    async with driven(IncidentScreen, full(journal=(), read_only=True), size) as screen:
        assert "The journal is empty" in screen.text
        await screen.press("n", "y", "enter", "j")
        assert not screen.runner.calls


async def test_a_new_entry_leaves_the_cursor_where_it_was() -> None:
    async with driven(IncidentScreen, full(journal=ENTRIES)) as screen:
        await screen.press("j")
        newer = entry(4, "note", Phase.NOTE, Result.DONE, 1)
        assert "outcome, failed" in await screen.push(full(journal=(*ENTRIES, newer)))


async def test_the_same_data_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(IncidentScreen, full(journal=ENTRIES)) as screen:
        with painted_lines(monkeypatch) as painted:
            await screen.push(full(journal=ENTRIES))
        assert painted == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_only_shows(size: tuple[int, int]) -> None:
    bad = msgspec.structs.replace(
        ENTRIES[0],
        subject=safe(HOSTILE),
        message=safe(HOSTILE),
        action=HOSTILE,
        detail={HOSTILE: HOSTILE, "n": [HOSTILE]},
    )
    async with driven(IncidentScreen, full(journal=(bad,)), size) as screen:
        assert fits(screen.text, size)
        assert "\\x1b" in screen.text
        assert fits(await screen.press("enter"), size)


async def test_only_an_intent_without_an_outcome_is_open() -> None:
    lonely = entry(4, "silence", Phase.INTENT, Result.OPEN, 10, op="o4")
    async with driven(IncidentScreen, full(journal=(*ENTRIES, lonely))) as screen:
        rows = screen.text.split("\n")[2:6]
        assert " open " in next(row for row in rows if "silence" in row)
        assert " open " not in next(row for row in rows if "message 1" in row)
        assert " intent " in next(row for row in rows if "message 1" in row)
        assert "intent, open" in screen.text
        assert "intent, open" not in await screen.press("G")


async def test_nested_details_are_lines_of_keys_and_values() -> None:
    detail = {
        "labels": {"alertname": "HighErrorRate", "route": "/api"},
        "silence": {"matchers": [{"name": "route", "value": "a\nb"}, {"name": "x", "value": ""}], "tags": []},
    }
    made = msgspec.structs.replace(ENTRIES[1], detail=detail)
    async with driven(IncidentScreen, full(journal=(made,))) as screen:
        for words in (
            "labels       alertname HighErrorRate",
            "silence      matchers",
            "- name route",
            "tags none",
        ):
            assert words in screen.text
        assert "value a\\nb" in screen.text
        assert "{" not in screen.text
        whole = await screen.press("enter")
        assert "labels:" in whole
        assert "    - name route" in whole
        assert "{" not in whole


@pytest.mark.parametrize("size", SIZES)
async def test_a_timeline_has_a_line_for_each_of_its_moments(size: tuple[int, int]) -> None:
    told = ("rolled back new_pricing", "03:01:08Z the first value beyond the bound", "03:02:07Z decided")
    one = msgspec.structs.replace(
        entry(1, "guard", Phase.NOTE, Result.DONE, 60),
        message=safe_block("\n".join(told)),
        detail={"kind": "rolled-back", "event": {"dedup_key": "raw-key"}},
    )
    async with driven(IncidentScreen, full(journal=(one,)), size) as screen:
        lines = [row.strip() for row in screen.text.split("\n")]
        at = next(i for i, line in enumerate(lines) if line.startswith("message"))
        assert [lines[at].removeprefix("message").strip(), *lines[at + 1 : at + 3]] == list(told)
        assert "rolled-back" in screen.text
        assert "raw-key" not in screen.text, "the message says the event in sentences"
