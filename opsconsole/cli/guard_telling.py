"""The work of `opsconsole guard test-notify` and `guard outbox`."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

import msgspec

from opsconsole.cli.wiring import host_name, journal_path, os_user, resolve
from opsconsole.clients.notify import Channel, make_channels
from opsconsole.clock import Clock, SystemClock
from opsconsole.config.discover import Options
from opsconsole.config.guard import guard_places
from opsconsole.config.schema import Context
from opsconsole.errors import NotifyError, OutboxError, Refused, UsageError
from opsconsole.guard.incident import IncidentLog
from opsconsole.guard.outbox import FileOutbox, Told
from opsconsole.guard.outbox_file import Delivery
from opsconsole.journal.store import Journal
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import headline
from opsconsole.text import SafeText, safe, trusted


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message, as `--json` prints it. `seconds` is how long it took."""

    channel: str
    delivered: bool
    message: SafeText
    hint: SafeText
    seconds: float


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, as `--json` prints it. `next` is when it is tried again, None when it is not."""

    number: int
    channel: str
    state: str
    incident: SafeText
    event: SafeText
    what: SafeText
    since: datetime
    tries: int
    next: datetime | None
    reason: SafeText


def open_outbox(context: Context, clock: Clock, told: Told = lambda delivery: None) -> FileOutbox:
    """The outbox of a context's guards, with its channels."""
    configs = () if context.guard is None else context.guard.notify
    return FileOutbox(guard_places(context, os.environ).outbox, make_channels(configs, clock), clock, told=told)


def test_channels(options: Options, names: frozenset[str]) -> list[Tried]:
    """Send a test message to the channels of these names, or all. Raises UsageError when there is none."""
    return asyncio.run(_test(resolve(options), names))


def deliveries(
    options: Options, *, everything: bool, numbers: tuple[int, ...], retry_dead: bool, send: bool
) -> list[Shown]:
    """What the outbox has, once the dead of these numbers, or all, were revived and what waits was tried."""
    context, clock = resolve(options), SystemClock()
    if context.read_only and (numbers or retry_dead or send):
        raise Refused("this context is read-only", hint="leave out --retry, --retry-dead and --send")
    box = open_outbox(context, clock)
    if numbers or retry_dead:
        _revive(box, numbers, clock)
    if send:
        asyncio.run(_send(context, clock))
    found = box.file.listing(("waiting", "dead", "sent") if everything else ("waiting", "dead"))
    return [_shown(delivery, clock.now()) for delivery in found]


async def _test(context: Context, names: frozenset[str]) -> list[Tried]:
    configs = () if context.guard is None else context.guard.notify
    if not configs:
        hint = "name channels in the configuration file: `guard: {notify: [{kind: slack, …}]}`"
        raise UsageError(f"context {safe(context.name, 40)} names nobody to tell", hint=hint)
    unknown = names - {config.name for config in configs}
    if unknown:
        known = ", ".join(config.name for config in configs)
        raise UsageError(f"there is no channel {safe(min(unknown), 60)}", hint=f"there are: {known}")
    channels = make_channels([one for one in configs if not names or one.name in names], SystemClock())
    return list(await asyncio.gather(*(_try(channel, _event(context)) for channel in channels)))


def _event(context: Context) -> GuardEvent:
    now = time.time()
    stamp = f"test-{now:.0f}-{os.getpid()}"
    who = safe(f"{os_user(context)} on {host_name()}", 200)
    return GuardEvent(
        id=stamp,
        at=now,
        kind="test",
        incident=stamp,
        system="guard",
        context=context.name,
        rule="test",
        title=trusted("can the guard be heard?"),
        summary=safe(f"{who} tries whether messages of the guard arrive here.", 300),
    )


async def _try(channel: Channel, event: GuardEvent) -> Tried:
    began = time.monotonic()
    failure: NotifyError | None = None
    try:
        await channel.send(event)
        if channel.resolves:
            await channel.send(msgspec.structs.replace(event, resolved=True))
    except NotifyError as error:
        failure = error
    finally:
        await channel.aclose()
    return Tried(
        channel=channel.name,
        delivered=failure is None,
        message=trusted("") if failure is None else safe(str(failure)),
        hint=trusted("") if failure is None else safe(failure.hint),
        seconds=round(time.monotonic() - began, 3),
    )


def _revive(box: FileOutbox, numbers: tuple[int, ...], clock: Clock) -> None:
    dead = {delivery.number for delivery in box.file.listing(["dead"])}
    missing = sorted(set(numbers) - dead)
    if missing:
        raise UsageError(f"no dead notification has the number {missing[0]}", hint="opsconsole guard outbox")
    box.file.revive(sorted(numbers or dead), clock.now())


async def _send(context: Context, clock: Clock) -> None:
    journal = Journal(journal_path(), clock)
    log = IncidentLog(journal, user=os_user(context), context=context.name)
    box = open_outbox(context, clock, log.told)
    try:
        box.file.hurry()
        await box.deliver()
    finally:
        await box.aclose()
        journal.close()
    if box.problem:
        raise OutboxError(f"not everything was tried: {box.problem}")


def _shown(delivery: Delivery, now: float) -> Shown:
    due = now + delivery.due_in(now) if delivery.state == "waiting" else None
    return Shown(
        number=delivery.number,
        channel=str(safe(delivery.channel, 80)),
        state=delivery.state,
        incident=safe(delivery.incident, 200),
        event=safe(delivery.event.id, 200),
        what=safe(headline(delivery.event), 300),
        since=datetime.fromtimestamp(delivery.since, UTC),
        tries=delivery.tries,
        next=None if due is None else datetime.fromtimestamp(due, UTC),
        reason=delivery.reason,
    )
