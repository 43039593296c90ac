"""The Flags screen: suspicion, the chart, roll back and restore."""

from __future__ import annotations

import msgspec
import pytest
from console_data import REFUSED, change, entry, flagset, full, panel_data, playbook
from driving import HOSTILE, SIZES, Driven, driven, fits, painted_lines
from fakes import NOW

from opsconsole.errors import FlagError
from opsconsole.model.flags import Flag, RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.panels import PanelData
from opsconsole.model.reading import Reading
from opsconsole.text import safe, trusted
from opsconsole.ui.dialogs.confirm import ConfirmDialog
from opsconsole.ui.dialogs.rollback import RollbackDialog
from opsconsole.ui.lines import LineList
from opsconsole.ui.screens.flag_story import recovered_at, rollback_of
from opsconsole.ui.screens.flags import FlagsScreen

PLAN = RollbackPlan(
    key="new_pricing",
    kind=RollbackKind.OFF,
    words=trusted("new_pricing: serve off, targeting cleared"),
    diff=trusted('-  "defaultVariant": "on"\n+  "defaultVariant": "off"'),
    revision="b",
    original="{}",
    replacement="{}",
)


def rolled_back(*, done: bool = True) -> tuple[Entry, ...]:
    """A rollback 60 s ago, verified a second later."""
    result = Result.DONE if done else Result.AMBIGUOUS
    return (
        entry(1, "rollback", Phase.INTENT, Result.OPEN, 60, op="r", key="new_pricing"),
        entry(2, "rollback", Phase.OUTCOME, result, 59, op="r", key="new_pricing"),
    )


@pytest.mark.parametrize("size", SIZES)
async def test_the_suspected_flag_comes_first_with_its_chart(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, full(), size) as screen:
        text = screen.text
        assert fits(text, size)
        rows = text.split("\n")
        assert rows[3].split()[:3] == ["flag", "state", "rollout"]
        assert rows[3].rstrip().endswith("suspicion")
        assert "new_pricing" in rows[4]
        assert ("▲ 6m before HighErrorRate" if size[0] > 80 else "▲ 6m before") in rows[4]
        assert "6m before HighErrorRate" in text
        assert "dark_mode" in rows[5]
        assert "Error rate · 30m" in text
        assert "⚑" in text
        assert "10m ago by release-bot: default off -> on" in text
        assert screen.engine.watched == ("accubooks/error_rate", "accubooks/latency")


async def test_the_chart_has_the_rows_that_the_list_does_not_need() -> None:
    async with driven(FlagsScreen, full()) as screen:
        rows = screen.text.split("\n")
        story = next(i for i, row in enumerate(rows) if "── new_pricing" in row)
        assert story == 7
        assert sum(not row.strip() for row in rows) <= 2
        assert sum("│" in row for row in rows) >= 20


async def test_the_change_is_whole_in_few_columns() -> None:
    # As many cells as `before 02:52  off -> on`.
    seen = msgspec.structs.replace(change(), who=trusted(""), summary=trusted("now on"))
    async with driven(FlagsScreen, full(changes=(seen,)), (80, 24)) as screen:
        assert "yesterday 23:50  now on" in screen.text.split("\n")[4]


async def test_a_change_of_unknown_time_says_so() -> None:
    async with driven(FlagsScreen, full(changes=(change(exact=False),))) as screen:
        assert "it happened before that" in screen.text


async def test_an_old_change_asks_for_the_time_around_it() -> None:
    async with driven(FlagsScreen, full(changes=(change(ago=90_000),))) as screen:
        await screen.until(lambda: bool(screen.engine.asked))
        assert "5.." in screen.engine.asked[0]


async def test_select_waits_for_the_flag() -> None:
    async with driven(FlagsScreen, full()) as screen:
        flags = screen.app.screen
        assert isinstance(flags, FlagsScreen)
        flags.select("dark_mode")
        await screen.settle()
        assert "── dark_mode" in screen.text


def cursor_of(screen: Driven) -> str:
    """The key of the flag under the cursor."""
    return screen.app.screen.query_one(LineList).cursor_key


async def test_the_cursor_stays_on_the_first_row_until_it_was_moved() -> None:
    async with driven(FlagsScreen, full(changes=())) as screen:
        assert cursor_of(screen) == "dark_mode"
        await screen.push(full())
        assert cursor_of(screen) == "new_pricing"
        assert "── new_pricing" in screen.text
        await screen.push(full(changes=()))
        assert cursor_of(screen) == "dark_mode"
        await screen.press("down", "up")
        await screen.push(full())
        assert cursor_of(screen) == "dark_mode"


async def test_a_click_holds_the_cursor_on_its_flag() -> None:
    async with driven(FlagsScreen, full(changes=())) as screen:
        await screen.pilot.click(LineList, offset=(5, 1))
        await screen.push(full(changes=(), bad=()))
        assert cursor_of(screen) == "new_pricing"


async def test_production_asks_to_type_the_name() -> None:
    async with driven(FlagsScreen, full()) as screen:
        screen.runner.outcomes["plan_rollback"] = PLAN  # type: ignore[assignment]  # the fake answers anything
        await screen.press("r")
        await screen.until(lambda: isinstance(screen.app.screen, RollbackDialog))
        await screen.settle()
        assert "serve off, targeting cleared" in screen.text
        assert '+  "defaultVariant": "off"' in screen.text
        assert "PRODUCTION" in screen.text
        await screen.press("enter")
        assert not screen.runner.called("rollback")
        await screen.press(*"new_pricing", "enter")
        await screen.until(lambda: bool(screen.runner.called("rollback")))
        assert screen.runner.called("rollback") == [(PLAN,)]
        assert screen.app.reported


async def test_elsewhere_a_yes_is_enough_and_esc_does_nothing() -> None:
    async with driven(FlagsScreen, full(environment="staging")) as screen:
        screen.runner.outcomes["plan_rollback"] = PLAN  # type: ignore[assignment]  # the fake answers anything
        await screen.press("r")
        await screen.until(lambda: isinstance(screen.app.screen, RollbackDialog))
        await screen.press("escape")
        assert not screen.runner.called("rollback")
        await screen.press("r")
        await screen.until(lambda: isinstance(screen.app.screen, RollbackDialog))
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("rollback")))


async def test_a_plan_that_fails_is_told() -> None:
    async with driven(FlagsScreen, full()) as screen:

        async def refuse(key: str, *way: object) -> RollbackPlan:
            raise FlagError("no safe variant is known", hint="name it in safe_variants")

        screen.runner.plan_rollback = refuse  # type: ignore[attr-defined]  # a method of the fake
        await screen.press("r")
        await screen.until(lambda: bool(screen.app.told))
        assert "no safe variant" in screen.app.told[0]
        assert "safe_variants" in screen.app.told[0]


async def test_restore_only_after_a_rollback() -> None:
    async with driven(FlagsScreen, full()) as screen:
        await screen.press("R")
        assert "not rolled back from here" in screen.app.told[0]
        await screen.push(full(journal=rolled_back(), environment="staging"))
        shown = msgspec.structs.replace(PLAN, restore=True)
        screen.runner.outcomes["plan_restore"] = shown  # type: ignore[assignment]  # the fake answers anything
        await screen.press("R")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmDialog))
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("restore")))
        assert screen.runner.called("restore") == [("new_pricing", shown)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_recovery_is_told_from_the_panel(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, full(journal=rolled_back()), size) as screen:
        assert "written 23:59:00 · verified 23:59:01 · recovering…" in screen.text
        text = await screen.push(full(journal=rolled_back(), bad=()))
        assert "recovered 23:59:" in text
        stale = {"accubooks/error_rate": Reading(data=None, failure=REFUSED, failing_since=NOW)}
        text = await screen.push(full(journal=rolled_back(), panels=stale))
        assert "cannot tell: unreachable" in text
        assert "not verified" in await screen.push(full(journal=rolled_back(done=False)))


async def test_no_provider_says_how_to_name_one() -> None:
    async with driven(FlagsScreen, msgspec.structs.replace(full(), flags=None)) as screen:
        assert "No flag provider is configured" in screen.text
        assert "provider: flagd" in screen.text
        await screen.press("r")
        assert screen.app.told


@pytest.mark.parametrize("size", SIZES)
async def test_stale_and_failed(size: tuple[int, int]) -> None:
    old = Reading(data=flagset(), at=NOW - 48, failure=REFUSED, failing_since=NOW - 40)
    async with driven(FlagsScreen, msgspec.structs.replace(full(), flags=old), size) as screen:
        assert "? stale 48s: unreachable" in screen.text
        assert "new_pricing" in screen.text
        await screen.press("r")
        assert "not known" in screen.app.told[0]
        never = Reading(failure=REFUSED, failing_since=NOW)
        text = await screen.push(msgspec.structs.replace(full(), flags=never))
        assert "The flags are not known: unreachable" in text


async def test_the_same_data_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(FlagsScreen, full()) as screen:
        with painted_lines(monkeypatch) as painted:
            await screen.push(full())
        assert painted == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_only_shows(size: tuple[int, int]) -> None:
    flag = Flag(key=HOSTILE, enabled=True, default_variant=safe(HOSTILE), variants=(safe(HOSTILE),))
    flags = msgspec.structs.replace(flagset(), flags=(flag,), source=safe(HOSTILE))
    told = msgspec.structs.replace(change(), key=HOSTILE, summary=safe(HOSTILE), who=safe(HOSTILE))
    async with driven(FlagsScreen, full(flags=flags, changes=(told,)), size) as screen:
        assert fits(screen.text, size)
        assert "\\x1b" in screen.text
        screen.runner.outcomes["plan_rollback"] = msgspec.structs.replace(PLAN, key=HOSTILE, words=safe(HOSTILE))  # type: ignore[assignment]  # the fake answers anything
        assert fits(await screen.press("r"), size)


def test_recovered_at_is_the_first_good_sample_that_lasts() -> None:
    panel = playbook().panel("error_rate")
    assert panel is not None
    data = panel_data(panel, bad=True)
    series = data.results[0].series[0]
    assert recovered_at(panel, data, NOW - 600) is None
    values = (*series.values[:-4], 0.1, 0.1, 0.1, 0.1)
    good = PanelData(
        (msgspec.structs.replace(data.results[0], series=(msgspec.structs.replace(series, values=values),)),)
    )
    assert recovered_at(panel, good, NOW - 600) == series.times[-4]
    assert recovered_at(panel, good, NOW + 600) is None
    assert recovered_at(panel, None, NOW) is None


def test_a_restored_or_refused_rollback_is_none() -> None:
    refused = msgspec.structs.replace(rolled_back()[1], result=Result.REFUSED)
    assert rollback_of((rolled_back()[0], refused), "new_pricing") is None
    undo = entry(3, "restore", Phase.OUTCOME, Result.DONE, 10, undoes="r")
    assert rollback_of((*rolled_back(), undo), "new_pricing") is None
    assert rollback_of(rolled_back(), "dark_mode") is None
    found = rollback_of(rolled_back(), "new_pricing")
    assert found is not None
    assert found.verified == NOW - 59


async def test_the_rollout_is_there_in_few_columns_too() -> None:
    dark, pricing = flagset().flags
    part = msgspec.structs.replace(dark, rollout=25.0, enabled=True, default_variant=trusted("off"))
    flags = msgspec.structs.replace(flagset(), flags=(part, pricing))
    async with driven(FlagsScreen, full(flags=flags), (80, 24)) as screen:
        assert screen.text.split("\n")[5].split()[:4] == ["dark_mode", "on", "25", "%"]


@pytest.mark.parametrize("size", [(60, 15), (60, 18)])
async def test_a_small_screen_keeps_flags_and_keys(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, full(), size) as screen:
        rows = screen.text.split("\n")
        assert fits(screen.text, size)
        assert "new_pricing" in rows[4]
        assert "dark_mode" in rows[5]
        assert "roll back" in rows[size[1] - 1]
