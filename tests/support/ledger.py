"""Holds what the journals of all consoles say against what stands on the servers in the end.

Each silence is followed as a thread by the nonce in its comment. What the journals say leaves a set of ways in
which it may stand; what stands has to be among them. A write that was done leaves one way. It leaves two when it
showed on some members only, and one of those was killed later: Alertmanager keeps a silence in memory until it
gossips or, every 15 minutes, writes it to the disk. When the last living member is killed, anything may be gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.silences import Silence

ABSENT, EXPIRED = "absent", "expired"

Way = str | float
"""How a thread may stand: ABSENT, EXPIRED, or when it ends (seconds since the epoch, ANY for whenever)."""

ANY = 0.0


@dataclass(frozen=True)
class Kill:
    """A member's death: when, its URL as consoles know it, and whether no other was alive."""

    at: float
    url: str
    last: bool


@dataclass
class Write:
    """One write of an action to one thread, from its intent to its outcome."""

    op: str
    action: str
    way: Way
    began: float
    ended: float
    result: Result
    only_on: tuple[str, ...] | None
    """The members that it showed on, None when it showed on all."""


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
        for nonce, way in _effects(intent, outcomes.get(op), intents):
            thread = found.setdefault(nonce, Thread())
            if nonce == op:
                thread.begun = intent
            thread.writes.append(_write(intent, outcomes.get(op), way))
    for thread in found.values():
        thread.writes.sort(key=lambda write: write.ended)
    return found


def _effects(intent: Entry, outcome: Entry | None, intents: Mapping[str, Entry]) -> list[tuple[str, Way]]:
    """Which threads an action is about, and how each stands once it is done."""
    detail = intent.detail | (outcome.detail if outcome is not None else {})
    if intent.action in ("ack", "silence"):
        return [(intent.op, ANY if intent.action == "ack" else _end(detail["silence"]))]
    if intent.action == "extend":
        return [(_nonce(detail["silence"]), float(str(detail["until"])))]
    if intent.action == "expire":
        return [(_nonce(detail["silence"]), EXPIRED)]
    if intent.action == "undo":
        undone = intents.get(str(detail["undoes"]))
        if undone is not None and undone.action == "expire":
            return [(intent.op, _end(undone.detail["silence"]))]
        return [(str(detail["undoes"]), EXPIRED)]
    return []


def _write(intent: Entry, outcome: Entry | None, way: Way) -> Write:
    detail = outcome.detail if outcome is not None else {}
    shown, missing = detail.get("visible_on"), detail.get("not_visible_on")
    only_on = tuple(str(url) for url in shown) if missing and isinstance(shown, list) else None
    return Write(
        op=intent.op,
        action=intent.action,
        way=way,
        began=intent.at,
        ended=outcome.at if outcome is not None else float("inf"),
        result=outcome.result if outcome is not None else Result.OPEN,
        only_on=only_on,
    )


def ways_of(thread: Thread, kills: Sequence[Kill]) -> set[Way]:
    """The ways in which a thread may stand, after all that the journals say."""
    ways: set[Way] = {ABSENT}
    ever: set[Way] = {ABSENT}
    for write in thread.writes:
        if write.result in (Result.FAILED, Result.REFUSED):
            continue
        beside = any(o is not write and o.began < write.ended and write.began < o.ended for o in thread.writes)
        holder_died = write.only_on is not None and any(
            kill.at >= write.began and kill.url in write.only_on for kill in kills
        )
        sure = write.result is Result.DONE and not beside and not holder_died
        # What is to be expired and is not there any more counts as expired.
        new = {write.way, ABSENT} if write.way == EXPIRED and ABSENT in ways else {write.way}
        ways = new if sure else ways | new
        ever |= new
    if any(kill.last for kill in kills):
        return ever
    return ways


def problems(entries: Sequence[Entry], standing: Mapping[str, Silence], kills: Sequence[Kill]) -> list[str]:
    """What the journals do not explain, one line each; empty when all is as they say."""
    found = [f"open in the journal: {entry.action} [op={entry.op}]" for entry in _open(entries)]
    threads = threads_of(entries)
    by_nonce: dict[str, list[Silence]] = {}
    for silence in standing.values():
        by_nonce.setdefault(silence.op, []).append(silence)
    for nonce, silences in by_nonce.items():
        if nonce not in threads or threads[nonce].begun is None:
            found.append(f"no journal says who made {[s.id for s in silences]} [op={nonce}]")
        alive = [silence for silence in silences if silence.status.state != "expired"]
        if len(alive) > 1:
            found.append(f"made twice: {[s.id for s in alive]} [op={nonce}]")
    for nonce, thread in threads.items():
        now = way_of(by_nonce.get(nonce, ()))
        allowed = ways_of(thread, kills)
        if not any(same_way(now, way) for way in allowed):
            said = ", ".join(f"{w.action} {w.result.value}" for w in thread.writes)
            found.append(f"[op={nonce}] stands as {now}, the journal ({said}) explains only {allowed}")
    return found + twice(standing.values())


def way_of(silences: Iterable[Silence]) -> Way:
    """How a thread stands: its silences may have been replaced by one another."""
    states = {silence.status.state: silence for silence in silences}
    alive = states.get("active") or states.get("pending")
    if alive is not None:
        return alive.ends
    return EXPIRED if states else ABSENT


def same_way(now: Way, way: Way) -> bool:
    """Whether that is how it stands, to the second."""
    if isinstance(now, str) or isinstance(way, str):
        return now == way
    return way == ANY or abs(now - way) < 1.0


def twice(standing: Iterable[Silence]) -> list[str]:
    """The silences that stand beside another with the same matchers by the same creator, and alerts that are
    acknowledged twice, by whomever."""
    alive = [silence for silence in standing if silence.status.state != "expired"]
    same = Counter((frozenset(s.matchers), str(s.created_by)) for s in alive)
    acks = Counter(frozenset(s.matchers) for s in alive if s.is_ack)
    return [
        f"{count} alike by {who}: {sorted(str(m) for m in matchers)}"
        for (matchers, who), count in same.items()
        if count > 1
    ] + [
        f"{count} acks of {sorted(str(m) for m in matchers)}: {sorted({str(s.created_by) for s in alive})}"
        for matchers, count in acks.items()
        if count > 1
    ]


def _open(entries: Sequence[Entry]) -> list[Entry]:
    ended = {entry.op for entry in entries if entry.phase is Phase.OUTCOME}
    return [entry for entry in entries if entry.phase is Phase.INTENT and entry.op not in ended]


def _nonce(silence: object) -> str:
    """The nonce in the comment of a journalled silence."""
    assert isinstance(silence, dict)
    return Silence(matchers=(), created_by=silence["comment"], comment=silence["comment"]).op


def _end(silence: object) -> float:
    """When a journalled silence ends, seconds since the epoch."""
    assert isinstance(silence, dict)
    return datetime.fromisoformat(str(silence["endsAt"])).timestamp()
