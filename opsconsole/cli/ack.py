"""`opsconsole ack`: say who has an alert, without the screens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_preview import confirm, counted, described, past_line
from opsconsole.cli.silence_words import matchers_of
from opsconsole.cli.tables import write_text
from opsconsole.config.discover import Options
from opsconsole.errors import Refused, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Result
from opsconsole.model.matchers import Matchers, exact_matchers
from opsconsole.model.pastradius import Past
from opsconsole.model.radius import radius_of, refuse_everything
from opsconsole.render.silence_commands import add_commands
from opsconsole.text import SafeText, safe, trusted

if TYPE_CHECKING:
    from opsconsole.actions.ack import AckPlan

_FINGERPRINT = re.compile(r"[0-9a-f]{6,16}")


@connected
def ack(
    options: Options,
    alerts: Annotated[
        list[str],
        typer.Argument(
            metavar="FINGERPRINT|MATCHER...",
            help="Fingerprints, as `opsconsole alerts --json` prints them, or their first characters, at least 6; "
            "or matchers as for `silence add`.",
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", "-r", metavar="TEXT", help="What you are doing about it.")
    ] = "looking",
    yes: YesOption = False,
    show_command: Annotated[
        bool,
        typer.Option(
            "--show-command", help="Print the amtool and curl commands that do the same, and do nothing."
        ),
    ] = False,
    cluster: ClusterOption = "",
) -> None:
    """Acknowledge alerts for 15 minutes: several by one silence when Alertmanager says that it hides exactly them,
    else by one each. The ids on standard output.

    A console of yours that is open, `opsconsole acks keep` or kthxbye extends it while the alert fires. Matchers
    take the alerts that are active and nobody has; several are confirmed first, without a terminal by --yes.
    """
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say what you are doing about it")
    by_fingerprint = all(_FINGERPRINT.fullmatch(word) for word in alerts)
    matchers: Matchers = () if by_fingerprint else matchers_of(alerts)
    if not by_fingerprint:
        refuse_everything(matchers)
    with Acting(options, writes=not show_command) as acting:
        if by_fingerprint:
            found = _with_fingerprints(acting, cluster, list(dict.fromkeys(alerts)))
        else:
            found = _matching(acting, cluster, matchers)
        plan = _plan(acting, found)
        tell("\n".join(described(alert) for alert in found))
        tell(f"  {plan.why}")
        if show_command:
            for commands in _commands(acting, found, plan, reason):
                write_text(f"{commands}\n")
            return
        if len(found) > acting.context.limits.confirm_above and not yes:
            confirm(f"Acknowledge these {counted(found)}? Type the number of alerts: ", (str(len(found)),))
        elif len(found) > 1 and not yes:
            confirm(f"Acknowledge these {counted(found)}? Type yes: ", ("yes", "y"))
        outcomes = acting.run(acting.runner.ack_all(found, reason, one=plan.is_one))
        for outcome in outcomes:
            if outcome.result is Result.DONE:
                write_text(f"{safe(outcome.silence_id)}\n")
    report(outcomes)


def _plan(acting: Acting, alerts: list[Alert]) -> AckPlan:
    from opsconsole.actions.ack import plan_with  # only here: asking for help needs no database

    known = {one.name: one for one in acting.clusters}
    return acting.run(plan_with(known.__getitem__, alerts))


def _commands(acting: Acting, alerts: list[Alert], plan: AckPlan, reason: str) -> Iterator[SafeText]:
    """The commands of each silence. Its comment has no nonce, so kthxbye extends it and no console does."""
    from opsconsole.actions.ack import draft_ack

    urls = {one.name: one.urls[0] for one in acting.clusters}
    sets = [plan.matchers] if plan.is_one else [exact_matchers(alert.labels) for alert in alerts]
    clocks = {one.name: acting.now(one) for one in acting.clusters}
    policy = acting.context.acks
    for alert, matchers in zip(alerts, sets, strict=False):
        draft = draft_ack(
            matchers, user=acting.user, reason=reason, op="", now=clocks[alert.cluster], policy=policy
        )
        yield trusted(add_commands(draft, urls[alert.cluster]))


def _with_fingerprints(acting: Acting, cluster: str, wanted: list[str]) -> list[Alert]:
    every = _ask(acting, cluster, ())
    chosen: dict[str, Alert] = {}
    for word in wanted:
        found = [alert for alert in every if alert.fingerprint.startswith(word)]
        fingerprints = sorted({alert.fingerprint for alert in found})
        if not found:
            what = "the fingerprint" if len(word) == 16 else "a fingerprint that begins with"
            hint = "" if len(word) == 16 else f"if it is a name, write alertname={word}"
            raise Refused(f"no alert has {what} {word} now; nothing was done", hint=hint)
        if len(fingerprints) > 1:
            names = ", ".join(fingerprints[:5])
            raise UsageError(f"{word} begins {len(fingerprints)} fingerprints", hint=f"write more of it: {names}")
        if len(found) > 1:
            names = ", ".join(safe(alert.cluster, 40) for alert in found)
            raise UsageError(f"{fingerprints[0]} fires in several clusters", hint=f"say --cluster: {names}")
        chosen[found[0].fingerprint] = found[0]
    return list(chosen.values())


def _matching(acting: Acting, cluster: str, matchers: Matchers) -> list[Alert]:
    found = _ask(acting, cluster, matchers)
    active = [alert for alert in found if not (alert.status.silenced_by or alert.status.inhibited_by)]
    if not active:
        also = (
            f"; {len(found):,} {'is' if len(found) == 1 else 'are'} silenced, acknowledged or inhibited"
            if found
            else ""
        )
        raise Refused(f"no active alert matches{also}; nothing was done")
    if len(active) < len(found):
        tell(f"left out: {len(found) - len(active):,} silenced, acknowledged or inhibited already")
    return sorted(active, key=lambda alert: (alert.severity, alert.since, alert.fingerprint))


def _ask(acting: Acting, cluster: str, matchers: Matchers) -> list[Alert]:
    """The alerts of the chosen clusters; for matchers the last week is told, asked at the same time."""
    clusters = acting.chosen(cluster)

    async def ask() -> tuple[list[Alert], list[object], Past | None]:
        work = asyncio.gather(*(one.alerts(matchers) for one in clusters))
        replies, past = await asyncio.gather(work, acting.past(matchers) if matchers else _no_past())
        return [a for reply in replies for a in reply.data], [f for r in replies for f in r.failures], past

    found, failures, past = acting.run(ask())
    radius = radius_of(found, failures)
    if not radius.known:
        tell(f"UNKNOWN whether these are all: {radius.why}")
    if past is not None:
        tell(past_line(past, radius))
    return found


async def _no_past() -> None:
    """One alert by its fingerprint has no week to tell of."""
