"""Acks and silences through a network that fails at every point of the write: one silence, whatever happens."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from opsconsole.actions.runner import Runner
from opsconsole.actions.writing import moment
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.support.fault_proxy import OUTAGE, Fault, FaultProxy, How, Point
from tests.support.servers import Alertmanager, http

pytestmark = pytest.mark.live

SHORT, LONG = 0.5, 10.0
"""Deadlines in seconds: SHORT where it is the deadline that ends the wait."""

LIMIT = 20.0

NOW, LOOKING, AFTER, AGAIN = "at once", "while it is looked for", "after the outcome", "after the second press"
"""When a request or answer that is held is passed on."""


@dataclass(frozen=True)
class Case:
    """One run. `outage`: no later connection works until the action has ended."""

    action: str
    fault: Fault
    outage: bool = False
    release: str = NOW

    def __str__(self) -> str:
        when = f", passed on {self.release}" if self.fault.how is How.HOLD else ""
        return f"{self.action}: {self.fault}{when}{', then an outage' if self.outage else ''}"

    @property
    def timely(self) -> bool:
        return self.fault.how is How.HOLD and self.release == NOW

    @property
    def written(self) -> bool | None:
        """Whether the server has it when the action ends; None when the server alone decides."""
        if self.fault.point is Point.REFUSE:
            return False
        if self.fault.point is Point.ANSWER or self.timely:
            return True
        if self.fault.how is How.HOLD:
            return self.release == LOOKING or self.fault.point is Point.SENT
        return None if self.fault.point is Point.SENT else False

    @property
    def results(self) -> set[Result]:
        """How it may end. Only a refused connection proves that nothing was written."""
        if self.fault.point is Point.REFUSE:
            return {Result.FAILED}
        if self.timely:
            return {Result.DONE}
        if self.outage or self.written is False:
            return {Result.AMBIGUOUS}
        return {Result.DONE} if self.written else {Result.DONE, Result.AMBIGUOUS}


CHOSEN = (
    Case("silence", Fault(Point.REFUSE, How.CLOSE)),
    Case("silence", Fault(Point.ACCEPT, How.RESET)),
    Case("silence", Fault(Point.ACCEPT, How.HOLD), release=LOOKING),
    Case("ack", Fault(Point.CONNECT, How.CLOSE)),
    Case("silence", Fault(Point.CONNECT, How.RESET)),
    Case("silence", Fault(Point.REQUEST, How.CLOSE, -1)),
    Case("ack", Fault(Point.REQUEST, How.DROP, 40)),
    Case("ack", Fault(Point.REQUEST, How.HOLD, 200), release=LOOKING),
    Case("ack", Fault(Point.CONNECT, How.HOLD), release=AFTER),
    Case("ack", Fault(Point.CONNECT, How.HOLD), release=AGAIN),
    Case("silence", Fault(Point.SENT, How.RESET)),
    Case("ack", Fault(Point.ANSWER, How.CLOSE, 9)),
    Case("ack", Fault(Point.ANSWER, How.RESET, -1), outage=True),
    Case("silence", Fault(Point.ANSWER, How.HOLD), release=AFTER),
    Case("silence", Fault(Point.ANSWER, How.HOLD, 30, seconds=0.1)),
)


KINDS = [(point, how) for point in Point for how in How if point is not Point.REFUSE or how is How.CLOSE]


def drawn(count: int, seed: int = 20) -> Iterator[Case]:
    """Every point in every way in turn, the rest by lot; always the same ones."""
    rng = random.Random(seed)
    kinds = KINDS
    releases = (NOW, LOOKING, AFTER, AGAIN)
    ends = {Point.REQUEST: 300, Point.ANSWER: 100}
    for number in range(count):
        point, how = kinds[number % len(kinds)]
        release = releases[number // len(kinds) % len(releases)] if how is How.HOLD else NOW
        fresh = point in (Point.REFUSE, Point.ACCEPT)
        if fresh and release == AGAIN:
            release = AFTER
        # An ack asks before it writes, on the same connection: one that fails as a whole is a silence's.
        action = "silence" if fresh else "ack" if release == AGAIN else rng.choice(("ack", "silence"))
        after = rng.choice((0, -1, rng.randrange(ends[point]), -rng.randrange(1, 150))) if point in ends else 0
        fault = Fault(point, how, after, 0.1 if how is How.HOLD and release == NOW else None)
        # What is passed on while it is looked for is to be found.
        yield Case(action, fault, rng.random() < 0.4 and release != LOOKING, release)


class Run:
    """One case on the real server, under an alert name that nothing else has."""

    def __init__(self, case: Case, name: str, server: Alertmanager, proxy: FaultProxy, journal: Journal) -> None:
        self.case, self.name, self.server, self.proxy, self.journal = case, name, server, proxy, journal
        seconds = SHORT if case.fault.how in (How.DROP, How.HOLD) and not case.timely else LONG
        endpoint = Endpoint(url=proxy.url, http=HttpConfig(timeout=seconds))
        self.cluster = AlertmanagerCluster("main", [Transport(endpoint, clock=SystemClock())])
        self.runner = Runner(
            clusters={"main": self.cluster},
            flags=None,
            journal=journal,
            clock=SystemClock(),
            user="me",
            host="bastion",
            context="live",
            read_only=False,
            refresh=lambda: None,
            sleep=self._sleep,
        )
        self.problems: list[str] = []

    async def carry_out(self) -> str:
        """What was found, in words; what is wrong goes to `problems`."""
        self.server.post_alerts([{"labels": {"alertname": self.name, "note": 'a "b" \\ é'}}])
        direct = AlertmanagerCluster("main", [Transport(Endpoint(url=self.server.url), clock=SystemClock())])
        (alert,) = (await direct.alerts((self._matcher,))).data
        await direct.aclose()
        self.proxy.script(self.case.fault, afterwards=OUTAGE if self.case.outage else None)
        outcome = await self._press(alert)
        self.proxy.heal()
        if self.case.release != AGAIN:
            await self._late()
        refused = self.case.fault.point is Point.REFUSE
        self._expect(
            len(self.proxy.struck) == (not refused) + self._outages, f"struck {len(self.proxy.struck)} times"
        )
        self._expect(outcome.result in self.case.results, f"ended {outcome.result.value}: {outcome.message}")
        made = [s for s in self._standing() if s.op == outcome.op]
        if self.case.written is not None and self.case.release not in (AFTER, AGAIN):
            self._expect(len(made) == self.case.written, f"{len(made)} silences with its nonce")
        self._check_journal(outcome, made)
        # A silence is pressed again by who did as the hint says and did not find it; an ack always is.
        pressed = self.case.action == "ack" or not made
        late = pressed and await self._press_again(alert, outcome)
        expected = self.case.release == AGAIN and self.case.written is False
        self._expect(late is expected, f"two stood after the second press: {late}")
        standing = self._standing()
        self._expect(len(standing) == 1, f"{len(standing)} silences stand in the end: {standing}")
        await self.cluster.aclose()
        if outcome.result is Result.DONE:
            return "done"
        found = "found by its nonce" if made else "written after the second and ended" if late else "not written"
        return f"{outcome.result.value} and {found}"

    async def _press(self, alert: Alert) -> Outcome:
        if self.case.action == "ack":
            return await self.runner.ack(alert, "looking")
        now = SystemClock().now()
        draft = Silence(
            matchers=(self._matcher,),
            starts_at=moment(now),
            ends_at=moment(now + 600),
            created_by=safe(""),
            comment=safe("deploy"),
            cluster="main",
        )
        return await self.runner.silence(draft)

    async def _press_again(self, alert: Alert, first: Outcome) -> bool:
        """The second never adds to the first: it is refused when the first stands. Whether the first came only
        after the second, which nobody could know: then the next look at the acks ends it."""
        again = await self._press(alert)
        if self.case.release == AGAIN:
            await self._late()
        standing = self._standing()
        late = {s.op for s in standing} == {first.op, again.op}
        stands = not late and first.op in {s.op for s in standing}
        told = "first by you" in again.message
        self._expect(
            again.result is (Result.REFUSED if stands else Result.DONE) and told is stands,
            f"pressed again: {again.result.value} {again.message}",
        )
        if late:
            alerts = (await self.cluster.alerts((self._matcher,))).data
            silences = [msgspec.structs.replace(s, cluster="main") for s in standing]
            ended = [o.message for o in await self.runner.keep_acks(alerts, silences)]
            self._expect(len(ended) == 1 and "it came late" in ended[0], f"keeping said {ended}")
            left = {s.op for s in self._standing()}
            self._expect(left == {again.op}, f"{left} left, not {again.op}")
        return late

    def _check_journal(self, outcome: Outcome, made: Sequence[Silence]) -> None:
        entries = self.journal.entries(op=outcome.op)
        phases = [entry.phase for entry in entries]
        self._expect(phases == [Phase.OUTCOME, Phase.INTENT], f"journalled as {phases}")
        said = entries[0]
        self._expect(said.result is outcome.result, f"journalled as {said.result.value}")
        if outcome.result is Result.DONE:
            ids = [s.id for s in made]
            self._expect([said.detail.get("silence_id")] == ids, f"journalled {said.detail}, there is {ids}")
        elif outcome.result is Result.FAILED:
            self._expect("connection refused" in said.message, f"journalled: {said.message}")
        else:
            self._expect("not known whether" in said.message, f"journalled: {said.message}")
            self._expect(f"[op={outcome.op}]" in str(said.detail.get("hint")), f"no advice in {said.detail}")

    async def _sleep(self, seconds: float) -> None:
        """The pauses between looks: what was held comes in the first, and the others are no wait."""
        if self.case.release == LOOKING:
            await self._late()

    async def _late(self) -> None:
        if self.case.fault.how is How.HOLD:
            self.proxy.release()
            async with asyncio.timeout(LIMIT):
                await self.proxy.answered.wait()

    def _standing(self) -> list[Silence]:
        """What the server itself says, without the proxy and the console's client."""
        wanted = quote(f'alertname="{self.name}"')
        found = msgspec.convert(
            json.loads(http("GET", f"{self.server.url}/api/v2/silences?filter={wanted}")), list[Silence]
        )
        return [silence for silence in found if silence.status.state != "expired"]

    @property
    def _matcher(self) -> Matcher:
        return Matcher("alertname", self.name)

    @property
    def _outages(self) -> int:
        return sum(fault is OUTAGE for fault in self.proxy.struck)

    def _expect(self, holds: bool, words: str) -> None:
        if not holds:
            self.problems.append(f"{self.case}: {words}")


async def carry_out(cases: Sequence[Case], server: Alertmanager, journal: Journal, name: str) -> str:
    """Run them all; gives the number of runs and what was found. Fails when anything is wrong."""
    found: Counter[str] = Counter()
    problems: list[str] = []
    for number, case in enumerate(cases):
        async with FaultProxy(server.port) as proxy:
            run = Run(case, f"{name}{number}", server, proxy, journal)
            found[await run.carry_out()] += 1
            problems += run.problems
    problems += [f"journal: {problem}" for problem in journal.verify()]
    problems += [f"journal: open {entry.op}" for entry in journal.open_intents()]
    told = ", ".join(f"{count} {words}" for words, count in sorted(found.items()))
    summary = f"{len(cases)} runs: {told}. {len(problems)} problems"
    assert not problems, "\n".join((summary, *problems))
    return summary


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db", SystemClock())
    yield made
    made.close()


async def test_one_silence_at_fifteen_points_of_failure(alertmanager: Alertmanager, journal: Journal) -> None:
    print(await carry_out(CHOSEN, alertmanager, journal, "FaultsChosen"))


@pytest.mark.nightly
async def test_one_silence_at_a_hundred_points_of_failure(alertmanager: Alertmanager, journal: Journal) -> None:
    cases = list(drawn(100))
    assert {(case.fault.point, case.fault.how) for case in cases} == set(KINDS)
    print(await carry_out(cases, alertmanager, journal, "FaultsDrawn"))
