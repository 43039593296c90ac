"""Holds what the journals of all consoles say against what stands on the servers in the end.

Each silence is followed as a thread by the nonce in its comment. What the journals say leaves a set of ways in
which it may stand; what stands has to be among them. A write that was done leaves one way. It leaves the old ones
too when it showed on some members only and one of those was killed later: Alertmanager keeps a silence in memory
until it gossips or, every 15 minutes, writes it to the disk. When no member lives, anything may be gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.matchers import Matcher, format_matchers
from opsconsole.model.silences import Silence


@dataclass(frozen=True)
class Way:
    """How a thread may stand: `state` is absent, expired or stands; in the last case with this end (seconds since
    the epoch) and these matchers, where None is any."""

    state: str
    end: float | None = None
    matchers: frozenset[Matcher] | None = None

    def __str__(self) -> str:
        if self.state != "stands":
            return self.state
        what = "anything" if self.matchers is None else format_matchers(sorted(self.matchers, key=str))
        return f"stands on {what} until {'any time' if self.end is None else format(self.end, '.3f')}"

    def allows(self, now: Way) -> bool:
        """Whether that is how it stands `now`, its end to the second."""
        if self.state != now.state or self.state != "stands":
            return self.state == now.state
        assert now.end is not None
        same = self.matchers is None or self.matchers == now.matchers
        return same and (self.end is None or abs(self.end - now.end) < 1.0)


ABSENT, EXPIRED = Way("absent"), Way("expired")


@dataclass(frozen=True)
class Kill:
    """A member's death: when, its URL as consoles know it, and whether it was the last one alive."""

    at: float
    url: str
    last: bool


@dataclass
class Write:
    """One write of an action to one thread, from its intent to its outcome. `only_on` are the members that it
    showed on, None when it showed on all that there are."""

    entry: Entry
    way: Way
    began: float
    ended: float
    result: Result
    only_on: tuple[str, ...] | None


@dataclass
class Thread:
    """What the journals say of one silence."""

    begun: Entry | None = None
    writes: list[Write] = field(default_factory=list)


def threads_of(entries: Iterable[Entry]) -> dict[str, Thread]:
    """The writes of all journals by the nonce of the silence that they are of, in the order of their ends."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    intents = {entry.op: entry for entry in ordered if entry.phase is Phase.INTENT}
    outcomes = {entry.op: entry for entry in ordered if entry.phase is Phase.OUTCOME}
    found: dict[str, Thread] = {}
    for op, intent in intents.items():
        outcome = outcomes.get(op)
        if outcome is not None and "nothing was done" in outcome.message:
            continue
        for nonce, way in _effects(intent, outcomes):
            thread = found.setdefault(nonce, Thread())
            if nonce == op:
                thread.begun = intent
            if outcome is not None and "yours was taken back" in outcome.message:
                taken_back = msgspec.structs.replace(outcome, result=Result.DONE)
                thread.writes.append(_write(intent, taken_back, EXPIRED))
            else:
                thread.writes.append(_write(intent, outcome, way))
    for thread in found.values():
        thread.writes.sort(key=lambda write: write.ended)
    return found


def _effects(intent: Entry, outcomes: Mapping[str, Entry]) -> list[tuple[str, Way]]:
    """Which thread an action is about, and how that stands once it is done."""
    detail = intent.detail
    if intent.action == "ack":
        return [(intent.op, Way("stands"))]
    if intent.action in ("silence", "recreate"):
        return [(intent.op, _standing(detail["silence"]))]
    if intent.action == "edit":
        return [(_silence(detail["silence"]).op, _standing(detail["wanted"]))]
    if intent.action == "extend":
        end = float(str(detail["until"]))
        return [(_silence(detail["silence"]).op, Way("stands", end, _standing(detail["silence"]).matchers))]
    if intent.action == "ack-again":
        return [(_silence(detail["silence"]).op, Way("stands"))]
    if intent.action == "expire":
        return [(_silence(detail["silence"]).op, EXPIRED)]
    if intent.action == "undo":
        how = outcomes[str(detail["undoes"])].detail["undo"]
        assert isinstance(how, dict)
        return [_undone(intent.op, how)]
    return []


def _undone(op: str, how: Mapping[str, object]) -> tuple[str, Way]:
    if how["kind"] == "create":
        return op, _standing(how["silence"])
    if how["kind"] == "expire":
        return str(how["op"]), EXPIRED
    before = how["before"] if how["kind"] == "put back" else how["silence"]
    return _silence(before).op, _standing(before)


def _write(intent: Entry, outcome: Entry | None, way: Way) -> Write:
    detail = outcome.detail if outcome is not None else {}
    shown, missing = detail.get("visible_on"), detail.get("not_visible_on")
    return Write(
        entry=outcome or intent,
        way=way,
        began=intent.at,
        ended=outcome.at if outcome is not None else float("inf"),
        result=outcome.result if outcome is not None else Result.OPEN,
        only_on=tuple(str(url) for url in shown) if missing and isinstance(shown, list) else None,
    )


def ways_of(thread: Thread, kills: Sequence[Kill]) -> set[Way]:
    """The ways in which a thread may stand, after all that the journals say."""
    ways = {ABSENT}
    ever = {ABSENT}
    for write in thread.writes:
        if write.result in (Result.FAILED, Result.REFUSED):
            continue
        beside = any(o is not write and o.began < write.ended and write.began < o.ended for o in thread.writes)
        holder_died = write.only_on is not None and any(
            kill.at >= write.began and kill.url in write.only_on for kill in kills
        )
        # Of two in force, which the journal tells of, a later write is to one.
        both = any("BOTH ARE IN FORCE" in o.entry.message for o in thread.writes)
        sure = write.result is Result.DONE and not beside and not holder_died and not both
        # What had been lost before is not there to be expired.
        new = {write.way, ABSENT} if write.way == EXPIRED and ABSENT in ways else {write.way}
        ways = new if sure else ways | new
        ever |= new
    return ever if any(kill.last for kill in kills) else ways


def problems(entries: Sequence[Entry], standing: Mapping[str, Silence], kills: Sequence[Kill]) -> list[str]:
    """What the journals do not explain, one line each; empty when all is as they say."""
    threads = threads_of(entries)
    by_nonce: dict[str, list[Silence]] = {}
    for silence in standing.values():
        by_nonce.setdefault(silence.op, []).append(silence)
    found = []
    for nonce, silences in by_nonce.items():
        if nonce not in threads or threads[nonce].begun is None:
            found.append(f"no journal says who made {[s.id for s in silences]} [op={nonce}]")
            continue
        alive = [s.id for s in silences if s.status.state != "expired"]
        told = any("BOTH ARE IN FORCE" in write.entry.message for write in threads[nonce].writes)
        if len(alive) > 1 and not told:
            found.append(f"made twice: {alive} [op={nonce}]{_story(threads.get(nonce))}")
    for nonce, thread in threads.items():
        now = way_of(by_nonce.get(nonce, ()))
        allowed = ways_of(thread, kills)
        if not any(way.allows(now) for way in allowed):
            explained = " or ".join(map(str, allowed))
            found.append(f"[op={nonce}] {now}; the journal explains only that it {explained}{_story(thread)}")
    late = {
        nonce for nonce, t in threads.items() if any("acknowledged it first" in w.entry.message for w in t.writes)
    }
    return found + twice(silence for silence in standing.values() if silence.op not in late)


def _story(thread: Thread | None) -> str:
    """What the journals say of a thread, for a failure's message."""
    writes = thread.writes if thread is not None else ()
    return "".join(
        f"\n    {w.began:.3f} to {w.ended:.3f} {w.entry.user} {w.entry.action} [op={w.entry.op}] "
        f"{w.result.value}: {w.entry.message}"
        for w in writes
    )


def way_of(silences: Iterable[Silence]) -> Way:
    """How a thread stands: its silences may have been replaced by one another."""
    states = {silence.status.state: silence for silence in silences}
    alive = states.get("active") or states.get("pending")
    if alive is not None:
        return Way("stands", alive.ends, frozenset(alive.matchers))
    return EXPIRED if states else ABSENT


def twice(standing: Iterable[Silence]) -> list[str]:
    """The silences that stand beside another with the same matchers by the same creator, and acks that stand
    beside another of the same alerts, by whomever."""
    alive = [silence for silence in standing if silence.status.state != "expired"]
    same = Counter((frozenset(s.matchers), str(s.created_by)) for s in alive)
    acks = Counter(frozenset(s.matchers) for s in alive if s.is_ack)
    found = [
        f"{count} alike by {who}: {sorted(map(str, matchers))}"
        for (matchers, who), count in same.items()
        if count > 1
    ]
    for matchers, count in acks.items():
        who = sorted({str(s.created_by) for s in alive if frozenset(s.matchers) == matchers})
        if count > 1 and len(who) > 1:
            found.append(f"{count} acks of {sorted(map(str, matchers))}, by {', '.join(who)}")
    return found


def open_of(entries: Sequence[Entry]) -> list[Entry]:
    """The intents without an outcome."""
    ended = {entry.op for entry in entries if entry.phase is Phase.OUTCOME}
    return [entry for entry in entries if entry.phase is Phase.INTENT and entry.op not in ended]


def _silence(data: object) -> Silence:
    """A silence out of a journal."""
    return msgspec.convert(data, Silence)


def _standing(data: object) -> Way:
    silence = _silence(data)
    return Way("stands", silence.ends, frozenset(silence.matchers))
