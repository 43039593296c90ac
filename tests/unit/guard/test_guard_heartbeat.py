"""Rule 13: a guard tells that it lives: its file, its metrics, and what is read back from both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from opsconsole.errors import GuardError, UsageError
from opsconsole.guard.heartbeat import Heartbeats, StatusFile
from opsconsole.guard.metrics import MetricsServer, Textfile
from opsconsole.model.guard import Armed, GuardStatus, RulePhase, RuleStatus
from opsconsole.model.guardstatus import (
    PART,
    SCRAPED,
    SEEN,
    best,
    decode_status,
    encode_status,
    from_series,
    is_over,
    phase_words,
    status_name,
)
from opsconsole.model.series import Series
from opsconsole.text import SafeText, safe, trusted

NOW = 1_767_225_600.0
RULES = (
    RuleStatus(
        rule="errors", system="shop", title=safe("Errors"), phase=RulePhase.PENDING, since=NOW - 20, value=0.25
    ),
    RuleStatus(rule="latency", system="shop", title=safe("Latency"), phase=RulePhase.UNKNOWN, since=NOW - 5),
)
STATUS = GuardStatus(
    context="prod",
    host=safe("db-1"),
    pid=77,
    at=NOW,
    started=NOW - 600,
    interval=10.0,
    rules=RULES,
    armed=Armed(until=NOW + 3600, at=NOW - 60, by=safe("ann"), reason=safe("night")),
    expect_armed=True,
    blind_since=NOW - 5,
    undelivered=2,
    events={"decided": 1, "rolled-back": 3},
)


def test_a_status_is_read_back_as_it_was_written() -> None:
    assert decode_status(encode_status(STATUS)) == STATUS


def test_texts_in_a_file_that_somebody_else_wrote_are_made_safe() -> None:
    raw = json.loads(encode_status(STATUS)) | {"last": "rolled \x1b[2J back", "holder": "a\nb"}
    status = decode_status(json.dumps(raw).encode())
    assert (status.last, status.holder) == ("rolled \\x1b[2J back", "a\\nb")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"context": 1}', b"null"])
def test_what_is_no_status_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_status(raw)


def test_a_guard_that_is_not_heard_of_for_three_rounds_has_stopped() -> None:
    slow = msgspec.structs.replace(STATUS, interval=60.0)
    assert not is_over(STATUS, NOW + 30)
    assert is_over(STATUS, NOW + 31)
    assert is_over(STATUS, NOW - 31), "a heartbeat from the future is not believed"
    assert not is_over(slow, NOW + 180)
    assert is_over(slow, NOW + 181)
    assert is_over(msgspec.structs.replace(STATUS, stopped=True), NOW)


def test_of_several_the_one_that_runs_and_acts_is_shown() -> None:
    standby = msgspec.structs.replace(STATUS, leader=False, at=NOW + 1)
    hangs = msgspec.structs.replace(STATUS, at=NOW - 100)
    assert best([standby, STATUS, hangs], NOW) == STATUS
    assert best([standby, hangs], NOW) == standby
    assert best([], NOW) is None


def test_each_process_has_a_file_that_everybody_may_read_and_tidies_what_the_dead_left(tmp_path: Path) -> None:
    folder = tmp_path / "guard"
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    for host, pid in (("db-1", int(gone.stdout)), ("db-1", os.getppid()), ("db-2", int(gone.stdout))):
        status = msgspec.structs.replace(STATUS, host=safe(host), pid=pid)
        StatusFile(folder, host, pid).beat(status)
    (folder / "status-broken-1.json").write_text("{")
    own = StatusFile(folder, "db-1", os.getpid())
    own.tidy()
    own.beat(STATUS)
    assert own.path.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            status_name("db-1", os.getppid()),
            status_name("db-1", os.getpid()),
            status_name("db-2", int(gone.stdout)),
            "status-broken-1.json",
        ]
    )


def test_a_host_name_cannot_lead_out_of_the_folder() -> None:
    assert status_name("../../x y", 1) == "status-.._.._x_y-1.json"
    assert status_name("", 1) == "status-host-1.json"


class Broken:
    def __init__(self) -> None:
        self.why = ""
        self.seen: list[GuardStatus] = []

    def beat(self, status: GuardStatus) -> None:
        if self.why:
            raise GuardError(self.why)
        self.seen.append(status)


def test_a_way_that_fails_stops_nothing_and_is_told_once() -> None:
    said: list[SafeText] = []
    bad, good = Broken(), Broken()
    beats = Heartbeats((bad, good), said.append, lambda s: msgspec.structs.replace(s, problem=trusted("x")))
    bad.why = "no space left"
    for _ in range(3):
        beats.beat(STATUS)
    bad.why = ""
    beats.beat(STATUS)
    beats.stopped(NOW + 3)
    assert said == ["the heartbeat cannot be told: no space left", "the heartbeat is told again"]
    assert [s.problem for s in good.seen] == ["x"] * 5
    assert (good.seen[-1].stopped, good.seen[-1].leader, good.seen[-1].at) == (True, False, NOW + 3)


def test_a_guard_that_never_had_a_round_has_no_last_word() -> None:
    way = Broken()
    Heartbeats((way,), lambda _: None).stopped(NOW)
    assert way.seen == []


def test_the_textfile_has_what_promtool_calls_good_metrics(tmp_path: Path) -> None:
    file = tmp_path / "guard.prom"
    Textfile(file).beat(STATUS)
    text = file.read_text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for line in (
        'opsconsole_guard_up{context="prod"} 1.0',
        f'opsconsole_guard_heartbeat_timestamp_seconds{{context="prod"}} {NOW!r}'.replace(
            "1767225600.0", "1.7672256e+09"
        ),
        'opsconsole_guard_armed{context="prod"} 1.0',
        'opsconsole_guard_blind_seconds{context="prod"} 5.0',
        'opsconsole_guard_undelivered_notifications{context="prod"} 2.0',
        'opsconsole_guard_rule_phase{context="prod",phase="pending",rule="errors",system="shop"} 1.0',
        'opsconsole_guard_rule_phase{context="prod",phase="ok",rule="errors",system="shop"} 0.0',
        'opsconsole_guard_rule_value{context="prod",rule="errors",system="shop"} 0.25',
        'opsconsole_guard_events_total{context="prod",kind="rolled-back"} 3.0',
    ):
        assert f"{line}\n" in text
    assert 'rule_value{context="prod",rule="latency"' not in text, "what is not known has no value"


def test_a_textfile_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GuardError, match="cannot be made"):
        Textfile(tmp_path / "file" / "guard.prom").beat(STATUS)


def test_metrics_are_answered_on_loopback_until_it_is_closed() -> None:
    server = MetricsServer("127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.port}/metrics"
        assert _get(url) == "", "nothing is claimed before the first round"
        server.beat(STATUS)
        assert 'opsconsole_guard_leader{context="prod"} 1.0' in _get(url)
        with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1"):
            MetricsServer("127.0.0.1", server.port)
    finally:
        server.close()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match="prometheus-client") as caught:
        Textfile(tmp_path / "guard.prom")
    assert "opsconsole[guard]" in caught.value.hint


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return str(reply.read().decode())


def _scraped(text: str, at: float, instance: str = "db-1:9464") -> list[Series]:
    """What Prometheus answers when it scraped this text at a time."""
    from prometheus_client.parser import text_string_to_metric_families

    found = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {"__name__": sample.name, "instance": instance, "job": "guard", **sample.labels}
            found.append(Series(labels, (at,), (sample.value,)))
            if sample.name == "opsconsole_guard_heartbeat_timestamp_seconds":
                found.append(Series({**labels, "__name__": "", PART: SCRAPED}, (at,), (at,)))
    return found


def _text(tmp_path: Path, status: GuardStatus) -> str:
    file = tmp_path / "guard.prom"
    Textfile(file).beat(status)
    return file.read_text()


def test_a_guard_elsewhere_is_read_from_prometheus(tmp_path: Path) -> None:
    found = from_series(_scraped(_text(tmp_path, STATUS), NOW + 2), NOW + 55)
    status = found["prod"]
    assert not is_over(status, NOW + 55), "how long ago it was scraped does not count"
    assert status.at == NOW + 53, "as old now as it was when it was scraped"
    assert (status.host, status.leader, status.expect_armed, status.undelivered) == ("db-1:9464", True, True, 2)
    assert status.armed is not None
    assert status.armed.until == NOW + 3600
    assert status.blind_since == NOW + 48
    assert [(r.rule, r.phase, r.value) for r in status.rules] == [
        ("errors", RulePhase.PENDING, 0.25),
        ("latency", RulePhase.UNKNOWN, None),
    ]
    assert phase_words(status) == "errors pending, latency unknown"


def test_a_guard_that_hangs_behind_a_working_metrics_page_has_stopped(tmp_path: Path) -> None:
    found = from_series(_scraped(_text(tmp_path, STATUS), NOW + 200), NOW + 210)
    assert is_over(found["prod"], NOW + 210)


def test_a_guard_whose_metrics_are_gone_has_stopped(tmp_path: Path) -> None:
    gone = Series({"context": "prod", PART: SEEN}, (NOW,), (NOW - 4000,))
    found = from_series([gone], NOW)
    assert (found["prod"].stopped, found["prod"].at) == (True, NOW - 4000)
    both = from_series([gone, *_scraped(_text(tmp_path, STATUS), NOW)], NOW)
    assert not both["prod"].stopped


def test_of_two_guards_in_prometheus_the_leader_is_shown(tmp_path: Path) -> None:
    standby = msgspec.structs.replace(STATUS, leader=False, rules=())
    series = [*_scraped(_text(tmp_path, standby), NOW, "b"), *_scraped(_text(tmp_path, STATUS), NOW, "a")]
    assert from_series(series, NOW)["prod"].host == "a"
    assert from_series([], NOW) == {}
