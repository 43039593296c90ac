"""Acks on real Alertmanagers: groups, keeping them headless, and what becomes of them on a cluster."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.cli.main import main
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint
from opsconsole.journal.store import Journal
from opsconsole.model.acks import AckPolicy, age, one_silence
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Result
from opsconsole.model.matchers import Matcher
from tests.support.servers import Alertmanager, AlertmanagerClusterOf, http, wait_for

pytestmark = pytest.mark.live

HARD = ["a|b", "a", ".*", "/r.1", "/rx1", "\\", '"', "a\nb", "é", "e\u0301", "(x", "[y]", "{2}", "^z$", "\u202e",
        " s ", "'q'", "$(touch x)", "a,b=c", "😀"]  # fmt: skip


def cluster_of(*servers: Alertmanager) -> AlertmanagerCluster:
    transports = [Transport(Endpoint(url=server.url), clock=SystemClock()) for server in servers]
    return AlertmanagerCluster("main", transports)


def runner_of(cluster: AlertmanagerCluster, journal: Journal, policy: AckPolicy | None = None) -> Runner:
    return Runner(
        clusters={"main": cluster},
        flags=None,
        journal=journal,
        clock=SystemClock(),
        user="me",
        host="bastion",
        context="live",
        read_only=False,
        refresh=lambda: None,
        acks=policy or AckPolicy(),
    )


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(tmp_path / "journal.db", SystemClock())
    yield made
    assert made.open_intents() == ()
    assert made.verify() == []
    made.close()


@pytest.fixture
async def cluster(alertmanager: Alertmanager) -> AsyncIterator[AlertmanagerCluster]:
    made = cluster_of(alertmanager)
    yield made
    await made.aclose()


async def fired(cluster: AlertmanagerCluster, name: str, count: int) -> list[Alert]:
    """The alerts of a name, once there are so many."""
    found: tuple[Alert, ...] = ()
    for _ in range(600):
        found = (await cluster.alerts((Matcher("alertname", name),))).data
        if len(found) == count:
            return sorted(found, key=lambda alert: sorted(alert.labels.items()))
        await asyncio.sleep(0.05)
    pytest.fail(f"{len(found)} alerts {name}, not {count}")


def fire(server: Alertmanager, *labels: dict[str, str]) -> None:
    server.post_alerts([{"labels": one} for one in labels])


def resolve(server: Alertmanager, *labels: dict[str, str]) -> None:
    now = SystemClock().now()
    times = {"startsAt": _stamp(now - 60), "endsAt": _stamp(now - 1)}
    server.post_alerts([{"labels": one, **times} for one in labels])


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def silences(server: Alertmanager, name: str) -> list[dict[str, Any]]:
    """The active silences with this name in their matchers."""
    every = json.loads(http("GET", f"{server.url}/api/v2/silences"))
    active = (s for s in every if s["status"]["state"] == "active")
    return [
        s for s in active if {"alertname": name}.items() <= {m["name"]: m["value"] for m in s["matchers"]}.items()
    ]


async def test_one_silence_hides_exactly_a_group_of_hostile_values(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    """Every second value is acknowledged; the alternation may not hide one of the others."""
    fire(alertmanager, *({"alertname": "AcksHard", "route": value} for value in HARD))
    alerts = await fired(cluster, "AcksHard", len(HARD))
    group = [alert for alert in alerts if alert.labels["route"] in HARD[::2]]
    runner = runner_of(cluster, journal)
    plan = await runner.plan_ack(group)
    assert plan.is_one, plan.why
    assert plan.matchers == one_silence([alert.labels for alert in group])
    (outcome,) = await runner.ack_all(group, "looking")
    assert outcome.result is Result.DONE, outcome
    hidden = {a.labels["route"] for a in await fired(cluster, "AcksHard", len(HARD)) if a.status.silenced_by}
    assert hidden == set(HARD[::2])
    assert (await runner.undo()).result is Result.DONE
    assert not any(a.status.silenced_by for a in await fired(cluster, "AcksHard", len(HARD)))


async def test_a_group_that_one_silence_would_not_fit_gets_one_each_and_one_undo(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    pairs = [{"alertname": "AcksCross", "job": j, "route": r} for j, r in (("a", "1"), ("b", "2"), ("a", "2"))]
    fire(alertmanager, *pairs)
    alerts = await fired(cluster, "AcksCross", 3)
    group = [a for a in alerts if (a.labels["job"], a.labels["route"]) != ("a", "2")]
    runner = runner_of(cluster, journal)
    plan = await runner.plan_ack(group)
    assert (plan.is_one, "would also hide AcksCross" in plan.why) == (False, True)
    outcomes = await runner.ack_all(group, "x")
    assert [o.result for o in outcomes] == [Result.DONE] * 2
    assert len(silences(alertmanager, "AcksCross")) == 2
    assert (await runner.undo()).result is Result.DONE
    assert silences(alertmanager, "AcksCross") == []


async def test_extending_and_acknowledging_again_keep_the_id_and_the_start(
    alertmanager: Alertmanager, cluster: AlertmanagerCluster, journal: Journal
) -> None:
    fire(alertmanager, {"alertname": "AcksAgain"})
    (alert,) = await fired(cluster, "AcksAgain", 1)
    # Within five minutes of its end from the beginning, as after ten minutes of an ack of fifteen.
    runner = runner_of(cluster, journal, AckPolicy(duration=120))
    made = await runner.ack(alert, "looking")
    first = await cluster.silence(made.silence_id)
    assert first is not None
    later = runner_of(cluster, journal, AckPolicy(duration=900))
    (kept,) = await later.keep_acks((alert,), (msgspec.structs.replace(first, cluster="main"),))
    assert (kept.action, kept.result, kept.silence_id) == ("extend", Result.DONE, made.silence_id)
    extended = await cluster.silence(made.silence_id)
    assert extended is not None
    assert (extended.starts_at, extended.comment) == (first.starts_at, first.comment)
    assert extended.ends > first.ends + 700
    again = await later.ack_again(extended)
    assert (again.result, again.silence_id) == (Result.DONE, made.silence_id), again
    renewed = await cluster.silence(made.silence_id)
    assert renewed is not None
    assert (renewed.reason, renewed.op, renewed.status.state) == ("looking", made.op, "active")
    assert renewed.again > 0
    assert age(renewed, SystemClock().now()) < 60
    assert (await later.undo()).result is Result.DONE
    back = await cluster.silence(made.silence_id)
    assert back is not None
    assert (back.comment, back.ends_at) == (extended.comment, extended.ends_at)
    assert (await later.undo()).result is Result.DONE
    assert silences(alertmanager, "AcksAgain") == []


async def test_on_a_cluster_one_silence_needs_both_members_and_nothing_ends_by_half_an_answer(
    tmp_path: Path, journal: Journal
) -> None:
    pair = AlertmanagerClusterOf(tmp_path / "pair", 2)
    pair.start()
    try:
        cluster = cluster_of(*pair.members)
        runner = runner_of(cluster, journal)
        labels = [{"alertname": "AcksPair", "route": r} for r in ("1", "2")]
        for member in pair.members:
            fire(member, *labels)
        alerts = await fired(cluster, "AcksPair", 2)
        (outcome,) = await runner.ack_all(alerts, "x")
        assert outcome.result is Result.DONE, outcome
        ack = await cluster.silence(outcome.silence_id)
        assert ack is not None
        ack = msgspec.structs.replace(ack, cluster="main")
        for member in pair.members:
            resolve(member, labels[0])
        assert await runner.keep_acks(await fired(cluster, "AcksPair", 1), (ack,)) == ()
        pair.members[1].stop()
        resolve(pair.members[0], labels[1])
        await fired(cluster, "AcksPair", 0)
        assert await runner.keep_acks((), (ack,)) == (), "a member that is down may know of an alert"
        fire(pair.members[0], *({"alertname": "AcksDown", "route": r} for r in ("1", "2")))
        plan = await runner.plan_ack(await fired(cluster, "AcksDown", 2))
        assert (plan.is_one, "did not answer" in plan.why) == (False, True)
        pair.members[1].start()
        assert await runner.keep_acks((), (ack,)) == (), "one that has just been started may not have been told"
        (outcome,) = await runner.ack_all(await fired(cluster, "AcksDown", 2), "x")
        assert outcome.result is Result.DONE, outcome
        young = await cluster.silence(outcome.silence_id)
        assert young is not None
        resolve(pair.members[0], *({"alertname": "AcksDown", "route": r} for r in ("1", "2")))
        await fired(cluster, "AcksDown", 0)
        (ended,) = await runner.keep_acks((), (msgspec.structs.replace(young, cluster="main"),))
        assert (ended.action, ended.result) == ("expire", Result.DONE), ended
        await cluster.aclose()
    finally:
        pair.stop()


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        return self.out.split()


Run = Callable[..., Ended]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment without settings; what a child process needs of it."""
    for name in ("PROMETHEUS_URL", "ALERTMANAGER_URL", "OPSCONSOLE_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    own = {"HOME": str(tmp_path / "home"), "OPSCONSOLE_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "300"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "author.yaml"
    config.write_text("contexts:\n  c:\n    author: me\n    alertmanager: [{members: [http://127.0.0.1:9]}]\n")
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    return own


@pytest.fixture
def run(
    alertmanager: Alertmanager,
    bare: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command line without a terminal, against the shared server unless it names another."""

    def run_it(*argv: str) -> Ended:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        capsys.readouterr()
        named = any(word.startswith(("--alertmanager", "--config")) for word in argv)
        code = main([*argv, *(() if named else (f"--alertmanager={alertmanager.url}",))])
        printed = capsys.readouterr()
        return Ended(int(code), printed.out, printed.err)

    return run_it


def test_the_command_acknowledges_a_group_by_one_silence(run: Run, alertmanager: Alertmanager) -> None:
    fire(alertmanager, *({"alertname": "AcksCmd", "route": r} for r in ("/a.b", "/c")))
    done = run("ack", "AcksCmd", "--yes")
    assert done.code == 0, done.err
    assert "route=/a.b" in done.err
    assert "one silence: Alertmanager says that it hides exactly these 2 alerts" in done.err
    (made,) = silences(alertmanager, "AcksCmd")
    assert done.ids == [made["id"]]
    assert made["comment"].startswith("ACK! me: looking [op=")
    listed = [one for one in json.loads(run("acks", "list", "--json").out) if one["id"] == made["id"]]
    assert [(one["by"], one["mine"], one["mark"], len(one["alerts"])) for one in listed] == [("me", True, "", 2)]
    assert made["id"] in run("acks", "list", "--mine").out
    assert made["id"] not in run("acks", "list", "--stale").out
    again = run("acks", "again", made["id"])
    assert (again.code, "acknowledged again" in again.err) == (0, True), again


def test_a_prefix_of_a_fingerprint_is_enough_when_it_is_the_only_one(run: Run, alertmanager: Alertmanager) -> None:
    fire(alertmanager, {"alertname": "AcksPrefix"})
    (alert,) = json.loads(run("alerts", "AcksPrefix", "--json").out)
    done = run("ack", alert["fingerprint"][:9], "-r", "x")
    assert done.code == 0, done.err
    assert [s["id"] for s in silences(alertmanager, "AcksPrefix")] == done.ids
    none = run("ack", "abcdef01")
    assert (none.code, none.out) == (1, "")
    assert "begins with abcdef01" in none.err
    assert "alertname=abcdef01" in none.err


def test_the_printed_commands_acknowledge_as_well(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:
    fire(alertmanager, *({"alertname": "AcksShow", "route": r} for r in ("a'b", "c|d")))
    shown = run("ack", "AcksShow", "--show-command", "-r", "it's mine")
    assert shown.code == 0, shown.err
    assert silences(alertmanager, "AcksShow") == []
    amtool, curl = shown.out.splitlines()
    for line, program in ((amtool, "amtool"), (curl, "curl")):
        assert shlex.split(line)[0] == program
        subprocess.run(["sh", "-c", line], check=True, capture_output=True)
        (made,) = silences(alertmanager, "AcksShow")
        assert made["comment"] == "ACK! me: it's mine"
        assert {m["name"]: m["value"] for m in made["matchers"]}["route"] == r"a'b|c\|d"
        http("DELETE", f"{alertmanager.url}/api/v2/silence/{made['id']}")
    assert not (tmp_path / "state" / "journal.db").exists()


def test_an_ack_of_karma_is_listed_with_its_owner(run: Run, alertmanager: Alertmanager) -> None:
    now = SystemClock().now()
    comment = "ACK! This alert was acknowledged using karma on Sat, 28 Nov 2026 20:00:00 GMT"
    matchers = [{"name": "alertname", "value": "(AcksKarma|Other)", "isRegex": True, "isEqual": True}]
    times = {"startsAt": _stamp(now), "endsAt": _stamp(now + 900)}
    body = {"matchers": matchers, "createdBy": "alice", "comment": comment, **times}
    id = json.loads(http("POST", f"{alertmanager.url}/api/v2/silences", body))["silenceID"]
    (found,) = [one for one in json.loads(run("acks", "list", "--json").out) if one["id"] == id]
    assert (found["by"], found["mine"], found["extended_by"]) == ("alice", False, "")


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """An Alertmanager of the test's own."""
    with Alertmanager(tmp_path / "other") as server:
        yield server


class Keeping:
    """`acks keep` as a process of its own."""

    def __init__(self, server: Alertmanager, bare: dict[str, str], *words: str, duration: str = "15m") -> None:
        folder = Path(bare["HOME"])
        folder.mkdir(exist_ok=True)
        config = folder / f"config-{duration}.yaml"
        config.write_text(
            f"contexts:\n  c:\n    author: me\n    alertmanager: [{{members: ['{server.url}']}}]\n"
            f"    acks: {{duration: {duration}}}\n"
        )
        argv = [sys.executable, "-m", "opsconsole", "acks", "keep", f"--config={config}", *words]
        self.log = folder / "kept.log"
        with self.log.open("wb") as log:
            env = {**os.environ, **bare}
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until(self, text: str) -> None:
        wait_for(lambda: text in self.said or self.process.poll() is not None, 30, f"{text!r} in:\n{self.said}")
        assert text in self.said, self.said

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def test_keep_extends_ends_survives_an_absence_and_stops_cleanly(
    run: Run, other: Alertmanager, bare: dict[str, str], tmp_path: Path
) -> None:
    fire(other, {"alertname": "AcksKeep"})
    short = tmp_path / "short.yaml"
    short.write_text(
        f"contexts:\n  c:\n    author: me\n    alertmanager: [{{members: ['{other.url}']}}]\n"
        "    acks: {duration: 2m}\n"
    )
    (id,) = run("ack", "AcksKeep", f"--config={short}").ids
    ends = json.loads(http("GET", f"{other.url}/api/v2/silence/{id}"))["endsAt"]
    keeping = Keeping(other, bare, "--interval=1s")
    try:
        keeping.until("its alert still fires")
        assert "keeping the acks of me" in keeping.said
        assert json.loads(http("GET", f"{other.url}/api/v2/silence/{id}"))["endsAt"] > ends
        other.stop()
        keeping.until("UNKNOWN: the")
        assert "no ack is extended or ended" in keeping.said
        other.start()
        # Nobody tells the new server of the alert yet, and that does not end the ack.
        keeping.until("known again")
        assert json.loads(http("GET", f"{other.url}/api/v2/silence/{id}"))["status"]["state"] == "active"
        assert keeping.stop() == 0
        assert "Traceback" not in keeping.said
    finally:
        keeping.process.kill()


def test_keep_once_ends_what_is_over_and_fails_when_it_is_not_known(
    run: Run, other: Alertmanager, bare: dict[str, str]
) -> None:
    fire(other, {"alertname": "AcksOnce"})
    (id,) = run("ack", "AcksOnce", f"--alertmanager={other.url}").ids
    calm = run("acks", "keep", "--once", f"--alertmanager={other.url}")
    assert (calm.code, calm.out, "keeping the acks of me" in calm.err) == (0, "", True), calm
    assert len(silences(other, "AcksOnce")) == 1
    resolve(other, {"alertname": "AcksOnce"})
    wait_for(lambda: http("GET", f"{other.url}/api/v2/alerts").strip() == b"[]", 30, "resolved alert")
    ended = run("acks", "keep", "--once", f"--alertmanager={other.url}")
    assert (ended.code, "its alert is gone" in ended.err) == (0, True), ended
    assert silences(other, "AcksOnce") == []
    assert json.loads(http("GET", f"{other.url}/api/v2/silence/{id}"))["status"]["state"] == "expired"
    other.stop()
    away = run("acks", "keep", "--once", f"--alertmanager={other.url}")
    assert (away.code, "UNKNOWN" in away.err) == (1, True), away
    refused = run("acks", "keep", "--interval=2m")
    assert (refused.code, "not between 1s and 1m" in refused.err) == (2, True)
