"""The work of `opsconsole guard arm` and `guard disarm`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from opsconsole.cli.acting import tell
from opsconsole.cli.silence_preview import confirm
from opsconsole.cli.wiring import journal_path, load_playbooks, os_user, resolve
from opsconsole.clients.guardfile import GuardFiles
from opsconsole.clock import Clock, LocalZone, SystemClock
from opsconsole.config.discover import Options
from opsconsole.config.guard import GuardPlaces, guard_places
from opsconsole.config.schema import Context
from opsconsole.errors import GuardError, JournalError, Refused, SourceError, UsageError
from opsconsole.guard.arming import LONGEST, SHORTEST, ArmingFile
from opsconsole.journal.store import Journal
from opsconsole.model.guard import Guard
from opsconsole.model.guardstatus import is_over
from opsconsole.model.journal import Phase, Result
from opsconsole.render.numbers import value
from opsconsole.render.times import exact, format_duration
from opsconsole.text import SafeText, safe

ACTION_ARM, ACTION_DISARM = "guard-arm", "guard-disarm"


def guards_of(context: Context) -> tuple[tuple[str, Guard], ...]:
    """Each system of the context whose playbook has rules for a guard. Raises UsageError when nothing can be
    guarded, and ConfigError for a playbook with problems."""
    name = safe(context.name, 40)
    if context.flags is None:
        hint = "add `flags: {provider: …}` to it, or use --flags-file"
        raise UsageError(f"context {name} has no flag provider: there is nothing to roll back", hint=hint)
    if context.prometheus is None:
        hint = "add `prometheus: {url: …}` to it, or use --prometheus"
        raise UsageError(f"context {name} has no Prometheus: nothing says when to roll back", hint=hint)
    if not context.playbooks:
        hint = "add `playbooks: […]` to it, or use --playbook"
        raise UsageError(f"context {name} has no playbook: there are no rules to guard by", hint=hint)
    books = load_playbooks(context, runbooks=False)
    found = tuple((book.system, book.guard) for book in books if book.guard is not None and book.guard.rules)
    if not found:
        names = ", ".join(safe(book.system, 40) for book in books)
        hint = "add `guard: {rules: […]}` to its playbook.yaml; `opsconsole playbook schema` has the keys"
        raise UsageError(f"no playbook of context {name} has rules for a guard ({names})", hint=hint)
    systems = [system for system, _ in found]
    twice = next((system for system in systems if systems.count(system) > 1), None)
    if twice is not None:  # the rules of one would take the other's place
        hint = "give one of them another `system:`, or take it out of the context"
        raise UsageError(f"two playbooks of context {name} guard the same system: {safe(twice, 40)}", hint=hint)
    return found


def arm(options: Options, seconds: float, reason: str, *, yes: bool) -> None:
    """Arm the guards of a context, once it is confirmed. Raises Refused, UsageError, GuardError, JournalError."""
    context = resolve(options)
    if context.read_only:
        hint = "leave out --read-only, or set `read_only: false` in the context"
        raise Refused("read-only: no guard is armed", hint=hint)
    if not reason.strip():
        raise UsageError("--reason may not be blank", hint="--reason 'release night'")
    if not SHORTEST <= seconds <= LONGEST:
        raise UsageError("a guard is armed for 1m to 7d", hint="--for 8h")
    guards, clock = guards_of(context), SystemClock()
    until = exact(clock.now() + seconds, LocalZone(), clock.now())
    tell(f"Until {until} the guard of {safe(context.name, 40)} rolls flags back by itself:")
    for line in _rules(guards):
        tell(f"  {line}")
    _confirm(context, options, yes=yes)
    places, who = guard_places(context, os.environ), _who(context)
    journal = Journal(journal_path(), clock)
    try:
        record = _Record(journal, context, who, ACTION_ARM)
        record.intent({"seconds": seconds, "reason": reason})
        try:
            armed = ArmingFile(places.arming, context.name, clock).arm(seconds, who, reason)
        except GuardError as error:
            record.outcome(Result.FAILED, str(error), {})
            raise
        record.outcome(Result.DONE, f"armed until {until}: {reason}", {"until": armed.until, "reason": reason})
    finally:
        journal.close()
    tell(f"Armed until {until}. `opsconsole guard disarm` ends it at once.")
    _runs(places, context, clock)


def disarm(options: Options) -> None:
    """End it first, and journal it then: nothing keeps a guard armed. Raises GuardError, and JournalError once it
    is done."""
    context, clock = resolve(options), SystemClock()
    arming = ArmingFile(guard_places(context, os.environ).arming, context.name, clock)
    was = arming.armed()
    there = arming.disarm()
    name = safe(context.name, 40)
    tell(f"The guard of {name} is disarmed." if there else f"The guard of {name} was not armed.")
    if not there:
        return
    said = "disarmed" if was is not None else "disarmed; it had ended, or could not be read"
    try:
        journal = Journal(journal_path(), clock)
        try:
            _Record(journal, context, _who(context), ACTION_DISARM).outcome(Result.DONE, said, {})
        finally:
            journal.close()
    except JournalError as error:
        raise JournalError(f"it is disarmed, but this is not in the journal: {error.message}", where=error.where,
                           hint=error.hint) from None  # fmt: skip


class _Record:
    """One op in the journal."""

    def __init__(self, journal: Journal, context: Context, who: str, action: str) -> None:
        self._journal = journal
        self._context = context.name
        self._who = who
        self._action = action
        self._op = secrets.token_hex(4)

    def intent(self, detail: dict[str, object]) -> None:
        self._write(Phase.INTENT, Result.OPEN, "", detail)

    def outcome(self, result: Result, message: str, detail: dict[str, object]) -> None:
        self._write(Phase.OUTCOME, result, message, detail)

    def _write(self, phase: Phase, result: Result, message: str, detail: dict[str, object]) -> None:
        subject = f"the guard of {self._context}"
        self._journal.record(
            self._op,
            phase,
            self._action,
            subject,
            self._who,
            str(safe(self._context, 40)),
            result,
            message,
            detail,
        )


def _confirm(context: Context, options: Options, *, yes: bool) -> None:
    """In production the context is named: typed, or for a script with --yes and --context."""
    production = context.environment.lower() in {"production", "prod"}
    if yes and (not production or options.context == context.name):
        return
    if not production:
        confirm("Arm it? Type yes: ", ("yes", "y"))
        return
    confirm(
        f"This is {safe(context.environment, 40).upper()}. Arm it? Type the name of the context: ",
        (context.name.lower(),),
        hint=f"in production use --yes together with --context {safe(context.name, 40)}",
    )


def _rules(guards: Sequence[tuple[str, Guard]]) -> list[SafeText]:
    """A line for each rule, and one for each system that says which flags."""
    lines: list[SafeText] = []
    for system, guard in guards:
        for rule in guard.rules:
            which, bound = ("above", rule.above) if rule.above is not None else ("below", rule.below)
            lasts = format_duration(round(rule.hold))
            words = f"{rule.title} {which} {value(bound, rule.unit)} for {lasts}"
            lines.append(safe(f"{system}/{rule.id}: {words}", 300))
        only = f"only {', '.join(guard.only)}" if guard.only else "every flag that changed shortly before"
        never = f", never {', '.join(guard.never)}" if guard.never else ""
        lines.append(
            safe(f"{system}: {only}{never}; {guard.kind.value}; at most {guard.max_actions} an hour", 400)
        )
    return lines


def _runs(places: GuardPlaces, context: Context, clock: Clock) -> None:
    """Say when nothing is there that would act."""
    try:
        status = GuardFiles(places.folder, context.name, expected=True).read(clock.now())
    except SourceError:
        status = None
    if status is None or is_over(status, clock.now()):
        tell(f"No guard runs on this machine with {safe(str(places.folder))}: start `opsconsole guard run`.")


def _who(context: Context) -> str:
    """Who acts; with sudo also who asked for it."""
    user, asked = os_user(context), os.environ.get("SUDO_USER", "")
    return f"{asked} (as {user})" if asked and asked != user else user
