"""The members of an Alertmanager cluster, each by itself: what polls find out, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from opsconsole.clients.alertmanager import MemberReply
from opsconsole.errors import SourceError
from opsconsole.model.members import SKEW_SHOWN
from opsconsole.model.reading import Freshness, Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.state.failures import failure_of
from opsconsole.state.snapshot import ClusterReading, MemberReading
from opsconsole.text import SafeText, safe, trusted


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a cluster whose data is known: `short` for a badge, and in full. `silent`
    when it is that a member does not answer."""

    short: SafeText
    words: SafeText
    silent: bool = False


def told(
    cluster: ClusterReading, replies: Sequence[MemberReply], asked: float, now: float, limit: float
) -> tuple[MemberReading, ...]:
    """The members after they were asked for their status at `asked`."""
    known = {member.url: member.status for member in cluster.members}
    members = []
    for reply in replies:
        url = safe(reply.url)
        old = known.get(url) or Reading[MemberStatus](limit=limit)
        if reply.error is not None:
            status = old.failed(failure_of(reply.error), now)
        else:
            assert reply.status is not None
            status = old.good(reply.status, asked)
        members.append(MemberReading(url=url, status=status, skew=reply.skew))
    return tuple(members)


def silent(
    cluster: ClusterReading, failures: Sequence[tuple[str, SourceError]], now: float
) -> tuple[MemberReading, ...]:
    """The members after some of them did not answer another question: they are not waited for to be asked."""
    errors = {safe(url): error for url, error in failures}
    return tuple(
        msgspec.structs.replace(member, status=member.status.failed(failure_of(errors[member.url]), now))
        if member.url in errors
        else member
        for member in cluster.members
    )


def troubles(cluster: ClusterReading, now: float) -> tuple[Trouble, ...]:
    """What is wrong with the members, the worst first: one down or not known, settling, with another list of
    silences, with another clock."""
    return tuple(_troubles(cluster, now))


def _troubles(cluster: ClusterReading, now: float) -> Iterator[Trouble]:
    dark = [member for member in cluster.members if not member.status.known(now)]
    if dark:
        down = all(member.status.freshness(now) is Freshness.FAILED for member in dark)
        short = trusted(f"{len(dark)} {'down' if down else 'unknown'}")
        for member in dark:
            yield Trouble(short=short, words=safe(f"{member.url}: {member.status.why(now)}", 600), silent=True)
    for member in cluster.members:
        status = member.status.data
        if member not in dark and status is not None and status.cluster_status == "settling":
            yield Trouble(short=trusted("settling"), words=safe(f"{member.url} is still settling"))
    if cluster.silences.known(now):
        for difference in cluster.differences:
            yield Trouble(short=trusted("lists differ"), words=safe(str(difference), 600))
    for member in cluster.members:
        if member.skew is not None and abs(member.skew) > SKEW_SHOWN and member not in dark:
            seconds = round(abs(member.skew))
            side = "ahead of" if member.skew > 0 else "behind"
            short = trusted(f"clock {'+' if member.skew > 0 else '-'}{seconds}s")
            yield Trouble(short=short, words=safe(f"the clock of {member.url} is {seconds} s {side} ours"))


def badge(found: Sequence[Trouble]) -> SafeText:
    """The troubles of a cluster in a few words, each once: `1 down, lists differ`."""
    return trusted(", ".join(dict.fromkeys(trouble.short for trouble in found)))
