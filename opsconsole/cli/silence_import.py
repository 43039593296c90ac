"""`opsconsole silence import`: what a file's silences hide is shown first, as for one that is typed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_common import ShowOption, instant_of, show, write_ids
from opsconsole.cli.silence_preview import HidesOption, Question, preview, until_confirmed
from opsconsole.cli.tables import CELL
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.config.discover import Options
from opsconsole.errors import UsageError
from opsconsole.model.journal import Result
from opsconsole.model.matchers import format_matchers
from opsconsole.model.pastradius import Past, unknown
from opsconsole.model.radius import Radius, reasons, refuse_everything
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import import_commands
from opsconsole.text import safe, trusted

FileArgument = Annotated[
    str, typer.Argument(metavar="[FILE|-]", help="amtool's JSON; - is standard input, and so is nothing.")
]
_MANY = 20
"""Silences for which Prometheus is asked about the last week; for more it is not: each is a query of a week."""


@connected
def import_(
    options: Options,
    file: FileArgument = "-",
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Create what exists already once more, as amtool does.")
    ] = False,
    yes: YesOption = False,
    hides: HidesOption = "",
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Create the silences of a file of amtool's JSON; the new ids on standard output.

    Each gets a new id and keeps its creator, comment and end. What has ended and what exists already is skipped.
    What each hides is shown. When together they hide a critical alert or many, or one lasts long, that is
    confirmed by typing how many alerts they hide, or by --yes with --hides.
    """
    from opsconsole.cli.silence_file import missing, read_silences  # it imports the actions, which need a while

    read = read_silences(file)
    with Acting(options, writes=not show_command) as acting:
        where = acting.one(cluster)
        there: Sequence[Silence] = () if force else acting.silences((where,))
        drafts, skipped = missing(read, there, where.name, instant_of(acting.now(where)), twice=force)
        for reason in skipped:
            tell(reason)
        if show_command:
            show(acting, import_commands(file, drafts, where.urls[0]))
            return
        _approve(acting, where, drafts, yes=yes, hides=hides)
        outcomes = []
        for draft in drafts:
            outcome = acting.create(draft)
            write_ids([outcome])
            outcomes.append(outcome)
    done = sum(outcome.result is Result.DONE for outcome in outcomes)
    tell(f"imported {done:,} of {len(read):,}, skipped {len(skipped):,}")
    report(outcomes)


def _approve(
    acting: Acting, where: AlertmanagerCluster, drafts: Sequence[Silence], *, yes: bool, hides: str
) -> None:
    """Show what each hides, and ask when that or its length needs a person. Raises as `approve`."""
    taken = [draft for draft in drafts if not _is_everything(draft)]  # the others are refused one by one
    if not taken:
        return
    found = [acting.hidden_by(where, draft.matchers) for draft in taken]
    for draft, radius, past in zip(taken, found, _past(acting, taken), strict=True):
        words = safe(format_matchers(draft.matchers), CELL)
        tell(f"{words} until {draft.ends_at:%Y-%m-%d %H:%M} UTC, by {draft.owner}: {draft.reason}")
        tell("\n".join(f"  {line}" for line in preview(radius, past).splitlines()))
    together = _together(found)
    seconds = max(draft.ends for draft in taken) - acting.now(where)
    harmless = not reasons(together, seconds, acting.context.limits)
    asked = Question(where=where, matchers=(), seconds=seconds, yes=yes or harmless, hides=hides)
    until_confirmed(
        acting, asked, together, lambda: _together([acting.hidden_by(where, d.matchers) for d in taken])
    )


def _is_everything(draft: Silence) -> bool:
    try:
        refuse_everything(draft.matchers)
    except UsageError:
        return True
    return False


def _past(acting: Acting, drafts: Sequence[Silence]) -> list[Past]:
    if len(drafts) > _MANY:
        return [unknown(f"it is not asked about more than {_MANY} silences")] * len(drafts)

    async def ask() -> list[Past]:
        return list(await asyncio.gather(*(acting.past(draft.matchers) for draft in drafts)))

    return acting.run(ask())


def _together(found: Sequence[Radius]) -> Radius:
    alerts = {alert.fingerprint: alert for radius in found for alert in radius.alerts}
    why = next((radius.why for radius in found if not radius.known), trusted(""))
    return Radius(tuple(alerts.values()), why)
