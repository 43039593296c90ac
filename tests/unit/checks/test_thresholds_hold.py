"""A threshold's `for:`: crossed for the whole time, for part of it, with gaps, and what is asked for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import pytest

from opsconsole.checks.thresholds import check_thresholds, lasting_state
from opsconsole.model.panels import PanelData, PanelState, coarse_span, hold_span
from opsconsole.model.playbook import Dashboard, Panel, PanelGroup, PanelKind, PanelQuery, Playbook, Threshold
from opsconsole.model.reading import Reading
from opsconsole.model.rules import BuildInfo
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.verdicts import Level
from opsconsole.text import trusted
from tests.support.backends import Backends
from tests.ui.fakes import NOW, make_snapshot

NAN = math.nan
STEP = 60.0
Runs = tuple[float | None, ...]


def panel(*, below: bool = False, empty: str = "unknown") -> Panel:
    """Warning over 500 at once; critical over 1000 for five minutes."""
    kind = "below" if below else "above"
    bounds = (-500.0, -1000.0) if below else (500.0, 1000.0)
    return Panel(
        id="p",
        title=trusted("P"),
        unit="ms",
        queries=(PanelQuery(expr="p"),),
        thresholds=(
            Threshold(level=Level.WARNING, **{kind: bounds[0]}),
            Threshold(level=Level.CRITICAL, hold=300.0, **{kind: bounds[1]}),
        ),
        empty=empty,
    )


def judged(*rows: Runs, of: Panel | None = None) -> PanelState:
    """The verdict on series of one sample a minute up to now; None is a sample that is missing."""
    series = []
    for values in rows:
        start = NOW - STEP * (len(values) - 1)
        known = [(start + STEP * i, v) for i, v in enumerate(values) if v is not None]
        series.append(Series({}, tuple(t for t, _ in known), tuple(v for _, v in known)))
    data = PanelData((QueryResult("matrix", tuple(series)),))
    return lasting_state(of or panel(), Reading(data=data, at=NOW), NOW)


@dataclass(frozen=True)
class Case:
    name: str
    values: Runs
    level: Level
    reason: str


CASES = [
    Case("within", (10,) * 7, Level.OK, "within its thresholds"),
    Case("over for all of it", (1100,) * 7, Level.CRITICAL, "above 1000"),
    Case("over for exactly the time", (10, *(1100,) * 6), Level.CRITICAL, "above 1000"),
    Case("a step short", (10, 10, *(1100,) * 5), Level.WARNING, "above 500; above 1000 for 4m of 5m"),
    Case("just now", (*(10,) * 6, 1100), Level.WARNING, "above 500; above 1000 for 0s of 5m"),
    Case("between the two", (600,) * 7, Level.WARNING, "above 500"),
    Case("a dip", (*(1100,) * 4, 900, 1100, 1100), Level.WARNING, "above 500; above 1000 for 1m of 5m"),
    Case("a gap", (*(1100,) * 4, None, 1100, 1100), Level.WARNING, "above 500; above 1000 for 1m of 5m"),
    Case("not a number", (*(1100,) * 4, NAN, 1100, 1100), Level.WARNING, "above 500; above 1000 for 1m of 5m"),
    Case("young", (1100, 1100, 1100), Level.WARNING, "above 500; above 1000 for 2m of 5m"),
    Case("back again", (*(1100,) * 6, 10), Level.OK, "within its thresholds"),
    Case("the newest is missing", (*(1100,) * 6, None, None, None), Level.UNKNOWN, "no data"),
    Case("the newest is not a number", (*(1100,) * 6, NAN), Level.UNKNOWN, "the value is not a number"),
    Case("nothing", (), Level.UNKNOWN, "no data"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_level_counts_once_it_has_lasted(case: Case) -> None:
    state = judged(case.values)
    assert (state.level, state.reason) == (case.level, case.reason)


@pytest.mark.parametrize("case", [c for c in CASES if "above" in c.reason], ids=lambda case: case.name)
def test_below_is_the_same_upside_down(case: Case) -> None:
    flipped = tuple(None if v is None else -v for v in case.values)
    state = judged(flipped, of=panel(below=True))
    assert state.level is case.level
    assert state.reason == case.reason.replace("above ", "below -")


def test_one_of_several_series_is_enough_but_none_helps_another() -> None:
    assert judged((10,) * 7, (1100,) * 7).level is Level.CRITICAL
    assert judged((*(1100,) * 4, 10, 10, 10), (*(10,) * 4, *(1100,) * 3)).level is Level.WARNING
    assert judged((10,) * 7, (*(1100,) * 4, None, None, None)).level is Level.OK, "that one is gone"


def test_without_a_lower_threshold_it_is_fine_until_then() -> None:
    only = msgspec.structs.replace(panel(), thresholds=panel().thresholds[1:])
    state = judged((1100, 1100, 1100), of=only)
    assert (state.level, state.reason) == (Level.OK, "above 1000 for 2m of 5m")


@pytest.mark.parametrize(("empty", "level"), [("unknown", Level.UNKNOWN), ("ok", Level.OK), ("zero", Level.OK)])
def test_a_series_that_ended_is_an_empty_result(empty: str, level: Level) -> None:
    assert judged((1100, 1100, None, None, None), of=panel(empty=empty)).level is level


def test_a_series_that_ended_where_zero_is_too_low() -> None:
    low = Threshold(level=Level.CRITICAL, below=5.0, hold=300.0)
    held = msgspec.structs.replace(panel(empty="zero"), thresholds=(low,))
    assert judged((10, 10, None, None, None), of=held).level is Level.CRITICAL


def test_an_instant_value_cannot_say_how_long() -> None:
    data = PanelData((QueryResult("vector", (Series({}, (NOW,), (1100.0,)),)),))
    assert lasting_state(panel(), Reading(data=data, at=NOW), NOW).level is Level.CRITICAL


def book_of(*panels: Panel) -> Playbook:
    group = PanelGroup(title=trusted("G"), panels=panels)
    dashboard = Dashboard(id="d", title=trusted("D"), groups=(group,))
    return Playbook(system="s", title=trusted("S"), folder="/nowhere", dashboards=(dashboard,))


def test_the_verdict_says_the_value_and_for_how_long() -> None:
    book = book_of(panel())
    series = Series({}, (NOW - 60, NOW), (1100.0, 1200.0))
    reading = Reading(data=PanelData((QueryResult("matrix", (series,)),)), at=NOW)
    snapshot = msgspec.structs.replace(
        make_snapshot([], playbooks=[book]),
        prometheus=Reading(data=BuildInfo(), at=NOW),
        panels={"s/p": reading},
    )
    (verdict,) = check_thresholds(snapshot)
    assert verdict.level is Level.WARNING
    assert verdict.reason == "1200 ms, above 500; above 1000 for 1m of 5m"


@pytest.mark.parametrize(
    ("hold", "span"),
    [(0.0, (0.0, 0.0)), (60.0, (65.0, 5.0)), (600.0, (605.0, 5.0)), (1201.0, (1220.0, 10.0))],
)
def test_the_range_is_a_step_longer_than_the_hold(hold: float, span: tuple[float, float]) -> None:
    held = msgspec.structs.replace(panel(), thresholds=(Threshold(level=Level.WARNING, above=1.0, hold=hold),))
    assert hold_span(held) == span


@pytest.mark.parametrize(
    ("hold", "span"),
    [(0.0, (0.0, 0.0)), (60.0, (65.0, 5.0)), (300.0, (315.0, 15.0)), (1201.0, (1281.0, 61.0))],
)
def test_a_single_look_takes_few_samples(hold: float, span: tuple[float, float]) -> None:
    held = msgspec.structs.replace(panel(), thresholds=(Threshold(level=Level.WARNING, above=1.0, hold=hold),))
    assert coarse_span(held) == span


async def test_a_check_asks_each_headline_once_and_only_for_as_long_as_it_takes() -> None:
    other = PanelQuery(expr="q", legend=trusted("q"))
    held = msgspec.structs.replace(panel(), queries=(PanelQuery(expr="p", legend=trusted("p")), other))
    plain = msgspec.structs.replace(panel(), id="plain", thresholds=panel().thresholds[:1])
    async with Backends() as backends:
        engine = backends.engine([book_of(held, plain)])
        engine.polls.panels.instant = True
        engine.polls.panels.lasting = frozenset({"s/p"})
        asked_at = engine.snapshot.now
        await engine.collect(names=(), panels=("s/p", "s/plain"))
        await engine.aclose()
        asked = [r for r in backends.prometheus.requests if r.path.startswith("/api/v1/query")]
    assert sorted(r.path for r in asked) == ["/api/v1/query", "/api/v1/query_range"]
    (ranged,) = [r.form for r in asked if r.path == "/api/v1/query_range"]
    assert ranged["query"] == "p"
    assert float(ranged["end"]) - float(ranged["start"]) == 315.0
    assert float(ranged["step"]) == 15.0
    assert float(ranged["end"]) == asked_at, "a check looks at the latest value, not at one up to a step old"


async def test_a_gauge_on_the_screen_is_asked_for_how_long_too() -> None:
    gauge = msgspec.structs.replace(panel(), kind=PanelKind.GAUGE)
    async with Backends() as backends:
        engine = backends.engine([book_of(gauge)])
        await engine.collect(names=(), panels=("s/p",))
        await engine.aclose()
        (asked,) = [r for r in backends.prometheus.requests if r.path.startswith("/api/v1/query")]
    assert asked.path == "/api/v1/query_range"
