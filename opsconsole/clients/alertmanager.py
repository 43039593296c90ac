"""Alertmanager's HTTP API, version 2, for one gossip cluster: read every member, write to one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from opsconsole.clients.decode import decode, decode_alerts, off_loop
from opsconsole.clients.members import (
    GROUPS,
    RECEIVERS,
    SILENCE,
    SILENCE_ID,
    SILENCES,
    STATUS,
    decoded_groups,
    member_status,
    merge_groups,
    silence_body,
    worst,
)
from opsconsole.clients.together import answers_of
from opsconsole.clients.transport import MIB, Transport
from opsconsole.errors import BadQuery, BadReply, SourceError, Unreachable
from opsconsole.model.alerts import Alert, AlertGroup, merge_members
from opsconsole.model.matchers import Matcher
from opsconsole.model.members import MemberSilence, MemberSilences
from opsconsole.model.notifications import Notifications, notifications, read_metrics
from opsconsole.model.rules import MemberStatus
from opsconsole.model.silences import Silence, merge_silences, sanitise_silence
from opsconsole.text import SafeText, safe

T = TypeVar("T")

ALERTS_LIMIT = 64 * MIB
ALERTS_DEADLINE = 15.0
"""Seconds for alert lists: the first one after a silence changed re-evaluates every alert."""


LOOK_DEADLINE = 5.0
"""Seconds that a member has to say whether it has one silence: whoever wrote it waits."""

SKEW_NOISE = 2.0
"""Seconds of skew that count as none: the `Date` header has whole seconds, and the reply took its time."""

METRICS_LIMIT = 8 * MIB
"""Bytes of a member's `/metrics` that are read."""


class ClusterReply(msgspec.Struct, Generic[T], frozen=True):
    """What the members that answered know together, and the (URL, error) of those that did not. `members` are
    the lists of those that answered, for silences only."""

    data: T
    failures: tuple[tuple[str, SourceError], ...] = ()
    members: tuple[MemberSilences, ...] = ()


class MemberReply(msgspec.Struct, frozen=True):
    """One member: its status, or why there is none. `skew` is how many seconds its clock is ahead."""

    url: str
    status: MemberStatus | None = None
    error: SourceError | None = None
    skew: float | None = None


class AlertmanagerCluster:
    """The members of one cluster. Reads raise only when no member answered: the error that says most."""

    def __init__(self, name: str, transports: Sequence[Transport]) -> None:
        if not transports:
            raise ValueError("a cluster has at least one member")
        self.name = name
        self._members = tuple(transports)
        self._failed: frozenset[Transport] = frozenset()

    @property
    def urls(self) -> tuple[SafeText, ...]:
        """The members' base URLs, safe to show."""
        return tuple(member.url for member in self._members)

    @property
    def timed(self) -> bool:
        """Whether a member has told the time yet: `skew` is 0 before."""
        return any(member.skew is not None for member in self._members)

    @property
    def skew(self) -> float:
        """Seconds that the clock of the member that is written to is ahead of ours; 0 when that is not known or
        is within what can be measured."""
        known = (m.skew for m in self._preferred() if m.skew is not None)
        skew = next(known, 0.0)
        return skew if abs(skew) > SKEW_NOISE else 0.0

    async def alerts(
        self,
        filters: Sequence[Matcher] = (),
        *,
        active: bool = True,
        silenced: bool = True,
        inhibited: bool = True,
    ) -> ClusterReply[tuple[Alert, ...]]:
        """The alerts that satisfy every matcher, merged by fingerprint."""
        wanted = {"active": active, "silenced": silenced, "inhibited": inhibited}
        params = [(name, "false") for name, value in wanted.items() if not value]
        params += [("filter", str(matcher)) for matcher in filters]

        async def ask(member: Transport) -> list[Alert]:
            path = "/api/v2/alerts"
            reply = await self._big(member, path, params)
            return await off_loop(lambda: decode_alerts(reply, self.name, f"{member.url}{path}"), len(reply))

        found, failures = await self._everyone(ask)
        if len(found) == 1:
            return ClusterReply(tuple(found[0]), failures)
        return ClusterReply(await asyncio.to_thread(merge_members, found), failures)

    async def groups(self) -> ClusterReply[tuple[AlertGroup, ...]]:
        """The alert groups, merged by receiver and group labels. Only here `muted_by` is filled."""

        async def ask(member: Transport) -> tuple[AlertGroup, ...]:
            path = "/api/v2/alerts/groups"
            body = await self._big(member, path, ())
            where = f"{member.url}{path}"
            return await off_loop(lambda: decoded_groups(decode(GROUPS, body, where), self.name), len(body))

        found, failures = await self._everyone(ask)
        return ClusterReply(merge_groups(found), failures)

    async def silences(self) -> ClusterReply[tuple[Silence, ...]]:
        """All silences that are kept, expired ones too, merged by id."""

        async def ask(member: Transport) -> MemberSilences:
            path = "/api/v2/silences"
            body = (await member.request("GET", path)).body
            where = f"{member.url}{path}"
            found = await off_loop(lambda: [self._own(s) for s in decode(SILENCES, body, where)], len(body))
            return MemberSilences(url=member.url, silences=found)

        found, failures = await self._everyone(ask)
        return ClusterReply(merge_silences(member.silences for member in found), failures, tuple(found))

    async def silence(self, id: str) -> Silence | None:
        """One silence: the newest that a member knows, None when all members say that they know none.

        Raises a SourceError when none knows it and some member did not answer.
        """
        answers = await self.silence_members(id)
        merged = merge_silences([a.silence] for a in answers if a.silence is not None)
        failures = [a.error for a in answers if a.error is not None]
        if not merged and failures:
            raise worst(failures)
        return merged[0] if merged else None

    async def silence_members(self, id: str) -> tuple[MemberSilence, ...]:
        """What each member says of one silence, in the configured order. Raises no SourceError."""
        path = _silence_path(id)

        async def ask(member: Transport) -> MemberSilence:
            try:
                deadline = min(member.timeout, LOOK_DEADLINE)
                body = (await member.request("GET", path, deadline=deadline)).body
                known = self._own(decode(SILENCE, body, f"{member.url}{path}"))
            except SourceError as error:
                return MemberSilence(url=member.url, error=None if error.status == 404 else error)
            return MemberSilence(url=member.url, silence=known)

        answers = await asyncio.gather(*(ask(member) for member in self._members))
        self._failed = frozenset(m for m, a in zip(self._members, answers, strict=True) if a.error is not None)
        return tuple(answers)

    async def receivers(self) -> ClusterReply[tuple[SafeText, ...]]:
        """The names of the receivers, sorted."""

        async def ask(member: Transport) -> list[SafeText]:
            path = "/api/v2/receivers"
            body = (await member.request("GET", path)).body
            return [safe(r.name) for r in decode(RECEIVERS, body, f"{member.url}{path}")]

        found, failures = await self._everyone(ask)
        return ClusterReply(tuple(sorted({name for names in found for name in names})), failures)

    async def statuses(self) -> tuple[MemberReply, ...]:
        """Every member's own status, in the configured order. Never raises a SourceError."""
        return tuple(await asyncio.gather(*(self._status(member) for member in self._members)))

    async def notifications(self) -> ClusterReply[Notifications]:
        """What the members that answer say in their own metrics of the notifications since they started."""

        async def ask(member: Transport) -> Sequence[tuple[Mapping[str, str], float]]:
            path = "/metrics"
            reply = await member.request("GET", path, limit=METRICS_LIMIT)
            samples = read_metrics(reply.body.decode("utf-8", "replace"))
            if not samples:
                hint = "is it Alertmanager itself, without something before it that keeps /metrics away?"
                raise BadReply("these are not Alertmanager's metrics", where=f"{member.url}{path}", hint=hint)
            return samples

        found, failures = await self._everyone(ask)
        return ClusterReply(notifications(sample for samples in found for sample in samples), failures)

    async def started(self) -> float:
        """When the member that answers and was started last began to run, seconds since the epoch; 0 when none
        says."""
        known = (reply.status for reply in await self.statuses() if reply.status is not None)
        return max((status.uptime_since.timestamp() for status in known), default=0.0)

    async def post_alert(self, body: bytes) -> dict[SafeText, SourceError | None]:
        """Post alerts (`body` is the JSON list of the v2 API) to every member: alerts do not gossip. By URL, None
        for a member that took them. Raises no SourceError."""

        async def write(member: Transport) -> SourceError | None:
            try:
                await member.request("POST", "/api/v2/alerts", json=body)
            except SourceError as error:
                return error
            return None

        answers = await asyncio.gather(*(write(member) for member in self._members))
        return {member.url: answer for member, answer in zip(self._members, answers, strict=True)}

    async def alerts_by_member(
        self, filters: Sequence[Matcher]
    ) -> dict[SafeText, tuple[Alert, ...] | SourceError]:
        """The alerts that satisfy every matcher as each member has them, by URL. Raises no SourceError."""
        path, params = "/api/v2/alerts", [("filter", str(matcher)) for matcher in filters]

        async def ask(member: Transport) -> tuple[Alert, ...] | SourceError:
            try:
                reply = await member.request("GET", path, params=params, limit=ALERTS_LIMIT)
                return tuple(decode_alerts(reply.body, self.name, f"{member.url}{path}"))
            except SourceError as error:
                return error

        answers = await asyncio.gather(*(ask(member) for member in self._members))
        return {member.url: answer for member, answer in zip(self._members, answers, strict=True)}

    async def post_silence(self, silence: Silence) -> str:
        """Create the silence, or update the one of its `id`, and return the id that it has now.

        Written to one member; the next is tried only when a member refused the connection or knows no such
        id, so nothing happened there. TimedOut, BadReply and an Unreachable with `sent` leave it unknown
        whether it happened: look for it before trying again.
        """
        body = silence_body(silence)

        async def write(member: Transport) -> str:
            path = "/api/v2/silences"
            reply = await member.request("POST", path, json=body)
            return decode(SILENCE_ID, reply.body, f"{member.url}{path}").silence_id

        return await self._one(write)

    async def expire_silence(self, id: str) -> None:
        """Expire a silence; one that has expired already is no error. Written to one member, as
        `post_silence`."""

        async def write(member: Transport) -> None:
            await member.request("DELETE", _silence_path(id))

        await self._one(write)

    async def aclose(self) -> None:
        for member in self._members:
            await member.aclose()

    async def _big(self, member: Transport, path: str, params: Sequence[tuple[str, str]]) -> bytes:
        deadline = max(member.timeout, ALERTS_DEADLINE)
        reply = await member.request("GET", path, params=params, deadline=deadline, limit=ALERTS_LIMIT)
        return reply.body

    def _own(self, silence: Silence) -> Silence:
        return msgspec.structs.replace(sanitise_silence(silence), cluster=self.name)

    async def _status(self, member: Transport) -> MemberReply:
        path = "/api/v2/status"
        try:
            reply = await member.request("GET", path, small=True)
            found = decode(STATUS, reply.body, f"{member.url}{path}")
        except SourceError as error:
            return MemberReply(member.url, error=error, skew=member.skew)
        status = msgspec.structs.replace(member_status(member.url, found), took=reply.took, expires=member.expires)
        return MemberReply(member.url, status=status, skew=member.skew)

    async def _everyone(
        self, ask: Callable[[Transport], Awaitable[T]]
    ) -> tuple[list[T], tuple[tuple[str, SourceError], ...]]:
        """Ask all members at once: what the answers were, and who failed. Raises when all did."""
        outcomes = await answers_of([(member.url, ask(member)) for member in self._members])
        failed: Mapping[Transport, SourceError] = {
            m: o for m, o in zip(self._members, outcomes, strict=True) if isinstance(o, SourceError)
        }
        self._failed = frozenset(failed)
        if len(failed) == len(self._members):
            raise worst(failed.values())
        answers = [o for o in outcomes if not isinstance(o, SourceError)]
        return answers, tuple((str(m.url), error) for m, error in failed.items())

    async def _one(self, write: Callable[[Transport], Awaitable[T]]) -> T:
        """Write to one member: first those that answered the last read."""
        last: SourceError | None = None
        for member in self._preferred():
            try:
                return await write(member)
            except Unreachable as error:
                if error.sent:
                    raise
                last = error
            except BadQuery as error:
                if error.status != 404:
                    raise
                last = error
        assert last is not None
        raise last

    def _preferred(self) -> list[Transport]:
        return sorted(self._members, key=lambda m: m in self._failed)


def _silence_path(id: str) -> str:
    return f"/api/v2/silence/{quote(id, safe='')}"
