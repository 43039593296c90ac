"""Does somebody still look after what is acknowledged?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.clusters import any_known, doubts
from opsconsole.checks.words import age_words, count
from opsconsole.model.acks import age
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.severity import AlertState
from opsconsole.model.silences import Silence
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, trusted

GRACE = 60.0
"""Seconds after the time for it by which an ack has been extended, if anybody does it."""

_EXTENDED, _STALE = "alerts.acks.extended", "alerts.acks.stale"
_EVIDENCE = 20

Held = tuple[AlertRow, Silence]
"""An alert, the most urgent of those that it hides, and the ack."""


def check_extended(snapshot: Snapshot) -> Iterator[Verdict]:
    """Acks that are about to end although their alert fires: nobody extends them."""
    title = trusted("Acks are extended while their alerts fire")
    yield from doubts(_EXTENDED, title, snapshot)
    if not any_known(snapshot):
        return
    held = _held(snapshot)
    due = snapshot.context.acks.within - GRACE
    wrong = [
        _line(one, f"ends in {age_words(one[1].ends - snapshot.now)} and nobody extends it")
        for one in held
        if one[1].ends - snapshot.now < due
    ]
    yield _verdict(_EXTENDED, title, wrong, f"{count(len(held), 'ack')}, none about to end")


def check_stale(snapshot: Snapshot) -> Iterator[Verdict]:
    """Acks that were made long ago: are they forgotten?"""
    title = trusted("Acks are not forgotten")
    yield from doubts(_STALE, title, snapshot)
    if not any_known(snapshot):
        return
    held, limit = _held(snapshot), snapshot.context.acks.stale_after
    wrong = [
        _line(one, f"is {age_words(age(one[1], snapshot.now))} old")
        for one in held
        if age(one[1], snapshot.now) > limit
    ]
    yield _verdict(_STALE, title, wrong, f"{count(len(held), 'ack')}, none older than {age_words(limit)}")


def _held(snapshot: Snapshot) -> list[Held]:
    """The acks that hide firing alerts, each once."""
    found: dict[tuple[str, str], Held] = {}
    for row in snapshot.rows:
        if row.state is AlertState.ACKED and row.silence is not None:
            found.setdefault((row.alert.cluster, row.silence.id), (row, row.silence))
    return list(found.values())


def _line(one: Held, words: str) -> SafeText:
    row, silence = one
    return trusted(f"{silence.owner}'s ack of {row.alert.name} {words}")


def _verdict(id: str, title: SafeText, wrong: list[SafeText], good: str) -> Verdict:
    return Verdict(
        id=id,
        title=title,
        level=Level.WARNING if wrong else Level.OK,
        reason=wrong[0] if wrong else trusted(good),
        evidence=tuple(wrong[:_EVIDENCE]),
        hint=trusted("ask who has it whether it is still worked on, or acknowledge it again" if wrong else ""),
    )


_NEEDS = frozenset({"alerts", "silences", "members"})

CHECKS = (
    Check(
        id=_EXTENDED,
        group="alerts",
        title=trusted("Acks are extended while their alerts fire"),
        explains="No ack of a firing alert is about to end because nobody, neither a console nor kthxbye, "
        "extends it (else WARNING).",
        needs=_NEEDS,
        run=check_extended,
    ),
    Check(
        id=_STALE,
        group="alerts",
        title=trusted("Acks are not forgotten"),
        explains="No ack of a firing alert is older than the context's `acks: stale_after` (else WARNING).",
        needs=_NEEDS,
        run=check_stale,
    ),
)
