"""Every check there is, in the order of the reports."""

from __future__ import annotations

from opsconsole.checks import (
    acks,
    alertmanager,
    alerts,
    clusters,
    flags,
    probes,
    routes,
    rules,
    runbooks,
    sources,
    targets,
    thresholds,
)
from opsconsole.checks.base import Check

CATALOG: tuple[Check, ...] = (
    *sources.CHECKS,
    *clusters.CHECKS,
    *targets.CHECKS,
    *rules.CHECKS,
    *alertmanager.CHECKS,
    *routes.CHECKS,
    *alerts.CHECKS,
    *acks.CHECKS,
    *thresholds.CHECKS,
    *probes.CHECKS,
    *flags.CHECKS,
    *runbooks.CHECKS,
)
