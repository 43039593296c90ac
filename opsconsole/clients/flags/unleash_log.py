"""Unleash's event log of a flag, read backwards from the definition as it stands: each event tells what was
before it. Where the log and the definition do not fit together, what was before is not known: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from opsconsole.clients.flags.unleash_definition import Definition, Strategy
from opsconsole.model.flags import FlagChange
from opsconsole.text import SafeText, safe, trusted


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry. `data` and `pre_data` are what the event's type says: a strategy, an order of strategies, …"""

    id: int
    type: str
    created_at: str
    created_by: str | None = None
    feature_name: str | None = None
    environment: str | None = None
    data: Any = None
    pre_data: Any = None

    @property
    def at(self) -> float:
        """Seconds since the epoch; 0 when it does not say."""
        try:
            return datetime.fromisoformat(self.created_at).timestamp()
        except ValueError:
            return 0.0


ENABLED, DISABLED = "feature-environment-enabled", "feature-environment-disabled"
ADDED, UPDATED, REMOVED = "feature-strategy-add", "feature-strategy-update", "feature-strategy-remove"
ORDERED = "strategy-order-changed"

_HERE: Mapping[str, str] = {
    ENABLED: "turned on",
    DISABLED: "turned off",
    ADDED: "strategy added",
    UPDATED: "strategy changed",
    REMOVED: "strategy removed",
    ORDERED: "strategies put in another order",
    "feature-environment-variants-updated": "variants changed",
}
"""The events of one environment, in words."""

_EVERYWHERE: Mapping[str, str] = {
    "feature-created": "created",
    "feature-archived": "archived",
    "feature-revived": "revived",
    "feature-deleted": "deleted",
    "feature-import": "imported",
    "feature-variants-updated": "variants changed",
    "feature-dependency-added": "a flag that it depends on was added",
    "feature-dependency-removed": "a flag that it depended on was removed",
    "feature-dependencies-removed": "the flags that it depended on were removed",
    "feature-project-change": "moved to another project",
}
"""The events of all environments that change what users get, in words."""

_GONE = frozenset({"feature-archived", "feature-deleted"})
_NOTHING_CHANGES = frozenset({"feature-created"})
"""Events that leave the strategies of an environment as they are."""


def counts(event: Event, environment: str) -> bool:
    """Whether an event may change what users of that environment get from one flag."""
    if not event.feature_name:
        return False
    return event.type in _EVERYWHERE or (event.type in _HERE and event.environment in (environment, None))


def replay(present: Definition | None, events: Sequence[Event]) -> tuple[FlagChange, ...]:
    """The changes of one flag, newest first. `events` are all that count since some time, newest first, and
    `present` what stood after the newest; None when that is not known."""
    found = []
    after = present
    for position, event in enumerate(events):
        before = None
        if after is not None:
            before = _before(event, after, events[position + 1 :])
        found.append(_change(event, before, after))
        after = before
    return tuple(found)


def _change(event: Event, before: Definition | None, after: Definition | None) -> FlagChange:
    told = event.type in _HERE  # what happens everywhere is more than the definition of one environment
    known = after if told and before is not None else None
    off = True if event.type == DISABLED or event.type in _GONE else (known.off if known is not None else None)
    return FlagChange(
        key=event.feature_name or "",
        at=event.at,
        summary=_summary(event),
        who=safe(event.created_by or "", 100),
        exact=True,
        before=before.text() if before is not None and told else "",
        before_hash=before.hash if before is not None and told else "",
        after=known.text() if known is not None else "",
        after_hash=known.hash if known is not None else "",
        off=off,
        before_off=before.off if before is not None and told else None,
        served=before.serves() if before is not None and told else trusted(""),
        id=str(event.id),
    )


def _before(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    if event.type in _NOTHING_CHANGES:
        return after
    undo = _UNDO.get(event.type)
    return undo(event, after, older) if undo is not None and event.environment else None


def _enabled(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    turned_on = event.type == ENABLED
    return Definition(not turned_on, after.strategies) if after.enabled is turned_on else None


def _added(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    data, at = _found(event.data, after)
    return None if data is None else _replaced(after, at, ())


def _updated(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    data, at = _found(event.data, after)
    former = _strategy(event.pre_data)
    if data is None or former is None or former.id != data.id:
        return None
    kept = msgspec.structs.replace(former, sort_order=after.strategies[at].sort_order)
    return _replaced(after, at, (kept,))


def _removed(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    former = _strategy(event.pre_data)
    orders = [strategy.sort_order for strategy in after.strategies]
    if former is None or former.sort_order is None or None in orders:
        return None
    if any(strategy.id == former.id for strategy in after.strategies):
        return None
    # The log does not say which segments a removed strategy had; without them it would take more users.
    if not former.segments:
        known = [_strategy(event.data) for event in older if event.type in (ADDED, UPDATED)]
        same = next((one for one in known if one is not None and one.id == former.id), None)
        if same is None:
            return None
        former = msgspec.structs.replace(former, segments=same.segments)
    return Definition.of(after.enabled, (*after.strategies, former))


def _ordered(event: Event, after: Definition, older: Sequence[Event]) -> Definition | None:
    now, then = _ids(event.data), _ids(event.pre_data)
    if now != [strategy.id for strategy in after.strategies] or sorted(then) != sorted(now):
        return None
    # Which numbers gave that order is not known: a strategy that was removed before has no place in it.
    by_id = {strategy.id: msgspec.structs.replace(strategy, sort_order=None) for strategy in after.strategies}
    return Definition(after.enabled, tuple(by_id[identity] for identity in then))


_UNDO: Mapping[str, Callable[[Event, Definition, Sequence[Event]], Definition | None]] = {
    ENABLED: _enabled,
    DISABLED: _enabled,
    ADDED: _added,
    UPDATED: _updated,
    REMOVED: _removed,
    ORDERED: _ordered,
}


def _found(data: object, after: Definition) -> tuple[Strategy | None, int]:
    """The strategy that an event tells, and its place; None when it does not stand like that."""
    told = _strategy(data)
    for at, strategy in enumerate(after.strategies):
        if told is not None and strategy.id == told.id:
            return (told, at) if strategy.value() == told.value() else (None, 0)
    return None, 0


def _replaced(after: Definition, at: int, by: tuple[Strategy, ...]) -> Definition:
    strategies = after.strategies
    return Definition(after.enabled, (*strategies[:at], *by, *strategies[at + 1 :]))


def _strategy(data: object) -> Strategy | None:
    try:
        found = msgspec.convert(data, Strategy)
    except msgspec.ValidationError:
        return None
    return found if found.id else None


def _ids(data: object) -> list[str]:
    found = data.get("strategyIds") if isinstance(data, dict) else None
    return [str(identity) for identity in found] if isinstance(found, list) else []


def _summary(event: Event) -> SafeText:
    words = _HERE.get(event.type) or _EVERYWHERE.get(event.type, "changed")
    now, then = _strategy(event.data), _strategy(event.pre_data)
    where = f" in {safe(event.environment, 60)}" if event.environment else ""
    if now is not None and then is not None:
        return trusted(f"{then.words()} -> {now.words()}{where}")
    told = now or then
    return trusted(f"{words}{where}" + (f": {told.words()}" if told is not None else ""))
