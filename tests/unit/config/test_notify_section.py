"""The `notify:` of a guard: what it means, and its problems."""

# ruff: noqa: E501  one case per line

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.load import load_config
from opsconsole.config.schema import (
    Endpoint,
    HttpConfig,
    MailConfig,
    NotifyConfig,
    SecretSource,
    TlsConfig,
)
from opsconsole.errors import ConfigError

HOME = Path("/home/ann")


def write(tmp_path: Path, *channels: str) -> Path:
    file = tmp_path / "c.yaml"
    lines = "".join(f"        - {channel}\n" for channel in channels)
    file.write_text(f"contexts:\n  a:\n    prometheus: {{url: http://p}}\n    guard:\n      notify:\n{lines}")
    return file


def test_what_channels_mean(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "{kind: pagerduty, routing_key_file: ~/pd, on: [rolled-back, blind]}",
        "{kind: pagerduty, name: eu, routing_key_command: [pass, pd], url: 'https://events.eu.pagerduty.com/', changes: false}",
        "{kind: slack, webhook_file: slack, channel: '#incidents', proxy_url: 'http://proxy:3128'}",
        "{kind: webhook, name: ours, url: 'https://hook.example/x', authorization: {credentials_file: t}}",
        "{kind: email, smtp: 'mail.example.org:587', username: g, password_file: ~/m, from: g@example.org, to: [a@example.org], tls_config: {ca_file: ca.pem}}",
        "{kind: email, name: relay, smtp: '[::1]:25', starttls: false, from: g@example.org, to: [a@example.org]}",
        "{kind: email, name: old, smtp: 'm:465', starttls: implicit, timeout: 5s, from: g@example.org, to: [a@example.org]}",
    )
    guard = load_config(file, {}, home=HOME).contexts["a"].guard
    assert guard is not None
    assert guard.notify[:4] == (
        NotifyConfig(
            name="pagerduty",
            kind="pagerduty",
            on=("rolled-back", "blind"),
            endpoint=Endpoint(url="https://events.pagerduty.com"),
            secret=SecretSource(file=HOME / "pd"),
        ),
        NotifyConfig(
            name="eu",
            kind="pagerduty",
            endpoint=Endpoint(url="https://events.eu.pagerduty.com"),
            secret=SecretSource(command=("pass", "pd")),
            changes=False,
        ),
        NotifyConfig(
            name="slack",
            kind="slack",
            endpoint=Endpoint(url="", http=HttpConfig(proxy_url="http://proxy:3128")),
            secret=SecretSource(file=tmp_path / "slack"),
            channel="#incidents",
        ),
        guard.notify[3],
    )
    ours = guard.notify[3]
    assert ours.endpoint is not None
    assert (ours.name, ours.endpoint.url) == ("ours", "https://hook.example/x")
    assert ours.endpoint.http.authorization is not None
    assert [one.mail for one in guard.notify[4:]] == [
        MailConfig(
            host="mail.example.org",
            port=587,
            tls_config=TlsConfig(ca_file=tmp_path / "ca.pem"),
            username="g",
            password=SecretSource(file=HOME / "m"),
            sender="g@example.org",
            to=("a@example.org",),
        ),
        MailConfig(host="::1", port=25, security="none", sender="g@example.org", to=("a@example.org",)),
        MailConfig(
            host="m", port=465, security="implicit", timeout=5.0, sender="g@example.org", to=("a@example.org",)
        ),
    ]


@pytest.mark.parametrize(
    ("channel", "key", "message", "hint"),
    [
        ("{name: x}", ".kind", "is missing", "one of pagerduty, slack, webhook, email"),
        ("{kind: pager}", ".kind", "`pager` is not a kind of channel", "did you mean pagerduty?"),
        ("{kind: slack, webhook_fil: x, webhook_file: y}", ".webhook_fil", "is not a known key", "did you mean webhook_file?"),
        ("{kind: slack}", "", "needs webhook_file or webhook_command", ""),
        ("{kind: slack, url: 'https://hooks', webhook_file: x}", ".url", "is not supported", "the URL is a secret: use webhook_file or webhook_command"),
        ("{kind: slack, webhook_file: x, channel: '<!here>'}", ".channel", "is not the name of a channel", "write it as '#incidents'"),
        ("{kind: pagerduty, routing_key: abc}", ".routing_key", "is not supported", "secrets are not written here: use routing_key_file or routing_key_command"),
        ("{kind: webhook}", ".url", "is missing", "write it as https://host/path"),
        ("{kind: webhook, url: 'http://h', on: [rolledback]}", ".on[0]", "`rolledback` is not something that a guard tells", "did you mean rolled-back?"),
        ("{kind: webhook, url: 'http://h', name: 'a b'}", ".name", "may have letters, digits, `.`, `_` and `-` only", ""),
        ("{kind: email, smtp: m, from: a@b, to: [c@d]}", ".smtp", "must be a host and a port", "write it as mail.example.org:587"),
        ("{kind: email, smtp: 'm:25', from: 'Guard <a@b>', to: [c@d]}", ".from", "`Guard <a@b>` is not a mail address", "write it as name@example.org"),
        ("{kind: email, smtp: 'm:25', from: a@b, to: []}", ".to", "names nobody", "write it as [oncall@example.org]"),
        ("{kind: email, smtp: 'm:25', from: a@b, to: [c@d], starttls: false, username: u, password_file: f}", ".username", "a password would be sent in the clear", "use starttls: true or implicit"),
        ("{kind: email, smtp: 'm:25', from: a@b, to: [c@d], starttls: maybe}", ".starttls", "must be true or false, not `maybe`", ""),
        ("{kind: email, smtp: 'm:25', from: a@b, to: [c@d], tls_config: {server_name: x}}", ".tls_config", "server_name cannot be set for mail", "use that name in smtp"),
    ],
)  # fmt: skip
def test_problems_of_a_channel(tmp_path: Path, channel: str, key: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, channel), {}, home=HOME)
    found = [(p.line, p.key, p.message, p.hint) for p in caught.value.problems]
    assert found == [(6, f"contexts.a.guard.notify[0]{key}", message, hint)]


def test_two_channels_of_one_name(tmp_path: Path) -> None:
    channel = "{kind: webhook, url: 'http://h'}"
    with pytest.raises(ConfigError, match="there are two channels named `webhook`"):
        load_config(write(tmp_path, channel, channel), {}, home=HOME)
