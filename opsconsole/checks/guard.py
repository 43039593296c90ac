"""Does the guard, which rolls flags back without a person, do its work?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import follows
from opsconsole.checks.words import age_words, count
from opsconsole.model.guard import GuardStatus, RulePhase
from opsconsole.model.guardstatus import GuardSeen, is_over, phase_words
from opsconsole.model.verdicts import Level, Verdict, badness
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

ENDS_SOON = 1800.0
"""Seconds of being armed that must be left where a guard is expected to be armed."""

_GUARD = "flags.guard"
_TITLE = trusted("The guard does its work")
_ARM = trusted("opsconsole guard arm --for 8h --reason …")

Finding = tuple[Level, SafeText, SafeText]
"""A level, why, and what to do."""


def check_guard(snapshot: Snapshot) -> Iterator[Verdict]:
    """The guard of the context; no verdict where none is configured and none was seen."""
    reading = snapshot.guard
    if reading is None:
        return
    seen = reading.data
    asked_for = snapshot.context.guarded or (seen is not None and seen.status is not None)
    if not reading.known(snapshot.now) or seen is None:
        if asked_for:
            yield follows(_GUARD, _TITLE, reading, snapshot)
        return
    if asked_for:
        yield judge_guard(seen, reading.at)


def judge_guard(seen: GuardSeen, now: float) -> Verdict:
    """The verdict on what was found at `now`: the worst of the findings is the reason, the others are evidence."""
    findings = sorted(_findings(seen, now), key=lambda finding: -badness(finding[0]))
    level, reason, hint = findings[0]
    return Verdict(
        id=_GUARD,
        title=_TITLE,
        level=level,
        reason=reason,
        hint=hint,
        evidence=tuple(said for _, said, _ in findings[1:]),
    )


def _findings(seen: GuardSeen, now: float) -> Iterator[Finding]:
    status = seen.status
    if status is None:
        others = f"; Prometheus knows guards of {', '.join(seen.others)}" if seen.others else ""
        why = safe(f"no guard of this context was seen, here or in Prometheus, within a day{others}", 400)
        yield Level.UNKNOWN, why, trusted("start it: opsconsole guard run, or opsconsole guard unit for systemd")
        return
    if not status.stopped and is_over(status, now) and status.at > now:
        ahead = f"its heartbeat is {age_words(status.at - now)} in the future{_place(status, seen)}"
        yield Level.UNKNOWN, safe(ahead, 300), trusted("which clock is wrong, its machine's or this one's?")
        return
    if is_over(status, now):
        said = "its metrics are gone" if not status.pid and status.stopped else "it was stopped"
        last = f"{said if status.stopped else 'it has stopped'}: last heard of {age_words(now - status.at)} ago"
        hint = "systemctl status opsconsole-guard; until it runs, flags are rolled back by people only"
        yield Level.CRITICAL, safe(f"{last}{_place(status, seen)}", 300), trusted(hint)
        return
    yield from _doubts(status, now)
    yield from _armed(status, now)
    acts = "" if status.leader else f"; {status.holder or 'another'} acts"
    yield Level.OK, safe(f"runs{_place(status, seen)}: {phase_words(status)}{acts}", 500), _NONE


def _doubts(status: GuardStatus, now: float) -> Iterator[Finding]:
    """What it does not know or cannot do."""
    dark = [rule.rule for rule in status.rules if rule.phase is RulePhase.UNKNOWN]
    if status.blind_since is not None:
        names = safe(", ".join(dark) or "a rule", 200)
        why = safe(f"it is blind: {names} not known for {age_words(now - status.blind_since)}")
        yield Level.UNKNOWN, why, trusted("does Prometheus answer the rule's expression? opsconsole guard status")
    elif dark:
        yield Level.UNKNOWN, safe(f"not known: {', '.join(dark)}", 300), trusted("opsconsole guard status")
    if status.killed:
        yield Level.WARNING, status.killed, trusted("remove the file to let it write again")
    if status.undelivered:
        waiting = count(status.undelivered, "notification")
        yield Level.WARNING, trusted(f"{waiting} not delivered yet"), trusted("opsconsole guard outbox")
    if status.problem:
        yield Level.WARNING, status.problem, trusted("see the guard's log")


def _armed(status: GuardStatus, now: float) -> Iterator[Finding]:
    armed = status.armed
    if armed is None or armed.until <= now:
        if status.expect_armed:
            yield Level.WARNING, trusted("it is not armed: it only says what it would do"), _ARM
        else:
            yield Level.OK, trusted("dry run: it only says what it would do"), _NONE
        return
    left = armed.until - now
    by = f" by {armed.by}" if armed.by else ""
    if status.expect_armed and left < ENDS_SOON:
        yield Level.WARNING, safe(f"it is armed{by} for less than another {age_words(left + 60)}"), _ARM
    else:
        yield Level.OK, safe(f"armed{by} for another {age_words(left)}"), _NONE


def _place(status: GuardStatus, seen: GuardSeen) -> str:
    host = f" on {status.host}" if status.host else ""
    return f"{host} (seen {seen.where})"


_NONE = trusted("")

CHECKS = (
    Check(
        id=_GUARD,
        group="flags",
        title=_TITLE,
        explains="The guard that rolls flags back without a person runs: told by its file on this machine, else "
        "by its metrics in Prometheus. Stopped, or not heard of for three of its rounds, is CRITICAL; blind, or "
        "never seen although the context has a `guard:` section, is UNKNOWN; a pulled kill switch, undelivered "
        "notifications, and with `expect_armed` not being armed for at least 30 minutes more, are WARNING. "
        "Nothing without that section when none was ever seen.",
        needs=frozenset({"guard"}),
        run=check_guard,
    ),
)
