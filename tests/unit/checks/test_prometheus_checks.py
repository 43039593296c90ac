"""Verdicts on Prometheus itself, on its scrapes and on the metrics that playbooks use, from made snapshots."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opsconsole.checks.run import run_checks
from opsconsole.model.expressions import Matcher
from opsconsole.model.playbook import JobSpec, Playbook, RuleSpec
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import BuildInfo, MemberStatus, Rule, RuleGroup, Target
from opsconsole.model.serverfacts import Extreme, MetricFacts, ScrapeFacts, ServerFacts
from opsconsole.model.uses import Metric
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.state.snapshot import ClusterReading, MemberReading, Snapshot
from opsconsole.text import trusted
from tests.ui.fakes import NOW, make_snapshot

DAY = 86_400.0
JOB = (Matcher("job", "=", "api"),)
X, Y = Metric("x", JOB), Metric("y", JOB)
BOOK = Playbook(
    system="books",
    title=trusted("Books"),
    folder="/",
    jobs=(JobSpec(name="api", interval=15.0),),
    rules=(RuleSpec(name="A", expr='sum by (route) (x{job="api"}) > 1', severity="high", has_runbook=True),),
    retention=15 * DAY,
)
OWN = {
    "prometheus_notifications_dropped_total": 0.0,
    "prometheus_notifications_queue_length": 0.0,
    "prometheus_notifications_queue_capacity": 10_000.0,
    "prometheus_rule_evaluation_failures_total": 0.0,
    "prometheus_tsdb_wal_corruptions_total": 0.0,
}


def known(data: Any, **more: Any) -> Reading[Any]:
    return Reading(data=data, at=NOW, **more)


def at(seconds: float) -> Any:
    return msgspec.convert(seconds, type=type(RuleGroup(name=trusted("")).last_evaluation), strict=False)


def server(**fields: Any) -> Reading[ServerFacts]:
    made = ServerFacts(
        at=NOW, started=NOW - 30 * DAY, retention=trusted("15d"), reloaded=True, own=OWN, before=OWN
    )
    return known(msgspec.structs.replace(made, **fields))


def scrapes(samples: float = 120, changes: float = 0, latency: float = 0.01) -> Reading[ScrapeFacts]:
    of = {"api": Extreme("a:1", samples)}
    return known(ScrapeFacts(samples=of, changes={"api": Extreme("a:1", changes)}, latency=latency))


def target(**fields: Any) -> Target:
    made = Target(labels={"job": "api", "instance": "a:1"}, health="up", scrape_interval=trusted("15s"))
    return msgspec.structs.replace(made, last_scrape=at(NOW - 5), **fields)


def rule(**fields: Any) -> Reading[tuple[RuleGroup, ...]]:
    made = Rule(
        name=trusted("A"),
        query=trusted('(sum by (route) (x{job="api"})) > 1'),
        labels={"severity": trusted("high")},
        health=trusted("ok"),
    )
    rules = (msgspec.structs.replace(made, **fields),)
    return known((RuleGroup(name=trusted("g"), interval=15, rules=rules, last_evaluation=at(NOW - 5)),))


def cluster(*urls: str) -> tuple[ClusterReading, ...]:
    members = tuple(MemberReading(url=trusted(url), status=known(MemberStatus(url=url))) for url in urls)
    return (ClusterReading(name="main", alerts=known(()), silences=known(()), members=members),)


def well(**fields: Any) -> Snapshot:
    """A snapshot of which everything that is judged here is OK."""
    made = msgspec.structs.replace(
        make_snapshot([], playbooks=[BOOK]),
        prometheus=known(BuildInfo(version=trusted("2.42.0"), skew=0.3, expires=NOW + 60 * DAY)),
        server=server(),
        senders=known(("http://10.0.0.1:9093",)),
        scrapes=scrapes(),
        metrics=known(MetricFacts(fresh=frozenset({X}), window=180.0)),
        targets=known((target(),)),
        rules=rule(),
        clusters=cluster("http://10.0.0.1:9093"),
    )
    return msgspec.structs.replace(made, **fields)


def found(snapshot: Snapshot) -> dict[str, Verdict]:
    groups = {"sources", "targets", "metrics", "rules"}
    return {v.id: v for v in run_checks(snapshot) if v.group in groups}


def facts(**fields: Any) -> Reading[MetricFacts]:
    return known(MetricFacts(**{"fresh": frozenset({X}), "window": 180.0, **fields}))


def build(**fields: Any) -> Reading[BuildInfo]:
    made = BuildInfo(version=trusted("2.42.0"), skew=0.3, expires=NOW + 60 * DAY)
    return known(msgspec.structs.replace(made, **fields))


def failed(kind: str, message: str = "no", **more: Any) -> Reading[Any]:
    failure = Failure(kind=kind, message=trusted(message), where=trusted("https://prometheus.example"))
    return Reading(failure=failure, failing_since=NOW, **more)


PROM = "sources.prometheus"
CASES: dict[str, tuple[dict[str, Any], str, Level, str]] = {
    "unreachable": (
        {"prometheus": failed("unreachable", "refused")},
        f"{PROM}.reachable",
        Level.UNKNOWN,
        "refused",
    ),
    "replaying": ({"prometheus": failed("not ready", "503")}, f"{PROM}.ready", Level.UNKNOWN, "not ready: 503"),
    "expired": (
        {"prometheus": failed("expired certificate")},
        f"{PROM}.tls",
        Level.CRITICAL,
        "prometheus.example",
    ),
    "expires now": ({"prometheus": build(expires=NOW + 2 * DAY)}, f"{PROM}.tls", Level.CRITICAL, "2 days"),
    "expires soon": ({"prometheus": build(expires=NOW + 13 * DAY)}, f"{PROM}.tls", Level.WARNING, "13 days"),
    "not verified and expired": ({"prometheus": build(expires=NOW - 1)}, f"{PROM}.tls", Level.CRITICAL, "expired"),
    "clock ahead": ({"prometheus": build(skew=5.5)}, f"{PROM}.clock", Level.WARNING, "6s ahead"),
    "clock behind": ({"prometheus": build(skew=-9.0)}, f"{PROM}.clock", Level.WARNING, "9s behind"),
    "no date": ({"prometheus": build(skew=None)}, f"{PROM}.clock", Level.UNKNOWN, "no date"),
    "slow": ({"scrapes": scrapes(latency=3.0)}, f"{PROM}.latency", Level.WARNING, "3.0s"),
    "reload": ({"server": server(reloaded=False)}, f"{PROM}.config", Level.WARNING, "reload"),
    "reload by metric": (
        {"server": server(reloaded=None, own={**OWN, "prometheus_config_last_reload_successful": 0.0})},
        f"{PROM}.config",
        Level.WARNING,
        "reload",
    ),
    "no word on the configuration": ({"server": server(reloaded=None)}, f"{PROM}.config", Level.UNKNOWN, "config"),
    "corruption": (
        {"server": server(own={**OWN, "prometheus_tsdb_wal_corruptions_total": 1.0})},
        f"{PROM}.wal",
        Level.WARNING,
        "in the last hour",
    ),
    "rule failures, since when is not known": (
        {"server": server(own={**OWN, "prometheus_rule_evaluation_failures_total": 7.0}, before={})},
        f"{PROM}.rules",
        Level.WARNING,
        "7 evaluations of rules failed since it started",
    ),
    "dropped after a restart": (
        {
            "server": server(
                own={**OWN, "prometheus_notifications_dropped_total": 3.0},
                before={"prometheus_notifications_dropped_total": 90.0},
            )
        },
        f"{PROM}.notifications",
        Level.WARNING,
        "3 notifications were dropped in the last hour",
    ),
    "queue": (
        {"server": server(own={**OWN, "prometheus_notifications_queue_length": 9_000.0})},
        f"{PROM}.notifications",
        Level.WARNING,
        "9000 of 10000",
    ),
    "retention": ({"server": server(retention=trusted("2d"))}, f"{PROM}.retention", Level.WARNING, "asks for 15d"),
    "retention by size": (
        {"server": server(retention=trusted("10GiB"))},
        f"{PROM}.retention",
        Level.UNKNOWN,
        "10GiB",
    ),
    "sends to nobody": ({"senders": known(())}, f"{PROM}.alertmanagers", Level.CRITICAL, "no Alertmanager"),
    "sends elsewhere": (
        {"senders": known(("http://10.0.0.9:9093",))},
        f"{PROM}.alertmanagers",
        Level.CRITICAL,
        "10.0.0.1",
    ),
    "sends to one of two": (
        {"clusters": cluster("http://10.0.0.1:9093", "http://10.0.0.2:9093")},
        f"{PROM}.alertmanagers",
        Level.WARNING,
        "10.0.0.2",
    ),
    "sends to a name": (
        {"senders": known(("http://am:9093",))},
        f"{PROM}.alertmanagers",
        Level.UNKNOWN,
        "10.0.0.1",
    ),
    "slower than named": (
        {"targets": known((target(scrape_interval=trusted("1m")),))},
        "targets.interval.api",
        Level.WARNING,
        "every 1m",
    ),
    "no scrape of late": (
        {"targets": known((msgspec.structs.replace(target(), last_scrape=at(NOW - 60)),))},
        "targets.interval.api",
        Level.UNKNOWN,
        "a:1",
    ),
    "no samples": ({"scrapes": scrapes(samples=0)}, "targets.samples.api", Level.UNKNOWN, "a:1"),
    "samples not a number": (
        {"scrapes": scrapes(samples=float("nan"))},
        "targets.samples.api",
        Level.UNKNOWN,
        "api",
    ),
    "flapping": ({"scrapes": scrapes(changes=3)}, "targets.flapping.api", Level.WARNING, "a:1 went up or down 3"),
    "down": ({"targets": known((target(health="down"),))}, "targets.up.api", Level.CRITICAL, "a:1"),
    "metric missing": ({"metrics": facts(fresh=frozenset())}, "metrics.exists.books", Level.UNKNOWN, "missing: x"),
    "metric stale": (
        {"metrics": facts(fresh=frozenset(), stale={X: NOW - 200})},
        "metrics.fresh.books",
        Level.UNKNOWN,
        "x",
    ),
    "label missing": (
        {"metrics": facts(lacking=frozenset({(X, "route")}))},
        "metrics.labels.books",
        Level.UNKNOWN,
        "x has no route",
    ),
    "metrics partial": (
        {"metrics": known(MetricFacts(fresh=frozenset({X}), window=180), warnings=(trusted("one store"),))},
        "metrics.read",
        Level.UNKNOWN,
        "partial: one store",
    ),
    "rule edited": ({"rules": rule(query=trusted("x > 2"))}, "rules.drift.books.A", Level.WARNING, "expression"),
    "for edited": ({"rules": rule(duration=60.0)}, "rules.drift.books.A", Level.WARNING, "for is 1m"),
    "severity edited": ({"rules": rule(labels={})}, "rules.drift.books.A", Level.WARNING, "severity is none"),
    "rule missing": ({"rules": rule(name=trusted("B"))}, "rules.loaded.books", Level.CRITICAL, "not loaded: A"),
    "rule failing": ({"rules": rule(health=trusted("err"))}, "rules.health", Level.CRITICAL, "1 of 1 fail: A"),
    "rule not evaluated": ({"rules": rule(health=trusted("unknown"))}, "rules.evaluated", Level.UNKNOWN, "A"),
    "runbook gone": (
        {"rules": rule(annotations={trusted("runbook_url"): trusted("https://wiki/gone.md")})},
        "rules.runbook.books",
        Level.WARNING,
        "gone.md",
    ),
}


def test_all_is_well_to_begin_with() -> None:
    assert {v.level for v in found(well()).values()} == {Level.OK}
    assert len(found(well())) > 25


@pytest.mark.parametrize("case", CASES)
def test_one_thing_that_is_wrong_is_one_finding(case: str) -> None:
    changes, id, level, words = CASES[case]
    verdicts = found(well(**changes))
    assert verdicts[id].level is level, verdicts[id]
    assert words in verdicts[id].reason
    standing = {v.id for v in verdicts.values() if v.level is not Level.OK and not v.because}
    assert standing == {id}, "nothing else stands for itself"


def test_strict_playbooks_warn_of_alerts_that_nobody_knows() -> None:
    (group,) = rule().data or ()
    more = msgspec.structs.replace(group, rules=(*group.rules, Rule(name=trusted("Z"), health=trusted("ok"))))
    loose = found(well(rules=known((more,))))["rules.unknown"]
    assert (loose.level, loose.evidence) == (Level.OK, ("Z",))
    strict = msgspec.structs.replace(BOOK, strict=True)
    assert found(well(rules=known((more,)), playbooks=(strict,)))["rules.unknown"].level is Level.WARNING


def test_the_difference_of_a_rule_is_shown() -> None:
    verdict = found(well(rules=rule(query=trusted("x  >  2"), duration=60.0)))["rules.drift.books.A"]
    assert verdict.evidence[1] == "+ expr: x > 2"
    assert verdict.evidence[2:] == ("- for: 0s", "+ for: 1m")


def test_rules_that_are_late_by_a_clock_that_is_wrong_follow_from_it() -> None:
    verdicts = found(well(prometheus=build(skew=600.0)))
    assert verdicts["rules.evaluated"].because == f"{PROM}.clock"
    assert verdicts["targets.interval.api"].because == f"{PROM}.clock"


def test_old_samples_are_well_when_the_job_is_scraped_no_more_often() -> None:
    slow = known((target(scrape_interval=trusted("5m")),))
    verdicts = found(well(metrics=facts(fresh=frozenset(), stale={X: NOW - 200}), targets=slow))
    assert verdicts["metrics.fresh.books"].level is Level.OK


def test_metrics_of_a_job_that_is_down_are_no_finding_of_their_own() -> None:
    gone = {"targets": known((target(health="down"),)), "metrics": facts(fresh=frozenset(), gone=frozenset({X}))}
    assert found(well(**gone))["metrics.exists.books"].because == "targets.up.api"


def test_what_scrapes_nothing_of_prometheus_itself_is_not_silent_forever() -> None:
    """Of a server that started within the hour, the counts since then are those of the hour."""
    own = {**OWN, "prometheus_notifications_dropped_total": 2.0}
    verdict = found(well(server=server(started=NOW - 60, own=own, before={})))[f"{PROM}.notifications"]
    assert verdict.reason == "2 notifications were dropped in the last hour"


@pytest.mark.parametrize(
    ("fields", "id", "value", "warning", "critical"),
    [
        ({"prometheus": build(skew=-7.5)}, "clock", -7.5, Range(low=-5.0, high=5.0), None),
        (
            {"prometheus": build(expires=NOW + 2 * DAY)},
            "tls",
            2 * DAY,
            Range(low=14 * DAY),
            Range(low=3 * DAY),
        ),
        ({"scrapes": scrapes(latency=2.5)}, "latency", 2.5, Range(high=2.0), None),
    ],
)
def test_the_number_behind_a_verdict_and_its_bounds(
    fields: dict[str, Any], id: str, value: float, warning: Range, critical: Range | None
) -> None:
    verdict = found(well(**fields))[f"{PROM}.{id}"]
    assert verdict.measure == Measure(value=value, unit="s", warning=warning, critical=critical)
    assert verdict.level is (Level.CRITICAL if critical else Level.WARNING)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("B", "1 alert is in no playbook: B"),
        ("BC", "2 alerts are in no playbook: B, C"),
        ("BCDEF", "5 alerts are in no playbook: B, C, D and 2 more"),
    ],
)
def test_alerts_that_no_playbook_knows_are_named(names: str, words: str) -> None:
    (group,) = rule().data or ()
    others = tuple(Rule(name=trusted(name), query=trusted("1"), health=trusted("ok")) for name in names)
    more = msgspec.structs.replace(group, rules=(*group.rules, *others))
    assert found(well(rules=known((more,))))["rules.unknown"].reason == words
