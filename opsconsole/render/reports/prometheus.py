"""Metrics for the node exporter's textfile collector: what of this console is worth an alert of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from opsconsole.model.report import Line, Report
from opsconsole.render.reports.words import no_control


def write(report: Report) -> str:
    """The report in the text exposition format. Every series has the context, so that the files of several
    contexts do not clash."""
    context = _labels(context=report.context)
    families = (
        *_of_run(report, context),
        ("opsconsole_check", "Verdict of a check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.", _levels(report)),
        (
            "opsconsole_check_duration_seconds",
            "Seconds that a check took: its slowest question and judging the answers.",
            _durations(report),
        ),
        (
            "opsconsole_check_value",
            "The number behind a check, in the unit of its panel; NaN when it is not known.",
            _values(report),
        ),
    )
    lines: list[str] = []
    for name, help, samples in families:
        rows = [f"{name}{labels} {value}" for labels, value in samples]
        if rows:
            lines += [f"# HELP {name} {help}", f"# TYPE {name} gauge", *rows]
    return "\n".join(lines) + "\n"


Samples = Iterator[tuple[str, str]]


def _of_run(report: Report, context: str) -> Iterator[tuple[str, str, Samples]]:
    yield (
        "opsconsole_check_overall",
        "Worst of what counts in the last run: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
        iter([(context, str(int(report.level)))]),
    )
    yield (
        "opsconsole_check_last_run_timestamp_seconds",
        "When the last run began, seconds since the epoch.",
        iter([(context, f"{report.began:.3f}")]),
    )
    yield (
        "opsconsole_check_run_duration_seconds",
        "Seconds that the last run took.",
        iter([(context, f"{report.took:.6f}")]),
    )


def _levels(report: Report) -> Samples:
    for line in report.lines:
        yield _of(line, report), str(int(line.verdict.level))


def _durations(report: Report) -> Samples:
    for line in report.lines:
        yield _of(line, report), f"{line.verdict.duration:.6f}"


def _values(report: Report) -> Samples:
    for line in report.lines:
        measure = line.verdict.measure
        if measure is not None:
            value = measure.value
            yield _of(line, report), repr(float(value)) if value is not None and math.isfinite(value) else "NaN"


def _of(line: Line, report: Report) -> str:
    return _labels(context=report.context, group=line.verdict.group, id=line.verdict.id)


def _labels(**values: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


def _escaped(value: str) -> str:
    return no_control(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
