"""`opsconsole flags plan`, `rollback` and `restore`."""

from __future__ import annotations

from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, YesOption, report, tell
from opsconsole.cli.flags_common import (
    KeyArgument,
    KindOption,
    Look,
    VersionOption,
    kind_of,
    look_at,
    provider_of,
    tell_doubt,
)
from opsconsole.cli.flags_watch import Recovering, parse_within, watch_recovery
from opsconsole.cli.options import connected
from opsconsole.cli.silence_preview import confirm
from opsconsole.cli.tables import write_json, write_text
from opsconsole.cli.wiring import context_info
from opsconsole.config.discover import Options
from opsconsole.errors import Refused
from opsconsole.model.flagchanges import propose
from opsconsole.model.flags import RollbackKind, RollbackPlan
from opsconsole.model.journal import Outcome, Result
from opsconsole.text import safe, safe_block

NameOption = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="FLAG",
        help="The flag's name once more: beside --yes, in production.",
        show_default=False,
    ),
]
AlertOption = Annotated[
    str,
    typer.Option(
        "--alert",
        metavar="NAME",
        help="The alert that it is about; the worst that fires if left out.",
        show_default=False,
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Then follow the alert's own expression until it holds no longer.")
]
WithinOption = Annotated[
    str, typer.Option("--within", metavar="DURATION", help="How long --watch follows it at most.")
]


@connected
def plan(
    options: Options,
    flag: KeyArgument,
    kind: KindOption = "",
    version: VersionOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a rollback of a flag would change, and write nothing.

    Exit code 0: there is something to roll back. 1: there is not, it is refused, or the flags cannot be read.
    """
    wanted = kind_of(kind, version)
    with Acting(options, writes=False, for_flags=True) as acting:
        look = look_at(acting)
        made, why = _planned(acting, look, flag, wanted, version)
        tell_doubt(look)
        if as_json:
            write_json({"plan": made, "kind": made.kind.name.lower(), "why": why})
            return
        tell(_headline(made, why))
        write_text(f"{made.diff.rstrip()}\n")


@connected
def rollback(
    options: Options,
    flag: KeyArgument,
    kind: KindOption = "",
    version: VersionOption = "",
    reason: Annotated[
        str,
        typer.Option("--reason", "-r", metavar="TEXT", help="Why, for the journal and the provider's log."),
    ] = "",
    yes: YesOption = False,
    name: NameOption = "",
    watch: WatchOption = False,
    alert: AlertOption = "",
    within: WithinOption = "10m",
) -> None:
    """Roll a flag back, after showing the diff. It is read back before it counts as done, and `flags restore`
    or `u` in the console takes it back.

    In production the flag's name is typed, or given by --name beside --yes. Exit code 0: done, and with --watch
    recovered. 1: refused, failed, or not known whether it happened. With --watch also 3: done, and not recovered
    in time; 4: done, and whether it recovered cannot be told.
    """
    wanted, seconds = kind_of(kind, version), parse_within(within)
    with Acting(options, for_flags=True) as acting:
        _begin_journal(acting)
        look = look_at(acting, alert=alert)
        made, why = _planned(acting, look, flag, wanted, version)
        tell_doubt(look)
        tell(_headline(made, why))
        tell(made.diff.rstrip())
        provider = provider_of(acting)
        if reason and not provider.capabilities.reason:
            tell(f"{safe(provider.name, 40)} has no place for the reason: it is in the journal only")
        _approve(acting, flag, "Roll it back", yes=yes, name=name)
        outcome = acting.run(acting.runner.rollback(made, reason))
        _told(outcome)
        if watch:
            watch_recovery(acting, Recovering(look=look, seconds=seconds))


@connected
def restore(
    options: Options,
    flag: KeyArgument,
    yes: YesOption = False,
    name: NameOption = "",
) -> None:
    """Bring back what stood before the last rollback of a flag, unless it was changed since.

    Exit code 0: restored. 1: refused, failed, or not known whether it happened.
    """
    with Acting(options, for_flags=True) as acting:
        provider_of(acting)
        made = acting.run(acting.runner.plan_restore(flag))
        tell(made.words)
        tell(made.diff.rstrip())
        _approve(acting, flag, "Restore it", yes=yes, name=name)
        _told(acting.run(acting.runner.restore(flag, made)))


def _begin_journal(acting: Acting) -> None:
    """Before a write the first look is journalled too, so that the change itself is told as ours."""
    provider_of(acting)
    acting.open_journal()


def _planned(
    acting: Acting, look: Look, key: str, kind: RollbackKind | None, version: str
) -> tuple[RollbackPlan, str]:
    """The plan, and why it is that kind, "" when it was asked for. Raises FlagError or ActionError."""
    found, why = look.flag(key), ""
    if kind is None:
        proposal = propose(found, look.changes, provider_of(acting).capabilities, look.onset)
        kind, why = proposal.kind, str(proposal.why)
    return acting.run(acting.planner.plan_rollback(key, kind, version, look.onset)), why


def _headline(plan: RollbackPlan, why: str) -> str:
    kind = f"{plan.kind.value}: " if plan.kind is RollbackKind.OFF else ""
    return str(safe_block(f"{kind}{plan.words}" + (f" ({why})" if why else "")))


def _approve(acting: Acting, key: str, what: str, *, yes: bool, name: str) -> None:
    """Ask; in production for the flag's name. Raises Refused, UsageError without a terminal, and Finished."""
    if name and name != key:
        raise Refused(f"--name says {safe(name, 80)}, and the flag is {safe(key, 80)}; nothing was done")
    if not context_info(acting.context).production:
        if not yes:
            confirm(f"{what}? Type yes: ", ("yes", "y"))
        return
    if not (yes and name):
        question = f"{what}? This is production. Type the flag's name: "
        confirm(question, (key.strip().lower(),), hint=f"in production use --yes --name {safe(key, 80)}")


def _told(outcome: Outcome) -> None:
    """The op on standard output, the rest on standard error. Raises Finished unless it is done."""
    if outcome.result is Result.DONE:
        write_text(f"{safe(outcome.op)}\n")
    report([outcome])
