"""`opsconsole silence edit, extend, recreate, expire in bulk, import and --template`, held against amtool."""

# ruff: noqa: F811  fixtures are imported

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opsconsole.model.journal import Phase
from tests.live.test_silence_command import (  # noqa: F401 - fixtures among them
    Run,
    _bare_environment,
    amtool,
    fire,
    journalled,
    known,
    matchers_in,
    other,
    run,
    states,
    typing,
)
from tests.support.pty_terminal import PtyTerminal
from tests.support.servers import Alertmanager, require, wait_for

pytestmark = pytest.mark.live


def one(server: Alertmanager, id: str) -> dict[str, Any]:
    """A silence in any state, as amtool's JSON has it."""
    every = known(server) + known(server, "--expired")
    return next(silence for silence in every if silence["id"] == id)


def ends(silence: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(silence["endsAt"])


def added(run: Run, *words: str) -> str:
    ended = run("silence", "add", *words, "--yes")
    assert ended.code == 0, ended.err
    return ended.ids[0]


def test_edit_keeps_or_adopts_the_id(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    made = added(run, "LifeEdit", "-c", "first")
    before = one(alertmanager, made)
    ended = run("silence", "edit", made, "-c", "second", "-d", "3h", "--yes")
    assert (ended.code, ended.ids) == (0, [made]), ended.err
    assert "comment: first" in ended.err
    now = one(alertmanager, made)
    assert now["comment"].startswith("second [op=")
    assert ends(now) - ends(before) > timedelta(hours=1, minutes=59)
    ended = run("silence", "edit", made, "LifeEdit", "env=~dev|qa", "--yes")
    assert ended.code == 0, ended.err
    (new,) = ended.ids
    assert new != made
    assert f"the old one, {made}, is expired" in ended.err
    assert one(alertmanager, made)["status"]["state"] == "expired"
    assert ("env", "dev|qa", True, True) in matchers_in(one(alertmanager, new))
    assert one(alertmanager, new)["comment"] == now["comment"]
    done = [e.action for e in journalled(tmp_path) if e.phase is Phase.OUTCOME]
    assert done == ["edit", "edit", "silence"]


def test_extend_counts_from_the_end(run: Run, alertmanager: Alertmanager) -> None:
    made = added(run, "LifeExtend", "-c", "x")
    before = one(alertmanager, made)
    ended = run("silence", "extend", made, "90m", "--yes")
    assert (ended.code, ended.ids) == (0, [made]), ended.err
    assert ends(one(alertmanager, made)) - ends(before) == timedelta(minutes=90)


def test_recreate_makes_a_new_one_of_an_expired_one(run: Run, alertmanager: Alertmanager) -> None:
    made = added(run, "LifeAgain", "env!=dev", "-c", "why", "-d", "30m")
    refused = run("silence", "recreate", made, "--yes")
    assert (refused.code, "has not expired" in refused.err) == (1, True)
    assert run("silence", "expire", made, "--yes").code == 0
    for words, minutes in ((["-d", "45m"], 45), ([], None)):
        ended = run("silence", "recreate", made, *words, "--yes")
        assert ended.code == 0, ended.err
        (new,) = ended.ids
        back = one(alertmanager, new)
        assert new != made
        assert back["comment"].startswith("why [op=")
        assert matchers_in(back) == matchers_in(one(alertmanager, made))
        if minutes:
            assert abs(ends(back) - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(minutes=1)
    for command in ("edit", "extend"):
        refused = run("silence", command, made, *(["1h"] if command == "extend" else ["-c", "x"]), "--yes")
        assert (refused.code, f"silence recreate {made}" in refused.err) == (1, True)


def test_bulk_expiry_lists_what_comes_back(run: Run, alertmanager: Alertmanager) -> None:
    fire(
        alertmanager,
        {"alertname": "LifeBulk", "severity": "critical", "bulk": "yes"},
        {"alertname": "LifeBulk2", "severity": "warning", "bulk": "yes"},
    )
    mine = added(run, "bulk=yes", "-c", "one", "--hides=2")
    also = added(run, "LifeBulk", "bulk=yes", "-c", "two", "--hides=1")
    theirs = added(run, "bulk=yes", "n=1", "-c", "three", "-a", "carol")
    wait_for(lambda: states(alertmanager, "LifeBulk") == ["suppressed"], 10, "a silenced alert")
    ended = run("silence", "expire", "--matcher", "bulk=yes", "--mine")
    assert ended.code == 2, "without a terminal it needs --yes"
    assert mine in ended.err
    assert also in ended.err
    assert theirs not in ended.err
    assert "comes back: 2 alerts: 1 critical, 1 warning" in ended.err
    assert run("silence", "expire", "--matcher", "bulk=yes", "--mine", "--yes").code == 0
    assert [s["id"] for s in known(alertmanager, "bulk=yes")] == [theirs]
    assert run("silence", "expire", "--creator", "carol", "--yes").code == 0
    assert known(alertmanager, "bulk=yes") == []
    nothing = run("silence", "expire", "--matcher", "bulk=yes", "--yes")
    assert (nothing.code, "nothing was done" in nothing.err) == (1, True)
    for words in (["--yes"], [mine, "--mine"], ["--mine", "--creator", "bob"]):
        assert run("silence", "expire", *words).code == 2, words


def test_list_has_the_filters_of_amtool(run: Run, alertmanager: Alertmanager) -> None:
    soon = added(run, "LifeList", "-c", "x", "-d", "20m")
    late = added(run, "LifeList", "p=q", "-c", "x", "-d", "5h", "-a", "dora")
    gone = added(run, "LifeList", "-c", "x")
    run("silence", "expire", gone, "--yes")
    for words in (
        [],
        ["--within", "1h"],
        ["--created-by", "dora"],
        ["--expired"],
        ["--expired", "--within", "1h"],
        ["--within", "10h", "--created-by", "dora"],
    ):
        ours = run("silence", "list", "LifeList", "-q", *words)
        theirs = amtool(alertmanager, "silence", "query", "-q", "LifeList", *words)
        assert sorted(ours.ids) == sorted(theirs.split()), words
    assert run("silence", "query", "LifeList", "-q").ids == [soon, late]
    assert "19m" in run("silence", "list", "LifeList", "--within", "1h").out


def test_start_and_end_as_amtool_has_them(run: Run, alertmanager: Alertmanager) -> None:
    start = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    end = start + timedelta(hours=1)
    made = added(run, "LifeStart", "-c", "x", "--start", start.isoformat(), "--end", end.isoformat())
    theirs = amtool(
        alertmanager,
        "silence",
        "add",
        "LifeStart",
        "-c",
        "x",
        f"--start={start.isoformat()}",
        f"--end={end.isoformat()}",
    ).strip()
    for field in ("startsAt", "endsAt", "status"):
        assert one(alertmanager, made)[field] == one(alertmanager, theirs)[field]
    assert one(alertmanager, made)["status"]["state"] == "pending"
    wrong = run("silence", "add", "X", "-c", "x", "--start", end.isoformat(), "--end", start.isoformat(), "--yes")
    assert (wrong.code, "would end before it starts" in wrong.err) == (2, True)


def test_a_template_with_its_gaps_filled(run: Run, alertmanager: Alertmanager) -> None:
    book = "--playbook=accubooks"
    listed = run("silence", "templates", book)
    assert (listed.code, "slow-route" in listed.out, "route, ticket" in listed.out) == (0, True, True)
    words = ["silence", "add", "--template", "slow-route", book, "--yes"]
    missing = run(*words, "--set", "route=/api")
    assert (missing.code, "needs ticket" in missing.err) == (2, True)
    unknown = run(*words, "--set", "rout=/api")
    assert (unknown.code, "its gaps: route, ticket" in unknown.err) == (2, True)
    assert run("silence", "add", "--template", "nope", book, "--yes").code == 2
    ended = run(*words, "--set", 'route=/a"b', "--set", "ticket=OPS-1", "env=dev")
    assert ended.code == 0, ended.err
    made = one(alertmanager, ended.ids[0])
    assert matchers_in(made) == [
        ("alertname", "HighLatency", False, True),
        ("env", "dev", False, True),
        ("job", "accubooks", False, True),
        ("route", '/a"b', False, True),
    ]
    assert made["comment"].startswith("known to be slow, OPS-1 [op=")
    assert timedelta(hours=3, minutes=59) < ends(made) - datetime.now(UTC) < timedelta(hours=4, minutes=1)


def test_import_reads_standard_input_and_can_be_forced(run: Run, alertmanager: Alertmanager, other: Any) -> None:
    made = added(run, "LifeImport", 'note="x\\"y"', "-c", "x")
    printed = amtool(alertmanager, "-o", "json", "silence", "query", "LifeImport")
    at = f"--alertmanager={other.url}"
    assert run("silence", "import", at, stdin=printed).code == 0
    assert run("silence", "import", at, stdin=printed).ids == []
    (again,) = run("silence", "import", "--force", at, stdin=printed).ids
    assert len(known(other, "LifeImport")) == 2
    back = run("silence", "export", again, at)
    assert matchers_in(json.loads(back.out)[0]) == matchers_in(one(alertmanager, made))
    amtool_import(alertmanager, back.out)
    assert len(known(alertmanager, "LifeImport")) == 2


def amtool_import(server: Alertmanager, text: str) -> None:
    command = [require("amtool"), f"--alertmanager.url={server.url}", "silence", "import", "--force"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def test_every_shown_command_does_what_it_says(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    def shown(*words: str) -> list[str]:
        ended = run("silence", *words, "--show-command", "--read-only")
        assert ended.code == 0, ended.err
        return ended.out.splitlines()

    def sh(line: str) -> str:
        done = subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True, cwd=tmp_path)
        return done.stdout

    hard = 'it\'s "so"'
    made = added(run, "LifeShow", "-c", "x")
    amtool_line, curl_line = shown("edit", made, "-c", hard, "-d", "3h")
    sh(amtool_line)
    assert one(alertmanager, made)["comment"].startswith(hard)
    sh(shown("edit", made, "-c", "again")[1])
    assert one(alertmanager, made)["comment"].startswith("again [op=")
    assert curl_line.startswith("curl ")
    before = ends(one(alertmanager, made))
    for line in shown("extend", made, "1h"):
        sh(line)
    assert abs(ends(one(alertmanager, made)) - before - timedelta(hours=1)) < timedelta(seconds=1)
    expire, add, curl = shown("edit", made, "LifeShow2")
    assert (expire.split()[3], add.split()[3], curl.split()[0]) == ("expire", "add", "curl")
    new = json.loads(sh(curl))["silenceID"]
    assert one(alertmanager, made)["status"]["state"] == "expired"
    assert matchers_in(one(alertmanager, new)) == [("alertname", "LifeShow2", False, True)]
    sh(shown("recreate", made)[0])
    assert len(known(alertmanager, "LifeShow")) == 1
    assert known(alertmanager, "LifeShow2")[0]["id"] in sh(shown("list", "LifeShow2", "--within", "9h")[0])
    only = json.loads(sh(shown("list", "LifeShow2")[1]))
    assert {tuple(matchers_in(silence)) for silence in only} == {(("alertname", "LifeShow2", False, True),)}
    json.loads(sh(shown("export")[0]))
    sh(shown("expire", "--matcher", "alertname=LifeShow2")[0])
    assert known(alertmanager, "LifeShow2") == []


def test_a_person_is_told_of_a_conflict(
    typing: Callable[..., PtyTerminal], run: Run, alertmanager: Alertmanager
) -> None:
    made = added(run, "LifeConflict", "-c", "first")
    with typing("silence", "edit", made, "-c", "mine") as terminal:
        terminal.wait_for_text("comment: first", "Type yes")
        amtool(alertmanager, "silence", "update", "-c", "by amtool", made)
        terminal.send("yes\n")
        terminal.wait_for_text("was changed since", "by amtool", "nothing was written")
        assert terminal.wait_for_exit() == 1
    assert one(alertmanager, made)["comment"] == "by amtool"
