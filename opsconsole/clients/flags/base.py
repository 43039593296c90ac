"""What every flag provider can do, and how a version of a flag is identified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, RollbackKind, RollbackPlan
from opsconsole.text import SafeText, safe, trusted

_SAFE_NAMES = ("off", "false", "disabled", "control")


class FlagProvider(Protocol):
    """Reads flags and changes one at a time.

    Every method raises a FlagError (FlagUnauthorised, FlagRateLimited, FlagUnavailable, … where it is one of
    those) when the provider cannot be read or written. A method that is given the key of a flag that is not
    there raises FlagNotFound.

    A definition is the text of all of a flag that a rollback may touch, in this provider's own form, so that
    giving it to `plan_to` brings it back exactly. Nothing is written but by `apply`.
    """

    name: str
    source: SafeText
    capabilities: Capabilities

    async def read(self) -> FlagSet:
        """All flags as they stand."""
        ...

    async def definition(self, key: str) -> str:
        """One flag's definition as it stands."""
        ...

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """The provider's own log since then (seconds since the epoch), of one flag or of all, newest first.
        Nothing when it keeps none."""
        ...

    async def plan_off(self, key: str) -> RollbackPlan:
        """What serving the safe variant to everyone would do. Raises Refused when it cannot be done or changes
        nothing."""
        ...

    async def plan_to(
        self,
        key: str,
        definition: str,
        kind: RollbackKind,
        *,
        expected_hash: str = "",
        restore: bool = False,
        version: str = "",
    ) -> RollbackPlan:
        """What writing a former definition of this flag back would do. Raises Conflict when `expected_hash` is
        given and the flag's content hash is another: someone has changed it since; Refused when it would change
        nothing or cannot be done safely."""
        ...

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Carry out a plan and return the new revision of the whole. Raises Conflict, with nothing
        written, when the flag's content hash is no longer `plan.revision`. `reason` goes into the provider's
        log where it has a field for that. Never sent twice."""
        ...

    def content_hash(self, definition: str) -> str:
        """The content hash of a definition as `definition` and the plans give it."""
        ...

    async def aclose(self) -> None: ...


def tags_and_type(metadata: object) -> tuple[tuple[SafeText, ...], SafeText]:
    """`metadata.tags` (a list, or a text with commas) and `metadata.type`, as far as they are there."""
    if not isinstance(metadata, dict):
        return (), trusted("")
    tags, kind = metadata.get("tags"), metadata.get("type")
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",")]
    listed = tags if isinstance(tags, list) else []
    found = tuple(safe(tag, 80) for tag in listed if isinstance(tag, str) and tag)
    return found, safe(kind, 80) if isinstance(kind, str) else trusted("")


def percent(value: float) -> str:
    """A percentage as it is shown: `50 %`, `12.5 %`."""
    return f"{value:.4g} %"


def shares_in_words(shares: Mapping[str, float]) -> SafeText:
    """Who gets what: `on`, or `on 25 %, off 75 %`, from per cent by variant."""
    if len(shares) == 1:
        return safe(next(iter(shares)), 80)
    return trusted(", ".join(f"{safe(name, 80)} {percent(part)}" for name, part in shares.items()))


def rollout_of(shares: Mapping[str, float] | None, safe_variant: str) -> float | None:
    """The percentage of users who get something else than the safe variant; None when that is not known."""
    return None if shares is None or not safe_variant else 100.0 - shares.get(safe_variant, 0.0)


def canonical(value: object) -> str:
    """The one JSON text of a value: names sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def content_hash(value: object) -> str:
    """SHA-256, in hex, of a definition's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def safe_variant(variants: Mapping[str, object], configured: str | None = None, metadata: object = None) -> str:
    """The variant that a rollback serves: the configured one, else `metadata.safeVariant`, else the only one
    whose value is false, else one named off, false, disabled or control. "" when that names none."""
    if configured:
        return configured if configured in variants else ""
    named = metadata.get("safeVariant") if isinstance(metadata, dict) else None
    if isinstance(named, str) and named:
        return named if named in variants else ""
    false = [name for name, value in variants.items() if value is False]
    if len(false) == 1:
        return false[0]
    by_name = {name.lower(): name for name in reversed(list(variants))}
    return next((by_name[word] for word in _SAFE_NAMES if word in by_name), "")
