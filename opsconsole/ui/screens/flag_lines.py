"""The lines about the chosen flag: what it serves, what changed, what that did, the way back."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.model.flags import Flag
from opsconsole.model.panels import panel_state
from opsconsole.render.evidence import Pieces, comparison_line, comparison_note, evaluations_line
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe
from opsconsole.ui.panels.chart import WAITING
from opsconsole.ui.panels.contents import Look
from opsconsole.ui.panels.evidence import EvidenceReading
from opsconsole.ui.screens.flag_story import (
    change_words,
    flag_book,
    last_change,
    recovery,
    rollback_of,
    suspicion,
)

Lines = Iterator[tuple[str, Pieces, int]]
"""A name, what stands beside it, and in how many lines at most."""

PROPAGATION = 10.0
"""Seconds until a change has arrived, when the provider does not say."""


def story_pieces(snapshot: Snapshot, flag: Flag, evidence: Lines, look: Look, *, wide: bool) -> Lines:
    """Everything about a flag, `evidence` where it belongs."""
    change = last_change(snapshot, flag.key)
    serves = f"{flag.serves}   default {flag.default_variant or '(none)'} of {', '.join(flag.variants)}"
    yield "serves", [(safe(serves), "plain")], 1
    yield "changed", [(change_words(change, snapshot.now, look), "plain")], 2
    suspected = suspicion(snapshot, flag.key)[1]
    if suspected and not wide:
        yield "suspected", [(safe(f"it changed {suspected}"), "high")], 1
    yield from evidence
    if flag.safe_variant:
        yield "roll back", [(safe(f"serve {flag.safe_variant} to everyone"), "plain")], 1
    rollback = rollback_of(snapshot.journal, flag.key)
    if rollback is not None:
        book = flag_book(snapshot)
        panel = book.flag_panels[0] if book is not None and book.flag_panels else None
        key = f"{book.system}/{panel.id}" if book is not None and panel is not None else ""
        reading = snapshot.panels.get(key, WAITING)
        state = panel_state(panel, reading, snapshot.now) if panel is not None else None
        yield "rolled back", recovery(rollback, panel, reading.data, state, look), 1


def evidence_pieces(snapshot: Snapshot, flag: Flag, reading: EvidenceReading, look: Look, *, wide: bool) -> Lines:
    """What the playbook counts before and after the flag's last change; nothing without both."""
    book, change = flag_book(snapshot), last_change(snapshot, flag.key)
    if book is None or book.evidence is None or change is None:
        return
    told = reading.get(book.evidence, change, snapshot.changes, snapshot.now, propagation(snapshot))
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
            yield name, comparison_line(compared, wide=wide, glyphs=look.glyphs), 1
            if wide and compared.before is not None:
                yield "", [(comparison_note(compared, share.title, told.windows, exact=change.exact), "dim")], 1
    if found.evaluations or found.problem:
        yield "evaluations", evaluations_line(found, told.windows), 1


def propagation(snapshot: Snapshot) -> float:
    """Seconds until an application serves a change."""
    flags = snapshot.flags.data if snapshot.flags is not None else None
    able = flags.capabilities if flags is not None else None
    return able.propagation if able is not None else PROPAGATION
