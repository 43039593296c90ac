"""What a silence hides now: counting, what is different, what must be asked, and what is everything."""

from __future__ import annotations

import pytest

from opsconsole.errors import TimedOut, UsageError
from opsconsole.model.alerts import Alert, AlertStatus, fingerprint_of
from opsconsole.model.matchers import parse_matchers
from opsconsole.model.radius import (
    Change,
    Limits,
    Radius,
    changed,
    coming_back,
    not_known,
    radius_of,
    reasons,
    refuse_everything,
    span,
)
from opsconsole.model.severity import Severity
from opsconsole.text import trusted


def alert(name: str, severity: str = "warning", status: AlertStatus | None = None, **labels: str) -> Alert:
    every = {"alertname": name, "severity": severity, **labels}
    return Alert(fingerprint=fingerprint_of(every), labels=every, status=status or AlertStatus(), cluster="main")


A, B, C = alert("A"), alert("B", "critical"), alert("C", "critical")


def test_counts_the_worst_first() -> None:
    radius = radius_of([A, B, C])
    assert list(radius.counts.items()) == [(Severity.CRITICAL, 2), (Severity.WARNING, 1)]
    assert (radius.known, radius.answer, radius.criticals) == (True, "3", (B, C))


def test_a_member_that_failed_makes_it_unknown() -> None:
    radius = radius_of([A], [("http://am-1", TimedOut("no answer in 10s"))])
    assert (radius.known, radius.answer, radius.alerts) == (False, "unknown", (A,))
    assert radius.why == "the answer is partial: http://am-1 timed out: no answer in 10s"
    assert not radius_of([A], ["whatever"]).known
    assert "no answer" in not_known(TimedOut("no answer in 10s", hint="wait")).why


def test_what_is_different() -> None:
    before = Radius((A, B))
    assert changed(before, Radius((B, A))) is None
    assert changed(before, Radius((B, C))) == Change((C,), (A,))
    assert changed(before, Radius((A, B), trusted("partial"))) == Change()
    assert changed(Radius(why=trusted("x")), Radius(why=trusted("y"))) is None


@pytest.mark.parametrize(
    ("radius", "seconds", "everything", "said"),
    [
        (Radius((A,)), 3600, 5, []),
        (Radius(), 3600, 5, []),
        (Radius((A,)), 24 * 3600, 1, []),
        (Radius((A,)), 24 * 3600 + 1, None, ["It lasts 24h1m: longer than 24h."]),
        (Radius((A, B, C, B)), 60, None, ["3 critical: B, C."]),
        (Radius((A, A, A)), 60, None, ["3 alerts are more than 2."]),
        (
            Radius((A, A)),
            60,
            2,
            ["It hides everything: every alert that this Alertmanager has now."],
        ),
        (Radius(why=trusted("down")), 60, None, ["It is not known what this hides."]),
    ],
)
def test_reasons_for_a_number(radius: Radius, seconds: float, everything: int | None, said: list[str]) -> None:
    limits = Limits(confirm_above=10 if B in radius.alerts else 2)
    assert reasons(radius, seconds, limits, everything) == said


def test_more_criticals_than_are_named() -> None:
    many = Radius(tuple(alert(f"N{i}", "critical") for i in range(5)))
    assert reasons(many, 60, Limits()) == ["5 critical: N0, N1, N2 and 2 more names."]


def test_what_comes_back_is_hidden_by_nothing_else() -> None:
    alone = alert("A", status=AlertStatus("suppressed", ("s1",)))
    twice = alert("B", status=AlertStatus("suppressed", ("s1", "s2")))
    inhibited = alert("C", status=AlertStatus("suppressed", ("s1",), ("f",)))
    assert coming_back([alone, twice, inhibited, A], {"s1"}) == (alone,)
    assert coming_back([alone, twice, inhibited, A], {"s1", "s2"}) == (alone, twice)


@pytest.mark.parametrize(
    "text",
    ["a=~.*", "a=~.+", 'a=~"(.*)"', 'a=~".*.*"', 'a=~"(?s).{1,500}"', "a!=", 'a!~""', "a=~.+,b!=", "a=~.*,b=~.+"],
)  # fmt: skip
def test_everything_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"match every alert there is$"):
        refuse_everything(parse_matchers(text))


@pytest.mark.parametrize("text", ["a=", "a!=b", 'a!~"b|c"', "a=~|b", "a=~x?", "a=,b=~.+", "a=~x*,b!=y"])
def test_only_leaving_out_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="but those that they leave out"):
        refuse_everything(parse_matchers(text))


@pytest.mark.parametrize("text", ["a=b", "a=b,c!=d", "a=~b.*", 'a=~"x|.*y"', "a=b,c=~.*", "a=b,c="])
def test_one_value_is_not_everything(text: str) -> None:
    refuse_everything(parse_matchers(text))


def test_nothing_is_everything() -> None:
    with pytest.raises(UsageError):
        refuse_everything(())


def test_spans() -> None:
    assert [span(s) for s in (0, 59, 3600, 5400, 90000)] == ["0m", "1m", "1h", "1h30m", "25h"]
