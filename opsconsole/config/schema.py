"""What a configuration means once it is read: where to connect and how, without any secret in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.model.acks import AckPolicy
from opsconsole.model.flags import Capabilities, Swap
from opsconsole.model.radius import Limits


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`tls_config`: a CA, a client certificate with its key, the name to verify ("" means the URL's host)."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    insecure_skip_verify: bool = False


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """`basic_auth`: the password comes from exactly one of a file and a command (argv, run without a shell).

    Read it with `opsconsole.config.secrets.read_secret(file=…, command=…)`.
    """

    username: str
    password_file: Path | None = None
    password_command: tuple[str, ...] = ()


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """`authorization`: the header is `<type> <credentials>`, the credentials alone when `type` is "". Read them
    with `read_secret`."""

    type: str = "Bearer"
    credentials_file: Path | None = None
    credentials_command: tuple[str, ...] = ()


class HeaderValue(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one header: those written down, then those in files (read with `read_secret`)."""

    values: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to speak HTTP to one server. At most one of `basic_auth` and `authorization` is set.

    `proxy_url` is "" for none; `timeout` is the total deadline of one request, seconds.
    """

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls_config: TlsConfig = TlsConfig()
    http_headers: Mapping[str, HeaderValue] = {}
    proxy_url: str = ""
    timeout: float = 10.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `url` has no userinfo, query or fragment and does not end in a slash."""

    url: str
    http: HttpConfig = HttpConfig()


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One Alertmanager gossip cluster: at least one member."""

    name: str
    members: tuple[Endpoint, ...]


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`provider: redis`. `url` is redis:// or rediss:// with host, port and number of the database, without
    userinfo; `key` is the hash with the flags, `stream` where changes are recorded; `timeout` is in seconds, for
    one command. At most one of `password_file` and `password_command` is set."""

    url: str
    key: str = "flags"
    stream: str = "flags:changes"
    username: str = ""
    password_file: Path | None = None
    password_command: tuple[str, ...] = ()
    tls_config: TlsConfig = TlsConfig()
    timeout: float = 5.0


class FlagCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request (`method`, `path`, `headers`, `body`, and the statuses that say what happened) or one command
    (`argv`) of a provider that is described in the configuration.

    `items` is the path of what is wanted in the answer, `total` that of how many there should be. `fields` are the
    paths of what a change says, `sets` the values by path that a flag has after `off`. In texts, words in braces
    such as `{key}` stand for what is asked; `body` is None for none.
    """

    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = {}
    body: object = None
    expect: tuple[int, ...] = ()
    approval: tuple[int, ...] = ()
    argv: tuple[str, ...] = ()
    items: str = ""
    total: str = ""
    fields: Mapping[str, str] = {}
    sets: Mapping[str, object] = {}


class GenericSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`provider: http` and `provider: exec`: the calls by name (list, get, off, restore, changes), the paths of a
    flag's `fields`, the values that mean on and off, and the members that are no part of a definition. `timeout`
    in seconds and `folder`, which they start in, are for commands."""

    calls: Mapping[str, FlagCall]
    fields: Mapping[str, str]
    on: tuple[object, ...] = (True,)
    off: tuple[object, ...] = (False,)
    ignore: tuple[str, ...] = ()
    capabilities: Capabilities = Capabilities(swap=Swap.REREAD)
    timeout: float = 10.0
    folder: Path | None = None


class FlagsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the feature flags are. `safe_variants` maps a flag to the variant that a rollback serves.

    `path` is for providers of a file, `endpoint` (with its credentials) for those that speak HTTP; `project` and
    `environment` are the provider's own words. `redis` is for the provider of that name, `generic`
    for http and exec.
    """

    provider: str
    path: Path | None = None
    endpoint: Endpoint | None = None
    project: str = ""
    environment: str = ""
    safe_variants: Mapping[str, str] = {}
    redis: RedisSettings | None = None
    generic: GenericSettings | None = None


class SecretSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret is: exactly one of a file and a command (argv, run without a shell), for `read_secret`."""

    file: Path | None = None
    command: tuple[str, ...] = ()


class MailConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server and who writes to whom. `security` is `starttls`, `implicit` (TLS from the first byte) or
    `none`; with a `username` there is a `password`."""

    host: str
    port: int
    security: str = "starttls"
    tls_config: TlsConfig = TlsConfig()
    timeout: float = 10.0
    username: str = ""
    password: SecretSource | None = None
    sender: str = ""
    to: tuple[str, ...] = ()


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One channel on which a guard tells what it does. `kind` is a key of `opsconsole.config.notify.KINDS`.

    `on` are the kinds of events that it is told of, empty for the usual ones. `endpoint` is where PagerDuty or the
    webhook is, with the HTTP settings; that of Slack has no URL, because the URL is the `secret`. The `secret` of
    PagerDuty is its routing key, and `changes` says whether it gets change events too. `channel` is Slack's.
    """

    name: str
    kind: str = ""
    on: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    secret: SecretSource | None = None
    changes: bool = True
    channel: str = ""
    mail: MailConfig | None = None


class GuardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that rolls flags back without a person needs beside the playbooks' `guard:` sections.

    A path that is None is the usual one: see `opsconsole.config.guard.guard_places`. `listen` is the loopback
    address and port of `/metrics`, None for none; `textfile` a file for node-exporter's textfile collector.
    With `expect_armed`, a guard that is not armed is a problem.
    """

    state: Path | None = None
    kill_switch: Path | None = None
    lease: Path | None = None
    listen: tuple[str, int] | None = None
    textfile: Path | None = None
    expect_armed: bool = False
    notify: tuple[NotifyConfig, ...] = ()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One place to connect to.

    `playbooks` are names of shipped playbooks or absolute folders. `author` is "" when the OS user signs.
    With `find_alertmanagers` the Alertmanagers are those that Prometheus names in `/api/v1/alertmanagers`.
    `silences` is None when the file does not say what must be confirmed twice: see `limits`. `guard` is None when
    the file does not say that there is one; one may run all the same.
    """

    name: str
    environment: str = ""
    read_only: bool = False
    playbooks: tuple[str, ...] = ()
    prometheus: Endpoint | None = None
    alertmanager: tuple[ClusterConfig, ...] = ()
    flags: FlagsConfig | None = None
    author: str = ""
    find_alertmanagers: bool = False
    acks: AckPolicy = AckPolicy()
    silences: Limits | None = None
    guard: GuardConfig | None = None

    @property
    def limits(self) -> Limits:
        """What asks for a number before a silence is made."""
        return self.silences or Limits()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration file. `path` is None when there is none; `lines` are the lines of the contexts."""

    path: Path | None = None
    current_context: str = ""
    contexts: Mapping[str, Context] = {}
    lines: Mapping[str, int] = {}
