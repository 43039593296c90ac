"""What an Unleash flag is in one environment, and the writes that lead from one such definition to another.

A definition is whether the environment is enabled and its strategies in their order. The strategies' ids are no
part of it: Unleash gives a strategy that is made again another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import msgspec

from opsconsole.clients.flags.base import canonical, content_hash
from opsconsole.errors import FlagError, Refused
from opsconsole.text import SafeText, safe, trusted

_SHOWN = 3
"""Strategies that are told by name."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One activation strategy. A flag is on for whoever any of its enabled ones takes."""

    name: str
    title: str | None = None
    disabled: bool | None = None
    constraints: list[dict[str, Any]] | None = None
    parameters: dict[str, Any] | None = None
    variants: list[dict[str, Any]] | None = None
    segments: list[int] | None = None
    id: str = ""
    sort_order: float | None = None

    def value(self) -> dict[str, Any]:
        """All that a rollback may touch, in the form in which Unleash takes it."""
        return {
            "name": self.name,
            "title": self.title or "",
            "disabled": bool(self.disabled),
            "constraints": self.constraints or [],
            "parameters": self.parameters or {},
            "variants": self.variants or [],
            "segments": sorted(self.segments or []),
        }

    @property
    def limited(self) -> bool:
        """Whether constraints or segments say who is meant."""
        return bool(self.constraints or self.segments)

    @property
    def percent(self) -> float | None:
        """The percentage of all users that it takes; None when that is not one number."""
        if self.limited or self.name not in ("default", "flexibleRollout"):
            return None
        if self.name == "default":
            return 100.0
        try:
            found = float((self.parameters or {}).get("rollout", ""))
        except (TypeError, ValueError):
            return None
        return found if 0 <= found <= 100 else None

    def words(self) -> SafeText:
        """`flexibleRollout 25 %`, `userWithId`, `default with 2 constraints`, …"""
        rollout = (self.parameters or {}).get("rollout")
        said = safe(self.name, 60) + (f" {safe(str(rollout), 10)} %" if rollout is not None else "")
        more = [_count(self.constraints, "constraint"), _count(self.segments, "segment")]
        told = " and ".join(word for word in more if word)
        return trusted(said + (f" with {told}" if told else "") + (" (disabled)" if self.disabled else ""))


class Definition(msgspec.Struct, frozen=True):
    """A flag in one environment."""

    enabled: bool
    strategies: tuple[Strategy, ...] = ()

    @classmethod
    def of(cls, enabled: bool, strategies: Sequence[Strategy]) -> Self:
        """With the strategies in the order that Unleash keeps."""
        return cls(enabled, tuple(sorted(strategies, key=lambda one: (one.sort_order or 0.0, one.id))))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text that `text` gives. Raises FlagError."""
        try:
            return _DECODER.decode(text)  # type: ignore[return-value]  # it decodes this class
        except (msgspec.DecodeError, RecursionError) as error:
            raise FlagError(
                f"the kept definition is not one of Unleash: {safe(str(error), 200)}",
                hint="it was kept for another provider, or damaged",
            ) from error

    def value(self) -> dict[str, Any]:
        return {"enabled": self.enabled, "strategies": [strategy.value() for strategy in self.strategies]}

    def text(self) -> str:
        return canonical(self.value())

    @property
    def hash(self) -> str:
        return content_hash(self.value())

    @property
    def active(self) -> tuple[Strategy, ...]:
        """The strategies that count."""
        return tuple(strategy for strategy in self.strategies if not strategy.disabled)

    @property
    def rollout(self) -> float | None:
        """The percentage of users for whom it is on; None when that is not one number."""
        if not self.enabled:
            return 0.0
        if not self.strategies:
            return 100.0
        shares = [strategy.percent for strategy in self.active]
        if 100.0 in shares:
            return 100.0
        if shares and all(share == 0.0 for share in shares):
            return 0.0
        return shares[0] if len(shares) == 1 else None

    @property
    def off(self) -> bool:
        """Whether it is surely on for nobody."""
        return self.rollout == 0.0

    def serves(self) -> SafeText:
        """`off`, `on 25 %`, or for whom it is on."""
        if not self.enabled:
            return trusted("off")
        if self.rollout is not None:
            return trusted(f"on {self.rollout:g} %")
        if not self.active:
            return trusted("on, with no strategy that is enabled")
        return trusted("on by " + _listed(self.active))


_DECODER = msgspec.json.Decoder(Definition)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One write. `path` is below the flag's environment; `words` says what it does (`turn off`)."""

    method: str
    path: str
    words: SafeText
    body: Mapping[str, Any] | None = None


OFF = Step(method="POST", path="/off", words=trusted("turn off"))
ON = Step(method="POST", path="/on", words=trusted("turn on"))


def steps_between(now: Definition, then: Definition) -> tuple[Step, ...]:
    """The writes that make `then` of `now`, in an order in which nobody is ever served by less than both allow:
    what takes several writes is done while the flag is off. Raises Refused for a definition that Unleash would not
    keep: turning a flag on that has no enabled strategy adds one for everybody."""
    if then.enabled and not then.active:
        raise Refused(
            "it would be on with no strategy that is enabled, and Unleash would then add one for everyone",
            hint="add a strategy in Unleash, then turn it on there",
        )
    changes = tuple(_changes(now.strategies, then.strategies))
    if now.enabled and then.enabled:
        return changes if len(changes) <= 1 else (OFF, *changes, ON)
    first = (OFF,) if now.enabled else ()
    last = (ON,) if then.enabled else ()
    return (*first, *changes, *last)


def _changes(now: Sequence[Strategy], then: Sequence[Strategy]) -> list[Step]:
    """By position: the order counts, and an id means nothing."""
    found = []
    for there, wanted in zip(now, then, strict=False):
        if there.value() != wanted.value():
            words = trusted(f"change {there.words()} to {wanted.words()}")
            path = f"/strategies/{_segment(there.id)}"
            found.append(Step(method="PUT", path=path, words=words, body=wanted.value()))
    for wanted in then[len(now) :]:
        words = trusted(f"add {wanted.words()}")
        found.append(Step(method="POST", path="/strategies", words=words, body=wanted.value()))
    for there in reversed(now[len(then) :]):
        words = trusted(f"remove {there.words()}")
        found.append(Step(method="DELETE", path=f"/strategies/{_segment(there.id)}", words=words))
    return found


def _segment(identity: str) -> str:
    return quote(identity, safe="")


def _listed(strategies: Sequence[Strategy]) -> str:
    told = [strategy.words() for strategy in strategies[:_SHOWN]]
    more = len(strategies) - len(told)
    return ", or ".join(told) + (f", or {more} more" if more else "")


def _count(what: Sequence[object] | None, word: str) -> str:
    number = len(what or ())
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
