"""Writing PromQL: selectors that quote what comes from outside, and the expressions of golden signals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from opsconsole.golden.families import Family, Kind

WINDOW = "5m"
"""The range of every rate: enough for scrapes up to two minutes apart."""

_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_JOB = re.compile(r"\{job\b(?!\s*[=!])")
_NEEDS = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{job\b(?!\s*[=!])")


def quoted(text: str) -> str:
    """A string literal of PromQL: what would end or change it is escaped."""
    inside = "".join(
        f"\\{c}" if c in '\\"' else c if c.isprintable() else "".join(f"\\x{b:02x}" for b in _bytes(c))
        for c in text
    )
    return f'"{inside}"'


def literal(text: str) -> str:
    """A regular expression that matches exactly this text."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def label_name(name: str) -> str:
    """A label's name as it stands in a selector or a grouping; dots and the like need quotes."""
    return name if _PLAIN_LABEL.fullmatch(name) else quoted(name)


def selector(series: str, job: str, *matchers: str) -> str:
    """The series of a job. `matchers` are written as they stand: `code=~"5.."`."""
    parts = [f"job={quoted(job)}", *matchers]
    if _PLAIN_NAME.fullmatch(series):
        return f"{series}{{{','.join(parts)}}}"
    return f"{{{','.join([f'__name__={quoted(series)}', *parts])}}}"


def filled(template: str, job: str) -> str:
    """A template with its job: `node_load1{job}` becomes `node_load1{job="node"}`."""
    return _JOB.sub(lambda _: f"{{job={quoted(job)}", template)


def needs_of(template: str) -> frozenset[str]:
    """The series names that a template selects."""
    return frozenset(_NEEDS.findall(template))


def rate_of(family: Family, job: str, *matchers: str) -> str:
    """Events a second of a counter, or observations a second of a histogram or summary, over all series."""
    if family.kind is Kind.NATIVE:
        return f"histogram_count(sum(rate({selector(family.name, job, *matchers)}[{WINDOW}])))"
    series = f"{family.name}_count" if family.timed else family.name
    return f"sum(rate({selector(series, job, *matchers)}[{WINDOW}]))"


def share_of(part: str, whole: str) -> str:
    """`part` of `whole`, 0 to 1. A part without series yet is 0 while the whole exists; without any traffic, or
    without the metric, there is no value."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def quantile_of(family: Family, job: str, quantile: str) -> str:
    """A quantile (`0.95`, for a summary as its label has it) over all series of a histogram. Quantiles of
    summaries cannot be added up: the worst series stands for all."""
    if family.kind is Kind.NATIVE:
        return f"histogram_quantile({quantile}, sum(rate({selector(family.name, job)}[{WINDOW}])))"
    if family.kind is Kind.SUMMARY:
        matcher = f"quantile={quoted(quantile)}"
        return f"max({selector(family.name, job, matcher)})"
    buckets = selector(f"{family.name}_bucket", job)
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[{WINDOW}])))"


def mean_of(family: Family, job: str) -> str:
    """The mean of what a summary or histogram observed; no value without observations."""
    total = f"sum(rate({selector(f'{family.name}_sum', job)}[{WINDOW}]))"
    return f"{total} / ({rate_of(family, job)} > 0)"


def counted(names: Iterable[str], labels: Iterable[str]) -> str:
    """How many series of these names there are, by name, job and labels."""
    grouping = ", ".join(["__name__", "job", *map(label_name, labels)])
    alternatives = "|".join(literal(name) for name in sorted(names))
    return f"count by ({grouping}) ({{__name__=~{quoted(alternatives)}}})"


def _bytes(char: str) -> bytes:
    return char.encode("utf-8", "surrogatepass")
