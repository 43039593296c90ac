"""`opsconsole guard test-notify` and `guard outbox`, with a webhook, a chat and a pager on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opsconsole.clients.notify import make_channels
from opsconsole.clock import ManualClock, SystemClock
from opsconsole.config.guard import guard_places
from opsconsole.config.load import load_config
from opsconsole.guard.outbox import FileOutbox
from tests.support.guard_events import an_event, hostile_event
from tests.support.hostile import acting
from tests.support.scripted import ScriptedServer, json_reply, text_reply
from tests.unit.cli.conftest import Run

CONFIG = """\
contexts:
  prod:
    flags: {provider: flagd, path: flags.json}
    guard:
      state: state
      notify:
        - {kind: pagerduty, url: "%(url)s", routing_key_file: pd}
        - {kind: slack, webhook_file: slack}
        - {kind: webhook, name: ours, url: "%(url)s/ours"}
"""


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        for name, text in (("pd", "k" * 32), ("slack", f"{server.url}/services/s3cret")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
        (tmp_path / "c.yaml").write_text(CONFIG % {"url": server.url})
        server.on("*", json_reply({}, status=202))
        yield server


def outbox(tmp_path: Path, clock: ManualClock | SystemClock) -> FileOutbox:
    context = load_config(tmp_path / "c.yaml", {}).contexts["prod"]
    assert context.guard is not None
    return FileOutbox(guard_places(context, {}).outbox, make_channels(context.guard.notify, clock), clock)


async def test_every_channel_is_tried_and_its_failure_told(
    run: Run, tmp_path: Path, receiver: ScriptedServer
) -> None:
    receiver.on("/services/s3cret", text_reply("no_service", status=404))
    config = ("--config", str(tmp_path / "c.yaml"))
    ended = await run("guard", "test-notify", *config)
    assert ended.code == 1, ended.err
    head, *rows = ended.out.splitlines()
    assert head.split() == ["channel", "result", "took", "message"]
    assert [row.split()[:2] for row in rows] == [
        ["pagerduty", "taken"],
        ["pagerduty/changes", "taken"],
        ["slack", "FAILED"],
        ["ours", "taken"],
    ]
    assert "no_service" in rows[2]
    assert "s3cret" not in ended.out + ended.err
    actions = [json.loads(r.body)["event_action"] for r in receiver.asked("/v2/enqueue")]
    assert actions == ["trigger", "resolve"]
    ended = await run("guard", "test-notify", "--channel", "ours", "--json", *config)
    assert ended.code == 0
    assert [(one["channel"], one["delivered"]) for one in json.loads(ended.out)] == [("ours", True)]
    ended = await run("guard", "test-notify", "--channel", "nobody", *config)
    assert ended.code == 2
    assert "there are: pagerduty, slack, ours" in ended.err


async def test_nobody_to_tell(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("contexts: {a: {prometheus: {url: http://p}}}")
    ended = await run("guard", "test-notify", "--config", str(tmp_path / "c.yaml"))
    assert ended.code == 2
    assert "names nobody to tell" in ended.err
    ended = await run("guard", "outbox", "--config", str(tmp_path / "c.yaml"))
    assert (ended.code, ended.err) == (0, "nothing waits and nothing is dead; --all lists what was sent\n")


async def test_what_was_not_delivered_is_listed_and_can_be_retried(
    run: Run, tmp_path: Path, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    receiver.on(
        "/ours", text_reply("no\x1b]0;x\x07", status=400), text_reply("later", status=500), text_reply("ok")
    )
    receiver.on("/services/s3cret", text_reply("ok"))
    box = outbox(tmp_path, SystemClock())
    box.put(an_event())
    box.put(hostile_event())
    await box.deliver()
    await box.aclose()
    config = ("--config", str(tmp_path / "c.yaml"))
    ended = await run("guard", "outbox", *config)
    assert ended.code == 1, "one is dead"
    assert not acting(ended.out.replace("\n", ""))
    rows = [re.split(r"\s{2,}", line.strip()) for line in ended.out.splitlines()]
    assert [row[:3] for row in rows[1:]] == [["4", "ours", "DEAD"], ["8", "ours", "waiting"]], ended.out
    assert rows[2][6].startswith("in ")
    ended = await run("guard", "outbox", "--retry", "8", *config)
    assert ended.code == 2
    assert "no dead notification has the number 8" in ended.err
    ended = await run("guard", "outbox", "--retry-dead", "--send", *config)
    assert ended.code == 0, ended.out + ended.err
    assert len(ended.out.splitlines()) == 1
    everything = json.loads((await run("guard", "outbox", "--all", "--json", *config)).out)
    assert [one["state"] for one in everything] == ["sent"] * 8
    assert len(receiver.asked("/ours")) == 4
    journal = json.loads((await run("journal", "list", "--json")).out)
    assert [one["action"] for one in journal] == ["guard-notify"] * 2
