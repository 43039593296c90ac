"""A member of a real cluster, or the console, is killed at every step of an action: nothing is made twice, nothing
is lost that the journal calls done, and the next start of a killed console says what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from opsconsole.actions.found import LATE_SECONDS
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from tests.support.consoles import Console, draft
from tests.support.killable import KillableCluster, Step, Trap
from tests.support.ledger import open_of, problems

pytestmark = pytest.mark.live

ACTIONS = ("ack", "ack a group", "silence", "extend", "edit", "expire", "undo")
WRITER, OTHER, CONSOLE = 0, 1, -1
"""Who dies: the member that is written to while it lives, which is the first; the other; or the console."""


@dataclass(frozen=True)
class Case:
    action: str
    step: Step
    victim: int

    def __str__(self) -> str:
        who = {WRITER: "the member written to", OTHER: "the other member", CONSOLE: "the console"}
        return f"{self.action}: {who[self.victim]} killed {self.step.value}"

    @property
    def results(self) -> set[Result]:
        """How the action may end; for a killed console, as what the next start says. Only the death of the member
        that is written to leaves anything unknown."""
        if self.victim == CONSOLE:
            written = self.step not in (Step.READS, Step.WRITE)
            return {Result.DONE if written else Result.FAILED}
        if self.victim != WRITER or self.step in (Step.READS, Step.WRITE, Step.GOSSIPED, Step.OUTCOME):
            return {Result.DONE}
        if self.step is Step.FLIGHT:
            return {Result.AMBIGUOUS}
        return {Result.DONE, Result.AMBIGUOUS}


ALL = tuple(
    Case(action, step, victim)
    for action in ACTIONS
    for step in Step
    for victim in (WRITER, OTHER, CONSOLE)
    if (action, step) != ("silence", Step.READS)  # it is written without asking first
)

CHOSEN = (
    Case("ack", Step.READS, WRITER),
    Case("ack", Step.FLIGHT, WRITER),
    Case("ack", Step.COMMITTED, WRITER),
    Case("ack a group", Step.GOSSIPED, WRITER),
    Case("ack", Step.READ_BACK, OTHER),
    Case("edit", Step.WRITE, WRITER),
    Case("silence", Step.READ_BACK, WRITER),
    Case("edit", Step.COMMITTED, WRITER),
    Case("extend", Step.OUTCOME, OTHER),
    Case("edit", Step.COMMITTED, CONSOLE),
    Case("expire", Step.FLIGHT, WRITER),
    Case("expire", Step.COMMITTED, WRITER),
    Case("expire", Step.OUTCOME, WRITER),
)


class Run:
    """One case, under an alert name that nothing else has."""

    def __init__(self, case: Case, name: str, cluster: KillableCluster, console: Console) -> None:
        self.case, self.name, self.cluster, self.console = case, name, cluster, console
        self.problems: list[str] = []
        self.alerts: list[Alert] = []
        self.subject: Silence | None = None

    async def carry_out(self) -> str:
        """How it ended, in words; what is wrong goes to `problems`."""
        self.cluster.alerts = []
        await self.cluster.fire(*({"labels": {"alertname": self.name, "instance": i}} for i in ("a", "b")))
        await self._prepare()
        kill = self.console.kill if self.case.victim == CONSOLE else lambda: None
        victim = None if self.case.victim == CONSOLE else self.case.victim
        trap = Trap(self.cluster, self.case.step, victim, strike=kill)
        self.console.set(trap)
        outcome = await self.console.act(self._act())
        self.console.set(None)
        self._expect(trap.sprung, f"it never came to that; it ended {outcome}")
        if outcome is None:
            # Until a minute has passed, a write of a killed process could still come.
            settled = await self.console.restart(later=LATE_SECONDS + 1)
            await self.console.restart()
            # How a group is acknowledged is asked before anything is begun.
            begun = not (self.case.action == "ack a group" and self.case.step is Step.READS)
            self._expect(len(settled) == begun, f"the next start says {settled}")
            if not settled:
                await self._check()
                return "not begun"
            outcome = settled[0]
        self._expect(outcome.result in self.case.results, f"ended {outcome.result.value}: {outcome.message}")
        if victim is not None:
            await self.cluster.revive(victim)
        await self._check()
        if outcome.result is Result.DONE:
            return "done"
        again = await self._act()
        self._expect(again.result in (Result.DONE, Result.REFUSED), f"then {again.result.value}: {again.message}")
        await self._check()
        return f"{outcome.result.value}, then {again.result.value}"

    async def _prepare(self) -> None:
        """What the action is about, on all members, when it is not about something new."""
        self.alerts = await self.console.alerts(self.name)
        if self.case.action in ("ack", "ack a group", "silence"):
            return
        made = await self.console.runner.silence(draft(Matcher("alertname", self.name)))
        assert made.result is Result.DONE, made
        await self.cluster.agreed()
        self.subject = await self.console.silence(made.silence_id)

    async def _act(self) -> Outcome:
        runner, action, subject = self.console.runner, self.case.action, self.subject
        if action in ("ack", "ack a group"):
            chosen = self.alerts if action == "ack a group" else self.alerts[:1]
            return (await runner.ack_all(chosen, "looking"))[0]
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
        entries = self.console.entries()
        for problem in problems(entries, standing, self.cluster.kills):
            self._expect(False, problem)
        self._expect(not open_of(entries), f"left open: {open_of(entries)}")

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
        f"{len(cases)} runs, {len(cluster.kills)} members and {len(cases) - len(cluster.kills)} consoles killed: "
        f"{told}. {alive} silences stand, {len(found)} problems"
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


async def test_someone_killed_at_thirteen_steps(cluster: KillableCluster, console: Console) -> None:
    print(await carry_out(CHOSEN, cluster, console, "KillsChosen"))


@pytest.mark.nightly
async def test_each_member_and_the_console_killed_at_each_step(cluster: KillableCluster, console: Console) -> None:
    print(await carry_out(ALL, cluster, console, "KillsAll"))
