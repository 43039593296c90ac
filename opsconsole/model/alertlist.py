"""The alert list: what each alert is to the person on call, sorted, filtered and grouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matcher, match_all, parse_matchers
from opsconsole.model.severity import AlertState, Severity, severity_of
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe

_DULL = frozenset({"alertname", "severity", "priority"})


class AlertRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One alert as the list shows it.

    `silence` is the ack or silence that suppresses it; `deadline` is when the first response is due, seconds
    since the epoch, None when the playbook does not say or someone has it.
    """

    alert: Alert
    severity: Severity
    state: AlertState
    silence: Silence | None = None
    deadline: float | None = None

    @property
    def key(self) -> str:
        return self.alert.key

    @property
    def counts(self) -> bool:
        """Whether it is on fire and nobody has it."""
        return self.state is AlertState.ACTIVE


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of the list to show. `filter` is matcher syntax or plain words; `group_by` a label name or ""."""

    filter: str = ""
    show_suppressed: bool = True
    show_inhibited: bool = False
    show_pending: bool = True
    group_by: str = ""


Response = Callable[[str, str], float | None]


def build_rows(alerts: Iterable[Alert], silences: Mapping[str, Silence], response: Response) -> list[AlertRow]:
    """A row per alert, the most urgent first. `silences` are keyed by id; `response` gives seconds to the
    first response for an alertname and a severity word."""
    rows = [_row(alert, silences, response) for alert in alerts]
    rows.sort(key=_urgency)
    return rows


def _row(alert: Alert, silences: Mapping[str, Silence], response: Response) -> AlertRow:
    severity = severity_of(alert.labels)
    state, silence = state_of(alert, silences)
    deadline = None
    if state is AlertState.ACTIVE:
        allowed = response(alert.labels.get("alertname", ""), severity.word)
        deadline = None if allowed is None else alert.since + allowed
    return AlertRow(alert=alert, severity=severity, state=state, silence=silence, deadline=deadline)


def state_of(alert: Alert, silences: Mapping[str, Silence]) -> tuple[AlertState, Silence | None]:
    """Where an alert stands and the silence that says so. Of several, an ack is preferred, then the one
    that ends last; of several reasons, silenced before inhibited before muted."""
    status = alert.status
    if alert.pending:
        return AlertState.PENDING, None
    if status.silenced_by:
        by = [silences[i] for i in status.silenced_by if i in silences]
        if not by:
            return AlertState.SILENCED, None
        chosen = max(by, key=lambda s: (s.is_ack, s.ends_at))
        return (AlertState.ACKED if chosen.is_ack else AlertState.SILENCED), chosen
    if status.inhibited_by:
        return AlertState.INHIBITED, None
    if status.muted_by:
        return AlertState.MUTED, None
    return AlertState.ACTIVE, None


_STATE_RANK = {
    AlertState.ACTIVE: 0,
    AlertState.ACKED: 1,
    AlertState.SILENCED: 2,
    AlertState.MUTED: 3,
    AlertState.INHIBITED: 4,
    AlertState.PENDING: 5,
}


def _urgency(row: AlertRow) -> tuple[bool, int, int, float, str, str]:
    alert = row.alert
    return (
        row.state is AlertState.PENDING,
        row.severity,
        _STATE_RANK[row.state],
        alert.since,
        alert.labels.get("alertname", ""),
        alert.fingerprint,
    )


def compile_filter(text: str) -> Callable[[Mapping[str, str]], bool]:
    """A predicate over raw labels from matcher syntax or plain words.

    Text with a matcher operator (`=`, `!=`, `=~`, `!~`) is matchers and raises UsageError when it does not
    parse; anything else is words that must each occur, without regard to case, in some label value.
    """
    text = text.strip()
    if not text:
        return lambda labels: True
    if "=" in text or "!~" in text:
        matchers: tuple[Matcher, ...] = parse_matchers(text)
        return lambda labels: match_all(matchers, labels)
    words = text.lower().split()
    return lambda labels: all(any(w in v.lower() for v in labels.values()) for w in words)


def filter_rows(rows: Sequence[AlertRow], options: ListOptions) -> list[AlertRow]:
    """The rows that the options let through, in the same order; grouped rows stay together, groups in the
    order of their most urgent row. Raises UsageError for a filter that does not parse."""
    wanted = compile_filter(options.filter)
    hidden = set()
    if not options.show_suppressed:
        hidden |= {AlertState.ACKED, AlertState.SILENCED, AlertState.MUTED, AlertState.INHIBITED}
    if not options.show_inhibited:
        hidden.add(AlertState.INHIBITED)
    if not options.show_pending:
        hidden.add(AlertState.PENDING)
    kept = [row for row in rows if row.state not in hidden and wanted(row.alert.labels)]
    if options.group_by:
        order: dict[str, int] = {}
        for row in kept:
            order.setdefault(row.alert.labels.get(options.group_by, ""), len(order))
        kept.sort(key=lambda row: order[row.alert.labels.get(options.group_by, "")])
    return kept


def is_filter_valid(text: str) -> str:
    """The message that says why a filter does not parse; "" when it does."""
    try:
        compile_filter(text)
    except UsageError as error:
        return error.message
    return ""


def distinguishing(alert: Alert, shared: frozenset[tuple[str, str]], order: Sequence[str] = ()) -> SafeText:
    """The labels that tell this alert from others, as `route=/api pool=x`: those of `order`, then those that
    not all alerts of its name share. When that leaves none, all but its name and severity."""
    labels = alert.labels
    names = [n for n in order if n in labels]
    names += [n for n in sorted(labels) if n not in names and n not in _DULL and (n, labels[n]) not in shared]
    names = names or [n for n in sorted(labels) if n not in _DULL]
    return safe(" ".join(f"{n}={labels[n]}" for n in names), 200)


def shared_labels(alerts: Iterable[Alert]) -> dict[str, frozenset[tuple[str, str]]]:
    """For each alertname, the label pairs that all its alerts carry."""
    counts: dict[str, Counter[tuple[str, str]]] = {}
    totals: Counter[str] = Counter()
    for alert in alerts:
        name = alert.labels.get("alertname", "")
        totals[name] += 1
        counts.setdefault(name, Counter()).update(alert.labels.items())
    return {
        name: frozenset(pair for pair, n in counter.items() if n == totals[name])
        for name, counter in counts.items()
    }


def worst_severity(rows: Iterable[AlertRow]) -> Severity | None:
    """The worst severity among the rows that count; None when nothing does."""
    return min((row.severity for row in rows if row.counts), default=None)
