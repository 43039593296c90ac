"""Keeping acks: extended while their alert fires, ended with it, and never older than they may get."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from opsconsole.actions.ack import narrowing
from opsconsole.actions.base import Desk, Done, as_data
from opsconsole.actions.silence import expire, extend, set_back
from opsconsole.actions.writing import clock_words, moment, overwrite, subject_of
from opsconsole.errors import OpsError, Refused, SourceError, UsageError
from opsconsole.model.acks import AckPolicy, asks_again, is_mine, last_end
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase
from opsconsole.model.matchers import Matcher, match_all
from opsconsole.model.silences import Silence, ack_comment, ack_user
from opsconsole.text import safe

TOLD_AGAIN = 120.0
"""Seconds within which a new Alertmanager has been told of what fires: Prometheus says it again every minute."""

RETRY_SECONDS = 60.0
"""How long an ack is left alone after keeping it did not work."""


class AckKeeper:
    """Extends this user's acks while their alert fires, and ends them with it.

    This user's are those whose comment has their name and a nonce, wherever they were made. Someone else's ack is
    theirs. Of two on the same labels, both begun in this journal, the one begun last is kept: the other's write
    came after it had been given up and pressed again.
    """

    def __init__(self, desk: Desk, policy: AckPolicy) -> None:
        self._desk = desk
        self._policy = policy
        self._begun: dict[str, tuple[int, frozenset[str]]] = {}
        self._wait_until: dict[str, float] = {}

    async def keep(
        self, alerts: Iterable[Alert], silences: Iterable[Silence], *, whole: bool, extends: bool
    ) -> tuple[Outcome, ...]:
        """One look at fresh readings. Unless they are `whole` nothing is ended; unless it `extends`, someone else
        does. Raises JournalError."""
        desk = self._desk
        if desk.read_only:
            return ()
        firing = [alert for alert in alerts if not alert.pending]
        ours = [s for s in silences if s.status.state == "active" and is_mine(s, desk.user)]
        newest: dict[tuple[str, frozenset[Matcher]], int] = {}
        for silence in ours:
            newest[_place(silence)] = max(newest.get(_place(silence), 0), self._journalled(silence)[0])
        outcomes: list[Outcome] = []
        for silence in ours:
            now = desk.clock.monotonic()
            if now < self._wait_until.get(silence.id, 0.0):
                continue
            if 0 < self._journalled(silence)[0] < newest[_place(silence)]:
                again = "it came late, and its alert was acknowledged again"
                outcome: Outcome | None = await expire(desk, silence, because=again)
            else:
                outcome = await self._keep_one(silence, firing, whole=whole, extends=extends)
            if outcome is not None:
                self._wait_until[silence.id] = now + RETRY_SECONDS
                outcomes.append(outcome)
        return tuple(outcomes)

    async def _keep_one(
        self, silence: Silence, firing: list[Alert], *, whole: bool, extends: bool
    ) -> Outcome | None:
        desk, policy = self._desk, self._policy
        now = desk.now(desk.cluster(silence.cluster))
        if any(self._is_of(silence, alert) for alert in firing):
            until = min(now + policy.duration, last_end(silence, policy))
            wanted = silence.ends - now <= policy.within and until - silence.ends >= 1.0
            if not (extends and wanted) or asks_again(silence, now, policy):
                return None
            current = await self._as_it_is(silence)
            if current is None or current.ends - now > policy.within:
                return None  # another console, or kthxbye, was faster
            return await extend(desk, current, until, because="its alert still fires")
        if not (whole and await self._gone(silence)):
            return None
        current = await self._as_it_is(silence)
        return None if current is None else await expire(desk, current, because="its alert is gone")

    async def _as_it_is(self, silence: Silence) -> Silence | None:
        """The ack as it stands now; None when it has ended. What cannot be asked now is left as it was seen, so
        that trying says why it does not work."""
        try:
            cluster = self._desk.cluster(silence.cluster)
            current = await cluster.silence(silence.id)
        except OpsError:
            return silence
        if current is None or current.status.state != "active":
            return None
        return msgspec.structs.replace(current, cluster=cluster.name)

    async def _gone(self, silence: Silence) -> bool:
        """Whether Alertmanager, all of it, says now that the ack hides none of its alerts. A member that was
        started after the ack began may not have been told of them again yet."""
        try:
            cluster = self._desk.cluster(silence.cluster)
            reply = await cluster.alerts(narrowing(silence.matchers))
        except (SourceError, Refused):
            return False
        if reply.failures or any(self._is_of(silence, alert) for alert in reply.data):
            return False
        started = await cluster.started()
        told_again = self._desk.now(cluster) - started >= TOLD_AGAIN
        return told_again or started < silence.starts_at.timestamp()

    def _is_of(self, silence: Silence, alert: Alert) -> bool:
        """Whether an alert is one that was acknowledged: by fingerprint when the journal has it, else one that the
        ack hides."""
        same_cluster = not silence.cluster or not alert.cluster or silence.cluster == alert.cluster
        named = self._journalled(silence)[1]
        if not same_cluster or (named and alert.fingerprint not in named):
            return False
        try:
            return match_all(silence.matchers, alert.labels)
        except UsageError:
            return True  # not even RE2 can say that it does not

    def _journalled(self, silence: Silence) -> tuple[int, frozenset[str]]:
        """The place in our journal where an ack was begun, and the fingerprints that it is of; 0 and none when
        the journal does not have it."""
        op = silence.op
        if op not in self._begun:
            intents = [e for e in self._desk.journal.entries(op=op) if e.phase is Phase.INTENT]
            found = next((e for e in intents if e.action in {"ack", "undo"}), None)
            self._begun[op] = (0, frozenset()) if found is None else (found.seq, _fingerprints(found.detail))
        return self._begun[op]


async def ack_again(desk: Desk, silence: Silence, policy: AckPolicy) -> Outcome:
    """Make one's own ack young again: it is kept for another maximum age. Its id and its reason stay."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        current = await cluster.silence(silence.id)
        if current is None or current.status.state != "active":
            raise Refused("the ack has ended", hint="acknowledge the alert anew")
        if not is_mine(current, desk.user):
            raise Refused(f"it is the ack of {current.owner}")
        now = desk.now(cluster)
        comment = ack_comment(ack_user(desk.user), current.reason, current.op, again=now)
        ends_at = moment(max(now + policy.duration, current.ends))
        wanted = msgspec.structs.replace(current, ends_at=ends_at, comment=safe(comment))
        written = await overwrite(desk, cluster, current, wanted)
        made = written.silence
        return Done(
            message=safe(f"acknowledged again {subject_of(made)} until {clock_words(made.ends_at)}"),
            silence_id=made.id,
            detail={"silence_id": made.id, "cluster": cluster.name},
            undo=set_back(current, made),
            cluster=cluster.name,
            visible=written.visible,
        )

    return await desk.perform("ack-again", subject_of(silence), {"silence": as_data(silence)}, work)


def _fingerprints(detail: dict[str, object]) -> frozenset[str]:
    several = detail.get("fingerprints")
    if isinstance(several, list):
        return frozenset(str(one) for one in several)
    one = detail.get("fingerprint")
    return frozenset({one}) if isinstance(one, str) and one else frozenset()


def _place(silence: Silence) -> tuple[str, frozenset[Matcher]]:
    return silence.cluster, frozenset(silence.matchers)
