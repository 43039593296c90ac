"""For a terminal, a mail or a log: one line a check, worst first, with evidence for what is not OK."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from opsconsole.model.report import Line, Report, by_group, followers
from opsconsole.model.verdicts import Level
from opsconsole.render.reports.words import counts, details, mark, no_control, notes

_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.CRITICAL: "31;1", Level.UNKNOWN: "35;1"}
_INDENT = " " * 10
_SLOW = 1.0
"""Seconds above which a check's duration is worth a word."""
_NAMED = 5
"""As many that follow from a cause are named; of more it is told how many of which group."""
_WIDEST = 48
"""Characters of the ids' column at most."""


def write(report: Report, *, colour: bool = False) -> str:
    """The report; `colour` adds ANSI colours and nothing else."""
    consequences = followers(report.lines)
    hidden = {line.verdict.id for lines in consequences.values() for line in lines}
    shown = [line for line in report.lines if line.verdict.id not in hidden]
    width = min(max((len(line.verdict.id) for line in shown), default=0), _WIDEST)
    lines: list[str] = []
    for _, members in by_group(shown):
        for line in members:
            lines += _entry(line, width, colour)
            lines += _following(consequences.get(line.verdict.id, []), colour)
        lines.append("")
    lines += [_dim(f"note: {note}", colour) for note in notes(report)]
    lines.append(f"{_word(report.level, colour)}  {counts(report)}")
    return "\n".join(lines) + "\n"


def _entry(line: Line, width: int, colour: bool) -> Iterator[str]:
    verdict = line.verdict
    remark = f" ({mark(line)})" if mark(line) else ""
    yield f"{_word(verdict.level, colour)}  " + no_control(f"{verdict.id:<{width}}  {verdict.reason}{remark}")
    if verdict.level is not Level.OK:
        yield from (no_control(f"{_INDENT}{detail}") for detail in details(line))
    if verdict.duration >= _SLOW:
        yield _dim(f"{_INDENT}took {verdict.duration:.1f} s", colour)


def _following(lines: list[Line], colour: bool) -> Iterator[str]:
    if lines:
        told = ", ".join(f"{line.verdict.id} {line.verdict.level.name}" for line in lines)
        if len(lines) > _NAMED:
            groups = Counter((line.verdict.group, line.verdict.level.name) for line in lines)
            told = ", ".join(f"{count} of {group} {level}" for (group, level), count in groups.items())
        yield _dim(f"{_INDENT}and {len(lines)} that follow from it: {told}", colour)


def _word(level: Level, colour: bool) -> str:
    word = f"{level.name:<8}"
    return f"\x1b[{_COLOURS[level]}m{word}\x1b[0m" if colour else word


def _dim(text: str, colour: bool) -> str:
    plain = no_control(text)
    return f"\x1b[2m{plain}\x1b[0m" if colour else plain
