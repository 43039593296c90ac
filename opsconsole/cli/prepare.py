"""Everything that the console needs besides its first frame: imported and built in a thread."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

from opsconsole.actions.keeper import Keeper
from opsconsole.actions.runner import Runner
from opsconsole.checks.run import run_checks
from opsconsole.cli.wiring import (
    JOURNAL_SHOWN,
    context_info,
    host_name,
    journal_path,
    load_playbooks,
    os_user,
)
from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock, LocalZone, SystemClock
from opsconsole.config.schema import Context
from opsconsole.errors import JournalError
from opsconsole.journal.absent import NoJournal
from opsconsole.journal.store import Journal
from opsconsole.render.glyphs import Glyphs
from opsconsole.render.theme import Theme
from opsconsole.state.engine import Engine
from opsconsole.ui.modes import Opened
from opsconsole.ui.services import Services


def prepare_console(
    context: Context,
    theme: Theme,
    glyphs: Glyphs,
    *,
    demo: str = "",
    journal_file: Path | None = None,
    clock: Clock | None = None,
    zone: tzinfo | None = None,
    sources: Sources | None = None,
) -> Opened:
    """The console for a context; nothing is connected yet. `demo` is the label of a demo, `journal_file` the
    user's own unless named, `sources` the context's clients unless given. Raises ConfigError and
    JournalError."""
    clock = clock or SystemClock()
    playbooks = load_playbooks(context)
    journal = _open_journal(journal_file or journal_path(), clock, read_only=context.read_only)
    sources = sources or Sources(context, clock)
    info = context_info(context, demo, os_user(context))
    engine = Engine(info, sources, playbooks, clock, journal=lambda: journal.entries(JOURNAL_SHOWN))
    runner = Runner(
        clusters=sources.clusters,
        flags=sources.flags,
        journal=journal,
        clock=clock,
        user=os_user(context),
        host=host_name(),
        context=info.name,
        read_only=context.read_only,
        refresh=engine.refresh,
        acks=context.acks,
    )
    engine.polls.changes = runner.changes
    services = Services(
        engine=engine,
        runner=runner,
        clock=clock,
        glyphs=glyphs,
        theme=theme,
        zone=zone or LocalZone(),
        checks=run_checks,
    )
    keeper = Keeper(engine, runner)
    return Opened(services=services, begin=keeper.start, close=journal.close, follow=keeper.follow)


def _open_journal(path: Path, clock: Clock, *, read_only: bool) -> Journal:
    try:
        return Journal(path, clock)
    except JournalError as error:
        if read_only:
            return NoJournal(error)
        hint = "; ".join(part for part in (error.hint, "--read-only works without a journal") if part)
        raise JournalError(error.message, where=error.where, hint=hint) from error
