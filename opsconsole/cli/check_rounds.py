"""Asking the sources and judging the answers: once, every so often, or until all is well."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from opsconsole import __version__
from opsconsole.checks.base import PANELS
from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.doubt import panel_id
from opsconsole.checks.run import run_checks
from opsconsole.checks.thresholds import checked_panels, crossed_panels, verdict_id
from opsconsole.cli.check_options import EVERY, ROUND, Wanted, no_such_check
from opsconsole.cli.check_output import coloured, columns, save, show
from opsconsole.cli.wiring import Reading, context_info, open_reading
from opsconsole.config.discover import Options
from opsconsole.model.report import Baseline, Report, judged
from opsconsole.model.verdicts import Level, badness
from opsconsole.render.reports import written
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

_SHORTEST = 1.0
"""Seconds that must be left of --timeout for another round to be worth it."""


def _narrate(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Terminated(Exception):
    """SIGTERM."""


def check_in_rounds(options: Options, wanted: Wanted) -> int:
    """Run the checks and write their reports; the exit code. Raises ConfigError and UsageError."""
    opened = open_reading(options)
    if wanted.watching or wanted.until is not None:
        gc.enable()  # off for a short run
    try:
        return int(asyncio.run(_guarded(Rounds(opened, wanted))))
    except Terminated:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _guarded(rounds: Rounds) -> Level:
    """Run until done or SIGTERM, which is an orderly end: no half-written file, no traceback."""
    task = asyncio.ensure_future(rounds.run())
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    loop = asyncio.get_running_loop()
    with suppress(RuntimeError, ValueError, NotImplementedError):
        # Not in the main thread nothing can be handled: whoever runs it there does.
        loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if terminated:
            raise Terminated from None
        task.cancel()
        raise
    finally:
        await rounds.opened.engine.aclose()


@dataclass
class Rounds:
    """The rounds of one command. `sleep` and `tell` (narration) are handed in by tests."""

    opened: Reading
    wanted: Wanted
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str], None] = _narrate

    async def run(self) -> Level:
        """Round after round, as many as are wanted; the level of the last."""
        wanted, clock = self.wanted, self.opened.clock
        begun = clock.monotonic()
        for number in range(sys.maxsize):
            began = clock.monotonic()
            left = wanted.timeout - (began - begun)
            budget = min(ROUND, left) if wanted.until is not None else wanted.timeout
            report = await self._round(budget, first=number == 0)
            took = clock.monotonic() - began
            pause = max(0.0, (wanted.every or EVERY) - took)
            if self._last(report, wanted.timeout - (clock.monotonic() - begun) - pause):
                self._emit(report)
                return report.level
            if wanted.watching and not self._emit(report):
                return report.level
            await self.sleep(pause)
        raise AssertionError("there is always another round")

    def _last(self, report: Report, left: float) -> bool:
        """Whether there is no other round, and why; `left` are the seconds that it would have."""
        wanted = self.wanted
        if wanted.until is None:
            return not wanted.watching
        said = _progress(report)
        if badness(report.level) <= badness(wanted.until):
            self._narrate(f"{said}: done")
            return True
        if left < _SHORTEST:
            self._narrate(f"{said}: not {wanted.until.name} within {wanted.timeout:g} s")
            return True
        self._narrate(f"{said}; waiting for {wanted.until.name}")
        return False

    async def _round(self, budget: float, *, first: bool) -> Report:
        opened, clock = self.opened, self.opened.clock
        wanted, began, start = self.wanted, clock.now(), clock.monotonic()
        # A new engine knows nothing: what an earlier round was told cannot pass for an answer of this one.
        engine = opened.engine if first else _again(opened)
        checks = wanted.selection.checks(CATALOG)
        needs: frozenset[str] = frozenset().union(*(check.needs for check in checks))
        panels = [
            key
            for key, _ in checked_panels(engine.snapshot)
            if PANELS in needs and any(wanted.selection.names(id) for id in (verdict_id(key), panel_id(key)))
        ]
        try:
            async with asyncio.timeout(budget):
                await _collect(engine, needs, panels)
        except TimeoutError:
            engine.polls.overdue(budget, panels)
        found = run_checks(engine.snapshot, checks)
        if first and (glob := wanted.selection.unmet(CATALOG, found)) is not None:
            raise no_such_check(glob, [verdict.id for verdict in found])
        lines = judged(
            [verdict for verdict in found if wanted.selection.keeps(verdict)],
            unknown_as=wanted.unknown_as,
            baseline=self._baseline(),
        )
        return Report(
            lines=lines,
            began=began,
            took=clock.monotonic() - start,
            program=__version__,
            context=engine.snapshot.context.name,
            environment=engine.snapshot.context.environment,
            systems=tuple(book.title for book in opened.playbooks),
            servers=_servers(engine.snapshot),
            only=tuple(safe(glob, 200) for glob in wanted.selection.only),
            skip=tuple(safe(glob, 200) for glob in wanted.selection.skip),
            unknown_as=wanted.unknown_as,
            baseline=wanted.baseline,
            system_version=wanted.system_version,
            operator=wanted.operator or self._operator(),
        )

    def _baseline(self) -> Baseline | None:
        """The baseline without what this run is not about."""
        whole, selection = self.wanted.baseline, self.wanted.selection
        if whole is None:
            return None
        kept = tuple(v for v in whole.verdicts if selection.keeps(v))
        return Baseline(source=whole.source, time=whole.time, verdicts=kept)

    def _operator(self) -> SafeText:
        if self.wanted.format != "markdown":
            return trusted("")
        from opsconsole.cli.wiring import host_name, os_user

        return safe(f"{os_user(self.opened.context)} on {host_name()}", 200)

    def _emit(self, report: Report) -> bool:
        """Write a report where it is wanted; False when nobody reads any more."""
        wanted = self.wanted
        if wanted.output is not None:
            save(wanted.output, written(report, wanted.format, verbose=wanted.verbose))
            return True
        if wanted.quiet:
            return True
        text = written(
            report,
            wanted.format,
            colour=coloured(),
            verbose=wanted.verbose,
            columns=columns(),
            compact=wanted.watching,
        )
        if wanted.watching and wanted.format == "text":
            from opsconsole.render.reports.words import utc

            text = f"--- {utc(report.began)}\n{text}"
        return show(text)

    def _narrate(self, line: str) -> None:
        if not self.wanted.quiet:
            self.tell(line)


async def _collect(engine: Engine, needs: frozenset[str], panels: list[str]) -> None:
    """One round of the pollers that are needed, with the latest value of the panels; then, of those that are over
    a threshold which has to last, for how long they have been."""
    engine.polls.panels.instant = True
    await engine.collect(names=needs, panels=panels)
    crossed = crossed_panels(engine.snapshot)
    if crossed:
        engine.polls.panels.lasting = crossed
        await engine.collect(names=(), panels=crossed)


def _again(opened: Reading) -> Engine:
    return Engine(context_info(opened.context), opened.engine.sources, opened.playbooks, opened.clock)


def _servers(snapshot: Snapshot) -> tuple[tuple[SafeText, SafeText], ...]:
    found = []
    if snapshot.prometheus is not None and snapshot.prometheus.data is not None:
        found.append((trusted("Prometheus"), snapshot.prometheus.data.version or trusted("of unknown version")))
    for cluster in snapshot.clusters:
        versions = sorted({m.status.data.version for m in cluster.members if m.status.data is not None})
        if versions:
            found.append((safe(f"Alertmanager {cluster.name}", 60), safe(", ".join(versions), 100)))
    return tuple(found)


def _progress(report: Report) -> str:
    from opsconsole.render.reports.words import counts, utc

    bad = [line.verdict.id for line in report.lines if line.counts is not Level.OK]
    named = f" ({', '.join(bad[:3])}{f' and {len(bad) - 3} more' if len(bad) > 3 else ''})" if bad else ""
    return f"{utc(report.began)} {report.level.name}: {counts(report)}{named}"
