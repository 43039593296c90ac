"""How the tests of this folder press keys."""

from __future__ import annotations

import time
from typing import Any

import pytest
from textual.pilot import Pilot

from opsconsole.ui.dialogs.base import Dialog

LIMIT = 30.0
"""Seconds for a dialog to be painted."""


@pytest.fixture(autouse=True)
def _as_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person presses a key when the dialog is on the screen. On a busy machine that can be later than a pause:
    the dialog would take the key as typed ahead. Keys that are to be typed ahead are posted as events."""
    press = Pilot.press

    async def press_what_is_seen(pilot: Pilot[Any], *keys: str) -> None:
        for key in keys:
            end = time.monotonic() + LIMIT
            while not _painted(pilot) and time.monotonic() < end:
                await pilot.pause(0.01)
            await press(pilot, key)

    monkeypatch.setattr(Pilot, "press", press_what_is_seen)


def _painted(pilot: Pilot[Any]) -> bool:
    screen = pilot.app.screen
    return not isinstance(screen, Dialog) or screen._painted_at is not None
