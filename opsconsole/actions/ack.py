"""Acknowledge: a short silence on exactly one alert that says who has it, and that ends with the alert."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from opsconsole.actions.base import Cluster, Desk, Done
from opsconsole.actions.silence import SKEW, created, expire, extend
from opsconsole.actions.writing import clock_words, moment, post
from opsconsole.errors import Refused, SourceError, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase
from opsconsole.model.matchers import Matcher, Matchers, exact_matchers, match_all
from opsconsole.model.silences import Silence, ack_comment
from opsconsole.text import safe

ACK_SECONDS = 15 * 60.0
"""How long an ack lasts, and by how much it is extended: as karma and kthxbye do."""

EXTEND_WITHIN = 5 * 60.0
"""An ack that ends within this is extended while its alert fires."""

RETRY_SECONDS = 60.0
"""How long an ack is left alone after keeping it did not work."""

_FILTER_CHARACTERS = 2000
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


async def ack(desk: Desk, alert: Alert, reason: str) -> Outcome:
    """Acknowledge one alert for 15 minutes, unless it is gone or someone has it."""
    matchers = exact_matchers(alert.labels)

    async def work(op: str) -> Done:
        if alert.pending:
            hint = "Alertmanager has not seen it yet; there is nothing to silence until it fires"
            raise Refused(f"{alert.name} is pending and cannot be acknowledged", hint=hint)
        if not matchers:
            raise Refused("an alert without labels cannot be acknowledged")
        cluster = desk.cluster(alert.cluster)
        also = await _still_firing(cluster, alert, matchers)
        await _nobody_has_it(desk, cluster, alert)
        now = desk.now(cluster)
        silence = Silence(
            matchers=matchers,
            starts_at=moment(now - SKEW),
            ends_at=moment(now + ACK_SECONDS),
            created_by=safe(desk.user, 200),
            comment=safe(ack_comment(comment_user(desk.user), safe(reason.strip()) or "acknowledged", op)),
            cluster=cluster.name,
        )
        made = await post(desk, cluster, silence, op)
        words = f"acknowledged {alert.name} until {clock_words(made.silence.ends_at)}"
        if also:
            words += f"; it also hides {also} more with these labels and others"
        return created(made, words, op)

    detail = {
        "cluster": alert.cluster,
        "fingerprint": alert.fingerprint,
        "labels": alert.labels,
        "reason": reason,
    }
    return await desk.perform("ack", alert.name, detail, work)


async def _still_firing(cluster: Cluster, alert: Alert, matchers: Matchers) -> int:
    """Ask for the alert at this moment; gives how many others the matchers hide as well."""
    reply = await cluster.alerts(_narrowing(matchers))
    hidden = [found for found in reply.data if match_all(matchers, found.labels)]
    if not any(found.fingerprint == alert.fingerprint for found in hidden):
        hint = f"{len(reply.failures)} member(s) did not answer" if reply.failures else ""
        raise Refused(f"{alert.name} is gone: it resolved since you looked", hint=hint)
    return len(hidden) - 1


async def _nobody_has_it(desk: Desk, cluster: Cluster, alert: Alert) -> None:
    for silence in (await cluster.silences()).data:
        if not silence.is_ack or silence.status.state != "active":
            continue
        with suppress(UsageError):  # a matcher that RE2 refuses here cannot be one that silences the alert
            if match_all(silence.matchers, alert.labels):
                who = "you" if _is_mine(desk, silence) else silence.owner
                raise Refused(
                    f"{alert.name} was acknowledged first by {who}, until {clock_words(silence.ends_at)}",
                    hint=safe(silence.reason, 200),
                )


def _narrowing(matchers: Matchers) -> Matchers:
    """As many of the matchers as fit into a URL and every version of Alertmanager reads."""
    chosen, used = [], 0
    for matcher in sorted(matchers, key=lambda m: m.name != "alertname"):
        used += len(str(matcher).encode("utf-8", "replace"))
        if used > _FILTER_CHARACTERS:
            break
        if _CLASSIC_NAME.fullmatch(matcher.name) and matcher.value.isprintable():
            chosen.append(matcher)
    return tuple(chosen)


def comment_user(user: str) -> str:
    """The user as one word, so that the comment can be read back."""
    return re.sub(r"[\s:]+", "-", safe(user, 60)).strip("-") or "unknown"


def _is_mine(desk: Desk, silence: Silence) -> bool:
    return silence.owner == safe(comment_user(desk.user), 60)


class AckKeeper:
    """Extends our own acks while their alert fires, and ends them with it.

    Our own are those whose nonce is an ack's in our journal, made by this user. Someone else's ack is theirs.
    Of two of our own on the same labels the one begun last is kept: the other's write came after it had been
    given up and pressed again.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ours: dict[str, int] = {}
        self._wait_until: dict[str, float] = {}

    async def keep(self, alerts: Iterable[Alert], silences: Iterable[Silence]) -> tuple[Outcome, ...]:
        """One look. Both readings must be fresh and whole: an alert that is not in them counts as gone, once
        Alertmanager has said so again. Raises JournalError."""
        desk = self._desk
        if desk.read_only:
            return ()
        firing = [alert for alert in alerts if not alert.pending]
        ours = [s for s in silences if s.status.state == "active" and self._begun(s)]
        newest: dict[tuple[str, frozenset[Matcher]], int] = {}
        for silence in ours:
            newest[_place(silence)] = max(newest.get(_place(silence), 0), self._begun(silence))
        outcomes: list[Outcome] = []
        for silence in ours:
            now = desk.clock.monotonic()
            if now < self._wait_until.get(silence.id, 0.0):
                continue
            if self._begun(silence) < newest[_place(silence)]:
                again = "it came late, and its alert was acknowledged again"
                outcome: Outcome | None = await expire(desk, silence, because=again)
            else:
                outcome = await self._keep_one(silence, firing)
            if outcome is not None:
                self._wait_until[silence.id] = now + RETRY_SECONDS
                outcomes.append(outcome)
        return tuple(outcomes)

    async def _keep_one(self, silence: Silence, firing: list[Alert]) -> Outcome | None:
        now = self._desk.clock.now()
        if any(_covers(silence, alert) for alert in firing):
            if silence.ends - now > EXTEND_WITHIN:
                return None
            return await extend(self._desk, silence, now + ACK_SECONDS, because="its alert still fires")
        if not await self._gone(silence):
            return None
        return await expire(self._desk, silence, because="its alert is gone")

    async def _gone(self, silence: Silence) -> bool:
        """Whether Alertmanager, all of it, says now that the ack hides nothing."""
        try:
            reply = await self._desk.cluster(silence.cluster).alerts(_narrowing(silence.matchers))
        except (SourceError, Refused):
            return False
        return not reply.failures and not any(match_all(silence.matchers, a.labels) for a in reply.data)

    def _begun(self, silence: Silence) -> int:
        """The place in our journal where this ack of ours was begun, 0 when it is not ours."""
        op = silence.op
        if not silence.is_ack or not op or not _is_mine(self._desk, silence):
            return 0
        if op not in self._ours:
            begun = (e for e in self._desk.journal.entries(op=op) if e.phase is Phase.INTENT)
            self._ours[op] = next((e.seq for e in begun if e.action in {"ack", "undo"}), 0)
        return self._ours[op]


def _place(silence: Silence) -> tuple[str, frozenset[Matcher]]:
    return silence.cluster, frozenset(silence.matchers)


def _covers(silence: Silence, alert: Alert) -> bool:
    same_cluster = not silence.cluster or not alert.cluster or silence.cluster == alert.cluster
    return same_cluster and match_all(silence.matchers, alert.labels)
