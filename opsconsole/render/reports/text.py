"""For a terminal, a mail or a log: a line for each check that is not OK, worst first, with its evidence; those
that are OK are counted by group."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from opsconsole.model.report import Line, Report, by_group, followers
from opsconsole.model.verdicts import Level
from opsconsole.render.reports.words import counts, details, mark, no_control, notes

_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.CRITICAL: "31;1", Level.UNKNOWN: "35;1"}
_INDENT = " " * 10
_SLOW = 1.0
"""Seconds above which a check's duration is worth a word."""
_FEW = 2
"""As many OK ones of a group are counted instead of told one by one."""
_NARROWEST = 40
"""Columns of a terminal below which lines are not broken any more."""
_NAMED = 5
"""As many that follow from a cause are named; of more it is told how many of which group."""
_WIDEST = 48
"""Characters of the ids' column at most."""


def write(report: Report, *, colour: bool = False, verbose: bool = False, columns: int = 0) -> str:
    """The report; `colour` adds ANSI colours and nothing else, `verbose` gives what is OK lines of its own, and of
    a terminal with so many `columns` (0: no terminal) long lines are broken between words."""
    consequences = followers(report.lines)
    hidden = {line.verdict.id for lines in consequences.values() for line in lines}
    shown = [line for line in report.lines if line.verdict.id not in hidden]
    groups = [(group, *_folded(members, verbose)) for group, members in by_group(shown)]
    names = [line.verdict.id for _, told, _ in groups for line in told] + [g for g, _, count in groups if count]
    width = min(max(map(len, names), default=0), _WIDEST)
    pen = _Pen(width, colour, columns)
    lines: list[str] = []
    for group, told, count in groups:
        block: list[str] = []
        for line in told:
            block += pen.entry(line)
            block += pen.following(consequences.get(line.verdict.id, []))
        if count:
            block += pen.row(Level.OK, group, f"{count} more" if told else f"{count} checks")
        # Groups of one line stand together.
        lines += [""] if lines and (verbose or len(block) > 1) else []
        lines += block
    lines += ["", *(part for note in notes(report) for part in pen.dim(f"note: {note}", ""))]
    return "\n".join([*lines, f"{pen.word(report.level)}  {counts(report)}"]).lstrip("\n") + "\n"


def _folded(members: list[Line], verbose: bool) -> tuple[list[Line], int]:
    """The lines that are told one by one, and how many are only counted: nothing is to be said of them."""
    plain = [line for line in members if line.verdict.level is Level.OK and not mark(line)]
    if verbose or len(plain) < _FEW:
        return members, 0
    return [line for line in members if line not in plain], len(plain)


@dataclass(frozen=True)
class _Pen:
    """How lines are set: the width of the ids' column, whether in colour, and where a terminal ends."""

    width: int
    colour: bool
    columns: int

    def entry(self, line: Line) -> Iterator[str]:
        verdict = line.verdict
        remark = f" ({mark(line)})" if mark(line) else ""
        yield from self.row(verdict.level, verdict.id, f"{verdict.reason}{remark}")
        if verdict.level is not Level.OK:
            for detail in details(line):
                yield from self._broken(detail, _INDENT)
        if verdict.duration >= _SLOW:
            yield from self.dim(f"took {verdict.duration:.1f} s")

    def following(self, lines: list[Line]) -> Iterator[str]:
        if lines:
            told = ", ".join(f"{line.verdict.id} {line.verdict.level.name}" for line in lines)
            if len(lines) > _NAMED:
                groups = Counter((line.verdict.group, line.verdict.level.name) for line in lines)
                told = ", ".join(f"{count} of {group} {level}" for (group, level), count in groups.items())
            yield from self.dim(f"and {len(lines)} that follow from it: {told}")

    def row(self, level: Level, name: str, words: str) -> Iterator[str]:
        first, *rest = self._broken(f"{name:<{self.width}}  {words}", _INDENT)
        yield f"{self.word(level)}  {first[len(_INDENT) :]}"
        yield from rest

    def word(self, level: Level) -> str:
        word = f"{level.name:<8}"
        return f"\x1b[{_COLOURS[level]}m{word}\x1b[0m" if self.colour else word

    def dim(self, text: str, indent: str = _INDENT) -> list[str]:
        lines = self._broken(text, indent)
        return [f"\x1b[2m{line}\x1b[0m" for line in lines] if self.colour else lines

    def _broken(self, text: str, indent: str) -> list[str]:
        """The text as it is when it fits, else broken between words and indented."""
        plain = indent + no_control(text)
        if not self.columns or len(plain) <= self.columns:
            return [plain]
        return textwrap.wrap(
            plain,
            max(self.columns, _NARROWEST),
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
