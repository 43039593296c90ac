"""The machine and the containers under the simulated Todo application: node-exporter and cAdvisor."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.systems.base import Metric, Moment, Sample
from opsconsole.demo.systems.machines import CADVISOR, GIB, NODE, container, node
from opsconsole.demo.systems.parts import labels

HOST_METRICS = (
    *NODE,
    *CADVISOR,
    Metric("node_filesystem_readonly", "gauge", "Filesystem read-only status."),
    Metric("container_fs_reads_bytes_total", "counter", "Cumulative count of bytes read"),
    Metric("container_fs_writes_bytes_total", "counter", "Cumulative count of bytes written"),
    Metric("machine_cpu_cores", "gauge", "Number of logical CPU cores."),
    Metric("machine_memory_bytes", "gauge", "Amount of memory installed on the machine."),
)

CPUS = 4
RAM = 8.0 * GIB

_FILESYSTEMS = (
    ("/dev/vdb1", "ext4", "/var/lib/postgresql", 60.0 * GIB, 0.46),
    # Nearly full for good reasons, so that an alert that counts it is wrong.
    ("tmpfs", "tmpfs", "/run", 0.8 * GIB, 0.97),
)
"""Device, type, mount point, bytes, used share."""


def exporters(m: Moment, cpu: float, memory: float) -> Iterator[Sample]:
    """The series of both exporters; `cpu` (cores) and `memory` (bytes) are those of the backend's process."""
    yield from _machine("node-exporter", m)
    yield from _containers("cadvisor", m, cpu, memory)


def _machine(job: str, m: Moment) -> Iterator[Sample]:
    yield from node(
        job,
        m,
        cpu=0.22 * m.daily(0.2) * m.wobble("host-cpu", 0.12) + 0.68 * m.fault("cpu"),
        memory=0.57 * m.wobble("host-memory", 0.02) + 0.34 * m.fault("memory"),
        disk=0.61 + 0.33 * m.fault("disk"),
        cpus=CPUS,
        ram=RAM,
        size=80.0 * GIB,
        traffic=6e5 * m.daily(0.3),
    )
    root = labels(device="/dev/vda1", fstype="ext4", mountpoint="/")
    yield job, "node_filesystem_readonly", root, 0.0
    for device, kind, mount, size, used in _FILESYSTEMS:
        own = labels(device=device, fstype=kind, mountpoint=mount)
        yield job, "node_filesystem_size_bytes", own, size
        yield job, "node_filesystem_avail_bytes", own, size * (1.0 - used)
        yield job, "node_filesystem_free_bytes", own, size * (1.0 - used)
        yield job, "node_filesystem_readonly", own, 0.0


def _containers(job: str, m: Moment, cpu: float, memory: float) -> Iterator[Sample]:
    parts = (
        ("todo-backend", "todo-backend:2.3.0", cpu, memory + 2.4e7, 1.0 * GIB, 6e3, 9e3),
        ("todo-frontend", "todo-frontend:2.3.0", 0.05 * m.daily(0.3), 9.6e7, 0.25 * GIB, 2e3, 1e3),
        ("todo-db", "postgres:16", 0.21 * m.daily(0.3), 6.4e8, 2.0 * GIB, 2.2e5, 9.1e5),
    )
    for name, image, cores, size, limit, reads, writes in parts:
        yield from container(job, m, name, image=image, cpu=cores, memory=size, limit=limit)
        disk = labels(device="/dev/vda1", id=f"/docker/{name}", image=image, name=name)
        yield job, "container_fs_reads_bytes_total", disk, reads * m.wobble(f"{name}-reads", 0.4)
        yield job, "container_fs_writes_bytes_total", disk, writes * m.wobble(f"{name}-writes", 0.3)
    yield job, "machine_cpu_cores", (), float(CPUS)
    yield job, "machine_memory_bytes", (), RAM
