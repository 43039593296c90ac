"""Whether an alert's condition holds no longer: never said from missing data."""

from __future__ import annotations

import math

import pytest

from opsconsole.model.recovery import Answers, State, answers, questions, recovery
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import safe

EXPR = '100 * sum(rate(r{job="a",s=~"5.."}[1m])) / (sum(rate(r{job="a"}[1m])) > 0.1) > 5'
NOW, STEP = 1000.0, 10.0
LABELS = {"alertname": "Errors", "job": "a", "severity": "critical", "route": "/x"}


def matrix(*series: tuple[dict[str, str], list[tuple[float, float]]]) -> QueryResult:
    return QueryResult(
        "matrix",
        tuple(
            Series(labels, tuple(t for t, _ in points), tuple(v for _, v in points)) for labels, points in series
        ),
    )


def line(start: float, end: float, value: float) -> list[tuple[float, float]]:
    return [(t, value) for t in range(int(start), int(end) + 1, int(STEP))]


def told(
    held: list[tuple[float, float]],
    value: list[tuple[float, float]] | None = None,
    newest: float | None = NOW - 5,
    since: float = 900.0,
) -> Answers:
    own = {"job": "a", "route": "/x"}
    return Answers(
        condition=matrix((own, held)),
        value=None if value is None else matrix((own, value)),
        fresh=(matrix(({}, line(since, NOW, newest) if newest is not None else [])),),
        since=since,
        now=NOW,
        step=STEP,
    )


def test_what_is_asked_beside_the_expression() -> None:
    asked = questions(EXPR)
    assert asked.value.startswith("100 * sum")
    assert asked.value.endswith("> 0.1)"), "the bound of the traffic is a part of the value"
    assert asked.fresh == ('max(timestamp({__name__="r",job="a"}))',)
    assert questions("a > 1 or b > 2").fresh == ('max(timestamp({__name__="a"}) or timestamp({__name__="b"}))',)
    assert questions("a > 1 and b > 2").value == "", "two comparisons have no one value"
    assert questions('absent(up{job="a"})').fresh == ()
    with pytest.raises(ValueError, match="unexpected"):
        questions("rate(")


def test_answers_go_to_their_questions() -> None:
    asked = questions("a > 1")
    parts = [matrix(({"n": str(n)}, [])) for n in range(3)]
    found = answers(asked, parts, 0.0, 1.0, 1.0)
    assert (found.condition, found.value, found.fresh) == (parts[0], parts[1], (parts[2],))


def test_it_is_recovered_from_the_first_clear_sample_on() -> None:
    found = recovery(told(line(900, 940, 9.0), line(900, 1000, 2.0)), LABELS)
    assert (found.state, found.at) == (State.RECOVERED, 950.0)


def test_a_condition_that_holds_is_not_recovered() -> None:
    found = recovery(told(line(900, 1000, 9.0), line(900, 1000, 9.0)), LABELS)
    assert (found.state, found.at, found.reason) == (State.NOT_YET, None, "its condition still holds")


def test_a_condition_that_came_back_counts_from_its_last_end() -> None:
    held = line(900, 920, 9.0) + line(960, 970, 9.0)
    assert recovery(told(held, line(900, 1000, 2.0)), LABELS).at == 980.0
    short = recovery(told(held, line(900, 1000, 2.0)), LABELS, hold=30)
    assert (short.state, short.reason) == (State.NOT_YET, "clear for 20 s so far")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (told(line(900, 940, 9.0), line(900, 1000, 2.0), newest=None), "not there"),
        (told(line(900, 940, 9.0), line(900, 1000, 2.0), newest=NOW - 400), "400 s old"),
        (told(line(900, 940, 9.0), line(900, 1000, 2.0), newest=math.nan), "not there"),
        (told(line(900, 940, 9.0), line(900, 960, 2.0)), "no value now"),
        (told(line(900, 940, 9.0), []), "no value now"),
        (told(line(900, 940, 9.0), line(900, 1000, math.nan)), "NaN"),
    ],
    ids=["gone", "old", "of no time", "value ended", "no value", "not a number"],
)
def test_without_data_nothing_is_told(answer: Answers, why: str) -> None:
    found = recovery(answer, LABELS)
    assert (found.state, found.at) == (State.UNKNOWN, None)
    assert why in found.reason


def test_a_gap_is_not_clear_time() -> None:
    value = line(900, 950, 2.0) + line(980, 1000, 2.0)
    found = recovery(told(line(900, 910, 9.0), value), LABELS)
    assert (found.state, found.at) == (State.RECOVERED, 980.0)


def test_a_partial_answer_tells_nothing() -> None:
    whole = told(line(900, 940, 9.0), line(900, 1000, 2.0))
    partial = QueryResult("matrix", whole.condition.series, (safe("a store is gone"),))
    found = recovery(
        Answers(condition=partial, value=whole.value, fresh=whole.fresh, since=900, now=NOW, step=STEP), LABELS
    )
    assert (found.state, "a store is gone" in found.reason) == (State.UNKNOWN, True)


def test_only_the_alerts_own_series_count() -> None:
    other = {"job": "a", "route": "/other"}
    answer = told(line(900, 940, 9.0), line(900, 1000, 2.0))
    both = QueryResult("matrix", (*answer.condition.series, *matrix((other, line(900, 1000, 9.0))).series))
    asked = Answers(condition=both, value=answer.value, fresh=answer.fresh, since=900, now=NOW, step=STEP)
    assert recovery(asked, LABELS).state is State.RECOVERED
    assert recovery(asked, {**LABELS, "route": "/other"}).state is State.NOT_YET


def test_an_expression_without_one_value_is_told_by_its_metrics() -> None:
    assert recovery(told(line(900, 940, 9.0)), LABELS).at == 950.0
    assert recovery(told([], since=NOW), LABELS).state is State.UNKNOWN, "nothing was measured since"
