"""The verification report that is kept as evidence: who checked what and when, by section, and the decision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from opsconsole.model.report import Line, Report, by_group
from opsconsole.model.verdicts import Level, Measure, Range
from opsconsole.render.reports.words import counts, details, mark, no_control, notes, utc, with_unit

_PUNCTUATION = re.compile(r"[\\`*_\[\]#|~@$]|\.(?=\w)(?!\d)|:(?! |$)")
"""What could begin markup in the middle of a line, or make an address a link."""

_TITLES = {
    "sources": "Sources",
    "targets": "Targets",
    "metrics": "Metrics",
    "rules": "Rules",
    "alertmanager": "Alertmanager",
    "alerts": "Alerts",
    "thresholds": "Thresholds",
    "probes": "Probes",
    "flags": "Flags",
    "runbooks": "Runbooks",
}


def write(report: Report) -> str:
    """The report; its decision is SUCCESS only when all that counts is OK."""
    decision = "SUCCESS" if report.level is Level.OK else "INCOMPLETE"
    systems = ", ".join(_text(s) for s in report.systems) or _text(report.context)
    lines = [f"# Verification report: {systems}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _facts(report, decision)]
    lines.append("")
    for note in notes(report):
        lines += [f"> **Note:** {_text(note)}", ""]
    for group, members in by_group(report.lines):
        lines += _section(group, members)
    lines += _decision(report, decision)
    return "\n".join(lines) + "\n"


def _facts(report: Report, decision: str) -> Iterator[tuple[str, str]]:
    yield "Decision", f"**{decision}**"
    yield "Date", utc(report.began)
    yield "Operator", _text(report.operator) or "not named"
    yield "System version", _text(report.system_version) or "not named"
    environment = f", {_text(report.environment)}" if report.environment else ""
    yield "Context", f"{_text(report.context)}{environment}"
    for name, version in report.servers:
        yield _text(name), _text(version)
    yield "Verdict", f"{report.level.name}, {counts(report)}"
    yield "Made by", f"opsconsole {_text(report.program)} in {report.took:.2f} s"


def _section(group: str, members: Sequence[Line]) -> Iterator[str]:
    done = sum(line.verdict.level is Level.OK for line in members)
    title = _TITLES.get(group) or _text(group)
    yield f"## {title}: {done} of {len(members)} verified"
    yield ""
    yield "| done | verdict | check | finding | id |"
    yield "|---|---|---|---|---|"
    for line in members:
        yield _row(line)
    yield ""
    yield from _evidence(members)


def _row(line: Line) -> str:
    verdict = line.verdict
    done = "yes" if verdict.level is Level.OK else "**no**"
    remark = f" ({mark(line)})" if mark(line) else ""
    finding = _text(verdict.reason)
    if verdict.measure is not None and (bounds := _bounds(verdict.measure)):
        finding += f"; {_text(bounds)}"
    return f"| {done} | {verdict.level.name}{remark} | {_text(verdict.title)} | {finding} | {_cell(verdict.id)} |"


def _bounds(measure: Measure) -> str:
    """What is asked of a value, in words."""
    parts = [
        f"{name} {said}"
        for name, fine in (("warning", measure.warning), ("critical", measure.critical))
        if fine is not None and (said := _outside(fine, measure.unit))
    ]
    return ", ".join(parts)


def _outside(fine: Range, unit: str) -> str:
    ends = [("below", fine.low), ("above", fine.high)]
    return " or ".join(f"{side} {with_unit(end, unit)}" for side, end in ends if end is not None)


def _evidence(members: Sequence[Line]) -> Iterator[str]:
    told = [(line, details(line)) for line in members]
    for line, found in told:
        if found:
            yield f"Evidence of {_code(line.verdict.id)}:"
            yield ""
            yield from (f"- {_code(detail)}" for detail in found)
            yield ""


def _decision(report: Report, decision: str) -> Iterator[str]:
    yield "## Decision"
    yield ""
    open_ones = [
        line.verdict.id for _, lines in by_group(report.lines) for line in lines if line.counts is not Level.OK
    ]
    if decision == "SUCCESS":
        excused = f"; {len(report.excused)} that are not OK were told not to count" if report.excused else ""
        yield f"**SUCCESS**: all of {len(report.lines)} checks pass{excused}."
    elif not report.lines:
        yield "**INCOMPLETE**: nothing was checked."
    else:
        total = len(report.lines)
        yield f"**INCOMPLETE**: {len(open_ones)} of {total} checks are open. Do not go on before they are OK:"
        yield ""
        yield from (f"- [ ] {_code(id)}" for id in open_ones)
    yield ""
    yield "Signed: ______________________  Date: ______________________"


def _text(raw: str) -> str:
    """Text in which nothing is markup."""
    flat = " ".join(no_control(raw).split())
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _PUNCTUATION.sub(lambda found: f"\\{found.group()}", escaped)


def _code(raw: str) -> str:
    """A code span of anything: in more backticks than it holds in a row."""
    flat = " ".join(no_control(raw).split()) or " "
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _cell(raw: str) -> str:
    """A code span in a table, where a bar would end the cell even in code."""
    return _code(raw).replace("|", "\\|")
