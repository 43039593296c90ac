"""One playbook as a text to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.cells import cell_len

from opsconsole.config.documents import Alert, alerts_of, read_document
from opsconsole.model.evidence_windows import Evidence
from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import GuardRule
from opsconsole.model.matchers import format_matchers
from opsconsole.model.oncall import SEATS, Duty, OnCall, on_duty
from opsconsole.model.playbook import Dashboard, Panel, Playbook, Probe, Threshold
from opsconsole.model.runbooks import runbook_for
from opsconsole.model.severity import severity_of
from opsconsole.render.times import format_duration
from opsconsole.text import safe, safe_block


def describe(playbook: Playbook, now: float) -> str:
    """Everything that a playbook and its rules say; `now` is seconds since the epoch."""
    duty = on_duty(playbook.oncall, now) if playbook.oncall is not None else None
    parts = [
        _head(playbook),
        *(_dashboard(dashboard) for dashboard in playbook.dashboards),
        _alerts(playbook),
        _probes(playbook),
        _on_call(playbook.oncall, duty, now) if playbook.oncall is not None else [],
        _escalation(playbook, duty),
        _evidence(playbook.evidence) if playbook.evidence is not None else [],
        _guard(playbook),
        _silences(playbook),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Rows of a table as lines, each column as wide as its widest cell."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def _head(playbook: Playbook) -> list[str]:
    jobs = [f"{safe(job.name)} ({count(job.instances, 'instance')})" for job in playbook.jobs]
    facts = [
        ("folder", safe(playbook.folder)),
        ("owner", playbook.owner),
        ("reviewed", playbook.reviewed),
        ("severities", ", ".join(playbook.severities)),
        ("jobs", ", ".join(jobs)),
        ("dead-man alert", safe(playbook.deadman, 80)),
        ("flag panel", playbook.flag_panel),
    ]
    return [f"{playbook.title} ({safe(playbook.system)})", *columns([fact for fact in facts if fact[1]], "  ")]


def _dashboard(dashboard: Dashboard) -> list[str]:
    lines = [f"Dashboard: {dashboard.title} ({dashboard.id}), asked every {format_duration(dashboard.refresh)}"]
    for group in dashboard.groups:
        lines.append(f"  {group.title}")
        for panel in group.panels:
            lines += [f"    {line}" for line in _panel(panel)]
    return lines


def _panel(panel: Panel) -> Iterator[str]:
    unit = "" if panel.unit == "none" else f", {panel.unit}"
    yield f"{panel.title} ({panel.id}): {panel.kind.value}{unit}, {format_duration(panel.window)}"
    for query in panel.queries:
        yield from _query(query.expr, query.legend)
    if panel.thresholds:
        yield "  " + "; ".join(map(_threshold, panel.thresholds))
    if panel.empty != "unknown":
        yield f"  an empty result means {panel.empty}"


def _query(expr: str, legend: str = "") -> Iterator[str]:
    head = f"  {legend}: " if legend else "  "
    for line in safe_block(expr).split("\n"):
        yield head + line.strip()
        head = " " * cell_len(head)


def _threshold(threshold: Threshold) -> str:
    bound = f"above {threshold.above:g}" if threshold.above is not None else f"below {threshold.below:g}"
    return f"{threshold.level.name.lower()} {bound}{_for(threshold.hold)}"


def _for(hold: float) -> str:
    return f" for {format_duration(hold)}" if hold else ""


def _alerts(playbook: Playbook) -> list[str]:
    alerts = alerts_of(read_document(Path(playbook.folder) / "rules.yaml"))
    if not alerts:
        return []
    ordered = sorted(alerts, key=lambda alert: severity_of(_labels(alert)))
    rows = [
        ("SEVERITY", "ALERT", "FOR", "ACKNOWLEDGE", "RESPOND", "PANEL", "RUNBOOK"),
        *(_alert(alert, playbook) for alert in ordered),
    ]
    return [f"Alerts ({len(alerts)})", *columns(rows, "  ")]


def _labels(alert: Alert) -> dict[str, str]:
    return {name: entry.text for name, entry in alert.labels.items()}


def _alert(alert: Alert, playbook: Playbook) -> tuple[str, ...]:
    severity = _labels(alert).get("severity", "")
    guide = playbook.alerts.get(alert.name)
    panel = alert.annotations.get("dashboard_panel")
    url = alert.annotations.get("runbook_url")
    book = runbook_for(playbook, alert.name, url.text if url is not None else "")
    return (
        safe(severity, 20) or "none",
        safe(alert.name, 80),
        safe(alert.hold.text, 20) if alert.hold is not None else "at once",
        _time(playbook.acknowledge.get(severity)),
        _time(playbook.response_time(alert.name, severity)),
        safe((guide.panel if guide is not None else "") or (panel.text if panel is not None else ""), 64) or "-",
        safe(_relative(book.path, playbook.folder)) if book is not None else "none",
    )


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(seconds)


def _relative(path: str, folder: str) -> str:
    there = Path(path)
    return str(there.relative_to(folder)) if there.is_relative_to(folder) else path


def _expected(probe: Probe) -> str:
    words = f"answers {probe.status} within {format_duration(probe.timeout)}"
    if probe.latency:
        words += f", warns after {probe.latency:g}s"
    return f"{words}, with `{safe(probe.contains, 60)}`" if probe.contains else words


def _probes(playbook: Playbook) -> list[str]:
    rows = [(probe.name, f"GET {safe(probe.url)}", _expected(probe)) for probe in playbook.probes]
    return ["Probes", *columns(rows, "  ")] if rows else []


def _on_call(oncall: OnCall, duty: Duty | None, now: float) -> list[str]:
    if duty is None:
        return [f"On call: nobody before {_moment(oncall.starts)}"]
    head = f"On call: turn {duty.number} of {len(oncall.turns)}, until {_moment(duty.end)}"
    seats = [(seat, duty.turn.role(seat)) for seat in SEATS if duty.turn.role(seat)]
    rows = [(seat, safe(role, 60), _about(oncall, role, now)) for seat, role in seats]
    return [head, *columns(rows, "  ")]


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _about(oncall: OnCall, name: str, now: float) -> str:
    role = oncall.roles.get(name)
    if role is None:
        return ""
    parts = [f"team {role.team}"] if role.team else []
    if role.time_zone:
        import zoneinfo

        local = datetime.fromtimestamp(now, zoneinfo.ZoneInfo(role.time_zone))
        parts.append(f"it is {local:%H:%M} in {role.time_zone}")
    return ", ".join(parts)


def _escalation(playbook: Playbook, duty: Duty | None) -> list[str]:
    rows = [
        (f"after {format_duration(step.after)}", ", ".join(_called(name, duty) for name in step.to), step.action)
        for step in playbook.escalation
    ]
    return ["Escalation", *columns(rows, "  ")] if rows else []


def _called(name: str, duty: Duty | None) -> str:
    """A role, or a seat with the role that has it now."""
    role = duty.turn.role(name) if duty is not None and name in SEATS else ""
    return f"{name} ({safe(role, 60)})" if role else safe(name, 60)


def _evidence(evidence: Evidence) -> list[str]:
    lines = ["Evidence: counted before and after the change of a flag"]
    for name, share in (("errors", evidence.errors), ("latency", evidence.latency)):
        if share is not None:
            shown = f", shown by {share.panel}" if share.panel else ""
            lines.append(f"  {name}: {share.title}{shown}")
            lines += [f"  {line}" for line in (*_query(share.bad, "bad"), *_query(share.all, "all"))]
    if evidence.evaluations:
        lines += ["  evaluations of the flag", *(f"  {line}" for line in _query(evidence.evaluations))]
    return lines


def _guard(playbook: Playbook) -> list[str]:
    guard = playbook.guard
    if guard is None:
        return []
    undo = guard.kind is RollbackKind.UNDO
    done = "the last change of a flag is undone" if undo else "flags are turned off"
    lines = [f"Guard: {done} when any of these holds"]
    for rule in guard.rules:
        lines += [f"  {rule.title} ({rule.id}): {_bound(rule)}", *(f"  {line}" for line in _query(rule.expr))]
        if rule.traffic:
            lines.append(f"    counts from {rule.min_traffic:g} requests/s")
            lines += [f"  {line}" for line in _query(rule.traffic)]
        if rule.alert:
            lines.append(f"    alert: {safe(rule.alert, 80)}")
    if guard.never:
        lines.append(f"  never: {', '.join(safe(flag, 80) for flag in guard.never)}")
    if guard.only:
        lines.append(f"  only: {', '.join(safe(flag, 80) for flag in guard.only)}")
    span = format_duration
    lines += [
        f"  asked every {span(guard.interval)}; {guard.samples} values in a row; clear at "
        f"{guard.clear_ratio * 100:g} % of the bound for {span(guard.clear_for)}",
        f"  flags changed up to {span(guard.look_back)} before, at most {count(guard.max_flags, 'flag')}, "
        f"{count(guard.max_actions, 'rollback')} an hour, each again after {span(guard.cooldown)}",
        f"  blind after {span(guard.blind_after)} without a value",
    ]
    return lines


def _bound(rule: GuardRule) -> str:
    unit = "" if rule.unit == "none" else f" {rule.unit}"
    bound = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
    return f"{bound}{unit}{_for(rule.hold)}"


def _silences(playbook: Playbook) -> list[str]:
    lines = ["Templates of silences"] if playbook.silences else []
    for template in playbook.silences:
        lines.append(f"  {template.title} ({template.name}): {format_duration(template.duration)}")
        lines.append(f"    {safe(format_matchers(template.matchers), 1000)}")
        lines.append(f"    {template.comment}")
    return lines


def count(number: int, what: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
