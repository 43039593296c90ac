"""The Silences screen."""

from __future__ import annotations

import msgspec
import pytest
from console_data import REFUSED, full
from driving import HOSTILE, SIZES, driven, fits, painted_lines
from fakes import NOW, make_alert, make_silence

from opsconsole.model.matchers import Matcher
from opsconsole.model.reading import Reading
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.dialogs.confirm import ConfirmDialog
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.screens.silences import SilencesScreen


def failing(snapshot: Snapshot) -> Snapshot:
    """The silences were last read 42 s ago."""
    old = Reading(data=(), at=NOW - 42, failure=REFUSED, failing_since=NOW - 42)
    return msgspec.structs.replace(
        snapshot, clusters=(msgspec.structs.replace(snapshot.clusters[0], silences=old),)
    )


@pytest.mark.parametrize("size", SIZES)
async def test_lists_what_is_in_force_with_what_it_hides(size: tuple[int, int]) -> None:
    async with driven(SilencesScreen, full(), size) as screen:
        text = screen.text
        assert fits(text, size)
        assert "ends in" in text
        assert " 2h " in text
        assert "release-bot" in text
        assert "long ago" not in text
        assert "1 expired hidden" in text
        assert "00:10:00 UTC, in 10m" in text
        assert "hides now    1 alert" in text
        assert "extended by this console" in text


async def test_e_shows_expired_ones_last() -> None:
    async with driven(SilencesScreen, full()) as screen:
        text = await screen.press("e")
        assert "expired 1h ago" in text
        await screen.press("G")
        assert "1h ago" in screen.text
        await screen.press("x")
        assert "expired already" in screen.app.told[-1]
        assert "long ago" not in await screen.press("e")


async def test_filters_by_words_and_by_matchers() -> None:
    async with driven(SilencesScreen, full()) as screen:
        text = await screen.press("slash", *"deploying", "enter")
        assert "release-bot" in text
        assert "looking" not in text
        assert "looking" in await screen.press("escape")
        await screen.press("slash", *'pool="primary"')
        assert "release-bot" not in screen.text
        assert "expected" in await screen.press("backspace", "backspace", "backspace", "exclamation_mark", "tilde")
        text = await screen.press("escape")
        assert "release-bot" in text
        assert "looking" in text


async def test_x_expires_the_silence_under_the_cursor_after_a_yes() -> None:
    async with driven(SilencesScreen, full()) as screen:
        await screen.press("j", "x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmDialog))
        await screen.settle()
        assert "deploying 1.4.2" in screen.text
        await screen.press("escape")
        assert not screen.runner.called("expire")
        await screen.press("x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmDialog))
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("expire")))
        assert screen.runner.called("expire")[0][0].id == "s-2"


async def test_s_opens_the_form() -> None:
    async with driven(SilencesScreen, full()) as screen:
        await screen.press("s")
        await screen.until(lambda: isinstance(screen.app.screen, SilenceForm))


async def test_y_copies_the_amtool_command() -> None:
    async with driven(SilencesScreen, full()) as screen:
        await screen.press("j", "y")
        assert "\namtool --alertmanager.url=http://am-0.example silence add" in screen.app.clipboard
        assert "silence expire s-2" in screen.app.clipboard
        assert '"id"' not in screen.app.clipboard, "created again, not written over the one that stands"
        assert "\ncurl --fail" in screen.app.clipboard


async def test_read_only_has_no_writes() -> None:
    async with driven(SilencesScreen, full(read_only=True)) as screen:
        assert "x expire" not in screen.text.split("\n")[-1]
        await screen.press("x", "s")
        assert not screen.runner.calls
        assert "read-only" in screen.app.told[0]


@pytest.mark.parametrize("size", SIZES)
async def test_empty_and_not_known(size: tuple[int, int]) -> None:
    async with driven(SilencesScreen, full(alerts=(), silences=()), size) as screen:
        assert "✔ No silences" in screen.text
        text = await screen.push(failing(full(alerts=(), silences=())))
        assert "No silences" not in text
        assert "has not answered for 42s" in text


async def test_the_cursor_follows_its_silence() -> None:
    async with driven(SilencesScreen, full()) as screen:
        await screen.press("j")
        one = make_silence("s-0", {"alertname": "New"}, left=60)
        two = make_silence("s-2", {"alertname": "HighLatency"}, comment="deploying 1.4.2", left=7200)
        await screen.push(full(alerts=(), silences=(one, two)))
        assert 'alertname="HighLatency"' in screen.text.split("──")[1]


async def test_the_same_data_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(SilencesScreen, full()) as screen:
        with painted_lines(monkeypatch) as painted:
            await screen.push(full())
        assert painted == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_only_shows(size: tuple[int, int]) -> None:
    bad = make_silence("s-1", matchers=(Matcher(HOSTILE, HOSTILE),), comment=HOSTILE, by=HOSTILE)
    alerts = (make_alert(HOSTILE, route=HOSTILE, silenced_by=["s-1"]),)
    async with driven(SilencesScreen, full(alerts=alerts, silences=(bad,)), size) as screen:
        assert fits(screen.text, size)
        assert "[/var/log]" in screen.text or "\\x1b" in screen.text
        text = await screen.press("x")
        assert fits(text, size)
