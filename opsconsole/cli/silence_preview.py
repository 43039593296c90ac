"""What a silence hides, in words, and the question before it is made."""

from __future__ import annotations

import shlex
import sys
import termios
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import typer

from opsconsole.cli.acting import Acting, tell
from opsconsole.cli.finish import Finished
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.errors import ExitCode, Refused, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matchers
from opsconsole.model.nearest import nearest
from opsconsole.model.pastradius import Past, beside_now
from opsconsole.model.radius import UNKNOWN, Change, Radius, changed, reasons
from opsconsole.render.silence_commands import typable
from opsconsole.text import SafeText, safe, safe_block

_NAMED = 20
"""Criticals that are named one by one."""


HidesOption = Annotated[
    str,
    typer.Option(
        "--hides",
        metavar="N",
        help="How many alerts it hides now, or `unknown`: beside --yes, for one that must be typed otherwise.",
        show_default=False,
    ),
]


def counted(alerts: Sequence[Alert]) -> SafeText:
    """`3 alerts: 1 critical, 2 warning`, the worst first."""
    many = f"{len(alerts):,} alert{'' if len(alerts) == 1 else 's'}"
    counts = sorted(Counter(alert.severity for alert in alerts).items())
    return safe(f"{many}: " + ", ".join(f"{n:,} {severity.word}" for severity, n in counts) if counts else many)


def described(alert: Alert) -> SafeText:
    """Severity, name and the other labels, on one line."""
    others = " ".join(f"{n}={v}" for n, v in sorted(alert.labels.items()) if n not in ("alertname", "severity"))
    return safe(f"{alert.severity.word}: {alert.name}  {safe(others, 200)}".rstrip())


def preview(radius: Radius, past: Past | None = None) -> SafeText:
    """What is hidden now, by severity, criticals named; then the last week. What is not known is said."""
    lines: list[str] = []
    if not radius.known:
        lines.append(f"UNKNOWN what it hides: {radius.why}")
    if radius.alerts or not lines:
        label = "hides now" if radius.known else "known"
        lines.append(f"{label}: {counted(radius.alerts) if radius.alerts else 'no alert; is a matcher mistyped?'}")
    criticals = radius.criticals
    lines += [f"  {described(alert)}" for alert in criticals[:_NAMED]]
    if len(criticals) > _NAMED:
        lines.append(f"  and {len(criticals) - _NAMED:,} more that are critical")
    if past is not None:
        lines.append(past_line(past, radius))
    return safe_block("\n".join(lines))


def past_line(past: Past, radius: Radius) -> SafeText:
    """`last 7 days: 12 alerts (…)`, or why it is not known."""
    from opsconsole.render.past import past_text  # rich: only where something is previewed
    from opsconsole.render.theme import DARK

    beside = beside_now(past, len(radius.alerts) if radius.known else None)
    return safe(past_text(DARK, beside).plain, 1000)


def near_lines(acting: Acting, where: AlertmanagerCluster, matchers: Matchers) -> str:
    """The nearest matchers that hide something, as arguments, and what they would hide; "" when none is near."""
    known = acting.hidden_by(where, ())
    lines: list[str] = []
    for offer in nearest(matchers, known.alerts) if known.known else ():
        lines.append(f"{'or' if lines else 'nearest'}, would hide {counted(offer.alerts)}:")
        lines.append("  " + " ".join(shlex.quote(str(typable(matcher))) for matcher in offer.matchers))
        lines += [f"    {change}" for change in offer.changes]
    return "\n".join(lines)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be confirmed: these matchers for so many seconds, and what the command line says to it. One
    that stands already (`stands`) is only asked about because of its new end."""

    where: AlertmanagerCluster
    matchers: Matchers
    seconds: float
    yes: bool = False
    hides: str = ""
    stands: bool = False


def approve(acting: Acting, asked: Question) -> None:
    """Show what is hidden now and in the last week, and ask. A critical, many alerts, a far end, or not knowing
    asks for the number of alerts; without a terminal it is given by --hides, beside --yes.

    Asked again after the answer: when something else is hidden by then, that is shown and asked about. Raises
    Refused, UsageError without a terminal, and Finished for another answer.
    """
    radius, past = acting.look(asked.where, asked.matchers)
    tell(preview(radius, past))
    if radius.known and not radius.alerts and not asked.stands:
        if near := near_lines(acting, asked.where, asked.matchers):
            tell(near)
        if not asked.yes:
            raise Refused(
                "these matchers hide no alert now; nothing was done",
                hint="--yes silences what may come all the same",
            )
    until_confirmed(acting, asked, radius, lambda: acting.hidden_by(asked.where, asked.matchers))


def until_confirmed(acting: Acting, asked: Question, radius: Radius, look: Callable[[], Radius]) -> None:
    """Ask about what is hidden (`radius`) until the answer is to what is hidden then, which `look` tells.
    Raises as `approve`."""
    again = False
    while True:
        if asked.hides and asked.hides.strip().lower() != radius.answer:
            raise Refused(
                f"--hides says {safe(asked.hides, 20)}, and it is {radius.answer} now; nothing was done",
                hint="look at what it hides, then say it again",
            )
        counts = Radius() if asked.stands else radius
        why = reasons(counts, asked.seconds, acting.context.limits)
        if asked.yes and (asked.hides or not why) and not again:
            return
        _ask_for(radius, why, asked)
        now = look()
        change = changed(radius, now)
        if change is None:
            return
        tell(f"This has changed while you looked.\n{_moved(change)}{preview(now)}")
        radius, again = now, True


def _ask_for(radius: Radius, why: Sequence[str], asked: Question) -> None:
    what = "Change it" if asked.stands else "Silence them"
    if not why:
        confirm(f"{what}? Type yes: ", ("yes", "y"))
        return
    number = "the number of alerts" if radius.known else UNKNOWN
    confirm(
        f"{what}? {' '.join(why)} Type {number}: ",
        (radius.answer,),
        hint=f"{' '.join(why)} Use --yes together with --hides and {number}",
    )


def _moved(change: Change) -> str:
    lines = [f"  came: {described(alert)}" for alert in change.came[:_NAMED]]
    lines += [f"  went: {described(alert)}" for alert in change.went[:_NAMED]]
    return "".join(f"{line}\n" for line in lines)


def confirm(question: str, answers: Sequence[str], *, hint: str = "use --yes") -> None:
    """Ask on the terminal; what was typed before the question does not answer it. Raises UsageError without a
    terminal, and Finished for any other answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("without a terminal it cannot be confirmed; nothing was done", hint=hint)
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    sys.stderr.write(safe(question))
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if typed.strip().lower() not in answers:
        tell("" if typed.endswith("\n") else "\n")
        tell("Nothing was done.")
        raise Finished(ExitCode.FAILED)
