"""What a configuration file means, and every problem that it can have: with line, key and hint."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.flags import PROVIDERS
from opsconsole.config.load import load_config, read_http_file
from opsconsole.config.schema import Config, HeaderValue
from opsconsole.errors import ConfigError, ExitCode
from opsconsole.model.radius import Limits

KNOWN = "known providers: " + ", ".join(PROVIDERS)

FULL = """\
current_context: prod
contexts:
  prod:
    environment: production
    read_only: true
    author: ann
    playbooks: [accubooks, ./mine, ~/books/x]
    prometheus:
      url: https://prometheus.example/prom/
      authorization: {credentials_file: ~/.secrets/prom}
      http_headers: {X-Scope-OrgID: {values: [tenant-1], files: [tenant]}}
      tls_config: {ca_file: ca.pem, cert_file: c.pem, key_file: /k/c.key, server_name: p, insecure_skip_verify: on}
      proxy_url: http://proxy:3128
      timeout: 3s
      follow_redirects: false
      enable_http2: true
    alertmanager:
      - name: main
        basic_auth: {username: ann, password_command: [pass, show, am]}
        members:
          - https://am-0.example
          - {url: https://am-1.example, authorization: {type: Token, credentials_command: "get 'the token'"}}
      - {name: other, members: [http://am-2]}
    flags: {provider: flagd, path: flags.json, safe_variants: {new_pricing: off, limit: 5}}
    silences: {confirm_above: 3, max_duration: 2h}
  lab:
    prometheus: {url: http://lab:9090}
"""


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return load_config(file, {}, home=Path("/home/ann"))


def test_a_full_file(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    prod = config.contexts["prod"]
    assert (config.current_context, list(config.contexts)) == ("prod", ["prod", "lab"])
    assert (prod.environment, prod.read_only, prod.author) == ("production", True, "ann")
    assert prod.playbooks == ("accubooks", str(tmp_path / "mine"), "/home/ann/books/x")
    assert prod.limits == Limits(3, 7200.0)
    assert config.contexts["lab"].limits == Limits(10, 86400.0)
    assert prod.find_alertmanagers is False
    assert config.contexts["lab"].find_alertmanagers is True

    assert prod.prometheus is not None
    assert prod.prometheus.url == "https://prometheus.example/prom"
    http = prod.prometheus.http
    assert http.authorization is not None
    assert (http.authorization.type, http.authorization.credentials_file) == (
        "Bearer",
        Path("/home/ann/.secrets/prom"),
    )
    assert http.http_headers == {"X-Scope-OrgID": HeaderValue(values=("tenant-1",), files=(tmp_path / "tenant",))}
    assert (http.tls_config.ca_file, http.tls_config.key_file) == (tmp_path / "ca.pem", Path("/k/c.key"))
    assert http.tls_config.insecure_skip_verify is True
    assert (http.proxy_url, http.timeout) == ("http://proxy:3128", 3.0)

    main, other = prod.alertmanager
    assert [m.url for m in main.members] == ["https://am-0.example", "https://am-1.example"]
    first, second = (m.http for m in main.members)
    assert first.basic_auth is not None
    assert first.basic_auth.password_command == ("pass", "show", "am")
    assert second.basic_auth is None
    assert second.authorization is not None
    assert second.authorization.credentials_command == ("get", "the token")
    assert other.members[0].http.basic_auth is None

    assert prod.flags is not None
    assert prod.flags.path == tmp_path / "flags.json"
    assert prod.flags.safe_variants == {"new_pricing": "off", "limit": "5"}


def context(body: str) -> str:
    """A file whose one context has this body, starting on line 3."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"contexts:\n  a:\n{lines}"


P = "prometheus: {url: http://p}\n"
HTTP = "prometheus:\n  url: http://p\n  "
AM = "alertmanager:\n  - name: m\n    members: [http://a]\n    "
FLAGS = "flags:\n  provider: flagd\n  path: f\n  "


# fmt: off
PROBLEMS = [
    ("contxts: {}\n", 1, "contxts", "is not a known key", "did you mean contexts?"),
    ("current_context: a\n", 1, "", "contexts is missing", "name at least one context"),
    ("contexts: {}\n", 1, "contexts", "names no context", "name at least one context"),
    ("contexts: 5\n", 1, "contexts", "must be a mapping, not `5`", "write it as a mapping: a name, then its settings"),
    ("current_context: prd\n" + context(P), 1, "current_context", "there is no context `prd`", "known: a"),
    ('contexts: {"a\\e": {}}\n', 1, "contexts.a\\x1b", "this key is not plain text", "retype it"),
    (context("prometeus: {url: http://p}"), 3, "contexts.a.prometeus", "is not a known key", "did you mean prometheus?"),
    (context("read_only: true"), 2, "contexts.a", "names nothing to connect to", "give prometheus, alertmanager or flags"),
    (context(P + "read_only: 5"), 4, "contexts.a.read_only", "must be true or false, not `5`", ""),
    (context(P + "environment: [a]"), 4, "contexts.a.environment", "must be text, not a list", ""),
    (context(P + 'author: "a\\u202eb"'), 4, "contexts.a.author", "has characters that are not plain text: a\\u202eb", "retype it"),
    (context(P + "playbooks: accubooks"), 4, "contexts.a.playbooks", "must be a list, not `accubooks`", "write it as [one, two]"),
    (context(P + "playbooks: [x, x]"), 4, "contexts.a.playbooks", "names a playbook twice", ""),
    (context("prometheus: http://p"), 3, "contexts.a.prometheus", "must be a mapping, not `http://p`", "write it as {url: http://host:9090}"),
    (context("prometheus: {timeout: 5s}"), 3, "contexts.a.prometheus.url", "is missing", "write it as http://host:port"),
    (context("prometheus: {url: }"), 3, "contexts.a.prometheus.url", "is empty", "write it as http://host:port"),
    (context("prometheus: {url: 'http://u:hunter2@p'}"), 3, "contexts.a.prometheus.url", "has a user name or password in the URL", "use basic_auth with password_file"),
    (context("prometheus: {url: localhost:9090}"), 3, "contexts.a.prometheus.url", "is not an http or https URL", "write it as http://host:port"),
    (context("prometheus: {url: 'ftp://p'}"), 3, "contexts.a.prometheus.url", "is not an http or https URL", "write it as http://host:port"),
    (context("prometheus: {url: 'http://'}"), 3, "contexts.a.prometheus.url", "names no host", "write it as http://host:port"),
    (context("prometheus: {url: 'http://p:x'}"), 3, "contexts.a.prometheus.url", "is not a URL", "write it as http://host:port"),
    (context("prometheus: {url: 'http://p:0'}"), 3, "contexts.a.prometheus.url", "has the port 0", "write it as http://host:port"),
    (context("prometheus: {url: 'http://p/?a=1'}"), 3, "contexts.a.prometheus.url", "has a query or fragment", "leave out everything from the ? or #"),
    (context("prometheus: {url: 'http://p /x'}"), 3, "contexts.a.prometheus.url", "has characters that a URL cannot have", ""),
    (context(HTTP + "basic_auth: {username: a, password: hunter2}"), 5, "contexts.a.prometheus.basic_auth.password", "is not supported", "secrets are not written here: use password_file or password_command"),
    (context(HTTP + "basic_auth: {username: a}"), 5, "contexts.a.prometheus.basic_auth", "needs password_file or password_command", ""),
    (context(HTTP + "basic_auth: {password_file: a}"), 5, "contexts.a.prometheus.basic_auth.username", "is missing", ""),
    (context(HTTP + "basic_auth: {username: ' ', password_file: a}"), 5, "contexts.a.prometheus.basic_auth.username", "may not be blank", ""),
    (context(HTTP + "basic_auth: {username: a, password_file: a, password_command: b}"), 5, "contexts.a.prometheus.basic_auth.password_command", "password_file and password_command cannot both be given", "keep one"),
    (context(HTTP + "basic_auth: {username: a, password_command: []}"), 5, "contexts.a.prometheus.basic_auth.password_command", "names no program", "write it as [program, argument]"),
    (context(HTTP + "basic_auth: {username: a, password_command: \"a 'b\"}"), 5, "contexts.a.prometheus.basic_auth.password_command", "has an open quote", "write it as [program, argument]"),
    (context(HTTP + "authorization: {credentials: hunter2}"), 5, "contexts.a.prometheus.authorization.credentials", "is not supported", "secrets are not written here: use credentials_file or credentials_command"),
    (context(HTTP + "authorization: {type: Basic, credentials_file: a}"), 5, "contexts.a.prometheus.authorization.type", "must be one word such as Bearer, and not Basic", "use basic_auth for Basic"),
    (context(HTTP + "authorization: {credentials_file: a}\n  basic_auth: {username: a, password_file: b}"), 5, "contexts.a.prometheus.authorization", "basic_auth and authorization cannot both be given", "keep one"),
    (context(HTTP + "bearer_token: hunter2"), 5, "contexts.a.prometheus.bearer_token", "is not supported", "use authorization: {credentials_file: …}"),
    (context(HTTP + "tls_config: {ca_fil: a}"), 5, "contexts.a.prometheus.tls_config.ca_fil", "is not a known key", "did you mean ca_file?"),
    (context(HTTP + "tls_config: {cert_file: a}"), 5, "contexts.a.prometheus.tls_config", "cert_file and key_file belong together", "give both"),
    (context(HTTP + "http_headers: {X-A: b}"), 5, "contexts.a.prometheus.http_headers.X-A", "must be a mapping, not `b`", "write it as {values: [one]} or {files: [path]}"),
    (context(HTTP + "http_headers: {X-A: {secrets: [hunter2]}}"), 5, "contexts.a.prometheus.http_headers.X-A.secrets", "is not supported", "secrets are not written here: use files"),
    (context(HTTP + "http_headers: {X-A: {}}"), 5, "contexts.a.prometheus.http_headers.X-A", "has no value", "write it as {values: [one]} or {files: [path]}"),
    (context(HTTP + "http_headers: {X A: {values: [b]}}"), 5, "contexts.a.prometheus.http_headers.X A", "is not a header name", ""),
    (context(HTTP + "http_headers: {Authorization: {values: [b]}}"), 5, "contexts.a.prometheus.http_headers.Authorization", "cannot be set here", "use basic_auth or authorization"),
    (context(HTTP + 'http_headers: {X-A: {values: ["a\\r\\nb"]}}'), 5, "contexts.a.prometheus.http_headers.X-A.values[0]", "has characters that are not plain text: a\\r\\nb", "retype it"),
    (context(HTTP + "follow_redirects: true"), 5, "contexts.a.prometheus.follow_redirects", "redirects are never followed", "use the URL that they lead to"),
    (context(HTTP + "timeout: 10"), 5, "contexts.a.prometheus.timeout", "must be a duration, not `10`", "write it as Prometheus does: 30s, 5m, 1h30m"),
    (context(HTTP + "timeout: 1h"), 5, "contexts.a.prometheus.timeout", "must be from 0.1 s to 300 s", ""),
    (context("alertmanager: {name: main}"), 3, "contexts.a.alertmanager", "must be a list, not a mapping", "write it as a list: - {name: main, members: [http://host:9093]}"),
    (context("alertmanager:\n  - {name: x}"), 4, "contexts.a.alertmanager[0].members", "is missing", "write it as a list: - {name: main, members: [http://host:9093]}"),
    (context("alertmanager:\n  - {url: http://a}"), 4, "contexts.a.alertmanager[0].url", "is not supported", "use members: [url]"),
    (context("alertmanager:\n  - {members: []}"), 4, "contexts.a.alertmanager[0].members", "has no member", "give at least one URL"),
    (context("alertmanager:\n  - {members: [http://a, http://a/]}"), 4, "contexts.a.alertmanager[0].members", "names a member twice", ""),
    (context("alertmanager:\n  - {members: [http://a]}\n  - {name: x, members: [http://b]}"), 4, "contexts.a.alertmanager[0].name", "is missing", ""),
    (context("alertmanager:\n  - {name: x, members: [http://a]}\n  - {name: x, members: [http://b]}"), 5, "contexts.a.alertmanager[1].name", "there are two clusters named `x`", "give each its own name"),
    (context(AM + "proxy_url: x"), 6, "contexts.a.alertmanager[0].proxy_url", "is not an http or https URL", "write it as http://host:port"),
    (context("alertmanager:\n  - {members: [{url: http://a, timeot: 1s}]}"), 4, "contexts.a.alertmanager[0].members[0].timeot", "is not a known key", "did you mean timeout?"),
    (context("flags: {path: f}"), 3, "contexts.a.flags.provider", "is missing", ""),
    (context("flags: {provider: flipper, url: http://u}"), 3, "contexts.a.flags.provider", "`flipper` is not supported yet", KNOWN),
    (context("flags: {provider: flagg, path: f}"), 3, "contexts.a.flags.provider", "`flagg` is not supported yet", "did you mean flagd?"),
    (context("flags: {provider: flagd}"), 3, "contexts.a.flags.path", "is missing", "the flag definition file that flagd reads"),
    (context(FLAGS + "safe_variants: [a]"), 6, "contexts.a.flags.safe_variants", "must be a mapping, not a list", "write it as {flag: variant}"),
    (context(FLAGS + "safe_variants: {f: [a]}"), 6, "contexts.a.flags.safe_variants.f", "must be text, not a list", ""),
    (context(P + "silences: {confirm_abov: 3}"), 4, "contexts.a.silences.confirm_abov", "is not a known key", "did you mean confirm_above?"),
    (context(P + "silences: {confirm_above: -1}"), 4, "contexts.a.silences.confirm_above", "must be a whole number from 0 to 1000000, not `-1`", ""),
    (context(P + "silences: {max_duration: 24}"), 4, "contexts.a.silences.max_duration", "must be a duration, not `24`", "write it as Prometheus does: 30s, 5m, 1h30m"),
    (context(P + "silences: {max_duration: 5s}"), 4, "contexts.a.silences.max_duration", "must be at least 60 s", ""),
    (context(P + "silences: 5"), 4, "contexts.a.silences", "must be a mapping, not `5`", "write it as {confirm_above: 10, max_duration: 24h}"),
    (context(P + "silence: {}"), 4, "contexts.a.silence", "is not a known key", "did you mean silences?"),
    (context(FLAGS + "token_fil: x"), 6, "contexts.a.flags.token_fil", "is not a known key", "known: path, provider, safe_variants"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "key", "message", "hint"), PROBLEMS)
def test_every_problem_has_file_line_key_and_hint(
    tmp_path: Path, text: str, line: int, key: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    found = [(p.file, p.line, p.key, p.message, p.hint) for p in caught.value.problems]
    assert found == [(str(tmp_path / "c.yaml"), line, key, message, hint)]
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE


def test_all_problems_come_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = context("flags: {provider: x}\nread_only: 5\nprometheus: {ulr: http://p}\n") + "typo: 1\n"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [p.line for p in caught.value.problems] == [3, 4, 5, 5, 6]
    assert str(caught.value).splitlines()[0] == (
        f"{tmp_path}/c.yaml:3: contexts.a.flags.provider: `x` is not supported yet ({KNOWN})"
    )


def test_an_empty_list_of_alertmanagers_means_none(tmp_path: Path) -> None:
    config = load(tmp_path, context(P + "alertmanager: []"))
    assert config.contexts["a"].find_alertmanagers is False


def test_an_http_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "http.yml"
    file.write_text("basic_auth: {username: a, password_file: pw}\n")
    http = read_http_file(file, tmp_path)
    assert http.basic_auth is not None
    assert http.basic_auth.password_file == tmp_path / "pw"
    file.write_text("x: 1\n")
    with pytest.raises(ConfigError, match=r"http\.yml:1: x: is not a known key"):
        read_http_file(file, tmp_path)


def test_the_settings_of_acks_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    base = "contexts:\n  a:\n    prometheus: {url: http://p}\n    acks: "
    file.write_text(base + "{max_age: 8h, duration: 30m}\n")
    acks = load_config(file, {}).contexts["a"].acks
    assert (acks.duration, acks.max_age, acks.stale_after) == (1800.0, 28800.0, 3600.0)
    for text, said in {
        "{max_agee: 1h}": "acks.max_agee: is not a known key",
        "{max_age: soon}": "acks.max_age: must be a duration",
        "{duration: 10s}": "acks.duration: is too short",
        "{duration: 1h, max_age: 30m}": "acks.max_age: is shorter than one ack lasts",
        "4h": "acks: must be a mapping",
    }.items():
        file.write_text(base + text + "\n")
        with pytest.raises(ConfigError) as caught:
            load_config(file, {})
        assert f"{file}:4" in str(caught.value)
        assert said in str(caught.value)
