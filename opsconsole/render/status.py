"""The status line, the line of modes, and what stands in an empty list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.style import Style
from rich.text import Text

from opsconsole.model.reading import Freshness, Reading
from opsconsole.model.severity import Severity
from opsconsole.render import times
from opsconsole.render.glyphs import SEVERITY_STYLES, UNICODE, Glyphs
from opsconsole.render.row import NOTHING, Row, clean, line, width_of
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, trusted

ALERTS_FIRING = trusted("alerts firing")

_COARSE = 15.0
"""Seconds in which the age of good news is told, so that nothing moves while nothing changes."""

Piece = tuple[str, Style | None]


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One source: whether its data may be believed, how old it is in seconds (None: there never was any),
    `note` in words when it is not known (`stale 48s`, `failed 48s`, `waiting`, `partial`), `why` one line
    more, `members` such as `2/2`, and `wrong` what is wrong with those although the data is known (`1 down`)."""

    name: SafeText
    known: bool
    age: float | None = None
    note: SafeText = NOTHING
    why: SafeText = NOTHING
    members: SafeText = NOTHING
    wrong: SafeText = NOTHING


class StatusInput(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the status line shows. `counts` are firing alerts that nobody has, by severity;
    `alerts_known` says whether they may be believed. `demo` is a label or ""."""

    context: SafeText
    environment: SafeText = NOTHING
    production: bool = False
    system: SafeText = NOTHING
    sources: tuple[SourceStatus, ...] = ()
    counts: Mapping[Severity, int] = {}
    alerts_known: bool = True
    acks: int = 0
    silences: int = 0
    on_call: SafeText = NOTHING
    demo: SafeText = NOTHING
    read_only: bool = False


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """One of the screens: its key, title and a count to show behind it (None: none)."""

    key: str
    title: SafeText
    count: int | None = None


def source_status(
    name: SafeText,
    reading: Reading[Any],
    now: float,
    members: SafeText = NOTHING,
    wrong: SafeText = NOTHING,
) -> SourceStatus:
    """What the status line says of a reading."""
    age = reading.age(now)
    if reading.known(now):
        return SourceStatus(name=name, known=True, age=age, members=members, wrong=wrong)
    freshness = reading.freshness(now)
    if freshness is Freshness.WAITING:
        note = "waiting"
    elif freshness is Freshness.FRESH:
        note = "partial"
    elif freshness is Freshness.FAILED:
        since = age if age is not None else now - reading.failing_since
        note = f"{'stale' if age is not None else 'failed'} {times.ago(since)}"
    else:
        note = f"stale {times.ago(age or 0.0)}"
    return SourceStatus(name=name, known=False, age=age, note=trusted(note), why=reading.why(now), members=members)


def status_line(status: StatusInput, *, width: int, theme: Theme = DARK, glyphs: Glyphs = UNICODE) -> Text:
    """The line on top, in exactly `width` cells.

    When it does not fit, it gives up in this order: who is on call, the system, the names of good sources
    (they become one number), acks and silences. Environment, DEMO, alert counts and unknown sources stay
    longest.
    """
    row = Row(width, glyphs)
    for stage, gap in ((0, 3), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2)):
        groups = _groups(status, stage, theme, glyphs)
        if _size(groups, gap, glyphs) <= width:
            break
    for index, group in enumerate(groups):
        row.space(gap if index else 1)
        row.extend(group)
    return row.done()


def _size(groups: Sequence[Sequence[Piece]], gap: int, glyphs: Glyphs) -> int:
    cells = sum(width_of(clean(text, glyphs)) for group in groups for text, _ in group)
    return cells + gap * (len(groups) - 1) + 2


def _groups(status: StatusInput, stage: int, theme: Theme, glyphs: Glyphs) -> list[list[Piece]]:
    groups: list[list[Piece]] = []
    if status.demo:
        groups.append([(f" {status.demo} ", theme["demo"])])
    where: list[Piece] = [(status.context, theme["strong"])]
    if status.environment:
        name = f" {status.environment.upper()} " if status.production else status.environment.upper()
        where += [
            (f" {glyphs.crumb} ", theme["dim"]),
            (name, theme["production"] if status.production else None),
        ]
    groups.append(where)
    if status.system and stage < 2:
        groups.append([(status.system, None)])
    sources, counts = _sources(status.sources, stage, theme, glyphs), _counts(status, theme, glyphs)
    groups += [*sources, counts] if stage < 4 else [counts, *sources]
    if stage < 4:
        groups.append([(f"ack {status.acks}", theme["dim"]), (f"  sil {status.silences}", theme["dim"])])
    if status.on_call and stage < 1:
        groups.append([("on call: ", theme["dim"]), (status.on_call, None)])
    if status.read_only:
        groups.append([("read-only", theme["readonly"])])
    return groups


def _sources(sources: Sequence[SourceStatus], stage: int, theme: Theme, glyphs: Glyphs) -> list[list[Piece]]:
    good = [s for s in sources if s.known and not s.wrong]
    groups: list[list[Piece]] = []
    if stage >= 3 and good:
        word = "source" if len(good) == 1 else "sources"
        groups.append([(f"{len(good)} {word} ", theme["dim"]), (glyphs.ok, theme["ok"])])
    for source in sources:
        if source in good and stage >= 3:
            continue
        group: list[Piece] = [(f"{source.name} ", theme["dim" if source in good else "strong"])]
        if source in good:
            group.append((glyphs.ok, theme["ok"]))
        elif source.known:
            # On a narrow screen the first thing that is wrong: the Status screen names all.
            wrong = source.wrong if stage < 3 else source.wrong.split(", ")[0]
            group.append((f"{glyphs.warning} {wrong}", theme["warning"]))
        else:
            note = f" {source.note}" if source.note else ""
            group.append((f"{glyphs.unknown}{note}", theme["unknown"]))
        if source.members and stage < 3:
            group.append((f" {source.members}", theme["dim"]))
        groups.append(group)
    return groups


def _counts(status: StatusInput, theme: Theme, glyphs: Glyphs) -> list[Piece]:
    """The alert counts, worst first, `✖ 2  ▲ 1`. Not known: the unknown glyph in front."""
    pieces: list[Piece] = []
    if not status.alerts_known:
        pieces.append((f"{glyphs.unknown} ", theme["unknown"]))
    found = [(severity, n) for severity, n in sorted(status.counts.items()) if n > 0]
    if not found:
        text = "no alerts" if status.alerts_known else "alerts unknown"
        return [*pieces, (text, theme["dim" if status.alerts_known else "unknown"])]
    for index, (severity, n) in enumerate(found):
        gap = "  " if index else ""
        pieces.append((f"{gap}{glyphs.severity(severity)} {n}", theme[SEVERITY_STYLES[severity]]))
    return pieces


def mode_line(
    modes: Sequence[Mode],
    active: str,
    *,
    width: int,
    clock: SafeText = NOTHING,
    read_only: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """The screens with their keys, the active one reversed; `read-only` and the clock at the right. When it
    does not fit, `read-only` goes (the status line has it), then the other screens keep only their key and
    count."""
    lock = "read-only" if read_only else ""
    both = "  ".join(part for part in (lock, clock) if part)
    for right, full in ((both, True), (clock, True), (both, False), (clock, False)):
        pieces = [_mode_text(m, glyphs, full=full or m.key == active) for m in modes]
        if sum(width_of(clean(p, glyphs)) + 2 for p in pieces) + len(right) + 3 <= width:
            break
    row = Row(width, glyphs)
    row.space()
    for mode, text in zip(modes, pieces, strict=True):
        row.add(f" {text} " if mode.key == active else text, theme["active" if mode.key == active else "dim"])
        row.space(1 if mode.key == active else 2)
    if row.left > len(right) + 1:
        row.space(row.left - len(right) - 1)
        row.add(right, theme["readonly" if lock and right == both else "dim"])
    return row.done()


def _mode_text(mode: Mode, glyphs: Glyphs, *, full: bool) -> str:
    count = "" if not mode.count else f"{glyphs.dot}{mode.count}" if full else f":{mode.count}"
    return f"{mode.key} {mode.title}{count}" if full else f"{mode.key}{count}"


def empty_line(
    sources: Sequence[SourceStatus],
    *,
    width: int,
    firing_then: int = 0,
    what: SafeText = ALERTS_FIRING,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """What an empty list says. `✔ No alerts firing.` only when every source it rests on is known, of which
    there must be one; else which one is not, since when, why, and how many were firing then."""
    unknown = next((s for s in sources if not s.known), None)
    row = Row(width, glyphs)
    if sources and unknown is None:
        oldest = max((s.age or 0.0 for s in sources), default=0.0)
        row.add(f"{glyphs.ok} ", theme["ok"])
        bound = _COARSE * (1 + oldest // _COARSE)
        row.add(f"No {what}.  All sources fresh (within {times.ago(bound)}).", theme["dim"])
        return row.done()
    row.add(f"{glyphs.unknown} ", theme["unknown"])
    if unknown is None:
        row.add(f"No source says whether there are {what}.", theme["unknown"])
        return row.done()
    if unknown.age is not None:
        text = f"{unknown.name} has not answered for {times.ago(unknown.age)}"
    else:
        text = f"{unknown.name} has not answered yet"
    if unknown.note == "partial":
        text = f"{unknown.name} answered in part"
    why = f" ({unknown.why})" if unknown.why else ""
    row.add(f"{text}{why}.", theme["unknown"])
    if firing_then:
        verb = "alert was" if firing_then == 1 else "alerts were"
        row.add(f" {firing_then} {verb} firing then.", theme["strong"])
    return row.done()


def too_small(width: int, height: int, needs: tuple[int, int], *, glyphs: Glyphs = UNICODE) -> Text:
    """`needs 60x15, this is 40x10`."""
    return line(f"needs {needs[0]}x{needs[1]}, this is {width}x{height}", width, None, glyphs)
