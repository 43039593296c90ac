"""Asking what a playbook counts before and after the change of a flag."""

from __future__ import annotations

import asyncio
from typing import Protocol

from opsconsole.errors import SourceError
from opsconsole.model.evidence import Comparison, unknown
from opsconsole.model.evidence_windows import (
    EDGE,
    SHORTEST,
    Counted,
    Evidence,
    Findings,
    Share,
    Windows,
    evaluated,
    judge,
    question,
)
from opsconsole.model.series import QueryResult
from opsconsole.text import SafeText, safe, trusted


class Ask(Protocol):
    """One instant query at a time. Raises SourceError."""

    async def __call__(self, expr: str, *, at: float) -> QueryResult: ...


async def find_evidence(ask: Ask, evidence: Evidence, windows: Windows, flag: str) -> Findings:
    """Everything that the evidence says of these windows, all asked at once. Raises nothing of a source: what
    cannot be asked is unknown, with the reason. Windows too short to tell anything are not asked about."""
    errors, latency, (evaluations, problem) = await asyncio.gather(
        _share(ask, evidence.errors, windows),
        _share(ask, evidence.latency, windows),
        _evaluations(ask, evidence.evaluations, windows, flag),
    )
    return Findings(errors=errors, latency=latency, evaluations=evaluations, problem=problem)


async def _share(ask: Ask, share: Share | None, windows: Windows) -> Comparison | None:
    if share is None:
        return None
    before, after = windows.lengths
    if min(before, after) < SHORTEST:
        nothing = QueryResult("vector", ())
        return judge(windows, _counted(*[nothing] * 5))
    edge = min(EDGE, after)
    asked = (
        (share.bad, before, windows.before[1]),
        (share.all, before, windows.before[1]),
        (share.bad, after, windows.after[1]),
        (share.all, after, windows.after[1]),
        (share.all, edge, windows.after[1]),
    )
    try:
        answers = await asyncio.gather(*(ask(question(expr, length), at=end) for expr, length, end in asked))
    except (SourceError, TimeoutError) as error:
        return unknown(_why(error))
    return judge(windows, _counted(*answers))


def _counted(*answers: QueryResult) -> Counted:
    bad_before, all_before, bad_after, all_after, recent = answers
    return Counted(
        bad_before=bad_before, all_before=all_before, bad_after=bad_after, all_after=all_after, recent=recent
    )


def _why(error: SourceError | TimeoutError) -> str:
    return f"{error.kind}: {error.message}" if isinstance(error, SourceError) else "no answer in time"


async def _evaluations(
    ask: Ask, expr: str, windows: Windows, flag: str
) -> tuple[tuple[tuple[SafeText, float], ...], SafeText]:
    """How often each result was given after the change, and why that is not known."""
    length = windows.lengths[1]
    if not expr or length < SHORTEST:
        return (), trusted("")
    try:
        answer = await ask(question(expr, length, flag), at=windows.after[1])
    except (SourceError, TimeoutError) as error:
        return (), safe(_why(error), 200)
    if answer.warnings:
        return (), safe(f"the answer is partial: {answer.warnings[0]}", 200)
    return evaluated(answer), trusted("" if answer.series else "none were counted")
