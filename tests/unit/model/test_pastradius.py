"""What matchers would have hidden: the selector means what the matchers mean, and no answer is never zero."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.matchers import Matcher, match_all
from opsconsole.model.pastradius import (
    HOURS,
    REACH_QUERY,
    Past,
    beside_now,
    carried_query,
    never_given,
    not_carried,
    past_of,
    past_query,
    reach_of,
    required,
    selector,
)
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.severity import Severity
from opsconsole.text import trusted

NAMES = ["alertname", "severity", "job", "route", "alertstate", "__name__", "a:b", "with space", 'q"\\\n']
VALUES = ["", "a", "b", "ab", "a.b", "a\nb", 'q"b\\s\nl', "äß", "critical", "x|y", "ALERTS", "firing", "\t\x1b"]
PATTERNS = [
    "", ".*", ".+", "a.b", "a|b", "a.*", r"a\.b", r"x\|y", "(?s)a.b", "(?i)A.?", "[^.]+", "^a$", 'q"b.*', "ä.",
]  # fmt: skip

names = st.sampled_from(NAMES)
matchers = st.lists(
    st.one_of(
        st.builds(Matcher, names, st.sampled_from(VALUES) | st.text(max_size=4), st.just(False), st.booleans()),
        st.builds(Matcher, names, st.sampled_from(PATTERNS), st.just(True), st.booleans()),
    ),
    max_size=5,
).map(tuple)
alerts = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in ("alertstate", "__name__")]),
    st.sampled_from(VALUES),
    max_size=6,
)

_PART = re.compile(r'("(?:\\.|[^"\\])*"|[a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)("(?:\\.|[^"\\\n])*")(?:,|$)', re.S)


def unquoted(text: str) -> str:
    return json.loads(text, strict=False) if text.startswith('"') else text


def selects(query: str, labels: Mapping[str, str], *, flags: str) -> bool:
    """Whether a selector finds a series, read from its text as Prometheus would: `flags` are those that it puts
    before a regular expression, `s` from version 3 on."""
    metric, _, inside = query.removesuffix("}").partition("{")
    series = {"__name__": metric, "alertstate": "firing", **labels}
    at = 0
    while at < len(inside):
        part = _PART.match(inside, at)
        assert part is not None, inside[at:]
        at = part.end()
        name, op, value = unquoted(part[1]), part[2], unquoted(part[3])
        have = series.get(name, "")
        hit = re2.search(f"^(?{flags}:{value})$", have) is not None if "~" in op else have == value
        if hit is op.startswith("!"):
            return False
    return True


@given(matchers, alerts)
def test_the_selector_finds_the_alerts_that_the_matchers_hide(found, labels) -> None:
    wanted = match_all(found, labels)
    if never_given(found):
        assert not wanted
        return
    for flags in ("", "s"):
        assert selects(selector(found), labels, flags=flags) is wanted


@given(matchers, alerts)
def test_an_alert_that_is_hidden_has_every_required_label(found, labels) -> None:
    if match_all(found, labels):
        assert all(labels.get(name) for name in required(found))


def test_the_queries() -> None:
    exact = (Matcher("alertname", "A"), Matcher("route", 'a"\\\n'), Matcher("alertstate", ""))
    assert past_query(exact) == (
        "count by (alertname, severity, priority) "
        r'(last_over_time(ALERTS{alertstate="firing",alertname="A",route="a\"\\\n"}[7d]))'
    )
    assert selector([Matcher("a", "b.*", True, False)]) == 'ALERTS{alertstate="firing",a!~"(?-s:b.*)"}'
    assert selector([]) == 'ALERTS{alertstate="firing"}'
    assert carried_query(["job", "a:b"]) == (
        'label_replace(count(last_over_time(ALERTS{alertstate="firing",job!=""}[7d])), "at", "0", "", "") or '
        'label_replace(count(last_over_time(ALERTS{alertstate="firing","a:b"!=""}[7d])), "at", "1", "", "")'
    )
    assert 'label_replace(count(up), "hours", "0", "", "")' in REACH_QUERY
    assert 'label_replace(count(up offset 168h), "hours", "168", "", "")' in REACH_QUERY
    assert never_given([Matcher("alertstate", "firing"), Matcher("__name__", ".*", True)]) == ("alertstate",)


def vector(*found: tuple[dict[str, str], float], warnings: tuple[str, ...] = ()) -> QueryResult:
    series = tuple(Series(labels, (0.0,), (value,)) for labels, value in found)
    return QueryResult("vector", series, tuple(trusted(w) for w in warnings))


def test_the_counts_are_by_severity_with_the_critical_names() -> None:
    past = past_of(
        vector(
            ({"alertname": "Slow", "severity": "warning"}, 7),
            ({"alertname": "Down", "severity": "page"}, 1),
            ({"alertname": "\x1b[31mBad", "priority": "P0"}, 2),
            ({"alertname": "Slow", "severity": "warn"}, 1),
            ({"alertname": "Odd"}, 1),
        )
    )
    assert past.counts == {Severity.CRITICAL: 3, Severity.WARNING: 8, Severity.UNKNOWN: 1}
    assert past.criticals == ("\\x1b[31mBad", "Down")
    assert (past.total, past.why) == (12, "")
    assert past_of(vector()) == Past()


@pytest.mark.parametrize(
    "answer",
    [
        QueryResult("matrix", ()),
        QueryResult("scalar", (Series({}, (0.0,), (0.0,)),)),
        vector(warnings=("no answer from store 2",)),
        vector(({"alertname": "A"}, 3), warnings=("no answer from store 2",)),
        vector(({"alertname": "A"}, float("nan"))),
        vector(({"alertname": "A"}, float("inf"))),
        vector(({"alertname": "A"}, 0.0)),
        QueryResult("vector", (Series({"alertname": "A"}, (), ()),)),
    ],
)
def test_no_whole_answer_is_not_known(answer: QueryResult) -> None:
    past = past_of(answer)
    assert past.why
    assert past.total == 0


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (HOURS, ""),
        ((), "Prometheus has no series `up` now that would tell how far back it knows"),
        (HOURS[1:], "Prometheus has no series `up` now that would tell how far back it knows"),
        ((0,), "Prometheus has less than the last hour"),
        ((0, 1), "Prometheus has only the last hour"),
        ((0, 1, 6), "Prometheus has only the last 6 hours"),
        (HOURS[:6], "Prometheus has only the last 2 days"),
        (HOURS[:-1], "Prometheus has only the last 6 days"),
        ([h for h in HOURS if h != 48], "Prometheus has only the last day"),
    ],
)
def test_how_far_back_it_knows(known, why) -> None:
    assert reach_of(vector(*(({"hours": str(hours)}, 4) for hours in known))).why == why


def test_a_partial_answer_does_not_say_how_far_back_it_knows() -> None:
    whole = [({"hours": str(hours)}, 4.0) for hours in HOURS]
    assert "store 2" in reach_of(vector(*whole, warnings=("store 2",))).why
    assert reach_of(QueryResult("matrix", ())).why


def test_labels_that_no_alert_had() -> None:
    names = ("job", "cluster", "replica")
    assert not_carried(vector(({"at": "0"}, 9), ({"at": "2"}, 9)), names) == ("cluster",)
    assert not_carried(vector(), names) == names


def test_what_is_hidden_now_is_a_part_of_the_week() -> None:
    past = past_of(vector(({"alertname": "A", "severity": "critical"}, 2)))
    assert beside_now(past, None) == beside_now(past, 2) == past
    doubted = beside_now(past, 3)
    assert doubted.why == "Prometheus knows fewer alerts (2) than are hidden now (3)"
    assert doubted.total == 2
    assert beside_now(past_of(vector(), "short"), 3).why == "short"
