"""What the members of one Alertmanager cluster say of its silences, each by itself, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC

import msgspec

from opsconsole.errors import SourceError
from opsconsole.model.matchers import format_matchers
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, trusted

GOSSIP_SECONDS = 15.0
"""For so long after a silence changed members may differ: gossip has not told all of them."""

SKEW_SHOWN = 5.0
"""Seconds of difference between a server's clock and ours from which it is shown."""


class MemberSilence(msgspec.Struct, frozen=True, kw_only=True):
    """One member's answer to the question for one silence: it, None when the member knows none, or an error."""

    url: SafeText
    silence: Silence | None = None
    error: SourceError | None = None


class MemberSilences(msgspec.Struct, frozen=True, kw_only=True):
    """All silences that one member keeps."""

    url: SafeText
    silences: Sequence[Silence]


class Visible(msgspec.Struct, frozen=True, kw_only=True):
    """On which members a write shows: `shown` are their URLs, `missing` those of the others and why."""

    shown: tuple[SafeText, ...] = ()
    missing: tuple[tuple[SafeText, SafeText], ...] = ()

    @property
    def members(self) -> int:
        return len(self.shown) + len(self.missing)

    def words(self) -> SafeText:
        """`visible on 1 of 2 members: http://b:9093 does not have it yet`; "" for a single Alertmanager."""
        if self.members < 2:
            return trusted("")
        why = ", ".join(f"{url} {reason}" for url, reason in self.missing)
        return safe(f"visible on {len(self.shown)} of {self.members} members{': ' if why else ''}{why}", 600)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One silence that a member has not as the others have it. `what` says how, with the members' URLs."""

    id: str
    url: SafeText
    what: SafeText

    def __str__(self) -> str:
        return f"silence {safe(self.id, 40)} {self.what}"


def differences(members: Sequence[MemberSilences], now: float) -> tuple[Difference, ...]:
    """Where the members' lists differ in what still hides or will hide something, sorted by id.

    `now` is the server's clock, seconds since the epoch. A change younger than GOSSIP_SECONDS is no difference
    yet; a silence that is over everywhere is none any more, members forget it at different times.
    """
    lists = [{silence.id: silence for silence in member.silences} for member in members]
    found: list[Difference] = []
    for id in sorted({id for known in lists for id in known}):
        versions = [known.get(id) for known in lists]
        newest = _newest(versions)
        if now - newest.updated_at.timestamp() < GOSSIP_SECONDS:
            continue
        has = members[versions.index(newest)].url
        for member, version in zip(members, versions, strict=True):
            what = _unlike(version, newest, member.url, has, now)
            if what:
                found.append(Difference(id=id, url=member.url, what=what))
    return tuple(found)


def _newest(versions: Iterable[Silence | None]) -> Silence:
    return max((v for v in versions if v is not None), key=lambda v: v.updated_at)


def _unlike(version: Silence | None, newest: Silence, url: SafeText, has: SafeText, now: float) -> SafeText:
    """How a member's version is unlike the newest, "" when it is not."""
    if version is newest:
        return trusted("")
    subject = format_matchers(newest.matchers)
    if version is None:
        return trusted("") if newest.ends <= now else safe(f"{subject} is missing on {url}", 400)
    if newest.ends <= now and version.ends <= now:
        return trusted("")
    if abs(version.ends - newest.ends) >= 1.0:
        ends = f"ends {_clock(version)} on {url}, {_clock(newest)} on {has}"
        return safe(f"{subject} {ends}", 400)
    if frozenset(version.matchers) != frozenset(newest.matchers):
        return safe(f"{subject} on {has} is {format_matchers(version.matchers)} on {url}", 400)
    return trusted("")


def _clock(silence: Silence) -> str:
    return silence.ends_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
