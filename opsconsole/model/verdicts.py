"""Verdicts: OK, WARNING, CRITICAL or UNKNOWN, with a reason and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from opsconsole.text import SafeText, trusted


class Level(IntEnum):
    """The numbers are the monitoring plug-in exit codes."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_BADNESS = (Level.OK, Level.WARNING, Level.UNKNOWN, Level.CRITICAL)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of one check.

    `id` is dotted (`sources.prometheus.ready`), its first part is the group. `reason` is one line that
    names the thing; `evidence` are further lines; `duration` is seconds. `because` is the id of another
    verdict from which this one merely follows, "" when it stands for itself.
    """

    id: str
    title: SafeText
    level: Level
    reason: SafeText
    evidence: tuple[SafeText, ...] = ()
    hint: SafeText = trusted("")
    duration: float = 0.0
    because: str = ""

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


def badness(level: Level) -> int:
    """A rank for sorting: OK < WARNING < UNKNOWN < CRITICAL."""
    return _BADNESS.index(level)


def worst(levels: Iterable[Level]) -> Level:
    """The worst level; UNKNOWN for none at all, because nothing was asked."""
    return max(levels, key=badness, default=Level.UNKNOWN)
