"""The lines of the Status screen: sources, members, checks, targets, rules; what is not known on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from rich.text import Text

from opsconsole.model.reading import Freshness, Reading
from opsconsole.model.rules import MemberStatus, Rule, Target
from opsconsole.model.verdicts import Level, Verdict, badness
from opsconsole.render.glyphs import LEVEL_STYLES, LEVEL_WORDS, Glyphs
from opsconsole.render.records import target_row, verdict_row
from opsconsole.render.row import Row, fit, width_of, wrapped
from opsconsole.render.theme import Theme
from opsconsole.render.times import ago, exact
from opsconsole.state.members import troubles
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, safe_block, trusted
from opsconsole.ui.screens.status_guard import rule_lines

_NOTHING = trusted("")
_NAME = 26
"""Cells of the names' column at least."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked: its name, what is known of it, and what it says of itself."""

    name: SafeText
    reading: Reading[Any]
    note: SafeText = _NOTHING


class StatusRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line: its identity, how it looks, and what `y` and enter give for it ("" for nothing)."""

    key: str
    line: Text
    text: SafeText = _NOTHING


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """How lines are drawn."""

    width: int
    now: float
    zone: tzinfo
    theme: Theme
    glyphs: Glyphs


def sources(snapshot: Snapshot) -> list[Source]:
    """Everything that the context asks, in order."""
    found: list[Source] = []
    if snapshot.prometheus is not None:
        data = snapshot.prometheus.data
        note = safe(f"version {data.version}" if data is not None and data.version else "")
        found.append(Source(name=trusted("Prometheus"), reading=snapshot.prometheus, note=note))
    if snapshot.rules is not None:
        count = sum(len(group.rules) for group in snapshot.rules.data or ())
        found.append(Source(name=trusted("rules"), reading=snapshot.rules, note=trusted(f"{count} rules")))
    if snapshot.targets is not None:
        note = trusted(f"{len(snapshot.targets.data or ())} targets")
        found.append(Source(name=trusted("targets"), reading=snapshot.targets, note=note))
    for cluster in snapshot.clusters:
        name = safe(f"Alertmanager {cluster.name}", 40)
        note = trusted(f"{len(cluster.alerts.data or ()):,} alerts")
        found.append(Source(name=name, reading=cluster.alerts, note=note))
        silences = trusted(f"{len(cluster.silences.data or ()):,} silences")
        found.append(Source(name=safe(f"{name} silences", 50), reading=cluster.silences, note=silences))
    if snapshot.flags is not None:
        flagset = snapshot.flags.data
        note = safe(f"{flagset.provider} {flagset.source}" if flagset is not None else "", 200)
        found.append(Source(name=trusted("flags"), reading=snapshot.flags, note=note))
    guard = snapshot.guard
    if guard is not None and (snapshot.context.guarded or (guard.data is not None and guard.data.status)):
        note = safe(guard.data.where if guard.data is not None else "", 60)
        found.append(Source(name=trusted("guard"), reading=guard, note=note))
    return found


def status_rows(snapshot: Snapshot, verdicts: Sequence[Verdict], drawing: Drawing) -> list[StatusRow]:
    """All lines of the screen."""
    known = sources(snapshot)
    rows = _unknown(known, verdicts, snapshot, drawing)
    rows += _section("Sources", _sources(known, drawing), drawing)
    rows += _section("Alertmanager members", _members(snapshot, drawing), drawing)
    rows += _section("Checks", _checks(verdicts, drawing), drawing)
    rows += _section("Guard", _guard(snapshot, drawing), drawing)
    rows += _section("Targets", _targets(snapshot, drawing), drawing)
    rows += _section("Rules", _rules(snapshot, drawing), drawing)
    return rows


def _unknown(
    known: Sequence[Source], verdicts: Sequence[Verdict], snapshot: Snapshot, drawing: Drawing
) -> list[StatusRow]:
    """What is not known and why: the part that comes first."""
    dark = [s for s in known if not s.reading.known(drawing.now)]
    asked = [v for v in verdicts if v.level is Level.UNKNOWN and not v.because]
    follow = sum(v.level is Level.UNKNOWN for v in verdicts) - len(asked)
    if not known:
        line = _line([("No source is configured.", "unknown")], drawing)
        return [StatusRow(key="unknown.none", line=line)]
    if not dark and not asked:
        line = _line([(f"{drawing.glyphs.ok} ", "ok"), ("Every source is known.", "dim")], drawing)
        return [StatusRow(key="unknown.nothing", line=line)]
    rows = [StatusRow(key="unknown.head", line=heading("Not known", drawing))]
    for source in dark:
        words = f"{source.name}: {source.reading.why(drawing.now)}"
        rows.append(_said(f"unknown.source.{source.name}", words, drawing))
    rows += [_said(f"unknown.check.{v.id}", f"{v.title}: {v.reason}", drawing) for v in asked]
    if follow:
        many = (
            f"{follow} more checks that follow from this"
            if follow > 1
            else "one more check that follows from this"
        )
        rows.append(_said("unknown.follow", many, drawing))
    return rows


def _said(key: str, words: str, drawing: Drawing) -> StatusRow:
    line = _line([(f"{drawing.glyphs.unknown} ", "unknown"), (safe(words, 400), "plain")], drawing)
    return StatusRow(key=key, line=line, text=safe(words))


def _section(title: str, rows: Sequence[StatusRow], drawing: Drawing) -> list[StatusRow]:
    if not rows:
        return []
    return [
        StatusRow(key=f"{title}.gap", line=_line([], drawing)),
        StatusRow(key=f"{title}.head", line=heading(title, drawing)),
        *rows,
    ]


def _sources(found: Sequence[Source], drawing: Drawing) -> list[StatusRow]:
    """The lines of sources, with their states below one another."""
    longest = max((width_of(source.name) for source in found), default=0)
    column = max(_NAME, min(longest, drawing.width // 2))
    return [row for source in found for row in _source(source, column, drawing)]


def _source(source: Source, column: int, drawing: Drawing) -> list[StatusRow]:
    reading, now = source.reading, drawing.now
    freshness = reading.freshness(now)
    level = Level.OK if reading.known(now) else Level.UNKNOWN
    pieces = [(f"{drawing.glyphs.level(level)} ", LEVEL_STYLES[level])]
    # The gap belongs to the line, not to the column: nothing touches what follows it.
    pieces.append((f"{fit(source.name, column, more=drawing.glyphs.more)}  ", "plain"))
    state = _state(reading, now)
    pieces.append((f"{state:<22}  ", "dim" if level is Level.OK else LEVEL_STYLES[level]))
    pieces.append((source.note, "dim"))
    whole = [source.name, state, source.note]
    rows = [StatusRow(key=f"source.{source.name}", line=_line(pieces, drawing))]
    if level is Level.UNKNOWN and freshness is not Freshness.WAITING:
        for index, extra in enumerate(_why(reading, drawing)):
            whole.append(extra)
            for part in wrapped(extra, max(10, drawing.width - 6), 2, drawing.glyphs):
                line = _line([("    ", "plain"), (part, "dim")], drawing)
                rows.append(StatusRow(key=f"source.{source.name}.{index}.{len(rows)}", line=line))
    rows[0] = msgspec.structs.replace(rows[0], text=safe_block("\n".join(part for part in whole if part)))
    return rows


def _state(reading: Reading[Any], now: float) -> SafeText:
    """Age in words. Of a good one only the age that is allowed, so that a quiet screen stays as it is."""
    age, freshness = reading.age(now), reading.freshness(now)
    if freshness is Freshness.WAITING or age is None:
        kind = reading.failure.kind if reading.failure is not None else "not asked yet"
        return safe(kind)
    if reading.known(now):
        return trusted(f"fresh, under {ago(reading.limit)} old")
    word = "partial" if freshness is Freshness.FRESH else f"stale {ago(age)}"
    kind = f", {reading.failure.kind}" if reading.failure is not None else ""
    return safe(f"{word}{kind}")


def _why(reading: Reading[Any], drawing: Drawing) -> list[SafeText]:
    lines: list[SafeText] = []
    failure = reading.failure
    if failure is not None:
        since = exact(reading.failing_since, drawing.zone, drawing.now)
        where = f" at {failure.where}" if failure.where else ""
        lines.append(safe(f"{failure.kind}{where}: {failure.message}"))
        lines.append(safe(f"since {since}, {ago(drawing.now - reading.failing_since)} ago"))
        if failure.hint:
            lines.append(safe(f"hint: {failure.hint}"))
    elif not reading.warnings:
        lines.append(reading.why(drawing.now))
    lines += [safe(f"partial: {warning}") for warning in reading.warnings[:3]]
    return lines


def _members(snapshot: Snapshot, drawing: Drawing) -> list[StatusRow]:
    found: list[Source] = []
    for cluster in snapshot.clusters:
        for member in cluster.members:
            status: MemberStatus | None = member.status.data
            note = f"{cluster.name}"
            if status is not None:
                note += f"  {status.cluster_status}, {status.peers} peers, version {status.version}"
            found.append(Source(name=member.url, reading=member.status, note=safe(note, 120)))
    return [*_sources(found, drawing), *_wrong(snapshot, drawing)]


def _wrong(snapshot: Snapshot, drawing: Drawing) -> list[StatusRow]:
    """What is wrong with members that answer; why one does not stands with the member."""
    rows: list[StatusRow] = []
    several = len(snapshot.clusters) > 1
    for cluster in snapshot.clusters:
        for trouble in troubles(cluster, drawing.now):
            if trouble.silent:
                continue
            words = safe(f"{f'{cluster.name}: ' if several else ''}{trouble.words}", 600)
            for index, part in enumerate(wrapped(words, max(10, drawing.width - 4), 3, drawing.glyphs)):
                start = (f"{drawing.glyphs.warning} ", "warning") if not index else ("  ", "plain")
                key = f"wrong.{cluster.name}.{words}.{index}"
                rows.append(StatusRow(key=key, line=_line([start, (part, "plain")], drawing), text=words))
    return rows


def _checks(verdicts: Sequence[Verdict], drawing: Drawing) -> list[StatusRow]:
    """What is not OK, the worst first; then the OK ones, a line for each group."""
    bad = [v for v in verdicts if v.level is not Level.OK]
    rows = [_check(v, drawing) for v in sorted(bad, key=lambda v: (-badness(v.level), bool(v.because), v.id))]
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.level is Level.OK:
            groups.setdefault(verdict.group, []).append(verdict)
    for group, members in groups.items():
        rows.append(_check(members[0], drawing) if len(members) == 1 else _good(group, members, drawing))
    return rows


def _check(verdict: Verdict, drawing: Drawing) -> StatusRow:
    line = verdict_row(verdict, width=drawing.width, theme=drawing.theme, glyphs=drawing.glyphs)
    parts = [f"{LEVEL_WORDS[verdict.level]}  {verdict.title}: {verdict.reason}", *verdict.evidence]
    parts += [f"hint: {verdict.hint}"] if verdict.hint else []
    parts += [f"it follows from {verdict.because}"] if verdict.because else []
    return StatusRow(key=f"check.{verdict.id}", line=line, text=safe_block("\n".join(parts), 16_000))


def _good(group: str, members: Sequence[Verdict], drawing: Drawing) -> StatusRow:
    """One line for the checks of a group that are OK; enter lists them."""
    names = [str(verdict.title) for verdict in members]
    reason = safe(f"{len(members)} checks: {', '.join(names)}", 400)
    whole = Verdict(id=group, title=safe(group, 40), level=Level.OK, reason=reason)
    line = verdict_row(whole, width=drawing.width, theme=drawing.theme, glyphs=drawing.glyphs)
    text = [part for v in members for part in (f"{v.title}: {v.reason}", *(f"  {said}" for said in v.evidence))]
    return StatusRow(key=f"checks.{group}", line=line, text=safe_block("\n".join(text), 64_000))


def _guard(snapshot: Snapshot, drawing: Drawing) -> list[StatusRow]:
    """Its rules; whether it does its work stands with the checks."""
    found = rule_lines(snapshot, width=drawing.width, theme=drawing.theme, glyphs=drawing.glyphs)
    return [StatusRow(key=key, line=line, text=text) for key, line, text in found]


def _targets(snapshot: Snapshot, drawing: Drawing) -> list[StatusRow]:
    targets: Iterable[Target] = snapshot.targets.data or () if snapshot.targets is not None else ()
    order = {"down": 0, "unknown": 1}
    rows = []
    for target in sorted(targets, key=lambda t: (order.get(t.health, 2), t.job, t.instance)):
        line = target_row(target, width=drawing.width, now=drawing.now, theme=drawing.theme, glyphs=drawing.glyphs)
        text = safe_block(f"{target.scrape_url}\n{target.health}\n{target.last_error}".strip(), 8000)
        key = f"target.{target.scrape_pool}.{target.scrape_url}.{target.job}.{target.instance}"
        rows.append(StatusRow(key=key, line=line, text=text))
    return rows


def _rules(snapshot: Snapshot, drawing: Drawing) -> list[StatusRow]:
    groups = snapshot.rules.data or () if snapshot.rules is not None else ()
    found = [(group.name, index, rule) for group in groups for index, rule in enumerate(group.rules)]
    order = {"err": 0, "unknown": 1}
    found.sort(key=lambda item: (order.get(item[2].health, 2), item[0], item[1]))
    return [
        StatusRow(key=f"rule.{group}.{index}", line=_rule(group, rule, drawing), text=_rule_text(group, rule))
        for group, index, rule in found
    ]


def _rule(group: SafeText, rule: Rule, drawing: Drawing) -> Text:
    level = {"ok": Level.OK, "err": Level.CRITICAL}.get(rule.health, Level.UNKNOWN)
    row = Row(drawing.width, drawing.glyphs)
    row.space()
    row.add(f"{drawing.glyphs.level(level)} ", drawing.theme[LEVEL_STYLES[level]])
    row.add(rule.health, drawing.theme[LEVEL_STYLES[level]], 8)
    row.add(rule.name, None, 30 if drawing.width >= 100 else 24)
    row.space()
    row.add(group, drawing.theme["dim"], 18)
    row.space()
    last = rule.last_evaluation.timestamp()
    behind = drawing.now - last
    if last <= 0:
        row.add("never evaluated", drawing.theme["unknown"])
    elif behind > 120:
        row.add(f"evaluated {ago(behind)} ago", drawing.theme["unknown"])
    else:
        row.add("evaluated within 2m", drawing.theme["dim"])
    if rule.last_error:
        row.space(2)
        row.add(rule.last_error, drawing.theme["critical"], max(0, row.left))
    return row.done()


def _rule_text(group: SafeText, rule: Rule) -> SafeText:
    parts = [f"{group}: {rule.name} is {rule.health}", rule.query, rule.last_error]
    return safe_block("\n".join(part for part in parts if part), 16_000)


def heading(title: str, drawing: Drawing) -> Text:
    """A line that heads a section."""
    return _line([(title, "strong")], drawing)


def _line(pieces: Iterable[tuple[str, str]], drawing: Drawing) -> Text:
    row = Row(drawing.width, drawing.glyphs)
    row.space()
    for text, style in pieces:
        row.add(text, drawing.theme[style])
    return row.done()
