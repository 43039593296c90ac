"""`opsconsole silence`: silences for people and scripts without the screens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_preview import approve, confirm, counted, preview
from opsconsole.cli.silence_words import add_commands, expire_commands, matchers_of
from opsconsole.cli.tables import CELL, write_json, write_silences, write_text
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.config.discover import Options
from opsconsole.errors import Refused, SourceError, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matchers, format_matchers
from opsconsole.model.radius import refuse_everything
from opsconsole.model.silences import Silence
from opsconsole.render.times import format_duration, parse_duration
from opsconsole.text import SafeText, safe, safe_block

app = typer.Typer(help="List, add, expire, export and import silences.", no_args_is_help=True)

_STATES = ("active", "pending", "expired", "all")

MatchersArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="MATCHER...",
        help="alertname=HighLatency 'route=~/api/.*': one matcher an argument, as for amtool; a first word alone "
        "is an alertname.",
    ),
]
ShowOption = Annotated[
    bool,
    typer.Option("--show-command", help="Print the amtool and curl commands that do the same, and do nothing."),
]


@app.command("list")
@connected
def list_(
    options: Options,
    matchers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MATCHER...]", help="Only silences that have each of these matchers."),
    ] = None,
    creator: Annotated[str, typer.Option(metavar="NAME", help="Only this creator's.", show_default=False)] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE", help=f"{', '.join(_STATES)}; may be repeated. Active and pending if left out."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    cluster: ClusterOption = "",
) -> None:
    """List the silences, the one that ends first on top."""
    wanted = set(matchers_of(matchers or ()))
    states = set(state or ("active", "pending"))
    if unknown := states.difference(_STATES):
        raise UsageError(f"there is no state {safe(min(unknown), 40)}", hint=f"states: {', '.join(_STATES)}")
    with Acting(options, writes=False) as acting:
        user = safe(acting.user, 200)
        shown = [
            s
            for s in acting.silences(acting.chosen(cluster))
            if (s.status.state in states or "all" in states)
            and wanted <= set(s.matchers)
            and (not creator or s.created_by == safe(creator))
            and (not mine or s.created_by == user)
        ]
    shown.sort(key=lambda s: (s.ends_at, s.id))
    if as_json:
        write_json(shown)
        return
    write_silences(shown)


@app.command("add")
@connected
def add(
    options: Options,
    matchers: MatchersArgument,
    comment: Annotated[str, typer.Option("--comment", "-c", metavar="TEXT", help="Why, for whoever reads it.")],
    duration: Annotated[
        str, typer.Option("--duration", "-d", metavar="DURATION", help="30m, 2h, 1h30m, 3d.")
    ] = "1h",
    author: Annotated[
        str,
        typer.Option(
            "--author", "-a", metavar="NAME", help="In whose name, yours if left out.", show_default=False
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would hide now.")] = False,
    yes: YesOption = False,
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Add a silence, after showing what it hides now; its id on standard output.

    It is read back before it counts as done, and journalled. Without a terminal it needs --yes; so does a silence
    that hides nothing now.
    """
    wanted = matchers_of(matchers)
    refuse_everything(wanted)
    seconds = parse_duration(duration)
    if seconds <= 0:
        raise UsageError("a silence must last longer than nothing", hint="--duration 30m")
    if not comment.strip():
        raise UsageError("the comment is empty", hint="say why, for whoever reads it next")
    with Acting(options, writes=not (dry_run or show_command)) as acting:
        where = acting.one(cluster)
        if show_command:
            _show(acting, add_commands(_draft(acting, where, wanted, seconds, comment, author), where.urls[0]))
            return

        def hidden_now() -> tuple[Alert, ...]:
            return acting.hidden_by(where, wanted)

        hidden = hidden_now()
        if dry_run:
            write_text(f"{preview(hidden)}\n")
            return
        tell(f"{safe(format_matchers(wanted), CELL)} for {format_duration(seconds)}\n{preview(hidden)}")
        if not yes:
            approve(hidden, hidden_now, seconds)
        outcome = acting.create(_draft(acting, where, wanted, seconds, comment, author))
    _write_ids([outcome])
    report([outcome])


@app.command("expire")
@connected
def expire(
    options: Options,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `silence list` prints them.")],
    yes: YesOption = False,
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Expire silences, all of them or, when one is not known, none.

    One that has ended already is no error.
    """
    with Acting(options, writes=not show_command) as acting:
        if show_command:
            url = acting.one(cluster).urls[0]
            _show(acting, "\n".join(expire_commands(id, url) for id in ids))
            return
        found = _by_id(acting, acting.chosen(cluster), ids)
        ended = [s for s in found if s.status.state == "expired"]
        live = [s for s in found if s.status.state != "expired"]
        for silence in ended:
            tell(f"{safe(silence.id, 60)} has ended already")
        for silence in live:
            tell(f"{safe(silence.id, 60)} {safe(format_matchers(silence.matchers), CELL)} by {silence.owner}")
            tell(f"  comes back: {_coming_back(acting, silence)}")
        if live and not yes:
            confirm(f"Expire {'it' if len(live) == 1 else f'these {len(live)}'}? Type yes: ", ("yes", "y"))
        outcomes = [acting.run(acting.runner.expire(silence)) for silence in live]
    report(outcomes)


@app.command("export")
@connected
def export(
    options: Options,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="All that have not expired if left out.")
    ] = None,
    cluster: ClusterOption = "",
) -> None:
    """Print silences as amtool's JSON, for `silence import` and `amtool silence import`."""
    from opsconsole.cli.silence_file import amtool_json  # as in Acting.runner

    with Acting(options, writes=False) as acting:
        clusters = acting.chosen(cluster)
        if ids:
            found = _by_id(acting, clusters, ids)
        else:
            found = [s for s in acting.silences(clusters) if s.status.state != "expired"]
    write_json(amtool_json(sorted(found, key=lambda s: (s.ends_at, s.id))))


@app.command("import")
@connected
def import_(
    options: Options,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="amtool's JSON; - is standard input.")],
    cluster: ClusterOption = "",
) -> None:
    """Create the silences of a file of amtool's JSON; the new ids on standard output.

    Each gets a new id and keeps its creator, comment and end. What has ended and what exists already is skipped.
    """
    from opsconsole.cli.silence_file import missing, read_silences

    read = read_silences(file)
    with Acting(options) as acting:
        where = acting.one(cluster)
        drafts, skipped = missing(read, acting.silences((where,)), where.name, datetime.now(UTC))
        for reason in skipped:
            tell(reason)
        outcomes = []
        for draft in drafts:
            outcome = acting.create(draft)
            _write_ids([outcome])
            outcomes.append(outcome)
    done = sum(outcome.result is Result.DONE for outcome in outcomes)
    tell(f"imported {done:,} of {len(read):,}, skipped {len(skipped):,}")
    report(outcomes)


def _draft(
    acting: Acting, where: AlertmanagerCluster, matchers: Matchers, seconds: float, comment: str, author: str
) -> Silence:
    now = acting.clock.now()
    return Silence(
        matchers=matchers,
        starts_at=datetime.fromtimestamp(round(now, 3), UTC),
        ends_at=datetime.fromtimestamp(round(now + seconds, 3), UTC),
        created_by=safe(author.strip() or acting.user, 200),
        comment=safe_block(comment.strip()),
        cluster=where.name,
    )


def _by_id(acting: Acting, clusters: tuple[AlertmanagerCluster, ...], ids: list[str]) -> list[Silence]:
    """The silences of these ids, in their order. Raises Refused for the first that no cluster knows."""

    async def ask(id: str) -> Silence | None:
        replies = await asyncio.gather(*(cluster.silence(id) for cluster in clusters))
        return next((silence for silence in replies if silence is not None), None)

    found: list[Silence] = []
    for id in dict.fromkeys(ids):
        silence = acting.run(ask(id))
        if silence is None:
            raise Refused(f"there is no silence {safe(id, 60)}; nothing was done", hint="opsconsole silence list")
        found.append(silence)
    return found


def _coming_back(acting: Acting, silence: Silence) -> SafeText:
    """The alerts that nothing but this silence hides. Not knowing keeps nobody from expiring it."""
    try:
        hidden = acting.hidden_by(acting.one(silence.cluster), silence.matchers)
    except SourceError as error:
        return safe(f"UNKNOWN: {error.message}", 300)
    return counted([a for a in hidden if a.status.silenced_by == (silence.id,) and not a.status.inhibited_by])


def _show(acting: Acting, commands: str) -> None:
    write_text(f"{commands}\n")
    if any(
        member.http.basic_auth or member.http.authorization
        for c in acting.context.alertmanager
        for member in c.members
    ):
        tell("The credentials are left out: amtool takes them with --http.config.file, curl with --config.")


def _write_ids(outcomes: list[Outcome]) -> None:
    write_text("".join(f"{safe(o.silence_id)}\n" for o in outcomes if o.result is Result.DONE))
