"""How bad an alert is, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum


class Severity(IntEnum):
    """The worst sorts first. UNKNOWN is an alert whose severity label is missing or not known."""

    CRITICAL = 0
    HIGH = 1
    WARNING = 2
    UNKNOWN = 3
    INFO = 4

    @property
    def word(self) -> str:
        """Lower-case word as used in labels and JSON."""
        return self.name.lower()


_ALIASES: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL,
    "crit": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "disaster": Severity.CRITICAL,
    "p0": Severity.CRITICAL,
    "high": Severity.HIGH,
    "error": Severity.HIGH,
    "major": Severity.HIGH,
    "p1": Severity.HIGH,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "minor": Severity.WARNING,
    "p2": Severity.WARNING,
    "info": Severity.INFO,
    "information": Severity.INFO,
    "none": Severity.INFO,
    "p3": Severity.INFO,
}


def severity_of(labels: Mapping[str, str]) -> Severity:
    """The severity that the `severity` (or `priority`) label names; UNKNOWN when it names none."""
    word = labels.get("severity") or labels.get("priority") or ""
    return _ALIASES.get(word.lower(), Severity.UNKNOWN)


class AlertState(Enum):
    """Where an alert stands, as the list shows it."""

    ACTIVE = "active"
    ACKED = "acked"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    PENDING = "pending"
