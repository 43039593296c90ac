"""What several formats say in the same words."""

from __future__ import annotations

import re
import time

from opsconsole.model.report import Change, Line, Report
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level, badness
from opsconsole.text import SafeText, trusted

WORST_FIRST = tuple(sorted(Level, key=lambda level: -badness(level)))


def counts(report: Report) -> str:
    """`8 checks: 1 WARNING, 7 OK`."""
    found = ", ".join(f"{n} {level.name}" for level in WORST_FIRST if (n := report.count(level)))
    return f"{checks(len(report.lines))}: {found}" if report.lines else "nothing was checked"


def checks(number: int) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} check" if number == 1 else f"{number} checks"


def notes(report: Report) -> list[SafeText]:
    """What a reader must know to read the verdict right: that it is not about everything, or not strict."""
    found = []
    if report.only or report.skip:
        limits = [*(f"--only {g}" for g in report.only), *(f"--skip {g}" for g in report.skip)]
        found.append(f"not everything was checked: {' '.join(limits)}")
    if report.unknown_as is not None:
        count = report.count(Level.UNKNOWN)
        found.append(f"UNKNOWN counts as {report.unknown_as.name} here (--unknown-as): {checks(count)}")
    if report.baseline is not None:
        found += _compared(report, report.baseline.source, report.baseline.time)
    return [trusted(note) for note in found]


def _compared(report: Report, source: str, made: str) -> list[str]:
    parts = [f"{len(lines)} {change.value}" for change in Change if (lines := report.changed(change))]
    found = [f"against the baseline {source} of {made}: {', '.join(parts)}; only what got worse counts"]
    for change in (Change.WORSE, Change.NEW, Change.VANISHED):
        ids = [line.verdict.id for line in report.changed(change)]
        if ids:
            found.append(f"{change.value}: {', '.join(ids)}")
    return found


def mark(line: Line) -> str:
    """What a verdict counts as, where that is not what it is."""
    if line.counts is line.verdict.level:
        return ""
    if line.change is not None and line.before is not None:
        return f"was {line.before.name} before"
    return f"counts as {line.counts.name}"


def details(line: Line) -> list[str]:
    """The lines of evidence that say more than the reason, and the hint."""
    told = line.verdict.reason
    found = [part for text in line.verdict.evidence if text != told for part in text.splitlines()]
    return [*found, f"hint: {line.verdict.hint}"] if line.verdict.hint else found


def utc(at: float) -> str:
    """A time as `2026-01-31T12:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def number(value: float) -> str:
    """A finite number in plain decimals, as short as it can be without losing what matters."""
    if value == int(value) or abs(value) >= 1e15:
        return str(int(value))
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def with_unit(value: float, unit: str) -> str:
    """A value for people: `812 ms`."""
    shown = value * 100 if unit == "ratio" else value
    return f"{shown:.4g} {UNITS.get(unit, '')}".rstrip()


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def no_control(text: str) -> str:
    """Without what no format may hold. Texts have passed `safe` long before; a report is the last door."""
    return _CONTROL.sub("\ufffd", text)
