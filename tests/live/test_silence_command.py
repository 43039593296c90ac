"""`opsconsole silence` and `ack` against a real Alertmanager, held against amtool."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opsconsole.cli.main import main
from opsconsole.clock import SystemClock
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Entry, Phase, Result
from tests.support.pty_terminal import PtyTerminal
from tests.support.servers import Alertmanager, http, require, wait_for

pytestmark = pytest.mark.live

NO_PROMETHEUS = "last 7 days: not known: this context has no Prometheus\n"
HOSTILE = "a \"b\" \\ $(touch x) 'q' {}=~,\n\u202e é"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        return self.out.split()


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PROMETHEUS_URL", "ALERTMANAGER_URL", "OPSCONSOLE_CONFIG", "XDG_CONFIG_HOME", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPSCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("getpass.getuser", lambda: "me")


@pytest.fixture
def run(alertmanager: Alertmanager, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line without a terminal, against the shared server unless it names another."""

    def run_it(*argv: str, stdin: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        named = any(word.startswith(("--alertmanager", "--config")) for word in argv)
        code = main([*argv, *(() if named else (f"--alertmanager={alertmanager.url}",))])
        printed = capsys.readouterr()
        return Ended(int(code), printed.out, printed.err)

    return run_it


@pytest.fixture
def other(alertmanager: Alertmanager, tmp_path: Path) -> Any:
    """An Alertmanager of the test's own."""
    with Alertmanager(tmp_path / "other") as server:
        yield server


def amtool(server: Alertmanager, *args: str) -> str:
    return subprocess.check_output([require("amtool"), f"--alertmanager.url={server.url}", *args], text=True)


def known(server: Alertmanager, *filters: str) -> list[dict[str, Any]]:
    """The silences as amtool's JSON has them."""
    found: list[dict[str, Any]] = json.loads(amtool(server, "-o", "json", "silence", "query", *filters))
    return found


def fire(server: Alertmanager, *labels: dict[str, str]) -> None:
    server.post_alerts([{"labels": one} for one in labels])


def states(server: Alertmanager, name: str) -> list[str]:
    found = json.loads(http("GET", f"{server.url}/api/v2/alerts?filter=alertname%3D{name}"))
    return sorted(alert["status"]["state"] for alert in found)


def journalled(tmp_path: Path) -> list[Entry]:
    journal = Journal(tmp_path / "state" / "journal.db", SystemClock())
    try:
        assert journal.open_intents() == ()
        assert journal.verify() == []
        return list(journal.entries())
    finally:
        journal.close()


def matchers_in(silence: dict[str, Any]) -> list[tuple[str, str, bool, bool]]:
    return sorted((m["name"], m["value"], m["isRegex"], m["isEqual"]) for m in silence["matchers"])


def test_add_shows_what_it_hides_and_is_journalled(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    fire(
        alertmanager,
        {"alertname": "CmdAdd", "severity": "critical", "route": "/api"},
        {"alertname": "CmdAdd", "severity": "warning", "route": "/b"},
        {"alertname": "CmdAdd", "severity": "warning", "route": "/c"},
    )
    ended = run("silence", "add", "CmdAdd", "--comment", "deploy 1.4", "--duration", "30m", "--yes", "--hides=3")
    assert ended.code == 0, ended.err
    assert "hides now: 3 alerts: 1 critical, 2 warning" in ended.err
    assert "critical: CmdAdd  route=/api" in ended.err
    assert "route=/b" not in ended.err
    (made,) = known(alertmanager, "alertname=CmdAdd")
    assert ended.ids == [made["id"]]
    assert (made["createdBy"], made["status"]["state"]) == ("me", "active")
    assert re.fullmatch(r"deploy 1\.4 \[op=\w+\]", made["comment"])
    wait_for(lambda: states(alertmanager, "CmdAdd") == ["suppressed"] * 3, 10, "three silenced alerts")
    outcome, intent = journalled(tmp_path)
    assert (intent.phase, intent.action, outcome.result) == (Phase.INTENT, "silence", Result.DONE)
    assert (outcome.user, outcome.detail["silence_id"]) == ("me", made["id"])
    assert outcome.detail["undo"] == {"kind": "expire", "cluster": "main", "op": outcome.op}


def test_an_author_signs_and_the_journal_says_who_it_was(
    run: Run, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    ended = run("silence", "add", "CmdAuthor", "-c", "x", "--author", "alice", "--yes")
    assert ended.code == 0, ended.err
    assert [s["createdBy"] for s in known(alertmanager, "CmdAuthor")] == ["alice"]
    assert {entry.user for entry in journalled(tmp_path)} == {"me"}


def test_list_agrees_with_amtool(run: Run, alertmanager: Alertmanager) -> None:
    first = run("silence", "add", "CmdList", 'note="x y"', "-c", "one", "--yes").ids[0]
    second = run("silence", "add", "CmdList", "p!~z.*", "-c", "two", "-a", "bob", "-d", "2h", "--yes").ids[0]
    gone = run("silence", "add", "CmdList", "-c", "three", "--yes").ids[0]
    assert run("silence", "expire", gone, "--yes").code == 0

    def listed(*words: str) -> list[str]:
        ended = run("silence", "list", "--json", *words)
        assert ended.code == 0, ended.err
        return [silence["id"] for silence in json.loads(ended.out)]

    assert listed("CmdList") == [first, second]
    for words in (["CmdList"], ["CmdList", "note=x y"], ["p!~z.*"], ["CmdList", "p=~z.*"], ["alertname=~CmdList"]):
        assert sorted(listed(*words)) == sorted(s["id"] for s in known(alertmanager, *words)), words
    assert listed("CmdList", "--creator", "bob") == [second]
    assert listed("CmdList", "--mine") == [first]
    assert listed("CmdList", "--state", "expired") == [gone]
    assert set(listed("CmdList", "--state", "all")) == {first, second, gone}
    table = run("silence", "list", "CmdList").out.splitlines()
    assert table[0].split() == ["id", "state", "matchers", "ends", "in", "ends", "by", "comment"]
    assert [line.split()[0] for line in table[1:]] == [first, second]
    assert run("silence", "list", "--state", "gone").code == 2


def test_expire(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    fire(alertmanager, {"alertname": "CmdExpire", "severity": "critical"})
    made = run("silence", "add", "CmdExpire", "-c", "x", "--yes", "--hides=1").ids[0]
    also = run("silence", "add", "CmdExpire", "nothing=here", "-c", "x", "--yes").ids[0]
    wait_for(lambda: states(alertmanager, "CmdExpire") == ["suppressed"], 10, "silenced alert")
    unknown = "00000000-0000-4000-8000-000000000000"
    for words, code, why in (
        ([made, unknown, "--yes"], 1, f"there is no silence {unknown}"),
        ([made], 2, "use --yes"),
        ([made, "--yes", "--read-only"], 1, "read-only"),
    ):
        refused = run("silence", "expire", *words)
        assert (refused.code, why in refused.err) == (code, True), refused
    assert len(known(alertmanager, "CmdExpire")) == 2
    ended = run("silence", "expire", made, also, "--yes")
    assert ended.code == 0, ended.err
    assert "comes back: 1 alert: 1 critical" in ended.err
    assert known(alertmanager, "CmdExpire") == []
    wait_for(lambda: states(alertmanager, "CmdExpire") == ["active"], 10, "active alert")
    again = run("silence", "expire", made, "--yes")
    assert (again.code, "has ended already" in again.err) == (0, True)
    done = [e for e in journalled(tmp_path) if e.action == "expire" and e.phase is Phase.OUTCOME]
    assert [e.result for e in done] == [Result.DONE] * 2
    assert all(e.detail["undo"]["kind"] == "create" for e in done)  # type: ignore[index]


def test_export_goes_into_another_alertmanager_by_amtool(run: Run, alertmanager: Alertmanager, other: Any) -> None:
    words = ["CmdExport", f"note={json.dumps(HOSTILE, ensure_ascii=False)}", "env!=dev"]
    made = run("silence", "add", *words, "-c", "as it was", "-a", "alice", "--yes")
    assert made.code == 0, made.err
    exported = run("silence", "export", *made.ids)
    assert exported.code == 0, exported.err
    (ours,), (theirs,) = json.loads(exported.out), known(alertmanager, "CmdExport")
    assert ours.keys() == theirs.keys()
    assert {k: ours[k] for k in ("id", "comment", "createdBy", "status")} == {
        k: theirs[k] for k in ("id", "comment", "createdBy", "status")
    }
    assert matchers_in(ours) == matchers_in(theirs)
    file = other.directory / "exported.json"
    file.write_text(exported.out)
    amtool(other, "silence", "import", "--force", str(file))
    (there,) = known(other)
    assert matchers_in(there) == matchers_in(theirs)
    assert (there["createdBy"], there["comment"]) == ("alice", theirs["comment"])
    everything = json.loads(run("silence", "export", f"--alertmanager={other.url}").out)
    assert [s["id"] for s in everything] == [there["id"]]
    assert run("silence", "export", "00000000-0000-4000-8000-000000000000").code == 1


def test_import_of_what_amtool_printed(run: Run, alertmanager: Alertmanager, other: Any, tmp_path: Path) -> None:
    for name, author in (("CmdImportA", "alice"), ("CmdImportB", "bob")):
        amtool(
            alertmanager, "silence", "add", name, "note=~x.*y", f"--author={author}", "--comment=why", "-d", "2h"
        )
    printed = amtool(alertmanager, "-o", "json", "silence", "query", "note=~x.*y")
    at = f"--alertmanager={other.url}"
    ended = run("silence", "import", "-", at, stdin=printed)
    assert ended.code == 0, ended.err
    assert "imported 2 of 2, skipped 0" in ended.err
    there = {s["createdBy"]: s for s in known(other)}
    assert sorted(ended.ids) == sorted(s["id"] for s in there.values())
    for theirs in json.loads(printed):
        ours = there[theirs["createdBy"]]
        assert ours["id"] != theirs["id"]
        assert matchers_in(ours) == matchers_in(theirs)
        assert ours["endsAt"] == theirs["endsAt"]
        assert ours["comment"].startswith("why [op=")
    file = tmp_path / "printed.json"
    file.write_text(printed)
    again = run("silence", "import", str(file), at)
    assert (again.code, again.out, "imported 0 of 2, skipped 2" in again.err) == (0, "", True), again
    assert len(known(other)) == 2
    own = run("silence", "export", at)
    back = run("silence", "import", "-", at, stdin=own.out)
    assert (back.code, "imported 0 of 2, skipped 2" in back.err) == (0, True)
    assert {e.user for e in journalled(tmp_path)} == {"me"}


def test_an_import_that_fails_in_part_says_so(run: Run, other: Any) -> None:
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    rest = {**times, "createdBy": "a", "comment": "c"}
    good = {"matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}], **rest}
    wide = {"matchers": [{"name": "a", "value": ".*", "isRegex": True, "isEqual": True}], **rest}
    past = {**good, "endsAt": "2026-01-02T00:00:00Z"}
    at = f"--alertmanager={other.url}"
    ended = run("silence", "import", "-", at, "--yes", "--hides=0", stdin=json.dumps([wide, good, past]))
    assert ended.code == 1
    assert "match every alert" in ended.err
    assert "skipped, it ended" in ended.err
    assert "imported 1 of 3, skipped 1" in ended.err
    assert [matchers_in(s) for s in known(other)] == [[("a", "b", False, True)]]
    for text, why in (
        ("{", "not amtool's JSON"),
        ('[{"id": "x"}]', "not amtool's JSON"),
        (json.dumps([{**good, "endsAt": "2099-01-01T00:00:00"}]), "without a zone"),
    ):
        refused = run("silence", "import", "-", at, stdin=text)
        assert (refused.code, why in refused.err) == (2, True), refused
    assert run("silence", "import", "/nowhere/silences.json", at).code == 2


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["alertname=~.*", "--yes"], 2, "match every alert"),
        (["alertname=~.+", "--yes"], 2, "match every alert"),
        (["env!=prod", "--yes"], 2, "match every alert"),
        (["CmdNone", "--yes", "--duration=0"], 2, "longer than nothing"),
        (["CmdNone", "--yes", "--duration=soon"], 2, "not a duration"),
        (["CmdNone", "--yes", "--comment= "], 2, "comment is empty"),
        (["CmdNone", "a=~[", "--yes"], 2, "regular expression"),
        (["a=b,c=d", "--yes"], 2, "comma"),
        (["CmdNone", "", "--yes"], 2, "empty"),
        (["CmdNone", "--yes", "--cluster=other"], 2, "no Alertmanager cluster other"),
        (["CmdNone", "--yes", "--read-only"], 1, "read-only"),
        (["CmdNone", "--yes", "--alertmanager=http://127.0.0.1:9"], 1, "connection refused"),
        (["CmdNone"], 1, "hide no alert now"),
        (["CmdRefused"], 2, "use --yes"),
    ],
)
def test_add_refuses(
    run: Run, alertmanager: Alertmanager, tmp_path: Path, words: list[str], code: int, why: str
) -> None:
    fire(alertmanager, {"alertname": "CmdRefused"})
    before = len(known(alertmanager))
    ended = run("silence", "add", "-c", "x", *words)
    assert (ended.code, why in ended.err, ended.out) == (code, True, ""), ended
    assert len(known(alertmanager)) == before
    assert not (tmp_path / "state").exists()


def test_the_command_line_must_be_whole(run: Run) -> None:
    for words in (["silence", "add", "X"], ["silence", "add", "-c", "x"], ["ack"], ["silence", "expire"]):
        assert run(*words).code == 2, words


def test_a_dry_run_and_no_match(run: Run, alertmanager: Alertmanager) -> None:
    fire(alertmanager, {"alertname": "CmdDry", "severity": "warning"})
    ended = run("silence", "add", "CmdDry", "-c", "x", "--dry-run", "--read-only")
    assert (ended.code, ended.out) == (0, "hides now: 1 alert: 1 warning\n" + NO_PROMETHEUS)
    ended = run("silence", "add", "CmdDry", "x=y", "-c", "x", "--dry-run")
    assert (ended.code, "no alert" in ended.out) == (0, True)
    assert known(alertmanager, "CmdDry") == []


def test_the_printed_commands_do_the_same(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    plain = HOSTILE.replace("\u202e", "")
    words = ["CmdShow", f"note={json.dumps(plain, ensure_ascii=False)}", "route=~/api/\\d+"]
    ended = run("silence", "add", *words, "--comment", plain, "--show-command", "--read-only")
    assert ended.code == 0, ended.err
    assert known(alertmanager, "CmdShow") == []
    assert not (tmp_path / "state").exists()
    at = ended.out.index("\ncurl ") + 1
    for command in (ended.out[:at], ended.out[at:]):
        subprocess.run(["sh", "-c", command], check=True, capture_output=True, cwd=tmp_path)
    first, second = known(alertmanager, "CmdShow")
    for field in ("comment", "createdBy", "endsAt"):
        assert first[field] == second[field]
    assert (first["comment"], first["createdBy"]) == (plain, "me")
    assert matchers_in(first) == matchers_in(second)
    assert ("note", plain, False, True) in matchers_in(first)
    assert not (tmp_path / "x").exists(), "a shell ran what was quoted"
    for silence, line in ((first, 0), (second, 1)):
        shown = run("silence", "expire", silence["id"], "--show-command").out.splitlines()
        subprocess.run(["sh", "-c", shown[line]], check=True, capture_output=True)
    assert known(alertmanager, "CmdShow") == []
    shown = run("silence", "expire", first["id"], second["id"], "--show-command").out.splitlines()
    assert shlex.split(shown[0])[-2:] == [first["id"], second["id"]]
    assert shlex.split(shown[1])[-1].endswith(first["id"])


def test_amtool_reads_each_argument_the_same_way(run: Run, alertmanager: Alertmanager) -> None:
    for text in (
        "a=b c",
        r"a=~b\.c\\d\n",
        r'a="x\"y"',
        " a = b ",
        "a==b",
        "a!~x",
        "a=x\\",
        "Disk full",
        "a=~x{2,3}",
    ):
        ours = run("silence", "add", text, "cmd=args", "-c", "x", "--yes").ids[0]
        theirs = amtool(alertmanager, "silence", "add", text, "cmd=args", "-c", "x", "-a", "x").strip()
        both = {s["id"]: s for s in known(alertmanager, "cmd=args")}
        assert matchers_in(both[ours]) == matchers_in(both[theirs]), text


def test_of_several_clusters_one_is_named(
    run: Run, alertmanager: Alertmanager, other: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    member = {"url": other.url, "authorization": {"credentials_file": str(secret)}}
    clusters = [{"name": "one", "members": [alertmanager.url]}, {"name": "two", "members": [member]}]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"contexts": {"both": {"alertmanager": clusters}}}))
    at = f"--config={config}"
    add = ["silence", "add", "CmdBoth", "-c", "x", "--yes", at]
    unnamed = run(*add)
    assert (unnamed.code, "--cluster: one, two" in unnamed.err) == (2, True), unnamed
    made = [run(*add, f"--cluster={name}").ids[0] for name in ("one", "two")]
    assert [[s["id"] for s in known(server, "CmdBoth")] for server in (alertmanager, other)] == [[i] for i in made]
    listed = json.loads(run("silence", "list", "CmdBoth", "--json", at).out)
    assert sorted((s["id"], s["cluster"]) for s in listed) == sorted(zip(made, ("one", "two"), strict=True))
    shown = run(*add, "--cluster=two", "--show-command")
    assert (other.url in shown.out, "s3cret" in shown.out, "credentials are left out" in shown.err) == (
        True,
        False,
        True,
    )
    assert run("silence", "expire", *made, "--yes", at).code == 0
    assert known(alertmanager, "CmdBoth") == known(other, "CmdBoth") == []


def test_ack_by_matchers_and_by_fingerprint(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    labels = [{"alertname": "CmdAck", "severity": s, "note": HOSTILE} for s in ("critical", "warning", "info")]
    fire(alertmanager, *labels)
    found = json.loads(run("alerts", "CmdAck", "--json").out)
    fingerprints = {alert["labels"]["severity"]: alert["fingerprint"] for alert in found}
    one = run("ack", fingerprints["critical"], "--reason", "looking into it")
    assert one.code == 0, one.err
    (made,) = known(alertmanager, "alertname=CmdAck")
    assert [made["id"]] == one.ids
    assert re.fullmatch(r"ACK! me: looking into it \[op=\w+\]", made["comment"])
    assert ("note", HOSTILE, False, True) in matchers_in(made)
    wait_for(lambda: states(alertmanager, "CmdAck").count("suppressed") == 1, 10, "an acknowledged alert")
    unasked = run("ack", "CmdAck", "--reason", "both")
    assert (unasked.code, "use --yes" in unasked.err) == (2, True)
    both = run("ack", "CmdAck", "--reason", "both", "--yes")
    assert both.code == 0, both.err
    assert "left out: 1" in both.err
    assert "one silence: Alertmanager says that it hides exactly these 2 alerts" in both.err
    assert len(both.ids) == 1
    wait_for(lambda: states(alertmanager, "CmdAck") == ["suppressed"] * 3, 10, "three acknowledged alerts")
    again = run("ack", fingerprints["critical"], "--reason", "me too")
    assert (again.code, "first by you" in again.err, again.out) == (1, True, "")
    assert {e.action for e in journalled(tmp_path)} == {"ack"}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["CmdNobody", "--reason=x"], 1, "no active alert matches"),
        (["0123456789abcdef", "--reason=x"], 1, "no alert has the fingerprint"),
        (["alertname=~.+", "--reason=x", "--yes"], 2, "match every alert"),
        (["CmdNobody", "--reason= "], 2, "reason is empty"),
        (["CmdNobody", "--reason=x", "--read-only"], 1, "read-only"),
    ],
)
def test_ack_refuses(run: Run, words: list[str], code: int, why: str) -> None:
    ended = run("ack", *words)
    assert (ended.code, why in ended.err, ended.out) == (code, True, ""), ended


@pytest.fixture
def typing(alertmanager: Alertmanager, tmp_path: Path) -> Callable[..., PtyTerminal]:
    """The command on a terminal."""

    def open_it(*words: str) -> PtyTerminal:
        argv = [sys.executable, "-m", "opsconsole", *words, f"--alertmanager={alertmanager.url}"]
        env = {"HOME": str(tmp_path), "OPSCONSOLE_STATE_DIR": os.environ["OPSCONSOLE_STATE_DIR"]}
        return PtyTerminal(argv, env=env)

    return open_it


def test_a_person_is_asked(typing: Callable[..., PtyTerminal], alertmanager: Alertmanager) -> None:
    fire(alertmanager, {"alertname": "CmdAsk", "severity": "critical"})
    words = ["silence", "add", "CmdAsk", "-c", "x"]
    with typing(*words) as terminal:
        terminal.send("yes\n1\n")  # before the question, which it must not answer
        terminal.wait_for_text("1 critical: CmdAsk.", "Type the number of alerts")
        assert known(alertmanager, "CmdAsk") == []
        terminal.send("yes\n")
        terminal.wait_for_text("Nothing was done")
        assert terminal.wait_for_exit() == 1
    with typing(*words) as terminal:
        terminal.wait_for_text("Type the number of alerts")
        fire(alertmanager, {"alertname": "CmdAsk", "severity": "warning"})
        terminal.send("1\n")
        terminal.wait_for_text("This has changed", "came: warning: CmdAsk", "2 alerts: 1 critical, 1 warning")
        assert known(alertmanager, "CmdAsk") == []
        terminal.wait_until(lambda: terminal.text.count("Type the number") == 2, "second question")
        terminal.send("2\n")
        assert terminal.wait_for_exit() == 0
    assert len(known(alertmanager, "CmdAsk")) == 1


def test_a_person_leaves_the_question(typing: Callable[..., PtyTerminal], alertmanager: Alertmanager) -> None:
    fire(alertmanager, {"alertname": "CmdLeave", "severity": "warning"})
    for key, code in (("\x03", 130), ("\x04", 1)):
        with typing("silence", "add", "CmdLeave", "-c", "x") as terminal:
            terminal.wait_for_text("Type yes")
            terminal.send(key)
            assert terminal.wait_for_exit() == code
            assert "Traceback" not in terminal.text
    assert known(alertmanager, "CmdLeave") == []
