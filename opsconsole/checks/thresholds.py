"""Is every panel within its thresholds, or over them for less than it takes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from opsconsole.checks.base import PANELS, Check
from opsconsole.checks.doubt import cause, panel_id
from opsconsole.model.panels import PanelData, PanelState, headline_index, panel_state, step_of
from opsconsole.model.playbook import Panel, Threshold
from opsconsole.model.reading import Reading
from opsconsole.model.series import Series
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level, Measure, Range, Verdict, badness
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted


def checked_panels(snapshot: Snapshot) -> tuple[tuple[str, Panel], ...]:
    """The panels that have thresholds, with their keys `system/id`."""
    return tuple(
        (f"{book.system}/{panel.id}", panel)
        for book in snapshot.playbooks
        for dashboard in book.dashboards
        for panel in dashboard.panels
        if panel.thresholds
    )


def crossed_panels(snapshot: Snapshot) -> frozenset[str]:
    """The keys of the panels whose latest value is over a threshold and that have one which must last: for
    these it matters how long they have been."""
    return frozenset(
        key
        for key, panel in checked_panels(snapshot)
        if any(t.hold > 0 for t in panel.thresholds)
        and (reading := snapshot.panels.get(key)) is not None
        and panel_state(panel, reading, snapshot.now).level in {Level.WARNING, Level.CRITICAL}
    )


def check_thresholds(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each panel with thresholds."""
    if snapshot.prometheus is None:
        return
    for key, panel in checked_panels(snapshot):
        reading = snapshot.panels.get(key) or Reading()
        state = lasting_state(panel, reading, snapshot.now)
        hint = reading.failure.hint if reading.failure is not None else trusted("")
        yield Verdict(
            id=verdict_id(key),
            title=panel.title,
            level=state.level,
            reason=_reason(state, panel.unit),
            evidence=() if state.level is Level.OK else (safe(panel.queries[headline_index(panel)].expr, 300),),
            hint=hint,
            duration=snapshot.took.get(f"panel {key}", 0.0),
            measure=_measure(panel, state.value),
            because=_because(snapshot, key, reading, state),
        )


def verdict_id(key: str) -> str:
    """The id of the verdict on a panel, from its key `system/id`."""
    return f"thresholds.{safe(key.replace('/', '.'), 80)}"


def _because(snapshot: Snapshot, key: str, reading: Reading[PanelData], state: PanelState) -> str:
    """The verdict that says why a panel's value is not known: Prometheus does not answer, or it has no data."""
    if state.level is not Level.UNKNOWN:
        return ""
    if not reading.known(snapshot.now) or reading.data is None:
        return cause(snapshot)
    empty = not any(series.times for result in reading.data.results for series in result.series)
    return panel_id(key) if empty else ""


def _measure(panel: Panel, value: float | None) -> Measure:
    return Measure(
        value=value,
        unit=panel.unit,
        warning=_fine(panel, Level.WARNING),
        critical=_fine(panel, Level.CRITICAL),
    )


def _fine(panel: Panel, level: Level) -> Range | None:
    """The values that cross none of a level's thresholds."""
    own = [t for t in panel.thresholds if t.level is level]
    if not own:
        return None
    return Range(
        low=max((t.below for t in own if t.below is not None), default=None),
        high=min((t.above for t in own if t.above is not None), default=None),
    )


def lasting_state(panel: Panel, reading: Reading[PanelData], now: float) -> PanelState:
    """As `panel_state`, but a level counts only when its threshold was crossed in every sample of the whole
    `hold` up to now; the next lower one that did holds until then.

    A series without a sample at the end is gone. An instant vector cannot say how long: it counts as is.
    """
    index = headline_index(panel)
    results = reading.data.results if reading.data is not None else ()
    held = any(t.hold > 0 for t in panel.thresholds)
    if not held or index >= len(results) or results[index].kind != "matrix":
        return panel_state(panel, reading, now)
    step = _step(panel, results[index].series)
    alive = tuple(s for s in results[index].series if s.times and reading.at - s.times[-1] <= 2 * step)
    kept = (*results[:index], msgspec.structs.replace(results[index], series=alive), *results[index + 1 :])
    state = panel_state(panel, msgspec.structs.replace(reading, data=PanelData(kept)), now)
    if not alive or state.value is None or state.level in {Level.OK, Level.UNKNOWN}:
        return state
    lasted = {t: max(_lasted(t, s, step) for s in alive) for t in panel.thresholds}
    met = [t for t, seconds in lasted.items() if seconds >= t.hold]
    level = max((t.level for t in met), key=badness, default=Level.OK)
    if level is state.level:
        return state
    reasons = [_side(t) for t in met if t.level is level]
    waiting = max((t for t in lasted if lasted[t] >= 0 and t not in met), key=lambda t: badness(t.level))
    reasons.append(f"{_side(waiting)} for {_span(lasted[waiting])} of {_span(waiting.hold)}")
    return PanelState(value=state.value, level=level, reason=trusted("; ".join(reasons)))


def _step(panel: Panel, series: Sequence[Series]) -> float:
    """Seconds between the samples."""
    apart = [b - a for s in series for a, b in pairwise(s.times)]
    return min(apart, default=step_of(panel.window))


def _lasted(threshold: Threshold, series: Series, step: float) -> float:
    """For how many seconds up to its last sample a series has been over the threshold without a gap; -1 when
    it is not."""
    since, before = -1.0, series.times[-1]
    for time, value in zip(reversed(series.times), reversed(series.values), strict=True):
        if before - time > 1.5 * step or not threshold.crossed(value):
            break
        since, before = series.times[-1] - time, time
    return since


def _side(threshold: Threshold) -> str:
    return f"{'above' if threshold.above is not None else 'below'} {threshold.bound:g}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n]
    return "".join(parts[:2]) or "0s"


def _reason(state: PanelState, unit: str) -> SafeText:
    if state.value is None:
        return state.reason
    number = state.value * 100 if unit == "ratio" else state.value
    return trusted(f"{number:.4g} {UNITS[unit]}".rstrip() + f", {state.reason}")


CHECKS = (
    Check(
        id="thresholds",
        group="thresholds",
        title=trusted("Panels are within their thresholds"),
        explains="The latest value of each panel that has thresholds, crossed for as long as its threshold has to "
        "last. UNKNOWN without a value.",
        needs=frozenset({PANELS}),
        run=check_thresholds,
    ),
)
