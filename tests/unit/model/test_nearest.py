"""The nearest matchers that hide something: what is offered for which slip, and what holds for every offer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.errors import UsageError
from opsconsole.model.alerts import Alert, fingerprint_of
from opsconsole.model.matchers import Matcher, Matchers, format_matchers, match_all, parse_matchers
from opsconsole.model.nearest import MOST, Fix, corrections, distance, is_real, nearest
from opsconsole.model.radius import refuse_everything


def alert(**labels: str) -> Alert:
    return Alert(fingerprint=fingerprint_of(labels), labels=labels)


KNOWN = [
    alert(
        alertname="HighLatency", route="/api/reports", job="accubooks", instance="db-1:9100", severity="critical"
    ),
    alert(alertname="HighLatency", route="/api/search", job="accubooks", instance="db-2:9100", severity="warning"),
    alert(alertname="PoolExhausted", pool="primary", job="accubooks", severity="critical"),
    alert(alertname="DiskFull", instance="db-1:9100", job="node", severity="warning"),
]


@pytest.mark.parametrize(
    ("typed", "offered", "count"),
    [
        # A value that was mistyped, cut short or written in another case.
        ('alertname="HighLatncy"', 'alertname="HighLatency"', 2),
        ('alertname="highlatency"', 'alertname="HighLatency"', 2),
        ('alertname="HighLatnecy",route="/api/search"', 'alertname="HighLatency",route="/api/search"', 1),
        ('instance="db-1",alertname="DiskFull"', 'instance="db-1:9100",alertname="DiskFull"', 1),
        # The name of the label.
        ('alertnam="HighLatency"', 'alertname="HighLatency"', 2),
        ('service="accubooks",pool="primary"', 'job="accubooks",pool="primary"', 1),
        # An operator for another.
        ('alertname="High.*|Disk.*"', 'alertname=~"High.*|Disk.*"', 3),
        ('alertname=~"Latency"', 'alertname=~".*Latency.*"', 2),
        # A label that no alert has, and one too many.
        ('alertname="DiskFull",team="storage"', 'alertname="DiskFull"', 1),
        ('alertname="DiskFull",pool="primary",job="node"', 'alertname="DiskFull",job="node"', 1),
        ('alertname="PoolExhausted",job!="accubooks"', 'alertname="PoolExhausted"', 1),
        # A value that an alert has is not mistyped; the one that hides less of two.
        ('route="/api/search",instance="db-1:9100"', 'route="/api/search"', 1),
        ('alertname="PoolExhausted",instance="db-1:9100"', 'alertname="PoolExhausted"', 1),
        # Two slips.
        ('alertname="DiskFul",jab="node"', 'alertname="DiskFull",job="node"', 1),
    ],
)
def test_what_is_offered_first(typed: str, offered: str, count: int) -> None:
    first = nearest(parse_matchers(typed), KNOWN)[0]
    assert (format_matchers(first.matchers), len(first.alerts)) == (f"{{{offered}}}", count)


@pytest.mark.parametrize("typed", ['alertname="Nothing like it"', 'x="y"', 'x="y",job=~".+"', 'a!="b",x="y"'])
def test_nothing_that_is_near(typed: str) -> None:
    assert nearest(parse_matchers(typed), KNOWN) == ()
    assert nearest(parse_matchers(typed), []) == ()


def test_nothing_for_what_hides_something() -> None:
    assert nearest(parse_matchers('alertname="DiskFull"'), KNOWN) == ()


def test_each_change_is_said() -> None:
    first = nearest(parse_matchers('alertname="DiskFul",team="storage"'), KNOWN)[0]
    assert first.changes == (
        'alertname="DiskFull" for alertname="DiskFul"',
        'without team="storage": no alert has the label team',
    )


def test_a_regular_expression_from_elsewhere_that_is_bad() -> None:
    with pytest.raises(UsageError):
        nearest([Matcher("alertname", "(", is_regex=True)], KNOWN)


@pytest.mark.parametrize(
    ("given", "wanted", "far"),
    [
        ("abc", "abc", 0),
        ("ABC", "abc", 0.5),
        ("abcdef", "abdcef", 1),
        ("db-1:9100", "db-2:9100", None),
        ("node-1", "nodes-1", 1),
        ("primary", "primry", 1),
        ("prod", "production", None),
        ("a", "b", None),
        ("dev", "prod", None),
        ("\u017fast", "Sast", 0.5),
    ],
)
def test_distances(given: str, wanted: str, far: float | None) -> None:
    assert distance(given, wanted) == distance(wanted, given) == far


def test_ten_thousand_alerts_do_not_take_long() -> None:
    many = [alert(alertname=f"Alert{i % 50}", instance=f"host-{i}:9100", job="node") for i in range(10_000)]
    first = nearest(parse_matchers('alertname="Alrt7",instance="host-107:9100",job="node"'), many)[0]
    assert first.changes == ('alertname="Alert7" for alertname="Alrt7"',)
    assert len(first.alerts) == 1


names = st.sampled_from(["alertname", "job", "jobs", "pool", "env"])
values = st.sampled_from(
    ["api", "apis", "web", "web.1", "prod", "PROD", "primary", "a|b", "b", 'q"\n\\', "日本語"]
)
patterns = st.sampled_from(["api", "a.*", ".*", ".+", "|api", "web|prod", "x?", "[a-z]+", "日本.", "a[|]b"])
matchers = st.one_of(
    st.builds(Matcher, names, values | st.just(""), st.just(False), st.sampled_from([True, True, True, False])),
    st.builds(Matcher, names, patterns, st.just(True), st.sampled_from([True, True, True, False])),
)
label_sets = st.dictionaries(names, values, min_size=1, max_size=4)


def edits(given: Matchers, alerts: Sequence[Alert], count: int) -> Iterator[Matchers]:
    """Every set that so many changes make."""
    for places in itertools.combinations(range(len(given)), count):
        choices = [
            [None, *(fix.matcher for a in alerts for fix in near(given[place], a, alerts))] for place in places
        ]
        for chosen in itertools.product(*choices):
            changed = dict(zip(places, chosen, strict=True))
            made = [changed.get(place, matcher) for place, matcher in enumerate(given)]
            yield tuple(matcher for matcher in made if matcher is not None)


def near(matcher: Matcher, one: Alert, alerts: Sequence[Alert]) -> Iterator[Fix]:
    if not is_real(matcher, alerts):
        yield from corrections(matcher, one.labels)


def everything(given: Matchers) -> bool:
    try:
        refuse_everything(given)
    except UsageError:
        return True
    return False


def hides(given: Matchers, alerts: Sequence[Alert]) -> bool:
    return any(match_all(given, a.labels) for a in alerts)


@settings(max_examples=400, deadline=None)
@given(st.lists(matchers, min_size=1, max_size=4, unique=True), st.lists(label_sets, max_size=6))
def test_what_holds_for_every_offer(given: list[Matcher], labels: list[dict[str, str]]) -> None:
    typed, alerts = tuple(given), [alert(**each) for each in labels]
    offers = nearest(typed, alerts)
    assert len(offers) <= MOST
    if hides(typed, alerts):
        assert offers == ()
        return
    least = next(
        (
            count
            for count in range(1, len(typed) + 1)
            if any(hides(made, alerts) and not everything(made) for made in edits(typed, alerts, count))
        ),
        None,
    )
    assert bool(offers) == (least is not None), "it offers something when there is something near"
    for offer in offers:
        assert offer.alerts == tuple(a for a in alerts if match_all(offer.matchers, a.labels))
        assert offer.alerts, "each hides at least one alert"
        assert not everything(offer.matchers), "none is as good as on everything"
        odd = {m.name: "nobody has this 1_x" for m in offer.matchers}
        assert not match_all(offer.matchers, odd), "none hides whatever comes"
        assert len(offer.changes) == least, "none has more changes than are needed"
    keys = [offer.matchers for offer in offers]
    assert len(set(keys)) == len(keys)
