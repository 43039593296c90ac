"""What matchers would have hidden in the last week, in a line."""

from __future__ import annotations

from rich.text import Text

from opsconsole.model.pastradius import DAYS, Past
from opsconsole.model.severity import Severity
from opsconsole.render.glyphs import SEVERITY_STYLES
from opsconsole.render.theme import Theme

MOST_NAMES = 3
"""Critical alerts that are named."""


def past_text(theme: Theme, past: Past) -> Text:
    """`last 7 days: 12 alerts (2 critical: HighErrorRate, PoolDown; 10 warning)`, or why it is not known and
    what is known nevertheless."""
    text = Text(f"last {DAYS} days: ", style=theme["unknown" if past.why else "strong"])
    if past.why:
        text.append(f"not known: {past.why}")
        if not past.total:
            return text
        text.append("; known: ")
    text.append(f"{past.total:,} alert{'' if past.total == 1 else 's'}")
    if not past.total:
        return text
    parts = [Text(f"{number:,} {severity.word}") for severity, number in past.counts.items()]
    if past.criticals:
        left = len(past.criticals) - MOST_NAMES
        names = ", ".join(past.criticals[:MOST_NAMES]) + (f" and {left} more names" if left > 0 else "")
        parts[0] = Text(f"{parts[0]}: {names}", theme[SEVERITY_STYLES[Severity.CRITICAL]])
    text.append(" (").append_text(_joined(parts, bool(past.criticals))).append(")")
    return text


def _joined(parts: list[Text], names_first: bool) -> Text:
    """The parts with commas between; after names a semicolon."""
    joined = Text()
    for index, part in enumerate(parts):
        if index:
            joined.append("; " if index == 1 and names_first else ", ")
        joined.append_text(part)
    return joined
