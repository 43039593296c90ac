"""The words for values, bounds and times that the guard's decisions are told in."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from opsconsole.guard.decisions import Watched
from opsconsole.model.guard import GuardRule
from opsconsole.model.units import UNITS
from opsconsole.text import SafeText, safe, trusted


def value_words(rule: GuardRule, value: float | None) -> SafeText:
    """`20.3 %`."""
    if value is None:
        return trusted("not known")
    number = value * 100 if rule.unit == "ratio" else value
    return trusted(f"{number:.3g} {UNITS[rule.unit]}".rstrip())


def bound_words(rule: GuardRule) -> SafeText:
    """`allowed up to 5 %`, `allowed from 1 /s`."""
    if rule.above is not None:
        return trusted(f"allowed up to {value_words(rule, rule.above)}")
    return trusted(f"allowed from {value_words(rule, rule.below)}")


def age_words(seconds: float) -> SafeText:
    """`45s`, `12m`, `1h 05m`."""
    whole = round(max(0.0, seconds))
    if whole < 120:
        return trusted(f"{whole}s")
    minutes = whole // 60
    return trusted(f"{minutes}m") if minutes < 60 else trusted(f"{minutes // 60}h {minutes % 60:02d}m")


def clock_words(at: float) -> SafeText:
    """`14:03:20Z`."""
    return trusted(datetime.fromtimestamp(at, UTC).strftime("%H:%M:%SZ"))


def incident_id(watched: Watched, onset: float) -> str:
    """The name of one run of a rule beyond its bound: the same after a restart."""
    stamp = datetime.fromtimestamp(onset, UTC).strftime("%Y%m%dT%H%M%SZ")
    system = re.sub(r"[^A-Za-z0-9_.-]", "_", watched.system)[:40]
    return safe(f"{stamp}-{system}-{watched.rule.id}")
