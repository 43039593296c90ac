"""The head of the alert detail and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo

from rich.text import Text

from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import shown_labels
from opsconsole.model.severity import AlertState
from opsconsole.render import times
from opsconsole.render.glyphs import SEVERITY_STYLES, UNICODE, Glyphs, severity_label
from opsconsole.render.row import NOTHING, Row, clean, fit, line, width_of, wrapped
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, safe

_SUMMARY_LINES = 3
_VALUE_LINES = 8


def detail_header(
    row: AlertRow,
    *,
    width: int,
    now: float,
    tz: tzinfo = UTC,
    distinguishing: SafeText = NOTHING,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """Name and severity; since when, relative and exact; what distinguishes it; the summary (at most three
    lines, from the annotations `summary`, `description` or `message`). As many rows as that takes."""
    head = Row(width, glyphs)
    label = severity_label(row.severity, glyphs)
    name = clean(row.alert.name, glyphs)
    head.add(name, theme["title"] + theme["strong"], min(width_of(name), max(4, width - len(label) - 2)))
    head.space(2)
    head.add(label, theme[SEVERITY_STYLES[row.severity]])
    word = "pending" if row.state is AlertState.PENDING else "firing"
    since = times.exact(row.alert.since, tz, now)
    relative = f"{word} {times.ago(now - row.alert.since)}"
    if head.left >= len(relative) + len(since) + 11:
        head.space(2)
        head.add(f"{relative} (since {since})", theme["dim"])
        rows = [head.done()]
    else:
        rows = [head.done()]
        rows.append(line(f"{relative} (since {since})", width, theme["dim"], glyphs))
    if distinguishing:
        rows.append(line(distinguishing, width, theme["info"], glyphs))
    notes = row.alert.annotations
    summary = notes.get("summary") or notes.get("description") or notes.get("message") or ""
    if summary.strip():
        text = wrapped(safe(" ".join(summary.split()), 1000), max(1, width), _SUMMARY_LINES, glyphs)
        rows += [line(part, width, None, glyphs) for part in text]
    return tuple(rows)


def labels_table(
    labels: Mapping[str, str], *, width: int, theme: Theme = DARK, glyphs: Glyphs = UNICODE
) -> tuple[Text, ...]:
    """Raw labels as a table: name, value; a long value goes on below itself, at most eight lines."""
    shown = {clean(k, glyphs): clean(v, glyphs) for k, v in shown_labels(labels, 2000).items()}
    longest = max((width_of(name) for name in shown), default=0)
    name_width = min(longest, max(1, width // 3))
    value_width = max(1, width - name_width - 2)
    rows = []
    for name, value in shown.items():
        for index, part in enumerate(_pieces(value, value_width, glyphs)):
            row = Row(width, glyphs)
            row.add(name if index == 0 else "", theme["dim"], name_width)
            row.space(2)
            row.add(part)
            rows.append(row.done())
    return tuple(rows)


def _pieces(value: str, width: int, glyphs: Glyphs) -> list[str]:
    """A value cut into lines of at most `width` cells, without losing a character."""
    lines, current, cells = [], "", 0
    for char in value:
        size = width_of(char)
        if cells + size > width and current:
            lines.append(current)
            current, cells = "", 0
        current += char
        cells += size
    lines.append(current)
    if len(lines) > _VALUE_LINES:
        lines = [*lines[: _VALUE_LINES - 1], fit("".join(lines[_VALUE_LINES - 1 :]), width, more=glyphs.more)]
    return lines
