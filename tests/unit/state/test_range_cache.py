"""Asking only for what is new must show the same as asking for everything."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.model.series import QueryResult, Series
from opsconsole.state.range_cache import OVERLAP, RangeAsk, RangeCache
from opsconsole.text import trusted


def answer(ask: RangeAsk, births: dict[str, tuple[float, float]]) -> QueryResult:
    """What a server would say: each series has the value `time / 10` between its birth and its death."""
    series = []
    for name, (born, died) in births.items():
        count = round((ask.end - ask.start) / ask.step) + 1
        times = [ask.start + i * ask.step for i in range(count)]
        times = [t for t in times if born <= t <= died]
        if times:
            series.append(Series({"name": name}, tuple(times), tuple(t / 10 for t in times)))
    return QueryResult("matrix", tuple(series))


def as_dict(result: QueryResult) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    return {s.labels["name"]: (s.times, s.values) for s in result.series}


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 500), min_size=1, max_size=20),
    births=st.dictionaries(st.sampled_from("abc"), st.tuples(st.floats(0, 3000), st.floats(0, 5000)), max_size=3),
    step=st.sampled_from([5.0, 15.0, 60.0]),
)
def test_increments_show_what_whole_windows_would(
    gaps: list[float], births: dict[str, tuple[float, float]], step: float
) -> None:
    cache = RangeCache(window=step * 40, step=step)
    now = 1000.0
    for gap in gaps:
        now += gap
        ask = cache.plan(now)
        shown = cache.merge(ask, answer(ask, births))
        end = math.floor(now / step) * step
        whole = RangeAsk(start=end - step * 40, end=end, step=step, full=True)
        assert as_dict(shown) == as_dict(answer(whole, births)), f"after {gap}s at {now}"


def test_asks_are_aligned_and_overlap_by_two_steps() -> None:
    cache = RangeCache(window=3600, step=15)
    first = cache.plan(10_007)
    assert (first.full, first.start, first.end) == (True, 6405, 10_005)
    cache.merge(first, QueryResult("matrix", ()))
    second = cache.plan(10_022)
    assert (second.full, second.start, second.end) == (False, 10_005 - OVERLAP * 15, 10_020)
    assert second.points / first.points < 0.05


def test_a_partial_answer_is_asked_again_in_full() -> None:
    cache = RangeCache(window=60, step=15)
    ask = cache.plan(1000)
    partial = QueryResult("matrix", (Series({}, (990.0,), (1.0,)),), warnings=(trusted("one store is down"),))
    assert cache.merge(ask, partial).warnings
    assert cache.plan(1001).full


def test_a_clock_that_steps_back_starts_again() -> None:
    cache = RangeCache(window=60, step=15)
    cache.merge(cache.plan(1000), QueryResult("matrix", ()))
    assert cache.plan(500).full
