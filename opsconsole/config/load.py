"""Reading a configuration file: every problem at once, each with file, line, key and hint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opsconsole.config.flags import read_flags
from opsconsole.config.guard import SHAPE as GUARD_SHAPE
from opsconsole.config.guard import read_guard
from opsconsole.config.http import HTTP_KEYS, HTTP_SPECIAL, Places, read_endpoint, read_http, read_url
from opsconsole.config.nodes import Kind, Problems, decode, parse, read_bytes
from opsconsole.config.paths import ETC, config_files, home_of
from opsconsole.config.reader import Section, Value, expand, nearest
from opsconsole.config.schema import ClusterConfig, Config, Context, Endpoint, HttpConfig
from opsconsole.model.acks import AckPolicy
from opsconsole.model.radius import Limits
from opsconsole.text import safe

SHORTEST_ACK = 120.0
"""The least that an ack may last, in seconds: acks are looked after every 20 seconds."""

_CLUSTER_SHAPE = "write it as a list: - {name: main, members: [http://host:9093]}"


def load_config(path: Path | None, env: Mapping[str, str], *, home: Path | None = None, etc: Path = ETC) -> Config:
    """The configuration in `path`, else in the file that OPSCONSOLE_CONFIG names, else in the first default
    file that is there; an empty Config when none is. Raises ConfigError with every problem."""
    home = home or home_of(env)
    if path is None:
        named = bool(env.get("OPSCONSOLE_CONFIG"))
        path = next((p for p in config_files(env, home, etc) if named or is_there(p)), None)
    if path is None:
        return Config()
    return read_config(path, home)


def is_there(path: Path) -> bool:
    """Whether a file is there; one that cannot be looked at is, so that reading it says why."""
    try:
        return path.exists()
    except OSError:
        return True


def read_root(path: Path, problems: Problems) -> Section | None:
    """The mapping that a YAML file holds; None after noting why there is none."""
    raw = read_bytes(path, problems)
    text = None if raw is None else decode(raw, problems)
    root = None if text is None else parse(text, problems)
    if root is None:
        if not problems.found:
            problems.add(0, "", "is empty")
        return None
    return Value(root, "", problems).section()


def read_config(path: Path, home: Path) -> Config:
    """The configuration in one file. Raises ConfigError with every problem."""
    problems = Problems(str(path))
    root = read_root(path, problems)
    config = Config(path=path) if root is None else _config(root, path, home)
    problems.check(hint="see `opsconsole config init` for a commented example")
    return config


def _config(root: Section, path: Path, home: Path) -> Config:
    understood = root.only({"current_context", "contexts"})
    contexts: dict[str, Context] = {}
    lines: dict[str, int] = {}
    section = root.section("contexts", "write it as a mapping: a name, then its settings")
    if understood and not root.has("contexts"):
        root.problem("contexts is missing", "name at least one context")
    places = Places(path.absolute().parent, home)
    for name, value in section.entries() if section is not None else ():
        body = value.section()
        lines[name] = value.line
        if body is not None:
            contexts[name] = _context(name, body, places)
    if section is not None and not section.node.pairs:
        section.problem("names no context", "name at least one context")
    current = root.text("current_context")
    if current and lines and current not in lines:
        root.problem(f"there is no context `{safe(current, 60)}`", nearest(current, lines), at="current_context")
    return Config(path=path, current_context=current, contexts=contexts, lines=lines)


def _context(name: str, section: Section, places: Places) -> Context:
    understood = section.only(
        {
            *("environment", "read_only", "playbooks", "author", "acks", "silences"),
            *("prometheus", "alertmanager", "flags", "guard"),
        }
    )
    prometheus = section.section("prometheus", "write it as {url: http://host:9090}")
    endpoint = None if prometheus is None else read_endpoint(prometheus, places)
    acks = section.section("acks", "write it as {max_age: 4h, stale_after: 1h}")
    flags = section.section("flags", "write it as {provider: flagd, path: flags.json}")
    silences = section.section("silences", "write it as {confirm_above: 10, max_duration: 24h}")
    guard = section.section("guard", GUARD_SHAPE)
    if understood and not any(section.get(key) for key in ("prometheus", "alertmanager", "flags")):
        section.problem("names nothing to connect to", "give prometheus, alertmanager or flags")
    return Context(
        name=name,
        environment=section.text("environment"),
        read_only=section.boolean("read_only"),
        playbooks=_playbooks(section.get("playbooks"), places),
        prometheus=endpoint,
        alertmanager=_clusters(section, places),
        flags=None if flags is None else read_flags(flags, places),
        author=section.text("author"),
        silences=None if silences is None else _limits(silences),
        find_alertmanagers=endpoint is not None and not section.has("alertmanager"),
        acks=AckPolicy() if acks is None else _acks(acks),
        guard=None if guard is None else read_guard(guard, places),
    )


def _acks(section: Section) -> AckPolicy:
    """An ack must be seen to end before it does, and may not begin older than it may get."""
    section.only(AckPolicy.__struct_fields__)
    usual = AckPolicy()
    duration = section.duration("duration", usual.duration)
    max_age = section.duration("max_age", max(usual.max_age, duration))
    if duration < SHORTEST_ACK:
        section.problem("is too short to be extended in time", "give at least 2m", at="duration")
    elif max_age < duration:
        section.problem("is shorter than one ack lasts", "give at least the duration", at="max_age")
    return AckPolicy(
        duration=duration, max_age=max_age, stale_after=section.duration("stale_after", usual.stale_after)
    )


def _limits(section: Section) -> Limits:
    section.only({"confirm_above", "max_duration"})
    usual = Limits()
    return Limits(
        confirm_above=section.whole("confirm_above", usual.confirm_above, 0, 1_000_000),
        max_duration=section.duration("max_duration", usual.max_duration, low=60.0),
    )


def _playbooks(value: Value | None, places: Places) -> tuple[str, ...]:
    if value is None:
        return ()
    found = []
    for text in value.texts():
        is_folder = "/" in text or text.startswith((".", "~"))
        found.append(str(expand(text, places.folder, places.home)) if is_folder else text)
    if len(set(found)) < len(found):
        value.problem("names a playbook twice")
    return tuple(found)


def _clusters(section: Section, places: Places) -> tuple[ClusterConfig, ...]:
    bodies = section.sections("alertmanager", _CLUSTER_SHAPE)
    clusters: list[ClusterConfig] = []
    for body in bodies:
        cluster = _cluster(body, places, alone=len(bodies) == 1)
        if any(cluster.name == other.name for other in clusters):
            body.problem(f"there are two clusters named `{cluster.name}`", "give each its own name", at="name")
        clusters.append(cluster)
    return tuple(clusters)


def _cluster(body: Section, places: Places, *, alone: bool) -> ClusterConfig:
    body.only({"name", "members"} | HTTP_KEYS, HTTP_SPECIAL | {"url": "use members: [url]"})
    shared = read_http(body, places)
    name = body.text("name", required=not alone) or "main"
    if not body.has("url"):
        body.get("members", required=True, hint=_CLUSTER_SHAPE)
    value = body.get("members")
    items = [] if value is None else value.items("write it as [http://host:9093]")
    members = tuple(_member(item, places, shared) for item in items)
    if value is not None and value.node.kind is Kind.LIST and not items:
        value.problem("has no member", "give at least one URL")
    urls = [member.url for member in members if member.url]
    if value is not None and len(set(urls)) < len(urls):
        value.problem("names a member twice")
    return ClusterConfig(name=name, members=members)


def _member(item: Value, places: Places, shared: HttpConfig) -> Endpoint:
    if item.node.kind is Kind.MAP:
        body = item.section()
        return Endpoint(url="") if body is None else read_endpoint(body, places, shared)
    return Endpoint(url=read_url(item), http=shared)


def read_http_file(path: Path, home: Path) -> HttpConfig:
    """The HTTP settings in a file of their own, as amtool's `http.config.file`. Raises ConfigError."""
    problems = Problems(str(path))
    root = read_root(path, problems)
    http = HttpConfig()
    if root is not None:
        root.only(HTTP_KEYS, HTTP_SPECIAL)
        http = read_http(root, Places(path.absolute().parent, home))
    problems.check()
    return http
