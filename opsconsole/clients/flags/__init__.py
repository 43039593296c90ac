"""Flag providers, one file each, behind `base.FlagProvider`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opsconsole.errors import FlagError
from opsconsole.text import safe

if TYPE_CHECKING:
    from opsconsole.clients.flags.base import FlagProvider
    from opsconsole.config.schema import FlagsConfig


def make_provider(config: FlagsConfig) -> FlagProvider:
    """The provider that a context's `flags:` names. Raises FlagError for one that is not known or lacks its
    file."""
    if config.provider != "flagd":
        raise FlagError(f"unknown flag provider {safe(config.provider, 80)}", hint="known: flagd")
    if config.path is None:
        raise FlagError("the flag provider flagd needs `path:`", hint="the definition file, JSON or YAML")
    from opsconsole.clients.flags.flagd import FlagdProvider

    return FlagdProvider(config.path, config.safe_variants)
