"""What the playbook's evidence says of a flag's change: asked when it is looked at, kept for each change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from textual.screen import Screen

from opsconsole.model.evidence import Weight
from opsconsole.model.evidence_windows import STEP, Evidence, Findings, Windows, windows
from opsconsole.model.flags import FlagChange
from opsconsole.state.evidence import find_evidence
from opsconsole.ui.services import Services

_KEPT = 50
"""Changes whose findings are kept."""


class Told(msgspec.Struct, frozen=True):
    """Findings, the windows that they are of, and when they were asked for (wall seconds)."""

    windows: Windows
    findings: Findings
    at: float

    @property
    def known(self) -> bool:
        shares = (self.findings.errors, self.findings.latency)
        return not self.findings.problem and not any(s and s.weight is Weight.UNKNOWN for s in shares)


class EvidenceReading:
    """Findings by flag and change. `changed` is called on the screen when there are new ones."""

    def __init__(self, services: Services, screen: Screen[None], changed: Callable[[], None]) -> None:
        self._services = services
        self._screen = screen
        self._changed = changed
        self._told: dict[tuple[str, float], Told] = {}
        self._asking: set[tuple[str, float]] = set()

    def get(
        self,
        evidence: Evidence,
        change: FlagChange,
        changes: Iterable[FlagChange],
        now: float,
        propagation: float,
    ) -> Told | None:
        """What is known of this change, asking when its windows are new, or when the answer was no answer and is
        a while old. None while nothing is known yet."""
        key = (change.key, change.at)
        wanted, told = windows(change, changes, now, propagation), self._told.get(key)
        old = told is None or told.windows != wanted or (not told.known and now - told.at >= STEP)
        if old and key not in self._asking:
            self._asking.add(key)
            self._screen.run_worker(self._ask(key, evidence, wanted), group="evidence", exit_on_error=False)
        return told

    async def _ask(self, key: tuple[str, float], evidence: Evidence, wanted: Windows) -> None:
        now = self._services.engine.snapshot.now
        try:
            findings = await find_evidence(self._services.engine.ask, evidence, wanted, key[0])
        finally:
            self._asking.discard(key)
        self._told.pop(key, None)
        self._told[key] = Told(wanted, findings, now)
        while len(self._told) > _KEPT:
            self._told.pop(next(iter(self._told)))
        if self._screen.is_mounted:
            self._changed()
