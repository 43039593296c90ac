"""What a Prometheus has: metric families from series names and metadata, and who exports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from opsconsole.model.series import Series

MAX_LABEL_VALUES = 40
"""Values of one label of one metric that are kept: more of them tell nothing that a panel could show."""


class Kind(Enum):
    """NATIVE is a histogram without `_bucket` series. TIMES has only `_sum` and `_count`: a summary without
    quantiles."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    NATIVE = "native"
    SUMMARY = "summary"
    TIMES = "times"


class Family(msgspec.Struct, frozen=True):
    """One metric. `name` has no `_bucket`, `_sum` or `_count`."""

    name: str
    kind: Kind

    @property
    def witness(self) -> str:
        """The series name that shows who exports it, with the fewest series."""
        return f"{self.name}_count" if self.kind in (Kind.HISTOGRAM, Kind.TIMES) else self.name

    @property
    def timed(self) -> bool:
        """Whether it counts observations and adds up what they measured."""
        return self.kind in (Kind.HISTOGRAM, Kind.NATIVE, Kind.SUMMARY, Kind.TIMES)


class JobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One scrape job: its instances that are up or down, its families by name, and of each the values of the
    labels that were asked for, the empty value left out."""

    job: str
    instances: int = 0
    families: Mapping[str, Family] = {}
    labels: Mapping[str, Mapping[str, frozenset[str]]] = {}

    def values(self, family: str, label: str) -> frozenset[str]:
        """The values of a label of one of the families; empty when it has no such label."""
        return self.labels.get(family, {}).get(label, frozenset())

    def has(self, series: str) -> bool:
        """Whether the job exports a family to which this series name belongs."""
        return family_of(series, self.families) is not None


def families_of(names: Iterable[str], types: Mapping[str, str]) -> dict[str, Family]:
    """The families of these series names. `types` are the types of the metadata by metric name; where it is
    silent (other servers have none) the shape of the names decides."""
    every = frozenset(names)
    found: dict[str, Family] = {}
    for name in sorted(every):
        base = _base(name, every, types)
        if base not in found:
            found[base] = Family(base, _kind(base, every, types))
    return found


def family_of(series: str, families: Mapping[str, Family]) -> Family | None:
    """The family of a series name."""
    if series in families:
        return families[series]
    for suffix in ("_bucket", "_count", "_sum"):
        if series.endswith(suffix):
            return families.get(series.removesuffix(suffix))
    return None


def facts_of(families: Mapping[str, Family], found: Iterable[Series]) -> tuple[JobFacts, ...]:
    """Who exports what, by job, from series that were counted by `__name__`, job and other labels. The values
    of `up` are the instances of its job."""
    instances: dict[str, int] = {}
    labels: dict[str, dict[str, dict[str, set[str]]]] = {}
    for series in found:
        job, name = series.labels.get("job", ""), series.labels.get("__name__", "")
        if name == "up":
            instances[job] = instances.get(job, 0) + round(series.last or 0)
            continue
        family = family_of(name, families)
        if family is None:
            continue
        own = labels.setdefault(job, {}).setdefault(family.name, {})
        for label, value in series.labels.items():
            values = own.setdefault(label, set())
            if value and label not in ("job", "__name__") and len(values) < MAX_LABEL_VALUES:
                values.add(value)
    return tuple(
        JobFacts(
            job=job,
            instances=instances.get(job, 0),
            families={name: families[name] for name in own},
            labels={
                name: {label: frozenset(values) for label, values in kept.items() if values}
                for name, kept in own.items()
            },
        )
        for job, own in sorted(labels.items())
    )


def _base(name: str, every: frozenset[str], types: Mapping[str, str]) -> str:
    """The family's name: a part of a histogram or summary loses its suffix."""
    for suffix in ("_bucket", "_count", "_sum"):
        base = name.removesuffix(suffix)
        if base == name or not base:
            continue
        says = types.get(base, "")
        if says in ("histogram", "summary"):
            return base
        if says in ("", "unknown") and not types.get(name) and {f"{base}_count", f"{base}_sum"} <= every:
            return base
    return name


def _kind(base: str, every: frozenset[str], types: Mapping[str, str]) -> Kind:
    says = types.get(base) or types.get(base.removesuffix("_total")) or ""
    if f"{base}_bucket" in every and says in ("", "unknown", "histogram"):
        return Kind.HISTOGRAM
    if says == "histogram":
        return Kind.NATIVE if base in every else Kind.TIMES
    if {f"{base}_count", f"{base}_sum"} <= every and says in ("", "unknown", "summary"):
        return Kind.SUMMARY if base in every else Kind.TIMES
    if says == "counter" or (says in ("", "unknown") and base.endswith("_total")):
        return Kind.COUNTER
    return Kind.GAUGE
