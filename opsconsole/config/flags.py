"""The `flags:` of a context: which provider, and that provider's own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from opsconsole.config.flags_generic import read_exec_provider, read_http_provider
from opsconsole.config.flags_redis import read_redis
from opsconsole.config.http import (
    HTTP_KEYS,
    HTTP_SPECIAL,
    TOKEN_KEYS,
    TOKEN_SPECIAL,
    Places,
    read_http,
    read_token,
    read_url,
)
from opsconsole.config.reader import Section, nearest
from opsconsole.config.schema import Endpoint, FlagsConfig
from opsconsole.text import safe


def read_flags(section: Section, places: Places) -> FlagsConfig:
    """The settings of the provider that `provider:` names. Problems are noted."""
    provider = section.text("provider", required=True)
    reader = PROVIDERS.get(provider)
    if reader is not None:
        return reader(section, places)
    if provider:
        known = "known providers: " + ", ".join(PROVIDERS)
        near = nearest(provider, PROVIDERS)
        section.problem(
            f"`{safe(provider, 60)}` is not supported yet",
            near if near.startswith("did") else known,
            at="provider",
        )
    return FlagsConfig(provider=provider)


def safe_variants(section: Section) -> Mapping[str, str]:
    """`safe_variants: {flag: variant}`."""
    variants = section.section("safe_variants", "write it as {flag: variant}")
    found = {}
    for flag, value in variants.entries() if variants is not None else ():
        variant = value.text()
        if variant is not None:
            found[flag] = variant
    return found


def token_endpoint(section: Section, places: Places, own: frozenset[str], url: str = "") -> Endpoint:
    """The server of a provider that wants a bare token, and the HTTP settings among the section's keys; `own` are
    the provider's further keys, `url` where it is when the section does not say."""
    section.only({"provider", "url"} | own | HTTP_KEYS | TOKEN_KEYS, HTTP_SPECIAL | TOKEN_SPECIAL)
    given = section.has("url") or not url
    at = read_url(section.get("url", required=True, hint="write it as https://host")) if given else url
    http = read_http(section, places)
    token = read_token(section, places)
    return Endpoint(url=at, http=http if token is None else msgspec.structs.replace(http, authorization=token))


def _flagd(section: Section, places: Places) -> FlagsConfig:
    section.only({"provider", "path", "safe_variants"})
    section.get("path", required=True, hint="the flag definition file that flagd reads")
    return FlagsConfig(
        provider="flagd",
        path=section.path("path", places.folder, places.home),
        safe_variants=safe_variants(section),
    )


def _goff(section: Section, places: Places) -> FlagsConfig:
    section.only({"provider", "path", "safe_variants"})
    section.get("path", required=True, hint="the flag file that the relay proxy or the SDK retrieves")
    path = section.path("path", places.folder, places.home)
    if path is not None and path.suffix.lower() == ".toml":
        section.problem("TOML is not supported", "keep the flags as YAML or JSON", at="path")
    return FlagsConfig(provider="goff", path=path, safe_variants=safe_variants(section))


def _launchdarkly(section: Section, places: Places) -> FlagsConfig:
    own = frozenset({"project", "environment", "safe_variants"})
    return FlagsConfig(
        provider="launchdarkly",
        endpoint=token_endpoint(section, places, own, "https://app.launchdarkly.com"),
        project=section.text("project", "default"),
        environment=section.text("environment", required=True),
        safe_variants=safe_variants(section),
    )


def _unleash(section: Section, places: Places) -> FlagsConfig:
    endpoint = token_endpoint(section, places, frozenset({"project", "environment"}))
    return FlagsConfig(
        provider="unleash",
        endpoint=endpoint,
        project=section.text("project", "default"),
        environment=section.text("environment", "production"),
    )


PROVIDERS: Mapping[str, Callable[[Section, Places], FlagsConfig]] = {
    "flagd": _flagd,
    "goff": _goff,
    "launchdarkly": _launchdarkly,
    "redis": read_redis,
    "unleash": _unleash,
    "http": read_http_provider,
    "exec": read_exec_provider,
}
"""The readers of the flag providers that there are, by the provider's name."""
