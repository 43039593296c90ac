"""A drill as text, JSON or Markdown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.drill.model import STEPS, Drill, FaultRun, Step, Target, missed
from opsconsole.model.verdicts import Level
from opsconsole.render.times import format_duration

VERSION = 1
"""Of the JSON report: a key that is taken away or means something else raises it."""


SCHEMA = Path(__file__).with_name("drill.schema.json")


def as_json(drill: Drill) -> str:
    """One JSON document of the shape of `drill.schema.json`."""
    report = {
        "version": VERSION,
        "verdict": drill.level.name,
        "system": drill.system,
        "operator": drill.operator,
        "opsconsole": drill.version,
        "began": _moment(drill),
        "seconds": round(drill.seconds, 1),
        "compress": drill.compress,
        "stopped": drill.stopped,
        "faults": [_run(run) for run in drill.runs],
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def as_text(drill: Drill) -> str:
    """A table: a line for each fault, then what missed its target."""
    names = ["fault", "alert", *STEPS]
    rows = [[run.fault, run.alert, *(_cell(run, name) for name in STEPS)] for run in drill.runs]
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
    lines = ["          " + "  ".join(_placed(names[i], widths[i], i) for i in range(len(names)))]
    for run, row in zip(drill.runs, rows, strict=True):
        cells = "  ".join(_placed(row[i], widths[i], i) for i in range(len(names)))
        lines.append(f"{run.level.name:<8}  {cells}".rstrip())
    lines += ["", *(f"{level.name:<8}  {words}" for level, words in _findings(drill))]
    lines.append(f"{drill.level.name:<8}  {_summary(drill)}")
    lines.append(f"          {_explained(drill)}")
    return "\n".join(lines) + "\n"


def as_markdown(drill: Drill) -> str:
    """The protocol of a drill: who, when, what was seen, what missed its target, and the decision."""
    decision = "PASSED" if drill.level is Level.OK else "NOT PASSED"
    lines = [
        f"# Incident drill: {_literal(drill.title)}",
        "",
        f"- Date: {_moment(drill)}",
        f"- Operator: {_literal(drill.operator)}",
        f"- opsconsole: {drill.version}",
        f"- Delays: {drill.compress:g} times shorter than the playbook's",
        f"- Decision: **{decision}**",
        "",
        "## Seconds since the fault",
        "",
        f"| verdict | fault | alert | {' | '.join(STEPS)} |",
        f"|---|---|---|{'---:|' * len(STEPS)}",
        *(
            f"| {run.level.name} | {_literal(run.fault)} | {_literal(run.alert)} | "
            f"{' | '.join(_literal(_cell(run, name)) for name in STEPS)} |"
            for run in drill.runs
        ),
        "",
        "## Findings",
        "",
        *([f"- {level.name}: {_literal(words)}" for level, words in _findings(drill)] or ["None."]),
        "",
        "## Against the playbook's targets",
        "",
        *(f"- {_literal(line)}" for line in _against(drill)),
        "",
        _literal(_explained(drill)),
    ]
    return "\n".join(lines) + "\n"


WRITERS = {"text": as_text, "json": as_json, "markdown": as_markdown}
"""The formats by name."""


def _run(run: FaultRun) -> dict[str, Any]:
    return {
        "fault": run.fault,
        "alert": run.alert,
        "severity": run.severity,
        "flag": run.flag,
        "verdict": run.level.name,
        "steps": [
            {
                "step": step.name,
                "verdict": step.level.name,
                "seconds": _round(step.seconds),
                "target": None if step.target is None else _target(step.target),
                "took": _round(step.took),
                "note": step.note,
            }
            for step in run.steps
        ],
    }


def _target(target: Target) -> dict[str, Any]:
    return {"since": target.since, "seconds": target.limit, "source": target.source}


def _cell(run: FaultRun, name: str) -> str:
    step = next((step for step in run.steps if step.name == name), None)
    if step is None:
        return "-"
    if step.seconds is None:
        return "never"
    return f"{step.seconds:.1f}s{'!' if step.level is Level.CRITICAL else ''}"


def _placed(text: str, width: int, column: int) -> str:
    return f"{text:<{width}}" if column < 2 else f"{text:>{width}}"


def _findings(drill: Drill) -> list[tuple[Level, str]]:
    """What was not seen or came too late, the worst first."""
    found = [
        (step.level, f"{run.fault}: {_finding(step)}")
        for run in drill.runs
        for step in run.steps
        if step.level is not Level.OK
    ]
    if drill.stopped:
        found.append((Level.UNKNOWN, f"stopped: {drill.stopped}"))
    return sorted(found, key=lambda one: one[0] is not Level.CRITICAL)


def _finding(step: Step) -> str:
    if step.seconds is None:
        return f"{step.name}: {step.note}"
    if step.target is None or step.took is None:
        return (
            f"{step.name} cannot be held against its target, {step.target.since if step.target else ''} not seen"
        )
    return f"{step.name} {_words(step.took)} after {step.target.since}, {_allowed(step.target)}"


def _allowed(target: Target) -> str:
    return f"the playbook's {target.source} is {format_duration(target.limit)}"


def _against(drill: Drill) -> list[str]:
    """The slowest of each target."""
    lines = []
    for name in STEPS:
        timed = [(s.took, run.fault, s.target) for run in drill.runs for s in run.steps if s.name == name]
        known = [(took, fault, target) for took, fault, target in timed if took is not None and target is not None]
        if known:
            took, fault, target = max(known, key=lambda one: one[0] / one[2].limit)
            lines.append(f"{name}: {_words(took)} after {target.since} at worst ({fault}), {_allowed(target)}")
    return lines


def _summary(drill: Drill) -> str:
    many = len(drill.runs)
    bad = missed(drill.runs)
    end = "every target met" if drill.level is Level.OK else f"{bad} step{'' if bad == 1 else 's'} missed"
    return f"{many} fault{'' if many == 1 else 's'} of {drill.system} in {drill.seconds:.0f}s: {end}"


def _explained(drill: Drill) -> str:
    return (
        f"Delays and range windows were {drill.compress:g} times shorter than the playbook's; "
        "polling, acknowledging and rolling back were not."
    )


def _words(seconds: float) -> str:
    return format_duration(round(seconds)) if seconds >= 10 else f"{seconds:.1f}s"


def _moment(drill: Drill) -> str:
    return datetime.fromtimestamp(drill.began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _literal(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+!|~&" else c for c in text.replace("\n", " "))
