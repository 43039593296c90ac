"""A real stack is broken one thing at a time: only the check of that thing says so, and it names the thing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.breakable import ROUTES, Breakable, breakable
from tests.support.servers import free_port, http, wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("check-breaks-alerts")]

LIMIT = 30.0
"""Seconds for what was broken to be seen, and for what was healed."""

Deed = Callable[[Breakable], object]
Report = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """How a thing is broken and healed. `expected` are the ids that go to other verdicts, each with words of its
    reason; what merely follows from them is left out. `stays` is an alert that Alertmanager must have before all
    being as it was means anything."""

    name: str
    damage: Deed
    heal: Deed
    expected: Mapping[str, tuple[str, str]]
    stays: str = ""


def firing(name: str, severity: str, **how: float) -> Deed:
    return lambda stack: stack.fire(name, severity, **how)  # type: ignore[arg-type]  # seconds


def over(name: str, severity: str) -> Deed:
    return lambda stack: stack.end(name, severity)


def all_of(*deeds: Deed) -> Deed:
    return lambda stack: [deed(stack) for deed in deeds]


def routed(routes: str = ROUTES, **more: str) -> Deed:
    def deed(stack: Breakable) -> None:
        stack.route(routes, **more)
        assert stack.reload()

    return deed


def unreadable(stack: Breakable) -> None:
    stack.routing.write_text("route: {receiver: nobody-knows}\nreceivers: []\n")
    assert not stack.reload()


def half_reloaded(stack: Breakable) -> None:
    stack.route(wait="7s")
    assert stack.reload(0)


def lost(stack: Breakable) -> None:
    stack.members[1].stop()


def apart(stack: Breakable) -> None:
    """The second member gossips where the first does not look for it, and hears of no silence."""
    stack.restart(1, listen_address=f"127.0.0.1:{free_port()}", peer="")


def says(status: int, text: str, seconds: float) -> Deed:
    return lambda stack: setattr(stack.app, "says", (status, text, seconds))


def shows(metrics: str) -> Deed:
    return lambda stack: setattr(stack.app, "metrics", metrics)


def again(stack: Breakable) -> None:
    for member in range(2):
        stack.restart(member)


def runbook(stack: Breakable) -> None:
    (stack.playbook / "runbooks").mkdir()
    (stack.playbook / "runbooks" / "full.md").write_text("# Full\n\nSee [there](nowhere.md).\n")


def no_runbook(stack: Breakable) -> None:
    (stack.playbook / "runbooks" / "full.md").unlink()
    (stack.playbook / "runbooks").rmdir()


def route_without(severity: str) -> str:
    return "".join(line for line in ROUTES.splitlines(keepends=True) if severity not in line)


WELL, CALM = says(200, '{"status": "ok"}', 0.0), shows("shop_load 1\nshop_lasting 1\n")
BUSY = "ACK! ann: busy [op=abc]"

READY = "sources.alertmanager.ready.main"
ACTIVE, RESPONSE = "alerts.active", "alerts.response"
LOAD, HEALTH = "thresholds.shop.load", "probes.shop.health"

CASES = (
    Case("critical fires", firing("Fire", "critical"), over("Fire", "critical"), {ACTIVE: ("CRITICAL", "Fire")}),
    Case("high fires", firing("Heat", "high"), over("Heat", "high"), {ACTIVE: ("WARNING", "1 high: Heat")}),
    Case("info fires", firing("Note", "info"), over("Note", "info"), {}, stays="Note"),
    Case(
        "silenced",
        all_of(lambda s: s.silence("Hush"), firing("Hush", "critical")),
        all_of(over("Hush", "critical"), lambda s: s.unsilence()),
        {},
        stays="Hush",
    ),
    Case(
        "inhibited",
        all_of(firing("Root", "info"), firing("Leaf", "critical")),
        all_of(over("Leaf", "critical"), over("Root", "info")),
        {},
        stays="Leaf",
    ),
    Case(
        "not acknowledged in time",
        firing("Forgotten", "warning", ago=2400.0),
        over("Forgotten", "warning"),
        {ACTIVE: ("WARNING", "Forgotten"), RESPONSE: ("WARNING", "Forgotten")},
    ),
    Case(
        "not responded to in time",
        firing("Ignored", "critical", ago=2400.0),
        over("Ignored", "critical"),
        {ACTIVE: ("CRITICAL", "Ignored"), RESPONSE: ("CRITICAL", "Ignored")},
    ),
    Case(
        "an ack that nobody extends",
        all_of(firing("Held", "critical"), lambda s: s.silence("Held", BUSY, lasts=120.0)),
        all_of(over("Held", "critical"), lambda s: s.unsilence()),
        {"alerts.acks.extended": ("WARNING", "ann's ack of Held")},
    ),
    Case(
        "an ack that was forgotten",
        all_of(
            firing("Held", "critical"),
            lambda s: s.silence("Held", f"ACK! ann: busy [again={int(time.time()) - 7200}] [op=abc]"),
        ),
        all_of(over("Held", "critical"), lambda s: s.unsilence()),
        {"alerts.acks.stale": ("WARNING", "ann's ack of Held is 2h old")},
    ),
    Case("over the warning bound", shows("shop_load 6\nshop_lasting 1\n"), CALM, {LOAD: ("WARNING", "above 5")}),
    Case("over the critical bound", shows("shop_load 11\nshop_lasting 1\n"), CALM, {LOAD: ("CRITICAL", "10")}),
    Case(
        "over a bound for less than it takes",
        shows("shop_load 6\nshop_lasting 9\n"),
        CALM,
        {LOAD: ("WARNING", "above 5")},
    ),
    Case("not a number", shows("shop_load NaN\nshop_lasting 1\n"), CALM, {LOAD: ("UNKNOWN", "not a number")}),
    Case("no data", shows("shop_lasting 1\n"), CALM, {LOAD: ("UNKNOWN", "no data")}),
    Case("probe 500", says(500, "broken", 0.0), WELL, {HEALTH: ("CRITICAL", "answers 500, not 200")}),
    Case("probe slow", says(200, '"ok"', 0.5), WELL, {HEALTH: ("WARNING", "more than 300 ms")}),
    Case("probe too slow", says(200, '"ok"', 1.5), WELL, {HEALTH: ("CRITICAL", "within 1 s")}),
    Case("probe body", says(200, "all is fine", 0.0), WELL, {HEALTH: ("CRITICAL", "without `\"ok\"`")}),
    Case(
        "probe refused",
        lambda s: s.door.close(),
        lambda s: s.door.open(),
        {"probes.shop.door": ("CRITICAL", "connection refused")},
    ),
    Case(
        "flag file invalid",
        lambda s: s.flag(text="{"),
        lambda s: s.flag(),
        {"flags.provider": ("UNKNOWN", "JSON")},
    ),
    Case(
        "flag file missing",
        lambda s: s.flags.unlink(),
        lambda s: s.flag(),
        {"flags.provider": ("UNKNOWN", "cannot be read")},
    ),
    Case(
        "flag changed beside an alert",
        all_of(firing("Heat", "warning"), lambda s: s.flag(ago=60.0)),
        all_of(over("Heat", "warning"), lambda s: s.flag()),
        {ACTIVE: ("WARNING", "Heat"), "flags.changes": ("WARNING", "Heat")},
    ),
    Case("flag changed in peace", lambda s: s.flag(ago=60.0), lambda s: s.flag(), {}),
    Case("runbook broken", runbook, no_runbook, {"runbooks.shop": ("WARNING", "full.md")}),
    Case(
        "no route for a severity",
        routed(route_without("warning")),
        routed(),
        {"alertmanager.routes.main.warning": ("WARNING", "default receiver chat")},
    ),
    Case(
        "a receiver that tells nobody",
        routed(ROUTES.replace("receiver: pager", "receiver: 'null'"), extra="  - {name: 'null'}\n"),
        routed(),
        {
            "alertmanager.routes.main.critical": ("CRITICAL", "receiver null has no integration"),
            "alertmanager.routes.main.high": ("CRITICAL", "receiver null has no integration"),
        },
    ),
    Case(
        "configuration invalid",
        unreadable,
        routed(),
        {"alertmanager.reload.main": ("WARNING", "older configuration")},
    ),
    Case(
        "one member has another configuration",
        half_reloaded,
        routed(),
        {"alertmanager.config.main": ("WARNING", "different configurations")},
    ),
    Case(
        "dead-man alert missing",
        over("Watchdog", "none"),
        lambda s: s.watch(),
        {"alertmanager.deadman.main.Watchdog": ("CRITICAL", "Watchdog does not arrive")},
    ),
    Case("member lost", lost, lambda s: s.restart(1), {READY: ("WARNING", "1 of 2 members unknown: http://127")}),
    Case(
        "member settling",
        lambda s: s.restart(1, settle_timeout="10m"),
        lambda s: s.restart(1),
        {"alertmanager.settled.main": ("WARNING", "still settling")},
    ),
    Case(
        "members apart",
        all_of(apart, lambda s: s.silence("Nothing")),
        all_of(lambda s: s.restart(1), lambda s: s.unsilence()),
        {
            "alertmanager.settled.main": ("WARNING", "sees 1 of 2 members"),
            "alertmanager.agreement.main": ("WARNING", 'alertname="Nothing"'),
        },
    ),
    Case(
        "a receiver that refuses",
        all_of(
            lambda s: s.route(pager=f"webhook_configs: [{{url: 'http://127.0.0.1:{free_port()}/'}}]"),
            lambda s: s.reload(),
            firing("Note", "info"),
        ),
        all_of(over("Note", "info"), lambda s: s.route(), again),
        {"alertmanager.notifications.main": ("WARNING", "webhook")},
    ),
    Case("all members lost", all_of(lost, lambda s: s.members[0].stop()), again, {READY: ("UNKNOWN", "refused")}),
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    with breakable(tmp_path_factory.mktemp("breakable")) as made:
        yield made


@pytest.fixture(scope="module")
def well(stack: Breakable) -> dict[str, str]:
    """The verdicts of the stack as it is meant to be: all of them OK."""
    report = until(stack, lambda report: _bad(report) == {}, "calm stack")
    assert len(report) > 15
    return {id: check["verdict"] for id, check in report.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_the_check_of_what_is_broken_says_so(stack: Breakable, well: dict[str, str], case: Case) -> None:
    case.damage(stack)
    try:
        if case.stays:
            until_there(stack, case.stays)
        wanted = {id: verdict for id, (verdict, _) in case.expected.items()}
        report = until(stack, lambda report: _bad(report) == wanted, f"{wanted}")
        for id, (_, words) in case.expected.items():
            assert words in report[id]["reason"], report[id]
            assert report[id]["hint"] or report[id]["evidence"], "it says what to do, or shows what it saw"
    finally:
        case.heal(stack)
        until(stack, lambda report: {i: c["verdict"] for i, c in report.items()} == well, "healed stack")


def until(stack: Breakable, holds: Callable[[Report], bool], what: str) -> Report:
    """Check until the report is as it is to be."""
    end = time.monotonic() + LIMIT
    while True:
        report = stack.check()
        if holds(report):
            return report
        if time.monotonic() > end:
            wrong = {id: f"{c['verdict']} {c['reason']}" for id, c in report.items() if c["verdict"] != "OK"}
            pytest.fail(f"no {what} within {LIMIT:g} s: {json.dumps(wrong, indent=1)}")
        time.sleep(0.1)


def until_there(stack: Breakable, name: str) -> None:
    """Wait until every member has the alert, as it is to be."""

    def there() -> bool:
        found = [a for m in stack.members for a in json.loads(http("GET", f"{m.url}/api/v2/alerts"))]
        return sum(a["labels"]["alertname"] == name for a in found) == len(stack.members)

    wait_for(there, LIMIT, f"alert {name}")


def _bad(report: Report) -> dict[str, str]:
    """What is not OK and stands for itself."""
    return {id: c["verdict"] for id, c in report.items() if c["verdict"] != "OK" and not c["because"]}
