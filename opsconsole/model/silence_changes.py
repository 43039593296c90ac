"""What is different between two readings of one silence, and what took its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from opsconsole.model.matchers import format_matchers
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe

SAME_SECONDS = 1.0
"""Times nearer than this are the same: writers cut them to the second."""


class Change(msgspec.Struct, frozen=True):
    """One thing that differs: its name and both sides, safe to show on one line each."""

    what: str
    before: SafeText
    after: SafeText

    def __str__(self) -> str:
        return f"{self.what}: {self.before} -> {self.after}"


def changes_between(before: Silence, now: Silence) -> tuple[Change, ...]:
    """What differs: matchers, start, end, comment, creator, state. That a pending one has become active by
    itself is no change."""
    found: list[Change] = []

    def differs(what: str, one: str, other: str, limit: int = 300) -> None:
        found.append(Change(what, safe(one, limit), safe(other, limit)))

    if frozenset(before.matchers) != frozenset(now.matchers):
        differs("matchers", format_matchers(before.matchers), format_matchers(now.matchers), 600)
    if _apart(before.starts_at, now.starts_at):
        differs("start", _words(before.starts_at), _words(now.starts_at))
    if _apart(before.ends_at, now.ends_at):
        differs("end", _words(before.ends_at), _words(now.ends_at))
    if before.comment != now.comment:
        differs("comment", before.comment, now.comment)
    if before.created_by != now.created_by:
        differs("creator", before.created_by, now.created_by)
    if before.status.state != now.status.state and now.status.state != "active":
        differs("state", before.status.state, now.status.state)
    return tuple(found)


def successor(ended: Silence, silences: Iterable[Silence]) -> Silence | None:
    """What took the place of a silence: Alertmanager expires the old one and makes a new one at one moment when
    an edit changes the matchers. None when nothing in force was written then."""
    near = [
        s
        for s in silences
        if s.id != ended.id
        and s.status.state != "expired"
        and not _apart(s.updated_at, ended.updated_at)
        and (s.created_by == ended.created_by or s.comment == ended.comment or s.ends_at == ended.ends_at)
    ]
    return min(near, key=lambda s: abs((s.updated_at - ended.updated_at).total_seconds()), default=None)


def _apart(one: datetime, other: datetime) -> bool:
    return abs((one - other).total_seconds()) >= SAME_SECONDS


def _words(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
