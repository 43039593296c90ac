"""The synthetic alert: posted to every member, seen there with its receivers, resolved, and gone again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from opsconsole.actions.base import Desk, Done
from opsconsole.actions.writing import moment
from opsconsole.errors import SourceError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.text import SafeText, safe, trusted

ALERTNAME = "OpsconsoleSyntheticAlert"
MARK = "opsconsole_synthetic"
"""The label whose value is the op's nonce: nothing else in the world has it."""

LIFE = 60.0
"""Seconds after which Alertmanager lets the alert go by itself, should this program be killed."""

SEEN_WITHIN = 10.0
"""Seconds that a member has to show the alert, and to let it go."""

PAUSE = 0.05


class Members(Protocol):
    """What this needs of a cluster: each member by itself, because alerts do not gossip."""

    @property
    def name(self) -> str: ...

    @property
    def skew(self) -> float: ...

    async def post_alert(self, body: bytes) -> Mapping[SafeText, SourceError | None]: ...

    async def alerts_by_member(
        self, filters: Sequence[Matcher]
    ) -> Mapping[SafeText, tuple[Alert, ...] | SourceError]: ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One member: after how many seconds it showed the alert (None: not at all), with which receivers, after how
    many seconds it had let it go (None: not), and what went wrong there."""

    url: SafeText
    seconds: float | None = None
    receivers: tuple[SafeText, ...] = ()
    gone: float | None = None
    problem: SafeText = trusted("")


async def synthetic(desk: Desk, cluster: Members, labels: Mapping[str, str]) -> tuple[Outcome, tuple[Seen, ...]]:
    """Post an alert with these labels and a unique one to every member, wait until each shows it, resolve it and
    wait until each has let it go. It is resolved whatever happens in between, a cancellation included."""
    seen: dict[SafeText, Seen] = {}

    async def work(op: str) -> Done:
        await _run(desk, cluster, {"alertname": ALERTNAME, **labels, MARK: op}, seen)
        return _done(tuple(seen.values()))

    detail = {"cluster": cluster.name, "labels": dict(labels)}
    outcome = await desk.perform("synthetic", ALERTNAME, detail, work)
    return outcome, tuple(seen.values())


async def _run(desk: Desk, cluster: Members, labels: Mapping[str, str], seen: dict[SafeText, Seen]) -> None:
    mine = [Matcher(MARK, labels[MARK])]
    # A start in the past would count as waiting already done: the group would be notified of at once.
    began, start = desk.clock.monotonic(), desk.clock.now() + cluster.skew
    try:
        posted = await cluster.post_alert(_body(labels, start, start + LIFE))
        for url, error in posted.items():
            seen[url] = Seen(url=url, problem=_told(error) if error is not None else trusted(""))
        await _watch(desk, cluster, mine, seen, began)
    finally:
        # Whatever ended the above, the alert goes: a second ctrl+c ends the waiting, not the resolving.
        await asyncio.shield(asyncio.ensure_future(_resolve(desk, cluster, labels, start, seen)))


async def _watch(
    desk: Desk, cluster: Members, mine: Sequence[Matcher], seen: dict[SafeText, Seen], began: float
) -> None:
    """Until every member that took the alert shows it; `began` is when it was posted, monotonic."""
    while True:
        waiting = {url for url, one in seen.items() if one.seconds is None and not one.problem}
        if not waiting or desk.clock.monotonic() - began > SEEN_WITHIN:
            return
        found = await cluster.alerts_by_member(mine)
        for url in waiting:
            alerts = found.get(url)
            if isinstance(alerts, tuple) and alerts:
                receivers = tuple(receiver.name for receiver in alerts[0].receivers)
                took = desk.clock.monotonic() - began
                seen[url] = msgspec.structs.replace(seen[url], seconds=took, receivers=receivers)
        await desk.sleep(PAUSE)


async def _resolve(
    desk: Desk,
    cluster: Members,
    labels: Mapping[str, str],
    start: float,
    seen: dict[SafeText, Seen],
) -> None:
    """Post it as over, and look until no member shows it. One that cannot be told lets it go after LIFE."""
    began, mine = desk.clock.monotonic(), [Matcher(MARK, labels[MARK])]
    end = max(start + 0.001, desk.clock.now() + cluster.skew)
    posted = await cluster.post_alert(_body(labels, start, end))
    for url, error in posted.items():
        one = seen.get(url) or Seen(url=url)
        seen[url] = msgspec.structs.replace(one, problem=_told(error)) if error is not None else one
    while True:
        found = await cluster.alerts_by_member(mine)
        for url, one in seen.items():
            if one.gone is None and found.get(url) == ():
                seen[url] = msgspec.structs.replace(one, gone=desk.clock.monotonic() - began)
        if all(one.gone is not None or one.problem for one in seen.values()):
            return
        if desk.clock.monotonic() - began > SEEN_WITHIN:
            return
        await desk.sleep(PAUSE)


def _body(labels: Mapping[str, str], start: float, end: float) -> bytes:
    """The alert from `start` to `end`, seconds since the epoch by the server's clock."""
    alert = {
        "labels": dict(labels),
        "annotations": {"summary": "A test by opsconsole check --synthetic. It ends by itself; nothing is wrong."},
        "startsAt": moment(start),
        "endsAt": moment(end),
    }
    return msgspec.json.encode([alert])


def _done(seen: tuple[Seen, ...]) -> Done:
    detail = {"members": [msgspec.to_builtins(one) for one in seen]}
    left = [one.url for one in seen if one.gone is None and one.seconds is not None]
    if left:
        hint = trusted(f"it ends by itself within {LIFE:.0f} s")
        message = safe(f"the synthetic alert is still at {', '.join(left)}", 600)
        return Done(message=message, result=Result.AMBIGUOUS, hint=hint, detail=detail)
    missed = [one for one in seen if one.seconds is None]
    if missed:
        words = "; ".join(f"{one.url}: {one.problem or 'not seen'}" for one in missed)
        return Done(
            message=safe(f"the synthetic alert was not seen: {words}", 600), result=Result.FAILED, detail=detail
        )
    slowest = max((one.seconds or 0.0 for one in seen), default=0.0)
    span = f"{slowest * 1000:.0f} ms" if slowest < 1 else f"{slowest:.1f} s"
    where = "all members" if len(seen) > 1 else "the one member"
    return Done(message=trusted(f"seen on {where} within {span}, and gone"), detail=detail)


def _told(error: SourceError) -> SafeText:
    return safe(f"{error.kind}: {error.message}", 300)
