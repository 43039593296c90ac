"""`opsconsole check --synthetic`: a test alert through every Alertmanager, and nothing left of it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opsconsole import __version__
from opsconsole.actions.base import Desk
from opsconsole.actions.synthetic import Seen, synthetic
from opsconsole.checks.routes import severities
from opsconsole.cli.acting import Acting
from opsconsole.cli.check_options import Wanted
from opsconsole.cli.check_output import coloured, columns, save, show
from opsconsole.cli.check_rounds import Terminated
from opsconsole.cli.wiring import host_name, journal_path, load_playbooks
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.config.discover import Options
from opsconsole.config.reader import parse_seconds
from opsconsole.errors import Refused, UsageError
from opsconsole.journal.store import Journal
from opsconsole.model.playbook import Playbook
from opsconsole.model.report import Report, judged
from opsconsole.model.routing import Routing, parse_routing
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render.reports import written
from opsconsole.text import SafeText, safe, trusted

QUIET = 5.0
"""Seconds that a route must wait before it notifies, so that the alert is over before anybody hears of it."""

ROUTING = "alertmanager.yaml"


def check_synthetic(options: Options, wanted: Wanted, severity: str) -> int:
    """Send the alert through every cluster of the context and write a report; the exit code.

    `severity` is that of the alert, "" for the least of the playbooks'. Raises Refused in a read-only context, and
    when somebody would be notified that nobody asked to; UsageError and SourceError.
    """
    with Acting(options) as acting:
        books = load_playbooks(acting.context, runbooks=False)
        words = [word for word in severities(books) if not severity or word == severity] or [severity or "info"]
        job = next((job.name for book in books for job in book.jobs), "")
        labels = {"severity": severity or words[-1], **({"job": job} if job else {})}
        clock = acting.clock
        began, start = clock.now(), clock.monotonic()
        journal = Journal(journal_path(), clock)
        try:
            desk = Desk(
                clusters={},
                flags=None,
                journal=journal,
                clock=clock,
                user=acting.user,
                host=host_name(),
                context=safe(acting.context.name, 40),
                read_only=acting.context.read_only,
                refresh=lambda: None,
            )
            test = _Test(desk, labels, books, asked=bool(severity))
            found = [acting.run(_guarded(test, cluster)) for cluster in acting.clusters]
        except Terminated:
            return 128 + signal.SIGTERM
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        finally:
            journal.close()
        report = Report(
            lines=judged(found, unknown_as=wanted.unknown_as),
            began=began,
            took=clock.monotonic() - start,
            program=__version__,
            context=safe(acting.context.name, 40),
            environment=safe(acting.context.environment, 40),
            systems=tuple(book.title for book in books),
            unknown_as=wanted.unknown_as,
            system_version=wanted.system_version,
            operator=wanted.operator,
        )
    if wanted.output is not None:
        save(wanted.output, written(report, wanted.format, verbose=True))
    elif not wanted.quiet:
        show(written(report, wanted.format, colour=coloured(), verbose=True, columns=columns()))
    return int(report.level)


@dataclass(frozen=True)
class _Test:
    """What is sent and by whom; `asked` when its severity was named, so that it may be heard."""

    desk: Desk
    labels: Mapping[str, str]
    books: tuple[Playbook, ...]
    asked: bool


async def _guarded(test: _Test, cluster: AlertmanagerCluster) -> Verdict:
    """One cluster. SIGTERM is ctrl+c here: the alert is resolved before the end. Raises Terminated."""
    task = asyncio.ensure_future(_through(test, cluster))
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    with suppress(RuntimeError, ValueError, NotImplementedError):
        # Not in the main thread nothing can be handled: whoever runs it there does.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if terminated:
            raise Terminated from None
        raise


async def _through(test: _Test, cluster: AlertmanagerCluster) -> Verdict:
    labels = test.labels
    name = safe(cluster.name, 40)
    id, title = f"synthetic.{name}", trusted(f"An alert goes through {name}")
    statuses = await cluster.statuses()
    live = next((_routing(m.status.config) for m in statuses if m.status is not None), None)
    if live is None:
        error = next((m.error for m in statuses if m.error is not None), None)
        reason = safe(f"{error.kind}: {error.message}" if error else "no member shows its configuration", 300)
        return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason)
    promised, where = _promised(live, labels, test.books)
    waits = min(parse_seconds(route.group_wait) or 0.0 for route in live.root.find(labels))
    if waits < QUIET:
        told = f"{', '.join(safe(r, 60) for r in live.receivers_of(labels))} would be told after {waits:g} s"
        if not test.asked:
            raise Refused(f"an alert of severity {labels['severity']} is not silent: {told}", hint=_HINT)
        sys.stderr.write(f"opsconsole: {told}\n")
    outcome, seen = await synthetic(test.desk, cluster, labels)
    return _verdict(id, title, seen, promised, where, outcome.message)


_HINT = "--severity WORD says that this one is to be sent all the same, or choose one whose route waits"


def _promised(
    live: Routing, labels: Mapping[str, str], books: tuple[Playbook, ...]
) -> tuple[tuple[str, ...], str]:
    """The receivers that are promised and by whom: a playbook's own routing when Alertmanager has its receivers,
    else the routing that Alertmanager shows."""
    for book in books:
        with suppress(OSError, UnicodeDecodeError, UsageError):
            own = parse_routing((Path(book.folder) / ROUTING).read_text("utf-8")).receivers_of(labels)
            if all(receiver in live.receivers for receiver in own):
                return own, f"the playbook of {book.title}"
    return live.receivers_of(labels), "its configuration"


def _routing(config: str) -> Routing | None:
    try:
        return parse_routing(config)
    except UsageError:
        return None


def _verdict(
    id: str, title: SafeText, seen: tuple[Seen, ...], promised: tuple[str, ...], where: str, message: SafeText
) -> Verdict:
    """CRITICAL when a member does not show the alert, shows other receivers or does not let it go; WARNING when a
    member was not there to be asked; UNKNOWN when none was."""
    wanted = tuple(safe(name) for name in promised)
    dark = [one for one in seen if one.problem]
    bad = [words for one in seen if not one.problem and (words := _wrong(one, wanted))]
    level, reason = Level.OK, f"{message}; receivers: {', '.join(wanted)}, as {where} promises"
    if not seen or len(dark) == len(seen):
        level, reason = Level.UNKNOWN, f"{dark[0].url}: {dark[0].problem}" if dark else str(message)
    elif bad:
        level, reason = Level.CRITICAL, bad[0]
    elif dark:
        level, reason = Level.WARNING, f"{dark[0].url}: {dark[0].problem}"
    return Verdict(
        id=id,
        title=title,
        level=level,
        reason=safe(reason, 600),
        evidence=tuple(_line(one) for one in seen),
        hint=trusted("" if level is Level.OK else "look at Alertmanager's log, its routes and its clock"),
        duration=max((one.seconds or 0.0 for one in seen), default=0.0),
    )


def _wrong(one: Seen, wanted: tuple[SafeText, ...]) -> str:
    if one.seconds is None:
        return f"{one.url} does not show the alert"
    if one.receivers != wanted:
        return f"{one.url} sends it to {', '.join(one.receivers)}, not to {', '.join(wanted)}"
    return "" if one.gone is not None else f"{one.url} does not let it go"


def _line(one: Seen) -> SafeText:
    if one.problem:
        return trusted(f"{one.url}: {one.problem}")
    shown = "never shown" if one.seconds is None else f"shown after {one.seconds * 1000:.0f} ms"
    gone = "still there" if one.gone is None else f"gone {one.gone * 1000:.0f} ms after it was resolved"
    return trusted(f"{one.url}: {shown} for {', '.join(one.receivers) or 'nobody'}, {gone}")
