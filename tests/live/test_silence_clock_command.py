"""`opsconsole silence` by the server's clock and in the local time zone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_silence_command import Run, _bare_environment, fire, known, run  # noqa: F401  fixtures

from opsconsole.cli.silence_common import instant
from tests.support.edited import EditedServer
from tests.support.servers import Alertmanager, free_port

pytestmark = pytest.mark.live

AHEAD = 1200.0
HOUR = 3600.0


@pytest.fixture
def ahead(alertmanager: Alertmanager) -> Iterator[str]:
    """The address of the same Alertmanager, whose answers say that it is 20 minutes later."""
    with EditedServer(alertmanager.port, lambda answer: replace(answer, skew=AHEAD)) as server:
        yield f"--alertmanager={server.url}"


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


def ends(server: Alertmanager, name: str) -> float:
    (silence,) = known(server, name)
    return datetime.fromisoformat(silence["endsAt"]).timestamp()


def test_an_added_silence_ends_by_the_servers_clock(
    run: Run,  # noqa: F811
    alertmanager: Alertmanager,
    ahead: str,
) -> None:
    fire(alertmanager, {"alertname": "ClockAdd"})
    before = datetime.now(UTC).timestamp()
    made = run("silence", "add", "ClockAdd", "-c", "x", "-d", "1h", "--yes", ahead)
    took = datetime.now(UTC).timestamp() - before
    assert made.code == 0, made.err
    end = ends(alertmanager, "ClockAdd")
    assert before + AHEAD + HOUR - 3 <= end <= before + AHEAD + HOUR + took + 3, end - before


def test_what_is_left_is_counted_by_the_servers_clock(
    run: Run,  # noqa: F811
    alertmanager: Alertmanager,
    ahead: str,
) -> None:
    made = run("silence", "add", "ClockLeft", "-c", "x", "-d", "50m30s", "--yes")
    assert made.code == 0, made.err
    assert " 30m " in run("silence", "list", "ClockLeft", ahead).out
    (line,) = [line for line in run("silences", ahead).out.splitlines() if "ClockLeft" in line]
    assert " 30m " in line
    assert made.ids[0] in run("silence", "list", "ClockLeft", "--within=35m", ahead).out
    assert made.ids[0] not in run("silence", "list", "ClockLeft", "--within=35m").out
    assert "ends in 30m" in run("silence", "expire", made.ids[0], "--yes", ahead).err


@pytest.mark.usefixtures("_berlin")
def test_ends_are_listed_in_local_time_and_utc(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    ids: list[str] = []
    for name, end in (("ClockWinter", "2099-01-10T05:12:00"), ("ClockSummer", "2099-07-10T05:12:00")):
        made = run("silence", "add", name, "-c", "x", "--end", end, "--yes", "--hides=0")
        assert made.code == 0, made.err
        utc = "04" if name == "ClockWinter" else "03"
        assert f"until {end.replace('T', ' ')} ({utc}:12:00 UTC)\n" in made.err
        ids += made.ids
    listed = run("silence", "list").out
    assert run("silence", "expire", *ids, "--yes").code == 0, "others read tables of this server"
    assert "2099-01-10 05:12:00 (04:12:00 UTC)" in listed
    assert "2099-07-10 05:12:00 (03:12:00 UTC)" in listed


@pytest.mark.usefixtures("_berlin")
def test_a_local_time_has_the_offset_of_its_own_day() -> None:
    winter = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert instant("2026-07-01T05:12", "--end", winter) == datetime(2026, 7, 1, 3, 12, tzinfo=UTC).timestamp()


def test_the_list_names_the_cluster_when_there_are_several(
    run: Run,  # noqa: F811
    alertmanager: Alertmanager,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    clusters = [{"name": name, "members": [alertmanager.url]} for name in ("north", "south")]
    config.write_text(json.dumps({"contexts": {"a": {"alertmanager": clusters}}}))
    made = run("silence", "add", "ClockWhere", "-c", "x", "--yes")
    for words in (("silence", "list", "ClockWhere"), ("silences",)):
        rows = run(*words, f"--config={config}").out
        named = re.compile(rf"^{made.ids[0]}  (north|south)  ", re.MULTILINE)
        assert named.search(rows), rows
        assert not named.search(run(*words).out)
    assert run("acks", "list", f"--config={config}").out.split()[:2] == ["id", "cluster"]
    shown = run("silence", "list", "ClockWhere", "--show-command", f"--config={config}")
    assert (shown.code, "say which with --cluster: north, south" in shown.err) == (2, True), shown


def test_a_member_that_is_down_is_told_with_the_list(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    made = run("silence", "add", "ClockPartial", "-c", "x", "--yes")
    down = f"http://127.0.0.1:{free_port()}"
    two = (f"--alertmanager={alertmanager.url}", f"--alertmanager={down}")
    listed = run("silence", "list", "ClockPartial", "-q", *two)
    assert (listed.code, listed.ids) == (0, made.ids)
    assert "UNKNOWN whether these are all: the answer is partial: " in listed.err
    assert f"{down} unreachable: connection refused" in listed.err
    assert run("silence", "list", "ClockPartial").err == ""


@pytest.mark.parametrize("words", [["edit", "-c", "x"], ["extend", "1h"], ["expire"], ["recreate"], ["export"]])
def test_what_is_no_id_is_told_as_an_unknown_silence(run: Run, words: list[str]) -> None:  # noqa: F811
    verb, *rest = words
    yes = [] if verb == "export" else ["--yes"]
    ended = run("silence", verb, "no-such-id", *rest, *yes)
    assert (ended.code, "there is no silence no-such-id; nothing was done" in ended.err) == (1, True), ended
