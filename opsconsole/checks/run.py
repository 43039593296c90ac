"""All checks of a snapshot, and their overall verdict."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.checks.alerts import check_alerts
from opsconsole.checks.rules import check_rules
from opsconsole.checks.sources import check_sources
from opsconsole.checks.targets import check_targets
from opsconsole.checks.thresholds import check_thresholds
from opsconsole.model.verdicts import Level, Verdict, worst
from opsconsole.state.snapshot import Snapshot

CHECKS = (check_sources, check_targets, check_rules, check_alerts, check_thresholds)


def run_checks(snapshot: Snapshot) -> tuple[Verdict, ...]:
    """The verdicts of every check, in the order of CHECKS."""
    return tuple(verdict for check in CHECKS for verdict in check(snapshot))


def overall(verdicts: Sequence[Verdict]) -> Level:
    """The worst verdict; UNKNOWN when nothing was checked."""
    return worst(v.level for v in verdicts)
