"""Which rollback it is to be, and whether the alert that fired then recovers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_data import REFUSED, change, entry, flagset, full
from driving import SIZES, Driven, driven, fits
from fakes import NOW, make_alert, make_rule

from opsconsole.errors import FlagError
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, RollbackKind, RollbackPlan, Swap
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult, Series
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted
from opsconsole.ui.dialogs.rollback import RollbackDialog
from opsconsole.ui.screens.flags import FlagsScreen

QUERY = 'sum(rate(errors_total{job="accubooks"}[5m])) > 1'


def plan(kind: RollbackKind = RollbackKind.OFF, version: str = "") -> RollbackPlan:
    return RollbackPlan(
        key="new_pricing", kind=kind, version=version, words=trusted(f"the plan: {kind.value} {version}"),
        diff=trusted(f"-on\n+{kind.value}"), revision="b", original="{}", replacement="{}",
    )  # fmt: skip


def provider(**able: Any) -> FlagSet:
    """The two flags, of a provider that can do all of it."""
    capabilities = Capabilities(swap=Swap.VERSION, revert=True, change_log=True)
    flags = [msgspec.structs.replace(flag, version="3") for flag in flagset().flags]
    return msgspec.structs.replace(
        flagset(), flags=tuple(flags), capabilities=msgspec.structs.replace(capabilities, **able)
    )


def log() -> tuple[FlagChange, ...]:
    """Three versions: at first off, then on for half, now on for all."""
    names = (("3", "50 % -> 100 %", 600.0, False), ("2", "off -> 50 %", 5000.0, True), ("1", "new", 9000.0, True))
    return tuple(
        msgspec.structs.replace(
            change(ago=ago), version=version, summary=trusted(words), before_off=off, before=f"d{version}-",
            after=f"d{version}", after_hash="b" if version == "3" else version, served=trusted("on 50 %"),
        )
        for version, words, ago, off in names
    )  # fmt: skip


def versioned(**more: Any) -> Snapshot:
    return full(**{"flags": provider(), "changes": log(), "environment": "staging", **more})


async def opened(screen: Driven) -> None:
    """Open the dialog; every way can be planned."""

    async def planned(key: str, kind: RollbackKind, version: str, onset: float) -> RollbackPlan:
        screen.runner.calls.append(("plan_rollback", (key, kind, version, onset)))
        return plan(kind, version)

    screen.runner.plan_rollback = planned  # type: ignore[attr-defined]  # a method of the fake
    await screen.press("r")
    await screen.until(lambda: isinstance(screen.app.screen, RollbackDialog))
    await screen.settle()


@pytest.mark.parametrize("size", SIZES)
async def test_the_proposal_is_said_with_its_reason_and_the_other_ways(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, versioned(), size) as screen:
        assert "roll back    undo the last change: on 100 % -> on 50 %" in screen.text
        assert "some users had it before the last change" in screen.text
        await opened(screen)
        text = screen.text
        assert fits(text, size)
        assert "▸ undo the last change: on 100 % -> on 50 %" in text
        assert "proposed: some" in text
        assert "off: serve off to everyone" in text
        assert "revert to version 2" in text
        assert "revert to version 1" in text
        assert "release-bot  off -> 50 %" in text
        assert "the plan: undo the last change" in text
        assert screen.runner.called("plan_rollback") == [("new_pricing", RollbackKind.UNDO, "", NOW - 240)]


async def test_the_arrows_choose_another_way_and_enter_does_what_is_shown() -> None:
    async with driven(FlagsScreen, versioned()) as screen:
        await opened(screen)
        await screen.press("down")
        await screen.until(lambda: "the plan: revert to version 2" in screen.text)
        assert "+revert to version" in screen.text
        await screen.press("up", "up")
        await screen.until(lambda: "the plan: off" in screen.text)
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("rollback")))
        assert screen.runner.called("rollback") == [(plan(),)]


async def test_a_way_that_cannot_be_planned_says_why_and_is_not_done() -> None:
    async with driven(FlagsScreen, versioned()) as screen:
        await opened(screen)

        async def refuse(*way: object) -> RollbackPlan:
            raise FlagError("version 2 is not in its log", hint="look where your flags are managed")

        screen.runner.plan_rollback = refuse  # type: ignore[attr-defined]  # a method of the fake
        await screen.press("down")
        await screen.until(lambda: "version 2 is not in its log" in screen.text)
        assert "look where your flags are managed" in screen.text
        await screen.press("enter")
        assert "there is no plan for it; nothing was done" in screen.text
        assert not screen.runner.called("rollback")


async def test_in_production_another_way_wants_the_name_again() -> None:
    async with driven(FlagsScreen, versioned(environment="production")) as screen:
        await opened(screen)
        await screen.press(*"new_pricing", "down")
        await screen.until(lambda: "the plan: revert to version 2" in screen.text)
        await screen.press("enter")
        assert "that is not the name; nothing was done" in screen.text
        await screen.press(*"new_pricing", "enter")
        await screen.until(lambda: bool(screen.runner.called("rollback")))
        assert screen.runner.called("rollback") == [(plan(RollbackKind.REVERT, "2"),)]


async def test_a_turn_off_proposes_undo_and_offers_no_off() -> None:
    last = msgspec.structs.replace(log()[0], off=True, before_off=False, served=trusted("on 50 %"))
    flags = provider()
    off = tuple(msgspec.structs.replace(flag, off=flag.key == "new_pricing") for flag in flags.flags)
    off_now = msgspec.structs.replace(flags, flags=off)
    async with driven(FlagsScreen, versioned(flags=off_now, changes=(last,))) as screen:
        await opened(screen)
        assert "▸ undo the last change" in screen.text
        assert "off again would change nothing" in screen.text
        assert "off: serve" not in screen.text


async def test_a_flag_that_is_off_and_never_changed_says_so() -> None:
    flags = provider()
    off = tuple(msgspec.structs.replace(flag, off=True) for flag in flags.flags)
    async with driven(
        FlagsScreen, versioned(flags=msgspec.structs.replace(flags, flags=off), changes=())
    ) as screen:
        assert "it is off: turning it off would change nothing" in screen.text


async def test_the_journal_keeps_which_alert_was_firing() -> None:
    async with driven(FlagsScreen, versioned()) as screen:
        await opened(screen)
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("rollback")))
        noted = screen.runner.named["rollback"]["extra"]
        assert noted["alert"] == "HighErrorRate"
        assert noted["alert_labels"]["route"] == "/api/forecast"
        assert noted["fingerprint"] == make_alert("HighErrorRate", route="/api/forecast").fingerprint


ALERT = make_alert("HighErrorRate", route="/api/forecast", ago=240)


def rolled_back(ago: float = 60.0) -> tuple[Entry, ...]:
    detail = {"op": "r", "key": "new_pricing", "alert": "HighErrorRate", "alert_labels": dict(ALERT.labels)}
    return (
        entry(1, "rollback", Phase.INTENT, Result.OPEN, ago, **detail),
        entry(2, "rollback", Phase.OUTCOME, Result.DONE, ago - 1, **detail),
    )


def answering(values: list[float]) -> Any:
    """The alert's value every 5 s, ending now; its condition is true above 1."""

    def answer(expr: str) -> QueryResult:
        times = tuple(NOW - 5 * back for back in reversed(range(len(values))))
        if "timestamp(" in expr:
            return QueryResult("matrix", (Series({}, times, times),))
        points = [(t, v) for t, v in zip(times, values, strict=True) if "> 1" not in expr or v > 1]
        series = (Series({}, tuple(t for t, _ in points), tuple(v for _, v in points)),) if points else ()
        return QueryResult("matrix", series)

    return answer


async def watching(screen: Driven, values: list[float], words: str, ago: float = 60.0) -> str:
    screen.engine.answer = answering(values)
    await screen.push(full(journal=rolled_back(ago), rules=(make_rule(ALERT, QUERY),)))
    await screen.until(lambda: words in screen.text)
    return screen.text


@pytest.mark.parametrize("size", SIZES)
async def test_recovery_is_the_alerts_own(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, full(), size) as screen:
        text = await watching(screen, [5.0] * 6 + [0.2] * 6, "recovered 23:59:35 (HighErrorRate)")
        assert fits(text, size)
        assert "written 23:59:00 · verified 23:59:01" in text


async def test_what_still_holds_is_recovering_and_later_not_recovered() -> None:
    async with driven(FlagsScreen, full()) as screen:
        await watching(screen, [5.0] * 12, "recovering… (HighErrorRate: its condition still holds)")
    async with driven(FlagsScreen, full()) as screen:
        await watching(screen, [5.0] * 80, "not recovered after 6m (HighErrorRate", ago=361)


async def test_what_cannot_be_told_says_why() -> None:
    async with driven(FlagsScreen, full()) as screen:
        await watching(screen, [], "cannot tell: HighErrorRate: the metrics of its expression are")
    async with driven(FlagsScreen, full(journal=rolled_back(), rules=())) as screen:
        assert "cannot tell: HighErrorRate: its rule is not in Prometheus" in screen.text


async def test_a_log_that_cannot_be_read_is_said() -> None:
    failed: Reading[tuple[FlagChange, ...]] = Reading(failure=REFUSED, failing_since=NOW - 40)
    async with driven(FlagsScreen, versioned(flag_log=failed)) as screen:
        assert "? its log is not known: unreachable" in screen.text
