"""Simulated machines and containers: the usual series of node-exporter and of cAdvisor."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.shapes import DAY
from opsconsole.demo.systems.base import Metric, Moment, Sample
from opsconsole.demo.systems.parts import labels

GIB = 1024.0**3

NODE = (
    Metric("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode."),
    Metric("node_load1", "gauge", "1m load average."),
    Metric("node_load5", "gauge", "5m load average."),
    Metric("node_load15", "gauge", "15m load average."),
    Metric("node_memory_MemTotal_bytes", "gauge", "Memory information field MemTotal_bytes."),
    Metric("node_memory_MemAvailable_bytes", "gauge", "Memory information field MemAvailable_bytes."),
    Metric("node_memory_MemFree_bytes", "gauge", "Memory information field MemFree_bytes."),
    Metric("node_filesystem_size_bytes", "gauge", "Filesystem size in bytes."),
    Metric("node_filesystem_avail_bytes", "gauge", "Filesystem space available to non-root users in bytes."),
    Metric("node_filesystem_free_bytes", "gauge", "Filesystem free space in bytes."),
    Metric("node_disk_read_bytes_total", "counter", "The total number of bytes read successfully."),
    Metric("node_disk_written_bytes_total", "counter", "The total number of bytes written successfully."),
    Metric("node_disk_io_time_seconds_total", "counter", "Total seconds spent doing I/Os."),
    Metric("node_network_receive_bytes_total", "counter", "Network device statistic receive_bytes."),
    Metric("node_network_transmit_bytes_total", "counter", "Network device statistic transmit_bytes."),
    Metric("node_boot_time_seconds", "gauge", "Node boot time, in unixtime."),
)
"""What `node` exports."""

CADVISOR = (
    Metric("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds."),
    Metric("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory."),
    Metric("container_memory_working_set_bytes", "gauge", "Current working set in bytes."),
    Metric("container_memory_rss", "gauge", "Size of RSS in bytes."),
    Metric("container_spec_memory_limit_bytes", "gauge", "Memory limit for the container."),
    Metric("container_network_receive_bytes_total", "counter", "Cumulative count of bytes received"),
    Metric("container_network_transmit_bytes_total", "counter", "Cumulative count of bytes transmitted"),
    Metric("container_fs_usage_bytes", "gauge", "Number of bytes that are consumed by the container."),
    Metric("container_last_seen", "gauge", "Last time a container was seen by the exporter"),
    Metric("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds."),
)
"""What `container` exports."""


def node(
    job: str,
    m: Moment,
    *,
    cpu: float,
    memory: float,
    disk: float,
    cpus: int = 4,
    ram: float = 16.0 * GIB,
    size: float = 100.0 * GIB,
    traffic: float = 2e6,
) -> Iterator[Sample]:
    """One machine as node-exporter shows it. `cpu`, `memory` and `disk` are busy or used shares, 0 to 1;
    `ram` and `size` (of `/`) are bytes, `traffic` bytes a second received and sent by `eth0`."""
    for index in range(cpus):
        busy = min(1.0, max(0.0, cpu * m.wobble(f"{job}-cpu{index}", 0.04)))
        for mode, part in (
            ("idle", 1.0 - busy),
            ("iowait", 0.04 * busy),
            ("system", 0.26 * busy),
            ("user", 0.7 * busy),
        ):
            yield job, "node_cpu_seconds_total", labels(cpu=str(index), mode=mode), part
    for name, lag in (("node_load1", 0.1), ("node_load5", 0.05), ("node_load15", 0.02)):
        yield job, name, (), cpu * cpus * m.wobble(name, lag)
    yield job, "node_memory_MemTotal_bytes", (), ram
    yield job, "node_memory_MemAvailable_bytes", (), ram * (1.0 - memory)
    yield job, "node_memory_MemFree_bytes", (), ram * (1.0 - memory) * 0.45
    root = labels(device="/dev/vda1", fstype="ext4", mountpoint="/")
    yield job, "node_filesystem_size_bytes", root, size
    yield job, "node_filesystem_avail_bytes", root, size * (1.0 - disk)
    yield job, "node_filesystem_free_bytes", root, size * (1.0 - disk)
    device = labels(device="vda")
    yield job, "node_disk_read_bytes_total", device, 4e5 * m.wobble("disk-read", 0.4)
    yield job, "node_disk_written_bytes_total", device, 1.6e6 * m.wobble("disk-written", 0.3)
    yield job, "node_disk_io_time_seconds_total", device, 0.05 * m.wobble("disk-io", 0.3)
    yield job, "node_network_receive_bytes_total", labels(device="eth0"), traffic * m.wobble("received", 0.1)
    yield job, "node_network_transmit_bytes_total", labels(device="eth0"), 1.8 * traffic * m.wobble("sent", 0.1)
    yield job, "node_boot_time_seconds", (), (m.t // (60.0 * DAY)) * 60.0 * DAY


def container(
    job: str, m: Moment, name: str, *, image: str, cpu: float, memory: float, limit: float = 1.0 * GIB
) -> Iterator[Sample]:
    """One container as cAdvisor shows it: `cpu` in cores, `memory` and `limit` in bytes. Call it for each
    container with a name of its own."""
    own = labels(id=f"/docker/{name}", image=image, name=name)
    cores = cpu * m.wobble(f"{name}-cpu", 0.08)
    yield job, "container_cpu_usage_seconds_total", tuple(sorted((*own, ("cpu", "total")))), cores
    yield job, "container_memory_usage_bytes", own, memory
    yield job, "container_memory_working_set_bytes", own, memory * 0.92
    yield job, "container_memory_rss", own, memory * 0.84
    yield job, "container_spec_memory_limit_bytes", own, limit
    wire = tuple(sorted((*own, ("interface", "eth0"))))
    yield job, "container_network_receive_bytes_total", wire, 8e4 * m.wobble(f"{name}-received", 0.2)
    yield job, "container_network_transmit_bytes_total", wire, 1.4e5 * m.wobble(f"{name}-sent", 0.2)
    disk = tuple(sorted((*own, ("device", "/dev/vda1"))))
    yield job, "container_fs_usage_bytes", disk, 3.1e8
    yield job, "container_last_seen", own, m.t
    yield job, "container_start_time_seconds", own, (m.t // (7.0 * DAY)) * 7.0 * DAY
