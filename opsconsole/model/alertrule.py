"""From an alert to the rule behind it, its own series and its history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import quote
from opsconsole.model.rules import Rule, RuleAlert, RuleGroup
from opsconsole.model.series import QueryResult, Series

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


class AlertRule(msgspec.Struct, frozen=True):
    """The rule that made an alert, and the alert as Prometheus holds it; None when it does not any more."""

    rule: Rule
    held: RuleAlert | None = None


class Stretch(msgspec.Struct, frozen=True):
    """A time from `start` to `end` (seconds since the epoch) in which an alert was `state`."""

    state: str
    start: float
    end: float


def rule_of(alert: Alert, groups: Iterable[RuleGroup]) -> AlertRule | None:
    """The alerting rule of this name that holds this alert; else one whose own labels the alert carries."""
    return rule_by_labels(alert.labels, groups)


def rule_by_labels(labels: Mapping[str, str], groups: Iterable[RuleGroup]) -> AlertRule | None:
    """As `rule_of`, for an alert of which only the labels are known."""
    name = labels.get("alertname", "")
    rules = [rule for g in groups for rule in g.rules if rule.type == "alerting" and str(rule.name) == name]
    for rule in rules:
        for held in rule.alerts:
            # Alertmanager's alerts carry external labels on top of those that Prometheus holds.
            if held.labels.items() <= labels.items():
                return AlertRule(rule, held)
    for rule in rules:
        if all("{{" in value or labels.get(key) == value for key, value in rule.labels.items()):
            return AlertRule(rule)
    return None


def own_series(
    series: Sequence[Series], labels: Mapping[str, str], ignored: Iterable[str] = ()
) -> tuple[Series, ...]:
    """The series that agree with the alert in every label that both have, but for the `ignored` ones (which
    the rule sets)."""
    skip = {"__name__", *ignored}
    return tuple(
        s
        for s in series
        if all(labels.get(name, value) == value for name, value in s.labels.items() if name not in skip)
    )


def history_query(alert: Alert, found: AlertRule | None) -> str:
    """The query for an alert's states. Labels that only Alertmanager knows (external ones) may be missing in
    Prometheus: without the alert as Prometheus holds it, each label may be absent."""
    if found is not None and found.held is not None:
        parts = [f"{_label(name)}={quote(value)}" for name, value in sorted(found.held.labels.items())]
    else:
        name = alert.labels.get("alertname", "")
        rest = sorted((k, v) for k, v in alert.labels.items() if k != "alertname" and v)
        parts = [f"alertname={quote(name)}"]
        parts += [f"{_label(key)}=~{quote(_SPECIAL.sub(_escaped, value) + '|')}" for key, value in rest]
    return f"ALERTS{{{','.join(parts)}}}"


def _label(name: str) -> str:
    return name if _NAME.fullmatch(name) else quote(name)


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[1]


def stretches(result: QueryResult, step: float) -> tuple[Stretch, ...]:
    """The times in which `ALERTS` series were there, oldest first; points more than a step and a half apart
    belong to different times."""
    found: list[Stretch] = []
    for series in result.series:
        state = series.labels.get("alertstate", "firing")
        start = end = None
        for time in series.times:
            if start is None or end is None:
                start = end = time
            elif time - end <= 1.5 * step:
                end = time
            else:
                found.append(Stretch(state, start, end + step))
                start = end = time
        if start is not None and end is not None:
            found.append(Stretch(state, start, end + step))
    return tuple(sorted(found, key=lambda s: (s.start, s.state)))
