"""What stands in the alert list: rows and the headings of groups. Pure, so that it can run in a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from opsconsole.model.alertlist import AlertRow, ListOptions, filter_rows
from opsconsole.model.severity import AlertState, Severity

GROUP = "group:"
"""How the key of a heading begins; alert keys hold a `/` before any `:`."""

_FIRST = ("severity", "instance", "job", "service", "team", "cluster")
_SAMPLE = 2000
_MOST = 8


class Heading(msgspec.Struct, frozen=True, gc=False):
    """The heading of a group: the raw label value and how many alerts stand under it."""

    value: str
    count: int
    worst: Severity


class Items(msgspec.Struct, frozen=True):
    """The list's lines and their keys; how many alerts are shown, of how many, and how many inhibited and
    other ones the options hide."""

    keys: tuple[str, ...] = ()
    lines: tuple[AlertRow | Heading, ...] = ()
    shown: int = 0
    total: int = 0
    inhibited_hidden: int = 0
    suppressed_hidden: int = 0
    pending_hidden: int = 0


def arrange(rows: Sequence[AlertRow], options: ListOptions) -> Items:
    """The lines of the list. Raises UsageError for a filter that does not parse."""
    kept = filter_rows(rows, options)
    keys: list[str] = []
    lines: list[AlertRow | Heading] = []
    if options.group_by:
        for heading, members in _groups(kept, options.group_by):
            # A name with one alert stands in its row already.
            if options.group_by != "alertname" or heading.count > 1:
                keys.append(GROUP + heading.value)
                lines.append(heading)
            keys += [row.key for row in members]
            lines += members
    else:
        keys = [row.key for row in kept]
        lines = list(kept)
    states = Counter(row.state for row in rows)
    suppressed = sum(states[s] for s in (AlertState.ACKED, AlertState.SILENCED, AlertState.MUTED))
    inhibited_shown = options.show_inhibited and options.show_suppressed
    return Items(
        keys=tuple(keys),
        lines=tuple(lines),
        shown=len(kept),
        total=len(rows),
        inhibited_hidden=0 if inhibited_shown else states[AlertState.INHIBITED],
        suppressed_hidden=0 if options.show_suppressed else suppressed,
        pending_hidden=0 if options.show_pending else states[AlertState.PENDING],
    )


def _groups(rows: Sequence[AlertRow], label: str) -> list[tuple[Heading, list[AlertRow]]]:
    groups: dict[str, list[AlertRow]] = {}
    for row in rows:
        groups.setdefault(row.alert.labels.get(label, ""), []).append(row)
    return [
        (Heading(value, len(members), min(row.severity for row in members)), members)
        for value, members in groups.items()
    ]


def groupings(rows: Sequence[AlertRow]) -> tuple[str, ...]:
    """What the list can be grouped by, in the order of the key: nothing, alertname, then labels that at
    least half of the alerts carry with more than one value."""
    sample = rows[:_SAMPLE]
    carried: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for row in sample:
        for name, value in row.alert.labels.items():
            carried[name] += 1
            values.setdefault(name, set()).add(value)
    common = [n for n, count in carried.most_common() if 2 * count >= len(sample) and 1 < len(values[n]) < count]
    ordered = [n for n in _FIRST if n in common]
    ordered += sorted(n for n in common if n not in _FIRST and n != "alertname")
    return ("", "alertname", *ordered[:_MOST])
