"""Alerts that somebody posts to the demo's Alertmanager, beside those of the scenario."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from opsconsole.demo import expr
from opsconsole.demo.alarms import Occurrence
from opsconsole.demo.rulebook import DemoRule
from opsconsole.demo.times import read_time
from opsconsole.model.alerts import fingerprint_of

MAX_KEPT = 1000

_NODE = expr.parse("vector(1)")


class PostedAlerts:
    """The alerts by fingerprint; each is over at its `endsAt`."""

    def __init__(self) -> None:
        self._found: dict[str, Occurrence] = {}

    def take(self, body: bytes, now: float, life: float) -> None:
        """Keep the alerts of a request; one without an end lasts `life` seconds. Raises ValueError with what is
        wrong, in Alertmanager's words where they are known."""
        made = [_occurrence(one, now, life) for one in _list(json.loads(body))]
        self._found |= {one.fingerprint: one for one in made}
        if len(self._found) > MAX_KEPT:
            raise ValueError("too many alerts")

    def firing(self, now: float) -> list[Occurrence]:
        """Those that are not over; the others are forgotten."""
        self._found = {f: one for f, one in self._found.items() if one.ended is not None and one.ended > now}
        return list(self._found.values())


def _occurrence(one: Any, now: float, life: float) -> Occurrence:
    if not isinstance(one, dict) or not isinstance(one.get("labels"), dict):
        raise ValueError("labels in body is required")
    labels = {str(name): str(value) for name, value in one["labels"].items() if value}
    if not labels:
        raise ValueError("at least one label pair required")
    starts, ends = _time(one, "startsAt", now), _time(one, "endsAt", now + life)
    if ends < starts:
        raise ValueError("start time must be before end time")
    name = labels.get("alertname", "")
    annotations: Mapping[str, str] = {str(k): str(v) for k, v in (one.get("annotations") or {}).items()}
    made = Occurrence(DemoRule(name, "vector(1)", _NODE, 0.0, 0.0, labels, annotations), labels, starts)
    made.fired, made.ended = starts, ends
    made.fingerprint = fingerprint_of(labels)
    return made


def _time(one: Mapping[str, Any], key: str, default: float) -> float:
    found = read_time(one[key]) if isinstance(one.get(key), str) and one[key] else default
    if not math.isfinite(found):
        raise ValueError(f"{key} in body must be of type date-time")
    return found


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise ValueError("alerts in body must be of type array")
    return found
