"""`opsconsole silence edit`, `extend` and `recreate`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_common import (
    MATCHERS_HELP,
    IdArgument,
    ShowOption,
    by_id,
    headline,
    instant,
    instant_of,
    show,
    write_ids,
)
from opsconsole.cli.silence_preview import HidesOption, Question, approve
from opsconsole.cli.silence_words import matchers_of
from opsconsole.config.discover import Options
from opsconsole.errors import Refused, UsageError
from opsconsole.model.radius import refuse_everything
from opsconsole.model.silence_changes import changes_between
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.render.silence_commands import add_commands, edit_commands
from opsconsole.render.times import parse_duration
from opsconsole.text import safe, safe_block

CommentOption = Annotated[
    str, typer.Option("--comment", "-c", metavar="TEXT", help="The new comment.", show_default=False)
]
EndOption = Annotated[
    str,
    typer.Option(
        "--until",
        "--end",
        metavar="TIME",
        help="The new end: 2026-01-02T05:12:00+01:00 as for amtool, 05:12, or 2h from now.",
        show_default=False,
    ),
]


@connected
def edit(
    options: Options,
    id: IdArgument,
    matchers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MATCHER...]", help=f"The new matchers, all of them, in place of the old. {MATCHERS_HELP}"
        ),
    ] = None,
    comment: CommentOption = "",
    duration: Annotated[
        str,
        typer.Option(
            "--duration",
            "-d",
            metavar="DURATION",
            help="How long from now it lasts, or from its start while it is pending; amtool: from its start.",
            show_default=False,
        ),
    ] = "",
    until: EndOption = "",
    yes: YesOption = False,
    hides: HidesOption = "",
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Change the matchers, the end or the comment of a silence; its id on standard output.

    Other matchers give it a new id, and the old one is expired. When somebody else has changed it while you were
    asked, nothing is written and the difference is shown. The new one is signed with your name.
    """
    if duration and until:
        raise UsageError("--duration and --until both say when it ends", hint="leave one out")
    if not (matchers or comment.strip() or duration or until):
        raise UsageError("nothing to change", hint="give matchers, --comment, --duration or --until")
    with Acting(options, writes=not show_command) as acting:
        before = _standing(acting, cluster, id)
        where = acting.one(before.cluster)
        now = acting.now(where)
        wanted = msgspec.structs.replace(before, ends_at=_end(before, duration, until, now))
        if matchers:
            wanted = msgspec.structs.replace(wanted, matchers=matchers_of(matchers))
            refuse_everything(wanted.matchers)
        if comment.strip():
            nonce = f" [op={before.op}]" if before.op else ""
            wanted = msgspec.structs.replace(wanted, comment=safe_block(f"{comment.strip()}{nonce}"))
        if show_command:
            show(acting, edit_commands(before, wanted, where.urls[0]))
            return
        tell("\n".join(map(str, changes_between(before, wanted))) or "nothing changes")
        asking = Question(
            where=where,
            matchers=wanted.matchers,
            seconds=wanted.ends - now if wanted.ends > before.ends or wanted.matchers != before.matchers else 0,
            yes=yes,
            hides=hides,
            stands=wanted.matchers == before.matchers,
        )
        approve(acting, asking)
        outcome = acting.run(acting.runner.edit(before, wanted))
    write_ids([outcome])
    report([outcome])


@connected
def extend(
    options: Options,
    id: IdArgument,
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="How much later it ends: 30m, 2h, 1h30m.")],
    yes: YesOption = False,
    hides: HidesOption = "",
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Let a silence end later by a duration; its id on standard output.

    When somebody else has changed it while you were asked, nothing is written and the difference is shown.
    """
    seconds = parse_duration(duration)
    if seconds <= 0:
        raise UsageError("it must be later than it is now", hint="to end it now: opsconsole silence expire ID")
    with Acting(options, writes=not show_command) as acting:
        before = _standing(acting, cluster, id)
        where = acting.one(before.cluster)
        until = before.ends + seconds
        wanted = msgspec.structs.replace(before, ends_at=instant_of(until))
        if show_command:
            show(acting, edit_commands(before, wanted, where.urls[0]))
            return
        tell("\n".join(map(str, changes_between(before, wanted))))
        lasts = until - acting.now(where)
        standing = Question(
            where=where, matchers=wanted.matchers, seconds=lasts, yes=yes, hides=hides, stands=True
        )
        approve(acting, standing)
        outcome = acting.run(acting.runner.extend(before, until))
    write_ids([outcome])
    report([outcome])


@connected
def recreate(
    options: Options,
    id: IdArgument,
    duration: Annotated[
        str,
        typer.Option(
            "--duration",
            "-d",
            metavar="DURATION",
            help="How long; as long as before if left out.",
            show_default=False,
        ),
    ] = "",
    comment: CommentOption = "",
    yes: YesOption = False,
    hides: HidesOption = "",
    show_command: ShowOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Create a silence that has expired again, as a new one from now on; its id on standard output.

    What it would hide now is shown first.
    """
    with Acting(options, writes=not show_command) as acting:
        (old,) = by_id(acting, acting.chosen(cluster), [id])
        if old.status.state != "expired":
            raise Refused(
                f"it is {safe(old.status.state, 20)}: it has not expired; nothing was done",
                hint="opsconsole silence extend ID DURATION",
            )
        where = acting.one(old.cluster)
        now = acting.now(where)
        seconds = parse_duration(duration) if duration else _lasted(old)
        if seconds <= 0:
            raise UsageError("a silence must last longer than nothing", hint="--duration 30m")
        draft = _again(old, acting.user, now, seconds, comment)
        if show_command:
            show(acting, add_commands(draft, where.urls[0]))
            return
        tell(headline(draft, now))
        asking = Question(where=where, matchers=draft.matchers, seconds=seconds, yes=yes, hides=hides)
        approve(acting, asking)
        outcome = acting.create(draft, old.id)
    write_ids([outcome])
    report([outcome])


def _standing(acting: Acting, cluster: str, id: str) -> Silence:
    """The silence of that id. Raises Refused when it has expired, or is not there."""
    (found,) = by_id(acting, acting.chosen(cluster), [id])
    if found.status.state == "expired":
        raise Refused(
            f"silence {safe(id, 60)} has expired; nothing was done",
            hint=f"opsconsole silence recreate {safe(id, 60)}",
        )
    return found


def _again(old: Silence, user: str, now: float, seconds: float, comment: str) -> Silence:
    from opsconsole.actions.silence import draft_of, plain_comment  # it needs a while

    return msgspec.structs.replace(
        draft_of(old),
        starts_at=instant_of(now),
        ends_at=instant_of(now + seconds),
        created_by=safe(user, 200),
        comment=safe_block(comment.strip() or plain_comment(old)),
        status=SilenceStatus(),
    )


def _lasted(old: Silence) -> float:
    return float(max(60, round(old.ends - old.starts_at.timestamp())))


def _end(before: Silence, duration: str, until: str, now: float) -> datetime:
    if until:
        return instant_of(instant(until, "--until", now))
    if not duration:
        return before.ends_at
    seconds = parse_duration(duration)
    if seconds <= 0:
        raise UsageError("a silence must last longer than nothing", hint="--duration 30m")
    return instant_of(max(now, before.starts_at.timestamp()) + seconds)
