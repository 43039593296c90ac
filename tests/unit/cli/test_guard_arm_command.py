"""`opsconsole guard arm`, `disarm`, `status`, `rules` and `unit`: rule 9, armed only explicitly and for a time."""

# ruff: noqa: E501  one case per line

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from opsconsole.clock import SystemClock
from opsconsole.guard.arming import ArmingFile
from opsconsole.journal.store import Journal
from opsconsole.model.guard import Armed, GuardStatus, RulePhase, RuleStatus
from opsconsole.model.guardstatus import encode_status, status_name
from opsconsole.model.journal import Phase, Result
from opsconsole.text import safe
from tests.support.hostile import acting
from tests.unit.cli.conftest import Run

BOOK = """\
system: shop
guard:
  never: [banner]
  rules:
    - {id: errors, title: Errors, expr: vector(1), above: 5, for: 60s, unit: percent}
"""

CONFIG = """\
contexts:
  prod:
    environment: production
    prometheus: {url: http://127.0.0.1:9}
    flags: {provider: flagd, path: flags.json}
    playbooks: [./shop]
    guard: {state: guard, kill_switch: stop, expect_armed: true}
  lab:
    prometheus: {url: http://127.0.0.1:9}
    flags: {provider: flagd, path: flags.json}
    playbooks: [./shop]
  no-flags: {prometheus: {url: http://127.0.0.1:9}, playbooks: [./shop]}
  no-prometheus: {flags: {provider: flagd, path: flags.json}, playbooks: [./shop]}
  no-book: {prometheus: {url: http://127.0.0.1:9}, flags: {provider: flagd, path: flags.json}}
  no-rules: {prometheus: {url: http://127.0.0.1:9}, flags: {provider: flagd, path: flags.json}, playbooks: [./other]}
  twice: {prometheus: {url: http://127.0.0.1:9}, flags: {provider: flagd, path: flags.json}, playbooks: [./shop, ./again]}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.delenv("SUDO_USER", raising=False)
    for name, text in (("shop", BOOK), ("again", BOOK), ("other", "system: other\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "playbook.yaml").write_text(text)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path / "c.yaml"


def words(config: Path, command: str, context: str, *more: str) -> tuple[str, ...]:
    return ("guard", command, "--config", str(config), "--context", context, *more)


def armed(tmp_path: Path, context: str = "prod") -> Armed | None:
    folder = tmp_path / "guard" if context == "prod" else tmp_path / "state" / "guard" / context
    return ArmingFile(folder / "armed.json", context, SystemClock()).armed()


def journalled(tmp_path: Path) -> list[tuple[str, Phase, Result, str, str]]:
    journal = Journal(tmp_path / "state" / "journal.db", SystemClock())
    try:
        return [(e.action, e.phase, e.result, e.user, e.message) for e in reversed(journal.entries())]
    finally:
        journal.close()


async def test_armed_says_what_it_allows_is_journalled_with_who_and_ends(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "bob")
    ended = await run(*words(config, "arm", "prod", "--for", "8h", "--reason", "release night", "--yes"))
    assert ended.code == 0, ended.err
    for said in (
        "shop/errors: Errors above 5 % for 1m",
        "never banner",
        "Armed until ",
        "No guard runs on this machine",
    ):
        assert said in ended.err
    found = armed(tmp_path)
    assert found is not None
    assert (found.by, found.reason, found.until - found.at) == ("bob (as ann)", "release night", 8 * 3600)
    assert (await run(*words(config, "disarm", "prod", "--read-only"))).code == 0
    assert armed(tmp_path) is None
    again = await run(*words(config, "disarm", "prod"))
    assert (again.code, again.err) == (0, "The guard of prod was not armed.\n")
    intent, done, off = journalled(tmp_path)
    assert intent == ("guard-arm", Phase.INTENT, Result.OPEN, "bob (as ann)", "")
    assert done[:4] == ("guard-arm", Phase.OUTCOME, Result.DONE, "bob (as ann)")
    assert done[4].endswith(": release night")
    assert off == ("guard-disarm", Phase.OUTCOME, Result.DONE, "bob (as ann)", "disarmed")


@pytest.mark.parametrize(
    ("context", "more", "code", "said"),
    [
        ("prod", ("--for", "8h", "--reason", "x"), 2, "in production use --yes together with --context prod"),
        ("lab", ("--for", "8h", "--reason", "x"), 2, "use --yes"),
        ("lab", ("--for", "8h", "--reason", "  ", "--yes"), 2, "--reason may not be blank"),
        ("lab", ("--for", "8d", "--reason", "x", "--yes"), 2, "a guard is armed for 1m to 7d"),
        ("lab", ("--for", "30s", "--reason", "x", "--yes"), 2, "a guard is armed for 1m to 7d"),
        ("lab", ("--for", "soon", "--reason", "x", "--yes"), 2, "soon is not a duration"),
        ("lab", ("--for", "8h", "--reason", "x", "--yes", "--read-only"), 1, "read-only: no guard is armed"),
        ("lab", ("--for", "8h", "--yes"), 2, "Missing option '--reason'"),
        ("lab", ("--reason", "x", "--yes"), 2, "Missing option '--for'"),
        ("no-flags", ("--for", "8h", "--reason", "x", "--yes"), 2, "no-flags has no flag provider"),
        ("no-prometheus", ("--for", "8h", "--reason", "x", "--yes"), 2, "no-prometheus has no Prometheus"),
        ("no-book", ("--for", "8h", "--reason", "x", "--yes"), 2, "no-book has no playbook"),
        ("twice", ("--for", "8h", "--reason", "x", "--yes"), 2, "two playbooks of context twice guard the same system: shop"),
        ("no-rules", ("--for", "8h", "--reason", "x", "--yes"), 2, "no playbook of context no-rules has rules for a guard (other)"),
    ],
)  # fmt: skip
async def test_what_keeps_it_from_being_armed(
    run: Run, config: Path, tmp_path: Path, context: str, more: tuple[str, ...], code: int, said: str
) -> None:
    ended = await run(*words(config, "arm", context, *more))
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert armed(tmp_path, context) is None


async def test_in_production_yes_alone_is_not_enough(run: Run, config: Path, tmp_path: Path) -> None:
    config.write_text("current_context: prod\n" + config.read_text())
    ended = await run("guard", "arm", "--config", str(config), "--for", "8h", "--reason", "x", "--yes")
    assert ended.code == 2
    assert armed(tmp_path) is None


async def test_without_a_journal_nothing_is_armed_and_everything_disarmed(
    run: Run, config: Path, tmp_path: Path
) -> None:
    ArmingFile(tmp_path / "guard" / "armed.json", "prod", SystemClock()).arm(600.0, "ann", "x")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.db").write_text("this is no database" * 100)
    ended = await run(*words(config, "disarm", "prod"))
    assert (ended.code, armed(tmp_path)) == (1, None)
    assert "it is disarmed, but this is not in the journal" in ended.err
    ended = await run(*words(config, "arm", "prod", "--for", "8h", "--reason", "x", "--yes"))
    assert (ended.code, armed(tmp_path)) == (1, None)


STATUS = GuardStatus(
    context="prod",
    host=safe("db-1"),
    pid=os.getpid(),
    at=0.0,
    started=0.0,
    interval=10.0,
    rules=(
        RuleStatus(
            rule="errors", system="shop", title=safe("Errors"), phase=RulePhase.PENDING, since=1.0, value=7.5
        ),
    ),
    armed=Armed(until=9e9, at=1.0, by=safe("ann")),
    last=safe("rolled-back new_pricing"),
    last_at=1.0,
)


def written(tmp_path: Path, **fields: object) -> None:
    status = msgspec.structs.replace(STATUS, **{"at": time.time(), **fields})
    (tmp_path / "guard").mkdir(exist_ok=True)
    (tmp_path / "guard" / status_name("db-1", os.getpid())).write_bytes(encode_status(status))


async def test_status_of_a_guard_that_does_its_work(run: Run, config: Path, tmp_path: Path) -> None:
    written(tmp_path)
    ended = await run(*words(config, "status", "prod"))
    assert ended.code == 0, ended.out
    for said in ("OK  armed by ann", "shop/errors", "pending", "7.5", "last: rolled-back new_pricing"):
        assert said in ended.out
    ended = await run(*words(config, "status", "prod", "--json"))
    shown = json.loads(ended.out)
    assert (shown["verdict"], shown["running"], shown["where"]) == ("OK", True, "on this machine")
    assert shown["status"]["rules"][0]["phase"] == "pending"


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"armed": None, "expect_armed": True}, 1, "WARNING  it is not armed"),
        ({"stopped": True}, 3, "CRITICAL  it was stopped"),
        ({"at": 1.0}, 3, "CRITICAL  it has stopped"),
        ({"blind_since": 1.0}, 3, "UNKNOWN  it is blind"),
    ],
)
async def test_status_of_one_that_does_not(
    run: Run, config: Path, tmp_path: Path, fields: dict[str, object], code: int, said: str
) -> None:
    written(tmp_path, **fields)
    ended = await run(*words(config, "status", "prod"))
    assert ended.code == code, ended.out
    assert said in ended.out


@pytest.mark.parametrize(
    ("fields", "level", "checked"),
    [
        ({}, "OK", 0),
        ({"armed": None, "expect_armed": True}, "WARNING", 1),
        ({"stopped": True}, "CRITICAL", 2),
        ({"blind_since": 1.0}, "UNKNOWN", 3),
    ],
)
async def test_status_and_check_say_the_same(
    run: Run, config: Path, tmp_path: Path, fields: dict[str, object], level: str, checked: int
) -> None:
    written(tmp_path, **fields)
    told = await run(*words(config, "status", "prod", "--json"))
    assert json.loads(told.out)["verdict"] == level
    ended = await run("check", "--config", str(config), "--context", "prod", "--only", "flags.guard")
    assert ended.out.startswith(f"{level} "), ended.out
    assert ended.code == checked
    assert json.loads(told.out)["reason"] in ended.out


async def test_status_fits_80_columns_with_its_reasons_below_the_rules(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    why = "3 suspects changed before the onset (new_parser, new_checkout_with_a_long_name, dark_mode): a person is asked"
    (rule,) = STATUS.rules
    long = msgspec.structs.replace(rule, rule="p95_latency_of_every_route", reason=safe(why))
    written(tmp_path, rules=(rule, long))
    ended = await run(*words(config, "status", "prod"))
    table = ended.out.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80, ended.out
    assert [line.split()[0] for line in table[:3]] == ["rule", "shop/errors", "shop/p95_latency_of_every_route"]
    assert " ".join(line.strip() for line in table[3:]) == why
    assert len({line.index(word) for line, word in zip(table, ("title", "Errors", "Errors"), strict=False)}) == 1


async def test_status_where_nothing_is_known_still_says_what_is_here(
    run: Run, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "stop").write_text("not tonight")
    ended = await run(*words(config, "status", "prod"))
    assert ended.code == 3
    for said in (
        "UNKNOWN  not known whether a guard runs elsewhere",
        "connection refused",
        "not armed",
        "pulled: not tonight",
    ):
        assert said in ended.out
    ended = await run(*words(config, "status", "no-prometheus"))
    assert ended.code == 3
    assert "no guard of this context was seen" in ended.out


async def test_status_shows_nothing_that_acts_on_a_terminal(run: Run, config: Path, tmp_path: Path) -> None:
    bad = "x\x1b[2J\u202e"
    written(tmp_path, last=bad, problem=bad, holder=bad)
    (tmp_path / "stop").write_text(bad)
    for more in ((), ("--json",)):
        ended = await run(*words(config, "status", "prod", *more))
        assert not [c for c in acting(ended.out + ended.err) if c != "0x000a"]


async def test_rules_and_unit_are_printed(run: Run) -> None:
    rules, unit = await run("guard", "rules"), await run("guard", "unit")
    assert "alert: OpsconsoleGuardStopped" in rules.out
    assert "ExecStart=/usr/bin/env opsconsole guard run" in unit.out
    assert (rules.code, unit.code, rules.err, unit.err) == (0, 0, "", "")
