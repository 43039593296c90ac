"""What a silence hides, in words, and the question before it is made."""

from __future__ import annotations

import sys
import termios
from collections import Counter
from collections.abc import Callable, Sequence

from opsconsole.cli.acting import tell
from opsconsole.cli.finish import Finished
from opsconsole.errors import ExitCode, Refused, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.radius import Limits
from opsconsole.model.severity import Severity
from opsconsole.render.times import format_duration
from opsconsole.text import SafeText, safe, safe_block

_NAMED = 20
"""Criticals that are named one by one."""


def counted(alerts: Sequence[Alert]) -> SafeText:
    """`3 alerts: 1 critical, 2 warning`, the worst first."""
    many = f"{len(alerts):,} alert{'' if len(alerts) == 1 else 's'}"
    counts = sorted(Counter(alert.severity for alert in alerts).items())
    return safe(f"{many}: " + ", ".join(f"{n:,} {severity.word}" for severity, n in counts) if counts else many)


def described(alert: Alert) -> SafeText:
    """Severity, name and the other labels, on one line."""
    others = " ".join(f"{n}={v}" for n, v in sorted(alert.labels.items()) if n not in ("alertname", "severity"))
    return safe(f"{alert.severity.word}: {alert.name}  {safe(others, 200)}".rstrip())


def preview(hidden: Sequence[Alert]) -> SafeText:
    """What is hidden now, by severity; criticals are named."""
    if not hidden:
        return safe("hides now: no alert; is a matcher mistyped?")
    criticals = [alert for alert in hidden if alert.severity is Severity.CRITICAL]
    lines = [f"hides now: {counted(hidden)}", *(f"  {described(alert)}" for alert in criticals[:_NAMED])]
    if len(criticals) > _NAMED:
        lines.append(f"  and {len(criticals) - _NAMED:,} more that are critical")
    return safe_block("\n".join(lines))


def approve(hidden: Sequence[Alert], again: Callable[[], Sequence[Alert]], seconds: float) -> None:
    """Ask whether to silence what was shown. A critical, or an end far away, asks for the number of alerts.

    Asked `again` after the answer: when something else is hidden by then, that is shown and asked about. Raises
    Refused when nothing is hidden, UsageError without a terminal and Finished unless the answer is yes.
    """
    while True:
        if not hidden:
            raise Refused(
                "these matchers hide no alert now; nothing was done",
                hint="--yes silences what may come all the same",
            )
        critical = any(alert.severity is Severity.CRITICAL for alert in hidden)
        why = "a critical is among them" if critical else ""
        if seconds > Limits().max_duration:
            why = "; ".join(filter(None, (why, f"it lasts {format_duration(seconds)}")))
        if why:
            confirm(f"Silence them? {why}. Type the number of alerts: ", (str(len(hidden)),))
        else:
            confirm("Silence them? Type yes: ", ("yes", "y"))
        now = again()
        if {a.fingerprint for a in now} == {a.fingerprint for a in hidden}:
            return
        tell(f"This has changed while you looked.\n{preview(now)}")
        hidden = now


def confirm(question: str, answers: Sequence[str]) -> None:
    """Ask on the terminal; what was typed before the question does not answer it. Raises UsageError without a
    terminal, and Finished for any other answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("without a terminal it cannot be confirmed; nothing was done", hint="use --yes")
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    sys.stderr.write(safe(question))
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if typed.strip().lower() not in answers:
        tell("" if typed.endswith("\n") else "\n")
        tell("Nothing was done.")
        raise Finished(ExitCode.FAILED)
