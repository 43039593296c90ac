"""Two consoles that acknowledge one alert at the same moment: the one that began first has it.

Nobody can look and write at once. So each looks again once its own ack shows on every member that answers: of two
acks the later one sees the earlier one then at the latest, takes itself back, and says who was first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from opsconsole.actions.base import Cluster, Desk
from opsconsole.actions.writing import Written, clock_words, expire_now, settle
from opsconsole.errors import Ambiguous, OpsError, Refused, UsageError
from opsconsole.model.acks import is_mine
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import match_all
from opsconsole.model.silences import Silence
from opsconsole.text import safe


async def withdraw_unless_first(desk: Desk, cluster: Cluster, made: Written, alerts: Sequence[Alert]) -> None:
    """Take a new ack on these alerts back when somebody else's on one of them began before it.

    Raises Refused that says who was first, and Ambiguous when the new one could not be taken back.
    """

    async def standing() -> tuple[Silence, ...] | None:
        return (await cluster.silences()).data

    listed = await settle(desk, standing)
    ours = made.silence
    rival = earliest(_others(listed or (), ours, alerts))
    if rival is None or _order(rival) > _order(ours):
        return
    who = "you" if is_mine(rival, desk.user) else rival.owner
    names = ", ".join(dict.fromkeys(alert.name for alert in alerts))
    first = f"{names} was acknowledged first by {who}, until {clock_words(rival.ends_at)}"
    try:
        await expire_now(desk, cluster, ours)
    except OpsError as error:
        raise Ambiguous(
            f"{first}; yours, {safe(ours.id, 60)}, could not be taken back: {error.message}",
            hint="look at both under Silences",
        ) from error
    raise Refused(f"{first}, while yours was being written; yours was taken back", hint=safe(rival.reason, 200))


def earliest(acks: Iterable[Silence]) -> Silence | None:
    """The ack that has the alert: the one that began first. Everybody comes to the same answer."""
    return min(acks, key=_order, default=None)


def _order(silence: Silence) -> tuple[datetime, str]:
    return silence.starts_at, silence.id


def _others(listed: Iterable[Silence], ours: Silence, alerts: Sequence[Alert]) -> Iterable[Silence]:
    for silence in listed:
        if silence.is_ack and silence.status.state == "active" and silence.id != ours.id:
            try:
                if any(match_all(silence.matchers, alert.labels) for alert in alerts):
                    yield silence
            except UsageError:
                continue  # a matcher that RE2 refuses here cannot be one that silences the alert
