"""What comes back is shown before a silence is expired."""

from __future__ import annotations

from console_data import full
from driving import Driven, driven
from fakes import make_alert, make_silence, make_snapshot
from textual.screen import Screen

from opsconsole.errors import TimedOut
from opsconsole.text import safe
from opsconsole.ui.dialogs.expire import ExpireDialog
from opsconsole.ui.screens.silences import SilencesScreen

SILENCE = make_silence("s1", {"job": "accubooks"})


def empty(_) -> Screen[None]:
    return Screen()


async def opened(screen: Driven, *silences) -> str:
    screen.app.push_screen(ExpireDialog(screen.app.services, "Expire", ["about it"], silences or [SILENCE]))
    await screen.until(lambda: "Expire" in screen.text and "asking" not in screen.text)
    await screen.settle()
    return screen.text


async def test_what_nothing_else_hides_comes_back():
    async with driven(empty, make_snapshot(), (80, 24)) as screen:
        screen.runner.hidden = lambda matchers: (
            make_alert("Slow", "warning", silenced_by=["s1"]),
            make_alert("Down", "critical", silenced_by=["s1"]),
            make_alert("Twice", "critical", silenced_by=["s1", "s2"]),
            make_alert("Behind", "critical", silenced_by=["s1"], inhibited_by=["f"]),
        )
        text = await opened(screen)
        assert "comes back and may notify: 2 alerts" in text
        assert text.index("Down") < text.index("Slow")
        assert "2 alerts stay hidden by another silence or inhibited" in text
        assert "Twice" not in text
    async with driven(empty, make_snapshot(), (80, 24)) as screen:
        screen.runner.hidden = lambda matchers: (make_alert("Twice", silenced_by=["s1", "s2"]),)
        text = await opened(screen, SILENCE, make_silence("s2", {"job": "accubooks"}))
        assert "comes back and may notify: 1 alert " in text, "nothing else hides it when both end"


async def test_not_knowing_is_said_and_stops_nobody():
    async with driven(empty, make_snapshot()) as screen:

        def fail(matchers):
            raise TimedOut("no answer in 10s")

        screen.runner.hidden = fail
        assert "UNKNOWN what comes back: timed out: no answer in 10s" in await opened(screen)
        await screen.press("enter")
        assert not isinstance(screen.app.screen, ExpireDialog)
    async with driven(empty, make_snapshot()) as screen:
        screen.runner.hidden = lambda matchers: (make_alert("Down", silenced_by=["s1"]),)
        screen.runner.partial = safe("the answer is partial: am-1")
        text = await opened(screen)
        assert "UNKNOWN what comes back: the answer is partial" in text
        assert "known: 1 alert " in text


async def test_the_silences_screen_shows_it():
    async with driven(SilencesScreen, full()) as screen:
        screen.runner.hidden = lambda matchers: (make_alert("HighLatency", silenced_by=["s-2"]),)
        await screen.press("j", "x")
        await screen.until(lambda: "comes back and may notify: 1 alert" in screen.text)
