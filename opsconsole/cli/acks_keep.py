"""The loop of `opsconsole acks keep`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from opsconsole.actions.keeper import keep_cluster
from opsconsole.actions.runner import Runner
from opsconsole.cli.acting import tell
from opsconsole.cli.wiring import context_info, host_name, journal_path, os_user, resolve
from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.discover import Options
from opsconsole.errors import JournalError, Refused, UsageError
from opsconsole.journal.store import Journal
from opsconsole.model.acks import AckMark, age
from opsconsole.model.journal import Result
from opsconsole.model.matchers import format_matchers
from opsconsole.model.reading import Freshness
from opsconsole.render.times import span
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.text import SafeText, safe, trusted

Tell = Callable[[str], None]


class AckWatch:
    """Looks at the clusters of an engine and keeps this user's acks in them. What it says it says once, until it
    changes."""

    def __init__(self, engine: Engine, runner: Runner, say: Tell = tell) -> None:
        self._engine = engine
        self._runner = runner
        self._say = say
        self._said: dict[str, str] = {}

    async def look(self) -> bool:
        """One look; whether everything was known and everything worked."""
        snapshot = await self._engine.collect(names={"alerts", "silences", "extender"})
        self._about("who", self._who(snapshot))
        good = True
        for cluster in snapshot.clusters:
            good &= await self._keep(cluster, snapshot)
        self._ask_again(snapshot)
        return good

    async def _keep(self, cluster: ClusterReading, snapshot: Snapshot) -> bool:
        name = safe(cluster.name, 40)
        why = _unknown(cluster, snapshot.now)
        if why:
            self._about(f"unknown {name}", f"Alertmanager {name}: {why}")
        elif self._said.pop(f"unknown {name}", ""):
            self._say(f"Alertmanager {name}: known again")
        try:
            outcomes = await keep_cluster(self._runner, cluster, snapshot)
        except (JournalError, Refused) as error:
            self._say(f"failed: {error}")
            return False
        for outcome in outcomes:
            done = outcome.result is Result.DONE
            self._say(str(outcome.message) if done else f"{outcome.result.value}: {outcome.message}")
        return not why and all(outcome.result is Result.DONE for outcome in outcomes)

    def _ask_again(self, snapshot: Snapshot) -> None:
        for silence in snapshot.silences().values():
            if snapshot.mark_of(silence) is AckMark.ASKS:
                on = safe(format_matchers(silence.matchers), 300)
                old = span(age(silence, snapshot.now_at(silence.cluster)))
                words = f"asks again, because it is {old} old: the ack on {on}"
                self._about(f"asks {silence.id}", f"{words} (opsconsole acks again {safe(silence.id, 60)})")
            else:
                self._said.pop(f"asks {silence.id}", None)

    def _who(self, snapshot: Snapshot) -> str:
        user = snapshot.context.user
        extended = "kthxbye extends them, they are ended here" if snapshot.extender == "kthxbye" else ""
        return f"keeping the acks of {user}{extended and f': {extended}'}"

    def _about(self, what: str, words: str) -> None:
        if words and self._said.get(what) != words:
            self._say(words)
            self._said[what] = words


def _unknown(cluster: ClusterReading, now: float) -> SafeText:
    """Why something of a cluster is not known, and what that means for the acks in it; "" when all is."""
    for what, reading in (("alerts", cluster.alerts), ("silences", cluster.silences)):
        if reading.known(now):
            continue
        partly = reading.freshness(now) is Freshness.FRESH
        means = "acks are extended, none is ended" if partly else "no ack is extended or ended"
        return trusted(f"UNKNOWN: the {what} are not known ({reading.why(now)}); {means}")
    return trusted("")


def run_keep(options: Options, interval: float, *, once: bool) -> bool:
    """Keep the acks of this user until a signal comes, or `once`; whether that look was good. Raises ConfigError,
    UsageError, Refused and JournalError."""
    context = resolve(options)
    if context.read_only:
        raise Refused("read-only: nothing is changed", hint="leave out --read-only")
    clock = SystemClock()
    user = os_user(context)
    sources = Sources(context, clock)
    if not sources.clusters and not sources.wants_discovery:
        raise UsageError("no Alertmanager is configured", hint="use --alertmanager URL, or see opsconsole --help")
    engine = Engine(context_info(context, user=user), sources, (), clock, refresh=interval)
    engine.polls.builds_rows = False
    journal = Journal(journal_path(), clock)
    runner = Runner(
        clusters=sources.clusters,
        flags=None,
        journal=journal,
        clock=clock,
        user=user,
        host=host_name(),
        context=safe(context.name, 40),
        read_only=False,
        refresh=lambda: None,
        acks=context.acks,
    )
    try:
        return asyncio.run(_watch(AckWatch(engine, runner), engine, interval, once=once))
    finally:
        journal.close()


async def _watch(watch: AckWatch, engine: Engine, interval: float, *, once: bool) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # What has begun is finished and journalled: an ack that is half written would be one that is not known.
        loop.add_signal_handler(number, stop.set)
    try:
        while True:
            good = await watch.look()
            if once:
                return good
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval)
            if stop.is_set():
                tell("stopped; acks that nothing else keeps end by themselves")
                return True
    finally:
        await engine.aclose()
