"""Asking Prometheus whether an alert's condition holds no longer: for a screen, a command and a guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from opsconsole.errors import SourceError
from opsconsole.model.recovery import Recovery, State, answers, questions, recovery
from opsconsole.model.series import QueryResult
from opsconsole.text import safe

RangeQuery = Callable[[str, float, float, float], Awaitable[QueryResult]]
"""PrometheusClient.query_range: expression, start, end, step."""

LONGEST = 3600.0
"""Seconds before now that are asked for at most: what was before does not matter once it is clear."""


async def ask_recovery(
    ask: RangeQuery,
    expr: str,
    labels: Mapping[str, str],
    ignored: Iterable[str] = (),
    *,
    since: float,
    now: float,
    step: float = 5.0,
    hold: float = 0.0,
) -> Recovery:
    """What can be said of an alert's condition since `since`; times on Prometheus' clock, in seconds since the
    epoch. Raises nothing: what cannot be asked is UNKNOWN. Cancelled as usual."""
    try:
        asked = questions(expr)
    except ValueError as error:
        return Recovery(state=State.UNKNOWN, reason=safe(f"its expression is not understood: {error}", 300))
    start = max(since, now - LONGEST)
    # The last point is now, whatever the step: what is new must not wait for a whole one.
    start = now - int((now - start) / step) * step if now > start else now
    try:
        found = await asyncio.gather(*(ask(query, start, now, step) for query in asked.all))
    except SourceError as error:
        return Recovery(state=State.UNKNOWN, reason=safe(f"Prometheus: {error.message}", 300))
    return recovery(answers(asked, found, start, now, step), labels, ignored, hold=hold)
