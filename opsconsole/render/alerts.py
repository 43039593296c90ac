"""Rows of the alert list and of the strip of the worst alerts."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rich.text import Text

from opsconsole.model.acks import AckMark, age
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.severity import AlertState, Severity
from opsconsole.model.silence_list import ends_soon
from opsconsole.model.silences import Silence, ack_user
from opsconsole.render import times
from opsconsole.render.detail import detail_header, labels_table
from opsconsole.render.glyphs import SEVERITY_STYLES, SEVERITY_WORDS, UNICODE, Glyphs
from opsconsole.render.records import (
    flag_row,
    journal_row,
    silence_row,
    target_row,
    verdict_row,
)
from opsconsole.render.row import NOTHING, Row, clean, fit, width_of
from opsconsole.render.status import empty_line
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, safe, trusted

__all__ = [
    "alert_row",
    "detail_header",
    "empty_line",
    "firing_row",
    "flag_row",
    "header_row",
    "journal_row",
    "labels_table",
    "silence_row",
    "state_text",
    "target_row",
    "verdict_row",
]

FLOWING_BELOW = 90
"""Cells under which the labels follow the name at once: one column for both, so that neither is cut while
the other leaves cells free."""

_NARROW_STATE = 13
"""Cells of the state where there are few: `ack alice 11m`."""

_URGENT = frozenset({Severity.CRITICAL, Severity.HIGH})


class Columns(NamedTuple):
    """Widths of the columns in cells; 0 leaves a column out. `wide` has room for whole sentences. Without a
    column of their own the labels stand in that of the name, behind it."""

    word: int
    name: int
    labels: int
    age: int
    state: int
    due: int
    wide: bool


@lru_cache(maxsize=64)
def columns(width: int) -> Columns:
    """The columns of the alert list at this width: the name always, then as they matter."""
    room = width - 3
    word = age = state = due = labels = 0
    name_min = 10
    flowing = width < FLOWING_BELOW
    wide = width >= 110
    state_size = (
        40 if width >= 150 else 30 if wide else 19 if not flowing else 16 if width >= 76 else _NARROW_STATE
    )
    due_size = 14 if wide else 7 if flowing else 10
    if room - 6 >= name_min:
        word, room = 6, room - 6
    if room - 5 >= name_min:
        age, room = 4, room - 5
    if room - state_size - 1 >= name_min:
        state, room = state_size, room - state_size - 1
    if room - due_size - 1 >= name_min:
        due, room = due_size, room - due_size - 1
    if room >= name_min + 9 and not flowing:
        name = min(32, max(name_min, room * 11 // 20))
        labels, room = room - name - 1, name
    return Columns(word, max(0, room), labels, age, state, due, wide)


def header_row(width: int, *, theme: Theme = DARK, glyphs: Glyphs = UNICODE) -> Text:
    """The names of the columns of `alert_row` at this width."""
    cols = columns(width)
    row = Row(width, glyphs, theme["header"])
    row.space(3)
    if cols.word:
        row.add("sev", None, cols.word)
    row.add("alert" if cols.labels else "alert and labels", None, cols.name)
    for title, size, right in (
        ("labels", cols.labels, False),
        ("age", cols.age, True),
        ("state", cols.state, False),
        ("due", cols.due, True),
    ):
        if size:
            row.space()
            row.add(title, None, size, right=right)
    return row.done()


def alert_row(
    row: AlertRow,
    *,
    width: int,
    now: float,
    glyphs: Glyphs = UNICODE,
    distinguishing: SafeText = NOTHING,
    extender: SafeText = NOTHING,
    mark: AckMark = AckMark.NONE,
    marked: bool = False,
    selected: bool = False,
    user: SafeText = NOTHING,
    hold: float | None = None,
    theme: Theme = DARK,
) -> Text:
    """One alert of the list in exactly `width` cells.

    `distinguishing` is what tells it from others of its name, `extender` who extends its ack ("" or `nobody`:
    nobody), `mark` what stands out of that, `user` who is looking (their acks are `ack you`), `hold` the rule's
    `for:` in seconds.
    """
    cols = columns(width)
    severity = SEVERITY_STYLES[row.severity]
    quiet = row.state is not AlertState.ACTIVE
    out = Row(width, glyphs, theme["selected" if selected else "plain"])
    out.add(glyphs.marked if marked else " ", theme["marked"])
    style = theme[severity]
    sign = glyphs.severity(row.severity)
    out.add(f"{sign} {SEVERITY_WORDS[row.severity]}  " if cols.word else f"{sign} ", style)
    held = theme["dim"]
    name_style, rest_style = (held, held) if quiet else (theme["strong"], None)
    if cols.labels:
        out.add(row.alert.name, name_style, cols.name)
        out.space()
        out.add(distinguishing, rest_style, cols.labels)
    else:
        name = min(width_of(clean(row.alert.name, glyphs)), cols.name)
        out.add(row.alert.name, name_style, name)
        out.add(f" {distinguishing}", rest_style, cols.name - name)
    if cols.age:
        out.space()
        out.add(times.ago(now - row.alert.since), held if quiet else None, cols.age, right=True)
    if cols.state:
        out.space()
        words = state_text(
            row, now, extender=extender, mark=mark, user=user, hold=hold, wide=cols.wide, width=cols.state
        )
        out.add(words, theme[_state_style(row, now, mark)], cols.state)
    if cols.due and row.deadline is not None:
        rest = row.deadline - now
        words = times.respond(rest) if cols.due >= 10 and (cols.wide or rest <= 0) else times.countdown(rest)
        out.space()
        out.add(words, theme["overdue" if rest <= 0 else "plain"], cols.due, right=True)
    return out.done()


def state_text(
    row: AlertRow,
    now: float,
    *,
    extender: SafeText = NOTHING,
    mark: AckMark = AckMark.NONE,
    user: SafeText = NOTHING,
    hold: float | None = None,
    wide: bool = False,
    width: int = 0,
) -> SafeText:
    """Where an alert stands: `nobody`, `ack alice 11m`, `silenced 2h`, `inhibited`, `muted`,
    `pending 6m of 10m`. Wide: `nobody has it`, `ack alice 11m left, extended by kthxbye`. An ack that stands out:
    `stale alice 11m`, `asks again 4m`.

    With `width`, the longest wording that fits in so many cells; a long name is cut before the time is.
    """
    silence = row.silence
    if row.state is AlertState.ACTIVE:
        return trusted("nobody has it" if wide else "nobody")
    if row.state is AlertState.ACKED and silence is not None:
        return _ack_text(silence, now, extender=extender, mark=mark, user=user, wide=wide, width=width)
    if row.state is AlertState.SILENCED and silence is not None:
        rest = times.left(silence.ends - now)
        if not ends_soon(silence, now):
            return trusted(f"silenced {rest}")
        wordings = [f"silence ends {rest}", f"ends in {rest}"]
        return trusted(next((w for w in wordings if not width or len(w) <= width), wordings[-1]))
    if row.state is AlertState.PENDING:
        waited = times.ago(now - row.alert.since)
        if hold is None:
            return trusted(f"pending {waited}")
        of = times.ago(hold)
        wordings = [f"pending {waited} of {of}", f"pending {waited}/{of}", f"pending {waited}"]
        return trusted(next((w for w in wordings if not width or len(w) <= width), wordings[-1]))
    return trusted(row.state.value)


def _ack_text(
    silence: Silence,
    now: float,
    *,
    extender: SafeText,
    mark: AckMark,
    user: SafeText,
    wide: bool,
    width: int,
) -> SafeText:
    who = "you" if user and silence.owner == safe(ack_user(user), 60) else str(silence.owner)
    rest = times.left(silence.ends - now)
    kept = f", extended by {extender}" if extender and extender != "nobody" else ""
    word = "stale" if mark is AckMark.STALE else "ack"
    short = f"{word} {who} {rest}"
    wordings = [short]
    if mark is AckMark.ASKS:
        wordings = [f"ack {who} {rest} left, asks again"] if wide else []
        wordings += [f"asks again {rest}", f"again? {rest}"]
    elif wide and rest != "over":
        old = f", {times.ago(age(silence, now))} old"
        if mark is AckMark.STALE:
            wordings = [f"stale ack {who} {rest} left{old}{kept}", f"stale ack {who} {rest} left{old}", short]
        else:
            wordings = [f"ack {who} {rest} left{kept}", f"ack {who} {rest} left", short]
    for wording in wordings:
        if not width or width_of(wording) <= width:
            return trusted(wording)
    return trusted(f"{word} {fit(who, max(1, width - len(word) - 2 - len(rest)), more='.')} {rest}")


def _state_style(row: AlertRow, now: float, mark: AckMark) -> str:
    ending = row.state is AlertState.SILENCED and row.silence is not None and ends_soon(row.silence, now)
    if ending or mark is not AckMark.NONE:
        return "warning"
    if row.state is AlertState.ACTIVE:
        return "nobody" if row.severity in _URGENT else "plain"
    return "held"


def firing_row(
    row: AlertRow,
    *,
    width: int,
    now: float,
    glyphs: Glyphs = UNICODE,
    distinguishing: SafeText = NOTHING,
    extender: SafeText = NOTHING,
    mark: AckMark = AckMark.NONE,
    note: SafeText = NOTHING,
    user: SafeText = NOTHING,
    selected: bool = False,
    theme: Theme = DARK,
) -> Text:
    """One alert of the strip "Firing now": as `alert_row`, with a note (`new_pricing 6m before`) behind the
    flag glyph at the end. Under 100 cells it is an `alert_row`."""
    if width < 100:
        return alert_row(
            row,
            width=width,
            now=now,
            glyphs=glyphs,
            distinguishing=distinguishing,
            extender=extender,
            mark=mark,
            selected=selected,
            user=user,
            theme=theme,
        )
    out = Row(width, glyphs, theme["selected" if selected else "plain"])
    out.space()
    style = theme[SEVERITY_STYLES[row.severity]]
    out.add(f"{glyphs.severity(row.severity)} {SEVERITY_WORDS[row.severity]}  ", style)
    out.add(row.alert.name, theme["strong"], 24)
    out.space()
    out.add(distinguishing, None, 22 + max(0, (width - 130) // 2))
    out.space()
    out.add(times.ago(now - row.alert.since), None, 4, right=True)
    out.space(2)
    rest = None if row.deadline is None else row.deadline - now
    due = times.respond(rest) if rest is not None else ""
    out.add(due, theme["overdue" if rest is not None and rest <= 0 else "plain"], 14)
    out.space(2)
    words = state_text(row, now, extender=extender, mark=mark, user=user, wide=True)
    if note:
        out.add(words, theme[_state_style(row, now, mark)], min(len(words) + 2, max(8, out.left - len(note) - 3)))
        out.add(f"{glyphs.flag} ", theme["flag"])
        out.add(safe(note), theme["flag"])
    else:
        out.add(words, theme[_state_style(row, now, mark)])
    return out.done()
