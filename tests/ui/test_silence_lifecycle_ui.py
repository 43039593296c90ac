"""Silences under keys: edit with a conflict, extend, recreate, bulk expiry, templates, filter, what ends soon."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_data import full
from driving import SIZES, Driven, driven, fits
from fakes import NOW, at, make_alert, make_silence
from textual.widgets import Input, TextArea

from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, safe_block
from opsconsole.ui.dialogs.confirm import ConfirmDialog, TypedConfirmDialog
from opsconsole.ui.dialogs.silence_edit import EditForm, ExtendDialog
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.silence_template import FillDialog, TemplatePicker
from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.silences import SilencesScreen


def silences() -> tuple[Silence, ...]:
    return (
        make_silence("s-soon", {"alertname": "HighLatency"}, comment="deploying [op=n1]", by="alice", left=540),
        make_silence("s-two", {"alertname": "HighErrorRate"}, comment="flapping", by="primary-a", left=7200),
        make_silence("s-wait", {"alertname": "Later"}, by="bob", left=9000, ago=-600, state="pending"),
        make_silence(
            "s-old", {"alertname": "Old"}, comment="long ago", by="bob", left=-60, ago=3660, state="expired"
        ),
    )


def hiding() -> Snapshot:
    """One alert is hidden by one silence, one by two of them, one by nothing."""
    return full(
        alerts=(
            make_alert("HighLatency", "high", silenced_by=["s-soon"]),
            make_alert("HighErrorRate", silenced_by=["s-two"], route="/a"),
            make_alert("HighErrorRate", silenced_by=["s-two", "s-soon"], route="/b"),
            make_alert("TargetDown", "warning"),
        ),
        silences=silences(),
    )


async def opened(screen: Driven, kind: type, *keys: str) -> Any:
    await screen.press(*keys)
    await screen.until(lambda: isinstance(screen.app.screen, kind))
    await screen.settle()
    return screen.app.screen


def refused(message: str) -> Outcome:
    return Outcome(op="o", action="edit", result=Result.REFUSED, message=safe_block(message))


@pytest.mark.parametrize("size", SIZES)
async def test_what_ends_soon_is_marked_and_on_top(size: tuple[int, int]) -> None:
    async with driven(SilencesScreen, hiding(), size) as screen:
        rows = [line for line in screen.text.split("\n") if "alertname=" in line]
        assert "9m" in rows[0]
        assert "soon" in rows[0]
        assert "soon" not in rows[1]
        assert "starts" in next(row for row in rows if "Later" in row)
        assert "00:09:00 UTC, in 9m" in screen.text
        assert fits(screen.text, size)


@pytest.mark.parametrize("size", SIZES)
async def test_an_alert_says_that_its_silence_ends_soon(size: tuple[int, int]) -> None:
    async with driven(AlertsScreen, hiding(), size) as screen:
        text = screen.text
        assert "silence ends 9m" in text or "ends in 9m" in text
        assert "silenced 2h" in text


async def test_filters_by_creator_state_and_matcher() -> None:
    async with driven(SilencesScreen, hiding(), (120, 40)) as screen:

        async def shown(text: str) -> set[str]:
            await screen.press("slash")
            screen.app.screen.query_one(Input).value = text
            await screen.settle()
            await screen.press("enter")
            assert isinstance(screen.app.screen, SilencesScreen)
            return {key.split("/")[1] for key in screen.app.screen.rows._keys}

        assert await shown("creator:alice") == {"s-soon"}
        assert await shown("state:pending") == {"s-wait"}
        assert await shown('state:active alertname="HighErrorRate"') == {"s-two"}
        assert await shown("creator:bob state:expired") == {"s-old"}
        assert await shown("deploying creator:alice") == {"s-soon"}
        await screen.press("slash")
        screen.app.screen.query_one(Input).value = "state:gone"
        await screen.settle()
        assert "there is no state gone" in screen.text
        await screen.press("escape")
        assert "only yours" in await screen.press("m")
        assert {"s-two"} == {key.split("/")[1] for key in screen.app.screen.rows._keys}  # type: ignore[attr-defined]
        assert "only yours" not in await screen.press("m")


async def test_marked_silences_are_expired_together_after_a_list() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        done = Outcome(op="o", action="expire", result=Result.DONE, message=safe("expired"))
        screen.runner.outcomes["expire_all"] = (done, done)  # type: ignore[assignment]  # what it gives
        await screen.press("space", "space")
        assert "2 marked" in screen.text
        screen.runner.hidden = lambda matchers: hiding().alerts()
        await opened(screen, ConfirmDialog, "x")
        text = screen.text
        assert "Expire 2 silences" in text
        assert "comes back and may notify: 3 alerts" in text
        assert "route=/b" in text
        assert "TargetDown" not in text
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("expire_all")))
        (silences,) = screen.runner.called("expire_all")[0]
        assert [s.id for s in silences] == ["s-soon", "s-two"]
        await screen.settle()
        assert "expired 2 of 2" in screen.app.told[-1]
        assert "marked" not in screen.text


async def test_one_that_another_hides_too_does_not_come_back() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        screen.runner.hidden = lambda matchers: hiding().alerts()
        await opened(screen, ConfirmDialog, "x")
        assert "comes back and may notify: 1 alert " in screen.text
        assert "1 alert stays hidden" in screen.text


async def test_all_that_the_filter_shows_are_marked_and_escape_unmarks() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        await screen.press("slash", *"creator", "colon", "enter", "e", "A")
        assert "3 marked" in screen.text, "an expired one cannot be expired"
        assert "marked" not in await screen.press("A")
        await screen.press("space")
        assert "marked" not in await screen.press("escape")


async def test_an_edit_keeps_what_is_not_touched() -> None:
    odd = make_silence("s-1", matchers=(Matcher("a", "x\x1b\u202e"),), comment="one\ntwo [op=n1]", left=600.25)
    async with driven(SilencesScreen, full(alerts=(), silences=(odd,))) as screen:
        form = await opened(screen, EditForm, "E")
        assert "Edit silence s-1" in screen.text
        assert "2026-01-01T00:10:00" in form.query_one("#until", Input).value
        await screen.press(*" and")
        assert form.query_one("#comment", Input).value == "one two and"
        form.query_one("#comment", Input).value = "three"
        await screen.settle()
        assert "silence update" in screen.text
        await screen.press("ctrl+s", "ctrl+s")
        await screen.until(
            lambda: isinstance(screen.app.screen, ConfirmDialog) or bool(screen.runner.called("edit"))
        )
        if isinstance(screen.app.screen, ConfirmDialog):
            await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("edit")))
        before, wanted = screen.runner.called("edit")[0]
        assert before == odd
        assert wanted == msgspec.structs.replace(odd, comment=safe("three [op=n1]"))


async def test_a_conflict_is_shown_and_the_edit_begins_again_from_what_it_is_now() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        screen.runner.hidden = lambda matchers: (make_alert("HighLatency", "high"),)
        now = msgspec.structs.replace(silences()[0], comment=safe("by carol"), created_by=safe("carol"))
        screen.runner.outcomes["edit"] = refused("it was changed, by carol\ncomment: deploying -> by carol")
        screen.runner.outcomes["read"] = now  # type: ignore[assignment]  # what it gives
        form = await opened(screen, EditForm, "E")
        form.query_one("#comment", Input).value = "mine"
        await opened(screen, ConfirmDialog, "ctrl+s")
        assert "Somebody else changed it" in screen.text
        assert "comment: deploying -> by carol" in screen.text
        screen.runner.outcomes.pop("edit")
        form = await opened(screen, EditForm, "enter")
        assert form.query_one("#comment", Input).value == "by carol"
        form.query_one("#comment", Input).value = "ours"
        await screen.press("ctrl+s")
        await screen.until(lambda: len(screen.runner.called("edit")) == 2)
        assert screen.runner.called("edit")[1][0] == now


async def test_a_refusal_that_is_no_conflict_is_told() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        screen.runner.hidden = lambda matchers: (make_alert("HighLatency", "high"),)
        screen.runner.outcomes["edit"] = refused("nothing was changed in it")
        screen.runner.outcomes["read"] = silences()[0]  # type: ignore[assignment]  # what it gives
        await opened(screen, EditForm, "E")
        await screen.press("ctrl+s")
        await screen.until(lambda: bool(screen.app.reported))
        assert isinstance(screen.app.screen, SilencesScreen)


@pytest.mark.parametrize(("typed", "end"), [("30m", 540 + 1800), ("+1h", 540 + 3600), ("00:30", 1800)])
async def test_extend_by_a_duration_or_until_a_time(typed: str, end: float) -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        dialog = await opened(screen, ExtendDialog, "plus")
        dialog.query_one(Input).value = "00:05"
        await screen.settle()
        assert "not later than it ends now" in screen.text
        await screen.press("enter")
        assert isinstance(screen.app.screen, ExtendDialog)
        dialog.query_one(Input).value = typed
        await screen.settle()
        assert "will end" in screen.text
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("extend")))
        silence, until = screen.runner.called("extend")[0]
        assert (silence.id, until) == ("s-soon", pytest.approx(NOW + end))


async def test_extending_for_days_asks_for_the_number_of_alerts() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        dialog = await opened(screen, ExtendDialog, "plus")
        hidden = [make_alert("HighLatency", route="/a"), make_alert("HighLatency", route="/b")]
        screen.runner.hidden = lambda matchers: hidden
        dialog.query_one(Input).value = "3d"
        await opened(screen, TypedConfirmDialog, "enter")
        assert "longer than 24h" in screen.text
        assert "hides now: 2 alerts" in screen.text
        hidden.append(make_alert("HighLatency", route="/c"))
        await screen.press(*"2", "enter")
        await screen.until(lambda: "came since: 1" in screen.text)
        await screen.settle()
        assert not screen.runner.called("extend"), "it has changed since"
        await screen.press(*"3", "enter")
        await screen.until(lambda: bool(screen.runner.called("extend")))


async def test_an_expired_one_is_created_again_with_a_new_preview() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        await screen.press("R")
        assert "has not expired" in screen.app.told[-1]
        await screen.press("e", "G", "E")
        assert "R creates it again" in screen.app.told[-1]
        form = await opened(screen, SilenceForm, "R")
        assert not isinstance(form, EditForm)
        assert form.query_one("#until", Input).value == "1h"
        assert form.query_one("#comment", Input).value == "long ago"
        assert screen.runner.called("preview") or "hides" in screen.text


@pytest.mark.parametrize("size", SIZES)
async def test_a_template_is_filled_from_the_alert_under_the_cursor(size: tuple[int, int]) -> None:
    latency = make_alert("HighLatency", "high", route="/api/f")
    async with driven(AlertsScreen, full(alerts=(latency,), silences=()), size) as screen:
        await opened(screen, TemplatePicker, "t")
        assert "slow-route" in screen.text
        assert fits(screen.text, size)
        await screen.press("j", "j", "j")
        assert 'route="{{route}}"' in screen.text
        fill = await opened(screen, FillDialog, "enter")
        assert fill.query_one("#gap-route", Input).value == "/api/f"
        assert fill.focused is fill.query_one("#gap-ticket", Input)
        await screen.press("enter")
        assert isinstance(screen.app.screen, FillDialog), "one gap is left"
        assert "still to fill: ticket" in screen.text
        form = await opened(screen, SilenceForm, *"OPS-1", "enter")
        assert 'route="/api/f"' in form.query_one("#matchers", TextArea).text
        assert form.query_one("#until", Input).value == "4h"
        assert form.query_one("#comment", Input).value == "known to be slow, OPS-1"


async def test_templates_on_the_silences_screen_and_without_any() -> None:
    async with driven(SilencesScreen, hiding()) as screen:
        fill = await opened(screen, FillDialog, "t", "enter")
        assert fill.query_one(Input).value == ""
    async with driven(SilencesScreen, full(playbooks=())) as screen:
        await screen.press("t")
        await screen.until(lambda: bool(screen.app.told))
        assert "no playbook" in screen.app.told[-1]


async def test_an_alerts_silence_is_edited_and_extended_where_it_is_seen() -> None:
    async with driven(AlertsScreen, hiding()) as screen:
        await screen.press("G", "E")
        assert "no silence on this alert" in screen.app.told[-1]
        await screen.press("g")
        while "TargetDown" in screen.app.screen.panel.row.alert.name:  # type: ignore[attr-defined]
            await screen.press("j")
        silence = screen.app.screen.panel.row.silence  # type: ignore[attr-defined]
        await opened(screen, EditForm, "E")
        assert f"Edit silence {silence.id}" in screen.text
        await screen.press("escape")
        await opened(screen, ExtendDialog, "plus")


async def test_read_only_offers_none_of_it() -> None:
    async with driven(SilencesScreen, full(read_only=True)) as screen:
        await screen.press("E", "plus", "R", "t", "x")
        assert isinstance(screen.app.screen, SilencesScreen)
        assert len([t for t in screen.app.told if "read-only" in t]) == 5


def test_a_silence_of_the_fake_is_whole() -> None:
    assert silences()[2].starts_at == at(600)
    assert silences()[3].status == SilenceStatus("expired")
