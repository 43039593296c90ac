"""Watching whether the alert that was firing at a rollback recovers: its own expression, asked again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.screen import Screen

from opsconsole.model.alertrule import rule_by_labels
from opsconsole.model.recovery import Recovery, State
from opsconsole.model.rules import Rule
from opsconsole.model.series import QueryResult
from opsconsole.state.recovery import ask_recovery
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted
from opsconsole.ui.services import Services

EVERY, LATER = 5.0, 15.0
"""Seconds between two questions, until it has recovered and after that."""

HOLD = 15.0
"""Seconds for which the condition must not hold."""

_NO_RULE = Recovery(state=State.UNKNOWN, reason=trusted("its rule is not in Prometheus"))


class RecoveryReading:
    """What is known of one alert since one moment. `changed` is called on the screen when that is new."""

    def __init__(self, services: Services, screen: Screen[None], changed: Callable[[], None]) -> None:
        self._services = services
        self._screen = screen
        self._changed = changed
        self._about: tuple[float, Mapping[str, str]] = (0.0, {})
        self._told: Recovery | None = None
        self._asked = float("-inf")
        self._asking = False

    def get(self, labels: Mapping[str, str], since: float, snapshot: Snapshot) -> Recovery | None:
        """Whether the alert with these labels has recovered since (seconds since the epoch), asking when that is
        due; None while nothing is known yet."""
        if self._about != (since, labels):
            self._about, self._told, self._asked = (since, labels), None, float("-inf")
        groups = snapshot.rules.data if snapshot.rules is not None else None
        found = rule_by_labels(labels, groups or ())
        if found is None:
            return _NO_RULE
        every = LATER if self._told is not None and self._told.state is State.RECOVERED else EVERY
        if not self._asking and snapshot.now - self._asked >= every:
            self._asking, self._asked = True, snapshot.now
            self._screen.run_worker(
                self._ask(found.rule, labels, since, snapshot.now), group="recovery", exit_on_error=False
            )
        return self._told

    async def _ask(self, rule: Rule, labels: Mapping[str, str], since: float, now: float) -> None:
        try:
            told = await ask_recovery(
                self._range, str(rule.query), labels, rule.labels, since=since, now=now, step=EVERY, hold=HOLD
            )
        finally:
            self._asking = False
        if self._about == (since, labels):
            self._told = told
        if self._screen.is_mounted:
            self._changed()

    async def _range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        return await self._services.engine.ask_range(expr, start=start, end=end, step=step)
