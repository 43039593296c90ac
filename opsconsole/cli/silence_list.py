"""`opsconsole silence list` and `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption
from opsconsole.cli.options import connected
from opsconsole.cli.silence_common import ShowOption, by_id, show
from opsconsole.cli.silence_words import matchers_of
from opsconsole.cli.tables import write_json, write_silences, write_text
from opsconsole.config.discover import Options
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matchers
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import query_commands
from opsconsole.render.times import parse_duration
from opsconsole.text import safe

STATES = ("active", "pending", "expired", "all")


@connected
def list_(
    options: Options,
    matchers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MATCHER...]", help="Only silences that have each of these matchers."),
    ] = None,
    creator: Annotated[
        str,
        typer.Option("--creator", "--created-by", metavar="NAME", help="Only this creator's.", show_default=False),
    ] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE", help=f"{', '.join(STATES)}; may be repeated. Active and pending if left out."
        ),
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Those that have expired, and no others.")] = False,
    within: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="Only those that end within this time; with --expired, that have ended within it.",
            show_default=False,
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the ids only, one a line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """List the silences, the one that ends first on top. Takes what `amtool silence query` takes."""
    wanted = matchers_of(matchers or ())
    if expired and state:
        raise UsageError("--expired and --state say the same", hint="leave one out")
    states = {"expired"} if expired else set(state or ("active", "pending"))
    if unknown := states.difference(STATES):
        raise UsageError(f"there is no state {safe(min(unknown), 40)}", hint=f"states: {', '.join(STATES)}")
    limit = parse_duration(within) if within else None
    with Acting(options, writes=False) as acting:
        author = safe(acting.user, 200) if mine else safe(creator)
        clusters = acting.chosen(cluster)
        if show_command:
            words = [f"--created-by={author}"] if author else []
            words += ["--expired"] if states == {"expired"} else []
            words += [f"--within={within}"] if within else []
            show(acting, query_commands(words, acting.one(cluster).urls[0], wanted))
            return
        shown = [
            s
            for s in acting.silences(clusters)
            if (s.status.state in states or "all" in states)
            and (not author or s.created_by == author)
            and _passes(s, wanted, limit, acting.now_at(s.cluster))
        ]
        shown.sort(key=lambda s: (s.ends_at, s.id))
        if as_json:
            write_json(shown)
        elif quiet:
            write_text("".join(f"{safe(s.id)}\n" for s in shown))
        else:
            write_silences(shown, acting.now_at, clusters=len(acting.clusters) > 1)


def _passes(silence: Silence, wanted: Matchers, limit: float | None, now: float) -> bool:
    if not set(wanted) <= set(silence.matchers):
        return False
    return limit is None or abs(silence.ends - now) <= limit


@connected
def export(
    options: Options,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="All that have not expired if left out.")
    ] = None,
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Print silences as amtool's JSON, for `silence import` and `amtool silence import`."""
    from opsconsole.cli.silence_file import amtool_json  # it imports the actions, which need a while

    with Acting(options, writes=False) as acting:
        clusters = acting.chosen(cluster)
        if show_command:
            show(acting, query_commands(["--output=json"], acting.one(cluster).urls[0]))
            return
        if ids:
            found = by_id(acting, clusters, ids)
        else:
            found = [s for s in acting.silences(clusters) if s.status.state != "expired"]
    write_json(amtool_json(sorted(found, key=lambda s: (s.ends_at, s.id))))
