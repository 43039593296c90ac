"""Every verdict of every check, from hand-made snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from opsconsole.checks.alerts import check_alerts
from opsconsole.checks.base import Check
from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.run import overall, run_checks
from opsconsole.checks.thresholds import check_thresholds, checked_panels
from opsconsole.model.flags import FlagSet
from opsconsole.model.panels import PanelData
from opsconsole.model.playbook import (
    AlertGuide,
    Dashboard,
    JobSpec,
    Panel,
    PanelGroup,
    PanelQuery,
    Playbook,
    Threshold,
)
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import BuildInfo, MemberStatus, Rule, RuleGroup, Target
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.verdicts import Level, Verdict, badness, worst
from opsconsole.state.snapshot import ClusterReading, MemberReading, Snapshot
from opsconsole.text import safe, trusted
from tests.ui.fakes import NOW, make_alert, make_silence, make_snapshot

FAILURE = Failure(
    kind="unreachable",
    message=trusted("connection refused"),
    hint=trusted("is it running?"),
    where=trusted("http://prometheus.example"),
)


def reading(data: Any, *, age: float = 0.0, **more: Any) -> Reading[Any]:
    return Reading(data=data, at=NOW - age, **more)


def failed(data: Any = None) -> Reading[Any]:
    return Reading(data=data, at=NOW - 5, failure=FAILURE, failing_since=NOW - 3)


DOUBTS: dict[str, Any] = {
    "never asked": lambda data: Reading(),
    "failed": failed,
    "failed from the start": lambda data: failed(),
    "stale": lambda data: reading(data, age=15.1),
    "from the future": lambda data: reading(data, age=-16.0),
    "partial": lambda data: reading(data, warnings=(trusted("a store did not answer"),)),
}
"""The ways in which data may not be believed."""


def changed(snapshot: Snapshot, **fields: Any) -> Snapshot:
    return msgspec.structs.replace(snapshot, **fields)


def with_cluster(snapshot: Snapshot, **fields: Any) -> Snapshot:
    return changed(snapshot, clusters=(msgspec.structs.replace(snapshot.clusters[0], **fields),))


def only(verdicts: Any) -> Verdict:
    found = list(verdicts)
    assert len(found) == 1, [v.id for v in found]
    verdict: Verdict = found[0]
    return verdict


def by_id(verdicts: Any) -> dict[str, Verdict]:
    return {v.id: v for v in verdicts}


def of_group(group: str, snapshot: Snapshot) -> list[Verdict]:
    return [verdict for check in CATALOG if check.group == group for verdict in check.run(snapshot)]


def of_sources(snapshot: Snapshot) -> list[Verdict]:
    return of_group("sources", snapshot)


class TestSources:
    def test_all_well(self) -> None:
        flags = FlagSet(provider="flagd", source=trusted("/etc/flags.json"), revision="1", flags=())
        members = tuple(member(f"http://am-{i}") for i in range(2))
        snapshot = with_cluster(make_snapshot([], flags=flags), members=members)
        snapshot = changed(snapshot, prometheus=reading(BuildInfo(version=trusted("2.42.0"), skew=0.4)))
        found = by_id(of_sources(snapshot))
        assert {v.level for v in found.values()} == {Level.OK}
        assert "2.42.0" in found["sources.prometheus.version"].reason
        assert "2 of 2" in found["sources.alertmanager.ready.main"].reason
        assert "/etc/flags.json" in by_id(of_group("flags", snapshot))["flags.provider"].reason

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_prometheus_in_doubt(self, doubt: str) -> None:
        snapshot = changed(make_snapshot([]), prometheus=DOUBTS[doubt](BuildInfo()))
        verdict = by_id(of_sources(snapshot))["sources.prometheus.ready"]
        assert verdict.level is Level.UNKNOWN
        assert verdict.reason == snapshot.prometheus.why(NOW)  # type: ignore[union-attr]  # it was just set
        if "failed" in doubt:
            assert verdict.hint == "is it running?"
            assert "http://prometheus.example" in verdict.evidence

    @pytest.mark.parametrize("doubt", DOUBTS)
    @pytest.mark.parametrize("field", ["alerts", "silences"])
    def test_alertmanager_in_doubt(self, field: str, doubt: str) -> None:
        snapshot = with_cluster(make_snapshot([]), **{field: DOUBTS[doubt](())})
        assert by_id(of_sources(snapshot))["sources.alertmanager.ready.main"].level is Level.UNKNOWN

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_one_member_in_doubt_is_a_warning(self, doubt: str) -> None:
        ill = MemberReading(url=trusted("http://am-1"), status=DOUBTS[doubt](MemberStatus(url="http://am-1")))
        snapshot = with_cluster(make_snapshot([]), members=(member("http://am-0"), ill))
        verdict = by_id(of_sources(snapshot))["sources.alertmanager.ready.main"]
        assert verdict.level is Level.WARNING
        assert verdict.evidence[0].startswith("http://am-1: ")

    def test_a_member_that_settles_is_a_warning(self) -> None:
        snapshot = with_cluster(make_snapshot([]), members=(member("http://am-0", "settling"),))
        verdict = by_id(of_group("alertmanager", snapshot))["alertmanager.settled.main"]
        assert verdict.level is Level.WARNING
        assert "settling" in verdict.reason

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_flags_in_doubt(self, doubt: str) -> None:
        flags = FlagSet(provider="flagd", source=trusted("f"), revision="1", flags=())
        snapshot = changed(make_snapshot([]), flags=DOUBTS[doubt](flags))
        found = by_id(of_group("flags", snapshot))
        assert found["flags.provider"].level is Level.UNKNOWN
        assert found["flags.changes"].level is Level.UNKNOWN
        assert found["flags.changes"].because == "flags.provider"

    def test_sources_that_are_not_configured_are_unknown_not_ok(self) -> None:
        found = by_id(of_sources(changed(make_snapshot([]), clusters=(), prometheus=None)))
        assert found["sources.prometheus.reachable"].level is Level.UNKNOWN
        assert found["sources.alertmanager.ready"].level is Level.UNKNOWN
        assert "--prometheus" in found["sources.prometheus.reachable"].hint
        assert not of_group("flags", make_snapshot([])), "a flag provider is nobody's duty"

    def test_an_error_of_this_program_is_unknown(self) -> None:
        snapshot = changed(make_snapshot([]), broken={"rules": trusted("KeyError at polls.py:1")})
        verdict = by_id(of_sources(snapshot))["sources.console"]
        assert verdict.level is Level.UNKNOWN
        assert "rules" in verdict.reason


def member(url: str, status: str = "ready") -> MemberReading:
    return MemberReading(url=trusted(url), status=reading(MemberStatus(url=url, cluster_status=trusted(status))))


class TestAlerts:
    @pytest.mark.parametrize(
        ("severities", "level"),
        [
            ([], Level.OK),
            (["info"], Level.OK),
            (["none", "info"], Level.OK),
            (["warning"], Level.WARNING),
            (["high"], Level.WARNING),
            (["who knows"], Level.WARNING),
            (["critical"], Level.CRITICAL),
            (["info", "warning", "page"], Level.CRITICAL),
        ],
    )
    def test_the_worst_alert_decides(self, severities: list[str], level: Level) -> None:
        alerts = [make_alert(f"A{i}", severity) for i, severity in enumerate(severities)]
        verdict = only(check_alerts(make_snapshot(alerts)))
        assert verdict.level is level
        assert len(verdict.evidence) == sum(s not in ("info", "none") for s in severities)

    def test_the_reason_names_the_worst_and_counts(self) -> None:
        alerts = [
            make_alert("Slow", "warning"),
            make_alert("Down", "critical", instance="a"),
            make_alert("Down", instance="b"),
        ]
        verdict = only(check_alerts(make_snapshot(alerts)))
        assert verdict.reason == "2 critical, 1 warning: Down"
        assert any("instance=a" in line for line in verdict.evidence)

    def test_what_somebody_has_does_not_count(self) -> None:
        mine = make_silence("s-1", comment="ACK! primary-a: on it [op=1]")
        alerts = [
            make_alert("Acked", silenced_by=["s-1"]),
            make_alert("SilencedByAGoneSilence", silenced_by=["s-9"]),
            make_alert("Inhibited", inhibited_by=["f1"]),
        ]
        snapshot = make_snapshot(alerts, [mine], pending=[make_alert("Pending", pending=True)])
        assert only(check_alerts(snapshot)).level is Level.OK

    @pytest.mark.parametrize("doubt", DOUBTS)
    @pytest.mark.parametrize("field", ["alerts", "silences"])
    @pytest.mark.parametrize("alerts", [[], [make_alert()]])
    def test_in_doubt(self, alerts: list[Any], field: str, doubt: str) -> None:
        snapshot = make_snapshot(alerts)
        data = getattr(snapshot.clusters[0], field).data
        snapshot = with_cluster(snapshot, **{field: DOUBTS[doubt](data)})
        verdict = only(check_alerts(snapshot))
        assert verdict.level is Level.UNKNOWN
        assert verdict.id == "alerts.active.main"

    @pytest.mark.parametrize(("alerts", "worst_of_all"), [([], Level.UNKNOWN), ([make_alert()], Level.CRITICAL)])
    def test_a_cluster_in_doubt_hides_nothing_of_the_others(self, alerts: list[Any], worst_of_all: Level) -> None:
        snapshot = make_snapshot(alerts)
        far = ClusterReading(name="far", alerts=failed(()), silences=failed(()))
        found = list(check_alerts(changed(snapshot, clusters=(far, *snapshot.clusters))))
        assert worst(v.level for v in found) is worst_of_all
        assert {v.id for v in found} == {"alerts.active.far", "alerts.active"}

    def test_old_alerts_of_a_cluster_in_doubt_are_not_counted_as_firing_now(self) -> None:
        snapshot = make_snapshot([make_alert(cluster="far")], [])
        far = ClusterReading(name="far", alerts=failed(()), silences=failed(()))
        found = by_id(check_alerts(changed(snapshot, clusters=(far, *snapshot.clusters))))
        assert found["alerts.active"].level is Level.OK
        assert found["alerts.active.far"].level is Level.UNKNOWN


def rule(name: str = "HighErrorRate", health: str = "ok", error: str = "") -> Rule:
    return Rule(name=safe(name), health=safe(health), last_error=safe(error))


def group(*rules: Rule, ago: float = 5.0, interval: float = 15.0) -> RuleGroup:
    last = datetime.fromtimestamp(NOW - ago, UTC)
    return RuleGroup(name=trusted("g"), interval=interval, rules=rules, last_evaluation=last)


class TestRules:
    @pytest.mark.parametrize(
        ("groups", "level", "words"),
        [
            ([group(rule(), rule("B"))], Level.OK, "2 rules"),
            ([group(rule(), rule("B", "err", "bad expression"))], Level.CRITICAL, "1 of 2 fail: B"),
            ([group(rule(health="odd"))], Level.CRITICAL, "1 of 1 fail"),
            ([group(rule(health="unknown"))], Level.UNKNOWN, "1 of 1 not evaluated yet"),
            ([], Level.UNKNOWN, "no alerting rule"),
            ([group()], Level.UNKNOWN, "no alerting rule"),
            ([group(rule(), ago=61)], Level.UNKNOWN, "not evaluated lately"),
            ([group(rule(), ago=59)], Level.OK, "1 rules"),
            ([group(rule(), ago=170, interval=60)], Level.OK, "1 rules"),
            ([group(rule(), ago=181, interval=60)], Level.UNKNOWN, "not evaluated lately"),
        ],
    )
    def test_health(self, groups: list[RuleGroup], level: Level, words: str) -> None:
        found = [v for v in of_group("rules", make_snapshot([], rules=groups)) if not v.because]
        assert max((v.level for v in found), key=badness) is level
        assert any(words in verdict.reason for verdict in found)
        assert sum(verdict.level is not Level.OK for verdict in found) == (level is not Level.OK)

    def test_the_error_is_evidence(self) -> None:
        snapshot = make_snapshot([], rules=[group(rule("B", "err", "many-to-many"))])
        verdict = by_id(of_group("rules", snapshot))["rules.health"]
        assert verdict.evidence == ("B: many-to-many",)

    @pytest.mark.parametrize(
        ("loaded", "level", "words"),
        [(["A", "B"], Level.OK, "2 loaded"), (["A"], Level.CRITICAL, "not loaded: B")],
    )
    def test_the_playbooks_alerts_must_be_loaded(self, loaded: list[str], level: Level, words: str) -> None:
        book = Playbook(
            system="books",
            title=trusted("Books"),
            folder="/nowhere",
            alerts={name: AlertGuide(name=name) for name in ("A", "B")},
        )
        snapshot = make_snapshot([], rules=[group(*map(rule, loaded))], playbooks=[book])
        verdict = by_id(of_group("rules", snapshot))["rules.loaded.books"]
        assert verdict.level is level
        assert words in verdict.reason
        assert bool(verdict.hint) is (level is Level.CRITICAL)

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_in_doubt(self, doubt: str) -> None:
        snapshot = changed(make_snapshot([]), rules=DOUBTS[doubt]((group(rule()),)))
        found = by_id(of_group("rules", snapshot))
        assert {v.level for v in found.values()} == {Level.UNKNOWN}
        assert {id for id, v in found.items() if not v.because} == {"rules.read"}

    def test_nothing_to_say_without_prometheus(self) -> None:
        assert of_group("rules", changed(make_snapshot([]), rules=None)) == []


def target(health: str = "up", job: str = "api", instance: str = "a:1") -> Target:
    return Target(labels={"job": job, "instance": instance}, health=health, last_error=trusted("timeout"))


class TestTargets:
    @pytest.mark.parametrize(
        ("healths", "expected", "level"),
        [
            (["up"], 1, Level.OK),
            (["up", "up"], 1, Level.OK),
            (["up"], 2, Level.WARNING),
            (["up", "down"], 2, Level.WARNING),
            (["up", "down"], 1, Level.WARNING),
            (["down"], 1, Level.CRITICAL),
            (["down", "unknown"], 1, Level.CRITICAL),
            (["unknown"], 1, Level.UNKNOWN),
            (["up", "unknown"], 2, Level.UNKNOWN),
            ([], 1, Level.UNKNOWN),
        ],
    )
    def test_a_job_of_the_playbook(self, healths: list[str], expected: int, level: Level) -> None:
        book = Playbook(
            system="b", title=trusted("B"), folder="/", jobs=(JobSpec(name="api", instances=expected),)
        )
        targets = tuple(target(health, instance=f"i{i}:1") for i, health in enumerate(healths))
        snapshot = changed(
            make_snapshot([], playbooks=[book]), targets=reading((*targets, target("down", job="other")))
        )
        assert by_id(of_group("targets", snapshot))["targets.up.api"].level is level

    def test_without_a_playbook_every_job_counts(self) -> None:
        snapshot = changed(make_snapshot([]), targets=reading((target(), target("down", job="db"))))
        found = by_id(of_group("targets", snapshot))
        assert found["targets.up.api"].level is Level.OK
        assert found["targets.up.db"].level is Level.CRITICAL
        assert "timeout" in found["targets.up.db"].evidence[0]

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_in_doubt(self, doubt: str) -> None:
        snapshot = changed(make_snapshot([]), targets=DOUBTS[doubt]((target(),)))
        found = by_id(of_group("targets", snapshot))
        assert {v.level for v in found.values()} == {Level.UNKNOWN}
        assert {id for id, v in found.items() if not v.because} == {"targets.read"}


def book_of(panel: Panel) -> Playbook:
    groups = (PanelGroup(title=trusted("G"), panels=(panel,)),)
    return Playbook(
        system="b",
        title=trusted("B"),
        folder="/",
        dashboards=(Dashboard(id="d", title=trusted("D"), groups=groups),),
    )


def a_panel(*, empty: str = "unknown", unit: str = "none", below: bool = False) -> Panel:
    side = "below" if below else "above"
    bounds = (10.0, 5.0) if below else (500.0, 1000.0)
    thresholds = (
        Threshold(level=Level.WARNING, **{side: bounds[0]}),
        Threshold(level=Level.CRITICAL, **{side: bounds[1]}),
    )
    return Panel(
        id="p",
        title=trusted("P"),
        unit=unit,
        queries=(PanelQuery(expr="x"),),
        thresholds=thresholds,
        empty=empty,
    )


def points(*values: float, ago: float = 0.0) -> PanelData:
    series = tuple(Series({"i": str(i)}, (NOW - ago,), (value,)) for i, value in enumerate(values))
    return PanelData((QueryResult("vector", series),))


def judged(panel: Panel, data: Reading[PanelData]) -> Verdict:
    snapshot = changed(
        make_snapshot([], playbooks=[book_of(panel)]), panels={"b/p": data}, prometheus=reading(BuildInfo())
    )
    return only(check_thresholds(snapshot))


class TestThresholds:
    @pytest.mark.parametrize(
        ("values", "level"),
        [
            ([0.0], Level.OK),
            ([500.0], Level.OK),
            ([500.1], Level.WARNING),
            ([1000.1], Level.CRITICAL),
            ([1.0, 700.0], Level.WARNING),
            ([700.0, 1e9], Level.CRITICAL),
            ([float("inf")], Level.CRITICAL),
            ([float("nan")], Level.UNKNOWN),
            ([1.0, float("nan")], Level.UNKNOWN),
            ([], Level.UNKNOWN),
        ],
    )
    def test_above(self, values: list[float], level: Level) -> None:
        assert judged(a_panel(), reading(points(*values))).level is level

    @pytest.mark.parametrize(("value", "level"), [(10.0, Level.OK), (9.9, Level.WARNING), (4.9, Level.CRITICAL)])
    def test_below(self, value: float, level: Level) -> None:
        assert judged(a_panel(below=True), reading(points(value))).level is level

    @pytest.mark.parametrize(
        ("empty", "level"), [("unknown", Level.UNKNOWN), ("ok", Level.OK), ("zero", Level.OK)]
    )
    def test_an_empty_result_means_what_the_playbook_says(self, empty: str, level: Level) -> None:
        assert judged(a_panel(empty=empty), reading(points())).level is level

    def test_an_old_sample_is_unknown(self) -> None:
        assert judged(a_panel(), reading(points(1.0, ago=3600))).level is Level.UNKNOWN

    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_in_doubt(self, doubt: str) -> None:
        assert judged(a_panel(), DOUBTS[doubt](points(1.0))).level is Level.UNKNOWN

    def test_the_value_has_its_unit(self) -> None:
        assert judged(a_panel(unit="ms"), reading(points(812.3456))).reason == "812.3 ms, above 500"

    def test_panels_without_thresholds_are_not_checked(self) -> None:
        plain = msgspec.structs.replace(a_panel(), thresholds=())
        snapshot = changed(make_snapshot([], playbooks=[book_of(plain)]), prometheus=reading(BuildInfo()))
        assert checked_panels(snapshot) == ()
        assert list(check_thresholds(snapshot)) == []


class TestAll:
    def test_ids_are_unique_and_groups_are_those_of_the_checks(self) -> None:
        snapshot = changed(
            make_snapshot([make_alert()], rules=[group(rule())], playbooks=[book_of(a_panel())]),
            prometheus=reading(BuildInfo()),
            targets=reading((target(),)),
        )
        verdicts = run_checks(snapshot)
        assert len({v.id for v in verdicts}) == len(verdicts)
        assert {v.group for v in verdicts} >= {
            "sources",
            "targets",
            "metrics",
            "rules",
            "alertmanager",
            "alerts",
            "thresholds",
        }

    def test_every_check_says_what_it_is_and_yields_ids_below_its_own(self) -> None:
        snapshot = changed(
            make_snapshot([make_alert()], rules=[group(rule())], playbooks=[book_of(a_panel())]),
            prometheus=reading(BuildInfo()),
            targets=reading((target(),)),
        )
        assert len({c.id for c in CATALOG}) == len(CATALOG)
        for check in CATALOG:
            assert check.group == check.id.split(".")[0]
            assert check.title
            assert check.explains.endswith(".")
            for verdict in check.run(snapshot):
                assert verdict.group == check.group
                assert verdict.id == check.id or verdict.id.startswith(f"{check.id}."), check.id

    def test_a_verdict_has_the_seconds_of_the_slowest_question_it_needed(self) -> None:
        took = {"targets": 0.25, "rules": 7.0, "panel b/p": 2.0, "panel books/x": 3.0}
        snapshot = changed(
            make_snapshot([], rules=[group(rule())], playbooks=[book_of(a_panel())]),
            prometheus=reading(BuildInfo()),
            targets=reading((target(),)),
            took=took,
        )
        found = by_id(run_checks(snapshot))
        assert 0.25 <= found["targets.up.api"].duration < 0.75
        assert 7 <= found["rules.health"].duration < 7.5
        assert found["alerts.active"].duration < 0.5
        key = next(id for id in found if id.startswith("thresholds."))
        assert 2 <= found[key].duration < 2.5, "a panel has the time of its own query"

    def test_a_check_that_breaks_is_unknown_and_the_others_are_told(self) -> None:
        def broken(snapshot: Snapshot) -> Iterator[Verdict]:
            raise KeyError("s3cret")
            yield

        ill = Check(id="x.ill", group="x", title=trusted("Ill"), explains="Is ill.", needs=frozenset(), run=broken)
        found = by_id(run_checks(make_snapshot([]), (ill, *CATALOG)))
        assert found["x.ill.internal"].level is Level.UNKNOWN
        assert "KeyError at test_checks.py" in found["x.ill.internal"].reason
        assert "s3cret" not in str(found["x.ill.internal"])
        assert "alerts.active" in found

    def test_two_things_with_one_name_keep_verdicts_of_their_own(self) -> None:
        check = Check(
            id="x",
            group="x",
            title=trusted("X"),
            explains="X.",
            needs=frozenset(),
            run=lambda s: iter([same, same]),
        )
        same = Verdict(id="x.a", title=trusted(""), level=Level.OK, reason=trusted(""))
        assert [v.id for v in run_checks(make_snapshot([]), (check,))] == ["x.a", "x.a~2"]

    @pytest.mark.parametrize(
        ("levels", "level"),
        [
            ([], Level.UNKNOWN),
            ([Level.OK], Level.OK),
            ([Level.OK, Level.WARNING], Level.WARNING),
            ([Level.WARNING, Level.UNKNOWN, Level.OK], Level.UNKNOWN),
            ([Level.UNKNOWN, Level.CRITICAL], Level.CRITICAL),
        ],
    )
    def test_the_worst_verdict_is_the_overall_one(self, levels: list[Level], level: Level) -> None:
        made = [
            Verdict(id=f"x.{i}", title=trusted(""), level=one, reason=trusted("")) for i, one in enumerate(levels)
        ]
        assert overall(made) is level
