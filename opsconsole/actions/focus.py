"""What a key would act upon, and why it cannot."""

from __future__ import annotations

import msgspec

from opsconsole.actions.keys import Action, Scope
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.flags import Flag
from opsconsole.model.journal import Entry
from opsconsole.model.runbook import Command
from opsconsole.model.severity import AlertState
from opsconsole.model.silences import Silence


class Focus(msgspec.Struct, frozen=True, kw_only=True):
    """What a key would act upon at the moment it is pressed. `group` counts the alerts around the row that nobody
    has; `own` says that the row's ack is one's own, `renewable` that it is old enough to acknowledge it again.
    `writing` says that something that can be undone has not ended yet."""

    scope: Scope
    read_only: bool = False
    row: AlertRow | None = None
    marked: int = 0
    group: int = 0
    own: bool = False
    renewable: bool = False
    silence: Silence | None = None
    flag: Flag | None = None
    flags_known: bool = True
    command: Command | None = None
    undoable: Entry | None = None
    writing: bool = False
    restorable: bool = False
    copyable: bool = True


def why_not(action: Action, focus: Focus) -> str:
    """Why an action cannot work on this focus; "" when it can."""
    if action.writes and focus.read_only:
        return "read-only: this console changes nothing"
    rule = _RULES.get(action.id)
    return rule(focus) if rule else ""


def _why_not_ack(focus: Focus) -> str:
    if focus.marked:
        return ""
    if focus.row is None:
        return "no alert under the cursor"
    if focus.row.state is AlertState.PENDING:
        return "pending: it is not firing yet, Alertmanager does not know it"
    if focus.row.state is AlertState.ACKED and focus.row.silence is not None and not focus.renewable:
        return "you have it already" if focus.own else f"{focus.row.silence.owner} has it already"
    return ""


def _why_not_ack_group(focus: Focus) -> str:
    if focus.row is None:
        return "no alert under the cursor"
    return "" if focus.group else "nobody is needed: all of them are pending or acknowledged"


def _why_not_expire(focus: Focus) -> str:
    if focus.scope is Scope.ALERTS:
        if focus.row is None:
            return "no alert under the cursor"
        return "" if focus.row.silence is not None else "no silence on this alert"
    if focus.marked:
        return ""
    if focus.silence is None:
        return "no silence under the cursor"
    return "it has expired already" if focus.silence.status.state == "expired" else ""


def _why_not_change(focus: Focus) -> str:
    silence = focus.silence
    if focus.scope is Scope.ALERTS:
        if focus.row is None:
            return "no alert under the cursor"
        silence = focus.row.silence
        return "" if silence is not None else "no silence on this alert"
    if silence is None:
        return "no silence under the cursor"
    return "it has expired: R creates it again" if silence.status.state == "expired" else ""


def _why_not_recreate(focus: Focus) -> str:
    if focus.silence is None:
        return "no silence under the cursor"
    return "" if focus.silence.status.state == "expired" else "it has not expired: + lets it end later"


def _why_not_mark(focus: Focus) -> str:
    if focus.scope is not Scope.SILENCES:
        return _why_not_row(focus)
    return "" if focus.silence is not None else "no silence under the cursor"


def _why_not_silence(focus: Focus) -> str:
    if focus.scope is Scope.ALERTS and focus.row is None:
        return "no alert under the cursor"
    return ""


def _why_not_rollback(focus: Focus) -> str:
    if not focus.flags_known:
        return "the flags are not known now"
    if focus.scope is Scope.FLAGS and focus.flag is None:
        return "no flag under the cursor"
    return ""


def _why_not_restore(focus: Focus) -> str:
    if focus.flag is None:
        return "no flag under the cursor"
    return "" if focus.restorable else "this flag was not rolled back from here"


def _why_not_row(focus: Focus) -> str:
    return "" if focus.row is not None else "no alert under the cursor"


def _why_not_run(focus: Focus) -> str:
    if focus.row is None:
        return "no alert under the cursor"
    return "" if focus.command is not None else "its runbook has no commands"


def _why_not_undo(focus: Focus) -> str:
    return "" if focus.undoable is not None or focus.writing else "nothing to undo"


def _why_not_copy(focus: Focus) -> str:
    return "" if focus.copyable else "nothing under the cursor to copy"


_RULES = {
    "ack": _why_not_ack,
    "ack_group": _why_not_ack_group,
    "expire": _why_not_expire,
    "silence": _why_not_silence,
    "rollback": _why_not_rollback,
    "restore": _why_not_restore,
    "run": _why_not_run,
    "undo": _why_not_undo,
    "mark": _why_not_mark,
    "edit": _why_not_change,
    "extend": _why_not_change,
    "recreate": _why_not_recreate,
    "flags_of_alert": _why_not_row,
    "copy": _why_not_copy,
}
