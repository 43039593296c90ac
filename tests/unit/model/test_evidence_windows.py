"""The windows before and after a change, and what stands on the answers."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.demo.expr import Selector, parse
from opsconsole.model.evidence import Weight
from opsconsole.model.evidence_windows import Counted, Windows, evaluated, judge, question, quoted, windows
from opsconsole.model.flags import FlagChange
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import trusted

AT = 10_000.0
WHOLE = Windows((9100.0, AT), (10_010.0, 10_910.0))


def changed(at: float = AT, key: str = "pricing") -> FlagChange:
    return FlagChange(key=key, at=at, summary=trusted("off -> on"), exact=True)


def seen(now: float, *others: FlagChange) -> Windows:
    return windows(changed(), (changed(), *others), now, 10.0)


def number(*values: float, **more: object) -> QueryResult:
    series = tuple(Series({"n": str(i)}, (AT,), (value,)) for i, value in enumerate(values))
    return QueryResult("vector", series, **more)  # type: ignore[arg-type]  # only warnings are given


GOOD = Counted(
    bad_before=number(38.2), all_before=number(38_112.4), bad_after=number(595), all_after=number(12_400),
    recent=number(900),
)  # fmt: skip


def test_the_windows_are_as_long_as_what_has_passed() -> None:
    assert seen(AT + 10 + 407) == Windows((AT - 405, AT), (AT + 10, AT + 415), growing=True)
    assert seen(AT + 10 + 3600) == WHOLE


def test_a_short_window_after_is_held_against_five_minutes_before() -> None:
    assert seen(AT + 50) == Windows((AT - 300, AT), (AT + 10, AT + 40), growing=True)
    assert seen(AT + 1) == Windows((AT - 300, AT), (AT + 10, AT + 10), growing=True)


def test_a_change_of_unknown_time_leaves_out_the_time_in_which_it_may_have_happened() -> None:
    seen_late = msgspec.structs.replace(changed(), exact=False)
    found = windows(seen_late, (seen_late,), AT + 10 + 3600, 10.0)
    assert found == Windows((AT - 915, AT - 15), WHOLE.after)


def test_other_changes_of_the_flag_cut_the_windows() -> None:
    found = seen(AT + 5000, changed(AT - 100), changed(AT + 200), changed(AT - 5, key="other"))
    assert found == Windows((AT - 90, AT), (AT + 10, AT + 200))


@given(st.floats(0, 5000), st.lists(st.floats(-2000, 2000)), st.floats(0, 120))
def test_windows_never_reach_over_a_change_or_now(after: float, others: list[float], propagation: float) -> None:
    changes = [changed(), *(changed(AT + away) for away in others)]
    found = windows(changed(), changes, AT + after, propagation)
    assert found.before[1] == AT
    assert found.after[0] == AT + propagation
    assert max(found.lengths) <= 900
    assert found.after[1] <= max(found.after[0], AT + after)
    for change in changes:
        assert found.before[0] <= found.before[1]
        assert not found.after[0] < change.at < found.after[1]
        assert not found.before[0] < change.at < found.before[1]


def test_a_window_stands_for_fifteen_seconds() -> None:
    assert len({seen(AT + 10 + 60 + i) for i in range(15)}) == 1


def test_the_numbers_are_judged() -> None:
    found = judge(WHOLE, GOOD)
    assert found.weight is Weight.WORSE
    assert found.before is not None
    assert (found.before.bad, found.before.all) == (38, 38_112)


@pytest.mark.parametrize(
    ("part", "answer", "reason"),
    [
        ("bad_before", QueryResult("vector", ()), "no data before the change"),
        ("all_after", QueryResult("vector", ()), "no data after the change"),
        ("recent", QueryResult("vector", ()), "no data at the end of the window after the change"),
        ("all_before", number(math.nan), "no number before the change"),
        ("bad_after", number(-1000), "after the change -1000 of 12400 are counted as bad"),
        ("all_after", number(-1), "after the change 595 of -1 are counted as bad"),
        ("bad_after", number(1, 2), "the query gives 2 series instead of one"),
        ("bad_after", number(1, warnings=(trusted("a store is gone"),)), "the answer is partial: a store is gone"),
        ("bad_after", number(20_000), "after the change 20000 of 12400 are counted as bad"),
    ],
)
def test_what_is_missing_partial_or_old_has_no_verdict(part: str, answer: QueryResult, reason: str) -> None:
    found = judge(WHOLE, msgspec.structs.replace(GOOD, **{part: answer}))
    assert found.weight is Weight.UNKNOWN
    assert str(found.reason).startswith(reason)


def test_windows_that_are_too_short_say_so() -> None:
    just = judge(Windows((AT - 300, AT), (AT + 10, AT + 25), growing=True), GOOD)
    assert (just.weight, just.reason) == (Weight.TOO_LITTLE, "it has only just changed: needs 30s after it")
    before = judge(Windows((AT - 20, AT), (AT + 10, AT + 900)), GOOD)
    assert (before.weight, before.reason) == (Weight.TOO_LITTLE, "it had changed just before: needs 30s before it")


def test_rounding_never_makes_more_bad_ones_than_there_are() -> None:
    found = judge(WHOLE, msgspec.structs.replace(GOOD, bad_after=number(100.6), all_after=number(100.4)))
    assert found.after is not None
    assert (found.after.bad, found.after.all) == (100, 100)
    found = judge(WHOLE, msgspec.structs.replace(GOOD, bad_after=number(-0.7)))
    assert found.after is not None
    assert found.after.bad == 0


def test_a_question_is_filled() -> None:
    expr = 'sum by (result) (increase(evaluations_total{flag_name="$flag"}[$window]))'
    filled = question(expr, 405.0, 'a"b\\c\n[$window]')
    assert filled == r'sum by (result) (increase(evaluations_total{flag_name="a\"b\\c\n[$window]"}[405s]))'


@given(st.text())
def test_a_name_is_one_string_of_promql(name: str) -> None:
    literal = quoted(name)
    found = parse(f"x{{flag={literal}}}")
    assert isinstance(found, Selector)
    assert len(found.matchers) == 1
    if all(c.isprintable() or c == "\n" for c in name):
        assert found.matchers[0].value == name


def test_evaluations_are_named_by_their_result() -> None:
    result = QueryResult(
        "vector",
        (
            Series({"result": "true"}, (AT,), (12.0,)),
            Series({"result": "false"}, (AT,), (3.0,)),
            Series({"result": "odd"}, (AT,), (math.nan,)),
        ),
    )
    assert evaluated(result) == (("false", 3.0), ("true", 12.0))
