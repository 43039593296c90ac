"""Flags in a flagd definition file, JSON or YAML (https://flagd.dev/reference/flag-definitions/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opsconsole.clients.flags.base import rollout_of, shares_in_words, tags_and_type
from opsconsole.clients.flags.document import Format
from opsconsole.clients.flags.filebased import FileProvider
from opsconsole.errors import FlagError
from opsconsole.model.flags import Capabilities, Flag, Swap
from opsconsole.text import SafeText, safe, trusted


def _check(name: SafeText, flag: dict[str, Any], where: str) -> None:
    variants = flag.get("variants")
    if not isinstance(variants, dict):
        raise FlagError(f"flag {name}: variants must be a mapping", where=where)
    state = flag.get("state", "ENABLED")
    if state not in ("ENABLED", "DISABLED"):
        raise FlagError(f"flag {name}: state must be ENABLED or DISABLED", where=where)
    default = flag.get("defaultVariant")
    if default is not None and (not isinstance(default, str) or default not in variants):
        raise FlagError(f"flag {name}: defaultVariant is not one of its variants", where=where)
    if not isinstance(flag.get("targeting") or {}, dict):
        raise FlagError(f"flag {name}: targeting must be a mapping", where=where)


FLAGD = Format(
    name="flagd",
    table="flags",
    example='{"flags": {"name": {"state": "ENABLED", "variants": …, "defaultVariant": …}}}',
    check=_check,
)


class FlagdProvider(FileProvider):
    """The flags of one definition file.

    A rollback makes the safe variant the default and clears the targeting. It never disables the flag:
    flagd then serves the default in the application's code, which may be on.
    """

    name = "flagd"
    capabilities = Capabilities(swap=Swap.ATOMIC, partial=True, dry_run=True, propagation=5.0)
    format = FLAGD
    variants_field = "variants"

    def rolled_back(self, flag: Mapping[str, Any], variant: str) -> dict[str, Any]:
        changed = {**flag, "defaultVariant": variant}
        if flag.get("targeting"):
            changed["targeting"] = {}
        if flag.get("state") == "DISABLED":
            changed["state"] = "ENABLED"
        return changed

    def rollback_words(self, flag: Mapping[str, Any], variant: str) -> list[str]:
        default = flag.get("defaultVariant")
        words = []
        if default != variant:
            words.append(f"default {safe(default or '(none)', 80)} -> {safe(variant, 80)}")
        if flag.get("targeting"):
            words.append("targeting cleared")
        if flag.get("state") == "DISABLED":
            words.append("enabled, so that the file and not the code decides")
        return words

    def flag(self, key: str, flag: Mapping[str, Any], variant: str) -> Flag:
        enabled = flag.get("state", "ENABLED") == "ENABLED"
        default = flag.get("defaultVariant")
        targeting = bool(flag.get("targeting"))
        shares = _shares(flag) if enabled else None
        serves = safe(default, 80) if enabled and default is not None else trusted("the code's default")
        if not enabled:
            serves = trusted(f"{serves} (disabled)")
        elif targeting and shares is not None:
            serves = shares_in_words(shares)
        elif targeting:
            serves = trusted(f"{serves}, with targeting")
        tags, kind = tags_and_type(flag.get("metadata"))
        return Flag(
            key=key,
            enabled=enabled,
            default_variant=safe(default or "", 80),
            variants=tuple(safe(name, 80) for name in flag["variants"]),
            serves=serves,
            has_targeting=targeting,
            rollout=rollout_of(shares, variant),
            tags=tags,
            type=kind,
        )


def _shares(flag: Mapping[str, Any]) -> dict[str, float] | None:
    """What per cent of the users get each variant, when the file says that in so many numbers: without targeting,
    or with nothing but a `fractional`, which may begin with what to hash and whose weights are 1 when left out.
    Weights that are no whole numbers are not: `50.0` gives everyone the default variant in some evaluators."""
    targeting = flag.get("targeting") or {}
    default = flag.get("defaultVariant")
    if not targeting:
        return None if default is None else {default: 100.0}
    parts = targeting.get("fractional") if len(targeting) == 1 else None
    if not isinstance(parts, list) or not parts:
        return None
    weights: dict[str, float] = {}
    for part in parts[0 if isinstance(parts[0], list) else 1 :]:
        if not isinstance(part, list) or not 1 <= len(part) <= 2:
            return None
        if not isinstance(part[0], str) or part[0] not in flag["variants"]:
            return None
        weight = part[1] if len(part) == 2 else 1
        if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
            return None
        weights[part[0]] = weights.get(part[0], 0.0) + weight
    total = sum(weights.values())
    return {name: 100.0 * weight / total for name, weight in weights.items()} if total > 0 else None
