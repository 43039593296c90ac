"""What two users do on one cluster, drawn by lot, while its members and their consoles are killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from opsconsole.actions.found import LATE_SECONDS
from opsconsole.clock import SystemClock
from opsconsole.errors import SourceError
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import safe
from tests.support.consoles import Console, draft
from tests.support.killable import KillableCluster, Step, Trap
from tests.support.ledger import open_of, problems

ALERTS = 3

SURELY = LATE_SECONDS + 1
WEIGHTS = {
    "ack": 5,
    "ack a group": 2,
    "silence": 5,
    "press again": 3,
    "extend": 4,
    "edit": 4,
    "expire": 3,
    "expire several": 1,
    "acknowledge again": 1,
    "undo": 4,
    "resolve": 1,
    "keep": 2,
    "restart": 1,
}


class Story:
    """One sequence. `told` is what happened, line by line; `problems` what the journals do not explain.

    One in ten has times in which no member lives; in the others one always does.
    """

    def __init__(self, seed: int, directory: Path, cluster: KillableCluster) -> None:
        self.seed, self.cluster = seed, cluster
        self.tag = f"Story{seed}"
        self.told: list[str] = []
        self.problems: list[str] = []
        self.actions = self.members_killed = self.consoles_killed = self.standing = 0
        self._rng = random.Random(seed)
        self._dark = seed % 10 == 0
        self._count = 0
        self._unknown: dict[str, tuple[str, Silence]] = {}
        directory.mkdir(parents=True)
        self._consoles = [Console(user, directory / f"{user}.db", cluster) for user in ("ana", "ben")]
        self._kinds: dict[str, Callable[[Console], Awaitable[Sequence[Outcome]]]] = {
            "ack": self._ack,
            "ack a group": self._ack_group,
            "silence": self._silence,
            "press again": self._press_again,
            "extend": self._extend,
            "edit": self._edit,
            "expire": self._expire,
            "expire several": self._expire_several,
            "acknowledge again": self._ack_again,
            "undo": self._undo,
            "resolve": self._resolve,
            "keep": self._keep,
            "restart": self._restart,
        }

    async def run(self, turns: int) -> None:
        """Live through that many turns, let all members come back and agree, and check."""
        self.cluster.alerts, self.cluster.kills = [], []
        await self.cluster.fire(*(self._alert(number) for number in range(ALERTS)))
        for _ in range(turns):
            await self._turn()
        await self._end()

    async def _turn(self) -> None:
        rng, cluster = self._rng, self.cluster
        if not all(cluster.alive) and (rng.random() < 0.5 or not any(cluster.alive)):
            for number in range(len(cluster.alive)):
                await cluster.revive(number)
        many = 2 if rng.random() < 0.3 else 1
        acting = rng.sample(self._consoles, many)
        kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=many)
        if many == 2 and rng.random() < 0.5:
            kinds[1] = kinds[0]
        trap = self._trap(acting[0])
        for console in acting:
            console.set(trap if console is acting[0] else None)
        cluster.watch = trap
        await asyncio.gather(*(self._act(c, kind) for c, kind in zip(acting, kinds, strict=True)))
        for console in acting:
            console.set(None)
            if console.journal.dead:
                self.consoles_killed += 1
                self._say(f"{console.user}'s console was killed and is started again")
                self._settled(console, await console.restart())

    def _trap(self, console: Console) -> Trap | None:
        """What will go wrong in this turn, and where."""
        rng, cluster = self._rng, self.cluster
        lot, step = rng.random(), rng.choice(list(Step))
        victim = rng.randrange(len(cluster.alive))
        if lot < 0.1:
            return Trap(cluster, step, strike=console.kill)
        if lot > 0.5 or not cluster.alive[victim] or (sum(cluster.alive) == 1 and not self._dark):
            return None
        self._say(f"member {victim} is to be killed {step.value}")
        if rng.random() < 0.1:
            cluster.kill(victim)
            return None
        return Trap(cluster, step, victim, strike=lambda: self._say(f"member {victim} is killed"))

    async def _act(self, console: Console, kind: str) -> None:
        try:
            outcomes = await console.act(_carried_out(self._kinds[kind](console)))
        except SourceError as error:
            self._say(f"{console.user} cannot {kind}: {error}")
            return
        if outcomes is None:
            self._say(f"{console.user} dies within {kind}")
            self.actions += 1
            return
        self.actions += len(outcomes)
        for outcome in outcomes:
            self._say(f"{console.user} {kind} [op={outcome.op}] {outcome.result.value}: {outcome.message}")

    async def _seen(self, console: Console, *, acks: bool | None = None) -> list[Silence]:
        """What stands of this story, as a console sees it, in the order in which it began."""
        found = [
            silence
            for silence in (await console.cluster.silences()).data
            if silence.status.state != "expired" and Matcher("alertname", self.tag) in silence.matchers
        ]
        wanted = [silence for silence in found if acks is None or silence.is_ack is acks]
        return sorted(wanted, key=lambda silence: (silence.starts_at, silence.id))

    async def _one(self, console: Console, *, acks: bool | None = None) -> Silence | None:
        seen = await self._seen(console, acks=acks)
        return self._rng.choice(seen) if seen else None

    async def _ack(self, console: Console) -> Sequence[Outcome]:
        alerts = await console.alerts(self.tag)
        return [await console.runner.ack(self._rng.choice(alerts), "looking")] if alerts else []

    async def _ack_group(self, console: Console) -> Sequence[Outcome]:
        alerts = await console.alerts(self.tag)
        return await console.runner.ack_all(alerts[: self._rng.choice((2, 3))], "looking") if alerts else []

    async def _silence(self, console: Console) -> Sequence[Outcome]:
        return [await self._pressed(console, draft(*self._matchers(), comment=f"deploy {self._count}"))]

    async def _press_again(self, console: Console) -> Sequence[Outcome]:
        """As the hint of an unknown outcome says: look for it, and only when it is not there do it again."""
        if console.user not in self._unknown:
            return []
        op, wanted = self._unknown[console.user]
        reply = await console.cluster.silences()
        if reply.failures:
            return []
        del self._unknown[console.user]
        return [] if any(s.op == op for s in reply.data) else [await self._pressed(console, wanted)]

    async def _pressed(self, console: Console, wanted: Silence) -> Outcome:
        outcome = await console.runner.silence(wanted)
        if outcome.result is Result.AMBIGUOUS:
            self._unknown[console.user] = outcome.op, wanted
        return outcome

    async def _extend(self, console: Console) -> Sequence[Outcome]:
        silence = await self._one(console)
        if silence is None:
            return []
        return [await console.runner.extend(silence, silence.ends + self._rng.randrange(300, 3600))]

    async def _edit(self, console: Console) -> Sequence[Outcome]:
        silence = await self._one(console, acks=False)
        if silence is None:
            return []
        wanted = msgspec.structs.replace(silence, matchers=self._matchers())
        if self._rng.random() < 0.3:
            wanted = msgspec.structs.replace(silence, comment=safe(f"edited {self._count}"))
        return [await console.runner.edit(silence, wanted)]

    async def _expire(self, console: Console) -> Sequence[Outcome]:
        silence = await self._one(console)
        return [] if silence is None else [await console.runner.expire(silence)]

    async def _expire_several(self, console: Console) -> Sequence[Outcome]:
        seen = await self._seen(console)
        return await console.runner.expire_all(self._rng.sample(seen, min(2, len(seen))))

    async def _ack_again(self, console: Console) -> Sequence[Outcome]:
        silence = await self._one(console, acks=True)
        return [] if silence is None else [await console.runner.ack_again(silence)]

    async def _undo(self, console: Console) -> Sequence[Outcome]:
        return [await console.runner.undo()]

    async def _resolve(self, console: Console) -> Sequence[Outcome]:
        """One alert ends, and in a while begins anew."""
        if len(self.cluster.alerts) < 2:
            self.cluster.alerts = []
            await self.cluster.fire(*(self._alert(number) for number in range(ALERTS)))
            return []
        gone = self.cluster.alerts.pop()
        assert isinstance(gone, dict)
        now = SystemClock().now()
        times = {"startsAt": now - 60, "endsAt": now - 1}
        ended = gone | {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items()}
        for member in self.cluster.living():
            with suppress(OSError):  # it is being killed by what the other user does
                await asyncio.to_thread(member.post_alerts, [ended])
        self._say(f"{gone['labels']} is resolved")
        return []

    async def _keep(self, console: Console) -> Sequence[Outcome]:
        """A look at the acks, as the console does by itself every 20 seconds."""
        alerts, silences = await console.cluster.alerts(), await console.cluster.silences()
        mine = [s for s in silences.data if Matcher("alertname", self.tag) in s.matchers]
        whole = not alerts.failures and not silences.failures
        return await console.runner.keep_acks(alerts.data, mine, whole=whole)

    async def _restart(self, console: Console) -> Sequence[Outcome]:
        self._settled(console, await console.restart())
        return []

    def _settled(self, console: Console, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._say(f"{console.user} settles [op={outcome.op}] {outcome.result.value}: {outcome.message}")

    async def _end(self) -> None:
        for number in range(len(self.cluster.alive)):
            await self.cluster.revive(number)
        await self.cluster.agreed()
        for console in self._consoles:
            # Until a minute has passed, a write of a killed process could still come.
            self._settled(console, await console.restart(later=SURELY))
        all_of_them = await self.cluster.agreed()
        ours = {
            id: s for id, s in all_of_them.items() if any(m == Matcher("alertname", self.tag) for m in s.matchers)
        }
        entries = [entry for console in self._consoles for entry in console.entries()]
        self.standing = sum(silence.status.state != "expired" for silence in ours.values())
        self.members_killed = len(self.cluster.kills)
        self.problems += problems(entries, ours, self.cluster.kills)
        self.problems += [f"left open: {entry.action} [op={entry.op}]" for entry in open_of(entries)]
        for console in self._consoles:
            self.problems += [f"{console.user}'s journal: {problem}" for problem in console.journal.verify()]
            await console.aclose()

    def _alert(self, number: int) -> dict[str, object]:
        return {"labels": {"alertname": self.tag, "instance": str(number)}}

    def _matchers(self) -> tuple[Matcher, ...]:
        """Matchers that nothing else in the story has."""
        self._count += 1
        return (Matcher("alertname", self.tag), Matcher("part", str(self._count)))

    def _say(self, words: str) -> None:
        self.told.append(f"{SystemClock().now():.3f} {words}")


async def _carried_out(action: Awaitable[Sequence[Outcome]]) -> Sequence[Outcome]:
    return await action
