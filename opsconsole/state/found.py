"""Asking a Prometheus what it has, to show a context that names no playbook."""

from __future__ import annotations

import asyncio

from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.errors import SourceError
from opsconsole.golden.families import JobFacts, facts_of, families_of
from opsconsole.golden.recognise import questions, recognise
from opsconsole.model.playbook import Playbook


async def find_playbook_in(client: PrometheusClient) -> Playbook:
    """A playbook of what is recognised in a Prometheus, without jobs: nobody said that they must be up. Raises
    SourceError, also when nothing is recognised."""
    return (await find_with_facts(client))[0]


async def find_with_facts(client: PrometheusClient) -> tuple[Playbook, tuple[JobFacts, ...]]:
    """As `find_playbook_in`, and who exports what."""
    names, types = await asyncio.gather(client.names(), _types(client))
    families = families_of(names, types)
    answers = await asyncio.gather(*(client.query(question) for question in questions(families)))
    facts = facts_of(families, (series for answer in answers for series in answer.series))
    playbook = recognise(facts)
    if playbook is None:
        raise SourceError(
            f"among {len(names):,} metric names none is recognised",
            where=client.url,
            hint="name a playbook with --playbook, or ask again with ctrl+r when there are metrics",
        )
    return playbook, facts


async def _types(client: PrometheusClient) -> dict[str, str]:
    """The metrics' types by name; none where the server knows no metadata."""
    try:
        return {str(name): str(what.type) for name, what in (await client.metadata()).items()}
    except SourceError as error:
        if error.status not in (400, 404, 405, 501):
            raise
        return {}
