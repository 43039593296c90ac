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


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """The values that are fine, both ends included; None is no end."""

    low: float | None = None
    high: float | None = None


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """The number behind a verdict. `value` is None when it is not known, `unit` one of
    opsconsole.model.units.UNITS; outside of a range a value is of that level."""

    value: float | None
    unit: str = "none"
    warning: Range | None = None
    critical: Range | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of one check.

    `id` is dotted (`sources.prometheus.ready`), its first part is the group. `reason` is one line that
    names the thing; `evidence` are further lines; `duration` is seconds. `because` is the id of another
    verdict from which this one merely follows, "" when it stands for itself. `measure` is the number that was
    held against bounds, if there was one.
    """

    id: str
    title: SafeText
    level: Level
    reason: SafeText
    evidence: tuple[SafeText, ...] = ()
    hint: SafeText = trusted("")
    duration: float = 0.0
    because: str = ""
    measure: Measure | None = None

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


def badness(level: Level) -> int:
    """A rank for sorting: OK < WARNING < UNKNOWN < CRITICAL."""
    return _BADNESS.index(level)


def worst(levels: Iterable[Level]) -> Level:
    """The worst level; UNKNOWN for none at all, because nothing was asked."""
    return max(levels, key=badness, default=Level.UNKNOWN)
