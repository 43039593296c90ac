"""The keys by which PagerDuty knows what belongs together: an alert's own, as Alertmanager sends it, or ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from opsconsole.errors import UsageError
from opsconsole.model.routing import Route, Routing

OWN = "opsconsole/"
"""How keys begin that are not Alertmanager's. Only what has such a key is resolved by a guard."""

MAX_KEY = 255
"""Characters that PagerDuty takes."""

_ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", "\\": "\\", '"': '"'}


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """The `groupKey` of the group that an alert belongs to at the route where it ends."""
    names = labels if route.group_by is None else [name for name in route.group_by if name in labels]
    shown = sorted(f"{name}={_quoted(labels[name])}" for name in set(names))
    return f"{route.key}:{{{', '.join(shown)}}}"


def alert_key(routings: Iterable[Routing], labels: Mapping[str, str]) -> str:
    """The dedup_key that Alertmanager gives PagerDuty for an alert that it has; "" when that cannot be told.

    `routings` are those of the members that answered: when they do not agree, or no PagerDuty hears of the alert,
    there is no such key. Of several PagerDuty receivers the first in the order of the routes counts.
    """
    found: set[str] = set()
    for routing in routings:
        try:
            ends = routing.root.find(labels)
        except UsageError:
            return ""
        paged = next((route for route in ends if route.receiver in routing.pagers), None)
        found.add("" if paged is None else hashlib.sha256(group_key(paged, labels).encode()).hexdigest())
    return found.pop() if len(found) == 1 else ""


def incident_key(context: str, incident: str) -> str:
    """The key of what no alert is known for."""
    key = f"{OWN}{context}/{incident}"
    if len(key) <= MAX_KEY:
        return key
    return f"{key[:180]}-{hashlib.sha256(key.encode()).hexdigest()}"


def _quoted(value: str) -> str:
    """As Go's %q writes it."""
    return f'"{"".join(map(_char, value))}"'


def _char(char: str) -> str:
    if char in _ESCAPES:
        return "\\" + _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
