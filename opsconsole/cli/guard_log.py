"""What `opsconsole guard run` tells on standard error: a line for each event and each change of its state."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from opsconsole.clock import Clock
from opsconsole.guard.arming import armed_words
from opsconsole.guard.ports import Outbox
from opsconsole.model.guard import GuardEvent, GuardStatus, RulePhase
from opsconsole.model.guard_words import headline
from opsconsole.text import safe


class GuardLog:
    """Lines of text, or of JSON: `at` (RFC 3339), `what` (`event`, `phase`, `guard`), `message`, and what belongs
    to it. A reader that has gone does not stop the guard."""

    def __init__(self, clock: Clock, *, as_json: bool) -> None:
        self._clock = clock
        self._json = as_json

    def __call__(self, what: str, message: str, **fields: str | float | None) -> None:
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        if self._json:
            line = msgspec.json.encode({"at": at, "what": what, "message": safe(message, 2000), **fields}).decode()
        else:
            line = f"{at} {what}: {safe(message, 2000)}"
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return


class ToldOutbox:
    """An outbox whose events are logged too, each once. Without one, in a dry run, they are only logged."""

    def __init__(self, log: GuardLog, outbox: Outbox | None) -> None:
        self._log = log
        self._outbox = outbox
        self._seen: set[str] = set()

    def put(self, event: GuardEvent) -> None:
        if event.id not in self._seen:
            self._seen.add(event.id)
            words = f"{headline(event)}: {event.summary}" if event.summary else str(headline(event))
            self._log(
                "event", words, kind=event.kind, system=safe(event.system, 100), rule=safe(event.rule, 100),
                flag=event.flag, incident=safe(event.incident, 200), id=safe(event.id, 200),
            )  # fmt: skip
        if self._outbox is not None:
            self._outbox.put(event)

    async def deliver(self) -> None:
        if self._outbox is not None:
            await self._outbox.deliver()

    def waiting(self) -> int:
        return self._outbox.waiting() if self._outbox is not None else 0


class ChangeLog:
    """A beat that logs what is not as it was at the one before."""

    def __init__(self, log: GuardLog) -> None:
        self._log = log
        self._before: dict[str, str] = {}
        self._phases: dict[tuple[str, str], RulePhase] = {}

    def beat(self, status: GuardStatus) -> None:
        for what, words in _states(status):
            if self._before.get(what) != words:
                if words or self._before.get(what):
                    self._log("guard", words or f"{what}: over", about=what)
                self._before[what] = words
        for rule in status.rules:
            key = rule.system, rule.rule
            before = self._phases.get(key)
            if before is rule.phase:
                continue
            self._phases[key] = rule.phase
            was = f" (was {before.value})" if before is not None else ""
            value = "no value" if rule.value is None else f"value {rule.value:.6g}"
            why = f", {rule.reason}" if rule.reason else ""
            self._log(
                "phase", f"{rule.system}/{rule.rule}: {rule.phase.value}{was}, {value}{why}",
                system=safe(rule.system, 100), rule=safe(rule.rule, 100), phase=rule.phase.value, value=rule.value,
            )  # fmt: skip


def _states(status: GuardStatus) -> Iterator[tuple[str, str]]:
    """What the guard as a whole is, in words that change only when it does."""
    armed = status.armed
    yield "armed", f"armed by {armed.by} until {_time(armed.until)}" if armed else str(armed_words(None, 0.0))
    yield "kill switch", status.killed
    yield (
        "lease",
        "holds the lease" if status.leader else f"stands by: {status.holder or 'nobody that is known'} holds it",
    )
    yield "problem", status.problem
    if status.stopped:
        yield "stopped", "stopped"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
