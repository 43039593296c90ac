"""A real Prometheus, what it scrapes and what it has loaded are broken one thing at a time: only the check of that
thing says so, and it names the thing. What a real one does not show on demand is edited into its answers."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

import contextlib
import io
import json
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from opsconsole.cli.main import main
from tests.support.breakable import Door
from tests.support.edited import Answer, Edit, EditedServer, certificate
from tests.support.servers import Alertmanager, Prometheus, free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("check-breaks-prometheus")]

LIMIT = 30.0
"""Seconds for what was broken to be seen, and for what was healed."""

GROUPS = ("sources.prometheus", "targets", "metrics", "rules")
METRICS = 'shop_load{route="/a"} 1\nshop_load{route="/b"} 2\nshop_jobs 3\n'

PANEL = """\
          - id: extra
            kind: table
            queries: [{expr: 'EXPR'}]
"""
PLAYBOOK = """\
system: shop
title: Shop
prometheus: {retention: 10d}
jobs: [{name: shop, instances: 1, interval: 1s}]
dashboards:
  - id: main
    groups:
      - title: Load
        panels:
          - id: load
            kind: gauge
            queries: [{expr: 'max by (route) (shop_load{job="shop"})'}]
            thresholds: [{level: critical, above: 10}]
          - id: jobs
            kind: table
            queries: [{expr: 'sum by (job) (shop_jobs{job="shop"})'}]
"""
RULES = """\
groups:
  - name: shop
    rules:
      - alert: Load
        expr: max by (job, route) (shop_load{job="shop"}) > 5
        for: 1m
        labels: {severity: critical}
        annotations: {runbook_url: 'https://books.example/load.md'}
      - alert: Jobs
        expr: (sum by (job) (shop_jobs{job="shop"})) < 1 * 0
        labels: {severity: warning}
"""
STRANGER = """\
      - alert: Stranger
        expr: vector(0) > 1
"""
FAILING = """\
      - alert: Failing
        expr: shop_load * on (job) shop_load > 1e9
"""


class Watched:
    """Everything, running and well: an application, Prometheus behind a proxy, a playbook."""

    def __init__(self, folder: Path, alertmanager: Alertmanager) -> None:
        self.folder = folder
        self.alertmanager = alertmanager
        self.app = Door()
        self.playbook = folder / "shop"
        self.config = folder / "prometheus.yml"
        self.rules = folder / "rules.yaml"

    def __enter__(self) -> Watched:
        with contextlib.ExitStack() as stack:
            self.app.metrics = METRICS
            self.app.open()
            stack.callback(self.app.close)
            (self.playbook / "runbooks").mkdir(parents=True)
            for name in ("load", "jobs"):
                (self.playbook / "runbooks" / f"{name}.md").write_text(f"# {name}\n")
            (self.playbook / "rules.yaml").write_text(RULES)
            self.says()
            self.rules.write_text(RULES)
            self.configure(reload=False)
            self.prometheus = Prometheus(self.folder / "prometheus", config=self.config)
            stack.enter_context(self.prometheus)
            self.proxy = stack.enter_context(EditedServer(self.prometheus.port))
            self.point(self.proxy.url)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def configure(
        self, *, interval: str = "1s", port: int | None = None, broken: bool = False, reload: bool = True
    ) -> None:
        """Write Prometheus' configuration, and have it read; `port` is that of the Alertmanager, 0 for none."""
        target = self.alertmanager.port if port is None else port
        alerting = f'alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{target}"]}}]}}]}}\n'
        self.config.write_text(
            f"global: {{scrape_interval: {interval}, scrape_timeout: 1s, evaluation_interval: 1s}}\n"
            f"rule_files: ['{self.rules}']\n"
            + (alerting if target else "")
            + f'scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{self.app.port}"]}}]}}]\n'
            + ("scrape_configs: []\n" if broken else "")
        )
        if reload:
            with contextlib.suppress(urllib.error.HTTPError) if broken else contextlib.nullcontext():
                self.prometheus.reload()

    def load(self, rules: str = RULES) -> None:
        """Let Prometheus have these rules."""
        self.rules.write_text(rules)
        self.prometheus.reload()

    def says(self, text: str = PLAYBOOK) -> None:
        """What the playbook says."""
        (self.playbook / "playbook.yaml").write_text(text)

    def point(self, url: str, tls: str = "{}") -> None:
        """Where the context has Prometheus."""
        (self.folder / "config.yaml").write_text(
            f"contexts:\n  test:\n    playbooks: ['{self.playbook}']\n"
            f"    prometheus: {{url: '{url}', timeout: 3s, tls_config: {tls}}}\n"
            f"    alertmanager: [{{name: main, members: ['{self.alertmanager.url}']}}]\n"
            "current_context: test\n"
        )

    def check(self) -> dict[str, dict[str, Any]]:
        """What `opsconsole check` says, by id."""
        out, err = io.StringIO(), io.StringIO()
        argv = [
            f"--config={self.folder / 'config.yaml'}",
            "check",
            "--format=json",
            *(f"--only={g}" for g in GROUPS),
        ]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(argv)
        assert out.getvalue(), err.getvalue()
        return {check["id"]: check for check in json.loads(out.getvalue())["checks"]}


Deed = Callable[[Watched], object]
Report = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """How a thing is broken and healed; the id that goes to another verdict, and words of its reason."""

    name: str
    damage: Deed
    id: str
    verdict: str
    words: str
    heal: Deed


def loaded(old: str, new: str) -> Deed:
    return lambda s: s.load(RULES.replace(old, new))


def unloaded(s: Watched) -> None:
    s.load()


def told(old: str, new: str) -> Deed:
    return lambda s: s.says(PLAYBOOK.replace(old, new))


def panel(expr: str) -> Deed:
    return lambda s: s.says(PLAYBOOK + PANEL.replace("EXPR", expr))


def retold(s: Watched) -> None:
    s.says()


def edited(edit: Edit) -> Deed:
    return lambda s: setattr(s.proxy, "edit", edit)


def honest(s: Watched) -> None:
    s.proxy.edit = lambda answer: answer


def on(path: str, what: str, change: Edit) -> Deed:
    """Edit the answers to questions at a path that have something in them."""
    return edited(lambda a: change(a) if a.path.startswith(path) and what in a.asked else a)


def own(old: str, new: str) -> Deed:
    """Edit Prometheus' own metrics."""
    return on("/metrics", "", lambda a: a.replaced(f"\n{old}", f"\n{new}"))


def value(part: str, number: str) -> Edit:
    """Edit the value of a series of the question for scrapes."""

    def change(answer: Answer) -> Answer:
        data = json.loads(answer.body)
        for series in data["data"]["result"]:
            if series["metric"]["opsconsole_part"] == part:
                series["value"][1] = number
        return replace(answer, body=json.dumps(data).encode())

    return change


def partial(answer: Answer) -> Answer:
    return replace(
        answer, body=json.dumps({**json.loads(answer.body), "warnings": ["one store is away"]}).encode()
    )


def long_ago(key: str) -> Edit:
    def change(answer: Answer) -> Answer:
        data = json.loads(answer.body)
        for item in data["data"].get("groups") or data["data"]["activeTargets"]:
            item[key] = "2026-01-01T00:00:00Z"
        return replace(answer, body=json.dumps(data).encode())

    return change


def behind_tls(days: int, tls: str = "{{ca_file: '{file}'}}") -> Deed:
    def deed(s: Watched) -> None:
        file = certificate(s.folder, f"days{days}", days)
        s.proxy.close()
        s.proxy.certificate = file
        s.proxy.open()
        s.point(s.proxy.url, tls.format(file=file))

    return deed


def without_tls(s: Watched) -> None:
    s.proxy.close()
    s.proxy.certificate = None
    s.proxy.open()
    s.point(s.proxy.url)


def stale(s: Watched) -> None:
    s.app.metrics = METRICS + f"shop_old 1 {int(time.time() - 200) * 1000}\n"
    panel('shop_old{job="shop"}')(s)


def restarted(s: Watched) -> None:
    s.rules.write_text(RULES)
    s.prometheus.stop()
    s.prometheus.start()


QUERY, SCRAPES, FOUND = "/api/v1/query", "scrape_samples_scraped", "last_over_time"
S = "sources.prometheus"
HANGS = 4.0

CASES = (
    Case("target down", lambda s: s.app.close(), "targets.up.shop", "CRITICAL", "1 of 1 down: 127.0.0.1", lambda s: s.app.open()),
    Case("an instance too few", told("instances: 1", "instances: 2"), "targets.up.shop", "WARNING", "expects 2", retold),
    Case("job not scraped", told("[{name: shop, ", "[{name: ghost}, {name: shop, "), "targets.up.ghost", "UNKNOWN", "ghost", retold),
    Case("scrape interval wrong", lambda s: s.configure(interval="2s"), "targets.interval.shop", "WARNING", "every 2s", lambda s: s.configure()),
    Case("scrape late", on("/api/v1/targets", "", long_ago("lastScrape")), "targets.interval.shop", "UNKNOWN", "127.0.0.1", honest),
    Case("no samples", lambda s: setattr(s.app, "metrics", ""), "targets.samples.shop", "UNKNOWN", "gave no sample", lambda s: setattr(s.app, "metrics", METRICS)),
    Case("samples NaN", on(QUERY, SCRAPES, value("samples", "NaN")), "targets.samples.shop", "UNKNOWN", "shop", honest),
    Case("target flapping", on(QUERY, SCRAPES, value("changes", "4")), "targets.flapping.shop", "WARNING", "4 times", honest),
    Case("metric missing", panel('sum(shop_gone{job="shop"})'), "metrics.exists.shop", "UNKNOWN", "missing: shop_gone", retold),
    Case("metric of another job", panel('shop_load{job="other"}'), "metrics.exists.shop", "UNKNOWN", "shop_load", retold),
    Case("label missing", panel('sum by (zone) (shop_load{job="shop",zone!=""})'), "metrics.labels.shop", "UNKNOWN", "shop_load has no zone", retold),
    Case("metric stale", stale, "metrics.fresh.shop", "UNKNOWN", "shop_old", lambda s: (setattr(s.app, "metrics", METRICS), s.says())),
    Case("panel without data", panel('shop_load{job="shop"} > 1e9'), "metrics.panel.shop.extra", "UNKNOWN", "extra has no data", retold),
    Case("panel that cannot be asked", panel('shop_load{job="shop"} * on (job) shop_load{job="shop"}'), "metrics.panel.shop.extra", "UNKNOWN", "many-to-many", retold),
    Case("rule edited", loaded("> 5", "> 6"), "rules.drift.shop.Load", "WARNING", "Load: its expression", unloaded),
    Case("for edited", loaded("for: 1m", "for: 2m"), "rules.drift.shop.Load", "WARNING", "for is 2m, the playbook says 1m", unloaded),
    Case("severity edited", loaded("critical", "high"), "rules.drift.shop.Load", "WARNING", "severity is high", unloaded),
    Case("rule missing", loaded("alert: Jobs", "alert: Other"), "rules.loaded.shop", "CRITICAL", "not loaded: Jobs", unloaded),
    Case("rule that no playbook knows", lambda s: (s.load(RULES + STRANGER), told("10d}", "10d, strict: true}")(s)), "rules.unknown", "WARNING", "Stranger", lambda s: (s.load(), s.says())),
    Case("runbook that is not there", loaded("load.md", "gone.md"), "rules.runbook.shop", "WARNING", "gone.md", unloaded),
    Case("rule group late", on("/api/v1/rules", "", long_ago("lastEvaluation")), "rules.evaluated", "UNKNOWN", "group shop", honest),
    Case("rules partial", on("/api/v1/rules", "", partial), "rules.read", "UNKNOWN", "partial: one store is away", honest),
    Case("connected to no Alertmanager", lambda s: s.configure(port=0), f"{S}.alertmanagers", "CRITICAL", "no Alertmanager", lambda s: s.configure()),
    Case("connected to another Alertmanager", lambda s: s.configure(port=free_port()), f"{S}.alertmanagers", "CRITICAL", "does not send to http://127", lambda s: s.configure()),
    Case("reload failed", lambda s: s.configure(broken=True), f"{S}.config", "WARNING", "last reload", lambda s: s.configure()),
    Case("retention too short", told("10d", "400d"), f"{S}.retention", "WARNING", "asks for 400d", retold),
    Case("notifications dropped", own("prometheus_notifications_dropped_total 0", "prometheus_notifications_dropped_total 8"), f"{S}.notifications", "WARNING", "8 notifications", honest),
    Case("queue full", own("prometheus_notifications_queue_length 0", "prometheus_notifications_queue_length 9999"), f"{S}.notifications", "WARNING", "9999 of 10000", honest),
    Case("storage corrupt", own("prometheus_tsdb_wal_corruptions_total 0", "prometheus_tsdb_wal_corruptions_total 1"), f"{S}.wal", "WARNING", "1 failures of its storage", honest),
    Case("own metrics hidden", on("/metrics", "", lambda a: a.saying(404, "no")), f"{S}.wal", "UNKNOWN", "does not tell", honest),
    Case("clock skewed", edited(lambda a: replace(a, skew=600.0)), f"{S}.clock", "WARNING", "ahead of this machine's", honest),
    Case("replaying", edited(lambda a: a.saying(503, "Service Unavailable")), f"{S}.ready", "UNKNOWN", "not ready: 503", honest),
    Case("not allowed", edited(lambda a: a.saying(401, "who are you?")), f"{S}.reachable", "UNKNOWN", "unauthorised: 401", honest),
    Case("unreachable", lambda s: s.proxy.close(), f"{S}.reachable", "UNKNOWN", "refused", lambda s: s.proxy.open()),
    Case("slow", on(QUERY, SCRAPES, lambda a: replace(a, delay=2.2)), f"{S}.latency", "WARNING", "a small query took", honest),
    Case("query that times out", on(QUERY, FOUND, lambda a: replace(a, delay=HANGS)), "metrics.read", "UNKNOWN", "timed out: no answer within 3 s", honest),
    Case("partial answer", on(QUERY, FOUND, partial), "metrics.read", "UNKNOWN", "partial: one store is away", honest),
    Case("certificate expired", behind_tls(-1), f"{S}.tls", "CRITICAL", "has expired", without_tls),
    Case("certificate expired and not verified", behind_tls(-1, "{{insecure_skip_verify: true}}"), f"{S}.tls", "CRITICAL", "has expired", without_tls),
    Case("certificate expires now", behind_tls(2), f"{S}.tls", "CRITICAL", "in 2 days", without_tls),
    Case("certificate expires soon", behind_tls(10), f"{S}.tls", "WARNING", "in 10 days", without_tls),
    Case("rule failing", lambda s: s.load(RULES + FAILING), "rules.health", "CRITICAL", "1 of 3 fail: Failing", restarted),
)  # fmt: skip


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, alertmanager: Alertmanager) -> Iterator[Watched]:
    with Watched(tmp_path_factory.mktemp("watched"), alertmanager) as made:
        yield made


@pytest.fixture(scope="module")
def well(watched: Watched) -> dict[str, str]:
    """The verdicts of what is as it is meant to be: all of them OK."""
    report = until(watched, lambda report: bad(report) == {}, "calm Prometheus")
    assert len(report) > 25
    return levels(report)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_the_check_of_what_is_broken_says_so(watched: Watched, well: dict[str, str], case: Case) -> None:
    wanted = {case.id: case.verdict}
    if case.name == "own metrics hidden":
        wanted |= dict.fromkeys((f"{S}.notifications", f"{S}.rules"), "UNKNOWN")
    case.damage(watched)
    try:
        # Between two states there may be a third, such as no Alertmanager before the other one.
        until(
            watched,
            lambda report: bad(report) == wanted and case.words in report[case.id]["reason"],
            f"{wanted} because of `{case.words}`",
        )
    finally:
        case.heal(watched)
        until(watched, lambda report: levels(report) == well, "healed Prometheus")


def until(watched: Watched, holds: Callable[[Report], bool], what: str) -> Report:
    """Check until the report is as it is to be."""
    end = time.monotonic() + LIMIT
    while True:
        report = watched.check()
        if holds(report):
            return report
        if time.monotonic() > end:
            wrong = {
                id: f"{c['verdict']} {c['reason']} ({c['because']})"
                for id, c in report.items()
                if c["verdict"] != "OK"
            }
            pytest.fail(f"no {what} within {LIMIT:g} s: {json.dumps(wrong, indent=1)}")
        time.sleep(0.1)


def levels(report: Report) -> dict[str, str]:
    return {id: check["verdict"] for id, check in report.items()}


def bad(report: Report) -> dict[str, str]:
    """What is not OK and stands for itself."""
    return {id: c["verdict"] for id, c in report.items() if c["verdict"] != "OK" and not c["because"]}
