"""The log of a described system: which of an entry's members mean what."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from opsconsole.clients.flags.base import content_hash
from opsconsole.clients.flags.document import parse_definition
from opsconsole.clients.flags.generic_item import Items
from opsconsole.clients.flags.paths import Missing, find
from opsconsole.config.schema import FlagCall
from opsconsole.errors import FlagError
from opsconsole.model.flags import Flag, FlagChange
from opsconsole.text import SafeText, safe

_MILLISECONDS = 1e11
"""A time above this is in milliseconds: in seconds it would be after the year 5000."""


def read_changes(found: Any, call: FlagCall, items: Items, source: SafeText) -> tuple[FlagChange, ...]:
    """The changes of an answer, newest first. Raises FlagError for one without the key or the time that the
    description says it has."""
    if not isinstance(found, list):
        raise FlagError(
            f"what is at `{safe(call.items, 100)}` in the answer to `changes` is no list", where=source
        )
    changes = [_change(entry, number, call, items, source) for number, entry in enumerate(found)]
    return tuple(sorted(changes, key=lambda change: change.at, reverse=True))


def _change(entry: Any, number: int, call: FlagCall, items: Items, source: SafeText) -> FlagChange:
    def told(field: str) -> Any:
        try:
            return find(entry, call.fields[field]) if field in call.fields else None
        except Missing:
            return None

    key, at = told("key"), _seconds(told("at"))
    for field, value in (("key", key if isinstance(key, str) and key else None), ("at", at)):
        if value is None:
            path = f"`{safe(call.fields[field], 100)}`"
            what = "a text" if field == "key" else "a time with its zone"
            raise FlagError(f"change {number} has no {path}, its `{field}`, that is {what}", where=source)
    before, after = (_definition(told(field), items) for field in ("before", "after"))
    was, stands = (_flag(key, text, items) for text in (before, after))
    version = _text(told("version"))
    return FlagChange(
        key=key,
        at=at or 0.0,
        summary=safe(_words(was, stands, _text(told("summary"))), 300),
        who=safe(_text(told("who")), 80),
        exact=True,
        before_hash=_hash(before),
        after_hash=_hash(after),
        before=before,
        after=after,
        version=version,
        off=None if stands is None else stands.off,
        before_off=None if was is None else was.off,
        served=safe("") if was is None else was.serves,
        id=_text(told("id")) or version or f"{key} {at}",
    )


def _words(was: Flag | None, stands: Flag | None, summary: str) -> str:
    served = ""
    if stands is not None:
        served = stands.serves if was is None else f"{was.serves} -> {stands.serves}"
    return ": ".join(part for part in (served, summary) if part) or "changed"


def _definition(value: Any, items: Items) -> str:
    """A definition of the log; some systems keep it as a text with JSON in it."""
    if isinstance(value, str):
        try:
            value = parse_definition(value, is_yaml=False)
        except FlagError:
            return ""
    return "" if value is None else items.definition(value)


def _flag(key: str, definition: str, items: Items) -> Flag | None:
    try:
        return items.flag(key, parse_definition(definition, is_yaml=False)) if definition else None
    except FlagError:
        return None


def _hash(definition: str) -> str:
    return content_hash(parse_definition(definition, is_yaml=False)) if definition else ""


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list | bool):
        return ""
    return str(value)


def _seconds(value: Any) -> float | None:
    """Seconds since the epoch, from a number (milliseconds when it is large) or an RFC 3339 text with a zone."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if value > _MILLISECONDS else float(value)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None else None
    return None
