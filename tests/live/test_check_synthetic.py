"""`opsconsole check --synthetic` on real Alertmanagers: what it tells, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.actions.synthetic import ALERTNAME, MARK
from opsconsole.cli.main import main
from tests.support.servers import AlertmanagerClusterOf, http, wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("check-synthetic")]

ROUTING = """\
route:
  receiver: chat
  group_wait: 1m
  routes:
    - {matchers: ['severity="critical"'], receiver: pager, group_wait: 0s}
    - {matchers: ['severity="warning"'], receiver: %s}
receivers:
  - {name: pager}
  - {name: chat}
  - {name: other}
"""

PLAYBOOK = "system: shop\nseverities: [critical, warning]\njobs: [{name: shop}]\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerClusterOf]:
    folder = tmp_path_factory.mktemp("synthetic")
    (folder / "am.yml").write_text(ROUTING % "other")
    made = AlertmanagerClusterOf(folder, 2, config=folder / "am.yml")
    made.start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSCONSOLE_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def options(cluster: AlertmanagerClusterOf, tmp_path: Path) -> list[str]:
    """A context with both members and a playbook."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "playbook.yaml").write_text(PLAYBOOK)
    members = ", ".join(member.url for member in cluster.members)
    config = tmp_path / "config.yaml"
    config.write_text(
        "current_context: test\ncontexts:\n  test:\n"
        f"    playbooks: ['{tmp_path / 'shop'}']\n"
        f"    alertmanager: [{{name: main, members: [{members}], timeout: 2s}}]\n"
    )
    return [f"--config={config}", "check", "--synthetic"]


def run(*argv: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(argv))
    return int(code), out.getvalue(), err.getvalue()


def verdict(*argv: str) -> dict[str, Any]:
    """The one check of the report."""
    _, out, err = run(*argv, "--format=json")
    assert out, err
    (found,) = json.loads(out)["checks"]
    checked: dict[str, Any] = found
    return checked


def shown(url: str) -> list[dict[str, Any]]:
    """The synthetic alerts that a member shows."""
    alerts: list[dict[str, Any]] = json.loads(http("GET", f"{url}/api/v2/alerts"))
    return [alert for alert in alerts if alert["labels"]["alertname"] == ALERTNAME]


def assert_gone(cluster: AlertmanagerClusterOf) -> None:
    for member in cluster.members:
        assert shown(member.url) == []


def test_it_goes_through_every_member_and_is_gone(cluster: AlertmanagerClusterOf, options: list[str]) -> None:
    found = verdict(*options)
    assert (found["id"], found["verdict"]) == ("synthetic.main", "OK"), found
    assert "receivers: other" in found["reason"], "the least severe of the playbook's, and its route"
    assert [line.split(": ")[0] for line in found["evidence"]] == [member.url for member in cluster.members]
    assert all("for other, gone" in line for line in found["evidence"])
    assert_gone(cluster)
    code, journal, _ = run("journal", "list", "--json")
    assert code == 0
    assert '"synthetic"' in journal
    assert "seen on all members" in journal


def test_a_route_that_notifies_at_once_needs_a_word(cluster: AlertmanagerClusterOf, options: list[str]) -> None:
    folder = Path(options[0].partition("=")[2]).parent
    (folder / "shop" / "playbook.yaml").write_text(PLAYBOOK.replace(", warning", ""))
    code, out, err = run(*options)
    assert code == 3
    assert out == ""
    assert "pager would be told after 0 s" in err
    assert "--severity" in err
    found = verdict(*options, "--severity=critical")
    assert (found["verdict"], "receivers: pager" in found["reason"]) == ("OK", True), found
    assert_gone(cluster)


def test_another_receiver_than_promised_is_critical(cluster: AlertmanagerClusterOf, options: list[str]) -> None:
    folder = Path(options[0].partition("=")[2]).parent
    (folder / "shop" / "alertmanager.yaml").write_text(ROUTING % "chat")
    found = verdict(*options)
    assert found["verdict"] == "CRITICAL"
    assert "sends it to other, not to chat" in found["reason"]
    assert_gone(cluster)


def test_a_member_that_is_down_is_named(cluster: AlertmanagerClusterOf, options: list[str]) -> None:
    cluster.members[1].stop()
    try:
        found = verdict(*options)
        assert found["verdict"] == "WARNING"
        assert cluster.members[1].url in found["reason"]
        assert shown(cluster.members[0].url) == []
        cluster.members[0].stop()
        assert verdict(*options)["verdict"] == "UNKNOWN"
    finally:
        for member in cluster.members:
            member.stop()
        cluster.start()


def test_read_only_posts_nothing(cluster: AlertmanagerClusterOf, options: list[str]) -> None:
    code, out, err = run(*options, "--read-only")
    assert (code, out) == (3, "")
    assert "read-only" in err
    assert_gone(cluster)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_interrupted_it_leaves_nothing_behind(
    cluster: AlertmanagerClusterOf, options: list[str], number: signal.Signals
) -> None:
    """The second member takes the connection and answers nothing, so that there is time to interrupt."""
    first, second = cluster.members
    second.pause()
    child = subprocess.Popen(
        [sys.executable, "-m", "opsconsole", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    try:
        wait_for(lambda: bool(shown(first.url)), 30, "synthetic alert on the first member")
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
    finally:
        second.resume()
        child.kill()
        child.wait()
    assert shown(first.url) == []
    assert child.returncode not in (0, 1, 2, 3), (out, err)
    assert b"Traceback" not in err
    second.stop()  # what it was sent and could not read ends by itself within a minute: not waited for
    second.start()
    _, journal, _ = run("journal", "list", "--json")
    assert "stopped before it was finished" in journal


def test_options_that_do_not_go_together(options: list[str]) -> None:
    assert run(*options, "--only=alerts")[0] == 3
    assert run(options[0], "check", "--severity=critical")[0] == 3
    assert MARK not in run(*options, "--help")[1]
