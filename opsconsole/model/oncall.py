"""Who is on call when, and who is called when nobody answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from opsconsole.text import SafeText, trusted

SEATS = ("primary", "secondary", "manager")
"""The seats of a turn; the first is never empty."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role, not a person. `time_zone` is an IANA name, or "" when it is not said."""

    name: str
    team: SafeText = trusted("")
    time_zone: str = ""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The role in each seat; "" for an empty one."""

    primary: str
    secondary: str = ""
    manager: str = ""

    def role(self, seat: str) -> str:
        """The role in a seat of SEATS, "" when it is empty."""
        return str(getattr(self, seat))


class OnCall(msgspec.Struct, frozen=True, kw_only=True):
    """Turns of `length` seconds, the first of them from `starts` (seconds since the epoch) on; after the last
    the first follows. `roles` are by name."""

    starts: float
    length: float
    turns: tuple[Turn, ...]
    roles: Mapping[str, Role] = {}


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """One turn in time: from `start` up to, but not including, `end`, seconds since the epoch. `number`
    counts the turns of the list from 1."""

    turn: Turn
    number: int
    start: float
    end: float


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True):
    """What happens `after` seconds of firing. `to` are seats of SEATS or names of roles."""

    after: float
    to: tuple[str, ...]
    action: SafeText


def on_duty(oncall: OnCall, now: float) -> Duty | None:
    """Who is on call at a time in seconds since the epoch; None before the first turn."""
    if not oncall.turns or now < oncall.starts:
        return None
    count = math.floor((now - oncall.starts) / oncall.length)
    start = oncall.starts + count * oncall.length
    at = count % len(oncall.turns)
    return Duty(turn=oncall.turns[at], number=at + 1, start=start, end=start + oncall.length)


def called(step: EscalationStep, duty: Duty | None) -> tuple[str, ...]:
    """The roles that a step calls: seats become the roles that have them, empty seats are left out. Without
    a duty a seat stays as it is written."""
    found: dict[str, None] = {}
    for name in step.to:
        role = duty.turn.role(name) if duty is not None and name in SEATS else name
        if role:
            found[role] = None
    return tuple(found)
