"""Which alerts can be acknowledged, whose ack can be made young again, and telling that one asks for it."""

from __future__ import annotations

from opsconsole.model.acks import AckMark, age, is_mine
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.severity import AlertState
from opsconsole.model.silences import Silence
from opsconsole.render.times import left, span
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted


def ackable(row: AlertRow) -> bool:
    """Whether it fires and nobody has it."""
    return row.state not in (AlertState.PENDING, AlertState.ACKED)


def own_ack(snapshot: Snapshot, row: AlertRow) -> bool:
    """Whether an alert has an ack of this user."""
    silence = row.silence if row.state is AlertState.ACKED else None
    return silence is not None and is_mine(silence, snapshot.context.user)


def renewable(snapshot: Snapshot, row: AlertRow) -> bool:
    """Whether an alert has an ack of this user that is stale or asks again."""
    return own_ack(snapshot, row) and snapshot.mark_of(row.silence) is not AckMark.NONE


def same_name(row: AlertRow, other: AlertRow) -> bool:
    """Whether two alerts have the same name in the same cluster."""
    first, second = row.alert, other.alert
    same = first.labels.get("alertname", "") == second.labels.get("alertname", "")
    return same and first.cluster == second.cluster


class Asking:
    """Tells once of each ack that asks to be acknowledged again."""

    def __init__(self) -> None:
        self._told: frozenset[tuple[str, float]] = frozenset()

    def look(self, snapshot: Snapshot) -> SafeText:
        """What is new to tell, "" for nothing. An ack that hides no alert is about to end with it."""
        asking = {
            (row.silence.id, row.silence.again): row
            for row in snapshot.rows
            if row.silence is not None and snapshot.mark_of(row.silence) is AckMark.ASKS
        }
        new = [row for key, row in asking.items() if key not in self._told]
        self._told = frozenset(asking)
        if not new:
            return trusted("")
        first = new[0].silence
        assert first is not None
        if len(new) > 1:
            return safe(f"{len(new)} of your acks ask again and are not extended: press a on each.", 400)
        words = _ended(new[0].alert.name, first, snapshot.now_at(first.cluster))
        return safe(f"{words} Press a on it to acknowledge it again.", 400)


def _ended(name: SafeText, silence: Silence, now: float) -> str:
    return f"Your ack of {name} is {span(age(silence, now))} old and ends in {left(silence.ends - now)}."
