"""The guard in history: the same machine over what Prometheus has kept, armed, with nothing written.

What the guard would have done does not heal the history: after its first decision an incident goes on as it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from opsconsole.guard.candidates import FlagView
from opsconsole.guard.choosing import report
from opsconsole.guard.decisions import Look, Permission, Report, Tell, Watched
from opsconsole.guard.machine import step
from opsconsole.guard.samples import Sample, freshness_query, sample_of
from opsconsole.guard.state import Act, Moment, State
from opsconsole.model.flags import Flag, FlagChange, FlagSet
from opsconsole.model.guardhistory import Known
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import SafeText, safe, trusted

QueryRange = Callable[[str, float, float, float], Awaitable[QueryResult]]
"""Expression, start, end and step, seconds. Raises SourceError."""

MOST_POINTS = 10_000
"""Steps that one question has: Prometheus answers at most 11,000 points a series."""

ANY = "any flag"

_ARMED = Permission(granted=True)
_NOTICED = frozenset({"ask-human", "no-candidate"})


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one rule: its samples by time, seconds since the epoch."""

    watched: Watched
    samples: Mapping[float, Sample]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that would have been made. `breach` is when the first value beyond the bound was seen, `decided`
    when it was confirmed; seconds since the epoch. `what` is `roll-back`, `ask-human` or `no-candidate`.
    `unseen` says that the breach began before the first look, or while there was no value."""

    system: str
    rule: str
    breach: float
    decided: float
    what: str
    flag: SafeText = trusted("")
    reason: SafeText = trusted("")
    value: float | None = None
    unseen: bool = False

    @property
    def took(self) -> float:
        """Seconds from the first breach to the decision."""
        return self.decided - self.breach


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found, against what is known to have been. `factor` is what every bound was multiplied by,
    `blind` the share of the looks that had no usable value. `hits` and `missed` are known incidents, `false` the
    decisions outside of every one; all three are 0 when none was named."""

    factor: float
    found: tuple[Found, ...]
    hits: int = 0
    missed: tuple[SafeText, ...] = ()
    false: int = 0
    blind: float = 0.0


async def ask(watched: Watched, query: QueryRange, start: float, end: float) -> History:
    """Everything that the rule would have seen. Raises SourceError."""
    every, rule = watched.guard.interval, watched.rule
    count = int((end - start) // every) + 1
    samples: dict[float, Sample] = {}
    texts = [rule.expr, freshness_query(rule.expr), rule.traffic]
    for first in range(0, count, MOST_POINTS):
        times = [start + every * number for number in range(first, min(count, first + MOST_POINTS))]
        asked = [query(text, times[0], times[-1], every) for text in texts if text]
        answers = iter([_by_time(answer) for answer in await asyncio.gather(*asked)])
        value, fresh, traffic = (next(answers) if text else None for text in texts)
        assert value is not None
        for time in times:
            key = _key(time)
            samples[time] = sample_of(
                rule,
                value(key),
                freshness=fresh(key) if fresh is not None else None,
                traffic=traffic(key) if traffic is not None else None,
            )
    return History(watched=watched, samples=samples)


def replay(
    histories: Sequence[History], changes: Sequence[FlagChange] | None, flags: FlagSet | None = None
) -> tuple[Found, ...]:
    """What would have been decided, in order of time. `changes` are all that are known; None takes for granted
    that some flag changed right before each onset. `flags` as they stand now, for their types and tags."""
    found: list[Found] = []
    state, watched = State(), [history.watched for history in histories]
    times = sorted({time for history in histories for time in history.samples})
    noticed: set[str] = set()
    past = _Past(changes, flags)
    for time in times:
        samples = {h.watched.key: h.samples[time] for h in histories if time in h.samples}
        now = Moment(time, time)
        look = Look(now=now, samples=samples, view=past.view(time, state), permission=_ARMED)
        state, decisions = step(state, watched, look)
        for decision in decisions:
            if isinstance(decision, Act):
                past.rolled_back(decision)
                done = Report(id=decision.id, code="done", at=now, message=trusted("not written"))
                if decision.incident not in noticed:
                    found.append(_found(decision, state, "roll-back"))
                noticed.add(decision.incident)
                state, _ = report(state, done, look.view.propagation)
            elif isinstance(decision, Tell) and decision.kind in _NOTICED and decision.incident not in noticed:
                noticed.add(decision.incident)
                found.append(_found(decision, state, decision.kind))
    return tuple(found)


def scaled(histories: Sequence[History], factor: float) -> tuple[History, ...]:
    """The same history under bounds that are multiplied by `factor`."""
    return tuple(replace(history, watched=_times(history.watched, factor)) for history in histories)


def score(
    histories: Sequence[History],
    changes: Sequence[FlagChange] | None,
    flags: FlagSet | None,
    known: Sequence[Known],
    factor: float = 1.0,
) -> Score:
    """A replay under bounds that are multiplied by `factor`, and how it compares. A decision belongs to a known
    incident when the breach that it followed overlaps it."""
    found = replay(scaled(histories, factor), changes, flags)
    hit = [any(_within(one, incident) for one in found) for incident in known]
    looks = [sample for history in histories for sample in history.samples.values()]
    return Score(
        factor=factor,
        found=found,
        hits=sum(hit),
        missed=tuple(one.name for one, was in zip(known, hit, strict=True) if not was),
        false=sum(not any(_within(one, incident) for incident in known) for one in found) if known else 0,
        blind=sum(s.value is None and not s.quiet for s in looks) / len(looks) if looks else 0.0,
    )


def _within(found: Found, known: Known) -> bool:
    return found.breach <= known.end and found.decided >= known.start


def _times(watched: Watched, factor: float) -> Watched:
    rule = watched.rule
    above = rule.above * factor if rule.above is not None else None
    below = rule.below * factor if rule.below is not None else None
    return replace(watched, rule=replace(rule, above=above, below=below))


def _found(decision: Act | Tell, state: State, what: str) -> Found:
    rule = state.rules[decision.rule]
    system, _, name = decision.rule.partition("/")
    flags = (decision.flag,) if isinstance(decision, Act) else decision.flags
    return Found(
        system=system,
        rule=name,
        breach=rule.onset,
        decided=decision.at,
        what=what,
        flag=safe(
            ", ".join(flag.partition("@")[0] if flag.startswith(f"{ANY}@") else flag for flag in flags), 300
        ),
        reason=decision.change if isinstance(decision, Act) else decision.summary,
        value=rule.value,
        unseen=rule.onset_after is not None,
    )


def _key(time: float) -> int:
    return round(time * 1000)


def _by_time(result: QueryResult) -> Callable[[int], QueryResult]:
    """The instant answers that a range is made of."""
    at: dict[int, list[Series]] = {}
    for series in result.series:
        for time, value in zip(series.times, series.values, strict=True):
            at.setdefault(_key(time), []).append(Series(series.labels, (time,), (value,)))

    def answer(key: int) -> QueryResult:
        return QueryResult("vector", tuple(at.get(key, ())), result.warnings)

    return answer


class _Past:
    """The flags as they stood at each time, with what the guard would have done to them."""

    def __init__(self, changes: Sequence[FlagChange] | None, flags: FlagSet | None) -> None:
        self._any = changes is None
        self._changes = sorted(changes or (), key=lambda change: change.at)
        self._now = {flag.key: flag for flag in (flags.flags if flags is not None else ())}
        self._supposed: FlagChange | None = None
        self._done: list[FlagChange] = []

    def view(self, time: float, state: State) -> FlagView:
        """What a guard would have seen at that time."""
        if self._any:
            changes = self._suppose(state)
        else:
            changes = tuple(change for change in self._changes if change.at <= time)
        newest = sorted((*changes, *self._done), key=lambda change: -change.at)
        keys = {*self._now, *(change.key for change in self._changes), *(change.key for change in newest)}
        flags = tuple(self._flag(key, newest) for key in sorted(keys))
        known = FlagSet(provider="history", source=trusted("history"), revision="", flags=flags)
        return FlagView(flags=known, changes=tuple(newest))

    def rolled_back(self, act: Act) -> None:
        self._done.append(
            FlagChange(
                key=act.flag,
                at=act.at,
                summary=trusted("off"),
                exact=True,
                ours=True,
                before_hash=act.expected,
                after_hash=f"{act.id}",
                off=True,
            )
        )

    def _suppose(self, state: State) -> tuple[FlagChange, ...]:
        """One change right before the first onset, for as long as any rule is beyond its bound."""
        onsets = [rule.onset for rule in state.rules.values() if rule.onset]
        if not onsets:
            self._supposed = None
        elif self._supposed is None:
            key = f"{ANY}@{min(onsets):.0f}"
            self._supposed = FlagChange(
                key=key, at=min(onsets) - 1.0, summary=trusted("any change"), exact=True, after_hash=key, off=False
            )
        return (self._supposed,) if self._supposed is not None else ()

    def _flag(self, key: str, newest: Sequence[FlagChange]) -> Flag:
        """As the newest change left it, else as the first one found it, else as it is now."""
        now = self._now.get(key) or Flag(key=key, enabled=True, default_variant=trusted(""))
        last = next((change for change in newest if change.key == key), None)
        if last is not None:
            return replace(now, content_hash=last.after_hash, off=bool(last.off))
        first = next((change for change in self._changes if change.key == key), None)
        if first is not None:
            return replace(now, content_hash=first.before_hash, off=bool(first.before_off))
        return now
