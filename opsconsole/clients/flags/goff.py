"""Flags in a GO Feature Flag file, JSON or YAML (https://gofeatureflag.org/docs/configure_flag/create-flags)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from opsconsole.clients.flags.base import rollout_of, shares_in_words, tags_and_type
from opsconsole.clients.flags.document import Format
from opsconsole.clients.flags.filebased import FileProvider
from opsconsole.errors import FlagError
from opsconsole.model.flags import Capabilities, Flag, Swap
from opsconsole.text import SafeText, safe, trusted


def _check(name: SafeText, flag: dict[str, Any], where: str) -> None:
    if not isinstance(flag.get("variations"), dict):
        raise FlagError(f"flag {name}: variations must be a mapping", where=where)
    shapes: dict[str, tuple[type, str]] = {
        "defaultRule": (dict, "a mapping"),
        "targeting": (list, "a list of rules"),
        "scheduledRollout": (list, "a list of steps"),
        "experimentation": (dict, "a mapping with start and end"),
        "disable": (bool, "true or false"),
        "bucketingKey": (str, "a text"),
    }
    for field, (kind, words) in shapes.items():
        if not isinstance(flag.get(field), kind | None):
            raise FlagError(f"flag {name}: {field} must be {words}", where=where)
    variation = _rule(flag).get("variation")
    if variation is not None and (not isinstance(variation, str) or variation not in flag["variations"]):
        raise FlagError(f"flag {name}: the variation of defaultRule is not one of its variations", where=where)


GOFF = Format(
    name="GO Feature Flag",
    table="",
    example='{"name": {"variations": {"on": true, "off": false}, "defaultRule": {"variation": "off"}}}',
    check=_check,
)


class GoffProvider(FileProvider):
    """The flags of one file that the relay proxy, or an SDK, retrieves; it does so once a minute as it comes.

    A rollback makes the safe variation the default rule's and takes away whatever goes before that rule or would
    change it later: targeting, scheduled steps, the bounds of an experimentation, a bucketing key that a user may
    lack. It never disables the flag: the default in the application's code is served then, which may be on.
    """

    name = "goff"
    capabilities = Capabilities(swap=Swap.ATOMIC, partial=True, dry_run=True, propagation=60.0)
    format = GOFF
    variants_field = "variations"

    def rolled_back(self, flag: Mapping[str, Any], variant: str) -> dict[str, Any]:
        changed = dict(flag)
        rule = _rule(flag)
        if rule.get("variation") != variant or _moves(rule):
            kept = {"name": rule["name"]} if rule.get("name") else {}
            changed["defaultRule"] = {**kept, "variation": variant}
        for field, empty in _CLEARED.items():
            if _acts(flag, field):
                changed[field] = empty
        return changed

    def rollback_words(self, flag: Mapping[str, Any], variant: str) -> list[str]:
        rule = _rule(flag)
        words = []
        if rule.get("variation") != variant or _moves(rule):
            words.append(f"default rule {_rule_in_words(flag)} -> {safe(variant, 80)}")
        said = {
            "targeting": "targeting cleared",
            "scheduledRollout": "scheduled steps cleared",
            "experimentation": "the bounds of its experimentation cleared",
            "bucketingKey": "bucketing key cleared, so that those without it get this too",
            "disable": "enabled, so that the file and not the code decides",
        }
        return words + [text for field, text in said.items() if _acts(flag, field)]

    def flag(self, key: str, flag: Mapping[str, Any], variant: str) -> Flag:
        enabled = not flag.get("disable")
        shares = _shares(flag)
        tags, kind = tags_and_type(flag.get("metadata"))
        rule = _rule(flag)
        still = enabled and not any(_acts(flag, field) for field in _CLEARED)
        return Flag(
            key=key,
            enabled=enabled,
            default_variant=safe("" if _moves(rule) else rule.get("variation") or "", 80),
            variants=tuple(safe(name, 80) for name in flag["variations"]),
            serves=_serves(flag),
            has_targeting=_acts(flag, "targeting"),
            rollout=rollout_of(shares, variant) if still else None,
            tags=tags,
            type=kind,
        )


_CLEARED: Mapping[str, object] = {
    "targeting": [],
    "scheduledRollout": [],
    "experimentation": None,
    "bucketingKey": "",
    "disable": False,
}
"""The fields that keep the default rule from being what everyone gets, and what each is without effect."""


def _acts(flag: Mapping[str, Any], field: str) -> bool:
    """Whether a field has an effect. An experimentation without bounds has none, but is told apart by nobody."""
    value = flag.get(field)
    return value is not None if field == "experimentation" else bool(value)


def _rule(flag: Mapping[str, Any]) -> Mapping[str, Any]:
    rule = flag.get("defaultRule")
    return rule if isinstance(rule, dict) else {}


def _moves(rule: Mapping[str, Any]) -> bool:
    """Whether something else than `variation` decides: percentages and a progressive rollout go before it."""
    return rule.get("progressiveRollout") is not None or bool(rule.get("percentage"))


def _shares(flag: Mapping[str, Any]) -> dict[str, float] | None:
    """What per cent of those that the default rule is for get each variation, when it says that in numbers."""
    rule = _rule(flag)
    if rule.get("progressiveRollout") is not None:
        return None
    parts = rule.get("percentage")
    if not parts:
        variation = rule.get("variation")
        return None if variation is None else {variation: 100.0}
    if not isinstance(parts, dict):
        return None
    for name, part in parts.items():
        number = isinstance(part, int | float) and not isinstance(part, bool)
        if name not in flag["variations"] or not number or not 0 <= part < math.inf:
            return None
    total = sum(parts.values())
    return {name: 100.0 * part / total for name, part in parts.items() if part} if total > 0 else None


def _rule_in_words(flag: Mapping[str, Any]) -> SafeText:
    rule = _rule(flag)
    shares = _shares(flag)
    if shares is not None:
        return shares_in_words(shares)
    rollout = rule.get("progressiveRollout")
    if not isinstance(rollout, dict):
        return trusted("the code's default")
    ends = [rollout.get(end) for end in ("initial", "end")]
    names = [safe(str(end.get("variation")), 80) if isinstance(end, dict) else "?" for end in ends]
    return trusted(f"progressively from {names[0]} to {names[1]}")


def _serves(flag: Mapping[str, Any]) -> SafeText:
    if flag.get("disable"):
        return trusted("the code's default (disabled)")
    more = {
        "targeting": "with targeting",
        "scheduledRollout": "with scheduled steps",
        "experimentation": "while its experimentation lasts",
    }
    return trusted(
        ", ".join([_rule_in_words(flag), *(text for field, text in more.items() if _acts(flag, field))])
    )
