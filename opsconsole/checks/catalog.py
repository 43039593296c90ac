"""Every check there is, in the order of the reports."""

from __future__ import annotations

from opsconsole.checks import (
    acks,
    alertmanager,
    alerts,
    clusters,
    drift,
    flags,
    guard,
    metrics,
    probes,
    prometheus,
    routes,
    rules,
    runbooks,
    server,
    sources,
    targets,
    thresholds,
)
from opsconsole.checks.base import Check

CATALOG: tuple[Check, ...] = (
    *prometheus.CHECKS,
    *server.CHECKS,
    *sources.CHECKS,
    *clusters.CHECKS,
    *targets.CHECKS,
    *metrics.CHECKS,
    *rules.CHECKS,
    *drift.CHECKS,
    *alertmanager.CHECKS,
    *routes.CHECKS,
    *alerts.CHECKS,
    *acks.CHECKS,
    *thresholds.CHECKS,
    *probes.CHECKS,
    *flags.CHECKS,
    *guard.CHECKS,
    *runbooks.CHECKS,
)
