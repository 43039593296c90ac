"""The one list of everything a key can do: bindings, footer, palette, help and README come from it."""

from __future__ import annotations

from enum import Enum

import msgspec

from opsconsole.model.alertlist import AlertRow
from opsconsole.model.flags import Flag
from opsconsole.model.journal import Entry
from opsconsole.model.runbook import Command
from opsconsole.model.severity import AlertState
from opsconsole.model.silences import Silence


class Scope(Enum):
    """Where a key works. The values are the modes of the console, in the order of their keys."""

    GLOBAL = "everywhere"
    OVERVIEW = "overview"
    ALERTS = "alerts"
    SILENCES = "silences"
    FLAGS = "flags"
    INCIDENT = "incident"
    STATUS = "status"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a key does.

    `keys` are Textual key names; `title` is the footer's word, `description` the help's line. `writes`
    marks what changes the world: read-only removes it. `footer` says whether the footer shows it.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    description: str
    scopes: tuple[Scope, ...] = (Scope.GLOBAL,)
    writes: bool = False
    footer: bool = True


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


_LISTS = (Scope.ALERTS, Scope.SILENCES, Scope.FLAGS, Scope.INCIDENT, Scope.STATUS, Scope.OVERVIEW)

ACTIONS: tuple[Action, ...] = (
    Action(id="mode_overview", keys=("1",), title="Overview", description="the panels", footer=False),
    Action(id="mode_alerts", keys=("2",), title="Alerts", description="the alerts", footer=False),
    Action(id="mode_silences", keys=("3",), title="Silences", description="the silences", footer=False),
    Action(id="mode_flags", keys=("4",), title="Flags", description="the feature flags", footer=False),
    Action(id="mode_incident", keys=("5",), title="Incident", description="the journal", footer=False),
    Action(id="mode_status", keys=("6",), title="Status", description="sources and checks", footer=False),
    Action(id="down", keys=("j", "down"), title="down", description="next row", scopes=_LISTS, footer=False),
    Action(id="up", keys=("k", "up"), title="up", description="previous row", scopes=_LISTS, footer=False),
    Action(id="top", keys=("g", "home"), title="top", description="first row", scopes=_LISTS, footer=False),
    Action(id="bottom", keys=("G", "end"), title="bottom", description="last row", scopes=_LISTS, footer=False),
    Action(
        id="page_down",
        keys=("pagedown", "ctrl+d"),
        title="page down",
        description="a page down",
        scopes=_LISTS,
        footer=False,
    ),
    Action(
        id="page_up",
        keys=("pageup", "ctrl+b"),
        title="page up",
        description="a page up",
        scopes=_LISTS,
        footer=False,
    ),
    Action(
        id="open",
        keys=("enter",),
        title="open",
        description="open the row, or run the runbook's command",
        scopes=_LISTS,
    ),
    Action(
        id="back",
        keys=("escape",),
        title="back",
        description="back to the list; clear the filter",
        scopes=_LISTS,
        footer=False,
    ),
    Action(
        id="ack",
        keys=("a",),
        title="ack",
        description="acknowledge: silence exactly it, or those marked; or again",
        scopes=(Scope.ALERTS, Scope.OVERVIEW),
        writes=True,
    ),
    Action(
        id="ack_group",
        keys=("A",),
        title="ack group",
        description="acknowledge the alerts of the group, or of the same name",
        scopes=(Scope.ALERTS,),
        writes=True,
        footer=False,
    ),
    Action(
        id="silence",
        keys=("s",),
        title="silence",
        description="silence with matchers, after seeing what it hides",
        scopes=(Scope.ALERTS, Scope.SILENCES),
        writes=True,
    ),
    Action(
        id="template",
        keys=("t",),
        title="template",
        description="silence from a template of the playbook",
        scopes=(Scope.ALERTS, Scope.SILENCES),
        writes=True,
        footer=False,
    ),
    Action(
        id="edit",
        keys=("E",),
        title="edit",
        description="edit the silence: matchers, end, comment",
        scopes=(Scope.ALERTS, Scope.SILENCES),
        writes=True,
        footer=False,
    ),
    Action(
        id="extend",
        keys=("plus",),
        title="extend",
        description="let the silence end later",
        scopes=(Scope.ALERTS, Scope.SILENCES),
        writes=True,
        footer=False,
    ),
    Action(
        id="recreate",
        keys=("R",),
        title="recreate",
        description="create the expired silence again",
        scopes=(Scope.SILENCES,),
        writes=True,
        footer=False,
    ),
    Action(
        id="expire",
        keys=("x",),
        title="expire",
        description="end the silence or ack now, or the marked silences",
        scopes=(Scope.ALERTS, Scope.SILENCES),
        writes=True,
    ),
    Action(
        id="rollback",
        keys=("r",),
        title="roll back",
        description="roll the flag back, after seeing the diff",
        scopes=(Scope.FLAGS, Scope.ALERTS),
        writes=True,
    ),
    Action(
        id="restore",
        keys=("R",),
        title="restore",
        description="bring the rolled-back flag's definition back",
        scopes=(Scope.FLAGS,),
        writes=True,
    ),
    Action(
        id="run",
        keys=("c",),
        title="command",
        description="pick a command of the runbook and run it",
        scopes=(Scope.ALERTS,),
        writes=True,
    ),
    Action(
        id="note",
        keys=("n",),
        title="note",
        description="write a note into the journal",
        scopes=(Scope.INCIDENT,),
        writes=True,
    ),
    Action(id="undo", keys=("u",), title="undo", description="undo your last action", writes=True),
    Action(
        id="mark",
        keys=("space",),
        title="mark",
        description="mark the row; ack and copy take all marked alerts, expire all marked silences",
        scopes=(Scope.ALERTS, Scope.SILENCES),
    ),
    Action(
        id="mark_all",
        keys=("A",),
        title="mark all",
        description="mark every silence that the filter shows, or none",
        scopes=(Scope.SILENCES,),
        footer=False,
    ),
    Action(
        id="mine",
        keys=("m",),
        title="mine",
        description="only your own silences, or all",
        scopes=(Scope.SILENCES,),
    ),
    Action(
        id="filter",
        keys=("slash",),
        title="filter",
        description='filter: severity="critical",job=~"api.*" or words; silences: creator:, state: too',
        scopes=(Scope.ALERTS, Scope.SILENCES),
    ),
    Action(
        id="group",
        keys=("o",),
        title="group",
        description="group by alertname, by each label, or not at all",
        scopes=(Scope.ALERTS,),
        footer=False,
    ),
    Action(
        id="show_suppressed",
        keys=("e",),
        title="suppressed",
        description="show or hide acked, silenced and muted alerts",
        scopes=(Scope.ALERTS,),
        footer=False,
    ),
    Action(
        id="show_inhibited",
        keys=("i",),
        title="inhibited",
        description="show or hide inhibited alerts",
        scopes=(Scope.ALERTS,),
        footer=False,
    ),
    Action(
        id="show_pending",
        keys=("p",),
        title="pending",
        description="show or hide pending alerts",
        scopes=(Scope.ALERTS,),
        footer=False,
    ),
    Action(
        id="show_expired",
        keys=("e",),
        title="expired",
        description="show or hide expired silences",
        scopes=(Scope.SILENCES,),
    ),
    Action(
        id="next_tab",
        keys=("tab", "l", "right"),
        title="next tab",
        description="next tab or panel",
        scopes=(Scope.ALERTS, Scope.OVERVIEW),
        footer=False,
    ),
    Action(
        id="previous_tab",
        keys=("shift+tab", "h", "left"),
        title="previous tab",
        description="previous tab or panel",
        scopes=(Scope.ALERTS, Scope.OVERVIEW),
        footer=False,
    ),
    Action(id="dashboard", keys=("d",), title="dashboard", description="next dashboard", scopes=(Scope.OVERVIEW,)),
    Action(
        id="range",
        keys=("w",),
        title="range",
        description="next time range: 15m, 1h, 6h, 24h",
        scopes=(Scope.OVERVIEW, Scope.ALERTS, Scope.FLAGS),
        footer=False,
    ),
    Action(
        id="flags_of_alert",
        keys=("f",),
        title="flags",
        description="the flag changed before this alert",
        scopes=(Scope.ALERTS,),
        footer=False,
    ),
    Action(
        id="copy",
        keys=("y",),
        title="copy",
        description="copy what is under the cursor (OSC 52), and show the text",
        scopes=_LISTS,
    ),
    Action(id="refresh", keys=("ctrl+r",), title="refresh", description="ask every source now", footer=False),
    Action(id="help", keys=("question_mark",), title="help", description="the keys that work here"),
    Action(id="palette", keys=("ctrl+p",), title="palette", description="every action by name"),
    Action(id="quit", keys=("q",), title="quit", description="leave the console"),
)

BY_ID = {action.id: action for action in ACTIONS}


def actions_for(scope: Scope, *, read_only: bool = False) -> tuple[Action, ...]:
    """The actions that work in a scope, the scope's own first; read-only leaves out those that write."""
    own = [a for a in ACTIONS if scope in a.scopes]
    everywhere = [a for a in ACTIONS if Scope.GLOBAL in a.scopes and scope is not Scope.GLOBAL]
    return tuple(a for a in [*own, *everywhere] if not (read_only and a.writes))


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
