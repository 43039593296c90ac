"""From the connection options to a runner, for the commands that change something and end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import msgspec
import typer

from opsconsole.cli.finish import Finished
from opsconsole.cli.wiring import host_name, journal_path, os_user, resolve
from opsconsole.clients.alertmanager import AlertmanagerCluster, ClusterReply
from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.discover import Options
from opsconsole.errors import ExitCode, JournalError, Refused, SourceError, Unreachable, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher, Matchers
from opsconsole.model.members import MemberSilence
from opsconsole.model.pastradius import Past, unknown
from opsconsole.model.radius import Radius, not_known, radius_of
from opsconsole.model.silences import Silence
from opsconsole.state.past import ask_past
from opsconsole.text import safe, safe_block, trusted

if TYPE_CHECKING:
    from opsconsole.actions.base import Reply
    from opsconsole.actions.runner import Runner
    from opsconsole.journal.store import Journal

T = TypeVar("T")

ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster",
        metavar="NAME",
        help="Which Alertmanager cluster, when the context has several.",
        show_default=False,
    ),
]
PAST_SECONDS = 8.0
"""The longest that Prometheus is waited for: the question about now must not wait for it."""

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Acting:
    """One context's clusters, and the runner for what changes them; a context manager.

    Nothing runs between two calls of `run`, so that ctrl+c ends a question as it should. Raises Refused for what
    changes something (`writes`) in a read-only context. What is done to flags (`for_flags`) needs no Alertmanager.
    """

    def __init__(self, options: Options, *, writes: bool = True, for_flags: bool = False) -> None:
        self.context = resolve(options)
        self._writes = writes
        self._for_flags = for_flags
        if writes and self.context.read_only:
            raise Refused(
                "read-only: nothing is changed",
                hint="leave out --read-only, or set `read_only: false` in the context",
            )
        self.clock = SystemClock()
        self.user = os_user(self.context)
        self._sources = Sources(self.context, self.clock)
        self._loop = asyncio.Runner()
        self._journal: Journal | None = None
        self._runner: Runner | None = None
        self._signed: dict[str, _Signed] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    @property
    def clusters(self) -> tuple[AlertmanagerCluster, ...]:
        """At least one. Raises UsageError, or SourceError when Prometheus was asked for them in vain."""
        if self._sources.wants_discovery and not self._sources.clusters:
            self.run(self._sources.discover())
        if not self._sources.clusters:
            raise UsageError(
                "no Alertmanager is configured", hint="use --alertmanager URL, or see opsconsole --help"
            )
        return tuple(self._sources.clusters.values())

    def chosen(self, name: str) -> tuple[AlertmanagerCluster, ...]:
        """The cluster of that name, or all of them. Raises UsageError."""
        found = tuple(c for c in self.clusters if not name or c.name == name)
        if not found:
            names = ", ".join(safe(c.name, 40) for c in self.clusters)
            raise UsageError(f"there is no Alertmanager cluster {safe(name, 60)}", hint=f"clusters: {names}")
        return found

    def one(self, name: str) -> AlertmanagerCluster:
        """The cluster of that name, or the only one. Raises UsageError."""
        found = self.chosen(name)
        if len(found) > 1:
            names = ", ".join(safe(c.name, 40) for c in found)
            raise UsageError("the context has several clusters", hint=f"say which with --cluster: {names}")
        return found[0]

    def now(self, cluster: AlertmanagerCluster) -> float:
        """Seconds since the epoch on the cluster's own clock, by which silences start and end. It is asked for its
        time when it has not answered anything yet; ours stands in for that of one that does not answer."""
        if not cluster.timed:
            self.run(cluster.started())
        return self.clock.now() + cluster.skew

    def now_at(self, name: str) -> float:
        """`now` of the cluster of that name."""
        return self.now(self.one(name))

    def hidden_by(self, cluster: AlertmanagerCluster, matchers: Matchers) -> Radius:
        """What the matchers hide now, asked of Alertmanager; no matchers: all alerts. Raises Unreachable when no
        member can be connected to."""
        return self.run(_radius(cluster, matchers))

    def look(self, cluster: AlertmanagerCluster, matchers: Matchers) -> tuple[Radius, Past]:
        """What the matchers hide now, and what they would have hidden in the last week, asked at once. Raises as
        `hidden_by`."""

        async def ask() -> tuple[Radius, Past]:
            return await asyncio.gather(_radius(cluster, matchers), self.past(matchers))

        return self.run(ask())

    async def past(self, matchers: Matchers) -> Past:
        """What the matchers would have hidden in the last week, or why that is not known; within PAST_SECONDS."""
        prometheus = self._sources.prometheus
        if prometheus is None:
            return unknown("this context has no Prometheus")
        try:
            async with asyncio.timeout(PAST_SECONDS):
                return await ask_past(prometheus.query, matchers)
        except TimeoutError:
            return unknown(f"Prometheus gave no answer in {PAST_SECONDS:g}s")

    def silences(self, clusters: Sequence[AlertmanagerCluster]) -> tuple[Silence, ...]:
        """All silences of these clusters, expired ones too; members that do not answer are told. Raises
        SourceError."""

        async def ask() -> list[ClusterReply[tuple[Silence, ...]]]:
            return await asyncio.gather(*(cluster.silences() for cluster in clusters))

        replies = self.run(ask())
        told = radius_of((), [failure for reply in replies for failure in reply.failures])
        if not told.known:
            tell(f"UNKNOWN whether these are all: {told.why}")
        return tuple(silence for reply in replies for silence in reply.data)

    @property
    def sources(self) -> Sources:
        return self._sources

    @property
    def runner(self) -> Runner:
        """As the console's. Raises JournalError."""
        if self._runner is None:
            from opsconsole.journal.store import Journal

            self._journal = Journal(journal_path(), self.clock)
            self._runner = self._made(self._journal)
        return self._runner

    def open_journal(self) -> None:
        """Make the journal where there is none yet. Raises JournalError."""
        _ = self.runner

    @property
    def planner(self) -> Runner:
        """A runner for what only reads: one without a journal where there is none yet. Raises JournalError."""
        from opsconsole.journal.absent import NoJournal

        if self._writes or self._runner is not None or journal_path().exists():
            return self.runner
        self._runner = self._made(NoJournal(JournalError("there is no journal yet")))
        return self._runner

    def _made(self, journal: Journal) -> Runner:
        from opsconsole.actions.runner import Runner  # only here: asking for help needs no database

        clusters = self._sources.clusters.values() if self._for_flags else self.clusters
        self._signed = {cluster.name: _Signed(cluster) for cluster in clusters}
        return Runner(
            clusters=self._signed,
            flags=self._sources.flags,
            journal=journal,
            clock=self.clock,
            user=self.user,
            host=host_name(),
            context=safe(self.context.name, 40),
            read_only=self.context.read_only,
            refresh=lambda: None,
            acks=self.context.acks,
        )

    def create(self, draft: Silence, again: str = "") -> Outcome:
        """Create the draft in its cluster, signed with its `created_by`; the journal says who this user is, and
        which expired one it is `again`."""
        runner = self.runner
        signed = self._signed[draft.cluster]
        signed.author = draft.created_by
        try:
            return self.run(runner.silence(draft, again))
        finally:
            signed.author = trusted("")

    def settle(self) -> None:
        """Tell what became of this user's actions that were cut off. Raises JournalError."""
        for outcome in self.run(self.runner.settle()):
            words = outcome.message if outcome.result is Result.DONE else said(outcome)
            tell(f"opsconsole: {words}")
            if outcome.hint:
                tell(f"  hint: {outcome.hint}")

    def __enter__(self) -> Self:
        # Asking for a preview must not make a journal; where there is one, what was cut off comes first.
        try:
            if self._writes and journal_path().exists():
                self.settle()
        except BaseException:  # ctrl+c too: nothing that was opened is left open
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._sources.aclose())
        self._loop.close()
        if self._journal is not None:
            self._journal.close()


async def _radius(cluster: AlertmanagerCluster, matchers: Matchers) -> Radius:
    try:
        reply = await cluster.alerts(matchers)
    except SourceError as error:
        if isinstance(error, Unreachable) and not error.sent:
            raise  # nothing could be written either
        return not_known(error)
    return radius_of(reply.data, reply.failures)


class _Signed:
    """A cluster whose new silences are signed with `author` when there is one: whom amtool calls the author need
    not be who acts."""

    def __init__(self, cluster: AlertmanagerCluster) -> None:
        self._cluster = cluster
        self.author = trusted("")

    @property
    def name(self) -> str:
        return self._cluster.name

    @property
    def skew(self) -> float:
        return self._cluster.skew

    async def alerts(self, filters: Sequence[Matcher] = ()) -> Reply[tuple[Alert, ...]]:
        return await self._cluster.alerts(filters)

    async def silences(self) -> Reply[tuple[Silence, ...]]:
        return await self._cluster.silences()

    async def silence(self, id: str) -> Silence | None:
        return await self._cluster.silence(id)

    async def silence_members(self, id: str) -> tuple[MemberSilence, ...]:
        return await self._cluster.silence_members(id)

    async def started(self) -> float:
        return await self._cluster.started()

    async def post_silence(self, silence: Silence) -> str:
        if self.author and not silence.id:
            silence = msgspec.structs.replace(silence, created_by=self.author)
        return await self._cluster.post_silence(silence)

    async def expire_silence(self, id: str) -> None:
        await self._cluster.expire_silence(id)


def tell(text: str) -> None:
    """Say something to the person. Standard output is for what a program reads: ids and JSON."""
    sys.stderr.write(safe_block(text) + "\n")
    sys.stderr.flush()


def report(outcomes: Sequence[Outcome]) -> None:
    """Tell how actions ended, and end with a failure unless all are done. Raises Finished."""
    for outcome in outcomes:
        done = outcome.result is Result.DONE
        tell(outcome.message if done else f"opsconsole: {said(outcome)}")
        if outcome.hint:
            tell(f"  hint: {outcome.hint}")
    if any(outcome.result is not Result.DONE for outcome in outcomes):
        raise Finished(ExitCode.FAILED)


def said(outcome: Outcome) -> str:
    """What an action that is not done says of itself."""
    return f"{_WORDS[outcome.result]}: {outcome.message}"


_WORDS = {
    Result.OPEN: "not finished",
    Result.FAILED: "failed",
    Result.REFUSED: "refused",
    Result.AMBIGUOUS: "not known whether it happened",
}
