"""Rows of the other lists: silences, flags, verdicts, the journal, targets."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import NamedTuple

from rich.text import Text

from opsconsole.model.acks import AckMark
from opsconsole.model.flags import Flag, FlagChange
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.rules import Target
from opsconsole.model.silence_list import ends_soon
from opsconsole.model.silences import Silence
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render import numbers, times
from opsconsole.render.glyphs import LEVEL_STYLES, LEVEL_WORDS, UNICODE, Glyphs
from opsconsole.render.row import NOTHING, Row, clean, width_of
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, safe

_RESULT_STYLES = {
    Result.OPEN: "unknown",
    Result.DONE: "plain",
    Result.FAILED: "critical",
    Result.REFUSED: "warning",
    Result.AMBIGUOUS: "unknown",
}
_ACK_WORDS = {AckMark.NONE: "ack", AckMark.STALE: "stale", AckMark.ASKS: "again?"}
COMPACT = 70
"""Cells under which columns are left out."""
_STATE = 5
_ROLLOUT = 7
"""Cells of two of the columns of flags."""
_HEALTH = {"up": Level.OK, "down": Level.CRITICAL}


def _start(width: int, selected: bool, marked: bool, theme: Theme, glyphs: Glyphs) -> Row:
    row = Row(width, glyphs, theme["selected" if selected else "plain"])
    row.add(glyphs.marked if marked else " ", theme["marked"])
    return row


def silence_row(
    silence: Silence,
    *,
    width: int,
    now: float,
    affected: int | None = None,
    mark: AckMark = AckMark.NONE,
    marked: bool = False,
    selected: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """A silence: state (`ack`, `stale`, `again?`, `active`, `pending`, `expired`), in which time it ends, marked
    when that is soon, how many alerts it hides now (None: not known), who, its matchers and comment. State and
    time stay when the width is small."""
    state = silence.status.state
    ended = state == "expired"
    style = theme["dim" if ended else "plain"]
    row = _start(width, selected, marked, theme, glyphs)
    word = _ACK_WORDS[mark] if silence.is_ack and state == "active" else safe(state, 20)
    row.add(word, theme["dim" if ended else "held" if mark is AckMark.NONE else "warning"], 8)
    if ended:
        until = f"{times.ago(now - silence.ends)} ago"
    elif state == "pending":
        until = f"starts {times.left(silence.starts_at.timestamp() - now)}"
    else:
        until = f"{times.left(silence.ends - now)}"
    if ends_soon(silence, now):
        row.add(f"{until} {glyphs.warning} soon", theme["warning"], 11)
    else:
        row.add(until, style, 11)
    if width >= 60:
        count = glyphs.none if affected is None else f"{affected}"
        row.add(count, style, 4, right=True)
        row.space(2)
        row.add(silence.owner, style, 14)
        row.space()
    matchers = safe(" ".join(str(m) for m in silence.matchers), 500)
    if width >= 60 and row.left >= 30:
        row.add(matchers, style, row.left * 3 // 5)
        row.space(2)
        row.add(silence.reason, theme["dim"], max(0, row.left))
    else:
        row.add(matchers, style, max(0, row.left))
    return row.done()


def flag_titles(*, width: int, suspected: bool = False, theme: Theme = DARK, glyphs: Glyphs = UNICODE) -> Text:
    """The names of the columns of `flag_row`; that of the suspicion when there is one."""
    columns = _flag_columns(width)
    style = theme["header"]
    row = _start(width, False, False, theme, glyphs)
    row.add("flag", style, columns.name + 1)
    row.add("state", style, _STATE + 1)
    row.add("rollout", style, _ROLLOUT, right=True)
    row.space(2)
    if columns.serves:
        row.add("serves", style, columns.serves + 1)
    title = "suspicion" if suspected else ""
    row.add("last change", style, max(0, row.left - len(title)))
    row.add(title, style, max(0, row.left))
    return row.done()


def flag_row(
    flag: Flag,
    change: FlagChange | None = None,
    *,
    width: int,
    now: float,
    tz: tzinfo = UTC,
    suspicion: SafeText = NOTHING,
    marked: bool = False,
    selected: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """A flag: key, state, the share of users who get something else than the safe variant, what it serves where
    that has room, its last change and what is suspected of it (`6m before HighErrorRate`, drawn with the warning
    glyph)."""
    columns = _flag_columns(width)
    row = _start(width, selected, marked, theme, glyphs)
    row.add(flag.name, theme["strong" if flag.enabled else "dim"], columns.name)
    row.space()
    style = theme["plain" if flag.enabled else "dim"]
    row.add("on" if flag.enabled else "off", style, _STATE)
    row.space()
    row.add(_rollout(flag, glyphs, serves=bool(columns.serves)), style, _ROLLOUT, right=True)
    row.space(2)
    if columns.serves:
        targeting = " +targeting" if flag.has_targeting else ""
        row.add(f"{flag.serves}{targeting}", style, columns.serves)
        row.space()
    if change is not None:
        who = f" {change.who}" if change.who else ""
        at = f"{'' if change.exact else 'before '}{times.when(change.at, now, tz)}"
        text = f"{at}{who}  {change.summary}"
    else:
        text = "no change seen"
    warned = width_of(clean(suspicion, glyphs)) + 4 if suspicion else 0
    row.add(text, theme["plain" if change else "dim"], max(0, row.left - warned))
    if suspicion:
        row.space(2)
        row.add(f"{glyphs.high} ", theme["high"])
        row.add(suspicion, theme["high"])
    return row.done()


def _rollout(flag: Flag, glyphs: Glyphs, *, serves: bool) -> str:
    """The share; where it is not one number and nothing else says what is served, the default variant."""
    if flag.rollout is not None:
        return f"{flag.rollout:.3g} %"
    return glyphs.none if serves or not flag.enabled else flag.default_variant or glyphs.none


class _FlagColumns(NamedTuple):
    """Cells of the columns that depend on the width; 0 for one that is left out."""

    name: int
    serves: int


def _flag_columns(width: int) -> _FlagColumns:
    return _FlagColumns(name=16 if width < COMPACT else 26, serves=22 if width >= 110 else 0)


def verdict_row(
    verdict: Verdict,
    *,
    width: int,
    marked: bool = False,
    selected: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """A check's verdict: glyph, word, title, reason. A good one is quiet."""
    row = _start(width, selected, marked, theme, glyphs)
    style = theme[LEVEL_STYLES[verdict.level]]
    row.add(f"{glyphs.level(verdict.level)} ", style)
    row.add(LEVEL_WORDS[verdict.level], style, 7)
    row.space(2)
    row.add(verdict.title, None, max(8, min(34, row.left * 2 // 5)))
    row.space(2)
    row.add(verdict.reason, theme["dim" if verdict.level is Level.OK else "plain"], max(0, row.left))
    return row.done()


def journal_row(
    entry: Entry,
    *,
    width: int,
    now: float,
    tz: tzinfo = UTC,
    ended: bool = False,
    marked: bool = False,
    selected: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """A line of the journal: when, who, what to what, how it ended, the message. An intent without an
    outcome reads `open`, one that has `ended` is as quiet as notes and observations, which have no result."""
    row = _start(width, selected, marked, theme, glyphs)
    row.add(times.when(entry.at, now, tz), theme["dim"], 15 if width >= 90 else 12)
    row.space()
    if width >= COMPACT:
        row.add(entry.user, theme["dim"], 11)
        row.space()
    row.add(safe(entry.action), theme["strong"], 12)
    row.space()
    is_open = entry.phase is Phase.INTENT and entry.result is Result.OPEN and not ended
    has_result = is_open or entry.phase is Phase.OUTCOME
    style = _RESULT_STYLES[entry.result] if has_result else "dim"
    row.add(entry.result.value if has_result else entry.phase.value, theme[style], 9)
    row.space()
    row.add(entry.subject, None, max(8, row.left * 2 // 5))
    row.space()
    row.add(entry.message, theme["dim"], max(0, row.left))
    return row.done()


def target_row(
    target: Target,
    *,
    width: int,
    now: float,
    marked: bool = False,
    selected: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """A scrape target: health in glyph and word, job, instance, the age and duration of the last scrape,
    the last error. A target that was never scraped shows no age."""
    row = _start(width, selected, marked, theme, glyphs)
    level = _HEALTH.get(target.health, Level.UNKNOWN)
    word = target.health if target.health in _HEALTH else "unknown"
    row.add(f"{glyphs.level(level)} ", theme[LEVEL_STYLES[level]])
    row.add(word, theme[LEVEL_STYLES[level]], 7)
    row.space()
    row.add(safe(target.job, 200), None, 16 if width >= COMPACT else 10)
    row.space()
    row.add(safe(target.instance, 200), None, 26 if width >= COMPACT else 16)
    row.space()
    scraped = target.last_scrape.timestamp()
    row.add(times.ago(now - scraped) if scraped > 0 else glyphs.none, theme["dim"], 5, right=True)
    if width >= COMPACT:
        row.space(2)
        took = numbers.value(target.last_scrape_duration if scraped > 0 else None, "s", glyphs)
        row.add(took, theme["dim"], 8, right=True)
    row.space(2)
    row.add(target.last_error, theme["critical"], max(0, row.left))
    return row.done()
