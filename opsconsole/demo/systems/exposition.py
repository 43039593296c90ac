"""What a job of a simulated system answers on `/metrics`, written by prometheus-client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from opsconsole.demo.systems.world import SystemWorld

CONTENT_TYPE = CONTENT_TYPE_LATEST


class JobCollector(Collector):
    """The metric families of one job, with the values that the world has when it is asked."""

    def __init__(self, world: SystemWorld, job: str) -> None:
        self._world = world
        self._job = job

    def collect(self) -> Iterable[Metric]:
        """Each family once, with its declared type and help, in the order in which it is declared."""
        found: dict[str, Metric] = {}
        for (job, name, labels), value in self._world.values().items():
            if job == self._job:
                declared = self._world.families.of(name)
                family = found.get(declared.name)
                if family is None:
                    base = declared.name.removesuffix("_total") if declared.kind == "counter" else declared.name
                    family = found[declared.name] = Metric(base, declared.help, declared.kind)
                family.add_sample(name, dict(labels), value)
        return self._in_order(found)

    def _in_order(self, found: dict[str, Metric]) -> Iterator[Metric]:
        for metric in self._world.system.metrics:
            if metric.name in found:
                yield found[metric.name]


def exposition(world: SystemWorld, job: str) -> bytes:
    """One scrape of a job, in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(JobCollector(world, job))
    return generate_latest(registry)
