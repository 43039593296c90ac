"""`opsconsole ack`: say who has an alert, without the screens."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

import typer

from opsconsole.cli.acting import Acting, ClusterOption, YesOption, report, tell
from opsconsole.cli.options import connected
from opsconsole.cli.silence_preview import confirm, counted, described
from opsconsole.cli.silence_words import matchers_of
from opsconsole.cli.tables import write_text
from opsconsole.config.discover import Options
from opsconsole.errors import Refused, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Result
from opsconsole.model.matchers import Matchers
from opsconsole.model.radius import refuse_everything
from opsconsole.text import safe

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@connected
def ack(
    options: Options,
    alerts: Annotated[
        list[str],
        typer.Argument(
            metavar="FINGERPRINT|MATCHER...",
            help="Fingerprints, as `opsconsole alerts --json` prints them, or matchers as for `silence add`.",
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="What you are doing about it.")],
    yes: YesOption = False,
    cluster: ClusterOption = "",
) -> None:
    """Acknowledge alerts for 15 minutes, each by a silence on exactly it; their ids on standard output.

    A console of yours that is open, or kthxbye, extends it while the alert fires. Matchers take the alerts that
    are active and nobody has; several of them are confirmed first, without a terminal by --yes.
    """
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say what you are doing about it")
    by_fingerprint = all(_FINGERPRINT.fullmatch(word) for word in alerts)
    matchers: Matchers = () if by_fingerprint else matchers_of(alerts)
    if not by_fingerprint:
        refuse_everything(matchers)
    with Acting(options) as acting:
        if by_fingerprint:
            found = _with_fingerprints(acting, cluster, list(dict.fromkeys(alerts)))
        else:
            found = _matching(acting, cluster, matchers)
        tell("\n".join(described(alert) for alert in found))
        if len(found) > 1 and not yes:
            confirm(f"Acknowledge these {counted(found)}? Type yes: ", ("yes", "y"))
        outcomes = []
        for alert in found:
            outcome = acting.run(acting.runner.ack(alert, reason))
            if outcome.result is Result.DONE:
                write_text(f"{safe(outcome.silence_id)}\n")
            outcomes.append(outcome)
    report(outcomes)


def _with_fingerprints(acting: Acting, cluster: str, wanted: list[str]) -> list[Alert]:
    known: dict[str, list[Alert]] = {}
    for alert in _ask(acting, cluster, ()):
        known.setdefault(alert.fingerprint, []).append(alert)
    for fingerprint in wanted:
        if fingerprint not in known:
            raise Refused(f"no alert has the fingerprint {fingerprint} now; nothing was done")
        if len(known[fingerprint]) > 1:
            names = ", ".join(safe(alert.cluster, 40) for alert in known[fingerprint])
            raise UsageError(f"{fingerprint} fires in several clusters", hint=f"say --cluster: {names}")
    return [known[fingerprint][0] for fingerprint in wanted]


def _matching(acting: Acting, cluster: str, matchers: Matchers) -> list[Alert]:
    found = _ask(acting, cluster, matchers)
    active = [alert for alert in found if not (alert.status.silenced_by or alert.status.inhibited_by)]
    if not active:
        also = f"; {len(found):,} are silenced, acknowledged or inhibited" if found else ""
        raise Refused(f"no active alert matches{also}; nothing was done")
    if len(active) < len(found):
        tell(f"left out: {len(found) - len(active):,} silenced, acknowledged or inhibited already")
    return sorted(active, key=lambda alert: (alert.severity, alert.since, alert.fingerprint))


def _ask(acting: Acting, cluster: str, matchers: Matchers) -> list[Alert]:
    clusters = acting.chosen(cluster)
    found: list[Alert] = []

    async def ask() -> None:
        for reply in await asyncio.gather(*(one.alerts(matchers) for one in clusters)):
            found.extend(reply.data)

    acting.run(ask())
    return found
