"""Verdicts on Alertmanager, its members, routes and notifications, on acks, probes, flags and runbooks, from made
snapshots; and what they are made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks.run import run_checks
from opsconsole.lint.cached import cached_lint
from opsconsole.model.flags import FlagSet
from opsconsole.model.linting import Linted
from opsconsole.model.notifications import Integration, Notifications, notifications, read_metrics
from opsconsole.model.playbook import Playbook, Probe
from opsconsole.model.probes import ProbeAnswer
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.state.snapshot import MemberReading, Snapshot
from opsconsole.text import safe, trusted
from tests.ui.fakes import NOW, make_alert, make_silence, make_snapshot

DAY = 86_400.0
BOOK = Playbook(system="books", title=trusted("Books"), folder="/books", severities=("critical", "warning"))
ROUTES = "route: {receiver: all, routes: [{match: {severity: critical}, receiver: pager}]}\n"
TELLS = "receivers: [{name: all, email_configs: [{}]}, {name: pager, email_configs: [{}]}]"


def known(data: Any, **more: Any) -> Reading[Any]:
    return Reading(data=data, at=NOW, **more)


def failed(kind: str = "unreachable") -> Reading[Any]:
    return Reading(failure=Failure(kind=kind, message=trusted("no"), hint=trusted("look")), failing_since=NOW)


def member(url: str = "http://a", status: str = "ready", peers: int = 2, **more: Any) -> MemberReading:
    made = MemberStatus(
        url=url,
        version=trusted("0.25.0"),
        cluster_status=trusted(status),
        peers=peers,
        config=trusted(ROUTES + TELLS),
    )
    return MemberReading(url=trusted(url), status=known(msgspec.structs.replace(made, **more)))


def snapshot(*members: MemberReading, alerts: Any = (), silences: Any = (), **fields: Any) -> Snapshot:
    made = make_snapshot(alerts, silences, playbooks=fields.pop("playbooks", []))
    cluster = msgspec.structs.replace(made.clusters[0], members=members or (member(), member("http://b")))
    return msgspec.structs.replace(made, clusters=(cluster,), **fields)


def verdict(made: Snapshot, id: str) -> Verdict:
    found = {v.id: v for v in run_checks(made)}
    assert id in found, sorted(found)
    return found[id]


@pytest.mark.parametrize(
    ("members", "id", "level", "words"),
    [
        ((member(), member("http://b")), "alertmanager.settled.main", Level.OK, "2 peers"),
        ((member("http://a", "disabled", 0),), "alertmanager.settled.main", Level.OK, "without a cluster"),
        (
            (member("http://a", "disabled", 0), member("http://b", "disabled", 0)),
            "alertmanager.settled.main",
            Level.WARNING,
            "in no cluster",
        ),
        (
            (member(peers=1), member("http://b", peers=1)),
            "alertmanager.settled.main",
            Level.WARNING,
            "http://a sees 1 of 2",
        ),
        (
            (member(), member("http://b", version=trusted("0.26.0"))),
            "sources.alertmanager.version.main",
            Level.WARNING,
            "0.25.0, 0.26.0",
        ),
        ((member(took=2.5),), "sources.alertmanager.latency.main", Level.WARNING, "http://a took 2.5s"),
        ((member(took=0.1),), "sources.alertmanager.latency.main", Level.OK, "within 2s"),
        ((member(expires=NOW + 60 * DAY),), "sources.alertmanager.tls.main", Level.OK, "ends in 60 days"),
        ((member(expires=NOW + 10 * DAY),), "sources.alertmanager.tls.main", Level.WARNING, "ends in 10 days"),
        ((member(expires=NOW + DAY),), "sources.alertmanager.tls.main", Level.CRITICAL, "http://a ends in 1 days"),
        ((member(expires=NOW - DAY),), "sources.alertmanager.tls.main", Level.CRITICAL, "has expired"),
        (
            (member(), member("http://b", config=trusted("route: {receiver: [x"))),
            "alertmanager.config.main",
            Level.UNKNOWN,
            "not valid YAML",
        ),
        (
            (member(), member("http://b", config=trusted(ROUTES))),
            "alertmanager.config.main",
            Level.WARNING,
            "different configurations",
        ),
    ],
)
def test_members(members: Any, id: str, level: Level, words: str) -> None:
    found = verdict(snapshot(*members), id)
    assert found.level is level
    assert words in found.reason
    assert bool(found.hint) is (level is not Level.OK)


def test_the_number_of_a_cluster_is_that_of_its_worst_member() -> None:
    far = msgspec.structs.replace(member("http://b", took=2.5, expires=NOW + DAY), skew=-9.0)
    near = msgspec.structs.replace(member(took=0.1, expires=NOW + 60 * DAY), skew=1.0)
    found = {v.id: v.measure for v in run_checks(snapshot(near, far))}
    source = "sources.alertmanager"
    assert found[f"{source}.latency.main"] == Measure(value=2.5, unit="s", warning=Range(high=2.0))
    assert found[f"{source}.clock.main"] == Measure(value=-9.0, unit="s", warning=Range(low=-5.0, high=5.0))
    bounds = {"warning": Range(low=14 * DAY), "critical": Range(low=3 * DAY)}
    assert found[f"{source}.tls.main"] == Measure(value=DAY, unit="s", **bounds)


def test_an_expired_certificate_is_the_cause_of_the_rest() -> None:
    dark = MemberReading(url=trusted("http://a"), status=failed("expired certificate"))
    found = {v.id: v for v in run_checks(snapshot(dark, member("http://b")))}
    assert found["sources.alertmanager.tls.main"].level is Level.CRITICAL
    assert found["sources.alertmanager.ready.main"].because == "sources.alertmanager.tls.main"


@pytest.mark.parametrize(
    ("config", "severity", "level", "words"),
    [
        (ROUTES + TELLS, "critical", Level.OK, "pager"),
        (ROUTES + TELLS, "warning", Level.WARNING, "falls to the default receiver all"),
        ("route: {receiver: all}\n" + TELLS, "warning", Level.OK, "all"),
        (ROUTES + "receivers: [{name: pager}]", "critical", Level.CRITICAL, "receiver pager has no integration"),
        (ROUTES, "warning", Level.WARNING, "receiver all has no integration"),
        ("nothing", "critical", Level.UNKNOWN, "cannot be understood"),
    ],
)
def test_routes(config: str, severity: str, level: Level, words: str) -> None:
    made = snapshot(member(config=trusted(config)), playbooks=[BOOK])
    found = verdict(made, f"alertmanager.routes.main.{severity}")
    assert found.level is level
    assert words in found.reason


PAGE = """\
# TYPE alertmanager_notifications_total counter
alertmanager_notifications_total{integration="webhook"} 4
alertmanager_notifications_total{integration="email"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="other"} 1
alertmanager_notifications_failed_total{integration="webhook",reason="clientError"} 1
alertmanager_notification_requests_total{integration="webhook"} 10
alertmanager_notification_requests_failed_total{integration="webhook"} 6
alertmanager_notification_latency_seconds_bucket{integration="webhook",le="1"} 3
alertmanager_config_last_reload_successful 0
alertmanager_notifications_total{integration="webhook"
go_goroutines 12
"""


def test_a_page_of_metrics() -> None:
    found = notifications(read_metrics(PAGE))
    webhook = Integration(name=trusted("webhook"), sent=4, failed=2, requests=10, requests_failed=6)
    assert found.integrations == (Integration(name=trusted("email")), webhook)
    assert (found.window, found.reloaded) == (0.0, False)
    assert notifications(()).reloaded is None


@pytest.mark.parametrize(
    ("counts", "window", "level", "words"),
    [
        ({"sent": 3, "requests": 3}, 900.0, Level.OK, "3 within the last 15m, none lost"),
        ({}, 900.0, Level.OK, "none within the last 15m"),
        ({"sent": 3, "requests": 4, "requests_failed": 1}, 900.0, Level.WARNING, "1 of 4 requests failed"),
        ({"sent": 3, "requests": 4, "requests_failed": 4}, 900.0, Level.CRITICAL, "4 of 4 requests failed"),
        ({"sent": 3, "failed": 3}, 900.0, Level.CRITICAL, "3 of 3 notifications failed"),
        ({"sent": 999, "requests": 999, "requests_failed": 1}, 0.0, Level.OK, "999 since it started"),
        ({"sent": 9, "requests": 9, "requests_failed": 1}, 0.0, Level.WARNING, "since it started"),
    ],
)
def test_notifications(counts: Any, window: float, level: Level, words: str) -> None:
    told = Notifications(
        integrations=(Integration(name=trusted("webhook"), **counts),), window=window, reloaded=True
    )
    found = verdict(snapshot(notified={"main": known(told)}), "alertmanager.notifications.main")
    assert found.level is level
    assert words in found.reason


def test_metrics_that_say_nothing_are_unknown() -> None:
    silent = snapshot(notified={"main": known(Notifications())})
    assert verdict(silent, "alertmanager.notifications.main").level is Level.UNKNOWN
    assert verdict(silent, "alertmanager.reload.main").level is Level.UNKNOWN
    assert verdict(snapshot(), "alertmanager.notifications.main").level is Level.UNKNOWN, "never asked"


def test_the_dead_man_alert() -> None:
    books = [msgspec.structs.replace(BOOK, deadman="Watchdog")]
    id = "alertmanager.deadman.main.Watchdog"
    assert verdict(snapshot(playbooks=books), id).level is Level.CRITICAL
    there = snapshot(alerts=[make_alert("Watchdog", "critical")], playbooks=books)
    assert verdict(there, id).level is Level.OK
    assert verdict(there, "alerts.active").level is Level.OK, "it is to fire"


@pytest.mark.parametrize(
    ("ago", "severity", "level"),
    [
        (50, "critical", Level.OK),
        (100, "critical", Level.WARNING),
        (400, "critical", Level.CRITICAL),
        (4000, "warning", Level.WARNING),
        (4000, "info", Level.OK),
    ],
)
def test_response(ago: float, severity: str, level: Level) -> None:
    times = {"critical": 300.0, "warning": 3600.0, "info": 60.0}
    books = [msgspec.structs.replace(BOOK, response=times, acknowledge={"critical": 60.0})]
    found = verdict(snapshot(alerts=[make_alert("Slow", severity, ago=ago)], playbooks=books), "alerts.response")
    assert found.level is level
    assert ("Slow" in found.reason) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("left", "ago", "wrong"),
    [(600, 300, None), (230, 600, "extended"), (245, 600, None), (600, 3700, "stale"), (10, 7200, "both")],
)
def test_acks(left: float, ago: float, wrong: str | None) -> None:
    held = make_silence("s-1", comment="ACK! ann: busy [op=x]", left=left, ago=ago)
    made = snapshot(alerts=[make_alert("Held", silenced_by=["s-1"])], silences=[held])
    for id in ("extended", "stale"):
        level = Level.WARNING if wrong in (id, "both") else Level.OK
        found = verdict(made, f"alerts.acks.{id}")
        assert found.level is level, found
        assert ("ann's ack of Held" in found.reason) is (level is Level.WARNING)


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (ProbeAnswer(status=200, seconds=0.1), Level.OK, "answers 200 in 100 ms"),
        (ProbeAnswer(status=200, seconds=0.6), Level.WARNING, "more than 500 ms"),
        (ProbeAnswer(status=503, start=safe("down")), Level.CRITICAL, "answers 503, not 200"),
        (ProbeAnswer(status=200, contains=False), Level.CRITICAL, "without `up`"),
        (ProbeAnswer(status=0, failure=safe("connection refused")), Level.CRITICAL, "connection refused"),
        (None, Level.UNKNOWN, "unreachable: no"),
    ],
)
def test_probes(answer: ProbeAnswer | None, level: Level, words: str) -> None:
    probe = Probe(name="health", url="http://books/health", latency=0.5, contains="up")
    books = [msgspec.structs.replace(BOOK, probes=(probe,))]
    reading = failed() if answer is None else known(answer)
    found = verdict(snapshot(playbooks=books, probes={"books/health": reading}), "probes.books.health")
    if answer is not None:
        value = answer.seconds if answer.status else None
        assert found.measure == Measure(value=value, unit="s", warning=Range(high=0.5))
    assert found.level is level
    assert words in found.reason


@pytest.mark.parametrize(
    ("ago", "fires", "level"),
    [(60, True, Level.WARNING), (60, False, Level.OK), (4000, True, Level.OK), (-60, True, Level.WARNING)],
)
def test_a_flag_file_written_lately(ago: float, fires: bool, level: Level) -> None:
    flags = FlagSet(provider="flagd", source=trusted("/f"), revision="1", flags=(), modified=NOW - ago)
    made = snapshot(alerts=[make_alert("Fire")] if fires else [], flags=known(flags))
    found = verdict(made, "flags.changes")
    assert found.level is level
    assert ("/f was written" in found.reason) is (ago < 3600)


def test_findings_of_the_lint() -> None:
    note, fault = Linted(line=trusted("no promtool"), warning=True), Linted(line=trusted("a.md:1: link: dead"))
    fine = verdict(snapshot(playbooks=[BOOK], linted={"books": known((note,))}), "runbooks.books")
    assert (fine.level, fine.evidence) == (Level.OK, ("no promtool",))
    broken = verdict(snapshot(playbooks=[BOOK], linted={"books": known((note, fault))}), "runbooks.books")
    assert broken.level is Level.WARNING
    assert broken.reason == "1 finding: a.md:1: link: dead"
    assert verdict(snapshot(playbooks=[BOOK], linted={"books": failed()}), "runbooks.books").level is Level.UNKNOWN


def test_a_folder_is_linted_again_when_a_file_of_it_changes(tmp_path: Path) -> None:
    folder, cache, times = tmp_path / "books", tmp_path / "cache", []
    (folder / "runbooks").mkdir(parents=True)
    book = folder / "runbooks" / "a.md"
    book.write_text("# A")

    def lint(path: Path) -> tuple[Linted, ...]:
        times.append(path)
        return (Linted(line=trusted("found \x1b")),)

    def look() -> tuple[Linted, ...]:
        return cached_lint(folder, cache=cache, lint=lint)

    look()
    assert [finding.line for finding in look()] == ["found \\x1b"], "a cache is a file like any other"
    assert len(times) == 1
    os.utime(book, (1, 1))
    look()
    (folder / "rules.yaml").write_text("")
    look()
    assert len(times) == 3
    for kept in cache.iterdir():
        kept.write_bytes(b"{")
    look()
    assert len(times) == 4, "what cannot be read is made again"
    cache_file = tmp_path / "no-folder"
    cache_file.write_text("")
    assert cached_lint(folder, cache=cache_file, lint=lint), "without a cache it is only slower"
    with pytest.raises(OSError, match="gone"):
        cached_lint(tmp_path / "gone", cache=cache, lint=lint)
