"""Every check there is, in the order of the reports."""

from __future__ import annotations

from opsconsole.checks import alerts, rules, sources, targets, thresholds
from opsconsole.checks.base import Check

CATALOG: tuple[Check, ...] = (
    *sources.CHECKS,
    *targets.CHECKS,
    *rules.CHECKS,
    *alerts.CHECKS,
    *thresholds.CHECKS,
)
