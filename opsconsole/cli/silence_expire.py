"""`opsconsole silence expire`: by id, or all that a question finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_common import ShowOption, by_id, coming_back, show
from opsconsole.cli.silence_preview import confirm
from opsconsole.cli.silence_words import matchers_of
from opsconsole.cli.tables import CELL
from opsconsole.config.discover import Options
from opsconsole.errors import Refused, UsageError
from opsconsole.model.matchers import format_matchers
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import expire_commands
from opsconsole.render.times import ago
from opsconsole.text import safe, trusted


@connected
def expire(
    options: Options,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="As `silence list` prints them.")
    ] = None,
    matcher: Annotated[
        list[str] | None,
        typer.Option(
            "--matcher",
            metavar="MATCHER",
            help="All that have this matcher; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    creator: Annotated[
        str,
        typer.Option("--creator", "--created-by", metavar="NAME", help="All of this creator.", show_default=False),
    ] = "",
    mine: Annotated[bool, typer.Option("--mine", help="All of your own.")] = False,
    yes: YesOption = False,
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Expire silences, all of them or, when one is not known, none; undone as a whole.

    With --matcher, --creator or --mine all that have not ended and pass each of them. They are listed with the
    alerts that come back before you are asked. One that has ended already is no error.
    """
    questions = bool(matcher or creator or mine)
    if bool(ids) == questions:
        raise UsageError("name ids, or ask for silences with --matcher, --creator or --mine")
    with Acting(options, writes=not show_command) as acting:
        if ids and show_command:
            show(acting, expire_commands(ids, acting.one(cluster).urls[0]))
            return
        clusters = acting.chosen(cluster)
        found = by_id(acting, clusters, ids) if ids else _asked(acting, cluster, matcher or (), creator, mine)
        if show_command:
            show(acting, expire_commands([s.id for s in found], acting.one(cluster).urls[0]))
            return
        for silence in found:
            if silence.status.state == "expired":
                tell(f"{safe(silence.id, 60)} has ended already")
        live = [s for s in found if s.status.state != "expired"]
        _tell(acting, live)
        if live and not yes:
            confirm(f"Expire {'it' if len(live) == 1 else f'these {len(live)}'}? Type yes: ", ("yes", "y"))
        outcomes = acting.run(acting.runner.expire_all(live)) if live else ()
    report(outcomes)


def _asked(acting: Acting, cluster: str, matcher: Sequence[str], creator: str, mine: bool) -> list[Silence]:
    wanted = set(matchers_of(matcher))
    author = safe(acting.user, 200) if mine else safe(creator)
    if mine and creator and safe(creator) != author:
        raise UsageError("--mine and --creator name two people", hint="leave one out")
    found = [
        s
        for s in acting.silences(acting.chosen(cluster))
        if s.status.state != "expired" and wanted <= set(s.matchers) and (not author or s.created_by == author)
    ]
    if not found:
        raise Refused(
            "no silence that has not ended is like that; nothing was done", hint="opsconsole silence list"
        )
    return sorted(found, key=lambda s: (s.ends_at, s.id))


def _tell(acting: Acting, live: Sequence[Silence]) -> None:
    for silence in live:
        words = format_matchers(silence.matchers)
        rest = ago(silence.ends - acting.now_at(silence.cluster))
        tell(f"{safe(silence.id, 60)} {safe(words, CELL)} by {silence.owner}, ends in {rest}: {silence.reason}")
        if len(live) == 1:
            tell(f"  comes back: {coming_back(acting, live)}")
    for name in dict.fromkeys(s.cluster for s in live if len(live) > 1):
        several = len({s.cluster for s in live}) > 1
        where = trusted(f" in {safe(name, 40)}") if several else ""
        tell(f"comes back{where}: {coming_back(acting, [s for s in live if s.cluster == name])}")
