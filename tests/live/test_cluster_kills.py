"""A member of a real cluster is killed at every step of an action: nothing is made twice, nothing is lost that the
journal calls done, and what the journal calls unknown is told by settling."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from tests.support.consoles import Console, draft
from tests.support.killable import KillableCluster, Step, Trap
from tests.support.ledger import problems

pytestmark = pytest.mark.live

ACTIONS = ("ack", "ack a group", "silence", "extend", "edit", "expire", "undo")
WRITER = 0
"""The member that is written to while it lives: the first."""


@dataclass(frozen=True)
class Case:
    action: str
    step: Step
    victim: int

    def __str__(self) -> str:
        who = "the member written to" if self.victim == WRITER else "the other member"
        return f"{self.action}: {who} killed {self.step.value}"

    @property
    def results(self) -> set[Result]:
        """How the action may end. Only the death of the one that is written to leaves anything unknown."""
        if self.victim != WRITER or self.step in (Step.READS, Step.WRITE, Step.GOSSIPED, Step.OUTCOME):
            return {Result.DONE}
        if self.step is Step.FLIGHT:
            return {Result.AMBIGUOUS}
        return {Result.DONE, Result.AMBIGUOUS}


ALL = tuple(
    Case(action, step, victim)
    for action in ACTIONS
    for step in Step
    for victim in (WRITER, 1)
    if (action, step) != ("silence", Step.READS)  # it is written without asking first
)

CHOSEN = (
    Case("ack", Step.READS, WRITER),
    Case("ack", Step.FLIGHT, WRITER),
    Case("ack", Step.COMMITTED, WRITER),
    Case("ack a group", Step.GOSSIPED, WRITER),
    Case("ack", Step.READ_BACK, 1),
    Case("edit", Step.WRITE, WRITER),
    Case("silence", Step.READ_BACK, WRITER),
    Case("edit", Step.COMMITTED, WRITER),
    Case("extend", Step.OUTCOME, 1),
    Case("expire", Step.FLIGHT, WRITER),
    Case("expire", Step.COMMITTED, WRITER),
    Case("expire", Step.OUTCOME, WRITER),
)


class Run:
    """One case, under an alert name that nothing else has."""

    def __init__(self, case: Case, name: str, cluster: KillableCluster, console: Console) -> None:
        self.case, self.name, self.cluster, self.console = case, name, cluster, console
        self.problems: list[str] = []

    async def carry_out(self) -> str:
        """How it ended, in words; what is wrong goes to `problems`."""
        self.cluster.alerts = []
        await self.cluster.fire(*({"labels": {"alertname": self.name, "instance": i}} for i in ("a", "b")))
        subject = await self._prepared()
        trap = Trap(self.cluster, self.case.step, self.case.victim)
        self.console.set(trap)
        outcome = await self._act(subject)
        self.console.set(None)
        self._expect(trap.sprung, f"it never came to that; it ended {outcome.result.value}: {outcome.message}")
        self._expect(outcome.result in self.case.results, f"ended {outcome.result.value}: {outcome.message}")
        await self.cluster.revive(self.case.victim)
        await self._check()
        if outcome.result is Result.DONE:
            return "done"
        again = await self._act(subject)
        self._expect(again.result in (Result.DONE, Result.REFUSED), f"then {again.result.value}: {again.message}")
        await self._check()
        return f"{outcome.result.value}, then {again.result.value}"

    async def _prepared(self) -> Silence | None:
        """What the action is about, on all members, when it is not about something new."""
        if self.case.action in ("ack", "ack a group", "silence"):
            return None
        made = await self.console.runner.silence(draft(Matcher("alertname", self.name)))
        assert made.result is Result.DONE, made
        await self.cluster.agreed()
        return await self.console.silence(made.silence_id)

    async def _act(self, subject: Silence | None) -> Outcome:
        runner, action = self.console.runner, self.case.action
        if action in ("ack", "ack a group"):
            alerts = await self.console.alerts(self.name)
            return (await runner.ack_all(alerts if action == "ack a group" else alerts[:1], "looking"))[0]
        if subject is None:
            return await runner.silence(draft(Matcher("alertname", self.name)))
        if action == "extend":
            return await runner.extend(subject, subject.ends + 1800)
        if action == "edit":
            narrower = (*subject.matchers, Matcher("instance", "a"))
            return await runner.edit(subject, msgspec.structs.replace(subject, matchers=narrower))
        return await (runner.undo() if action == "undo" else runner.expire(subject))

    async def _check(self) -> None:
        standing = await self.cluster.agreed()
        for problem in problems(self.console.entries(), standing, self.cluster.kills):
            self._expect(False, problem)

    def _expect(self, holds: bool, words: str) -> None:
        if not holds:
            self.problems.append(f"{self.case}: {words}")


async def carry_out(cases: Sequence[Case], cluster: KillableCluster, console: Console, name: str) -> str:
    """Run them all; gives the number of runs and how they ended. Fails when anything is wrong."""
    ends: Counter[str] = Counter()
    found: list[str] = []
    for number, case in enumerate(cases):
        run = Run(case, f"{name}{number}", cluster, console)
        ends[await run.carry_out()] += 1
        found += run.problems
    found += [f"journal: {problem}" for problem in console.journal.verify()]
    alive = sum(s.status.state != "expired" for s in (await cluster.agreed()).values())
    told = ", ".join(f"{count} {words}" for words, count in sorted(ends.items()))
    summary = (
        f"{len(cases)} runs, {len(cluster.kills)} members killed: {told}. "
        f"{alive} silences stand, {len(found)} problems"
    )
    assert not found, "\n".join((summary, *found))
    return summary


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[KillableCluster]:
    async with KillableCluster(tmp_path / "cluster") as made:
        yield made


@pytest.fixture
async def console(tmp_path: Path, cluster: KillableCluster) -> AsyncIterator[Console]:
    made = Console("ana", tmp_path / "journal.db", cluster)
    yield made
    await made.aclose()


async def test_a_member_killed_at_twelve_steps(cluster: KillableCluster, console: Console) -> None:
    print(await carry_out(CHOSEN, cluster, console, "KillsChosen"))


@pytest.mark.nightly
async def test_each_member_killed_at_each_step(cluster: KillableCluster, console: Console) -> None:
    print(await carry_out(ALL, cluster, console, "KillsAll"))
