"""Rules about the exporters of PostgreSQL and Redis."""

from __future__ import annotations

from opsconsole.golden.signals import NEARLY_FULL, Signal, above, below
from opsconsole.golden.table import PanelRule, Product
from opsconsole.model.playbook import PanelKind
from opsconsole.model.verdicts import Level

T, E, L, S = Signal.TRAFFIC, Signal.ERRORS, Signal.LATENCY, Signal.SATURATION

_TRANSACTIONS = (
    "sum(rate(pg_stat_database_xact_commit{job}[5m])) + sum(rate(pg_stat_database_xact_rollback{job}[5m]))"
)
_BLOCKS = "sum(rate(pg_stat_database_blks_hit{job}[5m])) + sum(rate(pg_stat_database_blks_read{job}[5m]))"
_LOOKUPS = "sum(rate(redis_keyspace_hits_total{job}[5m])) + sum(rate(redis_keyspace_misses_total{job}[5m]))"

POSTGRES = Product(
    id="postgresql",
    title="PostgreSQL",
    rank=20,
    witnesses=("pg_up", "pg_stat_activity_count", "pg_stat_database_xact_commit"),
    prefixes=("pg_", "postgres_"),
    panels=(
        PanelRule(
            id="up",
            title="Server answers",
            signal=E,
            weight=99,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("up", "min(pg_up{job})"),),
            thresholds=below(Level.CRITICAL, 1),
        ),
        PanelRule(
            id="transactions",
            title="Transactions",
            signal=T,
            weight=97,
            unit="rps",
            queries=(("transactions", _TRANSACTIONS),),
        ),
        PanelRule(
            id="rollbacks",
            title="Rolled back",
            signal=E,
            weight=92,
            unit="ratio",
            maximum=1.0,
            queries=(
                ("rolled back", f"sum(rate(pg_stat_database_xact_rollback{{job}}[5m])) / ({_TRANSACTIONS} > 0)"),
            ),
        ),
        PanelRule(
            id="connections",
            title="Connections",
            signal=S,
            weight=96,
            unit="count",
            queries=(("{{state}}", "sum by (state) (pg_stat_activity_count{job})"),),
        ),
        PanelRule(
            id="connections_used",
            title="Connections of the limit",
            signal=S,
            weight=94,
            unit="ratio",
            maximum=1.0,
            queries=(
                (
                    "highest",
                    "max(sum by (instance) (pg_stat_activity_count{job})"
                    " / on (instance) max by (instance) (pg_settings_max_connections{job}))",
                ),
            ),
            thresholds=NEARLY_FULL,
        ),
        PanelRule(
            id="longest",
            title="Longest transaction",
            signal=L,
            weight=93,
            unit="s",
            queries=(("longest", "max(pg_stat_activity_max_tx_duration{job})"),),
        ),
        PanelRule(
            id="cache_hits",
            title="Cache hits",
            signal=S,
            weight=91,
            unit="ratio",
            maximum=1.0,
            queries=(("hits", f"sum(rate(pg_stat_database_blks_hit{{job}}[5m])) / ({_BLOCKS} > 0)"),),
        ),
        PanelRule(
            id="deadlocks",
            title="Deadlocks",
            signal=E,
            weight=88,
            unit="per_minute",
            queries=(("deadlocks", "60 * sum(rate(pg_stat_database_deadlocks{job}[5m]))"),),
        ),
        PanelRule(
            id="size",
            title="Database size",
            signal=S,
            weight=60,
            unit="bytes",
            queries=(("all", "sum(pg_database_size_bytes{job})"),),
        ),
    ),
)

REDIS = Product(
    id="redis",
    title="Redis",
    rank=21,
    witnesses=("redis_up", "redis_connected_clients"),
    prefixes=("redis_",),
    panels=(
        PanelRule(
            id="up",
            title="Server answers",
            signal=E,
            weight=99,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("up", "min(redis_up{job})"),),
            thresholds=below(Level.CRITICAL, 1),
        ),
        PanelRule(
            id="commands",
            title="Commands",
            signal=T,
            weight=97,
            unit="rps",
            queries=(("commands", "sum(rate(redis_commands_processed_total{job}[5m]))"),),
        ),
        PanelRule(
            id="command_time",
            title="Time of a command",
            signal=L,
            weight=95,
            unit="s",
            queries=(
                (
                    "mean",
                    "sum(rate(redis_commands_duration_seconds_total{job}[5m]))"
                    " / (sum(rate(redis_commands_total{job}[5m])) > 0)",
                ),
            ),
        ),
        PanelRule(
            id="memory",
            title="Memory",
            signal=S,
            weight=96,
            unit="bytes",
            queries=(("used", "sum(redis_memory_used_bytes{job})"),),
        ),
        PanelRule(
            id="hits",
            title="Keys found",
            signal=S,
            weight=94,
            unit="ratio",
            maximum=1.0,
            queries=(("hits", f"sum(rate(redis_keyspace_hits_total{{job}}[5m])) / ({_LOOKUPS} > 0)"),),
        ),
        PanelRule(
            id="clients",
            title="Connected clients",
            signal=S,
            weight=93,
            unit="count",
            queries=(("clients", "sum(redis_connected_clients{job})"),),
        ),
        PanelRule(
            id="evictions",
            title="Keys evicted",
            signal=S,
            weight=90,
            unit="per_minute",
            queries=(("evicted", "60 * sum(rate(redis_evicted_keys_total{job}[5m]))"),),
        ),
        PanelRule(
            id="rejected",
            title="Connections rejected",
            signal=E,
            weight=88,
            unit="per_minute",
            queries=(("rejected", "60 * sum(rate(redis_rejected_connections_total{job}[5m]))"),),
            thresholds=above(Level.WARNING, 0),
        ),
    ),
)
