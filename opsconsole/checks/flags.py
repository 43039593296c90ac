"""Can the flags be read, and did one change just before something began to burn?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.alerts import burning
from opsconsole.checks.base import Check
from opsconsole.checks.doubt import unknown
from opsconsole.checks.words import age_words, count
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

LATELY = 3600.0
"""Seconds for which a change of a flag may have to do with an alert."""

_PROVIDER, _CHANGES = "flags.provider", "flags.changes"


def check_provider(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the flag provider answers and what it says can be understood, if the context has one."""
    if snapshot.flags is None:
        return
    reading, title = snapshot.flags, trusted("The flag provider answers")
    if not reading.known(snapshot.now) or reading.data is None:
        yield unknown(_PROVIDER, title, reading, snapshot.now)
        return
    flags = reading.data
    reason = trusted(f"{count(len(flags.flags), 'flag')} from {flags.source}")
    yield Verdict(id=_PROVIDER, title=title, level=Level.OK, reason=reason)


def check_changes(snapshot: Snapshot) -> Iterator[Verdict]:
    """Changes within the last hour: WARNING beside a firing alert, else OK; the newest is the reason, the others
    are evidence."""
    if snapshot.flags is None:
        return
    title = trusted("No flag changed before an alert")
    if not snapshot.flags.known(snapshot.now) or snapshot.flags.data is None:
        verdict = unknown(_CHANGES, title, snapshot.flags, snapshot.now)
        yield Verdict(
            id=_CHANGES,
            title=title,
            level=Level.UNKNOWN,
            reason=verdict.reason,
            because=_PROVIDER,
            hint=verdict.hint,
        )
        return
    changes = _changes(snapshot, snapshot.flags.data)
    firing = burning(snapshot)
    log = snapshot.flag_log
    if not changes and log is not None and not log.known(snapshot.now):
        hint = log.failure.hint if log.failure is not None else trusted("")
        reason = safe(f"the provider's log of changes cannot be read: {log.why(snapshot.now)}", 300)
        yield Verdict(id=_CHANGES, title=title, level=Level.UNKNOWN, reason=reason, hint=hint)
        return
    yield Verdict(
        id=_CHANGES,
        title=title,
        level=Level.WARNING if changes and firing else Level.OK,
        reason=_reason(changes, firing),
        evidence=tuple(changes[1:]),
        hint=trusted("look at errors before and after it: mode 4 of the console" if changes and firing else ""),
    )


def _changes(snapshot: Snapshot, flags: FlagSet) -> list[SafeText]:
    """The changes of the last hour, the newest first: those that were seen, else when the file was written."""
    seen = [change for change in snapshot.changes if 0 <= snapshot.now - change.at <= LATELY]
    if seen:
        return [_line(change, snapshot.now) for change in sorted(seen, key=lambda c: -c.at)]
    age = snapshot.now - flags.modified
    # A file from the future was written by a machine whose clock is ahead: lately, whatever it says.
    if flags.modified and age <= LATELY:
        return [trusted(f"{flags.source} was written {age_words(age)} ago")]
    return []


def _line(change: FlagChange, now: float) -> SafeText:
    by = f" by {change.who}" if change.who else ""
    return trusted(f"{safe(change.key, 120)} {age_words(now - change.at)} ago{by}: {change.summary}")


def _reason(changes: list[SafeText], firing: list[AlertRow]) -> SafeText:
    if not changes:
        return trusted("no change within the last hour")
    return trusted(f"{changes[0]}, and {firing[0].alert.name} fires") if firing else changes[0]


CHECKS = (
    Check(
        id=_PROVIDER,
        group="flags",
        title=trusted("The flag provider answers"),
        explains="The context's flag provider answers and its flags can be understood. Nothing without a "
        "provider.",
        needs=frozenset({"flags"}),
        run=check_provider,
    ),
    Check(
        id=_CHANGES,
        group="flags",
        title=trusted("No flag changed before an alert"),
        explains="A flag that changed within the last hour, or a flag file written then, while an unattended "
        "alert fires is WARNING; without an alert it is OK, and named.",
        needs=frozenset({"flags", "alerts", "silences", "members"}),
        run=check_changes,
    ),
)
