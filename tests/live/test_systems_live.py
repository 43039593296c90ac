"""Every simulated system on real Prometheus and Alertmanager with its playbook's own files, seen through the
console's engine: panels with data, alerts from pending to resolved.

Delays and range windows are divided by COMPRESS, by the override that `opsconsole.demo.compress` describes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.playbooks import find_playbook, list_playbooks, load_playbook
from opsconsole.config.schema import ClusterConfig, Context, Endpoint
from opsconsole.demo.embedded import DemoEndpoints
from opsconsole.demo.expr import duration
from opsconsole.demo.real import RealStack
from opsconsole.demo.systems.registry import find_system, system_names
from opsconsole.errors import OpsError
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.evidence_windows import Windows
from opsconsole.model.runbooks import runbook_for
from opsconsole.model.severity import AlertState, severity_of
from opsconsole.state.engine import Engine
from opsconsole.state.evidence import find_evidence
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import trusted

pytestmark = pytest.mark.live

COMPRESS = 45.0
EVERY = 0.25

FAULTS = {
    "accubooks": ("errors", "latency", "cache", "memory"),
    "docc2context": ("errors", "extraction", "memory", "disk"),
    "gremlinsai": ("errors", "llm", "memory", "rag"),
    "ruleiq": ("errors", "auth", "pool"),
    "todo": ("errors", "disk", "memory", "ratelimit"),
}
"""What is followed from calm to resolved, all at once: faults whose alerts do not inhibit each other."""

COUNTED = {"crash"}
"""Faults whose alert wants a number of events in its window: the shorter window cannot hold that many."""

WITH_PLAYBOOK = sorted({path.name for path in list_playbooks()} & set(system_names()))


class Watched:
    """One system on a running stack, looked at through the console's engine."""

    def __init__(self, stack: RealStack, endpoints: DemoEndpoints) -> None:
        self.stack = stack
        self.playbook = load_playbook(Path(endpoints.playbook))
        clock = SystemClock()
        context = Context(
            name="live",
            prometheus=Endpoint(url=endpoints.prometheus_url),
            alertmanager=(ClusterConfig(name="main", members=(Endpoint(url=endpoints.alertmanager_url),)),),
        )
        self.engine = Engine(ContextInfo(name=trusted("live")), Sources(context, clock), [self.playbook], clock)
        self.empty = {
            f"{self.playbook.system}/{panel.id}" for board in self.playbook.dashboards for panel in board.panels
        }
        self.problems: dict[str, str] = {}

    async def look(self, panels: Iterable[str] = ()) -> Snapshot:
        return await self.engine.collect(["rules", "targets", "alerts", "silences"], panels)

    async def fill(self) -> bool:
        """Ask for the panels that have had no data yet; whether none is left."""
        snapshot = await self.look(sorted(self.empty))
        for key in sorted(self.empty):
            reading = snapshot.panels[key]
            results = reading.data.results if reading.data is not None else ()
            values = [[v for s in r.series for v in s.values if math.isfinite(v)] for r in results]
            if reading.failure is None and not reading.warnings and values and all(values):
                self.empty.discard(key)
            else:
                self.problems[key] = str(reading.failure or reading.warnings or [len(v) for v in values])
        return not self.empty

    async def counts(self) -> bool:
        """Whether every query of the evidence counts something, and belongs to the others."""
        now, flags = SystemClock().now(), find_system(self.playbook.system).flags
        assert self.playbook.evidence is not None
        found = await find_evidence(
            self.engine.ask, self.playbook.evidence, Windows((now - 60, now), (now - 60, now)), next(iter(flags))
        )
        self.problems["evidence"] = str(found)
        shares = [share for share in (found.errors, found.latency) if share is not None]
        known = all(share.after is not None and share.after.all > 0 for share in shares) and len(shares) == 2
        return known and bool(found.evaluations) == bool(self.playbook.evidence.evaluations)

    def rows(self, snapshot: Snapshot, alerts: Iterable[str]) -> list[AlertRow]:
        return [row for row in snapshot.rows if row.alert.labels["alertname"] in alerts]


@asynccontextmanager
async def watched(system: str) -> AsyncIterator[Watched]:
    stack = RealStack(system=system, compress=COMPRESS, release_after=None)
    with stack as endpoints:
        seen = Watched(stack, endpoints)
        try:
            yield seen
        finally:
            await seen.engine.aclose()


async def until(condition: Callable[[], Any], limit: float, what: Callable[[], str]) -> None:
    """Ask until the condition, which may be a coroutine, holds; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < end, f"within {limit:g} s: {what()}"
        await asyncio.sleep(EVERY)


def rules_of(system: str) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((find_playbook(system) / "rules.yaml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def response_of(system: str, alert: str, severity: str) -> float:
    """Seconds to the first response, from the file as it is written."""
    content = yaml.safe_load((find_playbook(system) / "playbook.yaml").read_text())
    guide = content.get("alerts", {}).get(alert) or {}
    return duration(guide.get("response") or content["response"][severity])


def calm(snapshot: Snapshot, alerts: int) -> bool:
    """All rules are evaluated and healthy, nothing is pending or firing, every target is up."""
    groups = snapshot.rules.data if snapshot.rules is not None else None
    rules = [rule for group in groups or () for rule in group.rules if rule.type == "alerting"]
    targets = snapshot.targets.data if snapshot.targets is not None else None
    up = bool(targets) and all(target.health == "up" for target in targets or ())
    return len(rules) == alerts and all(rule.health == "ok" for rule in rules) and not snapshot.rows and up


def check_row(system: str, watched: Watched, row: AlertRow) -> None:
    """Severity, deadline and runbook of a firing alert are the playbook's."""
    name, rule = row.alert.labels["alertname"], rules_of(system)[row.alert.labels["alertname"]]
    assert row.severity is severity_of(rule["labels"])
    response = response_of(system, name, rule["labels"]["severity"])
    assert row.deadline == pytest.approx(row.alert.since + response, abs=0.01)
    url = row.alert.annotations[trusted("runbook_url")]
    by_annotation = runbook_for(watched.playbook, "an alert of no playbook", url)
    assert by_annotation is not None
    assert by_annotation.path == watched.playbook.runbooks[name].path
    assert by_annotation.body


class Story:
    """What the console has shown of some alerts: which were pending, and the rows of those that fired."""

    def __init__(self, seen: Watched, alerts: Iterable[str]) -> None:
        self.seen = seen
        self.alerts = tuple(alerts)
        self.pending: set[str] = set()
        self.firing: dict[str, AlertRow] = {}
        self.left: list[AlertRow] = []

    async def all_fire(self) -> bool:
        snapshot = await self.seen.look()
        for row in self.seen.rows(snapshot, self.alerts):
            name = row.alert.labels["alertname"]
            if row.state is AlertState.PENDING and name not in self.firing:
                self.pending.add(name)
            if row.state is AlertState.ACTIVE:
                self.firing.setdefault(name, row)
        return len(self.firing) == len(self.alerts)

    async def none_is_left(self) -> bool:
        self.left = self.seen.rows(await self.seen.look(), self.alerts)
        return not self.left

    def so_far(self) -> str:
        left = [f"{row.alert.labels} {row.state}" for row in self.left]
        return f"pending: {self.pending}, firing: {set(self.firing)} of {self.alerts}, left: {left}"


async def follow(seen: Watched, faults: Iterable[str]) -> None:
    """Turn faults on, and see each of their alerts pending, then firing as the playbook says."""
    system = find_system(seen.playbook.system)
    rules = rules_of(system.name)
    story = Story(seen, [system.proves[fault] for fault in faults])
    for fault in faults:
        seen.stack.fault(fault)
    await until(story.all_fire, 60, story.so_far)
    assert story.pending == {a for a in story.alerts if duration(str(rules[a].get("for", "0s"))) > 0}
    for row in story.firing.values():
        check_row(system.name, seen, row)


async def recover(seen: Watched, faults: Iterable[str]) -> None:
    """Turn faults off, and see each of their alerts go."""
    story = Story(seen, [find_system(seen.playbook.system).proves[fault] for fault in faults])
    for fault in faults:
        seen.stack.heal(fault)
    await until(story.none_is_left, 60, story.so_far)


async def reach_the_rest(seen: Watched) -> None:
    """Turn on the other faults that leave the application up: each alert's condition is met."""
    system = find_system(seen.playbook.system)
    left_out = {job.down for job in system.jobs} | COUNTED | set(FAULTS[system.name])
    others = [fault for fault in system.proves if fault not in left_out]
    story = Story(seen, [system.proves[fault] for fault in others])
    reached: set[str] = set()

    async def all_reached() -> bool:
        rows = seen.rows(await seen.look(), story.alerts)
        reached.update(row.alert.labels["alertname"] for row in rows)
        return len(reached) == len(set(story.alerts))

    for fault in others:
        seen.stack.fault(fault)
    await until(all_reached, 40, lambda: f"not met: {set(story.alerts) - reached}")
    for fault in others:
        seen.stack.heal(fault)


def marked(system: str) -> Any:
    """At most two stacks run at once: the systems are shared out over two workers that take as long."""
    share = "systems-a" if system in {"accubooks", "todo"} else "systems-b"
    return pytest.param(system, marks=pytest.mark.xdist_group(share))


@pytest.mark.parametrize("system", [marked(system) for system in FAULTS])
async def test_a_system_is_watched_from_calm_to_resolved(system: str) -> None:
    async with watched(system) as seen:
        rules = len(rules_of(system))

        async def settled() -> bool:
            await seen.fill()
            return calm(await seen.look(), rules)

        await until(settled, 30, lambda: f"not calm: {[str(r.alert.labels) for r in seen.engine.snapshot.rows]}")
        with pytest.raises(OpsError, match="known"):
            seen.stack.fault("nope")
        await follow(seen, FAULTS[system])
        await until(seen.counts, 15, lambda: f"not counted: {seen.problems['evidence']}")
        await until(seen.fill, 15, lambda: f"panels without data: { {k: seen.problems[k] for k in seen.empty} }")
        await reach_the_rest(seen)
        await recover(seen, FAULTS[system])
        down = [f for f in find_system(system).proves if f == "down"]
        await follow(seen, down)
        await recover(seen, down)


def test_all_five_systems_are_here() -> None:
    assert WITH_PLAYBOOK == sorted(FAULTS) == ["accubooks", "docc2context", "gremlinsai", "ruleiq", "todo"]
