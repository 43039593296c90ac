"""The lines about the chosen flag: what it serves, what changed, what that did, the way back."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.model.flags import Flag, RollbackKind
from opsconsole.model.panels import panel_state
from opsconsole.render.evidence import Pieces, comparison_line, comparison_note, evaluations_line
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.panels.chart import WAITING
from opsconsole.ui.panels.contents import Look
from opsconsole.ui.panels.evidence import EvidenceReading
from opsconsole.ui.panels.recovery import RecoveryReading
from opsconsole.ui.screens.flag_story import (
    Rollback,
    able,
    change_words,
    flag_book,
    last_change,
    proposed,
    recovery,
    rollback_of,
    suspicion,
)

Lines = Iterator[tuple[str, Pieces, int]]
"""A name, what stands beside it, and in how many lines at most."""


def story_pieces(
    snapshot: Snapshot, flag: Flag, evidence: Lines, watch: RecoveryReading, look: Look, *, wide: bool
) -> Lines:
    """Everything about a flag, `evidence` where it belongs."""
    change = last_change(snapshot, flag.key)
    variants = f"   of {', '.join(flag.variants)}; default {flag.default_variant or '(none)'}"
    yield "serves", [(safe(flag.serves), "plain"), (safe(variants), "dim")], 1
    yield "changed", [(change_words(change, snapshot.now, look), "plain")], 2
    suspected = suspicion(snapshot, flag.key)[1]
    if suspected and not wide:
        yield "suspected", [(safe(f"it changed {suspected}"), "high")], 1
    yield from evidence
    rollback = rollback_of(snapshot.journal, flag.key)
    yield "roll back", _way_back(snapshot, flag), 1 if rollback is not None else 2
    if rollback is not None:
        yield "rolled back", _recovery(rollback, watch, snapshot, look), 2


def _way_back(snapshot: Snapshot, flag: Flag) -> Pieces:
    """Which rollback it will be, and why."""
    proposal = proposed(snapshot, flag)
    if proposal.kind is RollbackKind.OFF and flag.off:
        return [(trusted("it is off: turning it off would change nothing"), "dim")]
    variant = f": serve {flag.safe_variant} to everyone" if flag.safe_variant else ""
    words = f"off{variant}" if proposal.kind is RollbackKind.OFF else str(proposal.words)
    return [(safe(words), "plain"), (safe(f"   {proposal.why}"), "dim")]


def _recovery(rollback: Rollback, watch: RecoveryReading, snapshot: Snapshot, look: Look) -> Pieces:
    told = None
    if rollback.alert and rollback.verified is not None:
        told = watch.get(rollback.alert, rollback.verified, snapshot)
    book = flag_book(snapshot)
    panel = book.flag_panels[0] if book is not None and book.flag_panels else None
    key = f"{book.system}/{panel.id}" if book is not None and panel is not None else ""
    reading = snapshot.panels.get(key, WAITING)
    state = panel_state(panel, reading, snapshot.now) if panel is not None else None
    return recovery(rollback, told, panel, reading.data, state, snapshot.now, look)


def evidence_pieces(snapshot: Snapshot, flag: Flag, reading: EvidenceReading, look: Look, *, wide: bool) -> Lines:
    """What the playbook counts before and after the flag's last change; nothing without both."""
    book, change = flag_book(snapshot), last_change(snapshot, flag.key)
    if book is None or book.evidence is None or change is None:
        return
    told = reading.get(book.evidence, change, snapshot.changes, snapshot.now, able(snapshot).propagation)
    evidence = book.evidence
    if told is None:
        for name, share in (("errors", evidence.errors), ("latency", evidence.latency)):
            if share is not None:
                yield name, [(safe(f"{share.title}: being counted{look.glyphs.more}"), "dim")], 1
        return
    found = told.findings
    both = (("errors", evidence.errors, found.errors), ("latency", evidence.latency, found.latency))
    for name, share, compared in both:
        if share is not None and compared is not None:
            yield name, comparison_line(compared, wide=wide, glyphs=look.glyphs), 2
            if wide and compared.before is not None:
                yield "", [(comparison_note(compared, share.title, told.windows, exact=change.exact), "dim")], 1
    if found.evaluations or found.problem:
        yield "evaluations", evaluations_line(found, told.windows), 1
