"""What a playbook's `evidence` asks, when, and what the answers count."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from opsconsole.model.evidence import Comparison, Counts, Weight, compare, unknown
from opsconsole.model.flags import FlagChange
from opsconsole.model.series import QueryResult
from opsconsole.text import SafeText, safe, trusted

WINDOW, FLAG = "[$window]", '="$flag"'
"""What stands in an expression for the seconds of a window, and for the flag's name."""

LONGEST = 900.0
"""Seconds of a window at most."""

SHORTEST = 30.0
"""A shorter window holds too few scrapes to say anything."""

BEFORE_LEAST = 300.0
"""Seconds of the window before the change even if the one after is shorter: it only makes the test better."""

STEP = 15.0
"""A window that still grows does so by this many seconds."""

UNSURE = 15.0
"""Seconds before a change was seen in which it may have happened already, when its time is not exact: a few looks
at the flags."""

EDGE = 120.0
"""Something must have been counted in the last so many seconds of a window, or its data are old."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Two counts as PromQL: how many were `bad` of `all` in `[$window]`. `title` says what bad means; `panel` is
    the panel that shows it, "" for none."""

    title: SafeText
    bad: str
    all: str
    panel: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted before and after a change. `evaluations` gives a series for each result of a flag."""

    errors: Share | None = None
    latency: Share | None = None
    evaluations: str = ""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a playbook's evidence says of one change. None: it does not count that. `evaluations` are by result,
    in the window after; `problem` says why they are not known."""

    errors: Comparison | None = None
    latency: Comparison | None = None
    evaluations: tuple[tuple[SafeText, float], ...] = ()
    problem: SafeText = trusted("")


class Windows(msgspec.Struct, frozen=True):
    """Two stretches of time, seconds since the epoch. `growing`: the second is not over yet."""

    before: tuple[float, float]
    after: tuple[float, float]
    growing: bool = False

    @property
    def lengths(self) -> tuple[float, float]:
        return self.before[1] - self.before[0], self.after[1] - self.after[0]


def windows(change: FlagChange, changes: Iterable[FlagChange], now: float, propagation: float) -> Windows:
    """Before: up to 15 minutes that end with the change, as long as the other one but 5 minutes at least. After:
    up to 15 minutes that begin when the change must have arrived. Another change of the flag cuts both. Of a
    change whose time is not exact the first window ends a little earlier.
    """
    others = [other.at for other in changes if other.key == change.key]
    last = max((at for at in others if at < change.at), default=-math.inf)
    following = min((at for at in others if at > change.at), default=math.inf)
    start = change.at + propagation
    latest = min(start + LONGEST, following)
    steps = math.floor((min(now, latest) - start) / STEP) * STEP
    end = latest if now >= latest else start + max(0.0, steps)
    after = (start, max(start, end))
    length = min(LONGEST, max(BEFORE_LEAST, after[1] - start))
    ended = change.at if change.exact else change.at - UNSURE
    begun = min(max(ended - length, last + propagation), ended)
    return Windows((begun, ended), after, growing=now < latest)


def question(expr: str, window: float, flag: str = "") -> str:
    """An expression over so many seconds. The flag's name becomes a string of PromQL and nothing else."""
    # The name last: it may look like a placeholder itself.
    return expr.replace(WINDOW, f"[{max(1, round(window))}s]").replace(FLAG, f"={quoted(flag)}")


def quoted(text: str) -> str:
    """A text as a string literal of PromQL, in double quotes (its escapes are Go's)."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    parts = (escapes.get(c) or (c if c.isprintable() else _escaped(c)) for c in text)
    return f'"{"".join(parts)}"'


def _escaped(c: str) -> str:
    return "\\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else f"\\U{ord(c):08x}"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to a share's questions. `recent` is what `all` gives over the last EDGE seconds of the window
    after the change."""

    bad_before: QueryResult
    all_before: QueryResult
    bad_after: QueryResult
    all_after: QueryResult
    recent: QueryResult


def judge(windows: Windows, counted: Counted) -> Comparison:
    """The verdict of the answers; UNKNOWN with the reason when any of them is missing, partial or old."""
    length, since = windows.lengths
    needed = f"needs {SHORTEST:.0f}s"
    if length < SHORTEST:
        return Comparison(weight=Weight.TOO_LITTLE, reason=safe(f"it had changed just before: {needed} before it"))
    if since < SHORTEST:
        return Comparison(weight=Weight.TOO_LITTLE, reason=safe(f"it has only just changed: {needed} after it"))
    sides = []
    for name, bad, every in (
        ("before", counted.bad_before, counted.all_before),
        ("after", counted.bad_after, counted.all_after),
    ):
        figures = [_figure(every, name), _figure(bad, name)]
        for figure in figures:
            if isinstance(figure, str):
                return unknown(figure)
        sides.append(_counts(*(f for f in figures if not isinstance(f, str))))
    recent = _figure(counted.recent, "at the end of the window after")
    if isinstance(recent, str):
        return unknown(recent)
    before, after = sides
    if isinstance(before, str):
        return unknown(f"before the change {before}")
    if isinstance(after, str):
        return unknown(f"after the change {after}")
    return compare(before, after)


def evaluated(result: QueryResult) -> tuple[tuple[SafeText, float], ...]:
    """How often a flag gave which result: the values of the series' only label, or all their labels."""
    found = [(safe(", ".join(series.labels.values()) or "all", 40), series.last) for series in result.series]
    return tuple(sorted((name, value) for name, value in found if value is not None and math.isfinite(value)))


def _figure(result: QueryResult, when: str) -> float | str:
    """The one number of an answer, or why it is none."""
    if result.warnings:
        return f"the answer is partial: {safe('; '.join(result.warnings), 160)}"
    if not result.series:
        return f"no data {when} the change"
    if len(result.series) > 1:
        return f"the query gives {len(result.series)} series instead of one"
    value = result.series[0].last
    if value is None or not math.isfinite(value):
        return f"no number {when} the change"
    return value


def _counts(every: float, bad: float) -> Counts | str:
    """Whole numbers: `increase` extrapolates each series by itself. More bad ones than there are, or fewer than
    none, is a wrong query."""
    slack = abs(every) * 0.05 + 1
    if every < 0 or not -slack <= bad <= every + slack:
        return f"{bad:.0f} of {every:.0f} are counted as bad: the queries do not belong together"
    return Counts(max(0, min(round(bad), round(every))), round(every))
