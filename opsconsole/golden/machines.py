"""Rules about the exporters of machines and containers."""

from __future__ import annotations

from opsconsole.golden.signals import NEARLY_FULL, Signal, above
from opsconsole.golden.table import PanelRule, Product
from opsconsole.model.playbook import PanelKind
from opsconsole.model.verdicts import Level

T, E, S = Signal.TRAFFIC, Signal.ERRORS, Signal.SATURATION

_REAL = 'fstype!~"tmpfs|devtmpfs|ramfs|squashfs|iso9660|nsfs|autofs|fuse.lxcfs"'

NODE = Product(
    id="node",
    title="Machines",
    rank=31,
    witnesses=("node_cpu_seconds_total", "node_load1"),
    prefixes=("node_",),
    panels=(
        PanelRule(
            id="cpu",
            title="CPU busy",
            signal=S,
            weight=96,
            unit="ratio",
            maximum=1.0,
            queries=(
                ("highest", '1 - min(avg by (instance) (rate(node_cpu_seconds_total{job,mode="idle"}[5m])))'),
                ("mean", '1 - avg(rate(node_cpu_seconds_total{job,mode="idle"}[5m]))'),
            ),
        ),
        PanelRule(
            id="memory",
            title="Memory used",
            signal=S,
            weight=94,
            unit="ratio",
            maximum=1.0,
            queries=(
                ("highest", "max(1 - node_memory_MemAvailable_bytes{job} / node_memory_MemTotal_bytes{job})"),
                ("mean", "1 - sum(node_memory_MemAvailable_bytes{job}) / sum(node_memory_MemTotal_bytes{job})"),
            ),
        ),
        PanelRule(
            id="disk",
            title="Fullest disk",
            signal=S,
            weight=93,
            unit="ratio",
            maximum=1.0,
            queries=(
                (
                    "used",
                    f"max(1 - node_filesystem_avail_bytes{{job,{_REAL}}}"
                    f" / (node_filesystem_size_bytes{{job,{_REAL}}} > 0))",
                ),
            ),
            thresholds=NEARLY_FULL,
        ),
        PanelRule(
            id="load",
            title="Load per core",
            signal=S,
            weight=90,
            unit="none",
            queries=(
                (
                    "highest",
                    "max(node_load1{job} / on (instance)"
                    ' count by (instance) (node_cpu_seconds_total{job,mode="idle"}))',
                ),
            ),
        ),
        PanelRule(
            id="network",
            title="Network",
            signal=T,
            weight=92,
            unit="bytes_per_second",
            queries=(
                ("received", 'sum(rate(node_network_receive_bytes_total{job,device!="lo"}[5m]))'),
                ("sent", 'sum(rate(node_network_transmit_bytes_total{job,device!="lo"}[5m]))'),
            ),
        ),
        PanelRule(
            id="disk_io",
            title="Disk read and written",
            signal=T,
            weight=88,
            unit="bytes_per_second",
            queries=(
                ("read", "sum(rate(node_disk_read_bytes_total{job}[5m]))"),
                ("written", "sum(rate(node_disk_written_bytes_total{job}[5m]))"),
            ),
        ),
        PanelRule(
            id="disk_busy",
            title="Busiest disk",
            signal=S,
            weight=84,
            unit="ratio",
            maximum=1.0,
            queries=(("busy", "max(rate(node_disk_io_time_seconds_total{job}[5m]))"),),
        ),
        PanelRule(
            id="network_errors",
            title="Network errors",
            signal=E,
            weight=86,
            unit="per_minute",
            queries=(
                ("receiving", "60 * sum(rate(node_network_receive_errs_total{job}[5m]))"),
                ("sending", "60 * sum(rate(node_network_transmit_errs_total{job}[5m]))"),
            ),
        ),
    ),
)

_EACH = "{{pod}} {{container}} {{name}}"

# `image` is set on containers only: not on the groups above them, which would count everything twice.
CADVISOR = Product(
    id="containers",
    title="Containers",
    rank=30,
    witnesses=("container_cpu_usage_seconds_total",),
    prefixes=("container_", "cadvisor_", "machine_"),
    panels=(
        PanelRule(
            id="cpu",
            title="CPU by container",
            signal=S,
            weight=96,
            unit="none",
            kind=PanelKind.BARS,
            queries=(
                (
                    _EACH,
                    "topk(10, sum by (pod, container, name)"
                    ' (rate(container_cpu_usage_seconds_total{job,image!=""}[5m])))',
                ),
            ),
        ),
        PanelRule(
            id="memory",
            title="Memory by container",
            signal=S,
            weight=95,
            unit="bytes",
            kind=PanelKind.BARS,
            queries=(
                (
                    _EACH,
                    'topk(10, sum by (pod, container, name) (container_memory_working_set_bytes{job,image!=""}))',
                ),
            ),
        ),
        PanelRule(
            id="restarts",
            title="Restarts in 1 h",
            signal=E,
            weight=94,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("restarts", 'sum(changes(container_start_time_seconds{job,image!=""}[1h]))'),),
        ),
        PanelRule(
            id="network",
            title="Network",
            signal=T,
            weight=92,
            unit="bytes_per_second",
            queries=(
                ("received", "sum(rate(container_network_receive_bytes_total{job}[5m]))"),
                ("sent", "sum(rate(container_network_transmit_bytes_total{job}[5m]))"),
            ),
        ),
        PanelRule(
            id="cpu_total",
            title="CPU cores used",
            signal=S,
            weight=90,
            unit="none",
            queries=(("cores", 'sum(rate(container_cpu_usage_seconds_total{job,image!=""}[5m]))'),),
        ),
        PanelRule(
            id="memory_total",
            title="Memory used",
            signal=S,
            weight=89,
            unit="bytes",
            queries=(("working set", 'sum(container_memory_working_set_bytes{job,image!=""})'),),
        ),
        PanelRule(
            id="oom",
            title="Out of memory in 1 h",
            signal=E,
            weight=88,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("kills", "sum(increase(container_oom_events_total{job}[1h]))"),),
            thresholds=above(Level.WARNING, 0),
        ),
        PanelRule(
            id="throttled",
            title="CPU throttled",
            signal=S,
            weight=86,
            unit="ratio",
            maximum=1.0,
            queries=(
                (
                    "periods",
                    "sum(rate(container_cpu_cfs_throttled_periods_total{job}[5m]))"
                    " / (sum(rate(container_cpu_cfs_periods_total{job}[5m])) > 0)",
                ),
            ),
        ),
    ),
)
