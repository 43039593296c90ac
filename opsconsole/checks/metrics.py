"""Is every metric there that the playbooks use?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from opsconsole.checks.base import PANELS, Check
from opsconsole.checks.doubt import follows, panel_id
from opsconsole.model.panels import headline_series
from opsconsole.model.playbook import Panel, Playbook
from opsconsole.model.reading import Reading
from opsconsole.model.serverfacts import MetricFacts
from opsconsole.model.uses import Metric, metrics_of, uses_of
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

READ = "metrics.read"
_SHOWN = 30


def check_read(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether Prometheus tells which metrics it has."""
    title, reading = trusted("Prometheus tells which metrics it has"), snapshot.metrics
    if reading is None or not snapshot.playbooks:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(READ, title, reading, snapshot, what="which metrics it has")
    else:
        reason = trusted(f"{len(reading.data.fresh)} of those that are used")
        yield Verdict(id=READ, title=title, level=Level.OK, reason=reason)


def _systems(snapshot: Snapshot, check: str, words: str) -> Iterator[tuple[Playbook, str, SafeText, object]]:
    """Each playbook that uses metrics with what is known of them, or the verdict that nothing is."""
    reading = snapshot.metrics
    for playbook in snapshot.playbooks if reading is not None else ():
        system = safe(playbook.system, 40)
        id, title = f"metrics.{check}.{system}", trusted(f"The metrics of {system} {words}")
        if not uses_of(playbook).labels:
            continue
        assert reading is not None
        if not reading.known(snapshot.now) or reading.data is None:
            yield playbook, id, title, follows(id, title, reading, snapshot, READ, "which metrics it has")
        else:
            yield playbook, id, title, reading.data


def check_exists(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each playbook: every metric that it needs is there."""
    for playbook, id, title, facts in _systems(snapshot, "exists", "are there"):
        if isinstance(facts, Verdict):
            yield facts
            continue
        assert isinstance(facts, MetricFacts)
        missing = sorted(_missing(playbook, facts))
        evidence = [trusted(f"{_name(m)}: {_when(m, facts)}") for m in missing]
        names = ", ".join(dict.fromkeys(str(safe(m.name, 100)) for m in missing))
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN if missing else Level.OK,
            reason=safe(f"missing: {names}" if missing else f"all {len(uses_of(playbook).needed)}", 400),
            evidence=tuple(evidence[:_SHOWN]),
            hint=trusted("is its exporter running, and is it called that still?" if missing else ""),
            because=_downed(snapshot, playbook, missing),
        )


def _missing(playbook: Playbook, facts: MetricFacts) -> set[Metric]:
    """What is needed and not there: of several that stand in for each other, when none is."""
    there = facts.fresh | set(facts.stale)
    return {metric for either in uses_of(playbook).needed if not either & there for metric in either}


def _downed(snapshot: Snapshot, playbook: Playbook, missing: Iterable[Metric]) -> str:
    """The verdict on a job that is not up, or gives no samples, when all that is missing is of such jobs: that is
    why."""
    jobs = {next((m.value for m in metric.job if m.op == "="), "") for metric in missing}
    named = [job.name for job in playbook.jobs if job.name in jobs]
    if not jobs or len(named) < len(jobs):
        return ""
    targets = snapshot.targets.data or () if snapshot.targets is not None else ()
    up = {target.job for target in targets if target.health == "up"}
    scrapes = snapshot.scrapes.data if snapshot.scrapes is not None else None
    silent = {job for job, found in scrapes.samples.items() if found.value == 0} if scrapes is not None else set()
    if any(job in up - silent for job in named):
        return ""
    name = safe(named[0], 60)
    return f"targets.samples.{name}" if named[0] in up else f"targets.up.{name}"


def check_fresh(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each playbook: what is there has samples of late."""
    for playbook, id, title, facts in _systems(snapshot, "fresh", "are fresh"):
        if isinstance(facts, Verdict):
            yield facts
            continue
        assert isinstance(facts, MetricFacts)
        used = uses_of(playbook).labels
        limits = _limits(snapshot, facts)
        stale = sorted(m for m, at in facts.stale.items() if m in used and facts_age(snapshot, at) > limits(m))
        names = ", ".join(str(safe(m.name, 100)) for m in stale)
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN if stale else Level.OK,
            reason=safe(f"no new sample: {names}" if stale else f"within {facts.window:.0f}s", 400),
            evidence=tuple(trusted(f"{_name(m)}: {_when(m, facts)}") for m in stale[:_SHOWN]),
            hint=trusted("what writes them has stopped" if stale else ""),
        )


def facts_age(snapshot: Snapshot, at: float) -> float:
    """Seconds from a sample's time to when the metrics were asked for."""
    assert snapshot.metrics is not None
    return snapshot.metrics.at - at


def _limits(snapshot: Snapshot, facts: MetricFacts) -> _Limits:
    from opsconsole.model.durations import seconds_of

    intervals: dict[str, float] = {}
    for target in snapshot.targets.data or () if snapshot.targets is not None else ():
        seconds = seconds_of(target.scrape_interval) or 0.0
        intervals[target.job] = max(intervals.get(target.job, 0.0), seconds)
    return _Limits(intervals, facts.window)


class _Limits:
    """How old the last sample of a metric may be: three scrapes of its job, if that is longer than usual."""

    def __init__(self, intervals: dict[str, float], window: float) -> None:
        self._intervals = intervals
        self._window = window

    def __call__(self, metric: Metric) -> float:
        job = next((m.value for m in metric.job if m.op == "="), "")
        return max(self._window, 3 * self._intervals.get(job, 0.0))


def check_labels(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each playbook: what is there has the labels that its queries use."""
    for playbook, id, title, facts in _systems(snapshot, "labels", "have their labels"):
        if isinstance(facts, Verdict):
            yield facts
            continue
        assert isinstance(facts, MetricFacts)
        used = uses_of(playbook).labels
        lacking = sorted((m, label) for m, label in facts.lacking if label in used.get(m, ()))
        words = ", ".join(f"{m.name} has no {label}" for m, label in lacking)
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN if lacking else Level.OK,
            reason=safe(words or "every label that is used", 400),
            evidence=tuple(
                safe(f"{m.name}: no series has the label {label}", 300) for m, label in lacking[:_SHOWN]
            ),
            hint=trusted("a query on a label that is not there gives nothing, or too much" if lacking else ""),
        )


def check_panels(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each panel that may not be empty: it has data."""
    if snapshot.prometheus is None:
        return
    for playbook in snapshot.playbooks:
        for dashboard in playbook.dashboards:
            for panel in dashboard.panels:
                if panel.empty == "unknown":
                    yield _panel(snapshot, playbook, panel)


def _panel(snapshot: Snapshot, playbook: Playbook, panel: Panel) -> Verdict:
    key = f"{playbook.system}/{panel.id}"
    id, title = panel_id(key), trusted(f"Panel {panel.title} has data")
    judged, counted = snapshot.panels.get(key), snapshot.contents
    reading: Reading[Any] = (judged if panel.thresholds else counted) or Reading()
    if not reading.known(snapshot.now) or reading.data is None:
        because = f"thresholds.{safe(key.replace('/', '.'), 80)}" if panel.thresholds else ""
        return follows(id, title, reading, snapshot, because, str(panel.title))
    if not panel.thresholds and key in reading.data.failed:
        reason = trusted(f"{panel.title}: {reading.data.failed[key]}")
        return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason)
    if panel.thresholds:
        filled = any(series.times for series in headline_series(panel, reading.data))
    else:
        filled = reading.data.filled.get(key, False)
    if filled:
        return Verdict(id=id, title=title, level=Level.OK, reason=trusted("it has data"))
    return Verdict(
        id=id,
        title=title,
        level=Level.UNKNOWN,
        reason=trusted(f"the panel {panel.title} has no data"),
        hint=trusted("if that is well, say so in the playbook: empty: ok"),
        because=_emptied(snapshot, playbook, panel),
    )


def _emptied(snapshot: Snapshot, playbook: Playbook, panel: Panel) -> str:
    """The verdict on the job, or on missing or unlabelled metrics, when that is why the panel has no data."""
    facts = snapshot.metrics.data if snapshot.metrics is not None else None
    system = safe(playbook.system, 40)
    used = metrics_of(query.expr for query in panel.queries)
    dead = _downed(snapshot, playbook, used)
    if dead or facts is None:
        return dead
    if used & _missing(playbook, facts):
        return f"metrics.exists.{system}"
    return f"metrics.labels.{system}" if any(metric in used for metric, _ in facts.lacking) else ""


def _name(metric: Metric) -> SafeText:
    where = ",".join(f"{m.name}{m.op}{m.value}" for m in metric.job)
    return safe(f"{metric.name}{{{where}}}" if where else metric.name, 200)


def _when(metric: Metric, facts: MetricFacts) -> str:
    if metric in facts.stale:
        return "its last sample is old"
    return "it was there within the last hour" if metric in facts.gone else "no series"


_NEEDS = frozenset({"metrics", "targets"})
CHECKS = (
    Check(
        id=READ,
        group="metrics",
        title=trusted("Prometheus tells which metrics it has"),
        explains="Prometheus answers a query for all metrics that the playbooks use. The checks of metrics "
        "follow from it.",
        needs=_NEEDS,
        run=check_read,
    ),
    Check(
        id="metrics.exists",
        group="metrics",
        title=trusted("The metrics of the playbook are there"),
        explains="Every metric that a playbook's panels, rules and guard need is there, in the job that they "
        "name; one behind absent(), with an `or` that stands in for it, or of a panel that may be empty is not "
        "needed. Else UNKNOWN.",
        needs=_NEEDS,
        run=check_exists,
    ),
    Check(
        id="metrics.fresh",
        group="metrics",
        title=trusted("The metrics of the playbook are fresh"),
        explains="Every metric that is there has a sample within 3 minutes, or three scrapes of its job. Else "
        "UNKNOWN.",
        needs=_NEEDS,
        run=check_fresh,
    ),
    Check(
        id="metrics.labels",
        group="metrics",
        title=trusted("The metrics of the playbook have their labels"),
        explains="Some series of every metric has the labels that the playbook's expressions match, group or "
        "join by. Else UNKNOWN.",
        needs=_NEEDS,
        run=check_labels,
    ),
    Check(
        id="metrics.panel",
        group="metrics",
        title=trusted("Panels have data"),
        explains="Every panel that may not be empty has data, else UNKNOWN.",
        needs=frozenset({PANELS, "contents", "metrics"}),
        run=check_panels,
    ),
)
