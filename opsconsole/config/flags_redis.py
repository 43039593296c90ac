"""`provider: redis` of a context's `flags:`."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from opsconsole.config.http import Places, read_secret_source, read_tls
from opsconsole.config.reader import Section
from opsconsole.config.schema import FlagsConfig, RedisSettings, SecretSource
from opsconsole.text import is_safe

_KEYS = frozenset(
    {
        *("provider", "url", "key", "stream", "username", "password_file", "password_command"),
        *("tls_config", "timeout"),
    }
)
_SPECIAL = {
    "password": "secrets are not written here: use password_file or password_command",
    "db": "write it at the end of the url: redis://host:6379/1",
    "host": "use url: redis://host:6379/0",
    "port": "use url: redis://host:6379/0",
    "safe_variants": "leave it out: a rollback sets `enabled` to false",
}
_SHAPE = "write it as redis://host:6379/0, or rediss://host:6379/0 for TLS"


def read_redis(section: Section, places: Places) -> FlagsConfig:
    """The settings of the provider. Problems are noted."""
    section.only(_KEYS, _SPECIAL)
    url = _url(section)
    given = any(section.has(key) for key in ("password_file", "password_command"))
    secret = read_secret_source(section, "password", places) if given else SecretSource()
    username = section.text("username")
    if username and not given:
        section.problem("username needs password_file or password_command", at="username")
    if section.has("tls_config") and not url.startswith("rediss:"):
        section.problem("is for rediss:// only", "write the url with rediss://, or leave it out", at="tls_config")
    tls = read_tls(section.section("tls_config"), places)
    if tls.server_name:
        section.problem("server_name is not supported here", "use the name in the url", at="tls_config")
    key = section.text("key", "flags") or "flags"
    settings = RedisSettings(
        url=url,
        key=key,
        stream=section.text("stream") or f"{key}:changes",
        username=username,
        password_file=secret.file,
        password_command=secret.command,
        tls_config=tls,
        timeout=section.duration("timeout", 5.0, 0.1, 300.0),
    )
    if settings.stream == settings.key:
        section.problem("is the key of the flags", "give the stream a key of its own", at="stream")
    return FlagsConfig(provider="redis", redis=settings)


def _url(section: Section) -> str:
    value = section.get("url", required=True, hint=_SHAPE)
    text = None if value is None else value.text(outside=True, hint=_SHAPE)
    if value is None or text is None:
        return ""
    message, hint = redis_url_problem(text)
    if message:
        value.problem(message, hint)
        return ""
    return text.rstrip("/")


def redis_url_problem(url: str) -> tuple[str, str]:
    """Message and hint that say why a URL cannot be a Redis; ("", "") when it can. The message never holds the
    URL: it may hold a password."""
    if not is_safe(url) or re.search(r"\s", url):
        return "has characters that a URL cannot have", ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL", _SHAPE
    if "@" in parts.netloc:
        return "has a user name or password in the URL", "use username with password_file"
    if parts.scheme not in ("redis", "rediss"):
        return "is not a redis or rediss URL", _SHAPE
    if not host or port == 0:
        return "names no host" if not host else "has the port 0", _SHAPE
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "has a query or fragment", "leave out everything from the ? or #"
    if not re.fullmatch(r"/?|/[0-9]{1,5}/?", parts.path, re.ASCII):
        return "does not end in the number of a database", _SHAPE
    return "", ""
