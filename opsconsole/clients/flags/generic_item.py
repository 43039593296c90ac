"""One flag as a described system tells it: which of its members mean what."""

from __future__ import annotations

import json
from typing import Any

from opsconsole.clients.flags.base import canonical, content_hash, percent
from opsconsole.clients.flags.paths import Missing, find, with_value, without
from opsconsole.config.schema import GenericSettings
from opsconsole.errors import FlagError
from opsconsole.model.flags import Flag
from opsconsole.text import SafeText, safe, trusted


class Items:
    """Reads flags by the description. `source` is for error messages."""

    def __init__(self, settings: GenericSettings, source: SafeText) -> None:
        self._fields = settings.fields
        self._on = {canonical(value) for value in settings.on}
        self._off = {canonical(value) for value in settings.off}
        version = settings.fields.get("version", "")
        self._ignore = (*settings.ignore, *([version] if version else []))
        self._sets = settings.calls["off"].sets if "off" in settings.calls else {}
        self._source = source

    def keyed(self, found: Any, path: str) -> dict[str, Any]:
        """The flags of an answer by their keys: of a mapping by its own, of a list by the field `key`; texts in a
        list are keys alone. Raises FlagError that names the path which is not there."""
        if isinstance(found, dict):
            return dict(found)
        if not isinstance(found, list):
            raise self._lacks(f"what is at {_shown(path)} in the answer to `list` is neither a list nor a mapping")
        flags: dict[str, Any] = {}
        for number, item in enumerate(found):
            key = item if isinstance(item, str) else self._at(item, "key", f"flag {number}")
            if not isinstance(key, str) or not key:
                raise self._lacks(f"flag {number}: {_shown(self._fields['key'])} is not a text")
            if key in flags:
                raise self._lacks(f"the answer to `list` has flag {safe(key, 80)} twice")
            flags[key] = item
        return flags

    def same_key(self, key: str, item: Any) -> None:
        """Raises FlagError when an item says by itself that it is another flag."""
        told = self._optional(item, "key")
        if told is not None and told != key:
            raise self._lacks(f"the answer to `get` for flag {safe(key, 80)} is of another one")

    def definition(self, item: Any) -> str:
        """The JSON of a flag without what is no part of its definition."""
        for path in self._ignore:
            item = without(item, path) if path else item
        try:
            return json.dumps(item, allow_nan=False)
        except ValueError:
            raise self._lacks("a number in the answer is too large") from None

    def turned_off(self, key: str, definition: str) -> str:
        """The definition that should stand after `off`."""
        item = json.loads(definition)
        for path, value in self._sets.items():
            try:
                item = with_value(item, path, value)
            except Missing:
                raise self._lacks(f"flag {safe(key, 80)} has no {_shown(path)}, which `off` sets") from None
        return json.dumps(item)

    def version(self, item: Any) -> str:
        """The flag's version, "" when it tells none."""
        found = self._optional(item, "version")
        return found if isinstance(found, str) else "" if found is None else canonical(found)

    def flag(self, key: str, item: Any) -> Flag:
        """The flag that an item describes. Raises FlagError that names what is missing or has no meaning."""
        name = f"flag {safe(key, 80)}"
        enabled = self._enabled(item, name)
        rollout = self._rollout(item, name)
        targeting = bool(self._optional(item, "targeting"))
        off = not enabled or (rollout == 0 and not targeting)
        serves = "off"
        if enabled:
            serves = "on" if rollout is None else f"on {percent(rollout)}"
            serves += ", with targeting" if targeting else ""
        return Flag(
            key=key,
            enabled=enabled,
            default_variant=trusted("on" if enabled else "off"),
            variants=(trusted("on"), trusted("off")),
            serves=trusted(serves),
            has_targeting=targeting,
            safe_variant=trusted("off"),
            content_hash=content_hash(json.loads(self.definition(item))),
            off=off,
            rollout=0.0 if not enabled else None if targeting else rollout,
            tags=self._tags(item, name),
            type=safe(str(self._optional(item, "type") or ""), 80),
            version=self.version(item),
        )

    def _enabled(self, item: Any, name: str) -> bool:
        value = canonical(self._at(item, "enabled", name))
        if value not in self._on | self._off:
            path = _shown(self._fields["enabled"])
            raise self._lacks(
                f"{name}: {path} is {safe(value, 60)}, which the description knows neither as on nor off"
            )
        return value in self._on

    def _rollout(self, item: Any, name: str) -> float | None:
        if "rollout" not in self._fields:
            return 100.0
        value = self._optional(item, "rollout")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise self._lacks(f"{name}: {_shown(self._fields['rollout'])} is not a number from 0 to 100")
        return float(value)

    def _tags(self, item: Any, name: str) -> tuple[SafeText, ...]:
        value = self._optional(item, "tags")
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
            raise self._lacks(f"{name}: {_shown(self._fields['tags'])} is not a list of texts")
        return tuple(safe(tag, 80) for tag in value)

    def _optional(self, item: Any, field: str) -> Any:
        if field not in self._fields:
            return None
        try:
            return find(item, self._fields[field])
        except Missing:
            return None

    def _at(self, item: Any, field: str, name: str) -> Any:
        try:
            return find(item, self._fields[field])
        except Missing:
            raise self._lacks(f"{name} has no {_shown(self._fields[field])}, its `{field}`") from None

    def _lacks(self, message: str) -> FlagError:
        return FlagError(
            message, where=self._source, hint="compare what it answers with `flags:` in the configuration"
        )


def _shown(path: str) -> str:
    return f"`{safe(path, 100)}`" if path else "the whole of it"
