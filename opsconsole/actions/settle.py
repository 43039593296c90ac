"""At the start: what became of the actions that were cut off between their intent and their outcome.

Each is looked for on the server and gets the outcome that it has there. Nothing is ever done again.
"""

from __future__ import annotations

import asyncio

import msgspec

from opsconsole.actions import found
from opsconsole.actions.base import Desk, Done, cluster_of, outcome_detail
from opsconsole.actions.found import Unsettled
from opsconsole.actions.process import still_runs
from opsconsole.actions.rollback import FlagActions
from opsconsole.actions.writing import clock_words, moment
from opsconsole.errors import FlagError, Refused, SourceError
from opsconsole.model.journal import Entry, Outcome, Result
from opsconsole.text import safe, safe_block, trusted

GIVE_UP_SECONDS = 86_400.0
"""After so long what still cannot be said is recorded as not known."""


async def settle_open(desk: Desk, flags: FlagActions) -> tuple[Outcome, ...]:
    """Settle this user's open intents of this context and host, the oldest first; gives what became of each.

    One that cannot be settled now stays open, and says why with the result OPEN. Those of processes that run are
    left alone. Raises JournalError.
    """
    if desk.read_only:
        return ()
    outcomes = []
    for intent in reversed(await asyncio.to_thread(desk.journal.open_intents)):
        if _cut_off(desk, intent):
            outcome = await _settle(desk, flags, intent)
            if outcome is not None:
                outcomes.append(outcome)
    if any(outcome.result is not Result.OPEN for outcome in outcomes):
        desk.written += 1
        desk.refresh()
    return tuple(outcomes)


def _cut_off(desk: Desk, intent: Entry) -> bool:
    """Whether an open intent is ours and nobody is carrying it out."""
    if intent.user != safe(desk.user, 200) or intent.context != safe(desk.context, 200):
        return False
    process = intent.detail.get("process")
    if not isinstance(process, dict):  # written by an earlier version, which did not say
        return desk.clock.now() - intent.at > found.LATE_SECONDS
    return process.get("host") == desk.host and not still_runs(process)


async def _settle(desk: Desk, flags: FlagActions, intent: Entry) -> Outcome | None:
    begun = f"{intent.action} {intent.subject}, cut off at {clock_words(moment(intent.at))}"
    try:
        done = await _look(desk, flags, intent)
    except (Unsettled, SourceError, FlagError, Refused) as error:
        why = error.why if isinstance(error, Unsettled) else error.message
        if desk.clock.now() - intent.at < GIVE_UP_SECONDS:
            words = f"{begun}: it is not known yet whether it happened: {why}"
            hint = trusted("it is looked for again at the next start")
            return Outcome(
                op=intent.op, action=intent.action, result=Result.OPEN, message=safe_block(words), hint=hint
            )
        hint = trusted("look at what it was to change before you try again")
        done = Done(message=safe_block(f"it could not be found out: {why}"), result=Result.AMBIGUOUS, hint=hint)
    intended = {name: value for name, value in intent.detail.items() if name != "process"}
    done = msgspec.structs.replace(done, message=safe_block(f"{begun}: {done.message}"))
    message = desk.told(done, intended)
    detail = {**outcome_detail(intended, done), "settled": True}
    entry = await asyncio.to_thread(desk.journal.close_intent, intent, done.result, message, detail)
    if entry is None:
        return None  # another console was quicker
    return Outcome(
        op=intent.op,
        action=intent.action,
        result=done.result,
        message=message,
        hint=done.hint,
        undo=intent.op if done.undo is not None else "",
        silence_id=done.silence_id,
    )


async def _look(desk: Desk, flags: FlagActions, intent: Entry) -> Done:
    """How it ended. Raises Unsettled, SourceError, FlagError or Refused."""
    try:
        if intent.action in ("ack", "silence", "recreate"):
            return await found.created_or_not(desk, intent, cluster_of(intent.detail))
        if intent.action == "expire":
            return await found.expired_or_not(desk, intent)
        if intent.action in ("extend", "edit", "ack-again"):
            return await found.changed_or_not(desk, intent)
        if intent.action == "undo":
            return await found.undone_or_not(desk, flags, intent)
        if intent.action in ("rollback", "restore"):
            return await found.flag_or_not(desk, flags, intent)
        if intent.action == "command":
            return found.command_or_not()
    except (KeyError, msgspec.ValidationError):
        hint = trusted("look at what it was to change before you try again")
        words = trusted("what the journal says of it cannot be read")
        return Done(message=words, result=Result.AMBIGUOUS, hint=hint)
    raise Unsettled("this version does not know such an action")
