"""What matchers would have hidden in the last week: the questions to Prometheus' `ALERTS`, and their answers.

A series of `ALERTS` is one alert: the alert's labels, and what Prometheus adds, `__name__` and `alertstate`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.model.matchers import Matcher, quote
from opsconsole.model.series import QueryResult
from opsconsole.model.severity import Severity, severity_of
from opsconsole.text import SafeText, safe, trusted

DAYS = 7
HOURS = (0, 1, 6, 12, *(day * 24 for day in range(1, DAYS + 1)))
"""How many hours ago it is looked for samples; between two of them nothing is known to be missing."""

REACH_QUERY = " or ".join(
    f'label_replace(count(up{f" offset {hours}h" if hours else ""}), "hours", "{hours}", "", "")'
    for hours in HOURS
)
"""Asks at which of HOURS Prometheus has samples of any target: a few instants, whatever the week holds."""

_ADDED = frozenset({"__name__", "alertstate"})
_PLAIN_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class Past(msgspec.Struct, frozen=True):
    """Distinct alerts by severity, and the names of the critical ones, sorted. `why` says why the week is not
    known; what is counted nevertheless is a part of it."""

    counts: Mapping[Severity, int] = {}
    criticals: tuple[SafeText, ...] = ()
    why: SafeText = trusted("")

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def unknown(why: str) -> Past:
    """Nothing is known. `why` may be raw."""
    return Past(why=safe(why, 200))


def selector(matchers: Sequence[Matcher]) -> str:
    """The `ALERTS` series of the firing alerts that these matchers hide. Matchers on labels that Prometheus
    adds are left out: on an alert these are empty (see `never_given`)."""
    parts = ['alertstate="firing"', *(_part(m) for m in matchers if m.name not in _ADDED)]
    return f"ALERTS{{{','.join(parts)}}}"


def past_query(matchers: Sequence[Matcher]) -> str:
    """Counts the alerts of the week: as many series as there are alert names and severities."""
    return f"count by (alertname, severity, priority) (last_over_time({selector(matchers)}[{DAYS}d]))"


def required(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    """The labels that an alert must have to be hidden."""
    return tuple(dict.fromkeys(m.name for m in matchers if not m.matches({})))


def never_given(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    """The required labels that no alert of Prometheus can have."""
    return tuple(name for name in required(matchers) if name in _ADDED)


def carried_query(names: Sequence[str]) -> str:
    """Asks which of these labels any alert of the week had: external labels are in Alertmanager only."""
    return " or ".join(
        f"label_replace(count(last_over_time({selector([Matcher(name, '', is_equal=False)])}[{DAYS}d])), "
        f'"at", "{at}", "", "")'
        for at, name in enumerate(names)
    )


def not_carried(result: QueryResult, names: Sequence[str]) -> tuple[str, ...]:
    """The names of which the answer to `carried_query` says nothing."""
    found = {series.labels.get("at") for series in result.series}
    return tuple(name for at, name in enumerate(names) if str(at) not in found)


def reach_of(result: QueryResult) -> Past:
    """Why the week is not known, from the answer to REACH_QUERY; no `why` when all of it is."""
    if doubt := _doubt(result):
        return unknown(doubt)
    found = {series.labels.get("hours") for series in result.series}
    if "0" not in found:
        return unknown("Prometheus has no series `up` now that would tell how far back it knows")
    missing = next((at for at, hours in enumerate(HOURS) if str(hours) not in found), None)
    if missing is None:
        return Past()
    last = HOURS[missing - 1]
    if not last:
        return unknown("Prometheus has less than the last hour")
    return unknown(f"Prometheus has only the last {_span(last)}")


def past_of(result: QueryResult, why: str = "") -> Past:
    """The counts of the answer to `past_query`; not known when it is partial or no such answer, and for the
    reason `why`."""
    if doubt := _doubt(result):
        return unknown(doubt)
    counts: dict[Severity, int] = {}
    names: set[str] = set()
    for series in result.series:
        if series.last is None or not math.isfinite(series.last) or series.last < 1:
            return unknown("Prometheus gave no number of alerts")
        severity = severity_of(series.labels)
        counts[severity] = counts.get(severity, 0) + round(series.last)
        if severity is Severity.CRITICAL:
            names.add(series.labels.get("alertname", ""))
    return Past(dict(sorted(counts.items())), tuple(safe(name, 60) for name in sorted(names)), safe(why, 200))


def beside_now(past: Past, hidden: int | None) -> Past:
    """The past beside what is hidden now, which is a part of it: when Prometheus knows of fewer alerts, it
    does not know them all. `hidden` is None when that is not known."""
    if past.why or hidden is None or hidden <= past.total:
        return past
    why = safe(f"Prometheus knows fewer alerts ({past.total:,}) than are hidden now ({hidden:,})")
    return msgspec.structs.replace(past, why=why)


def _doubt(result: QueryResult) -> str:
    if result.warnings:
        return f"a partial answer: {result.warnings[0]}"
    return "" if result.kind == "vector" else "Prometheus gave an answer of another kind"


def _span(hours: int) -> str:
    number, unit = (hours, "hour") if hours < 24 else (hours // 24, "day")
    return unit if number == 1 else f"{number} {unit}s"


def _part(matcher: Matcher) -> str:
    name = matcher.name if _PLAIN_NAME.fullmatch(matcher.name) else quote(matcher.name)
    value = matcher.value
    if matcher.is_regex and "." in value:
        # From version 3 on, Prometheus' dot is a newline too; Alertmanager's is not.
        value = f"(?-s:{value})"
    return f"{name}{matcher.op}{quote(value)}"
