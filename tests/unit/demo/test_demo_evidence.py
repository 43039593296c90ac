"""The embedded demo holds the evidence of its own release, and of the way back."""

from __future__ import annotations

from demo_driver import Demo

from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.model.evidence import Weight
from opsconsole.model.evidence_windows import Findings, windows
from opsconsole.model.flags import FlagChange
from opsconsole.model.series import QueryResult, Series
from opsconsole.state.evidence import find_evidence
from opsconsole.text import safe, trusted


async def evidence(demo: Demo, changed: float) -> Findings:
    """What the shipped playbook's evidence says of a change so many seconds after the start."""

    async def ask(expr: str, *, at: float) -> QueryResult:
        reply = await demo.prom("query", query=expr, time=at)
        series = tuple(
            Series(each["metric"], (at,), (float(each["value"][1]),)) for each in reply["data"]["result"]
        )
        return QueryResult("vector", series, tuple(map(safe, reply.get("warnings", ()))))

    change = FlagChange(key="new_pricing", at=demo.start + changed, summary=trusted("on"), exact=True)
    found = windows(change, (change,), demo.clock.now(), 10.0)
    playbook = load_playbook(find_playbook("accubooks"), runbooks=False)
    assert playbook.evidence is not None
    return await find_evidence(ask, playbook.evidence, found, "new_pricing")


async def test_the_release_made_it_worse(demo: Demo) -> None:
    await demo.to(90)
    found = await evidence(demo, 20)
    assert found.errors is not None
    assert found.latency is not None
    assert (found.errors.weight, found.latency.weight) == (Weight.WORSE, Weight.WORSE), found
    assert found.errors.before is not None
    assert found.errors.before.share < 0.002
    assert found.errors.after is not None
    assert found.errors.after.share > 0.03


async def test_what_changes_nothing_is_the_same(demo: Demo) -> None:
    await demo.to(10)
    found = await evidence(demo, -600)
    assert found.errors is not None
    assert found.errors.weight is Weight.SAME, found
