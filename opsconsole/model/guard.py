"""When flags are to be rolled back without a person: the playbook's `guard:` section, and what a guard knows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from opsconsole.model.flags import RollbackKind
from opsconsole.text import SafeText, trusted


class GuardRule(msgspec.Struct, frozen=True, kw_only=True):
    """A bound on the value of `expr`: exactly one of `above` and `below` is set.

    `hold` (`for:` in the file) is seconds that it must last; `unit` is one of opsconsole.model.units.UNITS.
    With `traffic`, an expression in requests a second, a value counts only while that is at least `min_traffic`.
    `alert` names the alert of `rules.yaml` about the same trouble, "" for none.
    """

    id: str
    title: SafeText
    expr: str
    above: float | None = None
    below: float | None = None
    hold: float = 0.0
    unit: str = "none"
    traffic: str = ""
    min_traffic: float = 0.0
    alert: str = ""

    def crossed(self, value: float) -> bool:
        """Whether the value is beyond the bound; never for NaN."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """Any one of the rules is enough. All times in seconds.

    `never` are the flags that may not be touched; `only` are, if there are any, those that may: a flag's key or a
    pattern of it (`new_*`), `tag:NAME` or `type:NAME`. Flags of a type in `EXCLUDED_TYPES` are touched only when
    `only` names them by their key. `kind` is OFF or UNDO.

    Every `interval` each rule is asked; `samples` fresh and complete values beyond the bound in a row, over at
    least the rule's `hold`, confirm it. It clears at `clear_ratio` of the bound (1 / that for `below`) for
    `clear_for`. A flag is a candidate when it changed within `look_back` before the onset. At most `max_flags`
    candidates (more: a human is asked), `max_actions` in an hour, none of a flag within `cooldown` of its last.
    After `blind_after` without a usable value the guard says that it is blind.
    """

    rules: tuple[GuardRule, ...] = ()
    never: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    kind: RollbackKind = RollbackKind.OFF
    interval: float = 10.0
    samples: int = 3
    clear_ratio: float = 0.8
    clear_for: float = 60.0
    look_back: float = 1800.0
    max_flags: int = 2
    max_actions: int = 3
    cooldown: float = 1800.0
    blind_after: float = 60.0


EXCLUDED_TYPES = ("kill-switch", "permission")
"""Types of flags whose off side is not the safe one."""


class RulePhase(Enum):
    """Where a rule is. Every one of them is a word for the operator; UNKNOWN is never healthy."""

    OK = "ok"
    PENDING = "pending"  # beyond the bound, not yet often and long enough
    CONFIRMED = "confirmed"  # it holds; what is done about it is being done, or a human was asked
    ACTED = "acted"  # something was rolled back; it is watched whether that helps
    COOLDOWN = "cooldown"  # it cleared after an action; nothing is done until the cool-down is over
    UNKNOWN = "unknown"  # no usable value
    DISARMED = "disarmed"  # a person changed what the guard did, or told it to leave this alone


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    """That a guard may write: until when and since when (seconds since the epoch), by whom, why."""

    until: float
    at: float
    by: SafeText
    reason: SafeText = trusted("")


class RuleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as it is told to others. `since` is seconds since the epoch; `value` None when not known."""

    rule: str
    system: str
    title: SafeText
    phase: RulePhase
    since: float
    value: float | None = None
    reason: SafeText = trusted("")


class GuardStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A guard as it was at `at`, seconds since the epoch: what it writes down at each round for the Status screen,
    `check` and `guard status`. A guard whose `at` is older than three of its `interval`s has stopped.

    `armed` is None when it only says what it would do. `killed` says why nothing may be written, "" when it may.
    `leader` is false while another guard holds the lease; `holder` names whoever does. `blind_since` is when the
    first of the rules that are not known became so, None when all are known. `undelivered` counts the
    notifications that wait to be sent or were given up within the last hour; `last` says what it did last, and
    `last_at` when. `expect_armed` is what the context says; `events` are the events since it started, by kind;
    `stopped` is its last word.
    """

    context: str
    host: SafeText
    pid: int
    at: float
    started: float
    interval: float
    rules: tuple[RuleStatus, ...] = ()
    armed: Armed | None = None
    killed: SafeText = trusted("")
    leader: bool = True
    holder: SafeText = trusted("")
    blind_since: float | None = None
    undelivered: int = 0
    last: SafeText = trusted("")
    last_at: float | None = None
    problem: SafeText = trusted("")
    expect_armed: bool = False
    events: Mapping[str, int] = {}
    stopped: bool = False


EVENT_KINDS = (
    *("decided", "rolled-back", "would-roll-back", "not-rolled-back", "ask-human", "no-candidate"),
    *("blind", "seeing-again", "recovered", "not-recovered", "disarmed"),
)
"""What a guard tells people of."""


class GuardEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard tells people, through the outbox to each channel.

    `id` is unique to what happened (a retry of the same event has the same). `kind` is one of EVENT_KINDS, or
    `test`. `incident` groups what belongs to one run of a rule beyond its bound; `page`
    says that a human is needed now. `labels` are those of the matching alert (raw), empty when there is none;
    `dedup_key` is the alert's own at PagerDuty where it can be derived, else one made of the incident.
    `change` says which change of the flag is suspected, by whom and when; `verified` what was read back after the
    write; `diff` what was or would be written; `undo` is the command that takes it back. `timeline` lines are
    complete sentences with their time.
    """

    id: str
    at: float
    kind: str
    incident: str
    system: str
    context: str
    rule: str
    title: SafeText
    summary: SafeText
    page: bool = False
    resolved: bool = False
    flag: SafeText = trusted("")
    value: SafeText = trusted("")
    bound: SafeText = trusted("")
    change: SafeText = trusted("")
    verified: SafeText = trusted("")
    diff: SafeText = trusted("")
    undo: SafeText = trusted("")
    dedup_key: str = ""
    labels: Mapping[str, str] = {}
    timeline: tuple[SafeText, ...] = ()
