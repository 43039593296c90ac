"""The HTTP vocabulary of a configuration: URLs, and Prometheus' `http_config`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from opsconsole.config.nodes import Kind
from opsconsole.config.reader import Section, Value
from opsconsole.config.schema import (
    Authorization,
    BasicAuth,
    Endpoint,
    HeaderValue,
    HttpConfig,
    SecretSource,
    TlsConfig,
)
from opsconsole.text import is_safe

HTTP_KEYS = frozenset(
    {
        "basic_auth",
        "authorization",
        "tls_config",
        "http_headers",
        "proxy_url",
        "timeout",
        "follow_redirects",
        "enable_http2",
    }
)
"""Keys of an `http_config`. `enable_http2` is accepted and changes nothing: HTTP/1.1 serves every reply."""

HTTP_SPECIAL: dict[str, str] = {
    "oauth2": "use authorization: {credentials_file: …} or {credentials_command: […]}",
    "bearer_token": "use authorization: {credentials_file: …}",
    "bearer_token_file": "use authorization: {credentials_file: …}",
    "proxy_from_environment": "use proxy_url",
    "proxy_connect_header": "use a proxy that needs no header",
    "no_proxy": "leave proxy_url out for servers that need no proxy",
}
"""Hints for keys of Prometheus' `http_config` that have no place here."""

TOKEN_KEYS = frozenset({"token_file", "token_command"})
"""Keys that `read_token` reads."""

TOKEN_SPECIAL: dict[str, str] = {"token": "secrets are not written here: use token_file or token_command"}
"""Hints for a token written down."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = {
    "authorization": "use basic_auth or authorization",
    "cookie": "use http_headers with files under another name, or authorization",
    "proxy-authorization": "use a proxy that needs no credentials",
    "host": "use the host in the url",
} | dict.fromkeys(
    (
        "connection",
        "content-length",
        "content-type",
        "content-encoding",
        "accept-encoding",
        "transfer-encoding",
    ),
    "leave it out",
)


class Places(msgspec.Struct, frozen=True):
    """Where relative paths (`folder`, that of the file being read) and `~` (`home`) start."""

    folder: Path
    home: Path


def url_problem(url: str) -> tuple[str, str]:
    """Message and hint that say why a URL cannot be a server's; ("", "") when it can. The message never
    holds the URL: it may hold a password."""
    if not is_safe(url) or re.search(r"\s", url):
        return "has characters that a URL cannot have", ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL", "write it as http://host:port"
    if "@" in parts.netloc:
        return "has a user name or password in the URL", "use basic_auth with password_file"
    if parts.scheme not in ("http", "https"):
        return "is not an http or https URL", "write it as http://host:port"
    if not host or port == 0:
        return "names no host" if not host else "has the port 0", "write it as http://host:port"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "has a query or fragment", "leave out everything from the ? or #"
    return "", ""


def read_url(value: Value | None) -> str:
    """The URL without a slash at its end; "" after noting a problem."""
    text = None if value is None else value.text(outside=True, hint="write it as http://host:port")
    if value is None or text is None:
        return ""
    message, hint = url_problem(text)
    if message:
        value.problem(message, hint)
        return ""
    return text.rstrip("/")


def read_endpoint(section: Section, places: Places, base: HttpConfig | None = None) -> Endpoint:
    """A mapping of `url` and HTTP settings; what it leaves out comes from `base`."""
    section.only({"url"} | HTTP_KEYS, HTTP_SPECIAL)
    url = read_url(section.get("url", required=True, hint="write it as http://host:port"))
    return Endpoint(url=url, http=read_http(section, places, base))


def read_http(section: Section, places: Places, base: HttpConfig | None = None) -> HttpConfig:
    """The HTTP settings among a section's keys; it is the caller who says `only`."""
    http = base or HttpConfig()
    if section.has("basic_auth") and section.has("authorization"):
        section.problem("basic_auth and authorization cannot both be given", "keep one", at="authorization")
    if section.has("basic_auth") or section.has("authorization"):
        http = msgspec.structs.replace(
            http,
            basic_auth=_basic_auth(section.section("basic_auth"), places),
            authorization=_authorization(section.section("authorization"), places),
        )
    if section.has("tls_config"):
        http = msgspec.structs.replace(http, tls_config=_tls(section.section("tls_config"), places))
    if section.has("http_headers"):
        http = msgspec.structs.replace(http, http_headers=_headers(section.section("http_headers"), places))
    if section.boolean("follow_redirects"):
        section.problem("redirects are never followed", "use the URL that they lead to", at="follow_redirects")
    section.boolean("enable_http2")
    proxy = read_url(section.get("proxy_url")) if section.has("proxy_url") else http.proxy_url
    timeout = section.duration("timeout", http.timeout, 0.1, 300.0)
    return msgspec.structs.replace(http, proxy_url=proxy, timeout=timeout)


def _basic_auth(section: Section | None, places: Places) -> BasicAuth | None:
    if section is None:
        return None
    section.only(
        {"username", "password_file", "password_command"},
        {
            "password": "secrets are not written here: use password_file or password_command",
            "username_file": "use username",
        },
    )
    username = section.text("username", required=True)
    file, command = _secret_source(section, "password", places)
    return BasicAuth(username=username, password_file=file, password_command=command)


def _authorization(section: Section | None, places: Places) -> Authorization | None:
    if section is None:
        return None
    section.only(
        {"type", "credentials_file", "credentials_command"},
        {"credentials": "secrets are not written here: use credentials_file or credentials_command"},
    )
    kind = section.text("type", "Bearer")
    if not _TOKEN.fullmatch(kind) or kind.lower() == "basic":
        section.problem("must be one word such as Bearer, and not Basic", "use basic_auth for Basic", at="type")
    file, command = _secret_source(section, "credentials", places)
    return Authorization(type=kind, credentials_file=file, credentials_command=command)


def read_token(section: Section, places: Places) -> Authorization | None:
    """`token_file` or `token_command`, of APIs that want the token alone in their Authorization header. None when
    the section gives credentials in another way, after noting a problem when it gives none."""
    others = [key for key in ("basic_auth", "authorization") if section.has(key)]
    if others:
        for key in ("token_file", "token_command"):
            if section.has(key):
                section.problem(f"{key} and {others[0]} cannot both be given", "keep one", at=key)
        return None
    file, command = _secret_source(section, "token", places)
    return Authorization(type="", credentials_file=file, credentials_command=command)


def _secret_source(section: Section, name: str, places: Places) -> tuple[Path | None, tuple[str, ...]]:
    file_key, command_key = f"{name}_file", f"{name}_command"
    file = section.path(file_key, places.folder, places.home)
    command = _command(section.get(command_key))
    if section.has(file_key) and section.has(command_key):
        section.problem(f"{file_key} and {command_key} cannot both be given", "keep one", at=command_key)
    elif not section.has(file_key) and not section.has(command_key) and not section.has(name):
        section.problem(f"needs {file_key} or {command_key}")
    return file, command


def _command(value: Value | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if value.node.kind is Kind.LIST:
        words = value.texts()
    else:
        text = value.text(hint="write it as [program, argument]")
        try:
            words = tuple(shlex.split(text or ""))
        except ValueError:
            value.problem("has an open quote", "write it as [program, argument]")
            return ()
        if text is None:
            return ()
    if not words or not words[0]:
        value.problem("names no program", "write it as [program, argument]")
    return words


def _tls(section: Section | None, places: Places) -> TlsConfig:
    if section is None:
        return TlsConfig()
    section.only(
        {"ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify"},
        {
            "ca": "use ca_file",
            "cert": "use cert_file",
            "key": "use key_file",
            "min_version": "leave it out: TLS 1.2 is the least that is spoken",
            "max_version": "leave it out",
        },
    )
    config = TlsConfig(
        ca_file=section.path("ca_file", places.folder, places.home),
        cert_file=section.path("cert_file", places.folder, places.home),
        key_file=section.path("key_file", places.folder, places.home),
        server_name=section.text("server_name"),
        insecure_skip_verify=section.boolean("insecure_skip_verify"),
    )
    if section.has("cert_file") != section.has("key_file"):
        section.problem("cert_file and key_file belong together", "give both")
    return config


def _headers(section: Section | None, places: Places) -> Mapping[str, HeaderValue]:
    if section is None:
        return {}
    headers: dict[str, HeaderValue] = {}
    shape = "write it as {values: [one]} or {files: [path]}"
    for name, value in section.entries():
        if not _TOKEN.fullmatch(name):
            value.problem("is not a header name")
            continue
        if name.lower() in _OURS:
            value.problem("cannot be set here", _OURS[name.lower()])
            continue
        header = value.section(shape)
        if header is None:
            continue
        understood = header.only({"values", "files"}, {"secrets": "secrets are not written here: use files"})
        files = header.get("files")
        paths = [item.path(places.folder, places.home) for item in files.items()] if files else []
        headers[name] = HeaderValue(
            values=header.texts("values"), files=tuple(path for path in paths if path is not None)
        )
        if understood and not header.has("values") and not header.has("files"):
            header.problem("has no value", shape)
    return headers


def read_secret_source(section: Section, name: str, places: Places) -> SecretSource:
    """`<name>_file` or `<name>_command`: a problem is noted unless exactly one is given."""
    file, command = _secret_source(section, name, places)
    return SecretSource(file=file, command=command)


def read_tls(section: Section | None, places: Places) -> TlsConfig:
    """A `tls_config`; without one, that of TLS as it usually is."""
    return _tls(section, places)
