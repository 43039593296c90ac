"""A guard's machine in a scripted world: the values, the flags and the permission are what the test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from opsconsole.guard.candidates import FlagView
from opsconsole.guard.choosing import report
from opsconsole.guard.decisions import Decision, Look, Permission, Report, Tell, Watched, Would
from opsconsole.guard.machine import step
from opsconsole.guard.samples import Sample
from opsconsole.guard.state import Act, Moment, RuleState, State, decode, encode
from opsconsole.model.flags import Flag, FlagChange, FlagSet
from opsconsole.model.guard import Guard, GuardRule, RulePhase
from opsconsole.text import safe, trusted

EPOCH = 1_767_225_600.0
RULE = GuardRule(
    id="errors",
    title=trusted("Error ratio"),
    expr="rate(e[30s]) / rate(r[30s])",
    above=0.05,
    hold=30.0,
    unit="ratio",
)
GUARD = Guard(rules=(RULE,))
ARMED = Permission(granted=True)


def flag(
    key: str, version: str = "1", *, off: bool = False, type: str = "release", tags: tuple[str, ...] = ()
) -> Flag:
    return Flag(
        key=key,
        enabled=not off,
        default_variant=trusted("off" if off else "on"),
        content_hash=f"{key}@{version}",
        off=off,
        type=safe(type),
        tags=tuple(map(safe, tags)),
        safe_variant=trusted("off"),
    )


@dataclass
class World:
    """`values` by rule id: a number, None for no data, a Sample's problem as text, or a function of the seconds
    since the start. `restarts` puts the state through its serialised form at every step. `writes` are the acts
    that were carried out; `answer` is what an act's report says, and `lands` whether one that is
    not known was written."""

    guard: Guard = GUARD
    values: dict[str, object] = field(default_factory=dict)
    flags: dict[str, Flag] = field(default_factory=dict)
    changes: list[FlagChange] = field(default_factory=list)
    permission: Permission = ARMED
    restarts: bool = False
    answer: str = "done"
    lands: bool = True
    problem: str = ""
    start: float = 0.0

    def __post_init__(self) -> None:
        self.state = State()
        self.time = self.start
        self.wall_shift = 0.0
        self.decisions: list[Decision] = []
        self.happened: list[FlagChange] = []
        """The changes as they came, newest first, whatever the clock said."""
        self.writes: list[tuple[float, Act]] = []
        self.before_write: Callable[[Act], None] = lambda act: None

    @property
    def now(self) -> Moment:
        return Moment(EPOCH + self.time + self.wall_shift, 5000.0 + self.time)

    @property
    def watched(self) -> tuple[Watched, ...]:
        return tuple(Watched(system="shop", guard=self.guard, rule=rule) for rule in self.guard.rules)

    @property
    def rule(self) -> RuleState:
        return self.state.rules["shop/errors"]

    @property
    def phase(self) -> RulePhase:
        return self.rule.phase

    def told(self, kind: str = "") -> list[Tell]:
        return [d for d in self.decisions if isinstance(d, Tell) and kind in ("", d.kind)]

    def kinds(self) -> list[str]:
        """Everything that was decided, by its kind."""
        names: Mapping[type, str] = {Act: "act", Would: "would"}
        return [names.get(type(d)) or getattr(d, "kind", "") for d in self.decisions]

    def change(
        self,
        key: str,
        ago: float = 0.0,
        *,
        off: bool = False,
        ours: bool = False,
        exact: bool = True,
        **more: object,
    ) -> None:
        """The flag is changed, `ago` seconds before now."""
        before = self.flags.get(key)
        number = 1 + sum(1 for change in self.changes if change.key == key)
        now = flag(key, str(number), off=off)
        now = msgspec.structs.replace(now, **more) if more else now
        self.flags[key] = now
        self.changes.insert(
            0,
            FlagChange(
                key=key,
                at=self.now.wall - ago,
                summary=trusted("on -> off" if off else "off -> on"),
                exact=exact,
                before_hash=before.content_hash if before else "",
                after_hash=now.content_hash,
                before="{}" if before else "",
                ours=ours,
                off=off,
            ),
        )
        self.happened.insert(0, self.changes[0])
        self.changes.sort(key=lambda change: -change.at)

    def sample(self, rule: GuardRule) -> Sample:
        value, at = self.values.get(rule.id), self.now.wall
        if callable(value):
            value = value(self.time)
        if isinstance(value, Sample):
            return value
        if value is None:
            return Sample(at=0.0, problem=trusted("no value"))
        if isinstance(value, str):
            return Sample(at=at, problem=safe(value))
        assert isinstance(value, int | float)
        return Sample(at=at, value=float(value), newest=at - 1.0)

    def look(self) -> Look:
        return Look(
            now=self.now,
            samples={each.key: self.sample(each.rule) for each in self.watched},
            view=FlagView(
                flags=FlagSet(
                    provider="test", source=trusted("test"), revision="", flags=tuple(self.flags.values())
                ),
                changes=tuple(self.changes),
                problem=safe(self.problem),
            ),
            permission=self.permission,
        )

    def round(self) -> list[Decision]:
        """One step at the present time, with its acts carried out."""
        if self.restarts:
            self.state = decode(encode(self.state))
        self.state, found = step(self.state, self.watched, self.look())
        decided = list(found)
        for act in [d for d in found if isinstance(d, Act)]:
            self.before_write(act)
            if self.restarts:
                self.state = decode(encode(self.state))
            decided += self.carry_out(act)
        self.decisions += decided
        return decided

    def carry_out(self, act: Act) -> list[Decision]:
        standing = self.flags[act.flag].content_hash
        code = self.answer if standing == act.expected else "conflict"
        after = f"{act.flag}@wanted"
        if code in ("done", "unknown"):
            self.writes.append((self.time, act))
        if code == "done" or (code == "unknown" and self.lands):
            self.change(act.flag, off=True, ours=True)
            after = self.flags[act.flag].content_hash
        outcome = Report(
            id=act.id,
            code=code,
            at=self.now,
            message=safe(code),
            before=standing,
            after=after,
        )
        self.state, found = report(self.state, outcome, 10.0)
        return list(found)

    def run(self, seconds: float, interval: float = 0.0) -> list[Decision]:
        """Rounds for so long, one at every interval; the time is that of the last one afterwards."""
        interval = interval or self.guard.interval
        decided: list[Decision] = []
        for _ in range(round(seconds / interval)):
            self.time += interval
            decided += self.round()
        return decided


def breached(**more: object) -> World:
    """A world where a flag was turned on a minute ago, nothing was wrong until now, and errors are at 20 %."""
    world = World(**more)  # type: ignore[arg-type]
    world.values["errors"] = 0.0
    world.run(30)
    world.change("release", ago=20.0)
    world.values["errors"] = 0.2
    return world
