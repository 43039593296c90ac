"""Keys that arrive together, as from a fast typist or over a slow connection, do what they do one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes import ScreenApp, make_services, screen_text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Input

from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.keys_in_turn import KeyPassed, KeysInTurn
from opsconsole.ui.screens.alerts import AlertsScreen

WIDE = (120, 40)


class Fields(KeysInTurn[None]):
    """Two fields, some levels down."""

    def compose(self) -> ComposeResult:
        with Vertical(), Vertical():
            yield Input("20m", id="first", select_on_focus=False)
            yield Input(id="second")

    @property
    def values(self) -> list[str]:
        return [field.value for field in self.screen.query(Input)]


def together(app: KeysInTurn, *keys: str) -> None:
    """Send keys in one go; a text that begins with "paste:" is pasted."""
    for key in keys:
        if key.startswith("paste:"):
            app.post_message(events.Paste(key.removeprefix("paste:")))
        else:
            app.post_message(events.Key(key, key if len(key) == 1 else None))


async def until(pilot: Pilot[None] | Pilot[int], condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"the condition never held:\n{screen_text(pilot.app)}")


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        (("backspace", "h"), ["20h", ""]),
        (("backspace", "backspace", "backspace", *"45m"), ["45m", ""]),
        (("tab", *"for", "backspace", "x", "shift+tab", "home", "1"), ["120m", "fox"]),
        (("backspace", "paste:hours", "backspace"), ["20hour", ""]),
    ],
)
async def test_a_letter_does_not_overtake_what_edits_or_moves(keys: tuple[str, ...], values: list[str]) -> None:
    app = Fields()
    async with app.run_test() as pilot:
        await pilot.pause()
        together(app, *keys)
        await until(pilot, lambda: app.values == values)
        await pilot.pause()
        assert app.values == values


class Deaf(Input):
    """Lets nothing travel further up, as a widget that is gone when its turn comes."""

    def on_key_passed(self, message: KeyPassed) -> None:
        message.stop()


async def test_what_is_lost_on_its_way_does_not_hold_the_next_keys_up() -> None:
    class App(Fields):
        def compose(self) -> ComposeResult:
            yield Deaf()

    app = App()
    async with app.run_test() as pilot:
        await pilot.pause()
        together(app, *"xyz")
        await until(pilot, lambda: app.values == ["xyz"])


async def test_keys_typed_ahead_of_a_dialog_are_not_for_the_list() -> None:
    services, _, runner = make_services()
    app = ScreenApp(AlertsScreen(services), services)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        # On the list, u would undo at once, x ask to expire and 3 lead away.
        together(app, "a", *"ux3", "enter")
        await until(pilot, lambda: isinstance(app.screen, AckDialog))
        await pilot.pause()
        assert runner.calls == []
        assert app.modes_asked == []
        assert app.told == []
        assert isinstance(app.screen, AckDialog)


async def test_a_filter_is_typed_in_one_go() -> None:
    services, _, runner = make_services()
    screen = AlertsScreen(services)
    app = ScreenApp(screen, services)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        together(app, "slash", *"aux", "enter")
        await until(pilot, lambda: screen.panel.options.filter == "aux" and not screen.panel.filtering)
        assert runner.calls == []
