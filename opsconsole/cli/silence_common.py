"""What the commands on silences share: arguments, finding silences by id, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, tell
from opsconsole.cli.silence_preview import counted
from opsconsole.cli.tables import CELL, write_text
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clock import LocalZone
from opsconsole.errors import BadQuery, Refused, SourceError, UsageError
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import format_matchers
from opsconsole.model.radius import coming_back as radius_coming_back
from opsconsole.model.silences import Silence
from opsconsole.render.times import exact, format_duration, parse_until
from opsconsole.text import SafeText, safe

MATCHERS_HELP = (
    "alertname=HighLatency 'route=~/api/.*': one matcher an argument, as for amtool; a first word alone is an "
    "alertname."
)
ShowOption = Annotated[
    bool,
    typer.Option("--show-command", help="Print the amtool and curl commands that do the same, and do nothing."),
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `silence list` prints it.")]


def by_id(acting: Acting, clusters: Sequence[AlertmanagerCluster], ids: Sequence[str]) -> list[Silence]:
    """The silences of these ids, in their order, each once. Raises Refused for the first that no cluster knows."""

    async def ask(id: str) -> Silence | None:
        try:
            replies = await asyncio.gather(*(cluster.silence(id) for cluster in clusters))
        except BadQuery as error:
            if error.status != 422:
                raise
            return None  # what is not like an id at all is no id of a silence
        return next((silence for silence in replies if silence is not None), None)

    found: list[Silence] = []
    for id in dict.fromkeys(ids):
        silence = acting.run(ask(id))
        if silence is None:
            raise Refused(f"there is no silence {safe(id, 60)}; nothing was done", hint="opsconsole silence list")
        found.append(silence)
    return found


def coming_back(acting: Acting, silences: Sequence[Silence]) -> SafeText:
    """The alerts that nothing but these silences of one cluster hides. Not knowing keeps nobody from expiring
    them."""
    where = acting.one(silences[0].cluster)
    try:
        found = [acting.hidden_by(where, silence.matchers) for silence in silences]
    except SourceError as error:
        return safe(f"UNKNOWN: {error.message}", 300)
    alerts = {alert.fingerprint: alert for radius in found for alert in radius.alerts}
    back = counted(radius_coming_back(alerts.values(), {silence.id for silence in silences}))
    why = next((radius.why for radius in found if not radius.known), "")
    return safe(f"UNKNOWN: {why}; known: {back}" if why else back, 500)


def show(acting: Acting, commands: str) -> None:
    """Print commands instead of acting, and say what they leave out."""
    write_text(f"{commands}\n")
    if any(
        member.http.basic_auth or member.http.authorization
        for c in acting.context.alertmanager
        for member in c.members
    ):
        tell("The credentials are left out: amtool takes them with --http.config.file, curl with --config.")


def headline(draft: Silence, now: float, *, later: bool = False) -> SafeText:
    """What is about to be made: for how long, and until when in local time and UTC; with its start when it starts
    `later`. `now` is by the server's clock."""
    lasts = format_duration(round(draft.ends - draft.starts_at.timestamp()))
    begins = f", from {exact(draft.starts_at.timestamp(), LocalZone(), now)}" if later else ""
    words = safe(format_matchers(draft.matchers), CELL)
    return safe(f"{words} for {lasts}{begins}, until {exact(draft.ends, LocalZone(), now)}", 1000)


def write_ids(outcomes: Sequence[Outcome]) -> None:
    """The ids of what was done, one a line."""
    write_text("".join(f"{safe(o.silence_id)}\n" for o in outcomes if o.result is Result.DONE))


def instant(text: str, option: str, now: float) -> float:
    """Seconds since the epoch of `2026-01-02T05:12:00+01:00`, as amtool has it, of `05:12` or of `2h`. What has
    no zone is local. Raises UsageError."""
    try:
        return parse_until(text, now, LocalZone())
    except UsageError as error:
        raise UsageError(
            f"{option}: {error.message}", hint="write 2h, 05:12 or 2026-01-02T05:12:00+01:00"
        ) from None


def instant_of(seconds: float) -> datetime:
    """An aware time of seconds since the epoch, to the millisecond as Alertmanager keeps it."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)
