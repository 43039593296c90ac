"""Flag providers, one file each, behind `base.FlagProvider`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from opsconsole.clock import Clock, SystemClock
from opsconsole.errors import FlagError
from opsconsole.text import safe

if TYPE_CHECKING:
    from pathlib import Path

    from opsconsole.clients.flags.base import FlagProvider
    from opsconsole.config.schema import Endpoint, FlagsConfig, GenericSettings


def make_provider(config: FlagsConfig, clock: Clock | None = None) -> FlagProvider:
    """The provider that a context's `flags:` names. Raises FlagError for one that is not known or lacks its
    file or server."""
    make = PROVIDERS.get(config.provider)
    if make is None:
        raise FlagError(
            f"unknown flag provider {safe(config.provider, 80)}", hint="known: " + ", ".join(PROVIDERS)
        )
    return make(config, clock or SystemClock())


def needed_path(config: FlagsConfig) -> Path:
    """The file of a provider of a file. Raises FlagError when the configuration names none."""
    if config.path is None:
        raise FlagError(
            f"the flag provider {config.provider} needs `path:`", hint="the definition file, JSON or YAML"
        )
    return config.path


def needed_endpoint(config: FlagsConfig) -> Endpoint:
    """The server of a provider that speaks HTTP. Raises FlagError when the configuration names none."""
    if config.endpoint is None:
        raise FlagError(f"the flag provider {config.provider} needs `url:`", hint="the address of its API")
    return config.endpoint


# Each imports what it needs when it is the one that is used: no other provider's code is loaded.


def _flagd(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.flagd import FlagdProvider

    return FlagdProvider(needed_path(config), config.safe_variants)


def _goff(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.goff import GoffProvider

    return GoffProvider(needed_path(config), config.safe_variants)


def _launchdarkly(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.launchdarkly import LaunchDarklyProvider
    from opsconsole.clients.transport import Transport

    transport = Transport(needed_endpoint(config), clock=clock)
    return LaunchDarklyProvider(
        transport, config.project, config.environment, clock=clock, safe_variants=config.safe_variants
    )


def _redis(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.redis_hash import RedisProvider

    if config.redis is None:
        raise FlagError("the flag provider redis needs `url:`", hint="write it as redis://host:6379/0")
    return RedisProvider(config.redis)


def _unleash(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.unleash import UnleashProvider

    return UnleashProvider(needed_endpoint(config), config.project, config.environment, clock=clock)


def _http(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.generic import GenericProvider
    from opsconsole.clients.flags.generic_http import HttpChannel

    settings = _described(config)
    return GenericProvider("http", settings, HttpChannel(needed_endpoint(config), settings.calls, clock))


def _exec(config: FlagsConfig, clock: Clock) -> FlagProvider:
    from opsconsole.clients.flags.generic import GenericProvider
    from opsconsole.clients.flags.generic_exec import ExecChannel

    settings = _described(config)
    channel = ExecChannel(settings.calls, timeout=settings.timeout, folder=settings.folder)
    return GenericProvider("exec", settings, channel)


def _described(config: FlagsConfig) -> GenericSettings:
    if config.generic is None or "list" not in config.generic.calls:
        raise FlagError(f"the flag provider {config.provider} is not described", hint="it needs at least `list`")
    return config.generic


PROVIDERS: Mapping[str, Callable[[FlagsConfig, Clock], FlagProvider]] = {
    "flagd": _flagd,
    "goff": _goff,
    "launchdarkly": _launchdarkly,
    "redis": _redis,
    "unleash": _unleash,
    "http": _http,
    "exec": _exec,
}
"""What makes each provider, by its name in the configuration."""
