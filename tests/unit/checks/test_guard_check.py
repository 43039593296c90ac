"""`flags.guard`: what is said of a guard that runs, stopped, is blind, or was never there; and its rules on screen."""

# ruff: noqa: E501  one case per line

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opsconsole.checks.guard import check_guard
from opsconsole.model.guard import Armed, GuardStatus, RulePhase, RuleStatus
from opsconsole.model.guardstatus import GuardSeen
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.screens.status_guard import rule_lines
from tests.ui.fakes import NOW, make_snapshot

RULE = RuleStatus(
    rule="errors", system="shop", title=safe("Errors"), phase=RulePhase.OK, since=NOW - 90, value=0.01
)
WELL = GuardStatus(
    context="prod",
    host=safe("db-1"),
    pid=7,
    at=NOW - 5,
    started=NOW - 600,
    interval=10.0,
    rules=(RULE,),
    armed=Armed(until=NOW + 4 * 3600, at=NOW - 60, by=safe("ann")),
    expect_armed=True,
)


def seen(status: GuardStatus | None, **more: Any) -> Reading[GuardSeen]:
    return Reading(data=GuardSeen(status=status, where=trusted("on this machine"), **more), at=NOW, limit=45.0)


def snapshot(reading: Reading[GuardSeen] | None, *, guarded: bool = True, later: float = 0.0) -> Snapshot:
    made = make_snapshot([])
    context = msgspec.structs.replace(made.context, guarded=guarded)
    return msgspec.structs.replace(made, guard=reading, context=context, now=NOW + later)


def verdict(reading: Reading[GuardSeen] | None, **more: Any) -> Verdict:
    found = list(check_guard(snapshot(reading, **more)))
    assert [v.id for v in found] == ["flags.guard"]
    return found[0]


def changed(**fields: Any) -> Reading[GuardSeen]:
    return seen(msgspec.structs.replace(WELL, **fields))


def test_a_guard_that_runs_and_is_armed() -> None:
    found = verdict(seen(WELL))
    assert (found.level, found.reason) == (Level.OK, "armed by ann for another 4h")
    assert found.evidence == ("runs on db-1 (seen on this machine): 1 rule ok",)


DARK_RULE = msgspec.structs.replace(RULE, phase=RulePhase.UNKNOWN, value=None)


@pytest.mark.parametrize(
    ("fields", "level", "reason"),
    [
        ({"armed": None, "expect_armed": False}, Level.OK, "dry run: it only says what it would do"),
        ({"armed": None}, Level.WARNING, "it is not armed: it only says what it would do"),
        ({"armed": Armed(until=NOW - 1, at=NOW - 60, by=safe("ann"))}, Level.WARNING, "it is not armed: it only says"),
        ({"armed": Armed(until=NOW + 1500, at=NOW, by=safe("ann"))}, Level.WARNING, "it is armed by ann for less than another 26m"),
        ({"armed": Armed(until=NOW + 1500, at=NOW, by=safe("ann")), "expect_armed": False}, Level.OK, "armed by ann for another 25m"),
        ({"killed": safe("the kill switch /run/stop is pulled: x")}, Level.WARNING, "the kill switch /run/stop is pulled: x"),
        ({"undelivered": 2}, Level.WARNING, "2 notifications not delivered yet"),
        ({"problem": safe("the lease cannot be held")}, Level.WARNING, "the lease cannot be held"),
        ({"rules": (RULE, DARK_RULE)}, Level.UNKNOWN, "not known: errors"),
        ({"rules": (DARK_RULE,), "blind_since": NOW - 120}, Level.UNKNOWN, "it is blind: errors not known for 2m"),
        ({"at": NOW - 31}, Level.CRITICAL, "it has stopped: last heard of 31s ago on db-1"),
        ({"at": NOW - 7200, "killed": safe("x")}, Level.CRITICAL, "it has stopped: last heard of 2h ago on db-1"),
        ({"at": NOW + 120}, Level.UNKNOWN, "its heartbeat is 2m in the future on db-1"),
        ({"stopped": True}, Level.CRITICAL, "it was stopped: last heard of 5s ago on db-1"),
        ({"stopped": True, "pid": 0, "host": safe("")}, Level.CRITICAL, "its metrics are gone: last heard of 5s ago"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_guard(fields: dict[str, Any], level: Level, reason: str) -> None:
    found = verdict(changed(**fields))
    assert found.level is level, found
    assert found.reason.startswith(reason)
    assert found.hint or level is Level.OK, "what to do about it"


def test_a_confirmed_rule_and_the_holder_of_the_lease_are_named() -> None:
    rule = msgspec.structs.replace(RULE, phase=RulePhase.CONFIRMED)
    found = verdict(changed(rules=(RULE, rule), leader=False, holder=safe("db-2 (process 9)")))
    assert "errors confirmed; db-2 (process 9) acts" in found.evidence[-1]


def test_a_guard_that_was_never_seen_is_unknown_only_where_there_should_be_one() -> None:
    found = verdict(seen(None, others=(safe("staging"),)))
    assert found.level is Level.UNKNOWN
    assert found.reason.endswith("within a day; Prometheus knows guards of staging")
    assert not list(check_guard(snapshot(seen(None), guarded=False)))
    assert not list(check_guard(snapshot(None)))


def test_one_that_was_seen_is_judged_without_a_section_too() -> None:
    assert verdict(changed(at=NOW - 100), guarded=False).level is Level.CRITICAL


def test_what_cannot_be_asked_is_unknown_and_follows_from_prometheus() -> None:
    failure = Failure(kind="unreachable", message=safe("connection refused"))
    failed = Reading[GuardSeen](failure=failure)
    assert verdict(failed).level is Level.UNKNOWN
    made = snapshot(failed)
    down = msgspec.structs.replace(made, prometheus=Reading(failure=failure))
    assert next(check_guard(down)).because == "sources.prometheus.reachable"
    assert not list(check_guard(snapshot(failed, guarded=False)))
    assert verdict(seen(WELL), later=60.0).level is Level.UNKNOWN, "asked too long ago"


def test_how_often_it_is_asked_makes_no_guard_old() -> None:
    assert verdict(seen(WELL), later=40.0).level is Level.OK


def lines(reading: Reading[GuardSeen], **more: Any) -> list[str]:
    made = snapshot(reading, **more)
    return [line.plain.rstrip() for _, line, _ in rule_lines(made, width=79, theme=DARK, glyphs=UNICODE)]


def test_each_rule_has_a_line_with_its_phase() -> None:
    reading = changed(rules=(RULE, DARK_RULE))
    assert lines(reading) == [
        " ✔ ok         shop/errors value 0.01, for 1m, Errors",
        " ? unknown    shop/errors no value, for 1m, Errors",
    ]
    assert lines(reading, later=60.0)[0].startswith(" ? was ok "), "it is not known any more"
    assert lines(changed(stopped=True))[0].startswith(" ? was ok ")
    assert lines(changed(at=NOW - 600))[0].startswith(" ? was ok "), "a guard that was killed"
    assert lines(seen(None)) == []
