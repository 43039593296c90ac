"""Long windows in the embedded demo: those that begin before its data, and those with a short event in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from opsconsole.demo.evaluate import Evaluator
from opsconsole.demo.expr import parse
from opsconsole.demo.vectors import Column, Frame

FIRST, NOW = 100_000.0, 110_000.0


class OneCounter:
    """A counter that grows by one a second from FIRST on, and a gauge that is 7 for 20 seconds."""

    def names(self) -> Iterable[str]:
        return ["hits_total", "level"]

    def columns(self, name: str, times: Sequence[float]) -> list[tuple[dict[str, str], Column]]:
        values: Column = [None if t < FIRST else t - FIRST for t in times]
        if name == "level":
            values = [7.0 if 109_000.0 <= t < 109_020.0 else 1.0 for t in times]
        return [({"__name__": name}, values)] if name in self.names() else []


def ask(query: str, *times: float) -> list[Column]:
    result = Evaluator(OneCounter(), compress=1.0).run(parse(query), times or [NOW])
    return [frame.values for frame in result if isinstance(frame, Frame)]


def test_a_window_inside_the_data_counts_all_of_it() -> None:
    assert ask("increase(hits_total[1h])") == [[3600.0]]


def test_a_window_that_begins_before_the_data_counts_from_their_beginning() -> None:
    ((value,),) = ask("increase(hits_total[24h])")
    assert value == pytest.approx(10_000.0, rel=0.01)
    ((rate,),) = ask("rate(hits_total[24h])")
    assert rate == pytest.approx(10_000.0 / 86_400.0, rel=0.01)


def test_each_time_has_its_own_window() -> None:
    (values,) = ask("increase(hits_total[3h])", FIRST - 60, NOW, NOW + 4000)
    assert values[0] is None
    assert values[1:] == [pytest.approx(10_000.0, rel=0.01), pytest.approx(10_800.0)]


def test_a_short_event_in_a_long_window_is_seen() -> None:
    assert ask("max_over_time(level[24h])") == [[7.0]]
    assert ask("min_over_time(level[24h])") == [[1.0]]
    assert ask("last_over_time(level[24h])") == [[1.0]]
    assert ask("max_over_time(level[5m])", NOW, 109_100.0) == [[1.0, 7.0]]


def test_a_history_of_alerts_that_is_not_there_is_empty() -> None:
    assert ask('count(ALERTS{alertstate="firing"})') == []
    assert ask("bottomk(10, time() - max by (alertname) (last_over_time(ALERTS_FOR_STATE[24h])))") == []
