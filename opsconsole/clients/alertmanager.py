"""Alertmanager's HTTP API, version 2, for one gossip cluster: read every member, write to one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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
from opsconsole.clients.transport import MIB, Transport
from opsconsole.errors import BadQuery, SourceError, Unreachable
from opsconsole.model.alerts import Alert, AlertGroup, merge_members
from opsconsole.model.matchers import Matcher
from opsconsole.model.rules import MemberStatus
from opsconsole.model.silences import Silence, merge_silences, sanitise_silence
from opsconsole.text import SafeText, safe

T = TypeVar("T")

ALERTS_LIMIT = 64 * MIB
ALERTS_DEADLINE = 15.0
"""Seconds for alert lists: the first one after a silence changed re-evaluates every alert."""


class ClusterReply(msgspec.Struct, Generic[T], frozen=True):
    """What the members that answered know together, and the (URL, error) of those that did not."""

    data: T
    failures: tuple[tuple[str, SourceError], ...] = ()


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

        async def ask(member: Transport) -> Iterable[Silence]:
            path = "/api/v2/silences"
            body = (await member.request("GET", path)).body
            where = f"{member.url}{path}"
            return await off_loop(lambda: [self._own(s) for s in decode(SILENCES, body, where)], len(body))

        found, failures = await self._everyone(ask)
        return ClusterReply(merge_silences(found), failures)

    async def silence(self, id: str) -> Silence | None:
        """One silence: the newest that a member knows, None when all members say that they know none.

        Raises a SourceError when none knows it and some member did not answer.
        """

        async def ask(member: Transport) -> Iterable[Silence]:
            path = _silence_path(id)
            try:
                body = (await member.request("GET", path)).body
            except BadQuery as error:
                if error.status != 404:
                    raise
                return ()
            return (self._own(decode(SILENCE, body, f"{member.url}{path}")),)

        found, failures = await self._everyone(ask)
        merged = merge_silences(found)
        if not merged and failures:
            raise worst(error for _, error in failures)
        return merged[0] if merged else None

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
            body = (await member.request("GET", path, small=True)).body
            found = decode(STATUS, body, f"{member.url}{path}")
        except SourceError as error:
            return MemberReply(member.url, error=error, skew=member.skew)
        return MemberReply(member.url, status=member_status(member.url, found), skew=member.skew)

    async def _everyone(
        self, ask: Callable[[Transport], Awaitable[T]]
    ) -> tuple[list[T], tuple[tuple[str, SourceError], ...]]:
        """Ask all members at once: what the answers were, and who failed. Raises when all did."""

        async def one(member: Transport) -> T | SourceError:
            try:
                return await ask(member)
            except SourceError as error:
                return error

        outcomes = await asyncio.gather(*(one(member) for member in self._members))
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
        for member in sorted(self._members, key=lambda m: m in self._failed):
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


def _silence_path(id: str) -> str:
    return f"/api/v2/silence/{quote(id, safe='')}"
