"""One flag as a Redis hash holds it: a JSON object of which a rollback touches one member and no other byte.

    {"enabled": true, "rollout": 25, "targeting": …, "type": "release", "tags": ["pricing"], …}

`enabled` must be there. `rollout` is the percentage of users who get the feature while it is enabled (100 when
left out); `targeting`, in whatever form the application knows, says that it goes to others than a plain percentage
of them; `type` and `tags` are words for people and for the guard. All other members belong to the application.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from opsconsole.clients.flags.base import content_hash
from opsconsole.clients.flags.document import parse_definition
from opsconsole.errors import FlagError
from opsconsole.model.flags import Flag
from opsconsole.text import SafeText, safe, trusted

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A value that was read. `problem` says why it means nothing, "" when it means what the other fields say."""

    data: dict[str, Any]
    problem: SafeText = trusted("")
    enabled: bool = False
    rollout: float = 100.0
    targeting: bool = False
    type: SafeText = trusted("")
    tags: tuple[SafeText, ...] = ()

    @property
    def off(self) -> bool:
        """Whether nobody gets the feature."""
        return not self.problem and (not self.enabled or (self.rollout == 0 and not self.targeting))

    @property
    def serves(self) -> SafeText:
        """What users get, in words."""
        if self.problem:
            return trusted(f"unknown: {self.problem}")
        if not self.enabled:
            return trusted("off")
        return trusted(f"on {self.rollout:g} %" + (", with targeting" if self.targeting else ""))


def read_value(text: str) -> Value:
    """What a value means; never raises."""
    try:
        data = parse_definition(text, is_yaml=False)
    except FlagError as error:
        return Value(data={}, problem=safe(f"not JSON, {error.message}", 200))
    if not isinstance(data, dict):
        return Value(data={}, problem=trusted("not a JSON object"))
    problem = _problem(data)
    if problem:
        return Value(data=data, problem=trusted(problem))
    return Value(
        data=data,
        enabled=data["enabled"],
        rollout=float(data.get("rollout", 100)),
        targeting=bool(data.get("targeting")),
        type=safe(data.get("type", ""), 80),
        tags=tuple(safe(tag, 80) for tag in data.get("tags", [])),
    )


def _problem(data: dict[str, Any]) -> str:
    rollout, tags = data.get("rollout", 100), data.get("tags", [])
    if not isinstance(data.get("enabled"), bool):
        return "`enabled` is not true or false" if "enabled" in data else "it has no `enabled`"
    if isinstance(rollout, bool) or not isinstance(rollout, int | float) or not 0 <= rollout <= 100:
        return "`rollout` is not a number from 0 to 100"
    if not isinstance(data.get("type", ""), str):
        return "`type` is not text"
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return "`tags` is not a list of texts"
    return ""


def value_hash(text: str) -> str:
    """The content hash of a value: of its JSON, however it is spaced; of its text where it is not JSON."""
    try:
        return content_hash(parse_definition(text, is_yaml=False))
    except FlagError:
        return content_hash({"not JSON": text})


def turned_off(text: str) -> str:
    """A readable value with `enabled` false and every other byte as it was. Raises FlagError when that cannot be
    done."""
    start, end = _member(text, "enabled")
    changed = f"{text[:start]}false{text[end:]}"
    if parse_definition(changed, is_yaml=False) != {**read_value(text).data, "enabled": False}:
        raise FlagError("the value cannot be changed without touching the rest of it; nothing was written")
    return changed


def as_flag(key: str, text: str, version: str = "") -> Flag:
    """The flag that a value describes. One that cannot be read counts as on: nobody knows that it is off."""
    value = read_value(text)
    rollout: float | None = value.rollout if value.enabled else 0.0
    return Flag(
        key=key,
        enabled=value.enabled or bool(value.problem),
        default_variant=trusted("" if value.problem else "on" if value.enabled else "off"),
        variants=(trusted("on"), trusted("off")),
        serves=value.serves,
        has_targeting=value.targeting,
        safe_variant=trusted("off"),
        content_hash=value_hash(text),
        off=value.off,
        rollout=None if value.problem or (value.targeting and value.enabled) else rollout,
        tags=value.tags,
        type=value.type,
        version=version,
    )


def _member(text: str, name: str) -> tuple[int, int]:
    """Where the value of a member of the object begins and ends; the text is known to be a JSON object with it."""
    at = _skip(text, 0) + 1
    while True:
        key, at = _DECODER.raw_decode(text, _skip(text, at))
        start = _skip(text, _skip(text, at) + 1)  # behind the colon
        _, end = _DECODER.raw_decode(text, start)
        if key == name:
            return start, end
        at = _skip(text, end) + 1  # behind the comma


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at
