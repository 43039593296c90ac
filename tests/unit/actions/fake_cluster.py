"""An Alertmanager cluster in memory, with faults: for what a real one cannot be made to do on demand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from opsconsole.clock import ManualClock
from opsconsole.errors import SourceError, Unreachable
from opsconsole.model.alerts import Alert, AlertStatus, fingerprint_of
from opsconsole.model.matchers import Matcher, match_all
from opsconsole.model.members import MemberSilence
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.text import SafeText, trusted

T = TypeVar("T")


class FakeReply(msgspec.Struct, Generic[T]):
    data: T
    failures: tuple[object, ...] = ()


class FakeCluster:
    """Follows Alertmanager's rules for silences. `before` and `after` hold errors to raise before or after a
    method (by name) has done its work, one per call."""

    def __init__(self, clock: ManualClock, name: str = "main") -> None:
        self.name = name
        self.clock = clock
        self.firing: dict[str, Alert] = {}
        self.kept: dict[str, Silence] = {}
        self.before: dict[str, list[SourceError]] = {}
        self.after: dict[str, list[SourceError]] = {}
        self.calls: list[str] = []
        self.started_at = 0.0
        self.failures: tuple[object, ...] = ()
        self.new_id_on_update = False
        self.forgets_expiry = False
        self.skew = 0.0
        self.members: tuple[SafeText, ...] = (trusted("http://am"),)
        self.silent: set[str] = set()
        self.behind: dict[str, dict[str, Silence | None]] = {}
        self._ids = itertools.count(1)

    def fire(self, **labels: str) -> Alert:
        alert = Alert(fingerprint=fingerprint_of(labels), labels=labels, cluster=self.name)
        self.firing[alert.fingerprint] = alert
        return alert

    def resolve(self, alert: Alert) -> None:
        del self.firing[alert.fingerprint]

    def state_of(self, silence: Silence) -> str:
        now = self.clock.now() + self.skew
        if silence.ends <= now:
            return "expired"
        return "pending" if silence.starts_at.timestamp() > now else "active"

    def stands(self, silence: Silence) -> Silence:
        return msgspec.structs.replace(silence, status=SilenceStatus(self.state_of(silence)), cluster=self.name)

    def standing(self, state: str = "active") -> list[Silence]:
        return [s for s in map(self.stands, self.kept.values()) if s.status.state == state]

    def _fault(self, when: dict[str, list[SourceError]], name: str) -> None:
        if when.get(name):
            raise when[name].pop(0)

    async def alerts(self, filters: Sequence[Matcher] = ()) -> FakeReply[tuple[Alert, ...]]:
        self.calls.append("alerts")
        self._fault(self.before, "alerts")
        found = []
        for alert in self.firing.values():
            if match_all(filters, alert.labels):
                by = tuple(s.id for s in self.standing() if match_all(s.matchers, alert.labels))
                status = AlertStatus("suppressed" if by else "active", by)
                found.append(msgspec.structs.replace(alert, status=status))
        return FakeReply(tuple(found), self.failures)

    async def silences(self) -> FakeReply[tuple[Silence, ...]]:
        self.calls.append("silences")
        self._fault(self.before, "silences")
        return FakeReply(tuple(self.stands(s) for s in self.kept.values()), self.failures)

    async def silence(self, id: str) -> Silence | None:
        self.calls.append("silence")
        self._fault(self.before, "silence")
        return self.stands(self.kept[id]) if id in self.kept else None

    async def started(self) -> float:
        return self.started_at

    async def silence_members(self, id: str) -> tuple[MemberSilence, ...]:
        """The answers of `members`: those in `silent` do not answer, those in `behind` know what they say there.
        An error for `silence` is everybody's."""
        self.calls.append("silence_members")
        try:
            self._fault(self.before, "silence")
        except SourceError as error:
            return tuple(MemberSilence(url=url, error=error) for url in self.members)
        found = self.stands(self.kept[id]) if id in self.kept else None
        return tuple(
            MemberSilence(url=url, error=lost(Unreachable, sent=False))
            if url in self.silent
            else MemberSilence(url=url, silence=self.behind.get(url, {}).get(id, found))
            for url in self.members
        )

    async def post_silence(self, silence: Silence) -> str:
        self.calls.append("post_silence")
        self._fault(self.before, "post_silence")
        identity = silence.id
        ended = bool(identity) and self.state_of(self.kept[identity]) == "expired"
        silence = msgspec.structs.replace(silence, updated_at=self._now())
        if not identity or ended or self.new_id_on_update:
            if identity and not ended:
                self._end(identity)
            identity = f"id-{next(self._ids)}"
            starts = max(silence.starts_at, self._now())
            silence = msgspec.structs.replace(silence, id=identity, starts_at=starts)
        self.kept[identity] = silence
        self._fault(self.after, "post_silence")
        return identity

    async def expire_silence(self, id: str) -> None:
        self.calls.append("expire_silence")
        self._fault(self.before, "expire_silence")
        if not self.forgets_expiry:
            self._end(id)
        self._fault(self.after, "expire_silence")

    def _end(self, id: str) -> None:
        now = self._now()
        self.kept[id] = msgspec.structs.replace(self.kept[id], ends_at=now, updated_at=now)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now() + self.skew, UTC)


def lost(kind: type[SourceError], sent: bool = True) -> Any:
    error = kind("no answer within 10 s", where="http://am")
    error.sent = sent
    return error
