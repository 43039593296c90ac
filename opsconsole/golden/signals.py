"""The four golden signals, and one panel that shows one of them."""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from opsconsole.model.playbook import Panel, PanelKind, PanelQuery, Threshold
from opsconsole.model.verdicts import Level
from opsconsole.text import SafeText, safe, trusted

MAX_TEXT = 80
"""Characters of a title or legend that a playbook may have."""


class Signal(Enum):
    """In the order in which a dashboard shows them."""

    TRAFFIC = "Traffic"
    ERRORS = "Errors"
    LATENCY = "Latency"
    SATURATION = "Saturation"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A panel that a job's metrics allow. The ones with the highest `weight` are shown; ids are unique in a
    job."""

    signal: Signal
    weight: int
    panel: Panel


def hit(
    signal: Signal,
    weight: int,
    id: str,
    title: str,
    unit: str,
    *queries: tuple[str, str],
    kind: PanelKind = PanelKind.LINE,
    headline: str = "",
    minimum: float | None = 0.0,
    maximum: float | None = None,
    thresholds: tuple[Threshold, ...] = (),
) -> Hit:
    """A hit from (legend, expression) pairs."""
    asked = tuple(PanelQuery(expr=expr, legend=short(legend)) for legend, expr in queries)
    return Hit(
        signal=signal,
        weight=weight,
        panel=Panel(
            id=slug(id),
            title=short(title),
            kind=kind,
            unit=unit,
            queries=asked,
            headline=short(headline),
            minimum=minimum,
            maximum=maximum,
            thresholds=thresholds,
        ),
    )


def above(level: Level, bound: float, hold: float = 0.0) -> tuple[Threshold, ...]:
    """One bound that a healthy value does not pass."""
    return (Threshold(level=level, above=bound, hold=hold),)


MANY_FAIL = above(Level.WARNING, 0.05, 300.0)
"""The bound of error ratios: one failed request in twenty, for five minutes."""

NEARLY_FULL = above(Level.WARNING, 0.9, 300.0)
"""The bound of what stops working when it is full."""


def below(level: Level, bound: float, hold: float = 0.0) -> tuple[Threshold, ...]:
    """One bound under which a healthy value does not fall."""
    return (Threshold(level=level, below=bound, hold=hold),)


def short(text: str) -> SafeText:
    """Safe text of at most MAX_TEXT characters."""
    shown = safe(text)
    return shown if len(shown) <= MAX_TEXT else trusted(shown[: MAX_TEXT - 1] + "…")


def slug(text: str, limit: int = 64) -> str:
    """The text as an id: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:limit].strip("_") or "x"


_UPPER = frozenset(
    (
        "api",
        "cpu",
        "db",
        "dns",
        "fd",
        "gc",
        "gpu",
        "grpc",
        "http",
        "id",
        "io",
        "ip",
        "jvm",
        "llm",
        "ml",
        "oom",
        "rag",
        "rpc",
        "sql",
        "ssl",
        "tcp",
        "tls",
        "udp",
        "url",
        "zip",
    )
)
_UNITS = re.compile(r"(?:_(?:total|seconds|milliseconds|microseconds|ms|bytes|ratio|percent|count|info))+$")


def words_of(name: str, job: str = "") -> str:
    """A metric's name as a title: without its unit and without the job's name in front."""
    base = _UNITS.sub("", own_name(name, job)) or name
    words = [w.upper() if w.lower() in _UPPER else w.lower() for w in base.split("_") if w]
    joined = " ".join(words)
    return joined[:1].upper() + joined[1:]


def own_name(name: str, job: str) -> str:
    """The metric's name without the job's name, or the first part of it, in front: `todo_logins_total` of the
    job `todo-app` is `logins_total`."""
    base = re.sub(r"[^a-zA-Z0-9]+", "_", name).strip("_") or "x"
    whole = re.sub(r"[^a-z0-9]+", "_", job.lower()).strip("_")
    for prefix in (whole, whole.partition("_")[0]):
        if len(prefix) > 2 and base.lower().startswith(f"{prefix}_") and len(base) > len(prefix) + 1:
            return base[len(prefix) + 1 :]
    return base
