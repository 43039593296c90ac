"""Asks Prometheus what matchers would have hidden in the last week."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opsconsole.errors import SourceError
from opsconsole.model.matchers import Matchers
from opsconsole.model.pastradius import (
    REACH_QUERY,
    Past,
    carried_query,
    never_given,
    not_carried,
    past_of,
    past_query,
    reach_of,
    required,
    unknown,
)
from opsconsole.model.series import QueryResult

Ask = Callable[[str], Awaitable[QueryResult]]


async def ask_past(ask: Ask, matchers: Matchers) -> Past:
    """The alerts of the last week that these matchers hide. `ask` gives the answer to an instant query or
    raises a SourceError, which becomes the reason why it is not known."""
    if never := never_given(matchers):
        return _without(never)
    try:
        # One after the other: a server that is down is not asked twice.
        reach = reach_of(await ask(REACH_QUERY))
        past = past_of(await ask(past_query(matchers)), reach.why)
        names = tuple(name for name in required(matchers) if name != "alertname")
        if past.total or past.why or not names:
            return past
        return await _confirmed(ask, past, names)
    except SourceError as error:
        return unknown(error.message if error.kind == SourceError.kind else f"{error.kind}: {error.message}")


async def _confirmed(ask: Ask, none: Past, names: tuple[str, ...]) -> Past:
    """No alerts, if Prometheus' alerts have these labels at all."""
    answer = await ask(carried_query(names))
    doubt = past_of(answer)
    if doubt.why:
        return doubt
    missing = not_carried(answer, names)
    return _without(missing) if missing else none


def _without(names: tuple[str, ...]) -> Past:
    return unknown(f"no alert in Prometheus has the label {', '.join(names)}")
