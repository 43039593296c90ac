"""What one look at a rule may be acted on, and why not."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.guard.samples import fresh_within, freshness_query, sample_of, slow_within, understood
from opsconsole.model.guard import GuardRule
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import trusted

NOW = 1_767_225_600.0
RULE = GuardRule(
    id="errors", title=trusted("Errors"), expr='sum(rate(e{job="a"}[30s])) / sum(rate(r[30s]))', above=0.05
)


def vector(*values: float, at: float = NOW, warnings: tuple[str, ...] = (), kind: str = "vector") -> QueryResult:
    series = tuple(Series({"route": f"/{i}"}, (at,), (value,)) for i, value in enumerate(values))
    return QueryResult(kind, series, tuple(map(trusted, warnings)))


FRESH = vector(NOW - 5.0)


def test_a_fresh_whole_value() -> None:
    sample = sample_of(RULE, vector(0.2), freshness=FRESH)
    assert (sample.value, sample.at, sample.newest, sample.problem) == (0.2, NOW, NOW - 5.0, "")


@pytest.mark.parametrize(
    ("value", "freshness", "why"),
    [
        (vector(), FRESH, "no value"),
        (vector(math.nan), FRESH, "not every series has a finite value"),
        (vector(0.2, math.nan), FRESH, "not every series has a finite value"),
        (vector(math.inf), FRESH, "not every series has a finite value"),
        (vector(0.2, warnings=("a store is down",)), FRESH, "partial: a store is down"),
        (vector(0.2), vector(NOW, warnings=("a store is down",)), "partial: a store is down"),
        (vector(0.2), vector(NOW - 31.0), "stale: the newest scrape is 31s old, allowed are 30s"),
        (vector(0.2), vector(), "no scrape is behind it"),
        (vector(0.2), None, "no scrape is behind it"),
        (vector(0.2, kind="matrix"), FRESH, "the answer is a matrix, not a number"),
        (QueryResult("string", (Series({"value": "x"}, (), ()),)), FRESH, "no scrape"),
    ],
)
def test_what_may_not_be_acted_on(value: QueryResult, freshness: QueryResult | None, why: str) -> None:
    sample = sample_of(RULE, value, freshness=freshness)
    assert sample.value is None
    assert not sample.quiet
    assert why in sample.problem or sample.problem.startswith("the answer is a string")


def test_of_several_series_the_worst_counts_and_is_named() -> None:
    above = sample_of(RULE, vector(0.01, 0.3, 0.2), freshness=FRESH)
    assert (above.value, above.note) == (0.3, "the worst of 3: route=/1")
    below = sample_of(replace(RULE, above=None, below=1.0), vector(5.0, 2.0), freshness=FRESH)
    assert below.value == 2.0


def test_rule_04_a_value_counts_only_with_enough_traffic() -> None:
    rule = replace(RULE, traffic="sum(rate(r[30s]))", min_traffic=1.0)
    assert sample_of(rule, vector(0.5), freshness=FRESH, traffic=vector(1.0)).value == 0.5
    little = sample_of(rule, vector(0.5), freshness=FRESH, traffic=vector(0.9))
    assert (little.value, little.quiet) == (None, True)
    assert little.problem == "too little traffic: 0.9 of 1 requests a second"
    assert sample_of(rule, vector(math.nan), freshness=FRESH, traffic=vector(0.0)).quiet
    for unknown in (vector(), vector(math.nan), None, vector(5.0, warnings=("x",))):
        sample = sample_of(rule, vector(0.5), freshness=FRESH, traffic=unknown)
        assert (sample.value, sample.quiet) == (None, False)


def test_the_question_for_the_newest_scrape() -> None:
    asked = freshness_query(RULE.expr)
    assert asked == (
        'min(label_replace(max(timestamp(e{job="a"})), "part", "0", "", "") or '
        'label_replace(max(timestamp(r)), "part", "1", "", ""))'
    )
    assert freshness_query("vector(1)") == ""
    assert freshness_query('absent(up{job="a"})') == ""
    assert freshness_query("x offset 1h") == ""


def test_what_cannot_be_read_is_not_known() -> None:
    assert not understood("sum(")
    sample = sample_of(replace(RULE, expr="sum("), vector(0.2))
    assert sample.value is None
    assert "cannot read its expression" in sample.problem


def test_a_constant_has_no_age() -> None:
    assert sample_of(replace(RULE, expr="vector(1)"), vector(1.0)).value == 1.0


@pytest.mark.parametrize(
    ("expr", "fresh", "slow"),
    [("rate(a[30s])", 30, 30), ("rate(a[1m])", 45, 60), ("a", 90, 0), ("rate(a[2m]) / rate(b[5m])", 90, 300)],
)
def test_how_old_a_value_may_be_and_how_long_it_remembers(expr: str, fresh: float, slow: float) -> None:
    assert (fresh_within(expr), slow_within(expr)) == (fresh, slow)


@pytest.mark.parametrize("name", ["accubooks", "docc2context", "gremlinsai", "ruleiq", "todo"])
def test_every_shipped_rule_can_be_asked_how_old_it_is(name: str) -> None:
    guard = load_playbook(find_playbook(name)).guard
    assert guard is not None
    for rule in guard.rules:
        assert freshness_query(rule.expr), rule.id
