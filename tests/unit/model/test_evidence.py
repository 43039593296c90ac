"""The test of two shares: reference values from the literature, and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.evidence import (
    ALPHA,
    LEAST,
    Counts,
    Weight,
    compare,
    difference_interval,
    fisher,
    two_proportions,
)

COUNTS = st.tuples(st.integers(0, 3000), st.integers(1, 3000)).map(lambda pair: Counts(min(pair), max(pair)))
MIRRORED = {Weight.WORSE: Weight.BETTER, Weight.BETTER: Weight.WORSE}


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        # R 4: prop.test(c(15, 25), c(100, 100), correct = FALSE)
        (Counts(15, 100), Counts(25, 100), 0.0770999),
        # The Physicians' Health Study: heart attacks with aspirin and without (Agresti): X2 = 25.014
        (Counts(104, 11_037), Counts(189, 11_034), 5.692e-7),
        (Counts(10, 100), Counts(10, 100), 1.0),
        (Counts(0, 100), Counts(0, 100), 1.0),
    ],
)
def test_the_z_test_gives_the_values_of_the_books(before: Counts, after: Counts, p: float) -> None:
    assert two_proportions(before, after) == pytest.approx(p, rel=2e-4)


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        # Fisher's tea taster (Agresti, An Introduction to Categorical Data Analysis): 34/70
        (Counts(1, 4), Counts(3, 4), 34 / 70),
        # R's help of fisher.test: convictions of same-sex twins of criminals, alternative = "less", twice
        (Counts(10, 13), Counts(2, 17), 2 * 0.0004651809),
        (Counts(0, 9), Counts(0, 7), 1.0),
    ],
)
def test_the_exact_test_gives_the_values_of_the_books(before: Counts, after: Counts, p: float) -> None:
    assert fisher(before, after) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [
        # Newcombe (1998), table II, method 10, contrasts (a) and (b)
        (Counts(48, 80), Counts(56, 70), 0.0524, 0.3339),
        (Counts(3, 10), Counts(9, 10), 0.1705, 0.8090),
    ],
)
def test_the_interval_is_newcombes(before: Counts, after: Counts, low: float, high: float) -> None:
    assert difference_interval(before, after) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        (Counts(38, 38_112), Counts(595, 12_400), Weight.WORSE),
        (Counts(595, 12_400), Counts(38, 38_112), Weight.BETTER),
        (Counts(38, 38_112), Counts(13, 12_400), Weight.SAME),
        # Certain, and of no consequence: 5.00 % and 5.05 % of a hundred million.
        (Counts(5_000_000, 100_000_000), Counts(5_050_000, 100_000_000), Weight.SAME),
        # One of fifty is nothing to act on, though the z-test would call it certain.
        (Counts(0, 40_000), Counts(1, 50), Weight.TOO_LITTLE),
        (Counts(0, 200), Counts(0, 200), Weight.TOO_LITTLE),
        (Counts(0, 5_000), Counts(0, 5_000), Weight.SAME),
        (Counts(0, LEAST - 1), Counts(60, 60), Weight.TOO_LITTLE),
        (Counts(0, 0), Counts(0, 0), Weight.TOO_LITTLE),
    ],
)
def test_verdicts(before: Counts, after: Counts, weight: Weight) -> None:
    found = compare(before, after)
    assert found.weight is weight, found
    assert bool(found.reason) == (weight is Weight.TOO_LITTLE)
    assert (found.before, found.after) == (before, after)


def test_few_expected_ones_take_the_exact_test() -> None:
    assert compare(Counts(0, 600), Counts(99, 600)).test == "Fisher's exact test"
    assert compare(Counts(0, 600), Counts(100, 600)).test == "two-proportion z-test"
    for after in (60, 70, 80):
        counts = Counts(50, 600), Counts(after, 600)
        assert fisher(*counts) == pytest.approx(two_proportions(*counts), abs=0.1)


def test_nothing_of_nothing_has_no_share() -> None:
    assert math.isnan(Counts(0, 0).share)


@given(COUNTS, COUNTS)
def test_swapping_before_and_after_swaps_worse_and_better(before: Counts, after: Counts) -> None:
    one, other = compare(before, after), compare(after, before)
    assert other.weight is MIRRORED.get(one.weight, one.weight)
    assert (one.p is None) == (other.p is None)
    if one.p is not None:
        assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-12)


@given(COUNTS, COUNTS)
def test_worse_and_better_have_the_sign_and_the_certainty(before: Counts, after: Counts) -> None:
    found = compare(before, after)
    assert found.p is None or 0.0 <= found.p <= 1.0
    if found.weight in MIRRORED:
        assert found.p is not None
        assert found.p < ALPHA
        assert (after.share > before.share) is (found.weight is Weight.WORSE)


@given(COUNTS, COUNTS, st.integers(1, 500))
def test_more_bad_ones_after_never_look_better(before: Counts, after: Counts, more: int) -> None:
    order = {Weight.BETTER: 0, Weight.SAME: 1, Weight.TOO_LITTLE: 1, Weight.WORSE: 2}
    worse = Counts(min(after.all, after.bad + more), after.all)
    assert order[compare(before, worse).weight] >= order[compare(before, after).weight]


@given(st.integers(0, 400), st.integers(50, 400), st.integers(1, 400))
def test_the_same_share_is_never_worse(bad: int, every: int, times: int) -> None:
    before = Counts(min(bad, every), every)
    after = Counts(before.bad * times, before.all * times)
    assert compare(before, after).weight not in MIRRORED
