"""One line for a monitoring plug-in, its performance data, and the details below."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from opsconsole.model.report import Line, Report, by_group
from opsconsole.model.verdicts import Level, Measure, Range
from opsconsole.render.reports.words import counts, details, no_control, notes, number

SUMMARY = 400
"""Characters of the first line before its performance data at most."""

PERFDATA = 4_000
"""Characters of performance data at most: Nagios reads 8 KB of a plug-in."""

OUTPUT = 8_000
"""Bytes of everything at most."""

_UOM = {"percent": "%", "ratio": "%", "ms": "ms", "s": "s", "bytes": "B"}
"""Our unit -> the guidelines' unit; the others have none."""


def write(report: Report) -> str:
    """Summary | performance data, then notes and what is not OK."""
    perfdata, left = _perfdata(report)
    first = f"{_cut(_summary(report), SUMMARY)} | {perfdata}"
    lines = [first]
    below = [*notes(report), *_long(report)]
    if left:
        below.insert(0, f"{left} measures are left out of the performance data, which would be too long")
    room = OUTPUT - len(first.encode()) - 60
    for index, text in enumerate(below):
        line = _plain(text)
        room -= len(line.encode()) + 1
        if room < 0:
            lines.append(f"... and {len(below) - index} more lines")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _summary(report: Report) -> str:
    bad = [line for _, members in by_group(report.lines) for line in members if line.counts is not Level.OK]
    said = counts(report)
    if bad:
        said += f" - {bad[0].verdict.id}: {bad[0].verdict.reason}"
    excused = f" ({len(report.excused)} not counted as what they are)" if report.excused else ""
    return _plain(f"OPSCONSOLE {report.level.name}: {said}{excused}")


def _long(report: Report) -> Iterator[str]:
    for _, members in by_group(report.lines):
        for line in members:
            if line.verdict.level is not Level.OK:
                yield f"{line.verdict.level.name} {line.verdict.id}: {line.verdict.reason}"
                yield from (f"  {detail}" for detail in details(line))


def _perfdata(report: Report) -> tuple[str, int]:
    """The data, worst first, and how many measures found no room."""
    parts = [f"time={number(round(report.took, 3))}s;;;0"]
    parts += [f"{level.name.lower()}={report.count(level)};;;0" for level in Level]
    measured = [
        (line, line.verdict.measure)
        for _, members in by_group(report.lines)
        for line in members
        if line.verdict.measure is not None
    ]
    length = sum(len(part) + 1 for part in parts)
    for index, (line, measure) in enumerate(measured):
        part = _measured(line, measure)
        length += len(part) + 1
        if length > PERFDATA:
            return " ".join(parts), len(measured) - index
        parts.append(part)
    return " ".join(parts), 0


def _measured(line: Line, measure: Measure) -> str:
    factor = 100.0 if measure.unit == "ratio" else 1.0
    value = measure.value
    shown = (
        f"{number(value * factor)}{_UOM.get(measure.unit, '')}" if _finite(value) and value is not None else "U"
    )
    data = f"{shown};{_range(measure.warning, factor)};{_range(measure.critical, factor)}"
    return f"{_label(line.verdict.id)}={data}".rstrip(";")


def _range(fine: Range | None, factor: float) -> str:
    """`10:` below 10 alerts, `~:20` above 20 alerts, `10:20` outside of it."""
    if fine is None:
        return ""
    low = number(fine.low * factor) if _finite(fine.low) and fine.low is not None else "~"
    high = number(fine.high * factor) if _finite(fine.high) and fine.high is not None else ""
    return "" if low == "~" and not high else f"{low}:{high}"


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _label(id: str) -> str:
    """Any characters except the equals sign and the quote, in quotes when there is a space or worse."""
    name = _plain(id).replace("=", "_").replace("'", "_")
    return name if re.fullmatch(r"[A-Za-z0-9_.-]+", name) else f"'{name}'"


def _plain(text: str) -> str:
    """The bar begins performance data, so the text may have none."""
    return no_control(text).replace("|", "¦").replace("\n", " ").replace("\t", " ")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
