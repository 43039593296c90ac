"""Writing a playbook out as the `playbook.yaml` that loads as the same playbook."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from opsconsole.errors import UsageError
from opsconsole.golden.yamltext import Raw, Tree, duration, number, yaml_lines
from opsconsole.model.evidence_windows import Evidence, Share
from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import Guard, GuardRule
from opsconsole.model.oncall import SEATS, OnCall
from opsconsole.model.playbook import AlertGuide, Dashboard, JobSpec, Panel, Playbook, Probe, Threshold
from opsconsole.model.silence_templates import SilenceTemplate
from opsconsole.text import safe

FILE = "playbook.yaml"

HEAD = """\
# Recognised by opsconsole from what Prometheus had, for you to edit: take away what nobody looks at, give the
# rest titles and thresholds that you know. What alerts goes into rules.yaml, what to do into runbooks/*.md.
"""


def write_playbook(folder: Path, name: str, playbook: Playbook) -> None:
    """Write `folder`/playbook.yaml for the system `name`. Makes the folder; never replaces a file. Raises
    UsageError."""
    file = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(HEAD + playbook_text(msgspec.structs.replace(playbook, system=name)))
    except FileExistsError:
        raise UsageError(f"{safe(str(file))} is there already", hint="name another folder") from None
    except OSError as error:
        raise UsageError(f"cannot write {safe(str(file))}: {error.strerror}") from error


def playbook_text(playbook: Playbook) -> str:
    """The playbook as YAML. Rules and runbooks are files of their own and are not in it."""
    tree: dict[str, Tree] = {
        "system": playbook.system,
        "title": playbook.title if playbook.title != playbook.system else None,
        "owner": playbook.owner or None,
        "reviewed": Raw(playbook.reviewed) if playbook.reviewed else None,
        "severities": list(playbook.severities) or None,
        "prometheus": _needs(playbook),
        "deadman": playbook.deadman or None,
        "jobs": [_job(job) for job in playbook.jobs] or None,
        "response": {word: duration(seconds) for word, seconds in playbook.response.items()} or None,
        "acknowledge": {word: duration(seconds) for word, seconds in playbook.acknowledge.items()} or None,
        "flag_panel": playbook.flag_panel or None,
        "alerts": {name: _alert(guide) for name, guide in playbook.alerts.items()} or None,
        "probes": [_probe(probe) for probe in playbook.probes] or None,
        "silences": [_template(template) for template in playbook.silences] or None,
        "oncall": _oncall(playbook.oncall) if playbook.oncall is not None else None,
        "escalation": [
            {"after": duration(step.after), "to": list(step.to), "action": step.action}
            for step in playbook.escalation
        ]
        or None,
        "evidence": _evidence(playbook.evidence) if playbook.evidence is not None else None,
        "guard": _guard(playbook.guard) if playbook.guard is not None else None,
        "dashboards": [_dashboard(dashboard) for dashboard in playbook.dashboards] or None,
    }
    return "\n".join(yaml_lines(tree)) + "\n"


def _needs(playbook: Playbook) -> Tree:
    if not playbook.retention and not playbook.strict:
        return None
    return {
        "retention": duration(playbook.retention) if playbook.retention else None,
        "strict": Raw("true") if playbook.strict else None,
    }


def _job(job: JobSpec) -> Tree:
    return {
        "name": job.name,
        "instances": Raw(str(job.instances)),
        "interval": duration(job.interval) if job.interval else None,
    }


def _probe(probe: Probe) -> Tree:
    return {
        "name": probe.name,
        "url": probe.url,
        "status": Raw(str(probe.status)),
        "timeout": duration(probe.timeout),
        "latency": duration(probe.latency) if probe.latency else None,
        "contains": probe.contains or None,
    }


def _template(template: SilenceTemplate) -> Tree:
    return {
        "name": template.name,
        "title": template.title,
        "duration": duration(template.duration),
        "comment": template.comment,
        "matchers": [str(matcher) for matcher in template.matchers],
    }


def _alert(guide: AlertGuide) -> Tree:
    return {
        "response": duration(guide.response) if guide.response else None,
        "panel": guide.panel or None,
        "distinguish": list(guide.distinguish) or None,
    }


def _dashboard(dashboard: Dashboard) -> Tree:
    return {
        "id": dashboard.id,
        "title": dashboard.title,
        "refresh": duration(dashboard.refresh),
        "groups": [
            {"title": group.title, "panels": [_panel(panel) for panel in group.panels]}
            for group in dashboard.groups
        ],
    }


def _panel(panel: Panel) -> Tree:
    return {
        "id": panel.id,
        "title": panel.title,
        "kind": panel.kind.value,
        "unit": panel.unit if panel.unit != "none" else None,
        "range": duration(panel.window) if panel.window != 3600.0 else None,
        "headline": panel.headline or None,
        "min": number(panel.minimum) if panel.minimum is not None else None,
        "max": number(panel.maximum) if panel.maximum is not None else None,
        "top": Raw(str(panel.top)) if panel.top != 10 else None,
        "empty": panel.empty if panel.empty != "unknown" else None,
        "queries": [{"legend": query.legend or None, "expr": query.expr} for query in panel.queries],
        "thresholds": [_threshold(threshold) for threshold in panel.thresholds] or None,
    }


def _threshold(threshold: Threshold) -> Tree:
    return {
        "level": threshold.level.name.lower(),
        "above": number(threshold.above) if threshold.above is not None else None,
        "below": number(threshold.below) if threshold.below is not None else None,
        "for": duration(threshold.hold) if threshold.hold else None,
    }


def _oncall(oncall: OnCall) -> Tree:
    return {
        "length": duration(oncall.length),
        "starts": Raw(datetime.fromtimestamp(oncall.starts, UTC).date().isoformat()),
        "turns": [{seat: turn.role(seat) or None for seat in SEATS} for turn in oncall.turns],
        "roles": {
            name: {"team": role.team or None, "time_zone": role.time_zone or None}
            for name, role in oncall.roles.items()
        },
    }


def _evidence(evidence: Evidence) -> Tree:
    return {
        "errors": _share(evidence.errors) if evidence.errors is not None else None,
        "latency": _share(evidence.latency) if evidence.latency is not None else None,
        "evaluations": evidence.evaluations or None,
    }


def _share(share: Share) -> Tree:
    return {"panel": share.panel or None, "title": share.title, "bad": share.bad, "all": share.all}


def _guard(guard: Guard) -> Tree:
    usual = Guard()
    spans = ("interval", "clear_for", "look_back", "cooldown", "blind_after")
    counts = ("samples", "max_flags", "max_actions")
    return {
        "never": list(guard.never) or None,
        "only": list(guard.only) or None,
        "kind": "undo" if guard.kind is RollbackKind.UNDO else None,
        **{name: duration(getattr(guard, name)) for name in spans if getattr(guard, name) != getattr(usual, name)},
        **{name: Raw(getattr(guard, name)) for name in counts if getattr(guard, name) != getattr(usual, name)},
        "clear_ratio": number(guard.clear_ratio) if guard.clear_ratio != usual.clear_ratio else None,
        "rules": [_guard_rule(rule) for rule in guard.rules],
    }


def _guard_rule(rule: GuardRule) -> Tree:
    return {
        "id": rule.id,
        "title": rule.title,
        "expr": rule.expr,
        "above": number(rule.above) if rule.above is not None else None,
        "below": number(rule.below) if rule.below is not None else None,
        "for": duration(rule.hold) if rule.hold else None,
        "unit": rule.unit if rule.unit != "none" else None,
        "traffic": rule.traffic or None,
        "min_traffic": number(rule.min_traffic) if rule.traffic else None,
        "alert": rule.alert or None,
    }
