"""What the commands print of hostile text: nothing that acts, and nothing left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opsconsole.text import safe
from tests.support.backends import Backends, api_alert, iso
from tests.support.hostile import AFTER, BEFORE, BIG, PAYLOADS, acting, marked
from tests.support.scripted import Say, json_reply, text_reply
from tests.unit.cli.conftest import Ended, Run


def assert_harmless(ended: Ended, *, is_json: bool = False) -> None:
    """Nothing printed acts on a terminal, and nothing crashed. JSON keeps stacks of combining marks."""
    printed = (ended.out + ended.err).replace("\n", "")
    assert acting(printed.replace("\u0301", "") if is_json else printed) == []
    assert "Traceback" not in ended.err
    assert "internal error" not in ended.err


def joined(text: str) -> str:
    """The text without the line breaks of a folded table, to look for words in it."""
    return "".join(text.split())


def hostile_silence(payload: str, now: float) -> dict[str, object]:
    return {
        "id": "a1f2",
        "matchers": [{"name": "alertname", "value": payload, "isRegex": False, "isEqual": True}],
        "startsAt": iso(now - 60),
        "endsAt": iso(now + 600),
        "updatedAt": iso(now - 60),
        "createdBy": payload,
        "comment": payload,
        "status": {"state": "active"},
    }


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_tables_show_hostile_text_harmlessly(
    run: Run, backends: Backends, monkeypatch: pytest.MonkeyPatch, payload: str
) -> None:
    monkeypatch.setenv("COLUMNS", "3000")  # wide enough that no cell is folded
    text = marked(payload)
    now = backends.clock.now()
    backends.alerts = [api_alert(text, at=now, **{f"bad-{payload[:20]}": text})]
    backends.silences = [hostile_silence(text, now)]
    option = f"--alertmanager={backends.alertmanager.url}"
    for command in ("alerts", "silences"):
        ended = await run(command, option)
        assert ended.code == 0, ended.err
        assert_harmless(ended)
        assert joined(safe(text)) in joined(ended.out) or len(payload) > 150


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_json_keeps_labels_as_they_are(run: Run, backends: Backends, payload: str) -> None:
    text = marked(payload)
    backends.alerts = [api_alert(text, at=backends.clock.now())]
    ended = await run("alerts", "--json", f"--alertmanager={backends.alertmanager.url}")
    assert ended.code == 0
    assert json.loads(ended.out)[0]["labels"]["alertname"] == text, "labels are identity: never changed"
    assert_harmless(ended, is_json=True)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_check_shows_hostile_text_harmlessly(
    run: Run, backends: Backends, to_backends: tuple[str, ...], payload: str
) -> None:
    text = marked(payload)
    now = backends.clock.now()
    backends.alerts = [api_alert(text, at=now, route=text)]
    rule = {"name": text, "query": text, "health": "err", "lastError": text, "type": "alerting"}
    group = {"name": text, "file": text, "interval": 15, "rules": [rule], "lastEvaluation": iso(now)}
    backends.prometheus.on("/api/v1/rules", json_reply({"status": "success", "data": {"groups": [group]}}))
    target = {"labels": {"job": "accubooks", "instance": text}, "health": "down", "lastError": text}
    backends.prometheus.on(
        "/api/v1/targets", json_reply({"status": "success", "data": {"activeTargets": [target]}})
    )
    backends.prometheus.on(
        "/api/v1/status/buildinfo", json_reply({"status": "success", "data": {"version": text}})
    )
    for more in ([], ["--json"]):
        ended = await run("check", *more, *to_backends)
        assert ended.code == 2
        assert_harmless(ended)
    assert BEFORE in ended.out
    assert AFTER in ended.out


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_errors_of_a_server_are_harmless(
    run: Run, backends: Backends, to_backends: tuple[str, ...], payload: str
) -> None:
    line = marked(payload.replace("\r", "").replace("\n", ""))
    reason = line.encode("utf-8", "replace")
    body = json.dumps({"status": "error", "error": line, "message": line}).encode()
    backends.alertmanager.forget()
    backends.alertmanager.on("*", Say(500, reason, (), body))
    backends.prometheus.forget()
    backends.prometheus.on("*", Say(422, reason, (), body))
    ended = await run("check", *to_backends)
    assert ended.code == 3
    assert_harmless(ended)
    assert_harmless(await run("alerts", *to_backends))
    assert_harmless(await run("silences", "--json", *to_backends))


async def test_a_megabyte_in_every_place(run: Run, backends: Backends, to_backends: tuple[str, ...]) -> None:
    backends.alerts = [api_alert(BIG, at=backends.clock.now(), route=BIG)]
    backends.alerts[0]["annotations"] = {"summary": BIG, "description": BIG}
    backends.silences = [hostile_silence(BIG, backends.clock.now())]
    backends.prometheus.on("/-/ready", text_reply(BIG, status=500))
    for argv in (["check"], ["alerts"], ["silences"]):
        ended = await run(*argv, *to_backends)
        assert ended.code in (0, 2)
        assert_harmless(ended)
        assert len(ended.out) < 20_000, "a screenful, not a megabyte"


@pytest.mark.parametrize("body", [b'[{"labels":{"a":"\\ud800"}}]', b'[{"labels":{"a":"\xff"}}]', b"[" * 100_000])
async def test_bytes_that_are_no_text_are_a_bad_reply(run: Run, backends: Backends, body: bytes) -> None:
    """A lone surrogate, bytes that are not UTF-8, and brackets without end."""
    backends.alertmanager.on("/api/v2/alerts", Say(body=body))
    ended = await run("alerts", f"--alertmanager={backends.alertmanager.url}")
    assert ended.code == 1
    assert "bad reply" in ended.err
    assert_harmless(ended)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_flag_files(run: Run, tmp_path: Path, payload: str) -> None:
    file = tmp_path / "flags.json"
    text = marked(payload)
    flag = {"state": "ENABLED", "variants": {text: True, "off": False}, "defaultVariant": text}
    file.write_text(json.dumps({"flags": {text: flag}}))
    for more in ([], ["--json"]):
        ended = await run("flags", f"--flags-file={file}", *more)
        assert ended.code == 0, ended.err
        assert_harmless(ended, is_json=bool(more))
        assert BEFORE in ended.out
    file.write_text(json.dumps({"flags": text}))
    ended = await run("flags", f"--flags-file={file}")
    assert ended.code == 1
    assert_harmless(ended)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_arguments_and_files_of_the_user(run: Run, tmp_path: Path, payload: str) -> None:
    """What is wrong with an argument is told without obeying it."""
    text = marked(payload.replace("\x00", ""))
    config = tmp_path / "config.yaml"
    config.write_text(f"current_context: a\ncontexts:\n  a:\n    {json.dumps(text)}: 1\n")
    for argv in (
        ["check", "--context", text],
        ["check", "--prometheus", text],
        ["check", "--prometheus", "http://127.0.0.1:1", "--playbook", text],
        ["alerts", f"a={json.dumps(text)}x", "--alertmanager=http://127.0.0.1:1"],
        ["alerts", f'a=~"{text}[["', "--alertmanager=http://127.0.0.1:1"],
        ["check", f"--config={config}"],
        ["flags", f"--flags-file={tmp_path / 'no' / text}"],
        ["check", text],
        [text],
        [f"--{text}"],
    ):
        ended = await run(*argv)
        assert ended.code != 0
        assert_harmless(ended)
