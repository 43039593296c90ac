"""For programs. The shape is that of `check.schema.json`; a new version of it gets a new `version`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.model.report import Line, Report
from opsconsole.model.verdicts import Measure, Range
from opsconsole.render.reports.words import utc

VERSION = 1
SCHEMA = Path(__file__).with_name("check.schema.json")


def write(report: Report, *, compact: bool = False) -> str:
    """The report, on one line when `compact`."""
    body = msgspec.json.encode(_report(report))
    text = (body if compact else msgspec.json.format(body)).decode()
    return _ODD.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"


def schema() -> str:
    """The JSON Schema of the report."""
    return SCHEMA.read_text(encoding="utf-8")


_ODD = re.compile(r"[\x7f-\x9f\u2028\u2029]")


def _report(report: Report) -> dict[str, Any]:
    baseline = report.baseline
    return {
        "version": VERSION,
        "verdict": report.level.name,
        "time": utc(report.began),
        "duration": round(report.took, 6),
        "program": f"opsconsole {report.program}",
        "context": report.context,
        "only": report.only,
        "skip": report.skip,
        "unknown_as": report.unknown_as.name if report.unknown_as is not None else None,
        "baseline": {"source": baseline.source, "time": baseline.time} if baseline is not None else None,
        "checks": [_check(line) for line in report.lines],
    }


def _check(line: Line) -> dict[str, Any]:
    verdict = line.verdict
    return {
        "id": verdict.id,
        "group": verdict.group,
        "title": verdict.title,
        "verdict": verdict.level.name,
        "counts_as": line.counts.name,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
        "hint": verdict.hint,
        "duration": round(verdict.duration, 6),
        "because": verdict.because or None,
        "measure": _measure(verdict.measure) if verdict.measure is not None else None,
        "before": line.before.name if line.before is not None else None,
        "change": line.change.value if line.change is not None else None,
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "value": _finite(measure.value),
        "unit": measure.unit,
        "warning": _range(measure.warning),
        "critical": _range(measure.critical),
    }


def _range(fine: Range | None) -> dict[str, Any] | None:
    return None if fine is None else {"low": _finite(fine.low), "high": _finite(fine.high)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
