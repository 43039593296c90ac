"""`opsconsole silence`: silences for people and scripts without the screens."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.finish import Finished
from opsconsole.cli.options import connected
from opsconsole.cli.silence_change import edit, extend, recreate
from opsconsole.cli.silence_common import (
    MATCHERS_HELP,
    ShowOption,
    headline,
    instant,
    instant_of,
    show,
    write_ids,
)
from opsconsole.cli.silence_expire import expire
from opsconsole.cli.silence_import import import_
from opsconsole.cli.silence_list import export, list_
from opsconsole.cli.silence_preview import HidesOption, Question, approve, near_lines, preview
from opsconsole.cli.silence_template import asked_of, templates
from opsconsole.cli.tables import write_text
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.config.discover import Options
from opsconsole.errors import ExitCode, UsageError
from opsconsole.model.matchers import Matchers
from opsconsole.model.radius import refuse_everything
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.render.silence_commands import add_commands
from opsconsole.text import safe, safe_block

app = typer.Typer(
    help="List, add, edit, extend, expire, recreate, export and import silences.", no_args_is_help=True
)

app.command("list")(list_)
app.command("query", hidden=True)(list_)


@app.command("add")
@connected
def add(
    options: Options,
    matchers: Annotated[list[str] | None, typer.Argument(metavar="[MATCHER...]", help=MATCHERS_HELP)] = None,
    comment: Annotated[
        str,
        typer.Option("--comment", "-c", metavar="TEXT", help="Why, for whoever reads it.", show_default=False),
    ] = "",
    duration: Annotated[
        str,
        typer.Option(
            "--duration", "-d", metavar="DURATION", help="30m, 2h, 1h30m, 3d; 1h if left out.", show_default=False
        ),
    ] = "",
    start: Annotated[
        str,
        typer.Option(metavar="TIME", help="When it begins: 2026-01-02T05:12:00+01:00, 05:12, or 2h from now."),
    ] = "",
    end: Annotated[
        str, typer.Option("--end", "--until", metavar="TIME", help="When it ends, in place of --duration.")
    ] = "",
    author: Annotated[
        str,
        typer.Option(
            "--author", "-a", metavar="NAME", help="In whose name, yours if left out.", show_default=False
        ),
    ] = "",
    template: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Begin with a template of the playbook; see `silence templates`.",
            show_default=False,
        ),
    ] = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Fill a gap of the template.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would hide now.")] = False,
    yes: YesOption = False,
    hides: HidesOption = "",
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Add a silence, after showing what it hides; its id on standard output.

    Shown is what it hides now and would have hidden in the last 7 days. It is read back before it counts as done,
    and journalled. Without a terminal it needs --yes; so does a silence that hides nothing now. One that hides a
    critical alert or many, or lasts long, is confirmed by typing how many alerts it hides, or by --yes with
    --hides. With a template, matchers come on top, and a comment or duration replaces its own.
    """
    with Acting(options, writes=not (dry_run or show_command)) as acting:
        asked = asked_of(acting.context, matchers or (), template, values or (), comment, duration)
        refuse_everything(asked.matchers)
        where = acting.one(cluster)
        starts, ends = _times(start, end, asked.seconds, acting.now(where))
        draft = Silence(
            matchers=asked.matchers,
            starts_at=instant_of(starts),
            ends_at=instant_of(ends),
            created_by=safe(author.strip() or acting.user, 200),
            comment=safe_block(asked.comment),
            cluster=where.name,
        )
        if show_command:
            show(acting, add_commands(_as_begun(draft, start), where.urls[0]))
            return

        if dry_run:
            _only_show(acting, where, draft.matchers)
            return
        tell(headline(draft, acting.now(where), later=bool(start)))
        asking = Question(where=where, matchers=draft.matchers, seconds=ends - starts, yes=yes, hides=hides)
        approve(acting, asking)
        outcome = acting.create(draft)
    write_ids([outcome])
    report([outcome])


def _only_show(acting: Acting, where: AlertmanagerCluster, matchers: Matchers) -> None:
    radius, past = acting.look(where, matchers)
    write_text(f"{preview(radius, past)}\n")
    if radius.known and not radius.alerts and (near := near_lines(acting, where, matchers)):
        tell(near)
    if not radius.known:
        raise Finished(ExitCode.FAILED)


def _times(start: str, end: str, seconds: float, now: float) -> tuple[float, float]:
    """When it begins and ends, seconds since the epoch. Raises UsageError."""
    starts = instant(start, "--start", now) if start else now
    ends = instant(end, "--end", now) if end else starts + seconds
    if ends <= starts:
        raise UsageError("it would end before it starts", hint="give an --end behind the --start")
    return starts, ends


def _as_begun(draft: Silence, start: str) -> Silence:
    """The draft as a command shows it: with its start only when that was asked for."""
    return msgspec.structs.replace(draft, status=SilenceStatus("pending" if start else "active"))


app.command("edit")(edit)
app.command("extend")(extend)
app.command("expire")(expire)
app.command("recreate")(recreate)
app.command("templates")(templates)
app.command("export")(export)
app.command("import")(import_)
