"""What each channel sends, byte for byte at a local receiver, and which failures are tried again."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.clients.notify import Channel, make_channels
from opsconsole.clients.notify.pagerduty import MAX_BYTES
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint, HttpConfig, MailConfig, NotifyConfig, SecretSource, TlsConfig
from opsconsole.errors import NotifyError
from opsconsole.model.guard import GuardEvent
from opsconsole.text import is_safe, safe_block
from tests.support.guard_events import HOSTILE, an_event, hostile_event
from tests.support.scripted import ScriptedServer, hang, json_reply, refusing_url, text_reply
from tests.support.smtpd import MailServer

KEY = "0123456789abcdef0123456789abcdef"


def secret(folder: Path, text: str) -> SecretSource:
    file = folder / "secret"
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return SecretSource(file=file)


def one(config: NotifyConfig) -> Channel:
    return make_channels([config], ManualClock())[0]


async def send(channel: Channel, event: GuardEvent) -> None:
    try:
        await channel.send(event)
    finally:
        await channel.aclose()


async def refusal(channel: Channel, event: GuardEvent | None = None) -> NotifyError:
    with pytest.raises(NotifyError) as caught:
        await send(channel, event or an_event())
    assert caught.value.__cause__ is None
    assert is_safe(str(caught.value))
    return caught.value


def pagerduty(folder: Path, url: str, **more: Any) -> NotifyConfig:
    return NotifyConfig(
        name="pd", kind="pagerduty", endpoint=Endpoint(url=url), secret=secret(folder, KEY), **more
    )


def slack(folder: Path, url: str, **more: Any) -> NotifyConfig:
    http = HttpConfig(timeout=1.0)
    return NotifyConfig(
        name="slack", kind="slack", endpoint=Endpoint(url="", http=http), secret=secret(folder, url), **more
    )


async def test_pagerduty_gets_a_trigger_a_change_and_a_resolve(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({"status": "success"}, status=202))
    alerts, changes = make_channels([pagerduty(tmp_path, scripted.url)], ManualClock())
    event = an_event(page=True, dedup_key="ab" * 32)
    await send(alerts, event)
    await send(changes, event)
    recovered = an_event(kind="recovered", resolved=True, dedup_key="ab" * 32)
    await send(alerts, recovered)
    trigger, change, resolve = (json.loads(r.body) for r in scripted.requests)
    assert [r.path for r in scripted.requests] == ["/v2/enqueue", "/v2/change/enqueue", "/v2/enqueue"]
    payload = trigger.pop("payload")
    assert trigger == {
        "routing_key": KEY, "event_action": "trigger", "dedup_key": "ab" * 32, "client": "opsconsole guard",
    }  # fmt: skip
    details = payload.pop("custom_details")
    assert payload == {
        "summary": "ROLLED BACK new_parser: Parse errors (ruleiq, prod)",
        "source": "ruleiq/prod",
        "severity": "critical",
        "timestamp": "2026-01-01T00:00:00.000+00:00",
        "component": "new_parser",
        "group": "ruleiq",
        "class": "rolled-back",
    }
    assert details["diff"] == ["- enabled: true", "+ enabled: false"]
    assert details["changed"] == "to 100% by ann, 4m before the onset"
    assert details["what to do next"][-1] == "To undo: opsconsole flags restore --context prod new_parser"
    assert change["payload"]["summary"] == payload["summary"]
    assert "event_action" not in change
    own = "opsconsole/prod/ruleiq-errors-1767225600"
    assert resolve == {"routing_key": KEY, "event_action": "resolve", "dedup_key": own}, (
        "what was told before the alert fired; the incident of an alert is Alertmanager's to resolve"
    )


@pytest.mark.parametrize(
    ("kind", "page", "on", "alert", "change"),
    [
        ("rolled-back", False, (), True, True),
        ("would-roll-back", False, (), False, False),
        ("decided", False, (), False, False),
        ("ask-human", True, (), True, False),
        ("blind", False, (), False, False),
        ("blind", False, ("blind",), True, False),
        ("rolled-back", True, ("blind",), False, True),
    ],
)
def test_what_pages(tmp_path: Path, kind: str, page: bool, on: tuple[str, ...], alert: bool, change: bool) -> None:
    alerts, changes = make_channels([pagerduty(tmp_path, "http://127.0.0.1:9", on=on)], ManualClock())
    event = an_event(kind=kind, page=page)
    assert (alerts.wants(event), changes.wants(event)) == (alert, change)


async def test_what_is_too_long_for_pagerduty_is_cut(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", json_reply({}, status=202))
    long = "é" * 15_000
    event = an_event(title=safe_block("t" * 5000), diff=safe_block(long), timeline=(safe_block(long),) * 60)
    await send(one(pagerduty(tmp_path, scripted.url, changes=False)), event)
    assert len(scripted.requests[0].body) < MAX_BYTES
    payload = json.loads(scripted.requests[0].body)["payload"]
    assert len(payload["summary"]) <= 1024
    assert "size" in payload["custom_details"]["left out"]


async def test_slack_reads_nothing_of_an_event_as_markup(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("/services/T0/B0/s3cret", text_reply("ok"))
    config = slack(tmp_path, f"{scripted.url}/services/T0/B0/s3cret", channel="#incidents")
    await send(one(config), hostile_event())
    said = json.loads(scripted.requests[0].body)
    assert said["channel"] == "#incidents"
    assert not said["mrkdwn"]
    whole = json.dumps(said, ensure_ascii=False)
    assert "<!" not in whole
    assert "\x1b" not in whole
    assert "&lt;!channel&gt; *b*" in said["text"]
    for block in said["blocks"]:
        text = block["text"]
        assert len(text["text"]) <= (150 if block["type"] == "header" else 3000)
        if text["type"] == "mrkdwn":
            assert text["text"].count("```") == 2, "the fence was left"
        else:
            assert text["type"] == "plain_text"
    assert "earlier lines left out" in said["blocks"][-1]["text"]["text"]


async def test_the_url_of_slack_is_never_told(scripted: ScriptedServer, tmp_path: Path) -> None:
    path = "/services/T0/B0/s3cret"
    scripted.on(path, text_reply(f"no_service at {path}", status=404))
    error = await refusal(one(slack(tmp_path, scripted.url + path)))
    assert "no_service" in str(error)
    assert "s3cret" not in f"{error!r} {error} {error.hint}"
    assert not error.retry
    bad = await refusal(one(slack(tmp_path, "https://user:s3cret@hooks.example/x")))
    assert "s3cret" not in str(bad)


async def test_a_webhook_gets_every_field(scripted: ScriptedServer) -> None:
    scripted.on("/hook", text_reply("", status=204))
    event = an_event()
    config = NotifyConfig(name="hook", kind="webhook", endpoint=Endpoint(url=f"{scripted.url}/hook"))
    await send(one(config), event)
    request = scripted.requests[0]
    assert request.headers["idempotency-key"] == event.id
    assert request.headers["content-type"] == "application/json"
    said = json.loads(request.body)
    fields = json.loads(msgspec.json.encode(event))
    assert {name: said[name] for name in fields} == fields
    assert said["version"] == "1"
    assert said["headline"] == "ROLLED BACK new_parser: Parse errors (ruleiq, prod)"
    assert "What to do next:" in said["text"]


@pytest.mark.parametrize(
    ("status", "headers", "retry", "after"),
    [
        (400, (), False, None),
        (404, (), False, None),
        (410, (), False, None),
        (302, (("Location", "/login"),), False, None),
        (401, (), True, None),
        (403, (), True, None),
        (429, (("Retry-After", "17"),), True, 17.0),
        (429, (), True, 120.0),
        (500, (), True, None),
        (503, (("Retry-After", "3"),), True, 3.0),
    ],
)
async def test_which_replies_are_tried_again(
    scripted: ScriptedServer,
    tmp_path: Path,
    status: int,
    headers: tuple[tuple[str, str], ...],
    retry: bool,
    after: float | None,
) -> None:
    scripted.on("*", text_reply(f"said {KEY}", status=status, headers=headers))
    error = await refusal(one(pagerduty(tmp_path, scripted.url)))
    assert (error.retry, error.retry_after) == (retry, after), str(error)
    assert KEY not in str(error)


async def test_what_does_not_answer_is_tried_again(scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.on("*", hang())
    assert (await refusal(one(slack(tmp_path, f"{scripted.url}/x")))).retry
    with refusing_url() as url:
        assert (await refusal(one(slack(tmp_path, f"{url}/x")))).retry
    gone = one(slack(tmp_path, f"{scripted.url}/x"))
    (tmp_path / "secret").unlink()
    error = await refusal(gone)
    assert error.retry
    assert "cannot read the secret" in error.message


def mail(server: MailServer, **more: Any) -> NotifyConfig:
    made = {"security": "none", "sender": "guard@example.org", "to": ("a@example.org", "b@example.org")}
    config = MailConfig(host="127.0.0.1", port=server.port, **{**made, **more})
    return NotifyConfig(name="mail", kind="email", mail=config)


async def test_mails_of_an_incident_are_one_thread() -> None:
    async with MailServer() as server:
        channel = one(mail(server))
        first, again, later = an_event(), an_event(), an_event(id="other", kind="recovered", page=True)
        for event in (first, again, later, an_event(id="third", incident="another")):
            await send(channel, event)
    made = [m.message for m in server.mails]
    assert server.mails[0].to == ("a@example.org", "b@example.org")
    assert [m["Message-ID"] == made[0]["Message-ID"] for m in made] == [True, True, False, False]
    assert [m["References"] == made[0]["References"] for m in made] == [True, True, True, False]
    assert made[0]["In-Reply-To"] == made[0]["References"]
    assert made[0]["Subject"] == made[2]["Subject"] == "[prod] ruleiq: Parse errors"
    assert made[0]["Auto-Submitted"] == "auto-generated"
    assert made[0]["Date"] == "Thu, 01 Jan 2026 00:00:00 +0000"
    assert (made[0]["Importance"], made[2]["Importance"]) == (None, "high")
    assert made[0].get_content_type() == "text/plain"
    text = made[0].get_content().replace("\r\n", "\n")
    for part in (
        "ROLLED BACK new_parser: Parse errors (ruleiq, prod)\n",
        "Value     20%\n",
        "Bound     above 5%\n",
        "Changed   to 100% by ann, 4m before the onset\n",
        "Verified  read back: off in production\n",
        "What was written:\n  - enabled: true\n  + enabled: false\n",
        "  - To undo: opsconsole flags restore --context prod new_parser\n",
        "Timeline:\n  00:00:00 the value crossed its bound\n",
    ):
        assert part in text, text


async def test_no_header_comes_from_data() -> None:
    async with MailServer() as server:
        await send(one(mail(server)), hostile_event())
    made = server.mails[0].message
    assert made["Bcc"] is None
    assert server.mails[0].to == ("a@example.org", "b@example.org")
    assert "\\r\\nBcc: mallory" in made["Subject"]
    assert "\x1b" not in made.get_content()
    assert HOSTILE not in made.get_content()


@pytest.mark.parametrize(
    ("refuse", "retry", "says"),
    [
        ({"DATA": "451 later"}, True, "451 later"),
        ({"DATA": "554 spam"}, False, "554 spam"),
        ({"RCPT": "550 nobody"}, False, "a@example.org: 550 nobody"),
        ({"RCPT TO:<b@example.org>": "550 nobody"}, False, "(a@example.org has it)"),
        ({"RCPT TO:<b@example.org>": "450 grey"}, True, "b@example.org: 450 grey"),
    ],
    ids=str,
)
async def test_which_mails_are_tried_again(refuse: dict[str, str], retry: bool, says: str) -> None:
    async with MailServer() as server:
        server.refuse |= refuse
        error = await refusal(one(mail(server)))
    assert error.retry is retry
    assert says in error.message


async def test_a_mail_server_that_hangs_up_or_is_not_there() -> None:
    async with MailServer() as server:
        server.drop_after = "DATA"
        error = await refusal(one(mail(server)))
        assert error.retry, "whether it was taken is not known"
        assert len(server.mails) == 1
        assert (await refusal(one(mail(server, security="starttls")))).retry, "no STARTTLS is offered"
        assert len(server.mails) == 1, "it was sent in the clear"
    error = await refusal(one(mail(server)))
    assert error.retry
    assert "connect" in error.message


async def test_mail_with_starttls_and_a_login(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    await asyncio.to_thread(subprocess.run, made.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    login = {"security": "starttls", "username": "guard", "password": secret(tmp_path, "pa55word")}
    async with MailServer(context) as server:
        await send(one(mail(server, **login, tls_config=TlsConfig(ca_file=cert))), an_event())
        assert server.mails[0].secure
        assert server.mails[0].login == "\0guard\0pa55word"
        error = await refusal(one(mail(server, **login)))
        assert error.retry
        assert error.message.startswith("TLS: ")
        assert len(server.mails) == 1
        server.refuse["AUTH"] = "535 no pa55word"
        error = await refusal(one(mail(server, **login, tls_config=TlsConfig(ca_file=cert))))
        assert error.retry, "the password file may be mended"
        assert "pa55word" not in str(error)
