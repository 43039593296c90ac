"""From what a Prometheus has to a playbook: what to ask of it, and one dashboard for each job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from opsconsole.golden.databases import POSTGRES, REDIS
from opsconsole.golden.families import Family, JobFacts, family_of
from opsconsole.golden.machines import CADVISOR, NODE
from opsconsole.golden.promql import counted, quoted, selector
from opsconsole.golden.requests import BREAKDOWNS, STATUS_LABELS, request_hits, request_names
from opsconsole.golden.saturation import gauge_hits, gauge_names
from opsconsole.golden.servers import ALERTMANAGER, PROMETHEUS, RUNTIME, RUNTIME_PREFIXES
from opsconsole.golden.signals import Hit, Signal, above, hit, short, slug
from opsconsole.golden.table import Product, hits_of
from opsconsole.model.playbook import Dashboard, JobSpec, PanelGroup, PanelKind, Playbook
from opsconsole.model.verdicts import Level
from opsconsole.text import is_safe, trusted

SYSTEM = "found"
"""The system of a playbook that was recognised."""

PRODUCTS: tuple[Product, ...] = (POSTGRES, REDIS, CADVISOR, NODE, PROMETHEUS, ALERTMANAGER)

MAX_PANELS = 8
MAX_DASHBOARDS = 12
MAX_NAMES = 240
"""Metric names about which a Prometheus is asked."""

PER_QUESTION = 40
REFRESH = 15.0
_OF_THE_REST = 50


def questions(families: Mapping[str, Family]) -> tuple[str, ...]:
    """The instant queries that tell which job exports what, and with which status labels. At most MAX_NAMES
    metrics are asked about: those of the known instrumentations, then the most telling ones."""
    known = {name for product in PRODUCTS for name in product.names()}
    known |= {name for rule in RUNTIME for name in rule.series}
    wanted = dict.fromkeys(f.name for name in sorted(known) if (f := family_of(name, families)) is not None)
    own = [f for f in families.values() if not f.name.startswith(RUNTIME_PREFIXES)]
    wanted.update(dict.fromkeys([*request_names(own), *gauge_names(own)]))
    names = ["up", *(families[name].witness for name in list(wanted)[:MAX_NAMES])]
    plain = tuple(label for label in STATUS_LABELS if "." not in label)
    # A dotted label is only understood by servers that have dotted metrics.
    labels = (*(STATUS_LABELS if any("." in name for name in names) else plain), "quantile", *BREAKDOWNS)
    return tuple(counted(names[at : at + PER_QUESTION], labels) for at in range(0, len(names), PER_QUESTION))


def recognise(jobs: Iterable[JobFacts]) -> Playbook | None:
    """The playbook of what the jobs export; None when nothing is recognised."""
    pages = [page for facts in jobs for page in _pages(facts)]
    pages.sort(key=lambda page: (page.rank, page.facts.job, page.title))
    chosen = pages[:MAX_DASHBOARDS]
    if not chosen:
        return None
    ids = _Ids()
    return Playbook(
        system=SYSTEM,
        title=trusted("Found in Prometheus"),
        folder="",
        dashboards=tuple(_dashboard(page, ids) for page in chosen),
    )


def jobs_of(playbook: Playbook, facts: Iterable[JobFacts]) -> tuple[JobSpec, ...]:
    """The jobs that the playbook's panels watch, with the instances that they have now. A job whose name is not
    plain text cannot be named in a playbook."""
    exprs = [query.expr for d in playbook.dashboards for panel in d.panels for query in panel.queries]
    watched = (
        one
        for one in facts
        if one.job.strip() and is_safe(one.job) and any(f"job={quoted(one.job)}" in expr for expr in exprs)
    )
    return tuple(JobSpec(name=one.job, instances=max(1, one.instances)) for one in watched)


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """A dashboard to be: `rank` orders, the lowest first."""

    rank: int
    facts: JobFacts
    title: str
    hits: tuple[Hit, ...]


class _Ids:
    """Ids that were given, so that none is given twice."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, wanted: str) -> str:
        name, number = slug(wanted), 2
        while name in self._given:
            name, number = f"{slug(wanted, 58)}_{number}", number + 1
        self._given.add(name)
        return name


def _pages(facts: JobFacts) -> Iterator[_Page]:
    """The application of a job, and each product in it."""
    products = [product for product in PRODUCTS if product.is_in(facts)]
    prefixes = (*RUNTIME_PREFIXES, *(prefix for product in products for prefix in product.prefixes))
    rest = [f for f in facts.families.values() if not f.name.startswith(prefixes)]
    runtime = tuple(hits_of(RUNTIME, facts))
    served = (*request_hits(facts, rest), *gauge_hits(facts, rest))
    traffic = any(one.signal in (Signal.TRAFFIC, Signal.LATENCY) for one in served)
    down = tuple(_down(facts))
    several = len(products) + bool(served) > 1
    name = facts.job.strip() or "no job"
    for product in products:
        hits = tuple(hits_of(product.panels, facts))
        own = runtime if product.runtime else ()
        if hits:
            title = f"{name}: {product.title}" if several else name
            yield _Page(rank=product.rank, facts=facts, title=title, hits=_best((*hits, *own, *down)))
    if served or (runtime and not products):
        hits = (*served, *down) if products else (*served, *runtime, *down)
        yield _Page(rank=0 if traffic else _OF_THE_REST, facts=facts, title=name, hits=_best(hits))


def _down(facts: JobFacts) -> Iterator[Hit]:
    if facts.instances:
        up = selector("up", facts.job)
        yield hit(
            Signal.ERRORS,
            95,
            "down",
            "Targets down",
            "count",
            ("down", f"count({up}) - sum({up})"),
            kind=PanelKind.NUMBER,
            thresholds=above(Level.WARNING, 0),
        )


def _best(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The panels of the highest weight; of two with one id the first."""
    by_id: dict[str, Hit] = {}
    for one in sorted(hits, key=lambda h: -h.weight):
        by_id.setdefault(one.panel.id, one)
    return tuple(by_id.values())[:MAX_PANELS]


def _dashboard(page: _Page, ids: _Ids) -> Dashboard:
    name = ids.new(slug(page.title, 48))
    groups = []
    for signal in Signal:
        panels = tuple(
            msgspec.structs.replace(one.panel, id=ids.new(f"{slug(page.title, 24)}_{slug(one.panel.id, 39)}"))
            for one in page.hits
            if one.signal is signal
        )
        if panels:
            groups.append(PanelGroup(title=trusted(signal.value), panels=panels))
    return Dashboard(id=name, title=short(page.title), refresh=REFRESH, groups=tuple(groups))
