"""What a run of the checks has to tell: its verdicts, what they count as, and what it was that was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from opsconsole.model.verdicts import Level, Verdict, badness, worst
from opsconsole.text import SafeText, trusted


class Change(Enum):
    """How a check compares with an earlier run."""

    SAME = "same"
    WORSE = "worse"
    BETTER = "better"
    NEW = "new"
    VANISHED = "vanished"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict of a report.

    `counts` is the level with which it goes into the overall verdict: its own, unless the run was told to take
    UNKNOWN for something else or to fail only on what got worse. `before` is its level in the baseline, None
    without one or when it was not there.
    """

    verdict: Verdict
    counts: Level
    before: Level | None = None
    change: Change | None = None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run: where it was read from, when it was made (as it says), and its verdicts."""

    source: SafeText
    time: SafeText
    verdicts: tuple[Verdict, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the checks.

    `began` is wall seconds since the epoch, `took` seconds. `only` and `skip` are the globs that it was
    limited to. `systems` are the titles of the playbooks, `servers` name and version of what was asked.
    `system_version` and `operator` are what the run was told, or "".
    """

    lines: tuple[Line, ...]
    began: float
    took: float
    program: str
    context: SafeText
    environment: SafeText = trusted("")
    systems: tuple[SafeText, ...] = ()
    servers: tuple[tuple[SafeText, SafeText], ...] = ()
    only: tuple[SafeText, ...] = ()
    skip: tuple[SafeText, ...] = ()
    unknown_as: Level | None = None
    baseline: Baseline | None = None
    system_version: SafeText = trusted("")
    operator: SafeText = trusted("")

    @property
    def level(self) -> Level:
        """The worst of what counts; UNKNOWN when nothing was checked."""
        return worst(line.counts for line in self.lines)

    def count(self, level: Level) -> int:
        """How many verdicts are of this level by themselves."""
        return sum(line.verdict.level is level for line in self.lines)

    def changed(self, change: Change) -> tuple[Line, ...]:
        """The lines that compare in this way with the baseline."""
        return tuple(line for line in self.lines if line.change is change)

    @property
    def excused(self) -> tuple[Line, ...]:
        """The lines that count as less than they are."""
        return tuple(line for line in self.lines if badness(line.counts) < badness(line.verdict.level))


def judged(
    verdicts: Iterable[Verdict], *, unknown_as: Level | None = None, baseline: Baseline | None = None
) -> tuple[Line, ...]:
    """The lines of a run. Against a baseline a verdict counts only when it is worse than it was; one that was
    not there counts as it is, and one that has vanished is UNKNOWN."""
    new = tuple(verdicts)
    if baseline is None:
        return tuple(Line(verdict=v, counts=_as(v.level, unknown_as)) for v in new)
    old = {v.id: v.level for v in baseline.verdicts}
    lines = [_compared(v, old.get(v.id), unknown_as) for v in new]
    present = {v.id for v in new}
    for verdict in baseline.verdicts:
        if verdict.id not in present:
            line = _compared(_gone(verdict), verdict.level, unknown_as)
            lines.append(msgspec.structs.replace(line, change=Change.VANISHED))
    return tuple(lines)


def by_group(lines: Iterable[Line]) -> list[tuple[str, list[Line]]]:
    """The lines by group: the group with the worst line first, in a group the worst first."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.verdict.group, []).append(line)
    for members in groups.values():
        members.sort(key=_rank)
    return sorted(groups.items(), key=lambda item: _rank(item[1][0]))


def followers(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    """The lines that merely follow from another one of the report, by the id of the first cause."""
    known = {line.verdict.id: line for line in lines}
    found: dict[str, list[Line]] = {}
    for line in known.values():
        cause, seen = line.verdict, {line.verdict.id}
        while cause.because in known and cause.because not in seen:
            seen.add(cause.because)
            cause = known[cause.because].verdict
        if cause is not line.verdict and cause.because not in seen:
            found.setdefault(cause.id, []).append(line)
    return found


def _rank(line: Line) -> tuple[int, int]:
    return -badness(line.counts), -badness(line.verdict.level)


def _as(level: Level, unknown_as: Level | None) -> Level:
    return unknown_as if level is Level.UNKNOWN and unknown_as is not None else level


def _compared(verdict: Verdict, before: Level | None, unknown_as: Level | None) -> Line:
    now = _as(verdict.level, unknown_as)
    if before is None:
        return Line(verdict=verdict, counts=now, change=Change.NEW)
    rise = badness(now) - badness(_as(before, unknown_as))
    change = Change.WORSE if rise > 0 else Change.BETTER if rise < 0 else Change.SAME
    return Line(verdict=verdict, counts=now if rise > 0 else Level.OK, before=before, change=change)


def _gone(old: Verdict) -> Verdict:
    return Verdict(
        id=old.id,
        title=old.title,
        level=Level.UNKNOWN,
        reason=trusted(f"was {old.level.name} in the baseline and is not there any more"),
        hint=trusted("if it is not wanted any more, make a new baseline"),
    )
