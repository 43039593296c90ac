"""A resolved context as text for a person: what will be used and where it came from, without secrets."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.config.discover import Resolution
from opsconsole.config.schema import Endpoint, FlagsConfig, HttpConfig, RedisSettings, TlsConfig
from opsconsole.model.radius import span
from opsconsole.text import safe


def describe(resolution: Resolution) -> str:
    """Lines of `key: value`, those with a known origin ending in `# from …`. Header values and the
    arguments of commands are left out: they may be secrets."""
    return "\n".join(_lines(resolution))


def _lines(resolution: Resolution) -> Iterator[str]:
    context = resolution.context

    def said(field: str, text: str) -> str:
        origin = resolution.origins.get(field, "")
        return f"{text}  # from {origin}" if origin else text

    yield f"context: {safe(context.name)}"
    yield said("environment", f"environment: {safe(context.environment) or '(none)'}")
    yield said("read_only", f"read_only: {str(context.read_only).lower()}")
    yield said("author", f"author: {safe(context.author) or '(the login name)'}")
    acks = context.acks
    times = (
        f"{_span(acks.duration)} each, at most {_span(acks.max_age)} old, stale after {_span(acks.stale_after)}"
    )
    yield f"acks: {times}"
    names = ", ".join(safe(name) for name in context.playbooks)
    yield said("playbooks", f"playbooks: {names or '(none)'}")
    if context.prometheus is None:
        yield "prometheus: (none)"
    else:
        yield said("prometheus", f"prometheus: {safe(context.prometheus.url)}")
        yield from _http(context.prometheus.http, "  ")
    if not context.alertmanager:
        found = "(those that Prometheus names)" if context.find_alertmanagers else "(none)"
        yield f"alertmanager: {found}"
    else:
        yield said("alertmanager", "alertmanager:")
        for cluster in context.alertmanager:
            yield f"  {safe(cluster.name)}:"
            for member in cluster.members:
                yield from _member(member)
    limits = context.limits
    yield said(
        "silences",
        f"silences: typed confirmation above {limits.confirm_above:,} alerts or {span(limits.max_duration)}",
    )
    flags = context.flags
    if flags is None:
        yield "flags: (none)"
    else:
        yield said("flags", f"flags: {safe(flags.provider)}, {safe(_where(flags))}")
        for name, word in (("project", flags.project), ("environment", flags.environment)):
            if word:
                yield f"  {name}: {safe(word)}"
        if flags.endpoint is not None:
            yield from _http(flags.endpoint.http, "  ")
        if flags.redis is not None:
            yield from _redis(flags.redis)
        for flag, variant in sorted(flags.safe_variants.items()):
            yield f"  rollback of {safe(flag)} serves {safe(variant)}"
    yield from _guard(resolution)


def _guard(resolution: Resolution) -> Iterator[str]:
    """Only of a context that says that there is one."""
    guard, origin = resolution.context.guard, resolution.origins.get("guard", "")
    if guard is None:
        return
    told = ", ".join(safe(one.name) for one in guard.notify)
    expected = "expected to be armed" if guard.expect_armed else "armed only for a time"
    yield f"guard: {expected}; tells {told or 'nobody'}" + (f"  # from {origin}" if origin else "")
    for name, path in (
        ("state", guard.state),
        ("kill_switch", guard.kill_switch),
        ("lease", guard.lease),
        ("textfile", guard.textfile),
    ):
        if path is not None:
            yield f"  {name}: {safe(str(path))}"
    if guard.listen is not None:
        host, port = guard.listen
        yield f"  listen: {f'[{host}]' if ':' in host else host}:{port}"


def _where(flags: FlagsConfig) -> str:
    if flags.endpoint is not None:
        return flags.endpoint.url
    if flags.redis is not None:
        return flags.redis.url
    if flags.generic is not None:
        return " ".join(flags.generic.calls["list"].argv[:1])
    return str(flags.path)


def _redis(redis: RedisSettings) -> Iterator[str]:
    yield f"  key: {safe(redis.key)}, changes in {safe(redis.stream)}"
    if redis.password_file or redis.password_command:
        source = _source("password", str(redis.password_file or ""), redis.password_command)
        yield f"  username: {safe(redis.username) or '(default)'}, {source}"
    yield from _tls(redis.tls_config, "  ")


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _member(member: Endpoint) -> Iterator[str]:
    yield f"    {safe(member.url)}"
    yield from _http(member.http, "      ")


def _http(http: HttpConfig, indent: str) -> Iterator[str]:
    if http.basic_auth is not None:
        auth = http.basic_auth
        source = _source("password", str(auth.password_file or ""), auth.password_command)
        yield f"{indent}basic_auth: {safe(auth.username)}, {source}"
    if http.authorization is not None:
        auth_header = http.authorization
        source = _source("credentials", str(auth_header.credentials_file or ""), auth_header.credentials_command)
        yield f"{indent}authorization: {safe(auth_header.type) or 'the bare token'}, {source}"
    yield from _tls(http.tls_config, indent)
    for header, given in sorted(http.http_headers.items()):
        files = "".join(f", from {safe(str(path))}" for path in given.files)
        hidden = f" {len(given.values)} value(s), not shown" if given.values else ""
        yield f"{indent}header {safe(header)}:{hidden}{files}"
    if http.proxy_url:
        yield f"{indent}proxy_url: {safe(http.proxy_url)}"
    if http.timeout != HttpConfig().timeout:
        yield f"{indent}timeout: {http.timeout:g}s"


def _tls(tls: TlsConfig, indent: str) -> Iterator[str]:
    for name, value in (
        ("ca_file", tls.ca_file),
        ("cert_file", tls.cert_file),
        ("key_file", tls.key_file),
        ("server_name", tls.server_name),
    ):
        if value:
            yield f"{indent}{name}: {safe(str(value))}"
    if tls.insecure_skip_verify:
        yield f"{indent}insecure_skip_verify: true (anyone in between can read and change everything)"


def _source(what: str, file: str, command: tuple[str, ...]) -> str:
    return f"{what} from {safe(file)}" if file else f"{what} from the command {safe(command[0])}"
