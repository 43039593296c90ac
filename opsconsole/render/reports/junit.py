"""JUnit XML for CI: a suite for each group, a case for each check. What is UNKNOWN is an error, what is WARNING or
CRITICAL a failure, what does not count is skipped with the reason why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opsconsole.model.report import Line, Report, by_group
from opsconsole.model.verdicts import Level
from opsconsole.render.reports.words import details, mark, no_control, notes, utc

_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
)


def write(report: Report) -> str:
    """The report as an XML document."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites{_attributes(name='opsconsole check', **_totals(report.lines, report.took))}>")
    for number, (group, members) in enumerate(by_group(report.lines)):
        lines += _suite(number, group, members, report)
    if not report.lines:
        lines += _nothing(report)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def outcome(line: Line) -> str:
    """`failure`, `error`, `skipped`, or "" for what is fine."""
    if line.counts is Level.OK:
        return "" if line.verdict.level is Level.OK else "skipped"
    return "error" if line.counts is Level.UNKNOWN else "failure"


def _suite(number: int, group: str, members: Sequence[Line], report: Report) -> Iterator[str]:
    took = max((line.verdict.duration for line in members), default=0.0)
    skipped = sum(outcome(line) == "skipped" for line in members)
    head = _attributes(
        id=str(number),
        name=group,
        package="opsconsole",
        timestamp=utc(report.began).removesuffix("Z"),
        hostname=report.context or "unnamed",
        **_totals(members, took),
        skipped=str(skipped),
    )
    yield f"  <testsuite{head}>"
    yield "    <properties>"
    yield f"      <property{_attributes(name='verdict', value=report.level.name)}/>"
    for note in notes(report):
        yield f"      <property{_attributes(name='note', value=note)}/>"
    yield "    </properties>"
    for line in members:
        yield from _case(line)
    yield "    <system-out/>"
    yield "    <system-err/>"
    yield "  </testsuite>"


def _case(line: Line) -> Iterator[str]:
    verdict, kind = line.verdict, outcome(line)
    seconds = f"{verdict.duration:.3f}"
    head = _attributes(classname=f"opsconsole.{verdict.group}", name=verdict.id, time=seconds)
    if not kind:
        yield f"    <testcase{head}/>"
        return
    said = f"{verdict.level.name}: {verdict.reason}" + (f" ({mark(line)})" if mark(line) else "")
    yield f"    <testcase{head}>"
    if kind == "skipped":
        yield f"      <skipped{_attributes(message=said)}/>"
    else:
        body = _escaped("\n".join([verdict.title, said, *details(line)])).replace("&#10;", "\n")
        yield f"      <{kind}{_attributes(type=verdict.level.name, message=said)}>{body}</{kind}>"
    yield "    </testcase>"


def _nothing(report: Report) -> Iterator[str]:
    head = _attributes(
        id="0",
        name="opsconsole",
        package="opsconsole",
        timestamp=utc(report.began).removesuffix("Z"),
        hostname=report.context or "unnamed",
        **_totals((), report.took),
    )
    yield f"  <testsuite{head}>"
    yield f"    <testcase{_attributes(classname='opsconsole', name='anything', time='0.000')}>"
    yield f"      <error{_attributes(type='UNKNOWN', message='nothing was checked')}/>"
    yield "    </testcase>"
    yield "  </testsuite>"


def _totals(lines: Sequence[Line], took: float) -> dict[str, str]:
    kinds = [outcome(line) for line in lines]
    return {
        "tests": str(len(kinds) or 1),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error") if kinds else 1),
        "time": f"{took:.3f}",
    }


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(text: str) -> str:
    return no_control(text).translate(_ENTITIES)
