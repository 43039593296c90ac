"""What is known of a flag's changes and of its rollback: pure, from a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.model import flagchanges
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.flagchanges import Proposal, propose
from opsconsole.model.flags import Capabilities, Flag, FlagChange, Swap
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.panels import PanelData, PanelState, headline_series
from opsconsole.model.playbook import Panel, Playbook
from opsconsole.model.recovery import Recovery, State
from opsconsole.model.severity import AlertState
from opsconsole.model.verdicts import Level
from opsconsole.render.times import ago, clock, span, when
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.panels.contents import Look

PATIENCE = 300.0
"""Seconds after a rollback from which on it has not recovered, instead of recovering still."""


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """The last rollback of a flag that was not restored. Times in seconds since the epoch; `verified` is
    None when reading back did not show it. `alert` are the labels of the worst alert that fired then, none when
    none did or nobody wrote it down."""

    written: float
    verified: float | None
    message: SafeText = trusted("")
    alert: Mapping[str, str] = {}


def worst_firing(snapshot: Snapshot) -> AlertRow | None:
    """The worst alert that is firing: one that nobody has, else one that somebody has."""
    rows = [row for row in snapshot.rows if row.counts]
    return next(iter(rows or [row for row in snapshot.rows if row.state is AlertState.ACKED]), None)


def noted(snapshot: Snapshot) -> dict[str, object]:
    """What the journal keeps of the present trouble with a rollback, so that its end can be seen."""
    worst = worst_firing(snapshot)
    if worst is None:
        return {}
    return {
        "alert": worst.alert.name,
        "fingerprint": worst.alert.fingerprint,
        "alert_labels": dict(worst.alert.labels),
    }


def proposed(snapshot: Snapshot, flag: Flag) -> Proposal:
    """Which rollback of the flag is proposed, from what is on the screen."""
    worst = worst_firing(snapshot)
    onset = worst.alert.since if worst is not None else None
    return propose(flag, snapshot.changes, able(snapshot), onset)


def able(snapshot: Snapshot) -> Capabilities:
    """What the provider can do; the least when nobody said."""
    flags = snapshot.flags.data if snapshot.flags is not None else None
    return (flags.capabilities if flags is not None else None) or Capabilities(swap=Swap.REREAD)


def flag_book(snapshot: Snapshot) -> Playbook | None:
    """The playbook whose panels and evidence are held against the changes: the one that knows the worst alert,
    else the first one that has such panels."""
    books = [book for book in snapshot.playbooks if book.flag_panels or book.evidence is not None]
    worst = next((row.alert.name for row in snapshot.rows if row.counts), "")
    return next((book for book in books if worst in book.alert_names), books[0] if books else None)


def last_change(snapshot: Snapshot, key: str) -> FlagChange | None:
    """The latest change of a flag; None when none was seen."""
    return flagchanges.last_change(snapshot.changes, key)


def suspicion(snapshot: Snapshot, key: str) -> tuple[float, SafeText]:
    """How soon before the onset of the worst alert that nobody has a flag changed, in seconds, and the words
    for it (`6m before HighErrorRate`). Infinity and "" when it did not change in the hour before."""
    worst = next((row for row in snapshot.rows if row.counts), None)
    if worst is None:
        return float("inf"), trusted("")
    soonest = flagchanges.nearest_before(snapshot.changes, key, worst.alert.since)
    if soonest is None:
        return float("inf"), trusted("")
    return soonest, safe(f"{ago(soonest)} before {worst.alert.name}")


def short_suspicion(snapshot: Snapshot, key: str) -> SafeText:
    """The words of `suspicion` without the alert's name."""
    apart, words = suspicion(snapshot, key)
    return safe(f"{ago(apart)} before") if words else words


def ordered(snapshot: Snapshot) -> list[Flag]:
    """The flags: the suspected first, the latest change first, then by name."""
    flags = snapshot.flags.data.flags if snapshot.flags is not None and snapshot.flags.data else ()
    worst = next((row for row in snapshot.rows if row.counts), None)
    onset = worst.alert.since if worst is not None else None
    return flagchanges.most_suspected_first(flags, snapshot.changes, onset)


def rollback_of(journal: Sequence[Entry], key: str) -> Rollback | None:
    """The last rollback of a flag that may stand: carried out, or not known, and not restored since."""
    restored = {
        entry.detail.get("undoes")
        for entry in journal
        if entry.action in {"restore", "undo"} and entry.result is Result.DONE
    }
    ends = {e.op: e for e in journal if e.phase is Phase.OUTCOME and e.action == "rollback"}
    starts = [
        e for e in journal if e.action == "rollback" and e.phase is Phase.INTENT and e.detail.get("key") == key
    ]
    for start in sorted(starts, key=lambda e: -e.seq):
        end = ends.get(start.op)
        if start.op in restored or (end is not None and end.result in {Result.REFUSED, Result.FAILED}):
            continue
        done = end is not None and end.result is Result.DONE
        labels = start.detail.get("alert_labels")
        return Rollback(
            alert={str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
            written=start.at,
            verified=end.at if done and end is not None else None,
            message=end.message if end is not None else trusted("no outcome yet"),
        )
    return None


def recovered_at(panel: Panel, data: PanelData | None, since: float) -> float | None:
    """When the panel's headline went back within its thresholds to stay there, after `since`; None while it
    has not."""
    after = since
    fresh = False
    for series in headline_series(panel, data) if data is not None else ():
        for time, value in zip(series.times, series.values, strict=True):
            if time < since:
                continue
            fresh = True
            bad = value != value or any(t.crossed(value) for t in panel.thresholds)
            if bad and time >= series.times[-1]:
                return None
            if bad:
                after = max(after, next(t for t in series.times if t > time))
    return after if fresh else None


def recovery(
    rollback: Rollback,
    told: Recovery | None,
    panel: Panel | None,
    data: PanelData | None,
    state: PanelState | None,
    now: float,
    look: Look,
) -> list[tuple[SafeText, str]]:
    """`written 03:14:02 · verified 03:14:03 · recovering…` as (text, style name) pieces: by what was `told` of the
    alert that was firing then, without one by the panel."""
    dot = f" {look.glyphs.dot} "
    pieces = [(trusted(f"written {clock(rollback.written, look.zone, seconds=True)}"), "plain")]
    if rollback.verified is None:
        return [*pieces, (safe(f"{dot}not verified: {rollback.message}"), "unknown")]
    pieces.append((trusted(f"{dot}verified {clock(rollback.verified, look.zone, seconds=True)}"), "plain"))
    if rollback.alert:
        found, what = told, f"{rollback.alert.get('alertname', 'the alert')}: "
    else:
        found, what = _by_panel(rollback.verified, panel, data, state), ""
    text, style = _recovered(found, what, now - rollback.verified, look)
    return [*pieces, (safe(f"{dot}{text}", 300), style)]


def _recovered(found: Recovery | None, what: str, since: float, look: Look) -> tuple[str, str]:
    if found is None:
        return f"recovering{look.glyphs.more}", "warning"
    why = f" ({what}{found.reason})" if found.reason else ""
    if found.state is State.UNKNOWN:
        return f"cannot tell: {what}{found.reason}", "unknown"
    if found.state is State.RECOVERED and found.at is not None:
        return f"recovered {clock(found.at, look.zone, seconds=True)}{f' ({what[:-2]})' if what else ''}", "ok"
    if since < PATIENCE:
        return f"recovering{look.glyphs.more}{why}", "warning"
    return f"not recovered after {span(since)}{why}", "critical"


def _by_panel(since: float, panel: Panel | None, data: PanelData | None, state: PanelState | None) -> Recovery:
    """The same as an alert's expression would tell, from the panel's thresholds."""
    if panel is None or state is None:
        return Recovery(state=State.UNKNOWN, reason=trusted("no panel"))
    if state.level is Level.UNKNOWN:
        return Recovery(state=State.UNKNOWN, reason=safe(state.reason, 300))
    if not panel.thresholds:
        return Recovery(state=State.UNKNOWN, reason=trusted("the panel has no thresholds"))
    back = recovered_at(panel, data, since)
    if state.level is Level.OK and back is not None:
        return Recovery(state=State.RECOVERED, at=back)
    return Recovery(state=State.NOT_YET)


def change_words(change: FlagChange | None, now: float, look: Look) -> SafeText:
    """When a flag changed, as exactly as that is known."""
    if change is None:
        return trusted("no change was seen since this journal began")
    who = f" by {change.who}" if change.who else " by this console" if change.ours else ""
    at = when(change.at, now, look.zone)
    if change.exact:
        return safe(f"{at}, {span(now - change.at)} ago{who}: {change.summary}")
    return safe(f"seen {at}, {span(now - change.at)} ago; it happened before that{who}: {change.summary}")
