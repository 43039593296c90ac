"""Asking the evidence: which questions at which times, and what an answer that does not come means."""

from __future__ import annotations

import pytest

from opsconsole.errors import SourceError, Unreachable
from opsconsole.model.evidence import Weight
from opsconsole.model.evidence_windows import Evidence, Share, Windows
from opsconsole.model.series import QueryResult, Series
from opsconsole.state.evidence import find_evidence
from opsconsole.text import trusted

WHOLE = Windows((9_100.0, 10_000.0), (10_010.0, 10_310.0))
EVIDENCE = Evidence(
    errors=Share(title=trusted("5xx"), bad="bad[$window]", all="all[$window]"),
    evaluations='ff{flag="$flag"}[$window]',
)


class Prometheus:
    """Answers by expression; an error is raised."""

    def __init__(self, answers: dict[str, float | SourceError | TimeoutError]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, float]] = []

    async def __call__(self, expr: str, *, at: float) -> QueryResult:
        self.asked.append((expr, at))
        answer = self.answers.get(expr.partition("[")[0])
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return QueryResult("vector", ())
        return QueryResult("vector", (Series({"result": "true"}, (at,), (answer,)),))


async def test_the_questions_are_asked_at_the_ends_of_the_windows() -> None:
    prometheus = Prometheus({"bad": 10.0, "all": 10_000.0, 'ff{flag="pricing"}': 77.0})
    found = await find_evidence(prometheus, EVIDENCE, WHOLE, "pricing")
    assert sorted(prometheus.asked) == [
        ("all[120s]", 10_310.0),
        ("all[300s]", 10_310.0),
        ("all[900s]", 10_000.0),
        ("bad[300s]", 10_310.0),
        ("bad[900s]", 10_000.0),
        ('ff{flag="pricing"}[300s]', 10_310.0),
    ]
    assert found.errors is not None
    assert found.errors.weight is Weight.SAME
    assert found.latency is None
    assert (found.evaluations, found.problem) == ((("true", 77.0),), "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable("connection refused"), "unreachable: connection refused"),
        (TimeoutError(), "no answer in time"),
    ],
)
async def test_an_error_is_unknown_with_its_reason(error: SourceError | TimeoutError, reason: str) -> None:
    prometheus = Prometheus({"bad": error, "all": 10_000.0, 'ff{flag="pricing"}': error})
    found = await find_evidence(prometheus, EVIDENCE, WHOLE, "pricing")
    assert found.errors is not None
    assert (found.errors.weight, found.errors.reason) == (Weight.UNKNOWN, reason)
    assert (found.evaluations, found.problem) == ((), reason)


async def test_short_windows_ask_nothing() -> None:
    prometheus = Prometheus({})
    short = Windows((9_700.0, 10_000.0), (10_010.0, 10_025.0), growing=True)
    found = await find_evidence(prometheus, EVIDENCE, short, "pricing")
    assert prometheus.asked == []
    assert found.errors is not None
    assert found.errors.weight is Weight.TOO_LITTLE


async def test_evaluations_that_nobody_counted_are_said() -> None:
    found = await find_evidence(Prometheus({"bad": 1.0, "all": 9_000.0}), EVIDENCE, WHOLE, "pricing")
    assert (found.evaluations, found.problem) == ((), "none were counted")
