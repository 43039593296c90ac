"""The work of `opsconsole guard run`: everything that the loop needs, put together."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import msgspec

from opsconsole.actions.runner import Runner
from opsconsole.cli.guard_arm import guards_of
from opsconsole.cli.guard_log import ChangeLog, GuardLog, ToldOutbox
from opsconsole.cli.guard_page import make_pager
from opsconsole.cli.wiring import host_name, journal_path, resolve
from opsconsole.clients.notify import make_channels
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock, SystemClock
from opsconsole.config.discover import Options
from opsconsole.config.guard import GuardPlaces, guard_places
from opsconsole.config.schema import Context, GuardConfig
from opsconsole.errors import ExitCode
from opsconsole.guard.arming import ArmingFile
from opsconsole.guard.files import make_folder
from opsconsole.guard.heartbeat import Beat, Heartbeats, StatusFile
from opsconsole.guard.incident import IncidentLog
from opsconsole.guard.killswitch import KillSwitchFile
from opsconsole.guard.lease import LeaseFile
from opsconsole.guard.loop import GuardLoop
from opsconsole.guard.metrics import MetricsServer, Textfile
from opsconsole.guard.outbox import FileOutbox
from opsconsole.guard.store import StateStore
from opsconsole.journal.store import Journal
from opsconsole.model.guard import Armed, Guard, GuardStatus, RulePhase
from opsconsole.text import safe, trusted

GUARD = "guard"
"""Who acts, in the journal and for the flag provider."""

_SHORTEST_LEASE = 30.0


class NeverArmed:
    """The arming of a dry run."""

    problem = trusted("")

    def armed(self) -> Armed | None:
        return None


def run_guard(options: Options, *, once: bool, dry_run: bool, as_json: bool) -> int:
    """Guard until a signal comes, or for one round; the exit code. Raises ConfigError, UsageError, JournalError,
    GuardError before the first round, nothing after it."""
    context = resolve(options)
    guards = guards_of(context)
    clock = SystemClock()
    log = GuardLog(clock, as_json=as_json)
    places = guard_places(context, os.environ)
    if dry_run:
        places = _apart(places)
    make_folder(places.folder)
    return asyncio.run(_run(context, guards, places, clock, log, once=once, dry_run=dry_run))


def _apart(places: GuardPlaces) -> GuardPlaces:
    """A dry run beside a guard that acts takes nothing from it: not its lease, nor its place in the lists."""
    folder = places.folder / "dry-run"
    return msgspec.structs.replace(
        places,
        folder=folder,
        store=folder / places.store.name,
        outbox=folder / places.outbox.name,
        lease=folder / "lease.db",
    )


async def _run(
    context: Context,
    guards: Sequence[tuple[str, Guard]],
    places: GuardPlaces,
    clock: Clock,
    log: GuardLog,
    *,
    once: bool,
    dry_run: bool,
) -> int:
    config = context.guard or GuardConfig()
    name, host = str(safe(context.name, 40)), host_name()
    async with AsyncExitStack() as stack:
        journal = Journal(journal_path(), clock)
        stack.callback(journal.close)
        sources = Sources(context, clock)
        stack.push_async_callback(sources.aclose)
        assert sources.prometheus is not None
        runner = Runner(
            clusters={},
            flags=sources.flags,
            journal=journal,
            clock=clock,
            user=GUARD,
            host=host,
            context=name,
            read_only=context.read_only,
            refresh=lambda: None,
        )
        outbox: FileOutbox | None = None
        if not dry_run:
            told = IncidentLog(journal, user=GUARD, context=name).told
            outbox = FileOutbox(places.outbox, make_channels(config.notify, clock), clock, told=told)
            stack.push_async_callback(outbox.aclose)
        arming = NeverArmed() if dry_run else ArmingFile(places.arming, context.name, clock)
        longest = max(guard.interval for _, guard in guards)
        lease = LeaseFile(places.lease, host=host, ttl=max(_SHORTEST_LEASE, 3 * longest))
        own = StatusFile(places.folder, host, os.getpid())
        own.tidy()
        ways: list[Beat] = [ChangeLog(log), own]
        if config.listen is not None and not dry_run:
            server = MetricsServer(*config.listen)
            stack.callback(server.close)
            ways.append(server)
        if config.textfile is not None and not dry_run:
            ways.append(Textfile(config.textfile))

        def notes(status: GuardStatus) -> GuardStatus:
            problem = status.problem or arming.problem or lease.problem or (outbox.problem if outbox else "")
            return msgspec.structs.replace(
                status, expect_armed=config.expect_armed and not dry_run, problem=safe(problem, 500)
            )

        heartbeat = Heartbeats(ways, lambda words: log("guard", words), notes)
        loop = GuardLoop(
            context=context.name,
            host=host,
            pid=os.getpid(),
            guards=guards,
            query=sources.prometheus.query,
            flags=sources.flags,
            runner=runner,
            journal=journal,
            user=GUARD,
            store=StateStore(places.store),
            arming=arming,
            kill_switch=KillSwitchFile(places.kill_switch),
            lease=lease,
            outbox=ToldOutbox(log, outbox),
            heartbeat=heartbeat,
            clock=clock,
            read_only=context.read_only,
            page=None if dry_run else make_pager(context, sources, clock),
        )
        log("guard", _begun(context, guards, places.folder, dry_run=dry_run), about="started")
        if once:
            return await _once(loop, heartbeat)
        with _signals() as stop:
            await loop.run(stop)
    return ExitCode.OK


async def _once(loop: GuardLoop, heartbeat: Heartbeats) -> int:
    """One round, and what it has to tell; a failure when something is not known or went wrong."""
    try:
        await loop.tick()
        await loop.delivered()
        status = heartbeat.last
    finally:
        await loop.aclose()
    dark = status is None or any(rule.phase is RulePhase.UNKNOWN for rule in status.rules)
    return ExitCode.FAILED if dark or (status is not None and status.problem) else ExitCode.OK


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Set by SIGTERM and SIGINT: what has begun is read back and journalled before it ends."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _begun(context: Context, guards: Sequence[tuple[str, Guard]], folder: Path, *, dry_run: bool) -> str:
    rules = ", ".join(safe(f"{system}/{rule.id}", 80) for system, guard in guards for rule in guard.rules)
    mode = "dry run" if dry_run else "read-only" if context.read_only else "guard"
    return f"{mode} of {safe(context.name, 40)} started, process {os.getpid()}: {rules}; files in {folder}"
