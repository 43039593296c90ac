"""Which context is meant: from the command line, a configuration file, the environment or amtool's files."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.config.amtool import load_amtool
from opsconsole.config.http import url_problem
from opsconsole.config.load import is_there, load_config
from opsconsole.config.paths import ETC, amtool_files, config_files, shipped_playbooks
from opsconsole.config.reader import expand, nearest
from opsconsole.config.schema import ClusterConfig, Config, Context, Endpoint, FlagsConfig
from opsconsole.errors import ConfigError, Problem, UsageError
from opsconsole.text import safe

NOTHING_HINT = (
    "`opsconsole config init` writes a first configuration; `opsconsole demo` shows the console without any server"
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The connection options of the command line; what was not given is None, empty or false."""

    config: Path | None = None
    context: str | None = None
    prometheus: str | None = None
    alertmanager: tuple[str, ...] = ()
    playbook: tuple[str, ...] = ()
    read_only: bool = False
    flags_file: Path | None = None


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """A context and, for each of its fields that something gave a value, where that value came from."""

    context: Context
    origins: Mapping[str, str]


def resolve_context(options: Options, env: Mapping[str, str], home: Path, *, etc: Path = ETC) -> Context:
    """The context that the options mean. Raises UsageError for options that do not fit together and
    ConfigError for files with problems or when nothing says where to connect to."""
    return resolve(options, env, home, etc=etc).context


def resolve(options: Options, env: Mapping[str, str], home: Path, *, etc: Path = ETC) -> Resolution:
    """As `resolve_context`, with where each value came from.

    The command line is stronger than the configuration file, and that is stronger than PROMETHEUS_URL and
    ALERTMANAGER_URL, which count only without a file; amtool's files count when all of them are silent.
    """
    asked = None if options.config is None else expand(str(options.config), Path.cwd(), home)
    config = load_config(asked, env, home=home, etc=etc)
    chosen = _choose(config, options, config_files(env, home, etc))
    if chosen is None:
        chosen = _without_file(options, env, home, etc)
    return _overridden(chosen, options, home)


def _choose(config: Config, options: Options, looked: tuple[Path, ...]) -> Resolution | None:
    """The context of the file; None when there is no file, or the file does not say which of its contexts
    is meant and the command line names servers itself."""
    name = options.context or config.current_context
    if config.path is None:
        if options.context:
            places = ", ".join(safe(str(path)) for path in looked)
            raise UsageError(
                f"there is no configuration file, so no context `{safe(options.context, 60)}`",
                hint=f"looked for {places}; `opsconsole config init` writes one",
            )
        return None
    if not name and len(config.contexts) == 1:
        name = next(iter(config.contexts))
    if not name:
        if options.prometheus or options.alertmanager:
            return None
        raise UsageError(
            "the configuration file names several contexts and no current_context",
            where=safe(str(config.path)),
            hint="say which with --context: " + ", ".join(sorted(config.contexts)),
        )
    if name not in config.contexts:
        raise UsageError(
            f"there is no context `{safe(name, 60)}`",
            where=safe(str(config.path)),
            hint=nearest(name, config.contexts),
        )
    context = config.contexts[name]
    origin = f"{safe(str(config.path))}:{config.lines.get(name, 0)}"
    given = {field: origin for field in context.__struct_fields__ if getattr(context, field)}
    return Resolution(context=context, origins=given)


def _without_file(options: Options, env: Mapping[str, str], home: Path, etc: Path) -> Resolution:
    """A context from the environment variables, else amtool's files, else an empty one for the command line
    to fill; ConfigError when nothing names a server."""
    prometheus = "" if options.prometheus else env.get("PROMETHEUS_URL", "")
    alertmanager = "" if options.alertmanager else env.get("ALERTMANAGER_URL", "")
    origins: dict[str, str] = {}
    context = Context(name="command line" if options.prometheus or options.alertmanager else "environment")
    if prometheus:
        endpoint = _endpoint(prometheus, "PROMETHEUS_URL")
        context = msgspec.structs.replace(context, prometheus=endpoint)
        origins["prometheus"] = "PROMETHEUS_URL"
    if alertmanager:
        # karma and others separate several URLs with commas or spaces.
        urls = tuple(alertmanager.replace(",", " ").split())
        members = tuple(_endpoint(url, "ALERTMANAGER_URL") for url in urls)
        context = msgspec.structs.replace(context, alertmanager=_main(members))
        origins["alertmanager"] = "ALERTMANAGER_URL"
    if not (origins or options.prometheus or options.alertmanager):
        return _from_amtool(options, env, home, etc)
    if context.prometheus is not None and not context.alertmanager:
        context = msgspec.structs.replace(context, find_alertmanagers=True)
    return Resolution(context=context, origins=origins)


def _from_amtool(options: Options, env: Mapping[str, str], home: Path, etc: Path) -> Resolution:
    files = amtool_files(home, etc)
    amtool = load_amtool(files, home)
    if amtool is None:
        if options.flags_file is not None:
            return Resolution(context=Context(name="command line"), origins={})
        raise _nothing(config_files(env, home, etc), files)
    origin = safe(str(amtool.path))
    context = Context(name="amtool", alertmanager=_main((amtool.endpoint,)), author=amtool.author)
    origins = {"alertmanager": origin} | ({"author": origin} if amtool.author else {})
    return Resolution(context=context, origins=origins)


def _overridden(base: Resolution, options: Options, home: Path) -> Resolution:
    """The context with what the command line says in place of what it had."""
    changes: dict[str, object] = {}
    origins = dict(base.origins)
    context = base.context
    if options.prometheus:
        changes["prometheus"] = _known(_endpoint(options.prometheus, "--prometheus"), context)
        origins["prometheus"] = "--prometheus"
        if not context.alertmanager:
            changes["find_alertmanagers"] = not options.alertmanager
    if options.alertmanager:
        members = tuple(_known(_endpoint(url, "--alertmanager"), context) for url in options.alertmanager)
        if len({member.url for member in members}) < len(members):
            raise UsageError("--alertmanager names a URL twice", hint="give each member of the cluster once")
        changes |= {"alertmanager": _main(members), "find_alertmanagers": False}
        origins["alertmanager"] = "--alertmanager"
        origins.pop("find_alertmanagers", None)
    if options.playbook:
        changes["playbooks"] = tuple(_playbook(name, home) for name in options.playbook)
        origins["playbooks"] = "--playbook"
    if options.read_only:
        changes["read_only"] = True
        origins["read_only"] = "--read-only"
    if options.flags_file is not None:
        path = expand(str(options.flags_file), Path.cwd(), home)
        variants = context.flags.safe_variants if context.flags is not None else {}
        changes["flags"] = FlagsConfig(provider="flagd", path=path, safe_variants=variants)
        origins["flags"] = "--flags-file"
    return Resolution(context=msgspec.structs.replace(context, **changes), origins=origins)


def _main(members: tuple[Endpoint, ...]) -> tuple[ClusterConfig, ...]:
    return (ClusterConfig(name="main", members=members),) if members else ()


def _endpoint(url: str, source: str) -> Endpoint:
    message, hint = url_problem(url)
    if message:
        raise UsageError(f"{source} {message}", hint=hint)
    return Endpoint(url=url.rstrip("/"))


def _known(endpoint: Endpoint, context: Context) -> Endpoint:
    """The context's own settings for the same URL; credentials go to no URL but their own."""
    own = [context.prometheus] if context.prometheus is not None else []
    own += [member for cluster in context.alertmanager for member in cluster.members]
    return next((known for known in own if known.url == endpoint.url), endpoint)


def _playbook(name: str, home: Path) -> str:
    """A shipped playbook's name as it is; anything that is a folder as an absolute path."""
    is_name = "/" not in name and not name.startswith((".", "~"))
    folder = expand(name, Path.cwd(), home)
    if is_name and (os.path.isdir(shipped_playbooks() / name) or not os.path.isdir(folder)):
        return name
    return str(folder)


def _nothing(config: tuple[Path, ...], amtool: tuple[Path, ...]) -> ConfigError:
    looked = [
        ("configuration", "there is nothing to connect to; looked for:"),
        ("--prometheus URL or PROMETHEUS_URL", "not given"),
        ("--alertmanager URL or ALERTMANAGER_URL", "not given"),
        ("--config FILE or OPSCONSOLE_CONFIG", "not given"),
    ]
    looked += [(safe(str(path)), "not there") for path in config]
    for path in amtool:
        looked.append((safe(str(path)), "names no Alertmanager" if is_there(path) else "not there"))
    return ConfigError(tuple(Problem(place, 0, "", said) for place, said in looked), hint=NOTHING_HINT)
