"""What goes into the guard's machine and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from opsconsole.guard.candidates import FlagView
from opsconsole.guard.samples import Sample
from opsconsole.guard.state import Act, Moment
from opsconsole.model.guard import Guard, GuardRule
from opsconsole.model.journal import Result
from opsconsole.text import SafeText, trusted


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of one system's guard."""

    system: str
    guard: Guard
    rule: GuardRule

    @property
    def key(self) -> str:
        """`system/rule`: its name in the state."""
        return f"{self.system}/{self.rule.id}"


def watched_of(guards: Sequence[tuple[str, Guard]]) -> tuple[Watched, ...]:
    """Every rule. What one system's playbook says never to touch no guard of the context touches."""
    never = tuple(dict.fromkeys(flag for _, guard in guards for flag in guard.never))
    return tuple(
        Watched(system=system, guard=replace(guard, never=never), rule=rule)
        for system, guard in guards
        for rule in guard.rules
    )


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something may be written now; `why` says why not. `follower` says that another guard does it."""

    granted: bool
    why: SafeText = trusted("")
    follower: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known at one time. `samples` are by the rule's key; a rule without one was not asked."""

    now: Moment
    samples: Mapping[str, Sample] = {}
    view: FlagView = FlagView()
    permission: Permission = Permission(granted=False, why=trusted("not armed"))


class Would(msgspec.Struct, frozen=True, kw_only=True):
    """What would have been done, had it been permitted."""

    act: Act
    permission: Permission


class Tell(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people are told, once. `kind` is one of GuardEvent's; `id` is unique to what happened.
    `flags` are the suspects that are meant, the newest change first."""

    id: str
    kind: str
    rule: str
    incident: str
    at: float
    summary: SafeText
    page: bool = False
    resolved: bool = False
    flags: tuple[str, ...] = ()
    act: Act | None = None


Decision: TypeAlias = Act | Would | Tell


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an act. `code`: `done` (written, and reads back as wanted), `conflict` (someone changed the
    flag since), `stopped` (no longer permitted), `dropped` (the guard was stopped before it began), `failed`
    (certainly not written, may be tried again), `refused` (certainly not written, and will not be), `unknown` (it
    may have been written).

    `before` and `after` are the content hashes of the flag as found and as wanted.
    """

    id: str
    code: str
    at: Moment
    message: SafeText
    before: str = ""
    after: str = ""

    @property
    def result(self) -> Result:
        known = {"done": Result.DONE, "failed": Result.FAILED, "unknown": Result.AMBIGUOUS}
        return known.get(self.code, Result.REFUSED)
