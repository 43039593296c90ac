"""`opsconsole guard run`: one round, a signal, a dry run beside it, and what it says on standard error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from opsconsole.cli.guard_log import ChangeLog, GuardLog, ToldOutbox
from opsconsole.clock import ManualClock
from opsconsole.guard.lease import LeaseFile
from opsconsole.model.guard import Armed, GuardStatus, RulePhase, RuleStatus
from opsconsole.model.guardstatus import PATTERN, decode_status
from opsconsole.text import safe
from tests.support.guard_events import an_event
from tests.support.servers import wait_for
from tests.unit.cli.conftest import ROOT, Run

LIMIT = 30.0

CONFIG = """\
contexts:
  prod:
    prometheus: {url: http://127.0.0.1:9}
    flags: {provider: flagd, path: flags.json}
    playbooks: [./shop]
    guard: {textfile: guard.prom}
  empty: {prometheus: {url: http://127.0.0.1:9}, playbooks: [./shop]}
"""
BOOK = """\
system: shop
guard:
  rules: [{id: errors, title: Errors, expr: vector(1), above: 5, for: 60s, unit: percent}]
"""
FLAGS = '{"flags": {"new": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}'


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "playbook.yaml").write_text(BOOK)
    (tmp_path / "flags.json").write_text(FLAGS)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return ("guard", "run", "--config", str(tmp_path / "c.yaml"), "--context", "prod")


def told(folder: Path) -> GuardStatus | None:
    for path in folder.glob(PATTERN):
        return decode_status(path.read_bytes())
    return None


async def test_one_round_tells_what_is_not_known_and_fails(
    run: Run, words: tuple[str, ...], tmp_path: Path
) -> None:
    ended = await run(*words, "--once", "--log", "json")
    assert (ended.code, ended.out) == (1, "")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    said = [(line["what"], line["message"]) for line in lines]
    assert said[0][1].startswith("guard of prod started")
    assert ("guard", "not armed: it only says what it would do") in said
    assert ("phase", "shop/errors: unknown, no value, unreachable: connection refused") in said
    assert said[-1] == ("guard", "stopped")
    status = told(tmp_path / "state" / "guard" / "prod")
    assert status is not None
    assert (status.stopped, status.pid, status.rules[0].phase) == (True, os.getpid(), RulePhase.UNKNOWN)
    assert 'opsconsole_guard_up{context="prod"} 0.0' in (tmp_path / "guard.prom").read_text()
    assert json.loads((tmp_path / "flags.json").read_text()) == json.loads(FLAGS)


async def test_a_dry_run_takes_nothing_from_a_guard_that_acts(
    run: Run, words: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "guard" / "prod"
    lease = LeaseFile(folder / "lease.db", host="there")
    assert lease.hold()
    ended = await run(*words, "--once", "--dry-run")
    assert "dry run of prod started" in ended.err
    assert lease.hold()
    assert told(folder) is None, "it is not the guard that check asks for"
    assert told(folder / "dry-run") is not None
    assert not (tmp_path / "guard.prom").exists()


async def test_what_cannot_be_guarded_or_started_is_said(run: Run, words: tuple[str, ...], tmp_path: Path) -> None:
    ended = await run("guard", "run", "--config", str(tmp_path / "c.yaml"), "--context", "empty")
    assert (ended.code, ended.out) == (2, "")
    assert "empty has no flag provider" in ended.err
    ended = await run(*words, "--log", "xml")
    assert (ended.code, "--log is text or json" in ended.err) == (2, True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "guard").write_text("in the way")
    ended = await run(*words, "--once")
    assert ended.code == 1
    assert "cannot be made" in ended.err


def test_a_signal_ends_it_after_the_round_with_its_last_word_and_the_lease_free(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "guard" / "prod"
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "opsconsole", *words], cwd=ROOT, stderr=log)
    try:
        wait_for(lambda: child.poll() is not None or told(folder) is not None, LIMIT, "sign of life of the guard")
        status = told(folder)
        assert status is not None, (tmp_path / "log").read_text()
        assert (status.stopped, status.leader, status.pid) == (False, True, child.pid)
        child.send_signal(signal.SIGTERM)
        assert child.wait(LIMIT) == 0, (tmp_path / "log").read_text()
    finally:
        child.kill()
        child.wait()
    status = told(folder)
    assert status is not None
    assert status.stopped
    assert LeaseFile(folder / "lease.db", host="next").hold(), "its lease was not released"


STATUS = GuardStatus(
    context="prod",
    host=safe("h"),
    pid=1,
    at=0.0,
    started=0.0,
    interval=10.0,
    rules=(RuleStatus(rule="errors", system="shop", title=safe("E"), phase=RulePhase.OK, since=0.0, value=0.5),),
)


def test_only_changes_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    beats = ChangeLog(GuardLog(ManualClock(), as_json=False))
    rule = msgspec.structs.replace(STATUS.rules[0], phase=RulePhase.PENDING, value=7.0)
    armed = Armed(until=3600.0, at=0.0, by=safe("ann"))
    for status in (
        STATUS,
        STATUS,
        msgspec.structs.replace(STATUS, rules=(rule,), armed=armed, killed=safe("the kill switch /x is pulled")),
        msgspec.structs.replace(STATUS, rules=(rule,), armed=armed, leader=False, holder=safe("other")),
    ):
        beats.beat(status)
    assert [line.partition("Z ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "guard: not armed: it only says what it would do",
        "guard: holds the lease",
        "phase: shop/errors: ok, value 0.5",
        "guard: armed by ann until 1970-01-01T01:00:00Z",
        "guard: the kill switch /x is pulled",
        "phase: shop/errors: pending (was ok), value 7",
        "guard: kill switch: over",
        "guard: stands by: other holds it",
    ]


async def test_an_event_is_logged_once_and_kept_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    outbox = ToldOutbox(GuardLog(ManualClock(), as_json=True), None)
    event = an_event()
    outbox.put(event)
    outbox.put(event)
    await outbox.deliver()
    assert outbox.waiting() == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["what"], line["kind"], line["id"]) for line in lines] == [("event", "rolled-back", event.id)]
