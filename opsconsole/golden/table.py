"""What a rule about a known instrumentation says, and how it becomes a panel."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.golden.families import Family, JobFacts, Kind, family_of
from opsconsole.golden.promql import filled, mean_of, needs_of, quantile_of
from opsconsole.golden.signals import Hit, Signal, hit
from opsconsole.model.playbook import PanelKind, Threshold

QUANTILES = (("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"))
"""Of a histogram, with their legends."""


class PanelRule(msgspec.Struct, frozen=True, kw_only=True):
    """One panel of a known instrumentation.

    `queries` are (legend, template); in a template `name{job}` is a series of the job. The panel is there
    when the job exports every series that its templates name, or those of `needs` when it is given. `timing`
    names a histogram or summary instead of queries: its quantiles are asked in the way that its kind wants.
    """

    id: str
    title: str
    signal: Signal
    weight: int
    unit: str
    queries: tuple[tuple[str, str], ...] = ()
    timing: str = ""
    needs: tuple[str, ...] = ()
    kind: PanelKind = PanelKind.LINE
    maximum: float | None = None
    thresholds: tuple[Threshold, ...] = ()

    @property
    def series(self) -> frozenset[str]:
        """The series names without which there is no panel."""
        if self.timing:
            return frozenset({self.timing})
        return frozenset(self.needs) or frozenset().union(*(needs_of(expr) for _, expr in self.queries))


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A known instrumentation. A job that exports one of `witnesses` has it; metrics that begin with one of
    `prefixes` are then its own and no application's. `rank` orders dashboards, the lowest first. `runtime`
    says whether the process metrics of the job are those of the product, and not of an exporter beside it."""

    id: str
    title: str
    rank: int
    witnesses: tuple[str, ...]
    prefixes: tuple[str, ...]
    panels: tuple[PanelRule, ...]
    runtime: bool = False

    def is_in(self, facts: JobFacts) -> bool:
        return any(facts.has(name) for name in self.witnesses)

    def names(self) -> frozenset[str]:
        """Every series name that it looks for."""
        return frozenset(self.witnesses).union(*(rule.series for rule in self.panels))


def hits_of(rules: tuple[PanelRule, ...], facts: JobFacts) -> Iterator[Hit]:
    """The panels of the rules that the job's metrics allow."""
    for rule in rules:
        if not all(facts.has(name) for name in rule.series):
            continue
        queries = tuple((legend, filled(expr, facts.job)) for legend, expr in rule.queries)
        headline = ""
        if rule.timing:
            family = family_of(rule.timing, facts.families)
            assert family is not None
            queries, headline = timing_queries(family, facts)
        yield hit(
            rule.signal,
            rule.weight,
            rule.id,
            rule.title,
            rule.unit,
            *queries,
            kind=rule.kind,
            headline=headline or rule.queries[0][0],
            maximum=rule.maximum,
            thresholds=rule.thresholds,
        )


def timing_queries(family: Family, facts: JobFacts) -> tuple[tuple[tuple[str, str], ...], str]:
    """The quantiles that a histogram or summary can give, else its mean, as (legend, expression), and which of
    them is the panel's value."""
    quantiles: tuple[tuple[str, str], ...] = QUANTILES
    if family.kind is Kind.SUMMARY:
        quantiles = _summary_quantiles(facts.values(family.name, "quantile"))
    elif family.kind is Kind.TIMES:
        quantiles = ()
    if not quantiles:
        return (("mean", mean_of(family, facts.job)),), "mean"
    legends = [legend for legend, _ in quantiles]
    headline = "p95" if "p95" in legends else legends[-1]
    return tuple((legend, quantile_of(family, facts.job, q)) for legend, q in quantiles), headline


def _summary_quantiles(labels: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The middle one and the two highest of a summary's quantiles, 0 and 1 left out."""
    known: dict[float, str] = {}
    for label in sorted(labels):
        try:
            value = float(label)
        except ValueError:
            continue
        if 0 < value < 1:
            known.setdefault(value, label)
    ordered = sorted(known)
    chosen = sorted({*ordered[-2:], *(q for q in ordered if q == 0.5)})
    return tuple((f"p{q * 100:g}", known[q]) for q in chosen)
