"""From results to a panel's value and verdict; above all, when it is UNKNOWN."""

from __future__ import annotations

import math

import pytest

from opsconsole.model.panels import PanelData, headline_series, legend_of, panel_state, stale_after, step_of
from opsconsole.model.playbook import Panel, PanelQuery, Threshold
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.series import QueryResult, Series, latest
from opsconsole.model.verdicts import Level, Verdict, badness, worst
from opsconsole.text import trusted

NOW = 1_000_000.0
ABOVE = (Threshold(level=Level.WARNING, above=500), Threshold(level=Level.CRITICAL, above=1000))
BELOW = (Threshold(level=Level.WARNING, below=80), Threshold(level=Level.CRITICAL, below=70))


def panel(thresholds: tuple[Threshold, ...] = ABOVE, empty: str = "unknown", headline: str = "") -> Panel:
    queries = (PanelQuery(expr="a", legend=trusted("p50")), PanelQuery(expr="b", legend=trusted("p95")))
    return Panel(
        id="x",
        title=trusted("X"),
        queries=queries,
        thresholds=thresholds,
        empty=empty,
        headline=trusted(headline),
    )


def series(*values: float, end: float = NOW) -> Series:
    times = tuple(end - 15.0 * i for i in reversed(range(len(values))))
    return Series({}, times, values)


def reading(*found: Series, at: float = NOW) -> Reading[PanelData]:
    return Reading[PanelData]().good(PanelData((QueryResult("matrix", found),)), at)


@pytest.mark.parametrize(
    ("thresholds", "value", "level"),
    [
        (ABOVE, 500, Level.OK),
        (ABOVE, 501, Level.WARNING),
        (ABOVE, 1000, Level.WARNING),
        (ABOVE, 1240, Level.CRITICAL),
        (ABOVE, math.inf, Level.CRITICAL),
        (BELOW, 80, Level.OK),
        (BELOW, 79, Level.WARNING),
        (BELOW, 12, Level.CRITICAL),
        (BELOW, 0, Level.CRITICAL),
        ((Threshold(level=Level.CRITICAL, below=0),), -1, Level.CRITICAL),
        ((), 1e12, Level.OK),
    ],
)
def test_the_last_value_is_held_against_the_thresholds(
    thresholds: tuple[Threshold, ...], value: float, level: Level
) -> None:
    state = panel_state(panel(thresholds), reading(series(1.0, value)), NOW)
    assert (state.value, state.level) == (value, level)


def test_the_reason_names_the_bound() -> None:
    assert panel_state(panel(), reading(series(1240)), NOW).reason == "above 1000"
    assert panel_state(panel(BELOW), reading(series(75)), NOW).reason == "below 80"


def test_the_worst_of_several_series_counts() -> None:
    assert panel_state(panel(ABOVE), reading(series(1), series(2000), series(3)), NOW).value == 2000
    assert panel_state(panel(BELOW), reading(series(99), series(60), series(90)), NOW).value == 60
    both = (Threshold(level=Level.WARNING, below=10), Threshold(level=Level.CRITICAL, above=90))
    state = panel_state(panel(both), reading(series(5), series(95)), NOW)
    assert (state.value, state.level) == (95, Level.CRITICAL)


def test_not_asked_yet_is_unknown() -> None:
    state = panel_state(panel(), Reading[PanelData](), NOW)
    assert (state.value, state.level, state.reason) == (None, Level.UNKNOWN, "not asked yet")


def test_a_failed_poll_is_unknown_and_keeps_the_value() -> None:
    failed = reading(series(1240)).failed(Failure(kind="timed out", message=trusted("after 10s")), NOW + 5)
    state = panel_state(panel(), failed, NOW + 5)
    assert (state.value, state.level, state.reason) == (1240, Level.UNKNOWN, "timed out: after 10s")


def test_an_old_answer_is_unknown() -> None:
    old = reading(series(1))
    assert panel_state(panel(), old, NOW + old.limit).level is Level.OK
    state = panel_state(panel(), old, NOW + old.limit + 1)
    assert (state.value, state.level, state.reason) == (1, Level.UNKNOWN, "no answer for 16s")


def test_a_partial_answer_is_unknown() -> None:
    data = PanelData((QueryResult("matrix", (series(1),)),))
    partial = Reading[PanelData]().good(data, NOW, (trusted("store b did not answer"),))
    state = panel_state(panel(), partial, NOW)
    assert (state.value, state.level, state.reason) == (1, Level.UNKNOWN, "partial: store b did not answer")


def test_nan_is_unknown_even_beside_good_values() -> None:
    for found in ((series(math.nan),), (series(1), series(1, math.nan))):
        state = panel_state(panel(), reading(*found), NOW)
        assert (state.level, state.reason) == (Level.UNKNOWN, "the value is not a number")


def test_a_nan_in_the_past_is_past() -> None:
    assert panel_state(panel(), reading(series(math.nan, 1)), NOW).level is Level.OK


def test_old_samples_in_a_fresh_answer_are_unknown() -> None:
    limit = stale_after(panel())
    assert panel_state(panel(), reading(series(1, end=NOW - limit)), NOW).level is Level.OK
    state = panel_state(panel(), reading(series(1, end=NOW - limit - 1)), NOW)
    assert state.level is Level.UNKNOWN
    assert state.reason.startswith("last sample")


def test_a_series_that_ended_does_not_count_beside_one_that_goes_on() -> None:
    state = panel_state(panel(), reading(series(2000, end=NOW - 1800), series(3)), NOW)
    assert (state.value, state.level) == (3, Level.OK)


@pytest.mark.parametrize(
    ("empty", "value", "level"),
    [("unknown", None, Level.UNKNOWN), ("ok", None, Level.OK), ("zero", 0.0, Level.OK)],
)
def test_an_empty_answer_is_what_the_panel_says(empty: str, value: float | None, level: Level) -> None:
    state = panel_state(panel(empty=empty), reading(), NOW)
    assert (state.value, state.level) == (value, level)
    assert panel_state(panel(empty=empty), Reading[PanelData](), NOW).level is Level.UNKNOWN


def test_an_empty_answer_read_as_zero_is_judged() -> None:
    assert panel_state(panel(BELOW, empty="zero"), reading(), NOW).level is Level.CRITICAL


def test_the_headline_names_the_query() -> None:
    data = PanelData((QueryResult("matrix", (series(1),)), QueryResult("matrix", (series(2),))))
    assert headline_series(panel(headline="p95"), data)[0].last == 2
    assert headline_series(panel(), data)[0].last == 1
    assert headline_series(panel(headline="typo"), data)[0].last == 1


def test_another_query_never_stands_in_for_the_headline() -> None:
    only_first = PanelData((QueryResult("matrix", (series(1),)),))
    assert headline_series(panel(headline="p95"), only_first) == ()


def test_legends() -> None:
    labels = {"__name__": "m", "route": "/a\x1b", "code": "500"}
    assert legend_of("{{route}} {{ .Labels.code }} {{none}}", labels) == "/a\\x1b 500 "
    assert legend_of("", labels) == "code=500,route=/a\\x1b"


@pytest.mark.parametrize("window", [60, 900, 3600, 21600, 86400, 7 * 86400, 30 * 86400])
def test_a_window_has_at_most_a_few_hundred_points(window: float) -> None:
    assert step_of(window) >= 5
    assert window / step_of(window) <= 360


def test_latest_needs_exactly_one_known_series() -> None:
    assert latest([series(1, 2)]) == 2
    assert latest([series(1), series(2)]) is None
    assert latest([series(math.nan)]) is None
    assert latest([Series({}, (), ())]) is None
    assert latest([]) is None


def test_unknown_is_worse_than_a_warning_and_nothing_asked_is_unknown() -> None:
    assert sorted(Level, key=badness) == [Level.OK, Level.WARNING, Level.UNKNOWN, Level.CRITICAL]
    assert worst([Level.OK, Level.WARNING, Level.UNKNOWN]) is Level.UNKNOWN
    assert worst([Level.UNKNOWN, Level.CRITICAL]) is Level.CRITICAL
    assert worst([]) is Level.UNKNOWN
    verdict = Verdict(id="sources.prometheus.ready", title=trusted("t"), level=Level.OK, reason=trusted("r"))
    assert verdict.group == "sources"
