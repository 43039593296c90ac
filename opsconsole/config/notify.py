"""The `notify:` of a context's `guard:`: who is told what a guard does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from opsconsole.config.http import (
    HTTP_KEYS,
    HTTP_SPECIAL,
    Places,
    read_http,
    read_secret_source,
    read_tls,
    read_url,
)
from opsconsole.config.reader import Section, Value, nearest
from opsconsole.config.schema import Endpoint, MailConfig, NotifyConfig
from opsconsole.model.guard import EVENT_KINDS
from opsconsole.text import safe

PAGERDUTY_URL = "https://events.pagerduty.com"

_SHAPE = "write it as a list: - {kind: slack, webhook_file: ~/.secrets/slack}"
_COMMON = frozenset({"kind", "name", "on"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_SERVER = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_CHANNEL = re.compile(r"[#@]?[^\s<>&@#]{1,80}")


def read_notify(section: Section, places: Places) -> tuple[NotifyConfig, ...]:
    """The channels in the key `notify` of a `guard:` section. Problems are noted."""
    found: list[NotifyConfig] = []
    for body in section.sections("notify", _SHAPE):
        channel = _channel(body, places)
        if channel is None:
            continue
        if any(channel.name == other.name for other in found):
            body.problem(f"there are two channels named `{channel.name}`", "give each its own name", at="name")
        found.append(channel)
    return tuple(found)


def _channel(body: Section, places: Places) -> NotifyConfig | None:
    kind = body.get("kind", required=True, hint="one of " + ", ".join(KINDS))
    word = None if kind is None else kind.choice(KINDS, "a kind of channel")
    if word is None:
        return None
    name = body.text("name", word)
    if not _NAME.fullmatch(name):
        body.problem("may have letters, digits, `.`, `_` and `-` only", at="name")
    return KINDS[word](body, places, name, _on(body.get("on")))


def _on(value: Value | None) -> tuple[str, ...]:
    items = [] if value is None else value.items("write it as [rolled-back, blind]")
    if value is not None and not items:
        value.problem("names no event", nearest("", EVENT_KINDS))
    found = (item.choice(EVENT_KINDS, "something that a guard tells") for item in items)
    return tuple(word for word in found if word is not None)


def _pagerduty(body: Section, places: Places, name: str, on: tuple[str, ...]) -> NotifyConfig:
    keys = {"routing_key_file", "routing_key_command", "changes", "url"}
    special = {"routing_key": "secrets are not written here: use routing_key_file or routing_key_command"}
    body.only(_COMMON | keys | HTTP_KEYS, HTTP_SPECIAL | special | {"service_key": "use routing_key_file"})
    url = read_url(body.get("url")) if body.has("url") else PAGERDUTY_URL
    return NotifyConfig(
        name=name,
        kind="pagerduty",
        on=on,
        endpoint=Endpoint(url=url, http=read_http(body, places)),
        secret=read_secret_source(body, "routing_key", places),
        changes=body.boolean("changes", True),
    )


def _slack(body: Section, places: Places, name: str, on: tuple[str, ...]) -> NotifyConfig:
    where = "the URL is a secret: use webhook_file or webhook_command"
    special = {"webhook": where, "url": where, "webhook_url": where, "api_url": where}
    body.only(_COMMON | {"webhook_file", "webhook_command", "channel"} | HTTP_KEYS, HTTP_SPECIAL | special)
    channel = body.text("channel")
    if channel and not _CHANNEL.fullmatch(channel):
        body.problem("is not the name of a channel", "write it as '#incidents'", at="channel")
    return NotifyConfig(
        name=name,
        kind="slack",
        on=on,
        endpoint=Endpoint(url="", http=read_http(body, places)),
        secret=read_secret_source(body, "webhook", places),
        channel=channel,
    )


def _webhook(body: Section, places: Places, name: str, on: tuple[str, ...]) -> NotifyConfig:
    body.only(_COMMON | {"url"} | HTTP_KEYS, HTTP_SPECIAL)
    url = read_url(body.get("url", required=True, hint="write it as https://host/path"))
    return NotifyConfig(name=name, kind="webhook", on=on, endpoint=Endpoint(url=url, http=read_http(body, places)))


def _email(body: Section, places: Places, name: str, on: tuple[str, ...]) -> NotifyConfig:
    known = {"smtp", "starttls", "tls_config", "timeout", "username", "password_file", "password_command", "from"}
    special = {"password": "secrets are not written here: use password_file or password_command"}
    body.only(_COMMON | known | {"to"}, special)
    security = _security(body)
    host, port = _server(body.get("smtp", required=True, hint="write it as mail.example.org:587"))
    username, password = body.text("username"), None
    if username:
        password = read_secret_source(body, "password", places)
        if security == "none" and host not in ("localhost", "127.0.0.1", "::1"):
            body.problem("a password would be sent in the clear", "use starttls: true or implicit", at="username")
    elif body.has("password_file") or body.has("password_command"):
        body.problem("a password needs a username", at="username")
    to = body.get("to", required=True, hint="write it as [oncall@example.org]")
    receivers = [] if to is None else to.items("write it as [oncall@example.org]")
    if to is not None and not receivers:
        to.problem("names nobody", "write it as [oncall@example.org]")
    tls = read_tls(body.section("tls_config"), places)
    if tls.server_name:
        body.problem("server_name cannot be set for mail", "use that name in smtp", at="tls_config")
    mail = MailConfig(
        host=host,
        port=port,
        security=security,
        tls_config=tls,
        timeout=body.duration("timeout", 10.0, 0.1, 300.0),
        username=username,
        password=password,
        sender=_address(body.get("from", required=True, hint="write it as opsconsole@example.org")),
        to=tuple(address for address in map(_address, receivers) if address),
    )
    return NotifyConfig(name=name, kind="email", on=on, mail=mail)


def _security(body: Section) -> str:
    value = body.get("starttls")
    if value is None:
        return "starttls"
    if value.node.value == "implicit":
        return "implicit"
    return "starttls" if value.boolean() else "none"


def _server(value: Value | None) -> tuple[str, int]:
    text = None if value is None else value.text(hint="write it as mail.example.org:587")
    if value is None or text is None:
        return "", 0
    found = _SERVER.fullmatch(text)
    port = int(found["port"]) if found else 0
    if found is None or not 1 <= port <= 65535:
        value.problem("must be a host and a port", "write it as mail.example.org:587")
        return "", 0
    return found["six"] or found["host"], port


def _address(value: Value | None) -> str:
    """Only the address itself: a name beside it would have to be quoted by the rules of mail headers."""
    text = None if value is None else value.text(hint="write it as name@example.org")
    if value is None or text is None:
        return ""
    if not _ADDRESS.fullmatch(text):
        value.problem(f"`{safe(text, 60)}` is not a mail address", "write it as name@example.org")
        return ""
    return text


KINDS: Mapping[str, Callable[[Section, Places, str, tuple[str, ...]], NotifyConfig]] = {
    "pagerduty": _pagerduty,
    "slack": _slack,
    "webhook": _webhook,
    "email": _email,
}
"""The readers of the kinds of channels that there are."""
