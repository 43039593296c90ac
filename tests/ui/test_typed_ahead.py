"""Keys that come faster than the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from console_data import full
from driving import driven
from textual import events
from textual.screen import Screen
from textual.widgets import Input

from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.silences import SilencesScreen
from opsconsole.ui.services import Services


@pytest.mark.parametrize(("screen", "typed"), [(AlertsScreen, "aeiopxs"), (SilencesScreen, "exsu")])
async def test_what_follows_the_filter_key_is_typed_into_the_filter(
    screen: Callable[[Services], Screen[Any]], typed: str
) -> None:
    async with driven(screen, full()) as console:
        for key in ("/", *typed):
            console.app.post_message(events.Key("slash" if key == "/" else key, key))
        await console.settle()
        fields = [f.value for f in console.app.screen.query(Input) if f.has_focus]
        assert fields == [typed], "the keys did other things"
