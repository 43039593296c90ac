"""Acknowledgements: their settings, how old one is and who keeps it, and one silence for several alerts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import msgspec

from opsconsole.model.matchers import Matcher, Matchers
from opsconsole.model.silences import Silence, ack_user
from opsconsole.text import SafeText, safe, trusted

THIS_CONSOLE = trusted("this console")
"""Who extends acks when nothing else does: every console its user's own."""

_WITHIN = 5 * 60.0
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


class AckPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The settings `acks:` of a context, in seconds.

    An ack lasts `duration` and is extended by as much while its alert fires, until it is `max_age` old; then it
    has to be acknowledged again. One older than `stale_after` is marked.
    """

    duration: float = 15 * 60.0
    max_age: float = 4 * 3600.0
    stale_after: float = 3600.0

    @property
    def within(self) -> float:
        """An ack that ends within so many seconds is extended: 5 minutes, as by kthxbye; half of a short one."""
        return min(_WITHIN, self.duration / 2)


class AckMark(Enum):
    """What stands out of an ack. ASKS: it is not extended any more and asks to be acknowledged again."""

    NONE = ""
    STALE = "stale"
    ASKS = "asks again"


def begun(silence: Silence) -> float:
    """When the alert was acknowledged, or last acknowledged again: extending an ack does not make it younger."""
    return silence.again or silence.starts_at.timestamp()


def age(silence: Silence, now: float) -> float:
    """How old an ack is, seconds; never negative."""
    return max(0.0, now - begun(silence))


def is_mine(silence: Silence, user: str) -> bool:
    """Whether it is an ack that this user made with this program, on whatever machine."""
    return bool(
        silence.is_ack
        and silence.op
        and silence.owner == safe(ack_user(user), 60)
        and ack_user(silence.created_by) == ack_user(user)
    )


def extended_by(silence: Silence, *, user: str, extender: str) -> SafeText:
    """Who extends an ack, "" for nobody: a console extends those of its own user only, and none while
    something else (`extender`, as of the snapshot) does."""
    if not silence.is_ack or extender == "nobody":
        return trusted("")
    if extender == THIS_CONSOLE:
        return THIS_CONSOLE if is_mine(silence, user) else trusted("")
    return safe(extender, 40)


def last_end(silence: Silence, policy: AckPolicy) -> float:
    """The latest end that an ack is extended to, seconds since the epoch."""
    return begun(silence) + policy.max_age


def asks_again(silence: Silence, now: float, policy: AckPolicy) -> bool:
    """Whether an ack is about to end because it is as old as one may get."""
    return last_end(silence, policy) - now <= policy.within


def mark_of(silence: Silence, now: float, policy: AckPolicy, *, user: str, extender: str) -> AckMark:
    """What is to be said of an ack. Another user's is never asked about here: their own console does."""
    if not silence.is_ack or silence.status.state != "active":
        return AckMark.NONE
    kept_here = extended_by(silence, user=user, extender=extender) == THIS_CONSOLE
    if kept_here and asks_again(silence, now, policy):
        return AckMark.ASKS
    return AckMark.STALE if age(silence, now) > policy.stale_after else AckMark.NONE


def literal(value: str) -> str:
    """The pattern that matches exactly this value, in RE2 as of C++ and of Go."""
    return _SPECIAL.sub(r"\\\g<0>", value)


def one_silence(labelsets: Sequence[Mapping[str, str]]) -> Matchers:
    """Matchers that all of these label sets satisfy: a matcher for each label that all of them carry, equality
    where they agree and an alternation of their values where they do not; () when they share no label.

    It may match more than them: any combination of the values, and any value of the other labels.
    """
    carried = [{n for n, v in labels.items() if v} for labels in labelsets]
    shared = sorted(carried[0].intersection(*carried[1:])) if carried else []
    return tuple(_matcher(name, {labels[name] for labels in labelsets}) for name in shared)


def left_out(labelsets: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The labels that some of the label sets carry and others do not, by name."""
    carried = [{n for n, v in labels.items() if v} for labels in labelsets]
    return tuple(sorted(set().union(*carried) - carried[0].intersection(*carried[1:]))) if carried else ()


def _matcher(name: str, values: set[str]) -> Matcher:
    if len(values) == 1:
        return Matcher(name, next(iter(values)))
    return Matcher(name, "|".join(literal(value) for value in sorted(values)), is_regex=True)
